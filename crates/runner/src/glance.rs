//! [`Glance`]: a quick look at what is in a store, which takes no lock and writes nothing.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::error::Error;
use crate::lock::{Holder, host_name, named_holder, sharer_of};
use crate::manifest::read_manifest;
use crate::paths::entries;
use crate::store::Store;

/// What is in a store, by manifests alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Glance {
    /// Artifacts.
    pub artifacts: usize,
    /// Bytes of their files as manifests say; a file that several have counts for each.
    pub size_bytes: u64,
    /// Artifacts whose manifest cannot be read.
    pub unreadable: usize,
    /// Artifacts that were found damaged and moved aside.
    pub damaged: usize,
    /// What is being written, or was when a process was killed.
    pub drafts: usize,
    /// Whether time ran out: there is more than was counted.
    pub is_partial: bool,
    /// Somebody who uses the store now.
    pub user: Option<String>,
}

impl Store {
    /// Counts for at most about `time`.
    ///
    /// # Errors
    /// Where the store's folders cannot be listed.
    pub fn glance(&self, time: Duration) -> Result<Glance, Error> {
        let began = Instant::now();
        let count = |folder: &str| self.listed(folder).map(|found| found.len());
        let mut found = Glance {
            damaged: count("damaged")?,
            drafts: self.listed("tmp")?.iter().filter(|path| path.is_dir()).count(),
            user: self.user().map(|holder| holder.to_string()),
            ..Glance::default()
        };
        for dir in self.listed("store")?.iter().flat_map(|kind| entries(kind)) {
            found.artifacts += 1;
            if began.elapsed() > time {
                found.is_partial = true;
                continue;
            }
            match read_manifest(&dir) {
                Ok(manifest) => found.size_bytes += manifest.size_bytes(),
                Err(_) => found.unreadable += 1,
            }
        }
        Ok(found)
    }

    /// Somebody who has a part in the store's lock, or has it alone, and lives as far as this host can tell.
    fn user(&self) -> Option<Holder> {
        let lock = self.store_lock();
        let alone = || {
            let holder = named_holder(&lock)?;
            let process = std::path::PathBuf::from(format!("/proc/{}", holder.pid));
            (holder.host != host_name() || process.exists()).then_some(holder)
        };
        sharer_of(&lock).or_else(alone)
    }
}

#[cfg(test)]
mod tests {
    use pipeline_stage::Cancel;

    use super::*;
    use crate::lock::Claim;
    use crate::observer::Unobserved;

    #[test]
    fn what_is_there_is_counted_and_whoever_uses_it_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let look = || store.glance(Duration::from_secs(5)).unwrap();
        assert_eq!(look(), Glance::default());
        for folder in ["store/head/ab", "damaged/x", "tmp/1"] {
            fs_err::create_dir_all(dir.path().join(folder)).unwrap();
        }
        fs_err::write(dir.path().join("tmp/1.owner"), "").unwrap();
        let found = look();
        assert_eq!((found.artifacts, found.unreadable, found.damaged, found.drafts), (1, 1, 1, 1));
        assert!(store.glance(Duration::ZERO).unwrap().is_partial);

        let cancel = Cancel::default();
        let claim =
            Claim { command: "pipeline run c.yaml", wait: None, cancel: &cancel, observer: &Unobserved };
        let named = |found: Glance| found.user.unwrap().contains("(pipeline run c.yaml, since ");
        let shared = store.lock_shared("x", &claim).unwrap();
        assert!(named(look()));
        drop(shared);
        let alone = store.lock_alone("x", &claim).unwrap();
        assert!(named(look()));
        drop(alone);
        assert_eq!(look().user, None);
    }
}
