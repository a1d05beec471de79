//! Locks: kernel locks on files in `<store>/locks/`, released by the death of the process that holds them.
//!
//! | lock | file | shared by |
//! |---|---|---|
//! | the store | `store.lock` | all runs; exclusive for what deletes |
//! | a stage key | `<kind>-<key>.lock` | workers that make pieces of its artifact; exclusive for what publishes it |
//! | an unpacking into the store | `unpack-<digest>.lock` | nobody |
//!
//! A download is locked beside the file itself, whatever the store.
//!
//! Who holds a lock stands in a file beside it, for the message to whoever finds it held; only the kernel's
//! lock decides. Lock files stay where they are: to delete one that another process has just opened
//! would let two hold "the" lock. A lock is a guard, and ends with it.

use std::fmt;
use std::fs::TryLockError;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fs_err::{File, OpenOptions};
use pipeline_stage::Cancel;
use serde::{Deserialize, Serialize};

use crate::clock;
use crate::error::Error;
use crate::observer::Observer;

/// How often a held lock is tried again.
const POLL: Duration = Duration::from_millis(50);

/// What to do about a lock of the store that is held.
pub(crate) const STORE_HINT: &str = "wait for it with --wait-lock 600, or use another --store";

/// Who holds a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Process id.
    pub pid: u32,
    /// Host name.
    pub host: String,
    /// Command line.
    pub command: String,
    /// Since when, in seconds since 1970-01-01 UTC.
    pub since_unix_seconds: u64,
}

impl Holder {
    /// This process, from now on.
    pub fn this_process(command: &str) -> Holder {
        Holder {
            pid: std::process::id(),
            host: host_name(),
            command: command.to_owned(),
            since_unix_seconds: clock::unix_seconds(),
        }
    }

    fn read(path: &Path) -> Option<Holder> {
        serde_json::from_slice(&fs_err::read(path).ok()?).ok()
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = clock::time_of_day(self.since_unix_seconds);
        write!(f, "pid {} on host {} ({}, since {since})", self.pid, self.host, self.command)
    }
}

/// The name of this host, as `uname -n` prints it.
pub(crate) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// How a lock is asked for.
pub(crate) struct Claim<'a> {
    /// The command line, shown to whoever finds the lock held.
    pub(crate) command: &'a str,
    /// How long to wait for a lock that is held; `None` fails at once.
    pub(crate) wait: Option<Duration>,
    /// Ends the waiting.
    pub(crate) cancel: &'a Cancel,
    /// Told once that we wait.
    pub(crate) observer: &'a dyn Observer,
}

/// A lock that nobody else holds while this lives.
#[derive(Debug)]
pub(crate) struct Exclusive {
    _file: File,
    holder: PathBuf,
}

/// A part in a lock that others may have a part in, too, while this lives.
#[derive(Debug)]
pub(crate) struct Shared {
    _file: File,
    // Locked while its process lives, so that a holder that was killed is told from one that works.
    _alive: File,
    holder: PathBuf,
}

impl Exclusive {
    /// Locks the file at `path` alone. `what` (`stage head`) is for the message.
    ///
    /// # Errors
    /// [`Error::Locked`] with the holder, when it is held and not to be waited for, or for too long.
    pub(crate) fn acquire(path: &Path, what: &str, claim: &Claim<'_>) -> Result<Exclusive, Error> {
        let file = open(path)?;
        wait_for(|| file.file().try_lock(), what, || holder_of(path), path, claim)?;
        let holder = beside(path, "holder");
        // Without this file the message of whoever waits lacks a name; that is no reason to stop.
        let _ = write_holder(&holder, claim);
        // Nobody has a part in the lock now; processes that were killed while they had one left these.
        clear(&beside(path, "shared"));
        Ok(Exclusive { _file: file, holder })
    }
}

impl Drop for Exclusive {
    fn drop(&mut self) {
        let _ = fs_err::remove_file(&self.holder);
    }
}

impl Shared {
    /// Takes part in the lock on the file at `path`.
    ///
    /// # Errors
    /// As [`Exclusive::acquire`].
    pub(crate) fn acquire(path: &Path, what: &str, claim: &Claim<'_>) -> Result<Shared, Error> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let file = open(path)?;
        wait_for(|| file.file().try_lock_shared(), what, || holder_of(path), path, claim)?;
        // Nobody holds it alone now; a process that was killed while it did has left this.
        let _ = fs_err::remove_file(beside(path, "holder"));
        let folder = beside(path, "shared");
        fs_err::create_dir_all(&folder).map_err(Error::io("lock the store", &folder))?;
        // Processes in two containers may have the same id.
        let (pid, now) = (std::process::id(), clock::unix_nanoseconds());
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let holder = folder.join(format!("{pid}-{number}-{now}.holder"));
        let alive = OpenOptions::new().create_new(true).write(true).open(&holder);
        let alive = alive.map_err(Error::io("lock the store", &holder))?;
        // Held for a moment by whoever looks for a holder; without it the message lacks a name at most.
        let _ = alive.file().try_lock();
        let _ = write_holder(&holder, claim);
        Ok(Shared { _file: file, _alive: alive, holder })
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let _ = fs_err::remove_file(&self.holder);
    }
}

/// Removes what holders of a shared lock have left in `folder`, and the folder, if that was all.
fn clear(folder: &Path) {
    for entry in fs_err::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().extension().is_some_and(|ending| ending == "holder") {
            let _ = fs_err::remove_file(entry.path());
        }
    }
    let _ = fs_err::remove_dir(folder);
}

fn open(path: &Path) -> Result<File, Error> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(path)
        .map_err(Error::io("open the lock file", path))
}

fn wait_for(
    try_lock: impl Fn() -> Result<(), TryLockError>,
    what: &str,
    holder: impl Fn() -> String,
    path: &Path,
    claim: &Claim<'_>,
) -> Result<(), Error> {
    let start = Instant::now();
    let mut told = false;
    loop {
        match try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(source)) => return Err(Error::io("lock the file", path)(source)),
            Err(TryLockError::WouldBlock) => {}
        }
        let error = Error::Locked { what: what.to_owned(), holder: holder(), hint: STORE_HINT };
        if claim.wait.is_none_or(|limit| start.elapsed() >= limit) {
            return Err(error);
        }
        if !told {
            claim.observer.waiting(&error.to_string());
            told = true;
        }
        claim.cancel.check()?;
        std::thread::sleep(POLL);
    }
}

/// Whoever holds the lock at `path`, in words.
fn holder_of(path: &Path) -> String {
    let alone = named_holder(path);
    let holder = alone.or_else(|| sharer_of(path));
    holder.map_or_else(|| "another process".to_owned(), |h| h.to_string())
}

/// Who is named as the one that holds the lock at `path` alone; a process that was killed may be.
pub(crate) fn named_holder(path: &Path) -> Option<Holder> {
    Holder::read(&beside(path, "holder"))
}

/// Somebody who has a part in the lock at `path`, and lives.
pub(crate) fn sharer_of(path: &Path) -> Option<Holder> {
    let folder = fs_err::read_dir(beside(path, "shared")).ok()?;
    folder.filter_map(Result::ok).find_map(|entry| {
        let file = File::open(entry.path()).ok()?;
        let is_alive = matches!(file.file().try_lock_shared(), Err(TryLockError::WouldBlock));
        is_alive.then(|| Holder::read(&entry.path())).flatten()
    })
}

/// Replaces the text in place: the file may be locked, so it must stay the same file.
fn write_holder(path: &Path, claim: &Claim<'_>) -> std::io::Result<()> {
    fs_err::write(path, serde_json::to_vec(&Holder::this_process(claim.command))?)
}

/// `store.lock` and `holder` make `store.holder`.
fn beside(path: &Path, extension: &str) -> PathBuf {
    path.with_extension(extension)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observer::Unobserved;
    use pipeline_stage::Hint;

    fn claim<'a>(cancel: &'a Cancel, wait: Option<Duration>) -> Claim<'a> {
        Claim { command: "pipeline run configs/a.yaml", wait, cancel, observer: &Unobserved }
    }

    #[test]
    fn a_held_lock_names_its_holder_and_the_way_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("head-1.lock");
        let cancel = Cancel::default();
        let held = Exclusive::acquire(&path, "stage `head`", &claim(&cancel, None)).unwrap();
        let error = Exclusive::acquire(&path, "stage `head`", &claim(&cancel, None)).unwrap_err();
        let holder = Holder::read(&path.with_extension("holder")).unwrap();
        let since = clock::time_of_day(holder.since_unix_seconds);
        let expected = format!(
            "stage `head` is in use by pid {} on host {} (pipeline run configs/a.yaml, since {since})",
            std::process::id(),
            host_name()
        );
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.hint().unwrap(), "wait for it with --wait-lock 600, or use another --store");
        drop(held);
        Exclusive::acquire(&path, "stage `head`", &claim(&cancel, None)).unwrap();
    }

    #[test]
    fn runs_share_the_store_and_what_deletes_has_it_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.lock");
        let cancel = Cancel::default();
        let first = Shared::acquire(&path, "the store", &claim(&cancel, None)).unwrap();
        let second = Shared::acquire(&path, "the store", &claim(&cancel, None)).unwrap();
        let error = Exclusive::acquire(&path, "the store", &claim(&cancel, None)).unwrap_err();
        let pid = format!("the store is in use by pid {} on", std::process::id());
        assert!(error.to_string().starts_with(&pid), "{error}");
        drop((first, second));
        let _alone = Exclusive::acquire(&path, "the store", &claim(&cancel, None)).unwrap();
        assert!(Shared::acquire(&path, "the store", &claim(&cancel, None)).is_err());
    }

    #[test]
    fn a_holder_that_was_killed_is_not_named_for_a_lock_that_others_share() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.lock");
        let cancel = Cancel::default();
        let dead = Holder { pid: 1, command: "killed".to_owned(), ..Holder::this_process("") };
        fs_err::write(beside(&path, "holder"), serde_json::to_vec(&dead).unwrap()).unwrap();
        let _shared = Shared::acquire(&path, "the store", &claim(&cancel, None)).unwrap();
        let error = Exclusive::acquire(&path, "the store", &claim(&cancel, None)).unwrap_err();
        let pid = format!("the store is in use by pid {} on", std::process::id());
        assert!(error.to_string().starts_with(&pid), "{error}");
    }

    #[test]
    fn a_process_of_the_same_id_in_another_container_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.lock");
        let folder = beside(&path, "shared");
        fs_err::create_dir(&folder).unwrap();
        let others = (0..100).map(|n| folder.join(format!("{}-{n}.holder", std::process::id())));
        let held: Vec<File> = others.map(|path| File::create(path).unwrap()).collect();
        held.iter().for_each(|file| file.file().lock().unwrap());
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let cancel = Cancel::default();
            sender.send(Shared::acquire(&path, "the store", &claim(&cancel, None)).map(drop))
        });
        receiver.recv_timeout(Duration::from_secs(20)).expect("it waits").unwrap();
    }

    #[test]
    fn whoever_has_the_lock_alone_removes_the_names_that_killed_processes_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.lock");
        let cancel = Cancel::default();
        drop(Shared::acquire(&path, "the store", &claim(&cancel, None)).unwrap());
        let left = beside(&path, "shared").join("1-0.holder");
        fs_err::write(&left, "{}").unwrap();
        drop(Exclusive::acquire(&path, "the store", &claim(&cancel, None)).unwrap());
        assert!(!left.exists());
        Shared::acquire(&path, "the store", &claim(&cancel, None)).unwrap();
    }

    #[test]
    fn waiting_ends_when_the_lock_is_free_or_the_time_is_over_or_on_request() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.lock");
        let cancel = Cancel::default();
        let held = Exclusive::acquire(&path, "a", &claim(&cancel, None)).unwrap();
        let short = claim(&cancel, Some(Duration::from_millis(60)));
        assert!(matches!(Exclusive::acquire(&path, "a", &short), Err(Error::Locked { .. })));
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| {
                Exclusive::acquire(&path, "a", &claim(&cancel, Some(Duration::from_secs(60)))).map(drop)
            });
            std::thread::sleep(Duration::from_millis(100));
            drop(held);
            waits.join().unwrap().unwrap();
        });
        let _held = Exclusive::acquire(&path, "a", &claim(&cancel, None)).unwrap();
        cancel.cancel();
        let long = claim(&cancel, Some(Duration::from_secs(60)));
        assert!(matches!(Exclusive::acquire(&path, "a", &long), Err(Error::Cancelled)));
    }
}
