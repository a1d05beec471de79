//! The `submit` stage: what models say of unlabelled photos, as a file that Kaggle takes.
//!
//! In: photos, models, and, where the gain of clipping is to be measured, an evaluation of these models. Out: `submission.csv`,
//! a row for each photo of the split, and `submission.json`, what is in it; see `README.md`.
//!
//! Photos flow through lanes, one per thread, as in precompute. Memory holds the rows, since they are sorted by id: some 100
//! bytes for each photo of two classes.
//!
//! Reading order: this file, `lane`, `clip`, `worth`, `sheet`.

mod clip;
mod error;
mod lane;
mod sheet;
mod worth;

use std::collections::BTreeMap;
use std::path::Path;

use pipeline_nn::Dtype;
use pipeline_nn::artifact::{HEAD_FILE, MODEL_FILE, TRUNK_FILE};
use pipeline_photo::augmentation::POLICY_FILE;
use pipeline_photo::{Augmentation, MOST_RANDOM, Tta};
use pipeline_predict::{Options, Predictor, Views};
use pipeline_stage::params::{Parameters, Problem};
use pipeline_stage::{
    Artifact, Context, Cost, Event, Failure, Hint, Input, Source, Stage, Summary, lanes, words,
};
use pipeline_table::classes::{self, CLASSES_FILE};
use pipeline_table::images::{IMAGES_FILE, PHOTOS};
use pipeline_table::predictions::PREDICTIONS_FILE;
use pipeline_table::{ImageRow, ImagesReader, Mode, Split, Verdict};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use clip::clip;
pub use error::Error;
use lane::{Lane, Said};
pub use sheet::IdFrom;
use sheet::Sheet;
pub use worth::Worth;

/// The stage kind `submit`.
#[derive(Debug, Clone, Copy)]
pub struct Submit;

/// Parameters of `submit`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// The split whose photos are submitted.
    #[serde(default = "default_split")]
    pub split: Split,
    /// Test-time augmentation, the mean of several views' probabilities: a number of random views of the training policy besides the plain one, 0 to 64 (the lesson's is 4); or flip, five_crop, ten_crop.
    #[serde(default)]
    pub tta: Tta,
    /// How sure an answer may be at most: no probability is above 1 - clip. 0 to 0.5; 0 leaves them as they are.
    #[serde(default = "default_clip")]
    pub clip: f64,
    /// The class whose probability the one column holds, where there are two; not set: the second (dogs of cats and dogs). Of more classes each has a column, and this is not used.
    #[serde(default)]
    pub positive_class: Option<String>,
    /// What of a photo's path is its id: stem (12 of test1/12.jpg), name or path.
    #[serde(default)]
    pub id_from: IdFrom,
    /// Header of the ids.
    #[serde(default = "default_id_column")]
    pub id_column: String,
    /// Header of the probabilities where there are two classes; of more the headers are the classes' names.
    #[serde(default = "default_label_column")]
    pub label_column: String,
    /// What trunks compute in: f32, bf16, or auto (bf16 where this machine has instructions for it).
    #[serde(default)]
    pub dtype: Dtype,
}

fn default_split() -> Split {
    Split::Test
}

/// As the lesson's forum found it best for dogs and cats.
fn default_clip() -> f64 {
    0.02
}

fn default_id_column() -> String {
    "id".to_owned()
}

fn default_label_column() -> String {
    "label".to_owned()
}

impl Parameters for Params {
    fn settle(&mut self) {
        self.dtype = self.dtype.settled();
    }

    fn check(&self, problems: &mut Vec<Problem>) {
        if !(0.0..=0.5).contains(&self.clip) {
            let message = format!("expected 0 to 0.5, found {}", self.clip);
            problems.push(Problem::new("clip", message));
        }
        if self.id_column == self.label_column {
            let message =
                format!("expected another name than that of label_column, found {:?}", self.id_column);
            problems.push(Problem::new("id_column", message));
        }
        if let Tta::Random(views) = self.tta
            && views > MOST_RANDOM
        {
            let message = format!("expected 0 to {MOST_RANDOM} views, found {views}");
            problems.push(Problem::new("tta", message));
        }
    }
}

/// The file to upload.
pub const SUBMISSION_FILE: &str = "submission.csv";
/// A [`Submission`].
pub const RECORD_FILE: &str = "submission.json";
/// Batches that may wait before each lane, and behind it.
const WAITING: usize = 2;
/// How many photos are named in a warning.
const NAMED: usize = 3;

/// `submission.json`: what is in the submission.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Submission {
    /// Version of this record's form.
    pub format: u32,
    /// The split.
    pub split: Split,
    /// Header of the numbers: `label`, or the classes.
    pub columns: Vec<String>,
    /// The class whose probability `label` is; null of more than two classes.
    pub positive_class: Option<String>,
    /// Rows.
    pub photos: u64,
    /// Ids of photos that ingest has set aside: their probabilities are the classes' shares in train.
    pub set_aside: Vec<String>,
    /// The parameter.
    pub clip: f64,
    /// Photos whose probabilities clipping has changed.
    pub clipped: u64,
    /// What clipping is worth on labelled photos; null where that is not known.
    pub worth: Option<Worth>,
}

impl Submission {
    fn write(&self, path: &Path) -> Result<(), Error> {
        let text = serde_json::to_string_pretty(self).map_err(std::io::Error::from)?;
        Ok(fs_err::write(path, text + "\n")?)
    }
}

impl Stage for Submit {
    const KIND: &'static str = "submit";
    const VERSION: u32 = 1;
    const SUMMARY: &'static str = "what models say of unlabelled photos, as a file for Kaggle";
    const PRODUCES: &'static str = "submission";
    const INPUTS: &'static [Input] = &[
        Input {
            name: "images",
            accepts: "images",
            reads: &[IMAGES_FILE, CLASSES_FILE],
            many: false,
            optional: false,
            doc: "the photo table of ingest",
        },
        Input {
            name: "augment",
            accepts: "augmentation",
            reads: &[POLICY_FILE],
            many: false,
            optional: true,
            doc: "the training policy, for random views of `tta`",
        },
        Input {
            name: "models",
            accepts: "model",
            reads: &[MODEL_FILE, HEAD_FILE, TRUNK_FILE],
            many: true,
            optional: false,
            doc: "the models to ask; of several the mean of their probabilities",
        },
        Input {
            name: "evaluation",
            accepts: "report",
            reads: &[PREDICTIONS_FILE],
            many: false,
            optional: true,
            doc: "these models measured on labelled photos, to tell what clipping is worth",
        },
    ];
    const USES_SEED: bool = true;
    const LOCATORS: &'static [&'static str] = &[];
    type Params = Params;

    fn sources(_: &Params) -> Vec<Source> {
        vec![]
    }

    fn check_inputs(params: &Params, inputs: &BTreeMap<String, Vec<String>>) -> Vec<Problem> {
        let problem = |error: Error| Problem { hint: error.hint(), ..Problem::new("tta", error.to_string()) };
        lacking(params, inputs.contains_key("augment")).map(problem).into_iter().collect()
    }

    fn cost(_: &Params, input_bytes: u64) -> Cost {
        Cost::any_threads(input_bytes.saturating_mul(2).saturating_add(500_000_000), 300_000_000)
    }

    fn run(params: &Params, cx: &Context<'_>) -> Result<Summary, Failure> {
        if let Some(error) = lacking(params, cx.optional_input("augment").is_some()) {
            return Err(error.into());
        }
        let images = cx.input("images");
        let classes = classes::read(&images.path(CLASSES_FILE))?;
        let positive = positive(params, &classes)?;
        let listed = Listed::of(images, params.split, classes.len())?;
        if listed.usable + listed.set_aside.len() as u64 == 0 {
            return Err(Error::NoPhotos { split: params.split }.into());
        }
        let models = models(params, cx, &classes)?;

        let mut sheet = Sheet::new(params.id_from);
        let mut clipped = 0;
        let mut add = |said: Said| {
            let mut probs = said.probs.clone();
            clip(&mut probs, params.clip);
            clipped += u64::from(probs != said.probs);
            let numbers = positive.map_or(0..probs.len(), |class| class..class + 1);
            sheet.add(said.id, probs[numbers].iter().map(|prob| *prob as f32).collect());
        };
        let progress = cx.progress("photos through the models", Some(listed.usable), "photos");
        let started = std::time::Instant::now();
        let folder = images.source(PHOTOS)?;
        let lane = |_| Lane::new(&models, folder.to_owned(), cx.cancel.clone());
        let lanes = (0..cx.threads.get()).map(lane).collect::<Result<Vec<_>, _>>()?;
        let at_once = models.iter().map(Predictor::photos_at_once).max().unwrap_or(1);
        lanes::in_order(lanes, WAITING, batches(images, params.split, at_once)?, Lane::ask, |said| {
            progress.add(said.len() as u64)?;
            said.into_iter().for_each(&mut add);
            Ok(())
        })?;
        let seconds = started.elapsed().as_secs_f64();
        // A submission without a row for each photo is refused; nothing is known of these but how common each class is.
        for id in &listed.set_aside {
            add(Said { id: id.clone(), probs: listed.prior.clone() });
        }

        let label = params.label_column.clone();
        let columns = if positive.is_some() { vec![label] } else { classes.clone() };
        let header: Vec<String> = std::iter::once(params.id_column.clone()).chain(columns.clone()).collect();
        let photos = sheet.len() as u64;
        sheet.write(&cx.out.join(SUBMISSION_FILE), &header)?;
        let submission = Submission {
            format: 1,
            split: params.split,
            columns,
            positive_class: positive.map(|class| classes[class].clone()),
            photos,
            set_aside: listed.set_aside,
            clip: params.clip,
            clipped,
            worth: worth(params, cx)?,
        };
        submission.write(&cx.out.join(RECORD_FILE))?;
        if let Some(warning) = set_aside(&submission.set_aside) {
            cx.report.emit(Event::Warning(warning));
        }
        Ok(summary(
            &submission,
            classes.len(),
            cx.optional_input("evaluation").is_some(),
            listed.usable as f64 / seconds.max(1e-9),
        ))
    }
}

/// What cannot be done with the inputs that there are.
fn lacking(params: &Params, has_policy: bool) -> Option<Error> {
    let is_random = matches!(params.tta, Tta::Random(1..));
    (is_random && !has_policy).then_some(Error::TtaWithoutPolicy { tta: params.tta })
}

/// The class whose probability is submitted; `None` where there are more than two and each has a column.
fn positive(params: &Params, classes: &[String]) -> Result<Option<usize>, Error> {
    if classes.len() > 2 {
        return Ok(None);
    }
    let Some(wanted) = &params.positive_class else { return Ok(Some(classes.len() - 1)) };
    let place = classes.iter().position(|class| class == wanted);
    let unknown = || Error::UnknownClass { found: wanted.clone(), classes: classes.to_vec() };
    Ok(Some(place.ok_or_else(unknown)?))
}

/// What ingest lists of a split.
struct Listed {
    usable: u64,
    /// Ids of the photos that are set aside.
    set_aside: Vec<String>,
    /// Share of each class among the usable photos of train: `[classes]`.
    prior: Vec<f64>,
}

impl Listed {
    fn of(images: &Artifact, split: Split, classes: usize) -> Result<Self, Failure> {
        let (mut usable, mut set_aside, mut counts) = (0, vec![], vec![0u64; classes]);
        for row in ImagesReader::open(&images.path(IMAGES_FILE))? {
            let row = row?;
            let is_bad = row.verdict == Verdict::Bad;
            match row.label_id.and_then(|label| counts.get_mut(label as usize)) {
                Some(count) if row.split == Split::Train && !is_bad => *count += 1,
                _ => {}
            }
            match () {
                () if row.split != split => {}
                () if is_bad => set_aside.push(row.id),
                () => usable += 1,
            }
        }
        let total: u64 = counts.iter().sum();
        let share = |count: u64| if total > 0 { count as f64 / total as f64 } else { 1.0 / classes as f64 };
        Ok(Listed { usable, set_aside, prior: counts.into_iter().map(share).collect() })
    }
}

/// The usable photos of the split in order of ids, `at_once` at a time.
fn batches(
    images: &Artifact,
    split: Split,
    at_once: usize,
) -> Result<impl Iterator<Item = Result<Vec<ImageRow>, Failure>> + Send + use<>, Failure> {
    let is_wanted = move |row: &ImageRow| row.verdict != Verdict::Bad && row.split == split;
    let rows = ImagesReader::open(&images.path(IMAGES_FILE))?.map(|row| row.map_err(Failure::from));
    let mut photos = rows.filter(move |row| row.as_ref().map_or(true, is_wanted));
    Ok(std::iter::from_fn(move || match photos.by_ref().take(at_once).collect::<Result<Vec<_>, _>>() {
        Ok(batch) if batch.is_empty() => None,
        batch => Some(batch),
    }))
}

/// The models, loaded, of these classes.
fn models(params: &Params, cx: &Context<'_>, classes: &[String]) -> Result<Vec<Predictor>, Failure> {
    let policy = cx.optional_input("augment").map(|augment| Augmentation::read(&augment.dir)).transpose()?;
    let views = Views::new(params.tta, policy.map(|augmentation| augmentation.policy), cx.seed)?;
    let options = Options { dtype: params.dtype, views, ..Options::default() };
    let mut models = vec![];
    for artifact in cx.inputs("models") {
        let model = Predictor::load(&artifact.dir, options.clone())?;
        if model.classes() != classes {
            let (model, found) = (artifact.stage.clone(), model.classes().to_vec());
            return Err(Error::OtherClasses { model, found, expected: classes.to_vec() }.into());
        }
        models.push(model);
    }
    Ok(models)
}

/// What clipping is worth by the input `evaluation`, where there is one and it measures these models.
fn worth(params: &Params, cx: &Context<'_>) -> Result<Option<Worth>, Failure> {
    let Some(evaluation) = cx.optional_input("evaluation") else { return Ok(None) };
    let mode = if params.tta == Tta::default() { Mode::Plain } else { Mode::Tta };
    let models: Vec<&str> = cx.inputs("models").iter().map(|model| model.stage.as_str()).collect();
    Worth::of(&evaluation.path(PREDICTIONS_FILE), &models, mode, params.clip)
}

/// `3 photos that were set aside have the classes' shares in train as their probabilities (a.jpg, …)`; `None` of none.
fn set_aside(ids: &[String]) -> Option<String> {
    let named: Vec<&str> = ids.iter().take(NAMED).map(String::as_str).collect();
    let more = if ids.len() > NAMED { ", …" } else { "" };
    let (photos, have) = if ids.len() == 1 { ("photo", "has") } else { ("photos", "have") };
    (!ids.is_empty()).then(|| {
        let count = words::count(ids.len() as u64);
        let named = named.join(", ");
        format!(
            "{count} {photos} that ingest has set aside {have} as probabilities the shares of the classes in train: {named}{more}"
        )
    })
}

/// What the stage says in the end.
fn summary(submission: &Submission, classes: usize, is_evaluated: bool, photos_per_second: f64) -> Summary {
    let Submission { photos, columns, positive_class, clip, clipped, worth, .. } = submission;
    let what = match positive_class {
        Some(class) => format!("{} is the probability of {class}", columns[0]),
        None => format!("a probability for each of {classes} classes"),
    };
    let line = format!(
        "{} rows, {what}, {} clipped, {photos_per_second:.0} photos/s",
        words::count(*photos),
        words::count(*clipped)
    );
    // No metrics: it measures nothing, and a sweep's table is about the last stage that does.
    Summary { line, text: explained(*clip, classes, worth.as_ref(), is_evaluated), ..Summary::default() }
}

/// What clipping does to the log loss that Kaggle scores by; `None` where nothing is clipped.
fn explained(bound: f64, classes: usize, worth: Option<&Worth>, is_evaluated: bool) -> Option<String> {
    if bound == 0.0 {
        return None;
    }
    let floor = bound / (classes as f64 - 1.0);
    let costs = format!(
        "Log loss, by which Kaggle scores, grows without an end the surer a wrong answer is. With `clip: {bound}` a sure answer costs \
         {:.4} where it is right, instead of nearly 0, and {:.2} where it is wrong, instead of up to {:.1}.",
        -(1.0 - bound).ln(),
        -floor.ln(),
        -1e-15_f64.ln(),
    );
    let gain = match worth {
        Some(worth) => worth.sentence(bound),
        None if is_evaluated => "What that gains is not known: `evaluation` has no labelled photo that all of `models` were asked about.".to_owned(),
        None => "What that gains is told where the pipeline gives submit the input `evaluation`.".to_owned(),
    };
    Some(format!("{costs}\n{gain}"))
}
