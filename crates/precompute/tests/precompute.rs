//! The `precompute` stage on small pictures and a made-up trunk.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::collections::BTreeMap;
use std::path::Path;

use image::{Rgb, RgbImage};
use pipeline_nn::artifact::BackboneRecord;
use pipeline_nn::{Device, Kind, Mode, Tensor, backbones, no_grad, weights};
use pipeline_photo::{Augmenter, Limits, Planes, Policy, Preprocessing, Resizer};
use pipeline_precompute::Precompute;
use pipeline_stage::{Artifact, Digest, Event, Failure};
use pipeline_table::{FeaturesReader, ImageRow, ImagesWriter, Split, Verdict, ViewRow, ViewsWriter, classes};
use pipeline_testkit::{Made, StageBench};
use serde_json::json;

/// The smallest architecture.
const ARCH: &str = "efficientnet_lite0";

/// Photos of unequal sides, one of them bad, one of a split that is not asked for.
fn images(dir: &Path, count: u32) -> Artifact {
    let photos = dir.join("photos");
    let artifact = dir.join("ingest");
    fs_err::create_dir_all(&artifact).unwrap();
    let mut writer = ImagesWriter::create(&artifact.join("images.parquet")).unwrap();
    let names = (0..count).map(|i| {
        let split = [Split::Test, Split::Train, Split::Valid][i as usize % 3];
        (format!("{split}/{i:03}.png"), split, i)
    });
    let mut names: Vec<_> = names.collect();
    names.sort();
    for (id, split, i) in names {
        let (width, height) = (40 + 3 * (i % 32), 37 + i % 32);
        let picture =
            RgbImage::from_fn(width, height, |x, y| Rgb([(7 * x + i) as u8, (5 * y) as u8, (x * y) as u8]));
        let path = photos.join(&id);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        picture.save(&path).unwrap();
        let bytes = fs_err::read(&path).unwrap();
        let bad = i == 4;
        let row = ImageRow {
            id,
            split,
            label: Some(["cats", "dogs"][i as usize % 2].to_owned()),
            label_id: Some(i % 2),
            width: (!bad).then_some(width),
            height: (!bad).then_some(height),
            format: Some("png".to_owned()),
            orientation: Some(1),
            bytes: bytes.len() as u64,
            digest: Digest::of(&bytes).to_string(),
            appearance: None,
            verdict: if bad { Verdict::Bad } else { Verdict::Ok },
            reason: bad.then(|| "truncated".to_owned()),
        };
        writer.write(&row).unwrap();
    }
    writer.finish().unwrap();
    classes::write(&artifact.join("classes.json"), &["cats".to_owned(), "dogs".to_owned()]).unwrap();
    let sources = [("photos".to_owned(), photos)].into();
    Artifact { stage: "ingest".to_owned(), dir: artifact, files: BTreeMap::new(), sources }
}

fn backbone(dir: &Path) -> Artifact {
    let dir = dir.join("backbone");
    fs_err::create_dir_all(&dir).unwrap();
    let file = dir.join("trunk.safetensors");
    let backbone = backbones::find(ARCH).unwrap();
    let trunk = backbone.load(&backbone.random_weights(1).unwrap(), Device::Cpu).unwrap();
    weights::write_safetensors(&file, trunk.named_tensors(), &BTreeMap::new()).unwrap();
    BackboneRecord::new(backbone, "00", false).write(&dir.join("backbone.json")).unwrap();
    let files = [("trunk.safetensors".to_owned(), Digest::of(&fs_err::read(&file).unwrap()))].into();
    Artifact { stage: "backbone".to_owned(), dir, files, sources: BTreeMap::new() }
}

/// Two views beside the plain one of each photo of [`images`], or none.
fn augmentation(dir: &Path, images: &Artifact, policy: Option<&Policy>) -> Artifact {
    let dir = dir.join(format!("augment-{}", policy.is_some()));
    fs_err::create_dir_all(&dir).unwrap();
    let columns: Vec<String> =
        policy.map(|policy| policy.columns()).unwrap_or_default().into_iter().map(|c| c.name).collect();
    let json = policy.map(Policy::to_json);
    let mut writer = ViewsWriter::create(&dir.join("views.parquet"), json.as_ref(), &columns).unwrap();
    let rows =
        pipeline_table::ImagesReader::open(&images.path("images.parquet")).unwrap().map(Result::unwrap);
    for row in rows.filter(|row| row.verdict != Verdict::Bad) {
        let mut view = |view, numbers| writer.write(ViewRow { id: row.id.clone(), view, numbers }).unwrap();
        view(0, policy.map(Policy::neutral).unwrap_or_default());
        if policy.is_some() {
            // Mirrored and dark; turned.
            view(1, vec![0.0, -0.4, 1.0, 1.0, 0.5, 0.5]);
            view(2, vec![30.0, 0.0, 1.0, 0.0, 0.2, 0.9]);
        }
    }
    writer.finish().unwrap();
    Artifact { stage: "augment".to_owned(), dir, files: BTreeMap::new(), sources: BTreeMap::new() }
}

fn policy() -> Policy {
    let steps = pipeline_photo::policy::steps_from_json(&json!(["rotate", "lighting", "flip"])).unwrap();
    Policy { border: Default::default(), steps }
}

#[test]
fn each_view_of_the_table_has_a_row_with_the_features_of_its_pixels() {
    let bench = StageBench::default();
    let (images, backbone) = (images(bench.dir(), 9), backbone(bench.dir()));
    let augment = augmentation(bench.dir(), &images, Some(&policy()));
    let inputs = [("images", vec![&images]), ("augment", vec![&augment]), ("backbone", vec![&backbone])];
    let made =
        bench.run(&Precompute, &json!({"size": 36, "batch_size": 4, "dtype": "f32"}), &inputs, &[]).unwrap();
    assert!(made.summary.line.starts_with("5 photos, 15 views × 2,560, f32, "), "{}", made.summary.line);

    let reader = FeaturesReader::open(&made.artifact.path("features")).unwrap();
    let listed: Vec<(String, u32)> =
        reader.rows().unwrap().into_iter().map(|row| (row.id, row.view)).collect();
    // 000, 003 and 006 are test photos, whose views are passed over; 004 is bad.
    let ids = ["train/001.png", "train/007.png", "valid/002.png", "valid/005.png", "valid/008.png"];
    let expected: Vec<(String, u32)> =
        ids.iter().flat_map(|id| (0..3).map(|view| ((*id).to_owned(), view))).collect();
    assert_eq!(listed, expected);

    let trunk = backbones::find(ARCH)
        .unwrap()
        .load(&weights::read(&backbone.path("trunk.safetensors")).unwrap(), Device::Cpu)
        .unwrap();
    let preprocessing = Preprocessing::new(36, [127.0 / 255.0; 3], [128.0 / 255.0; 3]);
    let valid = reader.load(|row| row.split == Split::Valid).unwrap();
    let mut augmenter = Augmenter::new(policy());
    for (i, row) in valid.rows.iter().enumerate() {
        let bytes = fs_err::read(images.sources["photos"].join(&row.id)).unwrap();
        let photo = pipeline_photo::decode(&bytes, &Limits::default()).unwrap();
        let mut view = Planes::default();
        match row.view {
            0 => view = Planes::of(&preprocessing.crop(&photo.pixels, &mut Resizer::new())),
            1 => augmenter.photo(&photo.pixels).make(&[0.0, -0.4, 1.0, 1.0, 0.5, 0.5], 36, &mut view),
            _ => augmenter.photo(&photo.pixels).make(&[30.0, 0.0, 1.0, 0.0, 0.2, 0.9], 36, &mut view),
        }
        preprocessing.normalise_planes(&mut view);
        let expected = no_grad(|| {
            let x = Tensor::from_slice(&view.pixels_chw).view([1, 3, 36, 36]);
            let map = trunk.forward(&x, [Mode::Eval, Mode::Eval]).unwrap();
            Vec::<f32>::try_from(pipeline_nn::Pool::MaxAvg.of(&map).unwrap().view(-1)).unwrap()
        });
        let worst = valid.of(i).iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
        let scale = expected.iter().fold(0f32, |a, b| a.max(b.abs()));
        assert!(
            scale > 0.1 && worst < 1e-4 * scale,
            "{} view {}: off by {worst} of {scale}",
            row.id,
            row.view
        );
    }
    assert!(
        valid.of(0) != valid.of(1) && valid.of(1) != valid.of(2),
        "different views have different features"
    );
}

#[test]
fn views_of_splits_that_are_not_asked_for_are_passed_over_wherever_they_stand() {
    let bench = StageBench::default();
    let (images, backbone) = (images(bench.dir(), 9), backbone(bench.dir()));
    let augment = augmentation(bench.dir(), &images, Some(&policy()));
    let inputs = [("images", vec![&images]), ("augment", vec![&augment]), ("backbone", vec![&backbone])];
    let made =
        bench.run(&Precompute, &json!({"size": 36, "splits": ["test", "valid"]}), &inputs, &[]).unwrap();
    let rows = FeaturesReader::open(&made.artifact.path("features")).unwrap().rows().unwrap();
    let plain: Vec<&str> = rows.iter().filter(|row| row.view == 0).map(|row| row.id.as_str()).collect();
    let ids =
        ["test/000.png", "test/003.png", "test/006.png", "valid/002.png", "valid/005.png", "valid/008.png"];
    assert_eq!((rows.len(), plain), (18, ids.to_vec()));
}

#[test]
fn views_have_the_same_bytes_for_any_number_of_threads_and_plain_ones_those_without_augment() {
    let mut bench = StageBench::default();
    let (images, backbone) = (images(bench.dir(), 13), backbone(bench.dir()));
    let augment = augmentation(bench.dir(), &images, Some(&policy()));
    let plain = augmentation(bench.dir(), &images, None);
    let files = |bench: &StageBench, augment: Option<&Artifact>| {
        let mut inputs = vec![("images", vec![&images]), ("backbone", vec![&backbone])];
        inputs.extend(augment.map(|augment| ("augment", vec![augment])));
        // A batch that cuts the views of a photo in two.
        let params = json!({"size": 36, "batch_size": 4, "dtype": "f32"});
        bench.run(&Precompute, &params, &inputs, &[]).unwrap().artifact.files
    };
    bench.threads = 1;
    let (views, without) = (files(&bench, Some(&augment)), files(&bench, None));
    assert_eq!(files(&bench, Some(&plain)), without);
    bench.threads = 3;
    assert_eq!(files(&bench, Some(&augment)), views);
    assert_ne!(views, without);
}

#[test]
fn a_table_of_views_of_other_photos_is_refused_with_the_first_that_it_lacks() {
    let bench = StageBench::default();
    let (images_of_all, backbone) = (images(bench.dir(), 9), backbone(bench.dir()));
    let few = images(&bench.dir().join("few"), 3);
    let augment = augmentation(bench.dir(), &few, Some(&policy()));
    let inputs =
        [("images", vec![&images_of_all]), ("augment", vec![&augment]), ("backbone", vec![&backbone])];
    let failure = bench.run(&Precompute, &json!({"size": 36}), &inputs, &[]).unwrap_err();
    let Failure::Failed { message, hint, .. } = failure else { panic!("{failure}") };
    assert_eq!(message, "the input `augment` lists no plain view of photo `train/007.png`");
    assert_eq!(hint.unwrap(), "in the pipeline file, give precompute and augment the same images");
}

#[test]
fn each_usable_photo_of_the_asked_splits_has_the_row_that_a_plain_loop_computes() {
    let bench = StageBench::default();
    let (images, backbone) = (images(bench.dir(), 9), backbone(bench.dir()));
    let inputs = [("images", vec![&images]), ("backbone", vec![&backbone])];
    let made =
        bench.run(&Precompute, &json!({"size": 36, "batch_size": 4, "dtype": "f32"}), &inputs, &[]).unwrap();

    let reader = FeaturesReader::open(&made.artifact.path("features")).unwrap();
    assert_eq!(reader.meta().dim, 2 * 1280);
    assert_eq!(reader.meta().classes, ["cats", "dogs"]);
    assert_eq!(reader.meta().weights, backbone.files["trunk.safetensors"].to_string());
    let ids: Vec<String> = reader.rows().unwrap().into_iter().map(|row| row.id).collect();
    // 000, 003 and 006 are test photos, 004 is bad.
    assert_eq!(ids, ["train/001.png", "train/007.png", "valid/002.png", "valid/005.png", "valid/008.png"]);

    let trunk = backbones::find(ARCH)
        .unwrap()
        .load(&weights::read(&backbone.path("trunk.safetensors")).unwrap(), Device::Cpu)
        .unwrap();
    let preprocessing = Preprocessing::new(36, [127.0 / 255.0; 3], [128.0 / 255.0; 3]);
    let written: Preprocessing = serde_json::from_value(reader.meta().preprocessing.clone()).unwrap();
    assert_eq!(written, preprocessing);
    assert!(
        reader.meta().preprocessing.to_string().contains("0.49803922"),
        "{}",
        reader.meta().preprocessing
    );
    let valid = reader.load(|row| row.split == Split::Valid).unwrap();
    assert_ne!(valid.of(0), valid.of(1), "different photos have different features");
    for (i, row) in valid.rows.iter().enumerate() {
        let bytes = fs_err::read(images.sources["photos"].join(&row.id)).unwrap();
        let photo = pipeline_photo::decode(&bytes, &Limits::default()).unwrap();
        let square = preprocessing.crop(&photo.pixels, &mut Resizer::new());
        let mut pixels = vec![0f32; 3 * 36 * 36];
        preprocessing.normalise_chw(&square, &mut pixels);
        let map = no_grad(|| {
            let x = Tensor::from_slice(&pixels).view([1, 3, 36, 36]);
            trunk.forward(&x, [Mode::Eval, Mode::Eval]).unwrap()
        });
        let max: Vec<f32> = map.amax([2, 3], false).view(-1).try_into().unwrap();
        let mean: Vec<f32> = map.mean_dim([2i64, 3].as_slice(), false, None).view(-1).try_into().unwrap();
        let expected: Vec<f32> = max.into_iter().chain(mean).collect();
        let worst = valid.of(i).iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
        let scale = expected.iter().fold(0f32, |a, b| a.max(b.abs()));
        assert!(scale > 0.1 && worst < 1e-4 * scale, "{}: off by {worst} of {scale}", row.id);
    }
}

#[test]
fn the_table_has_the_same_bytes_for_any_number_of_threads() {
    let mut bench = StageBench::default();
    let (images, backbone) = (images(bench.dir(), 31), backbone(bench.dir()));
    let inputs = [("images", vec![&images]), ("backbone", vec![&backbone])];
    let mut files = vec![];
    for dtype in ["f32", "bf16"] {
        for threads in [1, 2, 3] {
            bench.threads = threads;
            let params = json!({"size": 36, "batch_size": 4, "dtype": dtype});
            let made = bench.run(&Precompute, &params, &inputs, &[]).unwrap();
            let expected = format!("19 × 2,560, {dtype}, ");
            assert!(made.summary.line.starts_with(&expected), "{}", made.summary.line);
            files.push(made.artifact.files);
        }
    }
    assert!(files[0] == files[1] && files[0] == files[2], "{files:?}");
    assert!(files[3] == files[4] && files[3] == files[5], "{files:?}");
    assert_ne!(files[0], files[3], "the formats differ");
}

#[test]
fn photos_that_changed_or_went_since_ingest_are_counted_and_named_or_left_out() {
    let mut bench = StageBench::default();
    let (images, backbone) = (images(bench.dir(), 9), backbone(bench.dir()));
    let inputs = [("images", vec![&images]), ("backbone", vec![&backbone])];
    let params = |on_missing: &str| json!({"size": 36, "batch_size": 4, "on_missing": on_missing});
    let fails =
        |on_missing: &str| match bench.run(&Precompute, &params(on_missing), &inputs, &[]).unwrap_err() {
            Failure::Failed { message, hint, .. } => (message, hint.unwrap()),
            other => panic!("{other:?}"),
        };
    let whole = bench.run(&Precompute, &params("fail"), &inputs, &[]).unwrap();
    let photo = |id: &str| images.sources["photos"].join(id);
    let bytes = fs_err::read(photo("valid/005.png")).unwrap();

    // The same size is noticed when the photo is read, another before anything is computed.
    let mut turned = bytes.clone();
    turned.reverse();
    fs_err::write(photo("valid/005.png"), &turned).unwrap();
    let (message, hint) = fails("fail");
    assert_eq!(message, "photo `valid/005.png` changed since it was ingested");
    assert_eq!(hint, "run again: ingest will look at the folder anew");
    fs_err::remove_file(photo("train/001.png")).unwrap();
    fs_err::write(photo("valid/005.png"), b"another").unwrap();
    let (message, hint) = fails("fail");
    assert_eq!(
        message,
        "gone or changed since they were ingested: 2 (train/001.png, valid/005.png) of 5 photos"
    );
    assert!(hint.contains("`on_missing: skip`"), "{hint}");

    bench.partial = Some(bench.dir().join("kept"));
    let rest = bench.run(&Precompute, &params("skip"), &inputs, &[]).unwrap();
    assert!(rest.summary.line.ends_with(", 2 photos left out"), "{}", rest.summary.line);
    let warning = "left out, gone or changed since they were ingested: 2 (train/001.png, valid/005.png)";
    assert!(bench.events().contains(&Event::Warning(warning.to_owned())), "{:?}", bench.events());
    let load =
        |made: &Made| FeaturesReader::open(&made.artifact.path("features")).unwrap().load(|_| true).unwrap();
    let (whole, rest) = (load(&whole), load(&rest));
    assert_eq!(rest, whole.only(|row| !["train/001.png", "valid/005.png"].contains(&row.id.as_str())));

    // A photo that is there again is computed, although its chunk was finished without it.
    fs_err::write(photo("valid/005.png"), &bytes).unwrap();
    let back = load(&bench.run(&Precompute, &params("skip"), &inputs, &[]).unwrap());
    assert_eq!(back, whole.only(|row| row.id != "train/001.png"));

    fs_err::remove_dir_all(&images.sources["photos"]).unwrap();
    bench.partial = None;
    let Err(Failure::Failed { message, .. }) = bench.run(&Precompute, &params("skip"), &inputs, &[]) else {
        panic!("there is no photo");
    };
    assert!(message.starts_with("gone or changed since they were ingested: 5 ("), "{message}");
}

#[test]
fn a_split_without_photos_is_noted_and_no_photo_at_all_is_an_error() {
    let bench = StageBench::default();
    let (images, backbone) = (images(bench.dir(), 2), backbone(bench.dir()));
    let inputs = [("images", vec![&images]), ("backbone", vec![&backbone])];
    // One photo of test, one of train.
    let made = bench.run(&Precompute, &json!({"size": 36}), &inputs, &[]).unwrap();
    assert_eq!(made.summary.notes, ["valid has no usable photo, so there are no features of it"]);
    let params = json!({"size": 36, "splits": ["valid"]});
    let failure = bench.run(&Precompute, &params, &inputs, &[]).unwrap_err();
    assert_eq!(failure.to_string(), "there is no usable photo in valid");
}

#[test]
fn a_run_that_was_stopped_goes_on_after_its_finished_chunks_and_makes_the_same_bytes() {
    let mut bench = StageBench::default();
    // 280 photos of train and valid, one of them bad: chunks of 256 and 23.
    let (images, backbone) = (images(bench.dir(), 420), backbone(bench.dir()));
    let inputs = [("images", vec![&images]), ("backbone", vec![&backbone])];
    let params = json!({"size": 32, "batch_size": 8});
    let whole = bench.run(&Precompute, &params, &inputs, &[]).unwrap();

    bench.partial = Some(bench.dir().join("kept"));
    bench.cancel_after_done(264);
    assert!(matches!(bench.run(&Precompute, &params, &inputs, &[]), Err(Failure::Cancelled)));
    bench.go_on();
    let before = bench.events().len();
    bench.threads = 3;
    let rest = bench.run(&Precompute, &params, &inputs, &[]).unwrap();
    assert_eq!(rest.artifact.files, whole.artifact.files);
    let events = bench.events().split_off(before);
    assert!(events.contains(&Event::Note("goes on after 256 of 279 photos".to_owned())), "{events:?}");
    assert_eq!(events.last(), Some(&Event::Done(23)));

    // A chunk that is no longer what was written is made again.
    let chunk = bench.dir().join("kept/chunk-00000.f32");
    let mut bytes = fs_err::read(&chunk).unwrap();
    bytes[77] ^= 1;
    fs_err::write(&chunk, bytes).unwrap();
    let again = bench.run(&Precompute, &params, &inputs, &[]).unwrap();
    assert_eq!(again.artifact.files, whole.artifact.files);
    assert_eq!(bench.events().last(), Some(&Event::Done(256)));
}

/// The artifact `backbone` with a classifier of 5 logits beside the trunk.
fn with_classifier(mut backbone: Artifact) -> (Artifact, Tensor, Tensor) {
    let file = backbone.path("classifier.safetensors");
    let weight = (Tensor::arange(5 * 1280, (Kind::Float, Device::Cpu)) * 0.37).sin().view([5, 1280]);
    let bias = Tensor::from_slice(&[0.5f32, -1.0, 0.0, 2.0, 7.0]);
    let tensors = [("_fc.weight", &weight), ("_fc.bias", &bias)]
        .map(|(name, tensor)| (name.to_owned(), tensor.shallow_clone()));
    weights::write_safetensors(&file, &tensors.into(), &BTreeMap::new()).unwrap();
    backbone.files.insert("classifier.safetensors".to_owned(), Digest::of(&fs_err::read(&file).unwrap()));
    (backbone, weight, bias)
}

#[test]
fn averages_alone_are_the_second_half_and_logits_are_those_of_the_classifier_on_them() {
    let mut bench = StageBench::default();
    let (images, plain) = (images(bench.dir(), 420), backbone(bench.dir()));
    let usual = bench
        .run(&Precompute, &json!({"size": 36}), &[("images", vec![&images]), ("backbone", vec![&plain])], &[])
        .unwrap();
    let (backbone, weight, bias) = with_classifier(plain);
    let inputs = [("images", vec![&images]), ("backbone", vec![&backbone])];
    let run = |bench: &StageBench, layers: &[&str]| {
        bench.run(&Precompute, &json!({"size": 36, "layers": layers}), &inputs, &[]).unwrap()
    };
    let whole = run(&bench, &["max_avg"]);
    assert_eq!(whole.artifact.files, usual.artifact.files, "the classifier is not read, and changes nothing");
    let open = |made: &Made| FeaturesReader::open(&made.artifact.path("features")).unwrap();
    let whole = open(&whole).load(|_| true).unwrap();

    let averages = run(&bench, &["avg"]);
    assert!(averages.summary.line.starts_with("279 × 1,280, "), "{}", averages.summary.line);
    let reader = open(&averages);
    assert_eq!((reader.meta().pool.as_str(), reader.meta().dim, reader.meta().logits), ("avg", 1280, 0));
    let averages = reader.load(|_| true).unwrap();

    // Stopped in between and gone on with, as any other.
    bench.partial = Some(bench.dir().join("kept"));
    bench.cancel_after_done(264);
    let params = json!({"size": 36, "layers": ["logits", "avg"]});
    assert!(matches!(bench.run(&Precompute, &params, &inputs, &[]), Err(Failure::Cancelled)));
    bench.go_on();
    let both = run(&bench, &["avg", "logits"]);
    assert!(both.summary.line.starts_with("279 × 1,280, "), "{}", both.summary.line);
    assert!(both.summary.line.contains(", 5 logits"), "{}", both.summary.line);
    let reader = open(&both);
    assert_eq!((reader.meta().pool.as_str(), reader.meta().dim, reader.meta().logits), ("avg", 1280, 5));
    assert_eq!(reader.load(|_| true).unwrap(), averages);
    let logits: Vec<f32> = reader.logits(100).flat_map(|batch| batch.unwrap().emb).collect();

    assert_eq!((averages.rows.len(), logits.len()), (279, 279 * 5));
    for at in 0..279 {
        assert_eq!(averages.of(at), &whole.of(at)[1280..], "{}", averages.rows[at].id);
        let expected = weight.matmul(&Tensor::from_slice(averages.of(at))) + &bias;
        let off = (Tensor::from_slice(&logits[5 * at..5 * at + 5]) - &expected).abs().max().double_value(&[]);
        assert!(off < 1e-4 * expected.abs().max().double_value(&[]), "off by {off} of {expected:?}");
    }
}

#[test]
fn logits_without_a_classifier_are_refused_before_a_photo_is_looked_at() {
    let bench = StageBench::default();
    let (images, backbone) = (images(bench.dir(), 3), backbone(bench.dir()));
    fs_err::remove_dir_all(&images.sources["photos"]).unwrap();
    let inputs = [("images", vec![&images]), ("backbone", vec![&backbone])];
    let params = json!({"size": 36, "layers": ["max_avg", "logits"]});
    let failure = bench.run(&Precompute, &params, &inputs, &[]).unwrap_err();
    let Failure::Failed { message, hint, .. } = failure else { panic!("{failure}") };
    assert_eq!(
        message,
        "`layers` has logits, but the weights of efficientnet_lite0 came without the classifier that computes them"
    );
    assert!(hint.unwrap().ends_with("or leave `logits` out"));
}

#[test]
fn the_summary_measures_the_features_of_the_table() {
    let bench = StageBench::default();
    let (images, backbone) = (images(bench.dir(), 9), backbone(bench.dir()));
    let inputs = [("images", vec![&images]), ("backbone", vec![&backbone])];
    let made = bench.run(&Precompute, &json!({"size": 36}), &inputs, &[]).unwrap();
    let features = FeaturesReader::open(&made.artifact.path("features")).unwrap().load(|_| true).unwrap();
    let norms: Vec<f64> = features
        .emb
        .chunks_exact(features.dim)
        .map(|emb| emb.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt())
        .collect();
    let is_dead = |place: &usize| (0..features.rows.len()).all(|row| features.of(row)[*place] == 0.0);
    let dead = (0..features.dim).filter(is_dead).count();
    let metrics = &made.summary.metrics;
    let mean = norms.iter().sum::<f64>() / norms.len() as f64;
    let expected = [
        ("norm_min", norms.iter().copied().fold(f64::INFINITY, f64::min)),
        ("norm_mean", mean),
        ("norm_max", norms.iter().copied().fold(0.0, f64::max)),
        ("dead_features", dead as f64),
    ];
    for (name, expected) in expected {
        assert!(
            (metrics[name] - expected).abs() < 1e-9 * expected.max(1.0),
            "{name}: {metrics:?}, {expected}"
        );
    }
    let said = made.summary.line.contains(" features dead (0 for every photo)");
    assert_eq!(said, dead > 0, "{}", made.summary.line);
}

#[test]
fn it_stops_when_cancelled() {
    let bench = StageBench::default();
    let (images, backbone) = (images(bench.dir(), 9), backbone(bench.dir()));
    let inputs = [("images", vec![&images]), ("backbone", vec![&backbone])];
    bench.cancel.cancel();
    let failure = bench.run(&Precompute, &json!({"size": 36}), &inputs, &[]).unwrap_err();
    assert!(matches!(failure, Failure::Cancelled), "{failure}");
}

/// Raise `Precompute::VERSION` when this fails: numbers within 0.1 % of those that version 2 wrote in float32, which version 3 does in `f32`,
/// and within 15 % of each number in `bf16` (random weights; with real ones the whole is within 0.5 %).
#[test]
fn version_3_computes_these_features() {
    let bench = StageBench::default();
    let (images, backbone) = (images(bench.dir(), 9), backbone(bench.dir()));
    let augment = augmentation(bench.dir(), &images, Some(&policy()));
    let inputs = [("images", vec![&images]), ("augment", vec![&augment]), ("backbone", vec![&backbone])];
    for (dtype, bound) in [("f32", 1e-3), ("bf16", 0.15)] {
        let made = bench.run(&Precompute, &json!({"size": 36, "dtype": dtype}), &inputs, &[]).unwrap();
        let reader = FeaturesReader::open(&made.artifact.path("features")).unwrap();
        assert_eq!(reader.meta().dtype, dtype);
        let features = reader.load(|row| row.split == Split::Valid).unwrap();
        assert_eq!(features.rows.len(), GOLDEN.len());
        for (row, expected) in GOLDEN.iter().enumerate() {
            // Two maxima and three means that lie inside ReLU6's range.
            let found = [2, 12, 1282, 1292, 1326].map(|i| features.of(row)[i]);
            let off = found.iter().zip(expected).map(|(a, b)| (a / b - 1.0).abs()).fold(0f32, f32::max);
            assert!(off < bound, "row {row} in {dtype}: found {found:?}, expected {expected:?}");
        }
    }
}

/// Views 0, 1 and 2 of valid/002.png, valid/005.png and valid/008.png.
const GOLDEN: [[f32; 5]; 9] = [
    [3.352015, 3.107235, 0.840058, 2.001083, 0.897374],
    [3.744744, 5.1716447, 0.936186, 2.974102, 0.919041],
    [4.873668, 3.73524, 1.218417, 2.5330563, 0.58935565],
    [4.185741, 4.358592, 1.046435, 2.571947, 1.580673],
    [3.6436307, 4.7711883, 0.9109077, 2.8509235, 0.34794188],
    [4.377058, 4.3476725, 1.0942645, 2.7895112, 0.7305557],
    [3.373356, 3.377381, 0.843339, 2.438615, 1.162602],
    [4.090715, 4.4482856, 1.0226787, 3.1946454, 0.59594357],
    [4.74642, 5.1302233, 1.186605, 2.6047704, 1.2047563],
];
