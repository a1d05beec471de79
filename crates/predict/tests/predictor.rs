//! A model folder of random weights, asked about small pictures.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use image::{Rgb, RgbImage};
use pipeline_nn::artifact::{Model, ModelRecord};
use pipeline_nn::{Device, Dtype, Head, Sizes, Tensor, backbones, weights};
use pipeline_photo::{FixedViews, Limits, PolicyChoice, Preprocessing, Reason, Resizer, Tta};
use pipeline_predict::{Options, Photo, Predictor, Views};
use pipeline_stage::{Digest, Hint};

const SIZE: u32 = 36;
/// The smallest architecture, and its D: 2 · 1280.
const ARCH: &str = "efficientnet_lite0";
const DIM: usize = 2560;

/// A model folder.
fn model(dir: &Path) -> PathBuf {
    let folder = dir.join("model");
    fs_err::create_dir(&folder).unwrap();
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
    let preprocessing = Preprocessing::new(SIZE, [0.5; 3], [0.25; 3]);
    let record = ModelRecord::new(ARCH.to_owned(), classes, preprocessing, DIM, trunk, head);
    record.write(&folder.join("model.json")).unwrap();
    folder
}

/// Changes what `model.json` says.
fn change(model: &Path, change: impl FnOnce(&mut ModelRecord)) {
    let path = model.join("model.json");
    let mut record = ModelRecord::read(&path).unwrap();
    change(&mut record);
    record.write(&path).unwrap();
}

fn options(views: Views) -> Options {
    Options { dtype: Dtype::F32, views, ..Options::default() }
}

fn fixed(views: FixedViews) -> Views {
    Views::new(Tta::Fixed(views), None, 0).unwrap()
}

fn picture(i: u32, width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        Rgb([(30 + 90 * i + x) as u8, (60 * i + 5 * y) as u8, (x * y + 40 * i) as u8])
    })
}

fn png(picture: &RgbImage) -> Vec<u8> {
    let mut bytes = vec![];
    picture.write_to(&mut std::io::Cursor::new(&mut bytes), image::ImageFormat::Png).unwrap();
    bytes
}

/// 11 pictures of unequal sides: a batch and a part of one.
fn pictures() -> Vec<Vec<u8>> {
    (0..11).map(|i| png(&picture(i, 40 + 3 * i, 57 - i))).collect()
}

/// What a plain loop says of a picture: one at a time, with a network that is not folded.
fn by_hand(model: &Model, png: &[u8]) -> Vec<f32> {
    let preprocessing = &model.record.preprocessing;
    let photo = pipeline_photo::decode(png, &Limits::default()).unwrap().pixels;
    let square = preprocessing.crop(&photo, &mut Resizer::new());
    let mut pixels = vec![0.0; 3 * (SIZE * SIZE) as usize];
    preprocessing.normalise_chw(&square, &mut pixels);
    let side = i64::from(SIZE);
    let log_probs = model.log_probs(&Tensor::from_slice(&pixels).view([1, 3, side, side])).unwrap();
    Vec::try_from(&log_probs.view(-1)).unwrap()
}

fn off(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn answers_are_those_of_the_network_in_a_plain_loop() {
    let dir = tempfile::tempdir().unwrap();
    let folder = model(dir.path());
    let network = Model::load(&folder, Device::Cpu).unwrap();
    let pictures = pictures();
    let photos: Vec<Photo<'_>> = pictures.iter().map(|bytes| Photo::Bytes(bytes)).collect();
    let answers = Predictor::load(&folder, options(Views::default())).unwrap().predict(&photos).unwrap();
    let mut spread = 0f32;
    let first = answers[0].as_ref().unwrap().log_probs.clone();
    for (answer, bytes) in answers.iter().zip(&pictures) {
        let found = answer.as_ref().unwrap();
        let expected = by_hand(&network, bytes);
        assert!(off(&found.log_probs, &expected) < 1e-3, "{:?}, expected {expected:?}", found.log_probs);
        assert_eq!(found.features.len(), DIM);
        assert!((found.probs().iter().sum::<f32>() - 1.0).abs() < 1e-5, "{:?}", found.probs());
        spread = spread.max(off(&found.log_probs, &first));
    }
    assert!(spread > 0.01, "the photos are told apart: {spread}");
}

#[test]
fn an_answer_has_the_same_bits_alone_or_in_company_from_bytes_or_a_file_and_in_any_thread() {
    let dir = tempfile::tempdir().unwrap();
    let folder = model(dir.path());
    let pictures = pictures();
    let path = dir.path().join("4.jpg");
    fs_err::write(&path, &pictures[4]).unwrap();
    for (views, at_once) in [(Views::default(), 8), (fixed(FixedViews::TenCrop), 1)] {
        let mut predictor = Predictor::load(&folder, options(views)).unwrap();
        assert_eq!(predictor.photos_at_once(), at_once);
        let photos: Vec<Photo<'_>> = pictures.iter().map(|bytes| Photo::Bytes(bytes)).collect();
        let all: Vec<_> = predictor.predict(&photos).unwrap();
        let mut shared = predictor.share().unwrap();
        let alone = std::thread::scope(|scope| {
            scope.spawn(|| shared.predict(&[Photo::File(&path)]).unwrap()).join().unwrap()
        });
        assert_eq!(alone, all[4..5], "{at_once} at once");
        // Bad ones between them change nothing for the others.
        let mixed = predictor.predict(&[Photo::Bytes(b"text"), photos[4], Photo::Bytes(b"")]).unwrap();
        assert_eq!(mixed[1], all[4]);
        assert_eq!(mixed[0].as_ref().unwrap_err().reason, Reason::NotAnImage);
        assert_eq!(mixed[2].as_ref().unwrap_err().reason, Reason::Empty);
    }
}

#[test]
fn photos_that_are_none_are_answers_with_the_words_of_ingest() {
    let dir = tempfile::tempdir().unwrap();
    let mut predictor = Predictor::load(&model(dir.path()), options(Views::default())).unwrap();
    let gone = dir.path().join("gone.jpg");
    let cut = &pictures()[0][..200];
    let told: Vec<String> = [Photo::File(&gone), Photo::File(dir.path()), Photo::Bytes(cut)]
        .map(|photo| {
            predictor.predict(&[photo]).unwrap()[0].as_ref().unwrap_err().reason.sentence().to_owned()
        })
        .into();
    assert_eq!(told, ["unreadable", "unreadable", "truncated"]);
}

#[test]
fn views_are_averaged_by_their_probabilities() {
    let dir = tempfile::tempdir().unwrap();
    let folder = model(dir.path());
    // As large as the network's view, so that a mirrored view has no pixel but those of the picture.
    let one = picture(1, SIZE, SIZE);
    let [one, mirrored] = [png(&one), png(&image::imageops::flip_horizontal(&one))];
    let ask = |views: Views, bytes: &[u8]| {
        let mut predictor = Predictor::load(&folder, options(views)).unwrap();
        predictor.predict(&[Photo::Bytes(bytes)]).unwrap().remove(0).unwrap()
    };
    let [a, b] = [&one, &mirrored].map(|bytes| ask(Views::default(), bytes).probs());
    assert!(off(&a, &b) > 1e-3, "the two views differ: {a:?} {b:?}");
    let expected: Vec<f32> = a.iter().zip(&b).map(|(a, b)| (a + b) / 2.0).collect();
    let found = ask(fixed(FixedViews::Flip), &one).probs();
    assert!(off(&found, &expected) < 1e-4, "{found:?}, expected {expected:?}");
    // The five crops are at another scale, and the plain view is not among them.
    let [five, ten] =
        [FixedViews::FiveCrop, FixedViews::TenCrop].map(|views| ask(fixed(views), &one).probs());
    assert!(off(&five, &a) > 1e-4 && off(&five, &ten) > 1e-4, "{a:?} {five:?} {ten:?}");
}

#[test]
fn random_views_come_from_the_policy_the_seed_and_the_content() {
    let dir = tempfile::tempdir().unwrap();
    let folder = model(dir.path());
    let bytes = &pictures()[3];
    let ask = |seed| {
        let policy = pipeline_photo::Policy {
            border: Default::default(),
            steps: PolicyChoice::named("side_on").unwrap().steps(1.3),
        };
        let views = Views::new(Tta::Random(3), Some(policy), seed).unwrap();
        let mut predictor = Predictor::load(&folder, options(views)).unwrap();
        predictor.predict(&[Photo::Bytes(bytes)]).unwrap().remove(0).unwrap()
    };
    let first = ask(1);
    assert_eq!(first, ask(1));
    assert_ne!(first.log_probs, ask(2).log_probs);
    let error = Views::new(Tta::Random(3), None, 1).unwrap_err();
    assert!(error.hint().unwrap().contains("out/CONFIG/augment"), "{error}");
    assert!(Views::new(Tta::Random(65), None, 1).is_err());
    assert!(Views::new(Tta::Random(0), None, 1).is_ok());
}

#[test]
fn smaller_batches_are_smaller() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { batch_size: NonZeroUsize::MIN, ..options(Views::default()) };
    let mut predictor = Predictor::load(&model(dir.path()), options).unwrap();
    assert_eq!(predictor.photos_at_once(), 1);
    let photos = pictures();
    let photos: Vec<Photo<'_>> = photos.iter().map(|bytes| Photo::Bytes(bytes)).collect();
    assert_eq!(predictor.predict(&photos).unwrap().len(), 11);
}

#[test]
fn a_folder_that_does_not_belong_together_is_refused() {
    let told = |spoil: fn(&Path)| {
        let dir = tempfile::tempdir().unwrap();
        let folder = model(dir.path());
        spoil(&folder);
        match Predictor::load(&folder, options(Views::default())) {
            Ok(_) => panic!("it was loaded"),
            Err(error) => error.to_string().replace(&folder.display().to_string(), "MODEL"),
        }
    };
    assert_eq!(
        told(|folder| change(folder, |record| drop(record.classes.pop()))),
        "cannot load the model of `MODEL/model.json`: found 2 names in `classes`, expected 3"
    );
    assert_eq!(
        told(|folder| change(folder, |record| record.pool = pipeline_nn::Pool::Avg)),
        "cannot load the model of `MODEL/model.json`: found 2560 numbers in `feature_dim`, expected 1280"
    );
    assert_eq!(
        told(|folder| change(folder, |record| record.preprocessing.size = 1 << 31)),
        "cannot use the model of `MODEL/model.json`: `size` is 2147483648, expected 32 to 1024"
    );
    let no_divisor = told(|folder| change(folder, |record| record.preprocessing.std[1] = 0.0));
    assert!(no_divisor.ends_with("expected numbers above 0"), "{no_divisor}");
    assert_eq!(
        told(|folder| change(folder, |record| record.classes.clear())),
        "cannot use the model of `MODEL/model.json`: `classes` is empty, expected at least 1 name"
    );
    assert_eq!(
        told(|folder| change(folder, |record| record.classes[2] = record.classes[0].clone())),
        "cannot use the model of `MODEL/model.json`: `classes` has \"cats\" twice, expected each name once"
    );
    let swapped = told(|folder| {
        fs_err::copy(folder.join("head.safetensors"), folder.join("trunk.safetensors")).unwrap();
    });
    assert!(
        swapped.starts_with("`MODEL/trunk.safetensors` is not the file that model.json names"),
        "{swapped}"
    );
    let gone = told(|folder| fs_err::remove_file(folder.join("head.safetensors")).unwrap());
    assert!(gone.contains("MODEL/head.safetensors"), "{gone}");
}
