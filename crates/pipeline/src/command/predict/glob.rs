//! [`expand`]: patterns of paths that the shell left as they are: quoted, in a list of arguments, or in a shell that does not.
//!
//! `*` stands for any letters, `?` for one, `[a-z]` for one of a range, `[!a]` for any other, and `**` alone for any folders;
//! none of them for the `/` between names, nor for the dot of a hidden name.

use std::collections::HashSet;
use std::io;
use std::path::{Component, Path, PathBuf};

/// Whether a path has letters that stand for others.
pub(super) fn is_pattern(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().iter().any(|byte| b"*?[".contains(byte))
}

/// What there is that the pattern stands for, sorted in each folder. No photo is met twice: where the pattern has `**`, folders stand for
/// nothing, as their files do already, and `**` at its end for all in the folder before it.
pub(super) fn expand(pattern: &Path) -> io::Result<Vec<PathBuf>> {
    let is_deep = |component: &Component<'_>| component.as_os_str() == "**";
    let mut components: Vec<Component<'_>> = pattern.components().collect();
    let is_all = components.last().is_some_and(is_deep);
    while components.last().is_some_and(is_deep) {
        components.pop();
    }
    let has_deep = components.iter().any(is_deep);
    let mut found = vec![PathBuf::new()];
    for component in components {
        found = match component {
            deep if is_deep(&deep) => below(found)?,
            Component::Normal(name) if is_pattern(Path::new(name)) => {
                matching(&found, &Token::all(&name.to_string_lossy()))?
            }
            other => found.into_iter().map(|path| path.join(other)).collect(),
        };
    }
    if is_all {
        return Ok(outermost(found.into_iter().map(named).filter(|path| path.is_dir()).collect()));
    }
    found.retain(|path| path.symlink_metadata().is_ok() && !(has_deep && path.is_dir()));
    Ok(found)
}

/// The folder that a path in a pattern is; `.` where the pattern begins.
fn named(path: PathBuf) -> PathBuf {
    if path.as_os_str().is_empty() { PathBuf::from(".") } else { path }
}

/// The folders that lie in none of the others.
fn outermost(folders: Vec<PathBuf>) -> Vec<PathBuf> {
    let all: HashSet<PathBuf> = folders.iter().cloned().collect();
    let is_inner = |folder: &PathBuf| folder.ancestors().skip(1).any(|above| all.contains(above));
    folders.into_iter().filter(|folder| !is_inner(folder)).collect()
}

/// What lies in the folders and has a name like this.
fn matching(folders: &[PathBuf], tokens: &[Token]) -> io::Result<Vec<PathBuf>> {
    let wants_hidden = tokens.first() == Some(&Token::Letter('.'));
    let mut found = vec![];
    for folder in folders {
        for name in names(folder)? {
            let shown = name.to_string_lossy();
            if (wants_hidden || !shown.starts_with('.')) && fits(tokens, &shown.chars().collect::<Vec<_>>()) {
                found.push(folder.join(&name));
            }
        }
    }
    Ok(found)
}

/// The folders and all folders in them, each once, but for those behind links: one could lead back.
fn below(folders: Vec<PathBuf>) -> io::Result<Vec<PathBuf>> {
    let (mut found, mut seen) = (vec![], HashSet::new());
    // The next one on top.
    let mut left: Vec<PathBuf> = folders.into_iter().rev().collect();
    while let Some(folder) = left.pop() {
        if !seen.insert(folder.clone()) {
            continue;
        }
        let inner = names(&folder)?.into_iter().filter(|name| !name.to_string_lossy().starts_with('.'));
        let inner = inner.map(|name| folder.join(name)).filter(|path| path.is_dir() && !path.is_symlink());
        let inner: Vec<PathBuf> = inner.collect();
        left.extend(inner.into_iter().rev());
        found.push(folder);
    }
    Ok(found)
}

/// What lies in a folder (nothing in what is none), sorted.
fn names(folder: &Path) -> io::Result<Vec<std::ffi::OsString>> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    if !folder.is_dir() {
        return Ok(vec![]);
    }
    let names: io::Result<Vec<_>> = fs_err::read_dir(folder)?.map(|entry| Ok(entry?.file_name())).collect();
    let mut names = names?;
    names.sort_unstable();
    Ok(names)
}

/// A part of a pattern.
#[derive(Debug, Clone, PartialEq)]
enum Token {
    /// Any letters.
    Many,
    /// Any letter.
    One,
    /// A letter within one of these ranges, or in none of them.
    Of { ranges: Vec<(char, char)>, is_negated: bool },
    /// This letter.
    Letter(char),
}

impl Token {
    fn all(pattern: &str) -> Vec<Token> {
        let letters: Vec<char> = pattern.chars().collect();
        let (mut tokens, mut at) = (vec![], 0);
        while let Some(letter) = letters.get(at) {
            let (token, length) = match letter {
                '*' => (Token::Many, 1),
                '?' => (Token::One, 1),
                '[' => Token::set(&letters[at..]).unwrap_or((Token::Letter('['), 1)),
                other => (Token::Letter(*other), 1),
            };
            tokens.push(token);
            at += length;
        }
        tokens
    }

    /// `[a-z]`, and how many letters it has; `None` where nothing closes it.
    fn set(letters: &[char]) -> Option<(Token, usize)> {
        let is_negated = letters.get(1) == Some(&'!');
        let start = if is_negated { 2 } else { 1 };
        // A bracket that comes first is one of the letters.
        let length = letters.iter().skip(start + 1).position(|letter| *letter == ']')? + start + 1;
        let (mut ranges, mut inner) = (vec![], &letters[start..length]);
        while let [first, rest @ ..] = inner {
            (inner, ranges) = match rest {
                ['-', last, rest @ ..] => (rest, [ranges, vec![(*first, *last)]].concat()),
                _ => (rest, [ranges, vec![(*first, *first)]].concat()),
            };
        }
        Some((Token::Of { ranges, is_negated }, length + 1))
    }

    fn is(&self, letter: char) -> bool {
        match self {
            Token::Many | Token::One => true,
            Token::Of { ranges, is_negated } => {
                ranges.iter().any(|(first, last)| (*first..=*last).contains(&letter)) != *is_negated
            }
            Token::Letter(own) => *own == letter,
        }
    }
}

/// Whether the name is one that the pattern stands for, in time that grows with the product of their lengths at most.
fn fits(tokens: &[Token], name: &[char]) -> bool {
    let (mut token, mut letter) = (0, 0);
    // Where the last `*` was, and what it stood for so far ends here.
    let mut many: Option<(usize, usize)> = None;
    while letter < name.len() {
        match tokens.get(token) {
            Some(Token::Many) => {
                many = Some((token, letter));
                token += 1;
            }
            Some(one) if one.is(name[letter]) => {
                token += 1;
                letter += 1;
            }
            _ => match many {
                Some((at, end)) => {
                    many = Some((at, end + 1));
                    (token, letter) = (at + 1, end + 1);
                }
                None => return false,
            },
        }
    }
    tokens[token..].iter().all(|token| *token == Token::Many)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_patterns_as_in_a_shell() {
        let is = |pattern: &str, name: &str| fits(&Token::all(pattern), &name.chars().collect::<Vec<_>>());
        for (pattern, name, expected) in [
            ("*.jpg", "a.jpg", true),
            ("*.jpg", "a.jpeg", false),
            ("a?c*", "aüc", true),
            ("a?c*", "ac", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b", "xxaxxbx", false),
            ("[a-c]x[!0-9]", "bxy", true),
            ("[a-c]x[!0-9]", "bx7", false),
            ("[]]a", "]a", true),
            ("a[b", "a[b", true),
            ("**", "", true),
        ] {
            assert_eq!(is(pattern, name), expected, "{pattern} {name}");
        }
        // Not in time that grows with a power of the number of stars.
        assert!(!is(&"*a".repeat(40), &"a".repeat(39)));
    }

    #[test]
    fn patterns_stand_for_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        for name in ["b.jpg", "a.jpg", "c.png", ".d.jpg", "in/e.jpg", "in/deep/f.jpg", ".no/g.jpg"] {
            fs_err::create_dir_all(root.join(name).parent().unwrap()).unwrap();
            fs_err::write(root.join(name), "").unwrap();
        }
        let found = |pattern: &str| -> Vec<String> {
            let paths = expand(&root.join(pattern)).unwrap().into_iter();
            paths.map(|path| path.strip_prefix(root).unwrap().to_str().unwrap().to_owned()).collect()
        };
        assert_eq!(found("*.jpg"), ["a.jpg", "b.jpg"]);
        assert_eq!(found(".*.jpg"), [".d.jpg"]);
        assert_eq!(found("*/e.jpg"), ["in/e.jpg"]);
        assert_eq!(found("**/*.jpg"), ["a.jpg", "b.jpg", "in/e.jpg", "in/deep/f.jpg"]);
        assert_eq!(found("*.gif"), [""; 0]);
        assert_eq!(found("in"), ["in"]);
        // Each photo once, whatever it lies in.
        for folder in ["in/in/.hidden", "in/x.jpg"] {
            fs_err::create_dir_all(root.join(folder)).unwrap();
        }
        fs_err::write(root.join("in/in/h.jpg"), "").unwrap();
        let all = ["a.jpg", "b.jpg", "in/e.jpg", "in/deep/f.jpg", "in/in/h.jpg"];
        for pattern in ["**/*.jpg", "**/**/*.jpg", "**/**/**/**/**/**/**/**/*.jpg"] {
            assert_eq!(found(pattern), all, "{pattern}");
        }
        assert_eq!(found("in/**/*"), ["in/e.jpg", "in/deep/f.jpg", "in/in/h.jpg"]);
        assert_eq!(found("**/in/**/*.jpg"), ["in/e.jpg", "in/deep/f.jpg", "in/in/h.jpg"]);
        for (pattern, folders) in
            [("in/**", vec!["in"]), ("**/in/**/**", vec!["in"]), ("**", vec![""]), ("a.jpg/**", vec![])]
        {
            assert_eq!(found(pattern), folders, "{pattern}");
        }
        assert_eq!(named(PathBuf::new()), Path::new("."));
    }
}
