//! Disks that say no. Where no file system may be mounted, the tests say that they skip.

use std::path::Path;

use pipeline_runner::gc::Rules;
use pipeline_runner::verify::{all, verify};
use pipeline_runner::{Error, Gc, Outcome, RunOptions, Store, Unobserved, plan};
use pipeline_stage::failure::Cause;
use pipeline_stage::progress::Silent;
use pipeline_stage::{Cancel, Hint};
use pipeline_testkit::{Mount, with_mounts};
use serde_json::json;

use crate::project::{Project, chain, graph, join, outcomes};

fn is_empty(folder: &Path) -> bool {
    fs_err::read_dir(folder).map_or(true, |mut entries| entries.next().is_none())
}

#[test]
fn a_full_disk_publishes_nothing_and_the_next_run_with_room_goes_on() {
    with_mounts("disk::a_full_disk_publishes_nothing_and_the_next_run_with_room_goes_on", || {
        let project = Project::new();
        let disk = Mount::in_memory(&project.path("disk"), "size=1m");
        let mut options = project.options();
        options.store = disk.path().join("store");
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
        // More room: processes that other tests are starting may have the big file open for a moment still.
        disk.remount("size=8m");
        let report = project.try_run(big(1 << 10), &options).unwrap();
        assert!(report.succeeded(), "{report:?}");
    });
}

#[test]
fn a_disk_without_room_for_a_store_is_named() {
    with_mounts("disk::a_disk_without_room_for_a_store_is_named", || {
        let project = Project::new();
        let disk = Mount::in_memory(&project.path("disk"), "size=64k");
        fs_err::write(disk.path().join("rest"), vec![0; 1 << 20]).unwrap_err();
        let mut options = project.options();
        options.store = disk.path().join("store");
        let error = project.try_run(vec![join("small", json!({}), &[])], &options).unwrap_err();
        assert!(matches!(error, Error::DiskFull { .. }), "{error:?}");
        let expected =
            format!("cannot open the store: no space left on the disk of {}", options.store.display());
        assert_eq!(error.to_string(), expected);
        assert!(error.hint().unwrap().contains("--store"));
    });
}

#[test]
fn a_store_that_cannot_be_written_can_be_planned_with() {
    with_mounts("disk::a_store_that_cannot_be_written_can_be_planned_with", || {
        let project = Project::new();
        let disk = Mount::in_memory(&project.path("disk"), "size=1m");
        let mut options = project.options();
        options.store = disk.path().join("store");
        let nodes = || vec![crate::project::read(), join("small", json!({}), &["read"])];
        project.try_run(nodes(), &options).unwrap();
        disk.remount("ro");
        let plan = plan(&graph(nodes()), &options, &Cancel::default(), &Unobserved).unwrap();
        assert_eq!((plan.fresh(), plan.to_run()), (2, 0));
        let error = project.try_run(nodes(), &options).unwrap_err();
        assert!(matches!(error, Error::Io { .. }), "{error:?}");
        let message = pipeline_stage::failure::full_message(&error);
        assert!(message.contains("Read-only file system") && message.contains("disk/store"), "{message}");
    });
}

#[test]
fn a_store_that_cannot_be_written_can_be_verified_and_surveyed_and_gc_says_why_not() {
    with_mounts(
        "disk::a_store_that_cannot_be_written_can_be_verified_and_surveyed_and_gc_says_why_not",
        || {
            let project = Project::new();
            let disk = Mount::in_memory(&project.path("disk"), "size=1m");
            let mut options = project.options();
            options.store = disk.path().join("store");
            for text in ["old", "new"] {
                project.try_run(vec![join("small", json!({"text": text}), &[])], &options).unwrap();
            }
            disk.remount("ro");
            let store = Store::existing(&options.store).unwrap();
            let cancel = Cancel::default();
            let artifacts = verify(all(&store).unwrap(), &Silent, &cancel).unwrap();
            assert!(
                artifacts.len() == 2
                    && artifacts.iter().all(|a| a.faults.is_empty() && a.unreadable.is_empty())
            );
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
        },
    );
}

/// Everything that can be full: so many of the file system's pages of 4 KiB, or of its inodes.
fn limits() -> Vec<String> {
    let pages = (1..70).map(|count| format!("size={}", count * 4096));
    pages.chain((2..70).map(|count| format!("size=1m,nr_inodes={count}"))).collect()
}

/// Runs the chain on disks of every size, with the folders in `on_disk` on them, then with room on the same ones.
fn sweep(name: &str, on_disk: &[&str]) {
    with_mounts(name, || {
        let (mut too_small, mut failed) = (0, std::collections::BTreeSet::new());
        for limit in limits() {
            let project = Project::new();
            let disk = Mount::in_memory(&project.path("disk"), &limit);
            let mut options = project.options();
            for folder in on_disk {
                let place = disk.path().join(folder);
                match *folder {
                    "store" => options.store = place,
                    _ => options.out = place,
                }
            }
            let is_full = |message: &str, hint: Option<String>| {
                let said = message.contains("No space left on device")
                    || message.contains("no space left on the disk");
                assert!(said, "{limit}: {message}");
                assert!(
                    hint.is_some_and(|hint| hint.starts_with("free some space there")),
                    "{limit}: {message}"
                );
            };
            match project.try_run(chain(), &options) {
                Err(error) => is_full(&pipeline_stage::failure::full_message(&error), error.hint()),
                Ok(report) if report.succeeded() => continue,
                Ok(report) => {
                    let mut stages = report.stages.into_iter();
                    let stage = stages.find(|stage| matches!(stage.outcome, Outcome::Failed { .. })).unwrap();
                    let Outcome::Failed { message, hint } = stage.outcome else { panic!() };
                    is_full(&message, hint);
                    failed.insert(stage.name);
                }
            }
            too_small += 1;
            let whole = |when: &str| {
                if let Ok(store) = Store::existing(&options.store) {
                    let artifacts = verify(all(&store).unwrap(), &Silent, &Cancel::default()).unwrap();
                    let faults: Vec<_> = artifacts.iter().flat_map(|artifact| &artifact.faults).collect();
                    assert!(faults.is_empty(), "{limit}, {when}: {faults:?}");
                }
            };
            whole("full");
            plan(&graph(chain()), &options, &Cancel::default(), &Unobserved).unwrap();
            disk.remount("size=1m,nr_inodes=1000");
            let report = project.try_run(chain(), &options).unwrap();
            assert!(report.succeeded() && report.warnings.is_empty(), "{limit}: {report:?}");
            whole("with room");
            assert!(is_empty(&options.store.join("tmp")), "{limit}");
            let text = fs_err::read_to_string(options.link("last").join("text.txt")).unwrap();
            assert_eq!(text, "one two xy", "{limit}");
        }
        assert!(too_small < limits().len(), "{too_small} were too small");
        assert_eq!(failed.len(), 3, "each stage met a full disk: {failed:?}");
    });
}

#[test]
fn links_that_a_full_disk_has_no_room_for_are_made_by_the_next_run() {
    sweep("disk::links_that_a_full_disk_has_no_room_for_are_made_by_the_next_run", &["out"]);
}

#[test]
fn whatever_is_about_to_be_written_when_the_disk_is_full_nothing_half_made_is_left() {
    sweep(
        "disk::whatever_is_about_to_be_written_when_the_disk_is_full_nothing_half_made_is_left",
        &["store", "out"],
    );
}

#[test]
fn links_that_cannot_be_made_stop_the_run_at_the_first() {
    let project = Project::new();
    project.run(chain());
    fs_err::remove_dir_all(project.path("out")).unwrap();
    project.write("out", "");
    for keep_going in [false, true] {
        let options = RunOptions { keep_going, ..project.options() };
        let report = project.try_run(chain(), &options).unwrap();
        assert_eq!(outcomes(&report), ["read failed", "middle not run", "last not run"], "{keep_going}");
        assert_eq!(report.stages[0].cause, Some(Cause::Disk));
    }
}

#[test]
fn a_full_disk_that_only_one_stage_writes_to_stops_no_other() {
    with_mounts("disk::a_full_disk_that_only_one_stage_writes_to_stops_no_other", || {
        let project = Project::new();
        let disk = Mount::in_memory(&project.path("disk"), "size=64k");
        fs_err::write(disk.path().join("rest"), vec![0; 1 << 20]).unwrap_err();
        let journal = disk.path().join("journal");
        let nodes =
            vec![join("one", json!({"journal": journal}), &[]), join("other", json!({"text": "x"}), &[])];
        let options = RunOptions { keep_going: true, ..project.options() };
        let report = project.try_run(nodes, &options).unwrap();
        assert_eq!(outcomes(&report), ["one failed", "other ran"], "{report:?}");
        let Outcome::Failed { message, .. } = &report.stages[0].outcome else { panic!("{report:?}") };
        assert!(message.contains("No space left on device") && message.contains("disk/journal"), "{message}");
        // It is another one where the links are there.
        let linked = RunOptions { out: disk.path().join("out"), ..project.options() };
        assert_eq!(options.blame(Cause::Disk, message), Cause::Work);
        assert_eq!(linked.blame(Cause::Disk, message), Cause::Disk);
        assert_eq!(options.blame(Cause::Disk, "No space left on device"), Cause::Disk);
    });
}
