//! [`TreeChange`]: what differs between two listings of a source, for `explain`.

use std::cmp::Ordering;
use std::fmt;

use pipeline_stage::words::count;
use serde::Serialize;

use crate::listing::{Listed, Listing};
use crate::tree::{DENIED, NOT_A_FILE};

/// The most files that are named.
const MOST_NAMED: usize = 5;

/// How the files of a folder differ from what they were.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TreeChange {
    /// How many files are new.
    pub added: u64,
    /// How many are gone.
    pub removed: u64,
    /// How many have other bytes.
    pub changed: u64,
    /// The first of all these in order of path, at most five.
    pub some: Vec<FileChange>,
}

/// A file that is new, gone or another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileChange {
    /// Its path in the folder.
    pub path: String,
    /// Its size before; `None` for one that is new.
    pub old_size_bytes: Option<u64>,
    /// Its size now; `None` for one that is gone.
    pub new_size_bytes: Option<u64>,
    /// What it was, where that is nothing that can be read: `not a file`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_odd: Option<&'static str>,
    /// The same, now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_odd: Option<&'static str>,
}

impl TreeChange {
    pub(crate) fn between(old: &Listing, new: &Listing) -> TreeChange {
        let mut change = TreeChange::default();
        let (mut old, mut new) = (old.0.iter().peekable(), new.0.iter().peekable());
        loop {
            let order = match (old.peek(), new.peek()) {
                (Some(old), Some(new)) => old.path.cmp(&new.path),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => return change,
            };
            let before = if order.is_le() { old.next() } else { None };
            let now = if order.is_ge() { new.next() } else { None };
            change.add(before, now);
        }
    }

    fn add(&mut self, before: Option<&Listed>, now: Option<&Listed>) {
        let counter = match (before, now) {
            (None, _) => &mut self.added,
            (_, None) => &mut self.removed,
            (Some(before), Some(now)) if before != now => &mut self.changed,
            _ => return,
        };
        *counter += 1;
        if let (Some(file), true) = (now.or(before), self.some.len() < MOST_NAMED) {
            self.some.push(FileChange {
                path: String::from_utf8_lossy(&file.path).into_owned(),
                old_size_bytes: before.map(|file| file.size_bytes),
                new_size_bytes: now.map(|file| file.size_bytes),
                old_odd: before.and_then(odd),
                new_odd: now.and_then(odd),
            });
        }
    }

    /// How many files differ in all.
    pub fn count(&self) -> u64 {
        self.added + self.removed + self.changed
    }
}

/// What a file is that could not be read.
fn odd(file: &Listed) -> Option<&'static str> {
    let odd = [(NOT_A_FILE, "not a file"), (DENIED, "not to be read")];
    odd.into_iter().find(|(content, _)| file.is(content)).map(|(_, words)| words)
}

impl fmt::Display for TreeChange {
    /// `2 files changed, 1 added`, or what became of the only one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let ([file], 1) = (self.some.as_slice(), self.count()) {
            return file.fmt(f);
        }
        let kinds = [(self.changed, "changed"), (self.added, "added"), (self.removed, "removed")];
        for (place, (n, what)) in kinds.into_iter().filter(|(n, _)| *n > 0).enumerate() {
            let file = if n == 1 { "file" } else { "files" };
            match place {
                0 => write!(f, "{} {file} {what}", count(n))?,
                _ => write!(f, ", {} {what}", count(n))?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for FileChange {
    /// `train/cats/cat.12.jpg: other bytes, same size`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        match (self.old_size_bytes, self.new_size_bytes, self.old_odd, self.new_odd) {
            (None, _, _, None) => write!(f, "{path}: added"),
            (None, _, _, Some(odd)) => write!(f, "{path}: added, {odd}"),
            (_, None, _, _) => write!(f, "{path}: removed"),
            (Some(old), Some(new), None, None) if old == new => {
                write!(f, "{path}: other bytes, same size")
            }
            (Some(old), Some(new), None, None) => {
                write!(f, "{path}: {} bytes, before {}", count(new), count(old))
            }
            (Some(old), _, None, Some(odd)) => write!(f, "{path}: {odd}, before {} bytes", count(old)),
            (_, Some(new), Some(odd), None) => write!(f, "{path}: {} bytes, before {odd}", count(new)),
            (_, _, Some(before), Some(now)) => write!(f, "{path}: {now}, before {before}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use pipeline_stage::Digest;

    use super::*;

    fn between(old: &[(&str, &str)], new: &[(&str, &str)]) -> TreeChange {
        let file = |(path, text): &(&str, &str)| {
            Listed::new(path.as_bytes(), text.len() as u64, &Digest::of(text.as_bytes()))
        };
        let listing = |files: &[(&str, &str)]| Listing(files.iter().map(file).collect());
        TreeChange::between(&listing(old), &listing(new))
    }

    #[test]
    fn files_that_are_new_gone_or_another_are_counted_and_the_first_are_named() {
        let change = between(
            &[("a", "one"), ("c", "one"), ("d", "one"), ("e", "one")],
            &[("a", "one"), ("b", "new"), ("c", "two"), ("e", "longer")],
        );
        assert_eq!(change.to_string(), "2 files changed, 1 added, 1 removed");
        let named: Vec<String> = change.some.iter().map(ToString::to_string).collect();
        assert_eq!(named, ["b: added", "c: other bytes, same size", "d: removed", "e: 6 bytes, before 3"]);
        assert_eq!(between(&[("a", "one")], &[("a", "one")]), TreeChange::default());
    }

    #[test]
    fn what_is_no_readable_file_is_said_to_be_none() {
        let odd = ["not a file", "permission denied"];
        let change = between(
            &[("a", "12345"), ("b", odd[0]), ("d", odd[0])],
            &[("a", odd[0]), ("b", "12345"), ("c", odd[1]), ("d", odd[1])],
        );
        let named: Vec<String> = change.some.iter().map(ToString::to_string).collect();
        assert_eq!(
            named,
            [
                "a: not a file, before 5 bytes",
                "b: 5 bytes, before not a file",
                "c: added, not to be read",
                "d: not to be read, before not a file"
            ]
        );
    }

    #[test]
    fn one_file_is_named_and_of_many_only_a_few() {
        assert_eq!(between(&[("a", "one")], &[("a", "two")]).to_string(), "a: other bytes, same size");
        let names: Vec<String> = (0..1_200).map(|n| format!("{n:04}")).collect();
        let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "x")).collect();
        let change = between(&[], &files);
        assert_eq!((change.to_string().as_str(), change.some.len()), ("1,200 files added", MOST_NAMED));
    }
}
