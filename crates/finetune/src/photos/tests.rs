use std::ops::Range;

use image::{Rgb, RgbImage};
use pipeline_photo::{Limits, Policy, Resizer, decode};
use pipeline_stage::Digest;
use pipeline_table::ImagesWriter;
use serde_json::json;

use super::*;

const SIZE: u32 = 24;
/// 5 to train on and 3 to measure on; one more of each split is bad, and one is of no use here.
const PHOTOS: [(Split, bool); 11] = [
    (Split::Test, true),
    (Split::Train, true),
    (Split::Train, true),
    (Split::Train, false),
    (Split::Train, true),
    (Split::Train, true),
    (Split::Train, true),
    (Split::Valid, true),
    (Split::Valid, true),
    (Split::Valid, false),
    (Split::Valid, true),
];

/// Photos of unequal sides in `dir`, with their table.
fn write(dir: &Path) {
    let mut writer = ImagesWriter::create(&dir.join("images.parquet")).unwrap();
    for (i, (split, is_usable)) in (0_u32..).zip(PHOTOS) {
        let id = format!("{i:02}.png");
        let (width, height) = (30 + 3 * i, 41 - i);
        RgbImage::from_fn(width, height, |x, y| Rgb([(7 * x + 9 * i) as u8, (5 * y) as u8, (x * y) as u8]))
            .save(dir.join(&id))
            .unwrap();
        let bytes = fs_err::read(dir.join(&id)).unwrap();
        writer
            .write(&ImageRow {
                id,
                split,
                label: Some(["cats", "dogs"][i as usize % 2].to_owned()),
                label_id: Some(i % 2),
                width: is_usable.then_some(width),
                height: is_usable.then_some(height),
                format: Some("png".to_owned()),
                orientation: Some(1),
                bytes: bytes.len() as u64,
                digest: Digest::of(&bytes).to_string(),
                appearance: None,
                verdict: if is_usable { Verdict::Ok } else { Verdict::Bad },
                reason: (!is_usable).then(|| "truncated".to_owned()),
            })
            .unwrap();
    }
    writer.finish().unwrap();
}

/// The photos of `dir`, augmented and mixed or not.
fn photos(dir: &Path, threads: usize, is_augmented: bool) -> Photos {
    let steps = pipeline_photo::policy::steps_from_json(&json!(["rotate", "lighting", "flip"])).unwrap();
    let mix = serde_json::from_value(json!({"mixup": {"p": 0.5}, "cutmix": {"p": 0.5}})).unwrap();
    let augmentation = Augmentation { policy: Policy { border: Default::default(), steps }, mix };
    let settings = Settings {
        folder: dir.to_owned(),
        preprocessing: Preprocessing::new(SIZE, [0.5, 0.4, 0.3], [0.25, 0.5, 0.2]),
        sizes: vec![],
        augmentation: is_augmented.then_some(augmentation),
        classes: 2,
        batch_size: 2,
        seed: 7,
        threads: NonZeroUsize::new(threads).unwrap(),
        device: Device::Cpu,
    };
    Photos::open(&dir.join("images.parquet"), settings).unwrap()
}

/// What a batch holds.
#[derive(Debug, Clone, PartialEq)]
struct Held {
    rows: Vec<Vec<f32>>,
    labels: Vec<i64>,
    mixed: Option<(Vec<i64>, f64)>,
}

impl Held {
    fn of(batch: &Batch) -> Self {
        let numbers = |labels: &Tensor| Vec::<i64>::try_from(labels).unwrap();
        let pixels: Vec<f32> = (&batch.x.view(-1)).try_into().unwrap();
        let rows = batch.x.size()[0] as usize;
        Held {
            rows: pixels.chunks(pixels.len() / rows).map(<[f32]>::to_vec).collect(),
            labels: numbers(&batch.labels),
            mixed: batch.mixed.as_ref().map(|mixed| (numbers(&mixed.partner_labels), mixed.lambda)),
        }
    }
}

fn train(photos: &Photos, epoch: u64, order: &[usize], batches: &[Range<usize>]) -> Vec<Held> {
    let mut held = vec![];
    let order = Order { epoch, photos: order, batches };
    photos
        .train(order, &mut |batch| {
            held.push(Held::of(&batch));
            Ok(())
        })
        .unwrap();
    held
}

/// These photos of an epoch as one batch.
fn train_at_once(photos: &Photos, epoch: u64, order: &[usize]) -> Held {
    train(photos, epoch, order, std::slice::from_ref(&(0..order.len()))).remove(0)
}

/// The plain view of a photo, by another way.
fn plain(dir: &Path, id: &str) -> Vec<f32> {
    let preprocessing = photos(dir, 1, false).settings.preprocessing;
    let photo = decode(&fs_err::read(dir.join(id)).unwrap(), &Limits::default()).unwrap();
    let mut pixels = vec![0.0; 3 * (SIZE * SIZE) as usize];
    preprocessing.normalise_chw(&preprocessing.crop(&photo.pixels, &mut Resizer::new()), &mut pixels);
    pixels
}

#[test]
fn usable_photos_are_trained_and_measured_on_in_plain_views_without_an_augmentation() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path());
    let photos = photos(dir.path(), 2, false);
    assert_eq!((photos.labels(), photos.classes(), photos.measured()), ([1, 0, 0, 1, 0].as_slice(), 2, 3));
    let held = train_at_once(&photos, 3, &[4, 0, 2]);
    let rows = ["06.png", "01.png", "04.png"].map(|id| plain(dir.path(), id)).to_vec();
    assert_eq!(held, Held { rows, labels: vec![0, 1, 0], mixed: None });
    let mut measured = vec![];
    let mut keep = |batch: Batch| {
        measured.push(Held::of(&batch));
        Ok(())
    };
    photos.measure(&mut keep).unwrap();
    let of = |ids: &[&str], labels: &[i64]| Held {
        rows: ids.iter().map(|id| plain(dir.path(), id)).collect(),
        labels: labels.to_vec(),
        mixed: None,
    };
    assert_eq!(measured, [of(&["07.png", "08.png"], &[1, 0]), of(&["10.png"], &[0])]);
}

#[test]
fn batches_have_the_same_bits_for_any_number_of_threads() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path());
    let held = |threads| {
        let photos = photos(dir.path(), threads, true);
        (0..4).map(|epoch| train(&photos, epoch, &[3, 1, 0, 4, 2], &[0..2, 2..5])).collect::<Vec<_>>()
    };
    let one = held(1);
    assert_eq!(held(3), one);
    // Each epoch in other views; p is 1 in all, so all are mixed.
    assert!(one[0] != one[1] && one.iter().flatten().all(|held| held.mixed.is_some()));
}

#[test]
fn what_is_left_of_an_epoch_is_what_the_whole_epoch_ends_with() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path());
    let photos = photos(dir.path(), 2, true);
    // Photo 1 comes up in each batch: its views must be counted from the epoch's start.
    let (order, batches) = ([1, 1, 0, 1, 4, 1, 2, 1], [0..2, 2..4, 4..6, 6..8]);
    let whole = train(&photos, 5, &order, &batches);
    assert_eq!(whole.len(), 4);
    for done in 1..4 {
        assert_eq!(train(&photos, 5, &order, &batches[done..]), whole[done..], "{done} batches were done");
    }
    assert!(train(&photos, 5, &order, &[]).is_empty());
}

#[test]
fn a_photo_that_comes_up_twice_in_an_epoch_is_shown_in_two_views() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path());
    let mut photos = photos(dir.path(), 1, true);
    if let Some(augmentation) = &mut photos.settings.augmentation {
        augmentation.mix = serde_json::from_value(json!({})).unwrap();
    }
    let rows = |epoch, order: &[usize]| train_at_once(&photos, epoch, order).rows;
    let twice = rows(0, &[2, 2, 3]);
    assert!(twice[0] != twice[1], "two views");
    // A view is the photo's, the epoch's and of its number, whatever else is shown.
    let once = rows(0, &[3, 2]);
    assert!(once == [twice[2].clone(), twice[0].clone()]);
    assert!(rows(1, &[2])[0] != once[1], "another epoch");
}

#[test]
fn the_size_follows_the_epoch_and_stays_at_the_last() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path());
    let mut photos = photos(dir.path(), 1, true);
    let side = |photos: &Photos, epoch| {
        let values = train_at_once(photos, epoch, &[0]).rows[0].len();
        (values as f64 / 3.0).sqrt()
    };
    assert_eq!(side(&photos, 0), 24.0);
    photos.settings.sizes = vec![16, 20, 28];
    assert_eq!([0, 1, 2, 3, 9].map(|epoch| side(&photos, epoch)), [16.0, 20.0, 28.0, 28.0, 28.0]);
}
