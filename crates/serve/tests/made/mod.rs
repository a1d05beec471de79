//! A model folder of random weights, photos, a table of their features, and a server.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;

use image::{Rgb, RgbImage};
use pipeline_nn::artifact::ModelRecord;
use pipeline_nn::{Device, Dtype, Head, Sizes, backbones, weights};
use pipeline_photo::{FixedViews, Preprocessing, Tta};
use pipeline_predict::{Options, Photo, Predictor, Views};
use pipeline_serve::{Asked, Model, Neighbours, Server, Settings};
use pipeline_stage::{Cancel, Digest};
use pipeline_table::features::part_name;
use pipeline_table::{FeatureRow, FeaturesMeta, FeaturesWriter, ImageRow, ImagesWriter, Split, Verdict};

use crate::client::get;

pub(crate) const SIZE: u32 = 64;
/// The smallest architecture, and its D: 2 · 1280.
const ARCH: &str = "efficientnet_lite0";
const DIM: usize = 2560;

/// A model folder, the same for all tests.
pub(crate) fn model() -> &'static Path {
    static MODEL: OnceLock<tempfile::TempDir> = OnceLock::new();
    MODEL
        .get_or_init(|| {
            let dir = tempfile::tempdir().unwrap();
            write_model(dir.path());
            dir
        })
        .path()
}

fn write_model(folder: &Path) {
    let backbone = backbones::find(ARCH).unwrap();
    let trunk = backbone.load(&backbone.random_weights(1).unwrap(), Device::Cpu).unwrap();
    let sizes = Sizes { features: DIM, hidden: 512, classes: 3 };
    let mut head = Head::new(sizes, 1, Device::Cpu).unwrap().named_tensors();
    // Else nearly all of the probability would be with one class.
    let last = &head["linear2.weight"] * 0.2;
    head.insert("linear2.weight".to_owned(), last);
    let files = ["trunk.safetensors", "head.safetensors"].map(|name| folder.join(name));
    weights::write_safetensors(&files[0], trunk.named_tensors(), &BTreeMap::new()).unwrap();
    weights::write_safetensors(&files[1], &head, &BTreeMap::new()).unwrap();
    let [trunk, head] = files.map(|file| Digest::of(&fs_err::read(file).unwrap()));
    let classes = ["cats", "dogs", "emus"].map(str::to_owned).to_vec();
    let preprocessing = Preprocessing::new(SIZE, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
    let record = ModelRecord::new(ARCH.to_owned(), classes, preprocessing, DIM, trunk, head);
    record.write(&folder.join("model.json")).unwrap();
}

pub(crate) fn record() -> ModelRecord {
    ModelRecord::read(&model().join("model.json")).unwrap()
}

/// PNG files of unequal sides.
pub(crate) fn pictures(count: u32) -> Vec<Vec<u8>> {
    let picture = |i: u32| {
        RgbImage::from_fn(90 + 3 * i, 117 - i, |x, y| {
            Rgb([(30 + 90 * i + x) as u8, (60 * i + 5 * y) as u8, (x * y + 40 * i) as u8])
        })
    };
    let png = |picture: RgbImage| {
        let mut bytes = std::io::Cursor::new(vec![]);
        picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
        bytes.into_inner()
    };
    (0..count).map(|i| png(picture(i))).collect()
}

fn predictor(tta: Option<FixedViews>) -> Predictor {
    let views = Views::new(tta.map_or(Tta::default(), Tta::Fixed), None, 0).unwrap();
    Predictor::load(
        model(),
        Options { dtype: Dtype::F32, views, limits: settings().limits(), ..Options::default() },
    )
    .unwrap()
}

/// What the model says of a photo when it is asked about nothing else.
pub(crate) fn alone(png: &[u8], tta: Option<FixedViews>) -> Vec<f32> {
    predictor(tta).predict(&[Photo::Bytes(png)]).unwrap()[0].as_ref().unwrap().probs()
}

/// Any free port, two lanes.
pub(crate) fn settings() -> Settings {
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    Settings { address, threads: NonZeroUsize::new(2).unwrap(), ..Settings::default() }
}

/// A server, stopped when it is dropped.
pub(crate) struct Started {
    pub(crate) at: SocketAddr,
    /// `POST /predict 200`.
    pub(crate) log: Arc<Mutex<Vec<String>>>,
    cancel: Cancel,
    thread: Mutex<Option<JoinHandle<()>>>,
}

pub(crate) fn start(settings: Settings, tta: Option<FixedViews>) -> Started {
    Started::with(settings, tta, None)
}

impl Started {
    pub(crate) fn with(settings: Settings, tta: Option<FixedViews>, neighbours: Option<Neighbours>) -> Self {
        Started::in_folder(model().to_owned(), settings, tta, neighbours)
    }

    /// Whose model is said to lie in `dir`.
    pub(crate) fn in_folder(
        dir: PathBuf,
        settings: Settings,
        tta: Option<FixedViews>,
        neighbours: Option<Neighbours>,
    ) -> Self {
        let (cancel, log) = (Cancel::default(), Arc::new(Mutex::new(vec![])));
        let server = Server::bind(settings).unwrap();
        let at = server.address();
        let (stop, lines) = (cancel.clone(), Arc::clone(&log));
        let thread = std::thread::spawn(move || {
            let tta_of_model = tta.map_or(Tta::default(), Tta::Fixed);
            let model =
                Model { predictor: predictor(tta), dir, dtype: Dtype::F32, tta: tta_of_model, neighbours };
            let log = move |asked: &Asked<'_>| {
                lines.lock().unwrap().push(format!("{} {} {}", asked.method, asked.path, asked.status));
            };
            server.run(model, Some(Box::new(log)), &stop).unwrap();
        });
        Started { at, log, cancel, thread: Mutex::new(Some(thread)) }
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) fn stop(&self) {
        self.cancel.cancel();
        if let Some(thread) = self.thread.lock().unwrap().take() {
            thread.join().unwrap();
        }
    }

    /// A number of `/metrics`.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let text = get(self.at, "/metrics").text();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        self.cancel.cancel();
        if let Some(thread) = self.thread.lock().unwrap().take() {
            let _ = thread.join();
        }
    }
}

/// Photos 0 to 4, four of train and one of valid: their features, ingest's table, and their folder.
pub(crate) fn trained_on(dir: &Path) -> (PathBuf, PathBuf, PathBuf) {
    let record = record();
    let [features, images, photos] = ["features", "images.parquet", "photos"].map(|name| dir.join(name));
    fs_err::create_dir_all(&features).unwrap();
    let meta = FeaturesMeta {
        arch: ARCH.to_owned(),
        weights: record.trunk.to_string(),
        classes: record.classes.clone(),
        // As `precompute` writes it: with as few digits as an f32 needs.
        preprocessing: serde_json::from_str(&serde_json::to_string(&record.preprocessing).unwrap()).unwrap(),
        dim: DIM,
        dtype: "f32".to_owned(),
        pool: record.pool.as_str().to_owned(),
        logits: 0,
    };
    let mut writer = FeaturesWriter::create(&features, meta).unwrap();
    let mut table = ImagesWriter::create(&images).unwrap();
    let mut predictor = predictor(None);
    for (i, png) in pictures(5).iter().enumerate() {
        let split = if i < 4 { Split::Train } else { Split::Valid };
        let (id, label_id) = (format!("{split}/{i}.png"), i as u32 % 2);
        let label = Some(record.classes[label_id as usize].clone());
        fs_err::create_dir_all(photos.join(split.as_str())).unwrap();
        fs_err::write(photos.join(&id), png).unwrap();
        let answers = predictor.predict(&[Photo::Bytes(png)]).unwrap();
        let row =
            FeatureRow { id: id.clone(), split, label: label.clone(), label_id: Some(label_id), view: 0 };
        writer.write(&row, &answers[0].as_ref().unwrap().features).unwrap();
        let row = ImageRow {
            id,
            split,
            label,
            label_id: Some(label_id),
            width: None,
            height: None,
            format: Some("png".to_owned()),
            orientation: None,
            bytes: png.len() as u64,
            digest: Digest::of(png).to_string(),
            appearance: None,
            verdict: Verdict::Ok,
            reason: None,
        };
        table.write(&row).unwrap();
    }
    writer.finish().unwrap();
    table.finish().unwrap();
    assert!(features.join(part_name(0)).is_file());
    (features, images, photos)
}
