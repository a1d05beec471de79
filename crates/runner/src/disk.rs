//! [`RunOptions::blame`]: whether a disk that takes nothing is one that every stage writes to.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use pipeline_stage::failure::Cause;

use crate::options::RunOptions;

/// What may stand before a path in a message.
const BEFORE: [char; 5] = [' ', '`', '"', '\'', '('];

/// What may stand behind it.
const BEHIND: [char; 7] = [' ', '`', '"', '\'', ')', ':', ','];

impl RunOptions {
    /// The cause of a failure with this message. [`Cause::Disk`] says that whatever else is to be written fails, too, which is
    /// so of the disks of the store and of the links. Where the message names other disks alone, such as that of a download
    /// or of `/tmp`, it is a failure of this work.
    pub fn blame(&self, cause: Cause, message: &str) -> Cause {
        let folders = ["", "store", "partial", "tmp"].map(|folder| self.store.join(folder));
        let ours: BTreeSet<u64> = folders.iter().chain([&self.out]).filter_map(|path| device(path)).collect();
        let named: Vec<u64> = paths(message).filter_map(device).collect();
        let is_elsewhere = !named.is_empty() && named.iter().all(|device| !ours.contains(device));
        if cause == Cause::Disk && is_elsewhere { Cause::Work } else { cause }
    }
}

/// The absolute paths that a message names; of one with a blank the beginning.
fn paths(message: &str) -> impl Iterator<Item = &Path> {
    let starts = message.match_indices('/').filter(|(at, _)| message[..*at].ends_with(BEFORE) || *at == 0);
    let names = starts.map(|(at, _)| message[at..].split(BEHIND).next().unwrap_or_default());
    names.filter(|name| name.len() > 1).map(Path::new)
}

/// The disk that `path` is on, or would be.
fn device(path: &Path) -> Option<u64> {
    let path = std::path::absolute(path).ok()?;
    path.ancestors().find_map(|path| fs_err::metadata(path).ok()).map(|found| found.dev())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_found_between_words_and_quotes_and_addresses_are_none() {
        let message = "cannot write `/a/b`: failed to open \"/c d/e\" (/f): see https://x/y, out/z and 3 / 4";
        let found: Vec<&Path> = paths(message).collect();
        assert_eq!(found, ["/a/b", "/c", "/f"].map(Path::new));
        assert_eq!(paths("/x: no").collect::<Vec<_>>(), [Path::new("/x")]);
    }
}
