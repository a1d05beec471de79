//! Class names that people and some file systems take for one: `Cats` and `cats`, `é` as one character or as two.

use std::collections::BTreeMap;

use unicode_normalization::UnicodeNormalization;

/// Names that are the same but for case and the composition of characters (Unicode's NFC and NFD), together; each list
/// has two or more.
pub(super) fn collisions(names: &[String]) -> Vec<Vec<String>> {
    let mut alike: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for name in names {
        alike.entry(folded(name)).or_default().push(name.clone());
    }
    alike.into_values().filter(|names| names.len() > 1).collect()
}

/// The known name that `name` is but for case and composition.
pub(crate) fn twin<'a>(name: &str, known: &'a [String]) -> Option<&'a str> {
    let name = folded(name);
    known.iter().find(|known| folded(known) == name).map(String::as_str)
}

fn folded(name: &str) -> String {
    // Lower case may decompose: the dotted capital I of Turkish becomes two characters.
    name.nfc().collect::<String>().to_lowercase().nfc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_in_case_or_composition_only_are_found() {
        let names = ["Cats", "cafe\u{301}", "caf\u{e9}", "cats", "dogs"].map(str::to_owned);
        assert_eq!(collisions(&names), [vec!["cafe\u{301}", "caf\u{e9}"], vec!["Cats", "cats"]]);
        assert_eq!(twin("CAFE\u{301}", &names), Some("cafe\u{301}"));
        assert_eq!(twin("cafe", &names), None);
    }
}
