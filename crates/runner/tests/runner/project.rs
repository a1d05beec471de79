//! A temporary project with a folder of text files, and its runs in a few words.

use std::fs::Permissions;
use std::io::Write;
use std::num::NonZeroUsize;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use pipeline_runner::gc::{Rules, Survey};
use pipeline_runner::verify::{self, Verified};
use pipeline_runner::{
    Error, Explanation, Gc, Graph, Node, Observer, Plan, RunOptions, RunReport, Selection, Store, Unobserved,
    explain, plan, run,
};
use pipeline_stage::progress::Silent;
use pipeline_stage::{AnyStage, Cancel, CheckpointEvery, Event};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::toys::{Draw, Join, Join2, Read, TEXT};

/// Processes that other tests are starting may have a lock for a moment still that this test has let go.
const SHORTLY: Option<Duration> = Some(Duration::from_secs(20));

pub(crate) struct Project {
    dir: TempDir,
}

impl Project {
    /// With `texts/a.txt` ("one ") and `texts/sub/b.txt` ("two ").
    pub(crate) fn new() -> Project {
        let project = Project { dir: tempfile::tempdir().unwrap() };
        project.write("texts/a.txt", "one ");
        project.write("texts/sub/b.txt", "two ");
        project
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.dir.path().join(relative)
    }

    pub(crate) fn write(&self, relative: &str, content: &str) {
        fs_err::create_dir_all(self.path(relative).parent().unwrap()).unwrap();
        fs_err::write(self.path(relative), content).unwrap();
    }

    /// The text of the current artifact of a stage, through its link.
    pub(crate) fn text(&self, stage: &str) -> String {
        fs_err::read_to_string(self.path("out/c").join(stage).join(TEXT)).unwrap()
    }

    pub(crate) fn options(&self) -> RunOptions {
        options(self.dir.path())
    }

    pub(crate) fn run(&self, nodes: Vec<Node>) -> RunReport {
        self.try_run(nodes, &RunOptions { wait_lock: SHORTLY, ..self.options() }).unwrap()
    }

    pub(crate) fn try_run(&self, nodes: Vec<Node>, options: &RunOptions) -> Result<RunReport, Error> {
        run(&graph(nodes), options, &Cancel::default(), &Unobserved)
    }

    pub(crate) fn plan(&self, nodes: Vec<Node>) -> Plan {
        plan(&graph(nodes), &self.options(), &Cancel::default(), &Unobserved).unwrap()
    }

    /// Why a stage is what it is, compared with its current artifact or with `against`.
    pub(crate) fn explain(&self, nodes: Vec<Node>, stage: &str, against: Option<&str>) -> Explanation {
        self.try_explain(nodes, stage, against).unwrap()
    }

    pub(crate) fn try_explain(
        &self,
        nodes: Vec<Node>,
        stage: &str,
        against: Option<&str>,
    ) -> Result<Explanation, Error> {
        explain(&graph(nodes), &self.options(), stage, against, &Cancel::default(), &Unobserved)
    }

    /// A run of all stages: `read ran`, ...
    pub(crate) fn outcomes(&self, nodes: Vec<Node>) -> Vec<String> {
        outcomes(&self.run(nodes))
    }

    /// Every path in the project, but for those that begin so.
    pub(crate) fn listing(&self, but: &[&str]) -> Vec<String> {
        let mut found = vec![];
        let mut folders = vec![self.dir.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs_err::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                let relative = path.strip_prefix(self.dir.path()).unwrap().display().to_string();
                if path.is_dir() && !path.is_symlink() {
                    folders.push(path);
                }
                if !but.iter().any(|start| relative.starts_with(start)) {
                    found.push(relative);
                }
            }
        }
        found.sort();
        found
    }

    /// What `gc` removes.
    pub(crate) fn collect(&self) -> Survey {
        let gc = Gc {
            store: &self.store(),
            rules: Rules::default(),
            forget: vec![],
            shown: ".pipeline".to_owned(),
            command: "pipeline gc".to_owned(),
            wait_lock: SHORTLY,
            cancel: &Cancel::default(),
            observer: &Unobserved,
        };
        gc.collect().unwrap()
    }

    pub(crate) fn store(&self) -> Store {
        Store::existing(&self.path(".pipeline")).unwrap()
    }

    /// What `verify` says of every artifact.
    pub(crate) fn verify(&self) -> Vec<Verified> {
        let targets = verify::all(&self.store()).unwrap();
        verify::verify(targets, &Silent, &Cancel::default()).unwrap()
    }

    /// Changes a byte of the text in the folder of an artifact, and neither its size nor its time nor its inode.
    pub(crate) fn flip(&self, artifact: &Path) {
        let path = artifact.join(TEXT);
        let before = fs_err::metadata(&path).unwrap();
        let mut bytes = fs_err::read(&path).unwrap();
        bytes[0] ^= 1;
        // Files of artifacts are read-only.
        fs_err::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let mut file = fs_err::OpenOptions::new().write(true).open(&path).unwrap();
        file.write_all(&bytes).unwrap();
        file.file().set_modified(before.modified().unwrap()).unwrap();
        drop(file);
        fs_err::set_permissions(&path, before.permissions()).unwrap();
        let stat = |found: &std::fs::Metadata| (found.len(), found.mtime_nsec(), found.ino());
        assert_eq!(stat(&fs_err::metadata(&path).unwrap()), stat(&before));
    }

    /// What is in a folder of the store.
    pub(crate) fn in_store(&self, folder: &str) -> Vec<String> {
        let entries = fs_err::read_dir(self.path(".pipeline").join(folder));
        let names = entries.into_iter().flatten().map(|e| e.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }
}

pub(crate) fn options(root: &Path) -> RunOptions {
    RunOptions {
        root: root.to_owned(),
        folder: root.to_owned(),
        store: root.join(".pipeline"),
        out: root.join("out"),
        config: "c".to_owned(),
        seed: 1,
        threads: NonZeroUsize::MIN,
        jobs: NonZeroUsize::MIN,
        memory_bytes: None,
        keep_going: false,
        retries: 0,
        checkpoint_every: CheckpointEvery::Steps(7),
        device: "cpu".to_owned(),
        pipeline_version: "0.0.0".to_owned(),
        selection: Selection::default(),
        shard: None,
        wait_lock: None,
        command: "pipeline run configs/c.yaml".to_owned(),
    }
}

/// So many jobs on so many threads.
pub(crate) fn jobs(jobs: usize, threads: usize, options: RunOptions) -> RunOptions {
    let number = |n| NonZeroUsize::new(n).unwrap();
    RunOptions { jobs: number(jobs), threads: number(threads), ..options }
}

pub(crate) fn outcomes(report: &RunReport) -> Vec<String> {
    report.stages.iter().map(|s| format!("{} {}", s.name, s.outcome.word())).collect()
}

pub(crate) fn graph(nodes: Vec<Node>) -> Graph {
    Graph::new(nodes).unwrap()
}

fn node(name: &str, stage: &'static dyn AnyStage, params: &Value, inputs: &[(&str, &[&str])]) -> Node {
    let owned = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
    Node {
        name: name.to_owned(),
        stage,
        params: stage.resolve(params).unwrap(),
        inputs: inputs.iter().map(|(input, names)| ((*input).to_owned(), owned(names))).collect(),
    }
}

/// `read`, over the folder `texts`.
pub(crate) fn read() -> Node {
    read_from(json!({"path": "texts"}))
}

pub(crate) fn read_from(params: Value) -> Node {
    node("read", &Read, &params, &[])
}

pub(crate) fn draw() -> Node {
    node("draw", &Draw, &json!({}), &[])
}

/// Joins the texts of the stages `of`.
pub(crate) fn join(name: &str, params: Value, of: &[&str]) -> Node {
    let inputs: &[(&str, &[&str])] = if of.is_empty() { &[] } else { &[("texts", of)] };
    node(name, &Join, &params, inputs)
}

/// The same in the stage kind's next version.
pub(crate) fn join2(name: &str, params: Value, of: &[&str]) -> Node {
    node(name, &Join2, &params, &[("texts", of)])
}

/// `read`, then `middle` with the text "x", then `last` with the text "y".
pub(crate) fn chain() -> Vec<Node> {
    chain_with(json!({"text": "x"}))
}

pub(crate) fn chain_with(middle: Value) -> Vec<Node> {
    vec![read(), join("middle", middle, &["read"]), join("last", json!({"text": "y"}), &["middle"])]
}

/// Keeps what it is told, a line each.
#[derive(Default)]
pub(crate) struct Listener(Mutex<Vec<String>>);

impl Listener {
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
    fn add(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }
}

impl Observer for Listener {
    fn source_event(&self, stage: &str, source: &str, event: &Event) {
        match event {
            Event::Begin { what, total, unit } => {
                self.add(format!("{stage}.{source}: {what} {total:?} {unit}"))
            }
            Event::Note(text) => self.add(format!("{stage}.{source}: {text}")),
            _ => {}
        }
    }
    fn planned(&self, plan: &Plan) {
        self.add(format!("planned: {} fresh, {} to run", plan.fresh(), plan.to_run()));
    }
    fn stage_started(&self, name: &str, reason: &str) {
        self.add(format!("{name} started: {reason}"));
    }
    fn stage_event(&self, name: &str, event: &Event) {
        if let Event::Warning(text) = event {
            self.add(format!("{name} warns: {text}"));
        }
    }
    fn stage_finished(&self, name: &str, report: &pipeline_runner::StageReport) {
        self.add(format!("{name} {}", report.outcome.word()));
    }
    fn waiting(&self, message: &str) {
        self.add(format!("waiting: {message}"));
    }
}
