//! Disks that say no. A small file system of its own needs root; without, the tests say that they skip.

use std::path::{Path, PathBuf};
use std::process::Command;

use pipeline_runner::gc::Rules;
use pipeline_runner::verify::{all, verify};
use pipeline_runner::{Error, Gc, Outcome, Store, Unobserved, plan};
use pipeline_stage::progress::Silent;
use pipeline_stage::{Cancel, Hint};
use serde_json::json;

use crate::project::{Project, graph, join};

/// A file system in memory, unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    #[expect(clippy::print_stderr, reason = "a skip is never silent")]
    fn mount(path: PathBuf, size: &str) -> Option<SmallDisk> {
        fs_err::create_dir(&path).unwrap();
        let options = format!("size={size}");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&path).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(SmallDisk(path));
        }
        eprintln!("skipped: mounting a small file system needs root");
        None
    }

    fn make_read_only(&self) {
        let status = Command::new("mount").args(["-o", "remount,ro"]).arg(&self.0).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

fn is_empty(folder: &Path) -> bool {
    fs_err::read_dir(folder).map_or(true, |mut entries| entries.next().is_none())
}

#[test]
fn a_full_disk_publishes_nothing_and_the_next_run_with_room_goes_on() {
    let project = Project::new();
    let Some(disk) = SmallDisk::mount(project.path("disk"), "1m") else { return };
    let mut options = project.options();
    options.store = disk.0.join("store");
    let big = |bytes: usize| {
        vec![join("small", json!({}), &[]), join("big", json!({"behaviour": {"big": bytes}}), &["small"])]
    };
    let report = project.try_run(big(4 << 20), &options).unwrap();
    let Outcome::Failed { message, hint } = &report.stages[1].outcome else { panic!("{report:?}") };
    assert!(message.contains("disk/store") && message.contains("No space left on device"), "{message}");
    assert_eq!(
        hint.as_deref(),
        Some(
            "free some space there, or use another disk: --store moves the store, the config says where sources are"
        )
    );
    assert!(is_empty(&options.store.join("tmp")));
    let artifacts = fs_err::read_dir(options.store.join("store/join")).unwrap().count();
    assert_eq!(artifacts, 1, "only the small one");
    assert!(project.try_run(big(1 << 10), &options).unwrap().succeeded());
}

#[test]
fn a_disk_without_room_for_a_store_is_named() {
    let project = Project::new();
    let Some(disk) = SmallDisk::mount(project.path("disk"), "64k") else { return };
    fs_err::write(disk.0.join("rest"), vec![0; 1 << 20]).unwrap_err();
    let mut options = project.options();
    options.store = disk.0.join("store");
    let error = project.try_run(vec![join("small", json!({}), &[])], &options).unwrap_err();
    assert!(matches!(error, Error::DiskFull { .. }), "{error:?}");
    let expected = format!("cannot open the store: no space left on the disk of {}", options.store.display());
    assert_eq!(error.to_string(), expected);
    assert!(error.hint().unwrap().contains("--store"));
}

#[test]
fn a_store_that_cannot_be_written_can_be_planned_with() {
    let project = Project::new();
    let Some(disk) = SmallDisk::mount(project.path("disk"), "1m") else { return };
    let mut options = project.options();
    options.store = disk.0.join("store");
    let nodes = || vec![crate::project::read(), join("small", json!({}), &["read"])];
    project.try_run(nodes(), &options).unwrap();
    disk.make_read_only();
    let plan = plan(&graph(nodes()), &options, &Cancel::default(), &Unobserved).unwrap();
    assert_eq!((plan.fresh(), plan.to_run()), (2, 0));
    let error = project.try_run(nodes(), &options).unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error:?}");
    let message = pipeline_stage::failure::full_message(&error);
    assert!(message.contains("Read-only file system") && message.contains("disk/store"), "{message}");
}

#[test]
fn a_store_that_cannot_be_written_can_be_verified_and_surveyed_and_gc_says_why_not() {
    let project = Project::new();
    let Some(disk) = SmallDisk::mount(project.path("disk"), "1m") else { return };
    let mut options = project.options();
    options.store = disk.0.join("store");
    for text in ["old", "new"] {
        project.try_run(vec![join("small", json!({"text": text}), &[])], &options).unwrap();
    }
    disk.make_read_only();
    let store = Store::existing(&options.store).unwrap();
    let cancel = Cancel::default();
    let artifacts = verify(all(&store).unwrap(), &Silent, &cancel).unwrap();
    assert!(artifacts.len() == 2 && artifacts.iter().all(|a| a.faults.is_empty() && a.unreadable.is_empty()));
    let gc = Gc {
        store: &store,
        rules: Rules::default(),
        forget: vec![],
        shown: "disk/store".to_owned(),
        command: "pipeline gc".to_owned(),
        wait_lock: None,
        cancel: &cancel,
        observer: &Unobserved,
    };
    assert_eq!(gc.survey().unwrap().doomed.len(), 1);
    let message = pipeline_stage::failure::full_message(&gc.collect().unwrap_err());
    assert!(message.contains("Read-only file system") && message.contains("disk/store"), "{message}");
}
