//! [`suggested_pattern`]: a pattern of labels that fits the names of a folder's photos, where one is plain to see.

use std::collections::BTreeMap;
use std::path::Path;

use pipeline_stage::{Cancel, Failure};

use super::name_pattern::LabelPattern;
use super::walk::Walk;

/// Patterns that are tried, the plainest first: `cat.1.jpg`; `great dane_12.jpg`, `cat (3).jpg`; `cat12.jpg`; `12_cat.jpg`.
const PATTERNS: [&str; 4] = [
    r"^(?<label>[a-z]+)\.\d+\.",
    r"^(?<label>.*[^\d ._-])[ ._-]+\(?\d+\)?\.[^.]+$",
    r"^(?<label>\D+)\d+\.[^.]+$",
    r"^\d+[ ._-]+(?<label>\D+)\.[^.]+$",
];

/// Photos that a label has at least on average: names that are all different are no labels.
const LEAST_PHOTOS: usize = 3;

/// The share of names that must have a label, as a fraction: 19 of 20.
const MOST_NAMES: (usize, usize) = (19, 20);

/// The first of the patterns that finds at least two labels in the names of the photos below `root`, with several photos each.
pub(crate) fn suggested_pattern(
    root: &Path,
    is_photo: fn(&str) -> bool,
    cancel: &Cancel,
) -> Result<Option<String>, Failure> {
    let seen = Walk::from(root, cancel)?.all(root, "")?;
    let names: Vec<&str> = seen.iter().map(|seen| seen.id.as_str()).filter(|id| is_photo(id)).collect();
    Ok(PATTERNS.into_iter().find(|pattern| fits(pattern, &names)).map(str::to_owned))
}

fn fits(pattern: &str, names: &[&str]) -> bool {
    let Ok(reader) = LabelPattern::read(pattern) else { return false };
    let mut labels: BTreeMap<String, usize> = BTreeMap::new();
    for label in names.iter().filter_map(|name| reader.label(name)) {
        *labels.entry(label).or_default() += 1;
    }
    let labelled: usize = labels.values().sum();
    let (some, of) = MOST_NAMES;
    labels.len() > 1 && labelled >= LEAST_PHOTOS * labels.len() && labelled * of >= names.len() * some
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The labels of names by the first pattern that fits them.
    fn labels(names: &[&str]) -> Option<Vec<String>> {
        let pattern = PATTERNS.into_iter().find(|pattern| fits(pattern, names))?;
        let reader = LabelPattern::read(pattern).unwrap();
        let mut labels: Vec<String> = names.iter().filter_map(|name| reader.label(name)).collect();
        labels.sort();
        labels.dedup();
        Some(labels)
    }

    /// Names of six photos: three of each of two labels.
    fn six(name: impl Fn(&str, usize) -> String, [a, b]: [&str; 2]) -> Vec<String> {
        [a, b].into_iter().flat_map(|label| (7..10).map(|n| name(label, n)).collect::<Vec<_>>()).collect()
    }

    #[test]
    fn labels_are_found_before_and_behind_numbers_with_any_mark_between() {
        let forms: [fn(&str, usize) -> String; 6] = [
            |label, n| format!("{label}.{n}.jpg"),
            |label, n| format!("{label}_{n}.jpg"),
            |label, n| format!("{label} ({n}).JPG"),
            |label, n| format!("{label}-00{n}.jpeg"),
            |label, n| format!("{label}{n}.png"),
            |label, n| format!("a/0{n}_{label}.jpg"),
        ];
        for form in forms {
            for words in [["cat", "dog"], ["Katze", "grüner Hund"]] {
                let names = six(form, words);
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                assert_eq!(labels(&names).unwrap(), words, "{names:?}");
            }
        }
        let breeds = six(|label, n| format!("{label}_{n}.jpg"), ["great_dane", "pug"]);
        let breeds: Vec<&str> = breeds.iter().map(String::as_str).collect();
        assert_eq!(labels(&breeds).unwrap(), ["great_dane", "pug"]);
    }

    #[test]
    fn names_that_are_numbers_or_all_different_or_of_one_word_have_no_labels() {
        assert_eq!(labels(&["1.jpg", "2.jpg", "3.jpg", "4.jpg", "5.jpg", "6.jpg"]), None);
        assert_eq!(labels(&["IMG_1.jpg", "IMG_2.jpg", "IMG_3.jpg", "IMG_4.jpg"]), None);
        assert_eq!(labels(&["a.jpg", "b.jpg", "c.jpg", "d.jpg"]), None);
        assert_eq!(labels(&["a3f.jpg", "b91.jpg", "c0e.jpg", "d55.jpg", "e1f.jpg", "f70.jpg"]), None);
        assert_eq!(labels(&[]), None);
    }
}
