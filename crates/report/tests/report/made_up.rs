//! Made-up evaluations: what models might have said of photos that never were. The measures are made up too, and do not
//! follow from the photos; only errors and the confusion matrix do.

use image::{Rgb, RgbImage};
use pipeline_fit::{Bin, Calibration, ClassCurves, ClassMeasures, Estimate, Interval, McNemar, Measures};
use pipeline_report::evaluation::{
    Evaluation, Insights, Judged, MapPoint, NearDuplicate, NeighbourPhoto, Outlier, PhotoRow, PhotoSheet,
    SheetPhoto, SuspectLabel, Training, ViewSheet,
};

/// Numbers without a pattern: Marsaglia's xorshift.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Chance {
        Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// 0 to 1.
    pub(crate) fn share(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.share() * end as f64) as usize
    }
}

/// As noisy as a photo: a gradient, blobs, grain.
pub(crate) fn picture(side: u32, seed: u64) -> RgbImage {
    let mut chance = Chance::new(seed);
    let waves: Vec<[f64; 3]> =
        (0..6).map(|_| [chance.share() * 0.3, chance.share() * 0.3, chance.share()]).collect();
    RgbImage::from_fn(side, side, |x, y| {
        let (x, y) = (f64::from(x), f64::from(y));
        let shape = |k: usize| {
            let [u, v, w] = waves[k];
            ((u * x + v * y + 6.3 * w).sin() + (0.1 * v * x * w - 0.2 * u * y).cos()) * 38.0
        };
        let grain = (chance.share() - 0.5) * 12.0;
        Rgb([0, 2, 4].map(|k| (128.0 + shape(k) + 0.5 * shape(k + 1) + grain).clamp(0.0, 255.0) as u8))
    })
}

/// About 3 kB, as thumbnails of photos are.
pub(crate) fn thumbnail(seed: u64) -> Vec<u8> {
    let mut jpeg = Vec::new();
    let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 80);
    picture(96, seed).write_with_encoder(encoder).unwrap();
    jpeg
}

fn estimate(value: f64) -> Estimate {
    let around = 1.96 * (value.abs() * (1.0 - value).abs() / 1000.0).sqrt();
    Estimate { value, interval: Some(Interval { low: value - around, high: (value + around).min(1.0) }) }
}

pub(crate) fn measures(photos: u64, errors: u64, per_class: Vec<ClassMeasures>) -> Measures {
    let right = (photos - errors) as f64 / photos.max(1) as f64;
    let bins = [(0.5, 0.58, 0.5), (0.7, 0.72, 0.68), (0.9, 0.93, 0.9), (0.95, 0.995, 0.993)];
    let bin = |(at, (low, confidence, accuracy)): (usize, &(f64, f64, f64))| Bin {
        low: *low,
        high: low + 1.0 / 15.0,
        photos: 4_u64.pow(at as u32) * 10,
        confidence: *confidence,
        accuracy: estimate(*accuracy),
    };
    Measures {
        resamples: 1000,
        ranking_resamples: 1000,
        photos,
        errors,
        accuracy: estimate(right),
        log_loss: estimate(0.0567 + 0.001 * errors as f64),
        top_2: None,
        top_5: None,
        macro_f1: estimate(right),
        cohen_kappa: Some(estimate(2.0 * right - 1.0)),
        roc_auc: Some(estimate(0.9991 - 0.0001 * errors as f64)),
        average_precision: Some(estimate(0.9989)),
        per_class,
        calibration: Calibration {
            ece: estimate(0.0123),
            bins: bins.iter().enumerate().map(bin).collect(),
            temperature: Some(Estimate { value: 1.31, interval: Some(Interval { low: 1.12, high: 1.58 }) }),
            temperature_resamples: 1000,
            log_loss_at_temperature: Some(0.0512),
            ece_at_temperature: Some(0.0061),
            log_loss_cross_fitted: Some(estimate(0.0531)),
        },
    }
}

/// Photos of each class, some of which are taken for another one; thumbnails where asked for.
pub(crate) fn photos(number: usize, classes: &[String], wrong: f64, thumbnails: bool) -> Vec<PhotoRow> {
    let mut chance = Chance::new(7);
    let row = |at: usize| {
        let label = at * classes.len() / number.max(1);
        let is_wrong = classes.len() > 1 && chance.share() < wrong;
        let other = (label + 1 + chance.below((classes.len() - 1).clamp(1, 3))) % classes.len();
        let confidence =
            if is_wrong { 0.5 + 0.5 * chance.share() } else { 1.0 - chance.share().powi(3) * 0.4 };
        let loss = if is_wrong { -(1.0 - confidence).max(1e-6).ln() } else { -confidence.ln() };
        PhotoRow {
            id: format!("valid/{}/{}.{at}.jpg", classes[label], classes[label].trim_end_matches('s')),
            label: Some(label as u32),
            predicted: if is_wrong { other } else { label } as u32,
            confidence: confidence as f32,
            loss: Some(loss.abs() as f32),
            thumbnail: thumbnails.then(|| thumbnail(at as u64)),
        }
    };
    (0..number).map(row).collect()
}

/// Photos by label and prediction.
pub(crate) fn confusion(classes: usize, photos: &[PhotoRow]) -> Vec<Vec<u64>> {
    let mut confusion = vec![vec![0_u64; classes]; classes];
    for photo in photos {
        if let Some(label) = photo.label {
            confusion[label as usize][photo.predicted as usize] += 1;
        }
    }
    confusion
}

/// Everything that follows from the photos, with two models of which one has several modes.
pub(crate) fn of_photos(classes: Vec<String>, photos: Vec<PhotoRow>) -> Evaluation {
    let confusion = confusion(classes.len(), &photos);
    let number: u64 = confusion.iter().flatten().sum();
    let right: u64 = (0..classes.len()).map(|class| confusion[class][class]).sum();
    let of_class = |class: usize| {
        let support: u64 = confusion[class].iter().sum();
        let predicted: u64 = confusion.iter().map(|row| row[class]).sum();
        let share = |of: u64| (of > 0).then(|| estimate(confusion[class][class] as f64 / of as f64));
        let area = (support > 0 && support < number).then(|| estimate(0.999 - 0.0001 * (class % 50) as f64));
        ClassMeasures {
            support,
            predicted,
            precision: share(predicted),
            recall: share(support),
            f1: share((support + predicted) / 2),
            roc_auc: area,
            average_precision: area,
        }
    };
    let per_class: Vec<_> = (0..classes.len()).map(of_class).collect();
    let curve = |class: usize| {
        let steep = 40.0 + class as f64;
        let rate = |k: u32| f64::from(k) / 100.0;
        let roc = (0..=100).map(|k| (rate(k), 1.0 - (-steep * rate(k)).exp() * (1.0 - rate(k)))).collect();
        let precision_recall = (0..=100).map(|k| (rate(k), 1.0 - rate(k).powf(steep) * 0.5)).collect();
        let has_curve = per_class[class].roc_auc.is_some();
        if has_curve { ClassCurves { roc, precision_recall } } else { ClassCurves::default() }
    };
    let curves = (0..classes.len()).map(curve).collect();
    let judged = |model: &str, mode: &str, more: u64| Judged {
        model: model.to_owned(),
        mode: mode.to_owned(),
        measures: measures(number, (number - right + more).min(number), per_class.clone()),
    };
    let tta = "mean of 5 views";
    Evaluation {
        split: "valid".to_owned(),
        classes,
        models: vec![
            judged("head", "", 6),
            judged("head", tta, 4),
            judged("finetune", "", 9),
            judged("finetune", tta, 0),
        ],
        comparisons: vec![
            (3, 2, McNemar { only_first: 12, only_second: 3, p_value: 0.0352 }),
            (3, 1, McNemar { only_first: 7, only_second: 3, p_value: 0.3438 }),
        ],
        detail: 3,
        confusion,
        curves,
        photos,
        ..Evaluation::default()
    }
}

/// Cats and dogs, with everything that a page can have.
pub(crate) fn cats_and_dogs(number: usize, thumbnails: bool) -> Evaluation {
    let classes = vec!["cats".to_owned(), "dogs".to_owned()];
    let photos = photos(number, &classes, 0.02, thumbnails);
    let mut evaluation = of_photos(classes, photos);
    evaluation.sheets = sheets(&evaluation.photos);
    evaluation.views = Some(views());
    let png = |seed| {
        let mut png = std::io::Cursor::new(Vec::new());
        picture(40, seed).write_to(&mut png, image::ImageFormat::Png).unwrap();
        png.into_inner()
    };
    evaluation.trainings = ["head", "finetune"]
        .map(|model| Training {
            model: model.to_owned(),
            charts: vec![("learning rate".to_owned(), png(1)), ("loss".to_owned(), png(2))],
        })
        .into();
    evaluation.insights = Some(insights(&evaluation.photos));
    evaluation.features_by =
        Some("resnet34 as pretrained (1d6ff585…), not of finetune's own trunk".to_owned());
    evaluation.findings = vec!["2 photos are the same bytes as another.".to_owned()];
    evaluation.config =
        "pipeline: ../pipelines/dogscats.yaml\nseed: 42\nstages:\n  head:\n    epochs: 5\n".to_owned();
    evaluation.versions = vec!["ingest 4".to_owned(), "head 3".to_owned(), "evaluate 5".to_owned()];
    evaluation
}

fn sheets(photos: &[PhotoRow]) -> Vec<PhotoSheet> {
    let is_wrong = |at: &usize| photos[*at].label != Some(photos[*at].predicted);
    let tile = |at: usize, is_wrong: bool| SheetPhoto {
        photo: at,
        picture: (at % 11 != 5).then(|| picture(224, at as u64)),
        heat: (at % 11 != 5).then(|| picture(224, at as u64 + 1)),
        neighbours: (0..if is_wrong { 4 } else { 0 })
            .map(|near| NeighbourPhoto {
                id: format!("train/cats/cat.{near}.jpg"),
                label: "cats".to_owned(),
                similarity: 0.91,
                picture: (near != 2).then(|| picture(56, near)),
            })
            .collect(),
    };
    let sheet = |name: &str, title: &str, rows: Vec<(Option<String>, Vec<SheetPhoto>)>| PhotoSheet {
        name: name.to_owned(),
        title: title.to_owned(),
        note: "Drawn at random.".to_owned(),
        rows,
    };
    let some = |wrong: bool, number: usize| {
        let places = (0..photos.len()).filter(|at| is_wrong(at) == wrong);
        places.take(number).map(|at| tile(at, wrong)).collect::<Vec<_>>()
    };
    vec![
        sheet("correct", "Correct at random", vec![(None, some(false, 20))]),
        sheet(
            "wrong",
            "Wrong at random",
            vec![
                (Some("labelled cats".to_owned()), some(true, 20)),
                (Some("labelled dogs".to_owned()), some(false, 20)),
            ],
        ),
    ]
}

fn views() -> ViewSheet {
    let view = |at: u64| (format!("view {at}"), (at != 3).then(|| picture(224, at)), 0.6 + 0.08 * at as f32);
    ViewSheet { photo: 0, views: (0..5).map(view).collect() }
}

fn insights(photos: &[PhotoRow]) -> Insights {
    let mut chance = Chance::new(3);
    let ids = || photos.iter().take(20).map(|photo| photo.id.clone());
    let issue = |id: String| SuspectLabel {
        id,
        split: "train".to_owned(),
        label: 0,
        suggested: 1,
        label_probability: 0.031,
        suggested_probability: 0.969,
    };
    let duplicate = |(at, id): (usize, String)| NearDuplicate {
        ids: [id, format!("train/dogs/dog.{at}.jpg")],
        splits: ["valid".to_owned(), if at % 3 == 0 { "train" } else { "valid" }.to_owned()],
        labels: ["cats".to_owned(), "dogs".to_owned()],
        similarity: 0.9999 - 0.001 * at as f32,
    };
    let outlier =
        |id: String| Outlier { id, split: "valid".to_owned(), label: "cats".to_owned(), similarity: 0.312 };
    let point = |photo: &PhotoRow| {
        let side = if photo.label == Some(1) { 1.5 } else { -1.5 };
        let mut around = || (chance.share() + chance.share() + chance.share() - 1.5) as f32;
        MapPoint { id: photo.id.clone(), label: photo.label, at: [side + around(), around()] }
    };
    Insights {
        label_issues: ids().take(7).map(issue).collect(),
        labels_checked: Some(photos.len() as u64),
        near_duplicates: ids().take(6).enumerate().map(duplicate).collect(),
        outliers: ids().take(5).map(outlier).collect(),
        map: photos.iter().map(point).collect(),
        map_shares: [0.21, 0.07],
        notes: vec!["Near duplicates were looked for among the first 20,000 photos only.".to_owned()],
        thumbnails: ids().take(4).enumerate().map(|(at, id)| (id, thumbnail(at as u64))).collect(),
    }
}
