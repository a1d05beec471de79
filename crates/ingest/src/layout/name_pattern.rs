//! [`LabelPattern`]: the class told by a file's name, as in `cat.123.jpg`.

use pipeline_stage::params::Problem;
use regex::Regex;

use super::draw::compiled;

/// A regular expression with a group `label`.
#[derive(Debug)]
pub(super) struct LabelPattern(Regex);

impl LabelPattern {
    /// Reads one; the reason where it is none.
    pub(super) fn read(pattern: &str) -> Result<LabelPattern, String> {
        let regex = compiled(pattern)?;
        if !regex.capture_names().any(|name| name == Some("label")) {
            return Err(format!("expected a group `(?<label>...)`, found none in `{pattern}`"));
        }
        Ok(LabelPattern(regex))
    }

    /// The label in a file's name, the folders before it left out; `None` where there is none.
    pub(super) fn label(&self, id: &str) -> Option<String> {
        let name = id.rsplit('/').next().unwrap_or_default();
        let label = self.0.captures(name)?.name("label")?.as_str();
        (!label.is_empty()).then(|| label.to_owned())
    }
}

/// Reports a pattern that is none.
pub(crate) fn check(pattern: &str, problems: &mut Vec<Problem>) {
    if let Err(reason) = LabelPattern::read(pattern) {
        problems.push(
            Problem::new("label_pattern", reason).hint(r"`^(?<label>[a-z]+)\.` finds `cat` in `cat.123.jpg`"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_label_is_looked_for_in_the_name_alone() {
        let pattern = LabelPattern::read(r"^(?<label>[a-z]*)\.").unwrap();
        assert_eq!(pattern.label("train/cat.1.jpg").as_deref(), Some("cat"));
        assert_eq!(pattern.label("dog.x/cat.1.jpg").as_deref(), Some("cat"));
        assert_eq!(pattern.label("train/7.jpg"), None);
        assert_eq!(pattern.label("train/.jpg"), None, "an empty label is none");
    }

    #[test]
    fn what_is_no_pattern_says_why() {
        let reason = |pattern| LabelPattern::read(pattern).unwrap_err();
        assert_eq!(reason("([a-z]+)"), "expected a group `(?<label>...)`, found none in `([a-z]+)`");
        assert_eq!(reason("(?<label>"), "expected a regular expression, found `(?<label>`: unclosed group");
    }
}
