//! How many photos a second: decoding alone, the trunk alone, the stage, and a model that predicts, on the same photos and
//! threads, in turn. For
//! `cargo xtask bench precompute`, which puts Python's rates beside them.
//!
//!     cargo run --release -p pipeline-precompute --example rates -- PHOTOS ARCH COUNT THREADS DTYPE [WEIGHTS]
//!
//! The first COUNT of the `.jpg` files in PHOTOS, sorted by path, as the peers take them; the weights are drawn where they are
//! left out. Prints how many they are, and a line for each, as `decode 415.20`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints numbers")]

use std::collections::BTreeMap;
use std::error::Error;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use pipeline_nn::artifact::{BackboneRecord, ModelRecord};
use pipeline_nn::weights::{self, Weights};
use pipeline_nn::{Backbone, Device, Dtype, FoldedTrunk, Head, Pool, Sizes, backbones, device};
use pipeline_photo::{Limits, Loader, Preprocessing, decode};
use pipeline_precompute::Precompute;
use pipeline_predict::{Options, Photo, Predictor};
use pipeline_stage::{Artifact, Digest};
use pipeline_table::{ImageRow, ImagesWriter, Split, Verdict, classes};
use pipeline_testkit::StageBench;
use serde_json::json;

/// The lesson's side, and the stage's own batch.
const SIZE: u32 = 224;
const BATCH: usize = 8;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(job) = Job::of(&arguments) else {
        eprintln!("usage: rates PHOTOS ARCH COUNT THREADS auto|f32|bf16 [WEIGHTS]");
        return ExitCode::from(2);
    };
    match job.measure() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

struct Job<'a> {
    photos: &'a Path,
    arch: &'a str,
    count: usize,
    threads: usize,
    dtype: Dtype,
    weights: Option<&'a Path>,
}

impl<'a> Job<'a> {
    fn of(arguments: &'a [String]) -> Option<Self> {
        let [photos, arch, count, threads, dtype, weights @ ..] = arguments else { return None };
        Some(Job {
            photos: Path::new(photos),
            arch,
            count: count.parse().ok()?,
            threads: threads.parse().ok().filter(|threads| *threads > 0)?,
            dtype: serde_json::from_value(json!(dtype)).ok()?,
            weights: weights.first().map(Path::new),
        })
    }

    fn measure(&self) -> Result<(), Box<dyn Error>> {
        let backbone = backbones::find(self.arch)?;
        let weights = match self.weights {
            Some(file) => weights::read(file)?,
            None => backbone.random_weights(1)?,
        };
        let mut bench = StageBench::default();
        bench.threads = self.threads;
        let (images, rows) = self.images(bench.dir())?;
        println!("photos {}", rows.len());
        let preprocessing = Preprocessing::new(SIZE, backbone.mean, backbone.std);
        let loader = || Loader::new(self.photos.to_owned(), preprocessing, None);

        // Each lane begins with a photo or a batch that is not counted: buffers, oneDNN's kernels, files in memory.
        let decoders = (0..self.threads).map(|_| loader());
        let rate = in_lanes(decoders.collect(), rows.len(), |loader, at| {
            let mut pixels = vec![0.0; loader.view_len()];
            loader.load(&rows[at].id, &rows[at].digest, &[None], &mut pixels)
        })?;
        println!("decode {rate:.2}");

        let trunk = backbone.load(&weights, device::pick())?.folded(self.dtype)?;
        let trunks = (0..self.threads).map(|_| trunk.share()).collect::<Result<Vec<FoldedTrunk>, _>>()?;
        let mut batch = vec![0.0; BATCH * loader().view_len()];
        let mut one = loader();
        for (row, pixels) in rows.iter().zip(batch.chunks_exact_mut(loader().view_len())) {
            one.load(&row.id, &row.digest, &[None], pixels)?;
        }
        let rate = in_lanes(trunks, rows.len().div_ceil(BATCH), |trunk, _| {
            device::set_threads(NonZeroUsize::MIN);
            trunk.features(&batch, SIZE).map(drop)
        })?;
        println!("trunk {:.2}", rate * BATCH as f64);

        let trunk = self.backbone(bench.dir(), backbone, &weights)?;
        let params = json!({"size": SIZE, "batch_size": BATCH, "dtype": self.dtype});
        let inputs = [("images", vec![&images]), ("backbone", vec![&trunk])];
        // Once uncounted, as the others.
        bench.run(&Precompute, &params, &inputs, &[]).map_err(|failure| failure.to_string())?;
        let made = bench.run(&Precompute, &params, &inputs, &[]).map_err(|failure| failure.to_string())?;
        let rate = made.summary.metrics.get("views_per_second").ok_or("the stage names no rate")?;
        println!("stage {rate:.2}");

        let model = model(&trunk, backbone, preprocessing)?;
        let first = Predictor::load(&model, Options { dtype: self.dtype, ..Options::default() })?;
        let mut predictors =
            (1..self.threads).map(|_| first.share()).collect::<Result<Vec<Predictor>, _>>()?;
        predictors.push(first);
        let paths: Vec<PathBuf> = rows.iter().map(|row| self.photos.join(&row.id)).collect();
        let batches: Vec<&[PathBuf]> = paths.chunks(BATCH).collect();
        let rate = in_lanes(predictors, batches.len(), |predictor, at| {
            let photos: Vec<Photo<'_>> = batches[at].iter().map(|path| Photo::File(path)).collect();
            predictor.predict(&photos).map(drop)
        })?;
        println!("predict {:.2}", rate * rows.len() as f64 / batches.len() as f64);
        Ok(())
    }

    /// An artifact of `ingest` that lists the photos, all of them for training, and its rows.
    fn images(&self, dir: &Path) -> Result<(Artifact, Vec<ImageRow>), Box<dyn Error>> {
        let mut paths = jpegs(self.photos)?;
        paths.sort();
        paths.truncate(self.count);
        if paths.is_empty() {
            return Err(format!("no .jpg files in {}", self.photos.display()).into());
        }
        let dir = dir.join("ingest");
        fs_err::create_dir_all(&dir)?;
        let mut rows = Vec::new();
        for path in paths {
            let bytes = fs_err::read(&path)?;
            let photo = decode(&bytes, &Limits::default()).map_err(|e| format!("{}: {e}", path.display()))?;
            let id = path.strip_prefix(self.photos)?.to_str().ok_or("a name that is no UTF-8")?;
            rows.push(ImageRow {
                id: id.to_owned(),
                split: Split::Train,
                label: Some("photo".to_owned()),
                label_id: Some(0),
                width: Some(photo.pixels.width()),
                height: Some(photo.pixels.height()),
                format: Some("jpeg".to_owned()),
                orientation: Some(photo.orientation),
                bytes: bytes.len() as u64,
                digest: Digest::of(&bytes).to_string(),
                appearance: None,
                verdict: Verdict::Ok,
                reason: None,
            });
        }
        rows.sort_by(|a, b| a.id.cmp(&b.id));
        let mut writer = ImagesWriter::create(&dir.join("images.parquet"))?;
        for row in &rows {
            writer.write(row)?;
        }
        writer.finish()?;
        classes::write(&dir.join("classes.json"), &["photo".to_owned()])?;
        let sources = [("photos".to_owned(), self.photos.to_owned())].into();
        Ok((Artifact { stage: "ingest".to_owned(), dir, files: BTreeMap::new(), sources }, rows))
    }

    /// An artifact of `backbone` with these weights.
    fn backbone(
        &self,
        dir: &Path,
        backbone: &'static backbones::Backbone,
        weights: &Weights,
    ) -> Result<Artifact, Box<dyn Error>> {
        let dir = dir.join("backbone");
        fs_err::create_dir_all(&dir)?;
        let file = dir.join("trunk.safetensors");
        let trunk = backbone.load(weights, Device::Cpu)?;
        weights::write_safetensors(&file, trunk.named_tensors(), &BTreeMap::new())?;
        BackboneRecord::new(backbone, "00", false).write(&dir.join("backbone.json"))?;
        let files = [("trunk.safetensors".to_owned(), Digest::of(&fs_err::read(&file)?))].into();
        Ok(Artifact { stage: "backbone".to_owned(), dir, files, sources: BTreeMap::new() })
    }
}

/// A model folder beside the trunk's, of the same trunk and a head of two classes as it begins.
fn model(
    trunk: &Artifact,
    backbone: &Backbone,
    preprocessing: Preprocessing,
) -> Result<PathBuf, Box<dyn Error>> {
    let dir = trunk.dir.with_file_name("model");
    fs_err::create_dir_all(&dir)?;
    fs_err::copy(trunk.path("trunk.safetensors"), dir.join("trunk.safetensors"))?;
    let features = Pool::MaxAvg.width(backbone.channels);
    let head = Head::new(Sizes { features, hidden: Sizes::HIDDEN, classes: 2 }, 1, Device::Cpu)?;
    let file = dir.join("head.safetensors");
    weights::write_safetensors(&file, &head.named_tensors(), &BTreeMap::new())?;
    let head = Digest::of(&fs_err::read(&file)?);
    let classes = ["one", "other"].map(str::to_owned).to_vec();
    let arch = backbone.arch.to_owned();
    ModelRecord::new(arch, classes, preprocessing, features, trunk.files["trunk.safetensors"], head)
        .write(&dir.join("model.json"))?;
    Ok(dir)
}

/// Items a second: `work` on the numbers below `count`, shared out over lanes, each a thread; once in each uncounted.
fn in_lanes<L: Send, E: Send>(
    mut lanes: Vec<L>,
    count: usize,
    work: impl Fn(&mut L, usize) -> Result<(), E> + Sync,
) -> Result<f64, E> {
    for lane in &mut lanes {
        work(lane, 0)?;
    }
    let next = Mutex::new(0..count);
    let (work, next) = (&work, &next);
    let take = || next.lock().unwrap_or_else(PoisonError::into_inner).next();
    let run = |mut lane: L| {
        while let Some(at) = take() {
            work(&mut lane, at)?;
        }
        Ok(())
    };
    let started = Instant::now();
    std::thread::scope(|scope| {
        let threads: Vec<_> = lanes.into_iter().map(|lane| scope.spawn(move || run(lane))).collect();
        for thread in threads {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        }
        Ok(count as f64 / started.elapsed().as_secs_f64())
    })
}

/// The `.jpg` files below a folder.
fn jpegs(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(jpegs(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "jpg") {
            found.push(path);
        }
    }
    Ok(found)
}
