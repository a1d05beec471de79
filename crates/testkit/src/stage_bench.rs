//! [`StageBench`]: one stage at a time, without a runner, in a temporary folder.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use pipeline_stage::{
    AnyStage, Artifact, Cancel, CheckpointEvery, Context, Digest, Event, Failure, Report, Shard, Summary,
};
use serde_json::Value;

/// Runs stages directly, each into a folder of its own.
pub struct StageBench {
    dir: tempfile::TempDir,
    /// The run's seed.
    pub seed: u64,
    /// Threads that a stage may use.
    pub threads: usize,
    /// How often a training writes a checkpoint.
    pub checkpoint_every: CheckpointEvery,
    /// The folder for checkpoints, kept from one run to the next: set it to see a stage go on where it stopped. `None`
    /// gives each run an empty one. Made when it is not there.
    pub partial: Option<PathBuf>,
    /// The part of the work that a worker does; `None` for all of it.
    pub shard: Option<Shard>,
    /// Set it to see what a stage does when it is told to stop.
    pub cancel: Cancel,
    /// Called with each event, on the thread that emits it: set it to stop a stage at a certain step.
    pub on_event: Option<EventHook>,
    /// Where stages keep what spares them work; made by whoever sets it.
    pub memo: Option<PathBuf>,
    events: Mutex<Vec<Event>>,
    runs: std::cell::Cell<usize>,
}

/// What [`StageBench::on_event`] does with an event.
pub type EventHook = Box<dyn Fn(&Event) + Send + Sync>;

/// What came of one stage.
#[derive(Debug)]
pub struct Made {
    /// Its artifact, as another stage's input.
    pub artifact: Artifact,
    /// What it said about it.
    pub summary: Summary,
}

/// Keeps the events, and hands them on.
struct Teller<'a> {
    events: &'a Mutex<Vec<Event>>,
    on_event: Option<&'a EventHook>,
}

impl Report for Teller<'_> {
    fn emit(&self, event: Event) {
        if let Some(on_event) = self.on_event {
            on_event(&event);
        }
        self.events.lock().unwrap().push(event);
    }
}

impl Default for StageBench {
    fn default() -> Self {
        StageBench {
            dir: tempfile::tempdir().unwrap(),
            seed: 42,
            threads: 2,
            checkpoint_every: CheckpointEvery::default(),
            partial: None,
            memo: None,
            shard: None,
            cancel: Cancel::default(),
            on_event: None,
            events: Mutex::default(),
            runs: std::cell::Cell::new(0),
        }
    }
}

impl StageBench {
    /// A folder for sources.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Runs `stage` with parameters as written in a config; `sources` are real paths by name.
    ///
    /// # Errors
    /// What the stage returns.
    ///
    /// # Panics
    /// When the parameters are wrong.
    pub fn run(
        &self,
        stage: &dyn AnyStage,
        params: &Value,
        inputs: &[(&str, Vec<&Artifact>)],
        sources: &[(&str, &Path)],
    ) -> Result<Made, Failure> {
        let params = stage.resolve(params).unwrap_or_else(|problems| panic!("{problems:?}"));
        let run = self.runs.replace(self.runs.get() + 1);
        let out = self.dir.path().join(format!("run-{run}"));
        let partial = self.partial.clone().unwrap_or_else(|| self.dir.path().join(format!("partial-{run}")));
        fs_err::create_dir_all(&out).unwrap();
        fs_err::create_dir_all(&partial).unwrap();
        let sources: BTreeMap<String, PathBuf> =
            sources.iter().map(|(name, path)| ((*name).to_owned(), path.to_path_buf())).collect();
        let teller = Teller { events: &self.events, on_event: self.on_event.as_ref() };
        let context = Context {
            lineage: vec![],
            stage: stage.kind().to_owned(),
            out: out.clone(),
            partial,
            memo: self.memo.clone(),
            inputs: inputs
                .iter()
                .map(|(name, artifacts)| {
                    ((*name).to_owned(), artifacts.iter().map(|a| (*a).clone()).collect())
                })
                .collect(),
            sources: sources.clone(),
            seed: self.seed,
            threads: NonZeroUsize::new(self.threads).unwrap(),
            checkpoint_every: self.checkpoint_every,
            shard: self.shard,
            report: &teller,
            cancel: &self.cancel,
        };
        let summary = stage.run(&params, &context)?;
        let mut files = BTreeMap::new();
        digest_files(&out, &out, &mut files);
        let artifact = Artifact { stage: stage.kind().to_owned(), dir: out, files, sources };
        Ok(Made { artifact, summary })
    }

    /// Everything that stages have said so far.
    pub fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap().clone()
    }

    /// Sets [`StageBench::cancel`] as soon as a stage says that `items` of a piece of work are done. [`StageBench::go_on`]
    /// takes it back.
    pub fn cancel_after_done(&mut self, items: u64) {
        self.cancel_when(move |event| matches!(event, Event::Done(done) if *done >= items));
    }

    /// Sets [`StageBench::cancel`] at the first event of which `is_it` is true.
    pub fn cancel_when(&mut self, is_it: impl Fn(&Event) -> bool + Send + Sync + 'static) {
        let cancel = self.cancel.clone();
        self.on_event = Some(Box::new(move |event| {
            if is_it(event) {
                cancel.cancel();
            }
        }));
    }

    /// A stage may run again: takes back what [`StageBench::cancel_when`] did.
    pub fn go_on(&mut self) {
        (self.cancel, self.on_event) = (Cancel::default(), None);
    }
}

fn digest_files(root: &Path, dir: &Path, files: &mut BTreeMap<String, Digest>) {
    for entry in fs_err::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            digest_files(root, &path, files);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            files.insert(name, Digest::of(&fs_err::read(&path).unwrap()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipeline_stage::{CheckpointEvery, Input, Problem, Source};
    use serde_json::json;

    /// Counts to 5, and keeps how far it is.
    struct Counter;

    impl AnyStage for Counter {
        fn kind(&self) -> &'static str {
            "counter"
        }
        fn version(&self) -> u32 {
            1
        }
        fn summary(&self) -> &'static str {
            "For tests."
        }
        fn produces(&self) -> &'static str {
            "text"
        }
        fn inputs(&self) -> &'static [Input] {
            &[]
        }
        fn uses_seed(&self) -> bool {
            false
        }
        fn locators(&self) -> &'static [&'static str] {
            &[]
        }
        fn records(&self) -> &'static [&'static str] {
            &[]
        }
        fn schema(&self) -> Value {
            json!({})
        }
        fn resolve(&self, given: &Value) -> Result<Value, Vec<Problem>> {
            Ok(given.clone())
        }
        fn sources(&self, _: &Value) -> Result<Vec<Source>, Vec<Problem>> {
            Ok(vec![])
        }
        fn run(&self, _: &Value, cx: &Context<'_>) -> Result<Summary, Failure> {
            assert_eq!(cx.checkpoint_every, CheckpointEvery::Steps(1));
            let checkpoint = cx.partial.join("count");
            let kept = fs_err::read_to_string(&checkpoint).map_or(0, |text| text.parse().unwrap());
            let progress = cx.progress("count", Some(5), "steps");
            for count in kept + 1..=5 {
                fs_err::write(&checkpoint, count.to_string()).unwrap();
                progress.add(1)?;
            }
            Ok(Summary { line: format!("from {kept}"), ..Summary::default() })
        }
    }

    #[test]
    fn a_stage_that_was_stopped_goes_on_where_its_checkpoint_is() {
        let mut bench = StageBench { checkpoint_every: CheckpointEvery::Steps(1), ..StageBench::default() };
        bench.partial = Some(bench.dir().join("kept"));
        bench.cancel_after_done(2);
        assert!(matches!(bench.run(&Counter, &json!({}), &[], &[]), Err(Failure::Cancelled)));
        assert_eq!(bench.events().last(), Some(&Event::Done(2)));
        bench.go_on();
        assert_eq!(bench.run(&Counter, &json!({}), &[], &[]).unwrap().summary.line, "from 2");
        bench.partial = None;
        assert_eq!(bench.run(&Counter, &json!({}), &[], &[]).unwrap().summary.line, "from 0");
    }
}
