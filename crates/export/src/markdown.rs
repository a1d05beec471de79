//! Text of strangers, names of classes above all, in Markdown.

/// Letters of a name that are shown.
const MOST_LETTERS: usize = 100;

/// `text` as plain words anywhere in Markdown, in the cell of a table too: no markup, no HTML, no link, one line. A long one is cut.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::new();
    for (place, letter) in text.chars().enumerate() {
        if place == MOST_LETTERS {
            out.push('…');
            break;
        }
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // A reference, since a backslash before it does not keep every reader from making a link.
            ':' => out.push_str("&#58;"),
            '@' => out.push_str("&#64;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '#' | '!' | '|' | '~' | '$'
            | '.' => {
                out.extend(['\\', letter]);
            }
            letter if is_unseen(letter) => {
                out.push_str(&format!("\\\\u\\{{{:x}\\}}", u32::from(letter)));
            }
            letter => out.push(letter),
        }
    }
    if out.trim().is_empty() { "(no name)".to_owned() } else { out }
}

/// Control characters, line ends, and what turns the direction of the letters behind it.
fn is_unseen(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_words() {
        assert_eq!(escaped("golden-retriever 7"), "golden-retriever 7");
        assert_eq!(escaped("Dächse, 犬"), "Dächse, 犬");
        assert_eq!(escaped("a|b_c"), "a\\|b\\_c");
        assert_eq!(escaped("<img src=x onerror=alert(1)>"), "&lt;img src=x onerror=alert\\(1\\)&gt;");
        assert_eq!(escaped("[x](https://e.org)"), "\\[x\\]\\(https&#58;//e\\.org\\)");
        assert_eq!(escaped("cat\n# dog\r"), "cat\\\\u\\{a\\}\\# dog\\\\u\\{d\\}");
        assert_eq!(escaped("a\u{202e}b"), "a\\\\u\\{202e\\}b");
        assert_eq!(escaped(" "), "(no name)");
        assert_eq!(escaped(&"x".repeat(1_000)).chars().count(), 101);
    }
}
