//! Names that strangers have given, in a config: as a value, and in a comment.

/// Letters of a name that a comment shows.
const MOST_LETTERS: usize = 40;

/// `text` as a value of YAML: as it is where that can mean nothing else, else in quotes.
pub(super) fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    // `null`, `yes`, `1e3` and their like are words to some readers; with a stroke or a long word in it a path is none of them.
    let is_word = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && (text.contains('/') || text.len() > "false".len())
        && text.chars().all(is_plain);
    match () {
        () if is_word => text.to_owned(),
        () if text.chars().any(is_unprintable) => escaped(text),
        () => format!("'{}'", text.replace('\'', "''")),
    }
}

/// In double quotes, which have escapes as JSON has.
fn escaped(text: &str) -> String {
    let letter = |c: char| match c {
        '"' | '\\' => format!("\\{c}"),
        c if is_unprintable(c) => format!("\\U{:08X}", u32::from(c)),
        c => c.to_string(),
    };
    format!("\"{}\"", text.chars().map(letter).collect::<String>())
}

/// `text` within a comment: on one line, and not longer than fits there.
pub(super) fn remark(text: &str) -> String {
    let letter = |c: char| if is_unprintable(c) { c.escape_unicode().to_string() } else { c.to_string() };
    let shown: String = text.chars().take(MOST_LETTERS).map(letter).collect();
    if text.chars().count() > MOST_LETTERS { format!("{shown}…") } else { shown }
}

/// What ends a line for some reader, or is not allowed in YAML (1.2, section 5.1), or turns the direction of text.
fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 22] = [
        "photos",
        "data/photos",
        "/abs/photos",
        "no",
        "null",
        "~",
        "true",
        "1e3",
        "0x1f",
        "2026-11-29",
        "a: b",
        "a #b",
        "it's",
        "\"q\"",
        "- x",
        "{a}",
        "grün/ねこ",
        "two  blanks ",
        "line\nbreak: {x: 1}",
        "\u{2028}pipeline: x",
        "back\\slash",
        "\u{202e}gpj",
    ];

    #[test]
    fn any_name_is_read_again_as_it_was() {
        for name in NAMES {
            let line = format!("root: {}   # why\n", quoted(name));
            let read: serde_json::Value = serde_yaml::from_str(&line).unwrap();
            assert_eq!(read["root"], name, "{line}");
        }
        assert_eq!(quoted("data/photos"), "data/photos");
        assert_eq!(quoted("it's"), "'it''s'");
    }

    #[test]
    fn a_comment_stays_a_comment() {
        for name in NAMES {
            let read: serde_json::Value =
                serde_yaml::from_str(&format!("# {}\na: 1\n", remark(name))).unwrap();
            assert_eq!(read, serde_json::json!({"a": 1}), "{name:?}");
        }
        assert_eq!(remark("a\nb"), "a\\u{a}b");
        assert_eq!(remark(&"x".repeat(41)), format!("{}…", "x".repeat(40)));
    }
}
