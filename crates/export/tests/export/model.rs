//! Models to export: random trunks with heads in which no tensor is neutral, and what they say of photos.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use image::{Rgb, RgbImage};
use pipeline_export::ModelFolder;
use pipeline_nn::artifact::{HEAD_FILE, MODEL_FILE, ModelRecord, TRUNK_FILE};
use pipeline_nn::weights::write_safetensors;
use pipeline_nn::{Device, Head, Kind, Mode, Pool, Sizes, Tensor, Weights, backbones, no_grad};
use pipeline_photo::{Preprocessing, Resizer};
use pipeline_stage::Digest;
use serde_json::json;

/// Names that a careless writer would break on.
pub(crate) const CLASSES: [&str; 3] =
    ["cats", "a \"quoted\" | dög\n# heading", "<img src=x onerror=alert(1)>"];

/// Writes a model of `arch` with these weights into `dir`, which takes photos of `size`.
pub(crate) fn write_with(dir: &Path, arch: &str, pool: Pool, size: u32, weights: &Weights) {
    let backbone = backbones::find(arch).unwrap();
    fs_err::create_dir_all(dir).unwrap();
    let trunk = backbone.load(weights, Device::Cpu).unwrap();
    write_safetensors(&dir.join(TRUNK_FILE), trunk.named_tensors(), &BTreeMap::new()).unwrap();
    let features = pool.width(backbone.channels);
    let sizes = Sizes { features, hidden: 24, classes: CLASSES.len() };
    let mut tensors = Head::new(sizes, 5, Device::Cpu).unwrap().named_tensors();
    for (name, tensor) in &mut tensors {
        // Each vector gets numbers of its own, variances above 0; matrices keep theirs.
        if tensor.dim() == 1 {
            let phase = f64::from(name.bytes().map(u32::from).sum::<u32>());
            let wave =
                (Tensor::arange(tensor.numel() as i64, (Kind::Float, Device::Cpu)) * 0.7 + phase).sin();
            *tensor = &*tensor + wave * 0.3;
        }
    }
    // Random trunks have features of any size: batch norm makes them about 1, so that no class is certain.
    let features_of =
        |pixels: &Tensor| pool.of(&no_grad(|| trunk.forward(pixels, [Mode::Eval; 2])).unwrap()).unwrap();
    let squares = features_of(&pixels(2, size.into())).square(); // [2, D]
    let mean_square = squares.mean_dim([0i64].as_slice(), false, Kind::Float); // [D]
    let floor = mean_square.mean(Kind::Float) * 0.01;
    tensors.insert("bn1.running_var".to_owned(), mean_square + floor);
    write_safetensors(&dir.join(HEAD_FILE), &tensors, &BTreeMap::new()).unwrap();
    let digest = |file: &str| Digest::of_reader(fs_err::File::open(dir.join(file)).unwrap()).unwrap();
    let record = ModelRecord {
        pool,
        ..ModelRecord::new(
            arch.to_owned(),
            CLASSES.map(str::to_owned).to_vec(),
            Preprocessing::new(size, backbone.mean, backbone.std),
            features,
            digest(TRUNK_FILE),
            digest(HEAD_FILE),
        )
    };
    record.write(&dir.join(MODEL_FILE)).unwrap();
}

/// The same with random weights, read again.
pub(crate) fn random(dir: &Path, arch: &str, pool: Pool, size: u32) -> ModelFolder {
    let weights = backbones::find(arch).unwrap().random_weights(3).unwrap();
    write_with(dir, arch, pool, size, &weights);
    ModelFolder::open(dir).unwrap()
}

/// Normalised pixels `[n, 3, size, size]` in which no two rows or columns are alike.
pub(crate) fn pixels(n: i64, size: i64) -> Tensor {
    let wave = Tensor::arange(n * 3 * size * size, (Kind::Float, Device::Cpu));
    ((wave * 0.37).sin() * 1.5).view([n, 3, size, size])
}

/// Waves and a ramp, every pixel unlike its neighbours.
pub(crate) fn photo(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let wave = |step: f32| (127.0 + 120.0 * (x as f32 * step + y as f32 * step * 1.7).sin()) as u8;
        Rgb([wave(0.11), wave(0.53), (x * 255 / width) as u8])
    })
}

/// The photo as the model is given it here, `[1, 3, S, S]`.
pub(crate) fn prepared(folder: &ModelFolder, photo: &RgbImage) -> Tensor {
    let rule = folder.model.record.preprocessing;
    let side = i64::from(rule.size);
    let mut chw = vec![0.0; (3 * side * side) as usize];
    rule.normalise_chw(&rule.crop(photo, &mut Resizer::new()), &mut chw);
    Tensor::from_slice(&chw).view([1, 3, side, side])
}

/// Features and logits of `pixels`, computed here.
pub(crate) fn answers(folder: &ModelFolder, pixels: &Tensor) -> (Tensor, Tensor) {
    let model = &folder.model;
    let map = no_grad(|| model.trunk().forward(pixels, [Mode::Eval; 2])).unwrap();
    // Log-probabilities are logits but for a number for each photo, which no softmax sees.
    (model.record.pool.of(&map).unwrap(), model.log_probs(pixels).unwrap())
}

/// The cases of a script, in files in `dir`, and the path of their list.
pub(crate) struct Cases<'a> {
    pub(crate) dir: &'a Path,
    pub(crate) input: &'a str,
    pub(crate) tolerance: f64,
    pub(crate) feature_tolerance: f64,
    list: Vec<serde_json::Value>,
}

impl<'a> Cases<'a> {
    pub(crate) fn new(dir: &'a Path, input: &'a str, tolerance: f64) -> Self {
        Cases { dir, input, tolerance, feature_tolerance: 1e-4, list: vec![] }
    }

    /// What a program is given, as bytes of this shape, and what the model says of the `pixels` that it makes of it.
    pub(crate) fn add(&mut self, folder: &ModelFolder, given: &[u8], shape: &[i64], pixels: &Tensor) {
        let number = self.list.len();
        let write = |what: &str, bytes: &[u8]| {
            let path = self.dir.join(format!("{number}.{what}"));
            fs_err::write(&path, bytes).unwrap();
            path
        };
        let (features, logits) = answers(folder, pixels);
        let case = json!({
            "input": write("input", given), "shape": shape, "logits": write("logits", &bytes(&logits)),
            "features": write("features", &bytes(&features)), "pixels": write("pixels", &bytes(pixels)),
        });
        self.list.push(case);
    }

    /// Pixels are given as they are.
    pub(crate) fn add_pixels(&mut self, folder: &ModelFolder, pixels: &Tensor) {
        self.add(folder, &bytes(pixels), &pixels.size(), pixels);
    }

    pub(crate) fn write(&self) -> PathBuf {
        let path = self.dir.join("cases.json");
        let cases = json!({
            "input": self.input, "classes": CLASSES, "tolerance": self.tolerance,
            "feature_tolerance": self.feature_tolerance, "cases": self.list,
        });
        fs_err::write(&path, cases.to_string()).unwrap();
        path
    }
}

/// Numbers in order, little-endian.
pub(crate) fn bytes(tensor: &Tensor) -> Vec<u8> {
    let numbers: Vec<f32> = tensor.contiguous().view(-1).try_into().unwrap();
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}
