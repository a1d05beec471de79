//! [`Fingerprint`]: whether a file is as it was, without reading it.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

/// Grain of the coarsest file system clock (FAT's), in nanoseconds.
const RACY: i64 = 2_000_000_000;

/// What is known of a file without reading it. As long as it is the same, so is the content, if it [is settled](Fingerprint::is_settled).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint {
    /// Its size.
    pub size_bytes: u64,
    /// When its content changed, in nanoseconds since 1970.
    pub modified_ns: i64,
    /// When its content, name or rights changed; nobody can set it.
    pub changed_ns: i64,
    /// Its number in the file system.
    pub inode: u64,
}

impl Fingerprint {
    /// Bytes of [`Fingerprint::to_bytes`].
    pub const BYTES: usize = 32;

    /// Of the file, or of what a link leads to.
    pub fn of(metadata: &Metadata) -> Self {
        let nanoseconds =
            |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
        Fingerprint {
            size_bytes: metadata.size(),
            modified_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            changed_ns: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
        }
    }

    /// Whether a change after `looked_ns` (nanoseconds since 1970), when the file was looked at, would show. Of a file that had
    /// changed less than two seconds before, a second change within the clock's grain could leave everything as it is.
    pub fn is_settled(&self, looked_ns: i64) -> bool {
        self.modified_ns.max(self.changed_ns) <= looked_ns.saturating_sub(RACY)
    }

    /// Its fields in order, little-endian.
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let fields = [
            self.size_bytes.to_le_bytes(),
            self.modified_ns.to_le_bytes(),
            self.changed_ns.to_le_bytes(),
            self.inode.to_le_bytes(),
        ];
        for (place, field) in bytes.as_chunks_mut().0.iter_mut().zip(fields) {
            *place = field;
        }
        bytes
    }

    /// From [`Fingerprint::to_bytes`].
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let mut fields = [[0; 8]; 4];
        for (field, place) in fields.iter_mut().zip(bytes.as_chunks().0) {
            *field = *place;
        }
        let [size, modified, changed, inode] = fields;
        Fingerprint {
            size_bytes: u64::from_le_bytes(size),
            modified_ns: i64::from_le_bytes(modified),
            changed_ns: i64::from_le_bytes(changed),
            inode: u64::from_le_bytes(inode),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: Fingerprint = Fingerprint { size_bytes: 3, modified_ns: 5, changed_ns: -6, inode: u64::MAX };
    const NOW: i64 = 1_795_582_500_000_000_000;

    #[test]
    fn bytes_make_the_same_again() {
        assert_eq!(Fingerprint::from_bytes(&OLD.to_bytes()), OLD);
        assert_eq!(OLD.to_bytes()[..9], [3, 0, 0, 0, 0, 0, 0, 0, 5]);
    }

    #[test]
    fn a_file_that_changed_within_two_seconds_of_the_look_is_not_settled() {
        assert!(OLD.is_settled(NOW));
        assert!(Fingerprint { modified_ns: NOW - RACY, changed_ns: NOW - RACY, ..OLD }.is_settled(NOW));
        assert!(!Fingerprint { modified_ns: NOW - RACY + 1, ..OLD }.is_settled(NOW));
        assert!(!Fingerprint { changed_ns: NOW - RACY + 1, ..OLD }.is_settled(NOW));
    }
}
