//! The nearest known name, for "did you mean".

/// The known name most like `word`, or `None` when none is close (Jaro-Winkler similarity under 0.75).
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|k| {
            let alike = strsim::jaro_winkler(word, k);
            // `learning_rate` is far from `lr` letter by letter; its initials are not.
            let initials: String = word.split('_').filter_map(|p| p.chars().next()).collect();
            (k, if initials.len() > 1 && initials == k { 1.0 } else { alike })
        })
        .filter(|(_, alike)| *alike >= 0.75)
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .map(|(k, _)| k)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_closest_name_is_suggested() {
        assert_eq!(nearest("epoch", ["lr", "epochs", "batch_size"]), Some("epochs"));
        assert_eq!(nearest("learning_rate", ["lr", "epochs"]), Some("lr"));
    }

    #[test]
    fn nothing_is_suggested_when_nothing_is_close() {
        assert_eq!(nearest("zebra", ["lr", "epochs"]), None);
    }
}
