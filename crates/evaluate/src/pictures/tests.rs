//! [`Sitting::take`] on small photos and a model of random weights.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Arc, Mutex};

use image::{Rgb, RgbImage};
use pipeline_nn::artifact::{HEAD_FILE, MODEL_FILE, ModelRecord, TRUNK_FILE};
use pipeline_nn::{Device, Head, Pool, Sizes, backbones, weights};
use pipeline_photo::{Policy, Preprocessing, TestViews, policy};
use pipeline_report::evaluation::{Outlier, SheetPhoto};
use pipeline_stage::{Cancel, Digest, Event, Report};
use pipeline_table::{ImagesWriter, Mode, Split, Verdict};
use pipeline_testkit::StageBench;
use serde_json::json;

use super::*;

const SIZE: u32 = 40;
const PHOTOS: usize = 14;

/// Photos, a model that takes views of [`SIZE`] pixels, and made-up answers about the photos of valid.
struct Bench {
    folder: StageBench,
    images: Artifact,
    model: Model,
    classes: Vec<String>,
    said: Said,
}

#[derive(Default)]
struct Events(Mutex<Vec<Event>>);

impl Report for Events {
    fn emit(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}

fn artifact(stage: &str, dir: &Path) -> Artifact {
    let dir = dir.join(stage);
    fs_err::create_dir_all(&dir).unwrap();
    Artifact { stage: stage.to_owned(), dir, files: BTreeMap::new(), sources: BTreeMap::new() }
}

/// `train/00.png`, then the photos of valid.
fn images(dir: &Path) -> Artifact {
    let folder = dir.join("photos");
    let images = artifact("ingest", dir);
    let mut writer = ImagesWriter::create(&images.path("images.parquet")).unwrap();
    for (split, i) in [(Split::Train, 0)].into_iter().chain((0..PHOTOS as u32).map(|i| (Split::Valid, i))) {
        let (id, width, height) = (format!("{split}/{i:02}.png"), 130 + 3 * i, 60 + i);
        let picture = RgbImage::from_fn(width, height, |x, y| {
            Rgb([(x + 9 * i) as u8, (3 * y) as u8, (x * y / 16) as u8])
        });
        fs_err::create_dir_all(folder.join(split.as_str())).unwrap();
        picture.save(folder.join(&id)).unwrap();
        let bytes = fs_err::read(folder.join(&id)).unwrap();
        let row = ImageRow {
            id,
            split,
            label: None,
            label_id: None,
            width: Some(width),
            height: Some(height),
            format: Some("png".to_owned()),
            orientation: Some(1),
            bytes: bytes.len() as u64,
            digest: Digest::of(&bytes).to_string(),
            appearance: None,
            verdict: Verdict::Ok,
            reason: None,
        };
        writer.write(&row).unwrap();
    }
    writer.finish().unwrap();
    Artifact { sources: [("photos".to_owned(), folder)].into(), ..images }
}

fn model(dir: &Path, classes: &[String]) -> Model {
    let artifact = artifact("finetune", dir);
    let backbone = backbones::find("efficientnet_lite0").unwrap();
    let trunk = backbone.load(&backbone.random_weights(1).unwrap(), Device::Cpu).unwrap();
    let sizes =
        Sizes { features: Pool::MaxAvg.width(backbone.channels), hidden: 512, classes: classes.len() };
    let head = Head::new(sizes, 1, Device::Cpu).unwrap();
    let files = [TRUNK_FILE, HEAD_FILE].map(|name| artifact.path(name));
    weights::write_safetensors(&files[0], trunk.named_tensors(), &BTreeMap::new()).unwrap();
    weights::write_safetensors(&files[1], &head.named_tensors(), &BTreeMap::new()).unwrap();
    let [trunk, head] = files.map(|file| Digest::of(&fs_err::read(file).unwrap()));
    let preprocessing = Preprocessing::new(SIZE, [0.5; 3], [0.25; 3]);
    let arch = backbone.arch.to_owned();
    ModelRecord::new(arch, classes.to_vec(), preprocessing, sizes.features, trunk, head)
        .write(&artifact.path(MODEL_FILE))
        .unwrap();
    Model::load(&artifact, None, Some(classes), Device::Cpu).unwrap()
}

impl Bench {
    /// Class 0 is right of photos 0, 3, 6, ..., the others are of class 1 and wrong; the last one has no label. Photos are
    /// the more uncertain the later they come.
    fn new(classes: &[&str]) -> Self {
        let folder = StageBench::default();
        let classes: Vec<String> = classes.iter().map(|class| (*class).to_owned()).collect();
        let label = |photo: usize| (photo + 1 < PHOTOS).then_some(u32::from(!photo.is_multiple_of(3)));
        let first = |photo: usize| 0.95 - photo as f32 / 32.0;
        let others = classes.len() as f32 - 1.0;
        let probs = |photo| {
            (0..classes.len()).map(move |class| match class {
                0 => first(photo),
                _ => (1.0 - first(photo)) / others,
            })
        };
        let loss = |photo| label(photo).map_or(0.0, |label| -probs(photo).nth(label as usize).unwrap().ln());
        let said = Said {
            model: "finetune".to_owned(),
            mode: Mode::Tta,
            ids: Arc::new((0..PHOTOS).map(|photo| format!("valid/{photo:02}.png")).collect()),
            labels: Arc::new((0..PHOTOS).map(label).collect()),
            probs: (0..PHOTOS).flat_map(probs).collect(),
            losses: (0..PHOTOS).map(loss).collect(),
            classes: classes.len(),
        };
        let (images, model) = (images(folder.dir()), model(folder.dir(), &classes));
        Bench { folder, images, model, classes, said }
    }

    /// What is taken, the insights' thumbnails, the PNG files by their names, and the warnings.
    fn take(&self, out: &str, threads: usize, has_images: bool) -> Took {
        let out = self.folder.dir().join(out);
        fs_err::create_dir_all(&out).unwrap();
        let (events, cancel) = (Events::default(), Cancel::default());
        let cx = Context {
            stage: "evaluate".to_owned(),
            partial: out.clone(),
            memo: None,
            out,
            inputs: BTreeMap::new(),
            sources: BTreeMap::new(),
            lineage: vec![],
            seed: 7,
            threads: NonZeroUsize::new(threads).unwrap(),
            checkpoint_every: Default::default(),
            shard: None,
            report: &events,
            cancel: &cancel,
        };
        let outlier = |id: &str| Outlier {
            id: id.to_owned(),
            split: "train".to_owned(),
            label: String::new(),
            similarity: 0.5,
        };
        let mut insights = Insights { outliers: vec![outlier("train/00.png")], ..Insights::default() };
        let steps = policy::steps_from_json(&json!(["scale", "flip"])).unwrap();
        let augmented = Augmented {
            views: TestViews::Policy(2),
            first_averaged: 0,
            policy: Policy { border: Default::default(), steps },
            seed: 7,
        };
        let images = has_images.then_some(&self.images);
        let sitting = Sitting {
            said: &self.said,
            plain: None,
            model: &self.model,
            classes: &self.classes,
            images,
            augmented: Some(&augmented),
            table: None,
        };
        let pictures = sitting.take(2_000_000, Some(&mut insights), &cx).unwrap();
        let mut files = BTreeMap::new();
        for entry in fs_err::read_dir(cx.out.join(SHEETS_DIR)).into_iter().flatten() {
            let path = entry.unwrap().path();
            files.insert(
                path.file_name().unwrap().to_string_lossy().into_owned(),
                fs_err::read(path).unwrap(),
            );
        }
        let warning = |event: Event| match event {
            Event::Warning(warning) => Some(warning),
            _ => None,
        };
        let warnings = events.0.into_inner().unwrap().into_iter().filter_map(warning).collect();
        Took { pictures, insights, files, warnings }
    }
}

struct Took {
    pictures: Pictures,
    insights: Insights,
    files: BTreeMap<String, Vec<u8>>,
    warnings: Vec<String>,
}

impl Took {
    fn shown(&self) -> impl Iterator<Item = &SheetPhoto> {
        self.pictures.sheets.iter().flat_map(|sheet| &sheet.rows).flat_map(|(_, row)| row)
    }
}

#[test]
fn each_photo_on_a_sheet_is_what_the_model_saw_with_its_heat() {
    let bench = Bench::new(&["cats", "dogs"]);
    let took = bench.take("out", 2, true);
    assert!(took.warnings.is_empty(), "{:?}", took.warnings);
    for shown in took.shown() {
        let path = bench.images.sources["photos"].join(&bench.said.ids[shown.photo]);
        let photo = image::open(path).unwrap().into_rgb8();
        let view = bench.model.record.preprocessing.crop(&photo, &mut pipeline_photo::Resizer::new());
        let (picture, heat) = (shown.picture.as_ref().unwrap(), shown.heat.as_ref().unwrap());
        assert!(*picture == view, "photo {}", shown.photo);
        assert!(heat.dimensions() == (SIZE, SIZE) && heat != picture, "photo {}", shown.photo);
    }
    let names: Vec<&str> = took.files.keys().map(String::as_str).collect();
    let expected =
        ["correct.png", "most_correct.png", "most_wrong.png", "uncertain.png", "views.png", "wrong.png"];
    assert_eq!(names, expected);
    let thumbnail = took.pictures.photos[3].thumbnail.as_deref().unwrap();
    // The whole photo, 139 x 63: 96 x 43.5 by hand.
    assert_eq!(image::load_from_memory(thumbnail).unwrap().into_rgb8().dimensions(), (96, 44));
    assert!(took.pictures.photos.iter().all(|photo| photo.thumbnail.is_some()));
    assert_eq!(took.insights.thumbnails.keys().collect::<Vec<_>>(), ["train/00.png"]);
}

/// The model's own log-probabilities of the plain view, by the trunk and head at hand.
#[test]
fn views_begin_with_the_plain_one_and_each_has_its_own_vote_for_what_the_mean_says() {
    let bench = Bench::new(&["cats", "dogs"]);
    let took = bench.take("out", 1, true);
    let shown = took.pictures.views.unwrap();
    // Of the last photo, .95 - 13 / 32 = .54, the most uncertain: class 0.
    assert_eq!(shown.photo, PHOTOS - 1);
    let names: Vec<&str> = shown.views.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(names, ["plain view", "random view 1", "random view 2"]);
    let model = pipeline_nn::artifact::Model::load(&bench.model.dir, Device::Cpu).unwrap();
    let preprocessing = model.record.preprocessing;
    let path = bench.images.sources["photos"].join(&bench.said.ids[shown.photo]);
    let photo = image::open(path).unwrap().into_rgb8();
    let view = preprocessing.crop(&photo, &mut pipeline_photo::Resizer::new());
    let mut pixels = vec![0.0; 3 * (SIZE * SIZE) as usize];
    preprocessing.normalise_chw(&view, &mut pixels);
    let batch = pipeline_nn::Tensor::from_slice(&pixels).view([1, 3, i64::from(SIZE), i64::from(SIZE)]);
    let expected = model.log_probs(&batch).unwrap().double_value(&[0, 0]).exp();
    let (_, picture, vote) = &shown.views[0];
    assert!((f64::from(*vote) - expected).abs() < 1e-4, "{vote} {expected}");
    assert!(picture.as_ref() == Some(&view));
    assert!(shown.views[1].2 != *vote && shown.views[1].1 != shown.views[0].1);
}

#[test]
fn a_photo_that_is_gone_or_changed_has_no_picture_and_one_warning_counts_them() {
    let bench = Bench::new(&["cats", "dogs"]);
    let folder = &bench.images.sources["photos"];
    fs_err::remove_file(folder.join("valid/13.png")).unwrap();
    fs_err::write(folder.join("valid/05.png"), b"text").unwrap();
    let took = bench.take("out", 2, true);
    let is_gone = |photo: usize| photo == 13 || photo == 5;
    for shown in took.shown() {
        let has = [shown.picture.is_some(), shown.heat.is_some()];
        assert_eq!(has, [!is_gone(shown.photo); 2], "photo {}", shown.photo);
    }
    for (i, photo) in took.pictures.photos.iter().enumerate() {
        assert_eq!(photo.thumbnail.is_some(), !is_gone(i), "photo {i}");
    }
    assert!(took.pictures.views.is_none() && took.files.contains_key("uncertain.png"));
    let [warning] = &took.warnings[..] else { panic!("{:?}", took.warnings) };
    // 14 of valid and one of train; photo 13, whose views were wanted, is the same one.
    assert!(warning.starts_with("2 of 15 photos cannot be shown in the report; the first: "), "{warning}");
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let bench = Bench::new(&["cats", "dogs", "emus"]);
    let [one, three] = [1, 3].map(|threads| bench.take(&format!("out-{threads}"), threads, true));
    assert!(one.files == three.files);
    assert!(one.pictures.photos == three.pictures.photos);
    assert!(one.insights.thumbnails == three.insights.thumbnails);
    for (one, three) in one.shown().zip(three.shown()) {
        assert!((&one.picture, &one.heat) == (&three.picture, &three.heat), "photo {}", one.photo);
    }
    let votes = |took: &Took| {
        took.pictures.views.as_ref().unwrap().views.iter().map(|view| view.2).collect::<Vec<_>>()
    };
    assert_eq!(votes(&one), votes(&three));
}

#[test]
fn without_images_the_sheets_are_chosen_and_have_no_pictures() {
    let bench = Bench::new(&["cats", "dogs"]);
    let [with, without] = [true, false].map(|has| bench.take(&format!("out-{has}"), 1, has));
    let photos = |took: &Took| took.shown().map(|shown| shown.photo).collect::<Vec<_>>();
    assert_eq!(photos(&with), photos(&without));
    assert!(without.shown().all(|shown| shown.picture.is_none() && shown.heat.is_none()));
    assert!(without.files.is_empty() && without.warnings.is_empty() && without.pictures.views.is_none());
    assert!(without.pictures.photos.iter().all(|photo| photo.thumbnail.is_none()));
}

#[test]
fn long_names_of_many_classes_fit_on_the_sheets() {
    let names: Vec<String> = (0..200).map(|class| format!("{class} {}", "photograph".repeat(12))).collect();
    let bench = Bench::new(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let took = bench.take("out", 2, true);
    for (name, bytes) in &took.files {
        let sheet = image::load_from_memory(bytes).unwrap();
        assert!(
            sheet.width() <= 1000 && sheet.height() <= 2000,
            "{name}: {} x {}",
            sheet.width(),
            sheet.height()
        );
    }
    assert_eq!(took.files.len(), 6);
}
