//! Photos, models with made-up trunks, and what a plain loop says they predict.

use std::collections::BTreeMap;
use std::path::Path;

use image::{Rgb, RgbImage};
use pipeline_evaluate::Metrics;
use pipeline_nn::artifact::{Model, ModelRecord};
use pipeline_nn::{Device, Dtype, Head, Sizes, Tensor, backbones, weights};
use pipeline_photo::{Augmentation, Limits, Planes, Policy, Preprocessing, Resizer, RgbImage as Photo};
use pipeline_stage::{Artifact, Digest, Event};
use pipeline_table::{
    FeatureRow, FeaturesMeta, FeaturesWriter, ImageRow, ImagesReader, ImagesWriter, PredictionRow,
    PredictionsReader, Split, Verdict, classes as class_file,
};
use pipeline_testkit::{Made, StageBench};
use serde_json::json;

/// The smallest architecture; D is 2 · 1280.
const ARCH: &str = "efficientnet_lite0";
const DIM: usize = 2560;

pub(crate) fn classes() -> Vec<String> {
    ["cats", "dogs", "emus"].map(str::to_owned).to_vec()
}

pub(crate) fn metrics(made: &Made) -> Metrics {
    serde_json::from_str(&fs_err::read_to_string(made.artifact.path("metrics.json")).unwrap()).unwrap()
}

pub(crate) fn predictions(made: &Made) -> Vec<PredictionRow> {
    let path = made.artifact.path("predictions.parquet");
    PredictionsReader::open(&path).unwrap().map(Result::unwrap).collect()
}

/// What stages have warned of so far.
pub(crate) fn warnings(bench: &StageBench) -> Vec<String> {
    let warning = |event| match event {
        Event::Warning(text) => Some(text),
        _ => None,
    };
    bench.events().into_iter().filter_map(warning).collect()
}

/// An artifact without sources.
pub(crate) fn artifact(stage: &str, dir: &Path) -> Artifact {
    Artifact {
        stage: stage.to_owned(),
        dir: dir.join(stage),
        files: BTreeMap::new(),
        sources: BTreeMap::new(),
    }
}

/// `count` photos of valid, of unequal sides, numbered from 0, with two of train: number 2 is bad, number 3 unlabelled,
/// and the others are labelled in turn.
pub(crate) fn images(dir: &Path, count: u32) -> Artifact {
    images_of(dir, count, |i| [40 + 3 * i, 37 + i])
}

/// The same with photos of these widths and heights.
pub(crate) fn images_of(dir: &Path, count: u32, sides: fn(u32) -> [u32; 2]) -> Artifact {
    let photos = dir.join("photos");
    fs_err::create_dir_all(dir.join("ingest")).unwrap();
    let mut writer = ImagesWriter::create(&dir.join("ingest/images.parquet")).unwrap();
    let train = (0..2).map(|i| (Split::Train, i));
    for (split, i) in train.chain((0..count).map(|i| (Split::Valid, i))) {
        let (id, [width, height]) = (format!("{split}/{i:03}.png"), sides(i));
        // Bright for one, dark for the next, so that photos differ.
        let level = [30, 200, 110][i as usize % 3];
        let picture = RgbImage::from_fn(width, height, |x, y| {
            Rgb([(level + x) as u8, (level + (5 * y) % 50) as u8, (x * y + 40 * i) as u8])
        });
        let path = photos.join(&id);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        picture.save(&path).unwrap();
        let bytes = fs_err::read(&path).unwrap();
        let (is_bad, is_labelled) = (i == 2, i != 3);
        let row = ImageRow {
            id,
            split,
            label: is_labelled.then(|| classes()[i as usize % 3].clone()),
            label_id: is_labelled.then_some(i % 3),
            width: (!is_bad).then_some(width),
            height: (!is_bad).then_some(height),
            format: Some("png".to_owned()),
            orientation: (!is_bad).then_some(1),
            bytes: bytes.len() as u64,
            digest: Digest::of(&bytes).to_string(),
            appearance: None,
            verdict: if is_bad { Verdict::Bad } else { Verdict::Ok },
            reason: is_bad.then(|| "truncated".to_owned()),
        };
        writer.write(&row).unwrap();
    }
    writer.finish().unwrap();
    class_file::write(&dir.join("ingest/classes.json"), &classes()).unwrap();
    Artifact { sources: [("photos".to_owned(), photos)].into(), ..artifact("ingest", dir) }
}

/// The usable photos of valid.
pub(crate) fn valid(images: &Artifact) -> Vec<ImageRow> {
    let rows = ImagesReader::open(&images.path("images.parquet")).unwrap().map(Result::unwrap);
    rows.filter(|row| row.split == Split::Valid && row.verdict != Verdict::Bad).collect()
}

pub(crate) fn photo(images: &Artifact, row: &ImageRow) -> Photo {
    let bytes = fs_err::read(images.sources["photos"].join(&row.id)).unwrap();
    pipeline_photo::decode(&bytes, &Limits::default()).unwrap().pixels
}

/// How models of this size take photos.
pub(crate) fn preprocessing(size: u32) -> Preprocessing {
    Preprocessing::new(size, [0.5; 3], [0.25; 3])
}

/// A model folder; the seeds say which random weights the trunk and the head have.
pub(crate) fn model(dir: &Path, stage: &str, trunk: u64, head: u64, size: u32) -> Artifact {
    let model = artifact(stage, dir);
    fs_err::create_dir_all(&model.dir).unwrap();
    let backbone = backbones::find(ARCH).unwrap();
    let trunk = backbone.load(&backbone.random_weights(trunk).unwrap(), Device::Cpu).unwrap();
    let sizes = Sizes { features: DIM, hidden: 512, classes: 3 };
    let mut head = Head::new(sizes, head, Device::Cpu).unwrap().named_tensors();
    // Else nearly all of the probability would be with one class.
    let last = &head["linear2.weight"] * 0.2;
    head.insert("linear2.weight".to_owned(), last);
    let files = ["trunk.safetensors", "head.safetensors"].map(|name| model.path(name));
    weights::write_safetensors(&files[0], trunk.named_tensors(), &BTreeMap::new()).unwrap();
    weights::write_safetensors(&files[1], &head, &BTreeMap::new()).unwrap();
    let [trunk, head] = files.map(|file| Digest::of(&fs_err::read(file).unwrap()));
    ModelRecord::new(ARCH.to_owned(), classes(), preprocessing(size), DIM, trunk, head)
        .write(&model.path("model.json"))
        .unwrap();
    model
}

/// A normalised view as `[1, 3, S, S]`.
pub(crate) fn batch_of_one(view: &Planes) -> Tensor {
    let side = f64::from(view.pixels_chw.len() as u32 / 3).sqrt() as i64;
    Tensor::from_slice(&view.pixels_chw).view([1, 3, side, side])
}

/// The plain view.
pub(crate) fn plain_view(preprocessing: &Preprocessing, photo: &Photo) -> Tensor {
    let mut view = Planes::of(&preprocessing.crop(photo, &mut Resizer::new()));
    preprocessing.normalise_planes(&mut view);
    batch_of_one(&view)
}

/// Log-probabilities of the plain view of each usable photo of valid, one by one.
pub(crate) fn plain_log_probs(model: &Artifact, images: &Artifact) -> Vec<Vec<f32>> {
    let model = Model::load(&model.dir, Device::Cpu).unwrap();
    let of = |row: &ImageRow| {
        let view = plain_view(&model.record.preprocessing, &photo(images, row));
        model.log_probs(&view).unwrap().view(-1).try_into().unwrap()
    };
    valid(images).iter().map(of).collect()
}

/// A feature table of these photos, said to be made by the trunk of `model`. Without `emb` its features are made by it,
/// else by that function of the photo's number.
pub(crate) fn features(
    dir: &Path,
    model: &Artifact,
    images: &Artifact,
    emb: Option<fn(usize) -> Vec<f32>>,
) -> Artifact {
    let record = ModelRecord::read(&model.path("model.json")).unwrap();
    let meta = FeaturesMeta {
        arch: ARCH.to_owned(),
        weights: record.trunk.to_string(),
        classes: classes(),
        preprocessing: serde_json::from_str(&serde_json::to_string(&record.preprocessing).unwrap()).unwrap(),
        dim: DIM,
        dtype: "f32".to_owned(),
        pool: pipeline_table::features::USUAL_POOL.to_owned(),
        logits: 0,
    };
    let trunk = record.load_trunk(&model.dir, Device::Cpu).unwrap().folded(Dtype::F32).unwrap();
    let table = artifact("precompute", dir);
    let mut writer = FeaturesWriter::create(&table.path("features"), meta).unwrap();
    for (i, row) in valid(images).into_iter().enumerate() {
        let pixels: Vec<f32> =
            plain_view(&record.preprocessing, &photo(images, &row)).view(-1).try_into().unwrap();
        let emb =
            emb.map_or_else(|| trunk.features(&pixels, record.preprocessing.size).unwrap(), |emb| emb(i));
        let (id, split, label, label_id) = (row.id, row.split, row.label, row.label_id);
        writer.write(&FeatureRow { id, split, label, label_id, view: 0 }, &emb).unwrap();
    }
    writer.finish().unwrap();
    table
}

pub(crate) fn policy() -> Policy {
    let steps =
        json!(["scale", { "rotate": { "max_deg": 40 } }, { "lighting": { "brightness": 0.4 } }, "flip"]);
    let steps = pipeline_photo::policy::steps_from_json(&steps).unwrap();
    Policy { border: Default::default(), steps }
}

/// The artifact of augment with this policy.
pub(crate) fn augmentation(dir: &Path, policy: Policy) -> Artifact {
    let augment = artifact("augment", dir);
    fs_err::create_dir_all(&augment.dir).unwrap();
    let json = Augmentation { policy, mix: Default::default() }.to_json();
    fs_err::write(augment.path("policy.json"), json.to_string()).unwrap();
    augment
}

/// The largest difference of two rows' probabilities.
pub(crate) fn off(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max)
}
