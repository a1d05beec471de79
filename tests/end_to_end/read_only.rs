//! Projects and stores on a file system that cannot be written: what only reads works, and what writes says why not.

use pipeline_testkit::{Mount, with_mounts};

use crate::small_project;

const HINT: &str = "\n  hint: make it writable, or use another --store and --out; status, explain, report and --dry-run only read\n";

#[test]
fn in_a_read_only_project_what_only_reads_works_and_a_run_says_why_it_does_not() {
    with_mounts(
        "read_only::in_a_read_only_project_what_only_reads_works_and_a_run_says_why_it_does_not",
        || {
            let project = small_project();
            project.succeed(&["run", "configs/c.yaml"]);
            let reading: [&[&str]; 12] = [
                &["status", "configs/c.yaml"],
                &["status", "configs/c.yaml", "--set", "head.epochs=3"],
                &["explain", "configs/c.yaml", "head"],
                &["explain", "configs/c.yaml", "head", "--set", "head.epochs=3"],
                &["run", "configs/c.yaml", "--dry-run", "--check"],
                &["run", "configs/c.yaml", "--dry-run", "--set", "head.epochs=3"],
                &["runs", "list", "--json"],
                &["runs", "show"],
                &["report", "configs/c.yaml"],
                &["graph", "configs/c.yaml"],
                &["verify", "configs/c.yaml"],
                &["gc", "--dry-run"],
            ];
            let said = |arguments: &&[&str]| {
                let said = project.succeed(arguments).stdout;
                // But for how long it took.
                said.split_once("   (").map_or(said.clone(), |(before, _)| before.to_owned())
            };
            let before: Vec<String> = reading.iter().map(said).collect();
            let disk = Mount::read_only(&project.path(""));
            for (arguments, before) in reading.iter().zip(before) {
                assert_eq!(said(arguments), before, "{arguments:?}");
            }
            for more in [[].as_slice(), &["--set", "head.epochs=3"]] {
                let error = project.fail(1, &[["run", "configs/c.yaml"].as_slice(), more].concat());
                assert!(
                    error.starts_with("error: cannot open the lock file: ")
                        && error.contains("`<project>/.pipeline/locks/store.lock`")
                        && error.contains("Read-only file system")
                        && error.ends_with(HINT),
                    "{error}"
                );
            }
            let error = project.fail(1, &["gc"]);
            assert!(error.contains("Read-only file system") && error.ends_with(HINT), "{error}");
            // With its results elsewhere it can be run.
            let elsewhere = tempfile::tempdir().unwrap();
            let places = [elsewhere.path().join("store"), elsewhere.path().join("out")];
            let [store, out] = places.each_ref().map(|place| place.to_str().unwrap());
            let run = ["run", "configs/c.yaml", "--until", "ingest", "--store", store, "--out", out];
            assert!(project.outcomes(&run).contains(&"ingest ran".to_owned()));
            drop(disk);
            let outcomes = project.outcomes(&["run", "configs/c.yaml"]);
            assert!(outcomes.iter().all(|outcome| outcome.ends_with(" fresh")), "{outcomes:?}");
        },
    );
}

#[test]
fn a_run_whose_links_cannot_be_written_names_them_and_keeps_what_it_made() {
    with_mounts("read_only::a_run_whose_links_cannot_be_written_names_them_and_keeps_what_it_made", || {
        let project = small_project();
        project.succeed(&["run", "configs/c.yaml", "--until", "ingest"]);
        let disk = Mount::read_only(&project.path("out"));
        let run = ["run", "configs/c.yaml", "--until", "ingest"];
        assert_eq!(project.outcomes(&run)[0], "ingest fresh", "the link is right as it is");
        let changed = [run.as_slice(), &["--set", "ingest.on_bad=fail"]].concat();
        let error = project.fail(1, &changed);
        assert!(
            error.starts_with("error: ingest: cannot link the artifact: ")
                && error.contains("<project>/out/c/")
                && error.contains("Read-only file system")
                && error.ends_with(HINT),
            "{error}"
        );
        drop(disk);
        assert_eq!(project.outcomes(&changed)[0], "ingest fresh", "it was made before");
    });
}
