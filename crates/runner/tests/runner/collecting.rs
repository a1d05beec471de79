//! `gc`: what goes, what stays, and that no run loses anything.

use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use pipeline_runner::gc::{Rules, Survey, What};
use pipeline_runner::{Error, Gc, Node, Selection, Store, Unobserved, run};
use pipeline_stage::{Cancel, Hint};
use serde_json::json;

use crate::project::{Project, chain, chain_with, graph, join, options, outcomes, read};

/// Names the project to the process that [`killed`] starts.
const PROJECT: &str = "PIPELINE_RUNNER_GC_PROJECT";

fn gc<'a>(store: &'a Store, cancel: &'a Cancel) -> Gc<'a> {
    Gc {
        store,
        rules: Rules::default(),
        forget: vec![],
        shown: ".pipeline".to_owned(),
        command: "pipeline gc".to_owned(),
        wait_lock: None,
        cancel,
        observer: &Unobserved,
    }
}

fn survey(project: &Project) -> Survey {
    let store = Store::existing(&project.path(".pipeline")).unwrap();
    gc(&store, &Cancel::default()).survey().unwrap()
}

fn collect(project: &Project) -> Survey {
    project.collect()
}

/// What goes: `artifact join`, without keys.
fn words(survey: &Survey) -> Vec<String> {
    let name = |name: &str| name.split(' ').next().unwrap_or_default().to_owned();
    let word = |what: What| if what == What::Note { "note of" } else { what.word() };
    let mut words: Vec<String> =
        survey.doomed.iter().map(|item| format!("{} {}", word(item.what), name(&item.name))).collect();
    words.sort();
    words
}

fn fresh(project: &Project, nodes: Vec<Node>) {
    let states = project.plan(nodes).stages.into_iter().map(|stage| stage.state.to_string());
    assert!(states.clone().all(|state| state == "fresh"), "{:?}", states.collect::<Vec<_>>());
}

#[test]
fn what_no_link_leads_to_goes_and_a_dry_run_says_the_same_and_does_nothing() {
    let project = Project::new();
    project.run(chain_with(json!({"text": "old"})));
    project.run(chain());
    let before = project.listing(&[".pipeline/memo"]);
    let dry = survey(&project);
    assert_eq!(words(&dry), ["artifact join", "artifact join"]);
    assert_eq!((dry.kept, dry.notes.len(), dry.failures.len()), (3, 0, 0), "{dry:?}");
    assert!(dry.doomed.iter().all(|item| item.why == "no link leads to it"), "{dry:?}");
    assert_eq!(project.listing(&[".pipeline/memo"]), before);

    let done = collect(&project);
    let paths = |survey: &Survey| survey.doomed.iter().map(|item| item.path.clone()).collect::<Vec<_>>();
    assert_eq!((paths(&done), done.freed_bytes), (paths(&dry), dry.freed_bytes));
    assert!(paths(&done).iter().all(|path| !path.exists()));
    assert_eq!(project.in_store("tmp"), [""; 0]);
    fresh(&project, chain());
    let again = collect(&project);
    assert_eq!((words(&again), again.freed_bytes), (vec![], 0));
}

#[test]
fn only_bytes_that_no_other_artifact_shares_are_freed() {
    let project = Project::new();
    let linking =
        |text: &str| vec![read(), join("link", json!({"text": text, "behaviour": "link_input"}), &["read"])];
    project.run(linking("x"));
    project.run(linking("yy"));
    let survey = survey(&project);
    let linked = fs_err::metadata(project.path("out/c/read/text.txt")).unwrap().len();
    assert_eq!(words(&survey), ["artifact join"]);
    assert_eq!(survey.freed_bytes, survey.doomed[0].size_bytes - linked);
    assert_eq!(collect(&project).freed_bytes, survey.freed_bytes);
    fresh(&project, linking("yy"));
}

#[test]
fn the_links_of_another_project_that_shares_the_store_keep_their_artifacts() {
    let (one, other) = (Project::new(), Project::new());
    let mut shared = other.options();
    shared.store = one.path(".pipeline");
    shared.config = "d".to_owned();
    let others = || chain_with(json!({"text": "of the other"}));
    one.run(chain());
    assert!(other.try_run(others(), &shared).unwrap().succeeded());
    assert_eq!(words(&collect(&one)), [""; 0]);

    // The other project's disk is away.
    let (there, away) = (other.path("out"), other.path("away"));
    fs_err::rename(&there, &away).unwrap();
    let kept = collect(&one);
    assert_eq!(words(&kept), [""; 0]);
    let place = fs_err::canonicalize(other.path("")).unwrap().join("out/d");
    assert_eq!(
        kept.notes,
        [format!(
            "{0} is not there: what its links led to is kept; if it is gone for good, say --forget {0}",
            place.display()
        )]
    );
    fs_err::rename(&away, &there).unwrap();
    assert!(outcomes(&other.try_run(others(), &shared).unwrap()).iter().all(|word| word.ends_with("fresh")));

    // A link that was removed keeps nothing.
    fs_err::remove_file(other.path("out/d/last")).unwrap();
    let kinds = |survey: &Survey| survey.doomed.iter().map(|item| item.what).collect::<Vec<_>>();
    assert_eq!(kinds(&collect(&one)), [What::Artifact, What::Note]);
    // Nor does a folder that is forgotten.
    fs_err::rename(&there, &away).unwrap();
    let store = Store::existing(&one.path(".pipeline")).unwrap();
    let cancel = Cancel::default();
    let forgotten = Gc { forget: vec![place], ..gc(&store, &cancel) }.collect().unwrap();
    assert_eq!(
        forgotten.doomed.iter().filter(|item| item.what == What::Artifact).count(),
        1,
        "{forgotten:?}"
    );
    fresh(&one, chain());
}

#[test]
fn a_project_that_was_moved_with_its_store_keeps_its_artifacts() {
    let project = Project::new();
    let place = project.path("place");
    fs_err::create_dir(&place).unwrap();
    let mut options = options(&place);
    options.root = project.path("");
    // Not `out/` beside the store, which is looked into anyway.
    options.out = place.join("links");
    assert!(project.try_run(chain(), &options).unwrap().succeeded());
    fs_err::rename(&place, project.path("moved")).unwrap();
    let store = Store::existing(&project.path("moved/.pipeline")).unwrap();
    let cancel = Cancel::default();
    let kept = gc(&store, &cancel).collect().unwrap();
    assert_eq!((words(&kept), kept.kept, kept.notes), (vec![], 3, vec![]));
    fs_err::remove_file(project.path("moved/links/c/last")).unwrap();
    assert_eq!(gc(&store, &cancel).collect().unwrap().kept, 2);
}

#[test]
fn a_store_without_notes_keeps_what_links_beside_it_and_of_its_records_lead_to() {
    let project = Project::new();
    project.run(chain());
    let mut options = project.options();
    options.out = project.path("elsewhere");
    assert!(project.try_run(chain_with(json!({"text": "else"})), &options).unwrap().succeeded());
    fs_err::remove_dir_all(project.path(".pipeline/links")).unwrap();
    assert_eq!(words(&collect(&project)), [""; 0]);
    fresh(&project, chain());
}

#[test]
fn a_note_that_is_cut_short_stops_everything_and_says_the_way_out() {
    let project = Project::new();
    project.run(chain_with(json!({"text": "old"})));
    project.run(chain());
    let name = project.in_store("links").remove(0);
    let path = format!(".pipeline/links/{name}");
    let text = fs_err::read(project.path(&path)).unwrap();
    project.write(&path, std::str::from_utf8(&text[..20]).unwrap());
    let store = Store::existing(&project.path(".pipeline")).unwrap();
    let error = gc(&store, &Cancel::default()).collect().unwrap_err();
    assert!(matches!(error, Error::LinkNote { .. }), "{error}");
    // The way out.
    fs_err::remove_file(project.path(&path)).unwrap();
    project.run(chain());
    assert_eq!(project.in_store("links").len(), 3);
    assert_eq!(words(&collect(&project)), ["artifact join", "artifact join"]);
}

#[test]
fn what_is_damaged_or_no_artifact_at_all_is_told_apart() {
    let project = Project::new();
    project.run(chain_with(json!({"text": "old"})));
    let old = fs_err::canonicalize(project.path("out/c/middle")).unwrap();
    project.run(chain());
    fs_err::remove_file(old.join("artifact.json")).unwrap();
    project.write(".pipeline/store/join/mine.txt", "kept");
    let link = project.path(".pipeline/store/join").join("a".repeat(64));
    fs_err::os::unix::fs::symlink(project.path("texts"), &link).unwrap();
    let done = collect(&project);
    assert_eq!(words(&done), ["artifact join", "artifact join"]);
    let damaged = done.doomed.iter().find(|item| item.path.ends_with(old.file_name().unwrap())).unwrap();
    assert_eq!(damaged.why, "no link leads to it, and it is damaged: artifact.json is missing");
    assert_eq!(done.notes, [format!("{} is left alone: it is not a folder", link.display())]);
    assert!(project.path("texts/a.txt").exists() && project.path(".pipeline/store/join/mine.txt").exists());
}

#[test]
fn a_zip_stays_unpacked_as_long_as_an_artifact_was_made_from_it() {
    let project = Project::new();
    let zip = |name: &str, text: &str| {
        let mut zip = zip::ZipWriter::new(fs_err::File::create(project.path(name)).unwrap());
        zip.start_file("a.txt", zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut zip, text.as_bytes()).unwrap();
        zip.finish().unwrap();
    };
    zip("one.zip", "one");
    zip("two.zip", "two");
    let reading = |path: &str| vec![crate::project::read_from(json!({"path": path}))];
    project.run(reading("one.zip"));
    project.run(reading("two.zip"));
    assert_eq!((project.in_store("sources").len(), project.in_store("trees").len()), (2, 2));
    assert_eq!(
        words(&collect(&project)).iter().filter(|word| word.starts_with("unpacked archive")).count(),
        1
    );
    assert_eq!(
        project.in_store("trees").len(),
        1,
        "lists of files go with the last artifact that was made from them"
    );
    fresh(&project, reading("two.zip"));
    assert_eq!(outcomes(&project.run(reading("one.zip"))), ["read ran"]);
}

/// In the process that [`started`] starts: a chain whose last stage goes on until the file `go` is there.
#[test]
fn in_another_process_a_chain_runs_until_it_is_told_to_end() {
    let Some(root) = std::env::var_os(PROJECT) else { return };
    let root = Path::new(&root);
    run(&graph(slow_chain(root)), &options(root), &Cancel::default(), &Unobserved).unwrap();
}

fn slow_chain(root: &Path) -> Vec<Node> {
    let mut nodes = chain();
    let behaviour = json!({"until_exists": root.join("go")});
    nodes.push(join("slow", json!({"behaviour": behaviour, "journal": root.join("journal")}), &["last"]));
    nodes
}

/// A process that does not outlive a test that fails.
struct Other(Child);

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts another process that runs the chain, and returns when the last stage runs.
fn started(project: &Project) -> Other {
    let other = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "collecting::in_another_process_a_chain_runs_until_it_is_told_to_end"])
        .env(PROJECT, project.path(""))
        .stdout(std::process::Stdio::null())
        .spawn()
        .map(Other)
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !project.path("journal").exists() {
        assert!(Instant::now() < deadline, "the other process does not start the stage");
        std::thread::sleep(Duration::from_millis(10));
    }
    other
}

#[test]
fn a_run_that_is_going_on_loses_nothing_and_gc_waits_for_it_or_names_it() {
    let project = Project::new();
    project.run(chain_with(json!({"text": "old"})));
    let mut other = started(&project);
    let before = project.listing(&[".pipeline/memo"]);
    let store = Store::existing(&project.path(".pipeline")).unwrap();
    let cancel = Cancel::default();
    let error = gc(&store, &cancel).collect().unwrap_err();
    let start = format!("the store .pipeline is in use by pid {} on host ", other.0.id());
    assert!(error.to_string().starts_with(&start), "{error}");
    assert_eq!(error.hint().unwrap(), "wait for it with --wait-lock 600, or use another --store");
    // A dry run is told what it may not see, and disturbs nobody.
    let dry = gc(&store, &cancel).survey().unwrap();
    assert_eq!(words(&dry), ["artifact join", "artifact join"]);
    assert!(dry.notes[0].starts_with(&start), "{dry:?}");
    assert_eq!(project.listing(&[".pipeline/memo"]), before);

    let waiting = Gc { wait_lock: Some(Duration::from_secs(30)), ..gc(&store, &cancel) };
    let done = std::thread::scope(|scope| {
        let gc = scope.spawn(|| waiting.collect().unwrap());
        std::thread::sleep(Duration::from_millis(200));
        assert!(!gc.is_finished() && project.listing(&[".pipeline/memo"]).len() >= before.len());
        project.write("go", "");
        gc.join().unwrap()
    });
    assert!(other.0.wait().unwrap().success());
    assert_eq!(words(&done), ["artifact join", "artifact join"]);
    fresh(&project, slow_chain(&project.path("")));
}

#[test]
fn after_a_kill_nothing_is_orphaned_and_what_was_done_stays() {
    let project = Project::new();
    project.run(chain_with(json!({"text": "old"})));
    let mut other = started(&project);
    other.0.kill().unwrap();
    other.0.wait().unwrap();
    // What a kill at other instants leaves: in the middle of a link, of a record, of a memo, of a stage that makes
    // checkpoints again which is done.
    let middle = fs_err::canonicalize(project.path("out/c/middle")).unwrap();
    let key = middle.file_name().unwrap().to_str().unwrap().to_owned();
    fs_err::os::unix::fs::symlink(&middle, project.path("out/c/.middle.a1B2c3")).unwrap();
    fs_err::os::unix::fs::symlink("/", project.path("out/c/.mine.a1B2c3")).unwrap();
    let run = project.in_store("runs").remove(0);
    for path in [
        format!("partial/join/{key}/checkpoint"),
        "memo/.tmpabc".into(),
        "trees/.tmpabc".into(),
        "reports/.tmpabc".into(),
        "reports/kept.html".into(),
        format!("runs/{run}/.tmpabc"),
    ] {
        project.write(&format!(".pipeline/{path}"), "half");
    }
    // One that a stage can go on from.
    let unfinished = format!(".pipeline/partial/join/{}/checkpoint", "b".repeat(64));
    project.write(&unfinished, "half");
    let dry = survey(&project);
    let done = collect(&project);
    assert_eq!(words(&dry), words(&done));
    let kinds: Vec<What> = done.doomed.iter().map(|item| item.what).collect();
    for what in [What::Artifact, What::Draft, What::Checkpoints, What::Temporary, What::Holder, What::Link] {
        assert!(kinds.contains(&what), "{what:?}: {:?}", words(&done));
    }
    let left = project.listing(&[]);
    let is_litter = |path: &&String| {
        path.contains("/.tmp")
            || path.ends_with(".holder")
            || path.contains("/tmp/")
            || path.contains(".middle.")
            || (path.contains("/partial/") && !unfinished.starts_with(path.as_str()))
    };
    assert_eq!(left.iter().filter(is_litter).collect::<Vec<_>>(), [""; 0]);
    assert!(project.path("out/c/.mine.a1B2c3").is_symlink(), "other people's links stay");
    assert!(project.path(&unfinished).exists());
    assert!(project.path(".pipeline/reports/kept.html").exists(), "pages that someone asked for stay");

    project.write("go", "");
    let report = project.run(slow_chain(&project.path("")));
    assert_eq!(outcomes(&report), ["read fresh", "middle fresh", "last fresh", "slow ran"]);
    // With an age, checkpoints that nobody goes on from go, too.
    let store = Store::existing(&project.path(".pipeline")).unwrap();
    let cancel = Cancel::default();
    let rules = Rules { keep_last: 0, older_than: Some(Duration::ZERO) };
    let last = Gc { rules, ..gc(&store, &cancel) }.collect().unwrap();
    // So do the page and the records of all runs but the latest.
    let names = |what| last.doomed.iter().filter(move |item| item.what == what).map(|item| item.name.clone());
    let mut runs: Vec<String> = names(What::Run).collect();
    runs.sort();
    assert_eq!((last.doomed.len(), names(What::Page).collect::<Vec<_>>()), (4, vec!["kept.html".to_owned()]));
    assert_eq!(names(What::Checkpoints).count(), 1);
    assert!(project.in_store("runs").len() == 1 && !runs.contains(&project.in_store("runs")[0]), "{runs:?}");
    assert!(!project.path(".pipeline/partial/join").exists());
}

#[test]
fn a_folder_that_is_no_store_is_left_alone() {
    let project = Project::new();
    let error = Store::existing(&project.path("nowhere")).unwrap_err();
    assert!(matches!(error, Error::NoStore { .. }), "{error}");
    let error = Store::existing(&project.path("texts")).unwrap_err();
    assert!(matches!(error, Error::NotAStore { .. }), "{error}");
}

#[test]
fn the_last_runs_of_each_config_stay_and_one_that_is_going_on() {
    let project = Project::new();
    // Of one second; names tell which is the latest, and end in a random number.
    let run = |config: &str, name: &str| {
        let options = pipeline_runner::RunOptions { config: config.to_owned(), ..project.options() };
        let dir = project.try_run(chain(), &options).unwrap().dir;
        fs_err::rename(&dir, dir.with_file_name(name)).unwrap();
        name.to_owned()
    };
    let runs = [
        ("c", "20200101T000001Z-a"),
        ("c", "20200101T000002Z-b"),
        ("c", "20200101T000003Z-c"),
        ("d", "20200101T000004Z-d"),
    ];
    let [first, second, third, other] = runs.map(|(config, name)| run(config, name));
    // One that began first and still goes on: its events are locked.
    let name = "20200101T000000Z-00000000";
    let folder = project.path(".pipeline/runs").join(name);
    fs_err::create_dir(&folder).unwrap();
    let info = json!({"config": "c", "outcome": "running", "started": "2020-01-01T00:00:00Z"});
    fs_err::write(folder.join("run.json"), info.to_string()).unwrap();
    let events = fs_err::File::create(folder.join("events.jsonl")).unwrap();
    events.file().lock().unwrap();

    let store = Store::existing(&project.path(".pipeline")).unwrap();
    let cancel = Cancel::default();
    let gone = |keep_last, older_than: Option<u64>| {
        let rules = Rules { keep_last, older_than: older_than.map(Duration::from_secs) };
        let survey = Gc { rules, ..gc(&store, &cancel) }.survey().unwrap();
        let mut names: Vec<String> = survey.doomed.into_iter().map(|item| item.name).collect();
        names.sort();
        names
    };
    assert_eq!(gone(0, None), [""; 0], "they are young");
    assert_eq!(gone(0, Some(3600)), [""; 0]);
    assert_eq!(gone(0, Some(0)), [first, second]);
    assert_eq!(gone(1, Some(0)), ["20200101T000001Z-a"]);
    assert_eq!(gone(2, Some(0)), [""; 0]);
    // It is old, and was killed.
    drop(events);
    assert_eq!(gone(0, None), [name]);
    let done = Gc { rules: Rules { keep_last: 0, older_than: Some(Duration::ZERO) }, ..gc(&store, &cancel) };
    let survey = done.collect().unwrap();
    let (count, bytes) = survey.classes()[&What::Run];
    assert!(count == 3 && bytes > 0 && survey.classes().len() == 1, "{survey:?}");
    assert_eq!(project.in_store("runs"), [third, other]);
}

#[test]
fn digests_of_files_that_are_gone_go_and_the_others_stay() {
    let project = Project::new();
    project.write("more/a.txt", "a");
    project.run(vec![crate::project::read_from(json!({"path": "more"}))]);
    project.run(chain());
    assert_eq!(project.in_store("memo").len(), 2);
    assert_eq!(words(&collect(&project)).iter().filter(|word| word.starts_with("digests")).count(), 0);
    fs_err::remove_dir_all(project.path("more")).unwrap();
    let gone = collect(&project);
    let memos: Vec<_> = gone.doomed.iter().filter(|item| item.what == What::Memo).collect();
    assert_eq!(memos.len(), 1, "{gone:?}");
    assert_eq!(memos[0].why, format!("{} is not there", project.path("more").display()));
    project.write(&format!(".pipeline/memo/{}", project.in_store("memo")[0]), "not a memo");
    assert_eq!(collect(&project).doomed[0].why, "it cannot be read");
    fresh(&project, chain());
}

/// What each stage is, and what a run would do: `read collected use`.
fn planned(project: &Project, nodes: Vec<Node>) -> Vec<String> {
    let stages = project.plan(nodes).stages.into_iter();
    stages.map(|stage| format!("{} {} {}", stage.name, stage.state.word(), stage.action.word())).collect()
}

fn unlink(project: &Project, stages: &[&str]) {
    stages.iter().for_each(|stage| fs_err::remove_file(project.path("out/c").join(stage)).unwrap());
}

#[test]
fn a_stage_stays_fresh_when_what_it_was_made_from_is_gone_and_that_is_made_again_when_it_is_needed() {
    let project = Project::new();
    let report = project.run(chain());
    unlink(&project, &["read", "middle"]);
    let done = collect(&project);
    assert_eq!(words(&done), ["artifact join", "artifact read"], "notes say what a stage had last");
    let why = "no link leads to it; its manifest stays, as what stays was made from it";
    assert!(
        done.doomed.iter().filter(|item| item.what == What::Artifact).all(|item| item.why == why),
        "{done:?}"
    );
    assert_eq!(
        (project.in_store("store"), project.in_store("manifests").len()),
        (vec!["join".to_owned()], 2)
    );

    assert_eq!(planned(&project, chain()), ["read collected use", "middle collected use", "last fresh use"]);
    let again = project.run(chain());
    assert_eq!(outcomes(&again), ["read collected", "middle collected", "last fresh"]);
    assert!(again.succeeded() && again.stages.iter().zip(&report.stages).all(|(a, b)| a.key == b.key));
    assert!(!project.path("out/c/middle").is_symlink(), "what is not there has no link");
    // A second gc knows as much.
    assert_eq!(words(&collect(&project)), [""; 0]);
    let told = project.explain(chain(), "middle", None);
    assert_eq!(
        told.headline,
        "middle was collected: gc removed its files, which nothing needs now, and kept its manifest"
    );
    let told = project.explain(chain(), "last", Some(&report.run));
    assert_eq!((told.state, told.against.unwrap().key), ("fresh", report.stages[2].key.unwrap()));

    // Another last stage reads it, and what it needs in turn is made first.
    let mut nodes = chain();
    nodes[2] = join("last", json!({"text": "z"}), &["middle"]);
    assert_eq!(
        planned(&project, nodes.clone()),
        ["read collected run", "middle depends decide", "last depends decide"]
    );
    let told = project.explain(nodes.clone(), "read", None);
    assert_eq!(told.headline, "read was collected: gc removed its files, and they are needed again");
    assert_eq!(outcomes(&project.run(nodes.clone())), ["read ran", "middle ran", "last ran"]);
    assert_eq!(project.text("last"), "one two xz");
    // What is there again needs no manifest beside it.
    assert_eq!(words(&collect(&project)), ["artifact join", "manifest join", "manifest read"]);
    assert_eq!(project.in_store("manifests"), [""; 0]);
    fresh(&project, nodes);
}

#[test]
fn what_was_collected_is_made_again_where_it_is_asked_for() {
    let project = Project::new();
    project.run(chain());
    unlink(&project, &["read", "middle"]);
    collect(&project);
    let select = |selection: Selection| pipeline_runner::RunOptions { selection, ..project.options() };
    let middle = || vec!["middle".to_owned()];
    let only = select(Selection { only: middle(), ..Selection::default() });
    let error = project.try_run(chain(), &only).unwrap_err().to_string();
    assert_eq!(
        error,
        "`middle` cannot run alone: it reads `read`, which is not fresh: collected (gc removed its files)"
    );
    let until = select(Selection { until: middle(), ..Selection::default() });
    let report = project.try_run(chain(), &until).unwrap();
    assert_eq!(outcomes(&report), ["read ran", "middle ran", "last not selected"]);
    fresh(&project, chain());
    unlink(&project, &["read", "middle"]);
    collect(&project);
    let force = select(Selection { force: middle(), ..Selection::default() });
    assert_eq!(
        outcomes(&project.try_run(chain(), &force).unwrap()),
        ["read ran", "middle ran", "last fresh"]
    );
}

#[test]
fn the_manifest_of_what_was_collected_goes_with_the_last_that_was_made_from_it() {
    let project = Project::new();
    project.run(chain());
    unlink(&project, &["read", "middle"]);
    collect(&project);
    unlink(&project, &["last"]);
    let done = collect(&project);
    let gone = words(&done).into_iter().filter(|word| !word.starts_with("list of files")).collect::<Vec<_>>();
    let notes = ["note of c/last", "note of c/middle", "note of c/read"];
    assert_eq!(gone, [&["artifact join", "manifest join", "manifest read"][..], &notes].concat());
    assert_eq!((project.in_store("store").len(), project.in_store("manifests").len()), (0, 0));
    assert_eq!(planned(&project, chain())[0], "read missing run");
}

#[test]
fn names_that_killed_workers_left_at_the_lock_of_a_stage_go() {
    let project = Project::new();
    project.run(chain());
    let folder = format!(".pipeline/locks/join-{}.shared", "b".repeat(64));
    project.write(&format!("{folder}/1-0-0.holder"), "{}");
    let done = collect(&project);
    assert_eq!(words(&done).len(), 1, "{done:?}");
    assert_eq!((done.doomed[0].what, done.doomed[0].why.as_str()), (What::Holder, "nobody holds it"));
    assert!(!project.path(&folder).exists());
}

#[test]
fn a_folder_to_forget_without_links_is_named() {
    let project = Project::new();
    project.run(chain());
    let (store, cancel) = (project.store(), Cancel::default());
    let strange = project.path("nowhere");
    let done = Gc { forget: vec![strange.clone()], ..gc(&store, &cancel) }.collect().unwrap();
    let expected =
        format!("--forget {}: no link is noted there, so nothing was forgotten", strange.display());
    assert_eq!((done.notes, done.doomed.len()), (vec![expected], 0));
}
