//! The `augment` stage: what is done to photos in training, as numbers and as pictures.
//!
//! In: the photo table of `ingest`. Out: `policy.json`, the policy with every parameter written out;
//! `views.parquet`, which views of each photo there are and the numbers drawn for them; `preview.png` and
//! `preview.html`, which show what the policy makes of photos. See `README.md`.
//!
//! Pixels are read for the preview only. Stages that follow make the views, from the numbers of the table
//! (`precompute`), or from the policy (fine-tuning).

mod error;
mod preview;
mod samples;

use std::path::Path;

use pipeline_photo::augmentation::POLICY_FILE;
use pipeline_photo::{Augmentation, BatchMix, Border, Policy, PolicyChoice, policy, test_time};
use pipeline_stage::params::{Parameters, Problem, check_part};
use pipeline_stage::{Context, Cost, Failure, Input, Source, Stage, Summary, words};
use pipeline_table::images::{IMAGES_FILE, PHOTOS};
use pipeline_table::{ImageRow, ImagesReader, Split, VIEWS_FILE, Verdict, ViewRow, ViewsWriter};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use error::Error;
use samples::Samples;

/// The stage kind `augment`.
#[derive(Debug, Clone, Copy)]
pub struct Augment;

/// Transforms that are named in a line; more are counted.
const MOST_NAMED: usize = 6;

/// Parameters of `augment`. The defaults are the lesson's.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Name of a policy (none, basic, side_on, top_down, rand_augment, trivial_augment), or a list of transforms in order.
    #[serde(default = "default_policy")]
    pub policy: PolicyChoice,
    /// Largest factor by which a named policy scales the photo before the crop, 1 to 10. A list has `scale` for that.
    #[serde(default = "default_max_zoom")]
    pub max_zoom: f64,
    /// What lies beyond the edges of a photo: reflect (mirrored), edge (the last pixels repeated) or black.
    #[serde(default)]
    pub border: Border,
    /// How many augmented views of each photo are precomputed beside the plain one, 0 to 100; the head then draws one of them all in each epoch.
    #[serde(default)]
    #[schemars(range(max = 100))]
    pub cached_views: u32,
    /// How fine-tuning mixes the photos of a batch: mixup, cutmix, both or, left out, neither. The head does not mix.
    #[serde(default)]
    pub mix: BatchMix,
}

/// The lesson's, for dogs and cats.
fn default_policy() -> PolicyChoice {
    PolicyChoice::named("side_on").unwrap_or_else(|| unreachable!("it is on the list"))
}

/// The lesson's.
fn default_max_zoom() -> f64 {
    1.1
}

impl Parameters for Params {
    fn check(&self, problems: &mut Vec<Problem>) {
        self.policy.check("policy", problems);
        if !(1.0..=10.0).contains(&self.max_zoom) {
            let message = format!("expected a factor from 1 to 10, found {}", words::number(self.max_zoom));
            problems.push(Problem::new("max_zoom", message));
        }
        // What would have no effect is not taken in silence.
        if self.max_zoom != default_max_zoom() {
            let hint = format!("put `scale: {{ max: {} }}` into a list of transforms", self.max_zoom);
            let found = match self.policy {
                PolicyChoice::Steps(_) => Some("is a list"),
                PolicyChoice::Named(policy) if !policy.scales => Some("does not"),
                _ => None,
            };
            problems.extend(found.map(|found| {
                let message = format!("it belongs to named policies that scale, and `policy` {found}");
                Problem::new("max_zoom", message).hint(hint)
            }));
        }
        if self.cached_views > 100 {
            let message = format!("expected 0 to 100 views, found {}", self.cached_views);
            problems.push(Problem::new("cached_views", message));
        }
        check_part("mix", problems, |problems| self.mix.check(problems));
    }
}

impl Params {
    fn augmentation(&self) -> Augmentation {
        let policy = Policy { border: self.border, steps: self.policy.steps(self.max_zoom) };
        Augmentation { policy, mix: self.mix.clone() }
    }

    /// The policy in a few words.
    fn words(&self) -> String {
        match &self.policy {
            PolicyChoice::Named(policy) if policy.scales => {
                format!("{}, max_zoom {}", policy.name, self.max_zoom)
            }
            PolicyChoice::Named(policy) => policy.name.to_owned(),
            PolicyChoice::Steps(steps) if steps.is_empty() => "no transforms".to_owned(),
            PolicyChoice::Steps(steps) if steps.len() > MOST_NAMED => format!("{} transforms", steps.len()),
            PolicyChoice::Steps(steps) => steps.iter().map(|step| step.name()).collect::<Vec<_>>().join(", "),
            PolicyChoice::Wrong(..) => String::new(),
        }
    }
}

impl Stage for Augment {
    const KIND: &'static str = "augment";
    const VERSION: u32 = 1;
    const SUMMARY: &'static str = "what is done to photos in training, as numbers and as pictures";
    const PRODUCES: &'static str = "augmentation";
    const INPUTS: &'static [Input] = &[Input {
        name: "images",
        accepts: "images",
        reads: &[IMAGES_FILE],
        many: false,
        optional: false,
        doc: "the photo table of ingest",
    }];
    const USES_SEED: bool = true;
    const LOCATORS: &'static [&'static str] = &[];
    type Params = Params;

    fn sources(_: &Params) -> Vec<Source> {
        vec![]
    }

    fn cost(_: &Params, _: u64) -> Cost {
        // The photos of the preview, one decoded at a time.
        Cost::one_thread(300_000_000)
    }

    fn run(params: &Params, cx: &Context<'_>) -> Result<Summary, Failure> {
        let images = cx.input("images");
        let table = images.path(IMAGES_FILE);
        let photos = images.source(PHOTOS)?;
        let augmentation = params.augmentation();
        let mut json = serde_json::to_string_pretty(&augmentation.to_json()).map_err(Error::Json)?;
        json.push('\n');
        fs_err::write(cx.out.join(POLICY_FILE), json).map_err(Error::Io)?;

        let samples = write_views(params.cached_views, &augmentation.policy, &table, cx)?;
        if samples.is_empty() {
            return Err(Error::NoPhotos.into());
        }
        preview::write(&params.words(), &augmentation.policy, &samples.into_rows(), photos, cx)?;

        let mut summary = Summary::default();
        let cached = match params.cached_views {
            0 => String::new(),
            1 => ", 1 augmented view of each photo".to_owned(),
            views => format!(", {} augmented views of each photo", words::count(u64::from(views))),
        };
        summary.line = format!("{}{cached}, preview.png", params.words());
        if params.cached_views == 0 && !augmentation.policy.steps.is_empty() {
            let note = "the head trains on plain views; to train it on augmented ones too, set";
            summary.notes.push(format!("{note} {}.cached_views", cx.stage));
        }
        if params.mix.mixup.is_some() || params.mix.cutmix.is_some() {
            let text = "mix takes effect where a stage trains on pixels: the head, trained on features, does not mix";
            summary.notes.push(text.to_owned());
        }
        Ok(summary)
    }
}

/// Writes the table of views, and picks the photos of the preview on the way.
fn write_views(views: u32, policy: &Policy, table: &Path, cx: &Context<'_>) -> Result<Samples, Failure> {
    let progress = cx.progress("draw views", None, "photos");
    let columns: Vec<String> = policy.columns().into_iter().map(|column| column.name).collect();
    let path = cx.out.join(VIEWS_FILE);
    // Without augmented views the table says nothing of the policy, so that what reads it does not depend on it.
    let mut writer = match views {
        0 => ViewsWriter::create(&path, None, &[])?,
        _ => ViewsWriter::create(&path, Some(&policy.to_json()), &columns)?,
    };
    let plain = if views == 0 { vec![] } else { policy.neutral() };
    let mut samples = Samples::new(cx.seed);
    for row in ImagesReader::open(table)? {
        let row = row?;
        if row.verdict == Verdict::Bad {
            continue;
        }
        writer.write(ViewRow { id: row.id.clone(), view: 0, numbers: plain.clone() })?;
        for view in 1..=views {
            writer.write(ViewRow {
                id: row.id.clone(),
                view,
                numbers: draw(policy, &row, view, cx.seed)?,
            })?;
        }
        samples.offer(row);
        progress.add(1)?;
    }
    writer.finish()?;
    Ok(samples)
}

/// The numbers of a view. Photos that are not trained on get those of test-time augmentation.
fn draw(of: &Policy, row: &ImageRow, view: u32, seed: u64) -> Result<Vec<f32>, Error> {
    let (Some(width), Some(height)) = (row.width, row.height) else {
        return Err(Error::NoSize { id: row.id.clone() });
    };
    let stream = match row.split {
        Split::Train => policy::stream(seed, 0, &row.id, view),
        Split::Valid | Split::Test => test_time::stream(seed, &row.id, view),
    };
    Ok(of.draw(&mut stream.start(), width, height))
}
