//! [`Mount`]: file systems that are full, or read-only, which permissions do not show to root.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Tells the process that [`with_mounts`] starts that it is that one.
const UNSHARED: &str = "PIPELINE_TESTKIT_UNSHARED";

/// Runs `test`, which mounts file systems: in this process where it may, otherwise once more in a process that is root
/// in a namespace of its own (`unshare -rm`), where users may have one. Prints that the test is skipped where neither
/// goes. `name` is the test's full name, as the test binary lists it.
///
/// # Panics
/// When the test fails in the other process, or is not found there.
pub fn with_mounts(name: &str, test: impl FnOnce()) {
    let trial = tempfile::tempdir().unwrap();
    if Mount::try_in_memory(trial.path(), "size=64k").is_some() {
        return test();
    }
    let again = |program: &str| {
        let mut command = Command::new("unshare");
        command.args(["-rm", program]);
        command
    };
    let may_unshare = || again("true").output().is_ok_and(|output| output.status.success());
    if std::env::var_os(UNSHARED).is_some() || !may_unshare() {
        eprintln!("skipped: mounting a file system is for root, or for users who may have namespaces");
        return;
    }
    let program = std::env::current_exe().unwrap();
    let output =
        again(program.to_str().unwrap()).args(["--exact", name, "--nocapture"]).env(UNSHARED, "1").output();
    let output = output.unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(output.status.success() && text[0].contains("1 passed"), "{}\n{}", text[0], text[1]);
    eprint!("{}", text[1]);
}

/// A file system that a test has mounted. Unmounted when dropped.
pub struct Mount(PathBuf);

impl Mount {
    /// An empty file system in memory at the folder `at`, made if it is not there, with `options` as `mount -o` takes
    /// them: `size=1m`, `nr_inodes=20`.
    ///
    /// # Panics
    /// Where [`with_mounts`] would skip.
    pub fn in_memory(at: &Path, options: &str) -> Mount {
        fs_err::create_dir_all(at).unwrap();
        Mount::try_in_memory(at, options).unwrap()
    }

    fn try_in_memory(at: &Path, options: &str) -> Option<Mount> {
        mount(&["-t", "tmpfs", "-o", options, "tmpfs"], at).then(|| Mount(at.to_owned()))
    }

    /// The folder `at` as it is, but read-only while this lives.
    ///
    /// # Panics
    /// As [`Mount::in_memory`].
    pub fn read_only(at: &Path) -> Mount {
        assert!(mount(&["--bind", at.to_str().unwrap()], at), "cannot mount {}", at.display());
        let mounted = Mount(at.to_owned());
        mounted.remount("bind,ro");
        mounted
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Changes its options.
    ///
    /// # Panics
    /// When the system refuses.
    pub fn remount(&self, options: &str) {
        // With a source named, `mount` adds no options of its own, some of which no namespace may set.
        let arguments = ["-o", &format!("remount,{options}"), "none"];
        // A process that another test is starting may have a file open for writing for a moment.
        let is_done = (0..100).any(|attempt: u64| {
            std::thread::sleep(Duration::from_millis(attempt));
            mount(&arguments, &self.0)
        });
        assert!(is_done, "{options} for {}", self.0.display());
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily: a process that another test is starting may have a file of it open for a moment.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).output();
    }
}

fn mount(arguments: &[&str], at: &Path) -> bool {
    let output = Command::new("mount").args(arguments).arg(at).output();
    output.is_ok_and(|output| output.status.success())
}
