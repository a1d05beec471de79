//! The nearest known name, for "did you mean".

/// The known name most like `word`, the first of equals; `None` when none is close (more than half of the
/// letters must stay, counting swapped neighbours as one change).
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // `learning_rate` is far from `lr` letter by letter; its initials are not.
    let initials: String = word.split('_').filter_map(|part| part.chars().next()).collect();
    let mut best = None;
    for name in known {
        let is_short_form = initials.len() > 1 && initials == name;
        let alike = if is_short_form { 1.0 } else { strsim::normalized_damerau_levenshtein(word, name) };
        if alike > best.map_or(0.5, |(_, alike)| alike) {
            best = Some((name, alike));
        }
    }
    best.map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_closest_name_is_suggested() {
        assert_eq!(nearest("epoch", ["lr", "epochs", "batch_size"]), Some("epochs"));
        assert_eq!(nearest("learning_rate", ["lr", "epochs"]), Some("lr"));
        assert_eq!(nearest("resnet35", ["resnet50", "resnet34", "resnet18"]), Some("resnet34"));
        assert_eq!(nearest("haed", ["ingest", "head"]), Some("head"));
    }

    #[test]
    fn nothing_is_suggested_when_nothing_is_close() {
        assert_eq!(nearest("zebra", ["lr", "epochs"]), None);
    }
}
