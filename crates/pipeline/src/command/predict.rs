//! `pipeline predict MODEL PATHS...`: what a model says of photos that are in no data set.
//!
//! - `asked`: the photos, with `walk`, `glob` and `list`.
//! - `form`, `output`, `out_file`: how answers look, where they go, and whether a file may be put there.
//! - `desk`: where answers come in.
//! - `sorter`: photos copied or moved by class.
//! - `tally`: what is said in the end.
//!
//! Photos flow through lanes, one per thread, as in `precompute`; answers come out in the order of the photos, are written, and
//! forgotten.

mod asked;
mod desk;
mod form;
mod glob;
mod list;
mod out_file;
mod output;
mod sorter;
mod tally;
mod walk;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Instant;

use pipeline_nn::Dtype;
use pipeline_nn::artifact::{MODEL_FILE, ModelRecord};
use pipeline_photo::augmentation::POLICY_FILE;
use pipeline_photo::{Augmentation, Policy, Tta};
use pipeline_predict::{Options, Photo, Predictor, Views};
use pipeline_stage::{Cancel, Failure, Progress, exit, lanes};

use super::Stop;
use super::how::hash_on;
use super::interrupt::Interrupt;
use super::model_folder;
use crate::terminal::{Header, Screen, Style, Teller, watch};
use asked::Asked;
use desk::{Desk, Early};
use form::{Form, Format};
use output::Output;
use sorter::{Sorter, sorted_into};
use tally::Tally;

/// The label, and the folder, of photos whose largest probability is below the threshold.
const UNSURE: &str = "unsure";

/// Batches that may wait before each lane, and behind it.
const WAITING: usize = 2;

/// Predict the classes of photos with a trained model
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  pipeline predict out/dogscats/finetune photos\n  \
    pipeline predict out/dogscats/head 'photos/*.jpg' --out answers.csv --top 3\n  \
    find photos -name '*.jpg' -print0 | pipeline predict model - --null --format json\n  \
    pipeline predict model photos --copy-into sorted --threshold 0.9\n\n\
    Files in folders are met as ingest meets them: sorted, without hidden files, links followed. Every file is looked at, \
    whatever its name; one that is no photo, or a damaged one, is an answer with the reason. Probabilities are those of \
    evaluate for the same model, photo, --dtype and views; but random views (--tta N) are drawn from what is in the file, \
    and by evaluate from the photo's id. Rows are in the order of the photos. Parquet and CSV have the probability of \
    every class. Without --out a table is printed to a terminal, and CSV to anything else.")]
pub(super) struct Arguments {
    /// What a stage that trains has left, such as out/CONFIG/head, or a copy of that folder
    model: PathBuf,
    /// Photos, folders of photos, patterns such as 'photos/*.jpg', or - for a list of paths on standard input
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// The format of the answers [default: as FILE ends, else a table for a terminal and CSV for anything else]
    #[arg(long)]
    format: Option<Format>,
    /// Write the answers into this file, which appears when it is whole
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace the file of --out
    #[arg(long)]
    force: bool,
    /// Name the K most probable classes of each photo
    #[arg(long, value_name = "K", default_value_t = 1, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..))]
    top: u32,
    /// Call photos unsure whose largest probability is below P, from 0 to 1
    #[arg(long, value_name = "P", allow_negative_numbers = true, value_parser = probability)]
    threshold: Option<f32>,
    /// Average the probabilities of several views of each photo: flip, five_crop, ten_crop, or so many random views besides
    /// the plain one, which need --policy
    #[arg(long, value_name = "VIEWS", allow_negative_numbers = true)]
    tta: Option<Tta>,
    /// The artifact of augment, such as out/CONFIG/augment, whose policy draws random views
    #[arg(long, value_name = "FOLDER", requires = "tta")]
    policy: Option<PathBuf>,
    /// Another seed draws other random views
    #[arg(long, default_value_t = 42, requires = "tta", allow_negative_numbers = true)]
    seed: u64,
    /// What the trunk computes in: f32, bf16, or auto (bf16 where this machine has instructions for it)
    #[arg(long, default_value = "auto", value_parser = dtype)]
    dtype: Dtype,
    /// Copy each photo into the folder of its class in DIR; unsure ones into unsure, bad ones nowhere
    #[arg(long, value_name = "DIR", conflicts_with = "move_into")]
    copy_into: Option<PathBuf>,
    /// Move each photo into the folder of its class in DIR once its answer is written; unsure ones into unsure, bad ones stay. What
    /// DIR has in these folders already is not asked about
    #[arg(long, value_name = "DIR")]
    move_into: Option<PathBuf>,
    /// Paths on standard input end in the byte 0, as `find -print0` writes them, and not in a line break
    #[arg(short = '0', long)]
    null: bool,
    /// End with exit code 1 where a photo is bad
    #[arg(long)]
    strict: bool,
    /// Threads to use [default: all processors]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u16).range(1..=4096))]
    threads: Option<u16>,
    /// Print answers and errors only
    #[arg(long)]
    quiet: bool,
}

pub(super) fn run(arguments: &Arguments, screen: &Screen) -> Result<u8, Stop> {
    let interrupt = Interrupt::listen();
    let cancel = &interrupt.cancel;
    let ended_early = |Early { failure, moved }| {
        let (message, hint, code) = match failure {
            Failure::Cancelled => {
                let not_written = |out: &PathBuf| format!("; `{}` was not written", out.display());
                let not_written = arguments.out.as_ref().map(not_written).unwrap_or_default();
                let code = interrupt.exit_code().unwrap_or(exit::INTERRUPTED);
                (format!("interrupted{not_written}"), None, code)
            }
            Failure::Failed { message, hint, .. } => (message, hint, exit::STAGE_FAILED),
        };
        let moved = moved.map(|moved| format!("; {moved}")).unwrap_or_default();
        Stop::Error { message: message + &moved, hint, code }
    };
    let ended = |failure| ended_early(Early { failure, moved: None });
    let format = arguments.format(screen)?;
    let folder = model_folder::folder(&arguments.model)?;
    let views = Views::new(arguments.tta.unwrap_or_default(), arguments.policy()?, arguments.seed);
    let views = views.map_err(|error| Stop::new(exit::USAGE, &error))?;
    let out = arguments.out.as_deref();
    out.map(|out| out_file::check(out, arguments.force)).transpose()?;
    let into = arguments.copy_into.as_deref().or(arguments.move_into.as_deref());
    let record = ModelRecord::read(&folder.join(MODEL_FILE));
    let record = record.map_err(|error| Stop::new(exit::STAGE_FAILED, &error))?;
    let own = out.into_iter().map(Path::to_owned).chain(sorted_into(into, &record.classes)).collect();
    let asked = Asked::of(&arguments.paths, own, arguments.null)?;
    let count = asked.count(cancel).map_err(ended)?;
    if count.photos == Some(0) {
        let left_out = count.left_out().map_or(String::new(), |left_out| format!(" ({left_out})"));
        return Err(Stop::usage(
            format!("there are no photos in {}{left_out}", asked.shown()),
            "name a folder with photos in it",
        ));
    }

    let threads = arguments.threads.map_or_else(
        || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
        |threads| NonZeroUsize::new(threads.into()).unwrap_or(NonZeroUsize::MIN),
    );
    hash_on(threads.get());
    let options = Options { dtype: arguments.dtype, views, ..Options::default() };
    let predictor =
        Predictor::load(&folder, options).map_err(|error| Stop::new(exit::STAGE_FAILED, &error))?;
    let classes = predictor.classes().to_vec();
    if arguments.threshold.is_some() && classes.iter().any(|class| class == UNSURE) {
        let message = format!("cannot call photos `{UNSURE}`: the model has a class of that name");
        return Err(Stop::usage(message, "leave --threshold out, and compare the confidence afterwards"));
    }
    let sorter = into.map(|into| Sorter::of(into, arguments.move_into.is_some(), &classes)).transpose()?;
    let form = Form::new(format, &classes, arguments.top as usize);
    let output = Output::begin(form, out, screen).map_err(ended)?;

    let header = Header { width: NAME.len(), ..Header::default() };
    // Answers on a terminal say themselves how far it is.
    let is_quiet = arguments.quiet || (arguments.out.is_none() && screen.size().is_some());
    let observer = watch(Style::choose(is_quiet, false, screen), &header, screen);
    let teller = Teller { name: NAME, observer: observer.as_ref() };
    let mut desk = Desk {
        output,
        out: out.map(|out| (out, arguments.force)),
        sorter,
        tally: Tally::new(classes.len()),
        threshold: arguments.threshold,
        report: &teller,
        classes: &classes,
    };
    let started = Instant::now();
    let looked = look(predictor, threads, &asked, count.photos, cancel, &mut desk);
    let done = desk.end(looked);
    drop(observer);
    let done = done.map_err(ended_early)?;

    if !arguments.quiet {
        screen.error(&done.tally.line(&classes, started.elapsed().as_secs_f64()));
        count.left_out().into_iter().for_each(|line| screen.error(&line));
        done.placed.iter().for_each(|line| screen.error(line));
        if let Some(out) = &arguments.out {
            screen.error(&format!("answers: {}", out.display()));
        }
    }
    let is_failed = done.tally.unplaced > 0 || (arguments.strict && done.tally.bad() > 0);
    Ok(if is_failed { exit::STAGE_FAILED } else { exit::DONE })
}

/// What bars and warnings are called by.
const NAME: &str = "predict";

/// Shows all photos to the model.
fn look(
    predictor: Predictor,
    threads: NonZeroUsize,
    asked: &Asked,
    count: Option<u64>,
    cancel: &Cancel,
    desk: &mut Desk<'_>,
) -> Result<(), Failure> {
    let at_once = predictor.photos_at_once();
    let progress = Progress::begin(desk.report, cancel, "photos through the model", count, "photos");
    let mut lanes = vec![];
    for _ in 1..threads.get() {
        lanes.push(predictor.share()?);
    }
    lanes.push(predictor);
    let ask = |predictor: &mut Predictor, paths: Vec<PathBuf>| {
        cancel.check()?;
        let photos: Vec<Photo<'_>> = paths.iter().map(|path| Photo::File(path)).collect();
        let answers = predictor.predict(&photos)?;
        Ok(paths.into_iter().zip(answers).collect::<Vec<_>>())
    };
    let batches = Batches { photos: asked.photos(cancel), size: at_once };
    let mut is_closed = false;
    let looked = lanes::in_order(lanes, WAITING, batches, ask, |answers| {
        progress.add(answers.len() as u64)?;
        desk.take(answers)?;
        is_closed = desk.output.is_closed();
        // Nobody reads any more, which is no failure.
        if is_closed { Err(Failure::Cancelled) } else { Ok(()) }
    });
    match looked {
        Err(Failure::Cancelled) if is_closed => Ok(()),
        other => other,
    }
}

/// Paths in the order of the photos, so many at a time.
struct Batches<P> {
    photos: P,
    size: usize,
}

impl<P: Iterator<Item = Result<PathBuf, Failure>>> Iterator for Batches<P> {
    type Item = Result<Vec<PathBuf>, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch: Result<Vec<PathBuf>, Failure> = self.photos.by_ref().take(self.size).collect();
        match batch {
            Ok(paths) if paths.is_empty() => None,
            batch => Some(batch),
        }
    }
}

impl Arguments {
    fn format(&self, screen: &Screen) -> Result<Format, Stop> {
        let ending = self.out.as_deref().map(|out| (out, Format::of(out)));
        match (self.format, ending) {
            (Some(Format::Parquet), None) => Err(Stop::usage(
                "cannot print Parquet".to_owned(),
                "name a file with --out, such as answers.parquet",
            )),
            (Some(format), _) | (None, Some((_, Some(format)))) => Ok(format),
            (None, Some((out, None))) => {
                let message = format!("`{}` does not say its format", out.display());
                Err(Stop::usage(
                    message,
                    "give --format, or a name that ends in .csv, .json, .parquet or .txt",
                ))
            }
            (None, None) => Ok(if screen.size().is_some() { Format::Table } else { Format::Csv }),
        }
    }

    /// The policy that random views are drawn by.
    fn policy(&self) -> Result<Option<Policy>, Stop> {
        let Some(path) = &self.policy else { return Ok(None) };
        let tta = self.tta.unwrap_or_default();
        if !matches!(tta, Tta::Random(1..)) {
            let message = format!("a policy draws random views, and `--tta {tta}` has none");
            return Err(Stop::usage(message, "leave --policy out, or give a number of views, as in --tta 4"));
        }
        let folder = match path.parent() {
            Some(folder) if path.ends_with(POLICY_FILE) => folder,
            _ => path,
        };
        let read = Augmentation::read(folder).map_err(|error| Stop::new(exit::USAGE, &error))?;
        Ok(Some(read.policy))
    }
}

fn probability(text: &str) -> Result<f32, String> {
    let found = text.parse().ok().filter(|p| (0.0..=1.0).contains(p));
    found.ok_or_else(|| "expected a probability from 0 to 1".to_owned())
}

fn dtype(text: &str) -> Result<Dtype, String> {
    let found = [Dtype::Auto, Dtype::F32, Dtype::Bf16].into_iter().find(|dtype| dtype.as_str() == text);
    found.ok_or_else(|| "expected auto, f32 or bf16".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_full_but_for_the_last_and_end_with_a_failure() {
        let paths = |count: usize| (0..count).map(|i| Ok(PathBuf::from(i.to_string())));
        let sizes: Vec<usize> =
            Batches { photos: paths(7), size: 3 }.map(|batch| batch.unwrap().len()).collect();
        assert_eq!(sizes, [3, 3, 1]);
        let photos = paths(4).chain([Err(Failure::Cancelled)]);
        let mut batches = Batches { photos, size: 3 };
        assert_eq!(batches.next().unwrap().unwrap().len(), 3);
        assert!(matches!(batches.next(), Some(Err(Failure::Cancelled))));
    }

    #[test]
    fn arguments_are_read_as_they_are_written() {
        assert_eq!((probability("0.25"), dtype("bf16")), (Ok(0.25), Ok(Dtype::Bf16)));
        for text in ["-0.1", "1.1", "nan", "x"] {
            assert_eq!(probability(text), Err("expected a probability from 0 to 1".to_owned()), "{text}");
        }
        assert_eq!(dtype("f16"), Err("expected auto, f32 or bf16".to_owned()));
    }
}
