//! Names of classes and files, which come from strangers, made fit for a line.

/// The name with control characters escaped, so that none breaks a line, and cut in the middle where it has more than
/// `longest` characters: both ends tell names apart.
pub fn shortened(name: &str, longest: usize) -> String {
    let mut chars: Vec<char> = Vec::with_capacity(name.len());
    for c in name.chars() {
        if c.is_control() { chars.extend(c.escape_default()) } else { chars.push(c) }
    }
    if chars.len() <= longest {
        return chars.into_iter().collect();
    }
    let kept = longest.saturating_sub(1);
    let tail = kept / 2;
    chars[..kept - tail].iter().chain(&['…']).chain(&chars[chars.len() - tail..]).collect()
}

/// The first `most` names, and how many more there are: `` `a`, `b` and 3 more ``.
pub fn listed<'a>(names: impl ExactSizeIterator<Item = &'a str>, most: usize) -> String {
    pipeline_stage::words::listed(names.map(|name| format!("`{}`", shortened(name, LONGEST))), most)
}

/// Characters of a name in a sentence.
const LONGEST: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_cut_in_the_middle_between_letters_and_a_line_break_is_spelled_out() {
        assert_eq!(shortened("sixteen letters!", 16), "sixteen letters!");
        assert_eq!(shortened("seventeen letters", 16), "seventee…letters");
        assert_eq!(shortened("äöüäöü", 4), "äö…ü");
        assert_eq!(shortened("a\nb", 4), "a\\nb");
        assert_eq!(shortened("abc", 1), "…");
    }

    #[test]
    fn names_beyond_the_first_are_counted() {
        let listed = |names: &[&'static str]| listed(names.iter().copied(), 3);
        assert_eq!(listed(&["a", "b", "c"]), "`a`, `b`, `c`");
        assert_eq!(listed(&["a", "b", "c", "d", "e"]), "`a`, `b`, `c` and 2 more");
    }
}
