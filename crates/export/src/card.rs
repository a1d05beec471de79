//! The card of a model: what it is, what it was made from, how good it is and where that ends, in Markdown. What is not known is said,
//! with how to get it. Names come from strangers and are escaped.

use std::fmt::Write;

use pipeline_fit::Estimate;
use pipeline_nn::Pool;
use pipeline_nn::weights::Precision;
use pipeline_photo::{Decode, Preprocessing};
use pipeline_stage::words::{count, number};

use crate::markdown::escaped;
use crate::model_folder::ModelFolder;
use crate::provenance::{Evaluation, Provenance, TrainingData};

/// File name of the card.
pub const CARD_FILE: &str = "README.md";

/// Classes that are listed.
const MOST_CLASSES: usize = 200;

/// A class with fewer photos to train on is named among the limits.
const FEW_PHOTOS: u64 = 50;

/// The card of the model in `folder`, its weights in this precision.
pub(crate) fn card(folder: &ModelFolder, provenance: &Provenance, precision: Precision) -> String {
    let record = &folder.model.record;
    let (arch, classes) = (&record.arch, record.classes.len());
    let sections = [
        format!(
            "# {arch}, {} classes\n\n\
             A classifier of photos, trained with `pipeline`: from one photo to a probability for each of {} classes.",
            count(classes as u64),
            count(classes as u64)
        ),
        format!("## Classes\n\n{}", class_table(folder, provenance)),
        format!("## Architecture\n\n{}", architecture(folder, precision)),
        format!("## Pretrained weights\n\n{}", weights(provenance)),
        format!("## How photos are prepared\n\n{}", numbered(&preparation(&record.preprocessing))),
        format!("## Training\n\n{}", training(provenance)),
        format!("## Metrics\n\n{}", metrics(provenance.evaluation.as_ref())),
        format!("## Limits\n\n{}", bulleted(&limits(folder, provenance, precision))),
        format!(
            "## Files\n\n{}",
            bulleted(
                &[
                    "`model.json`: classes in order, preparation of photos, digests (BLAKE3) of the two files below",
                    "`trunk.safetensors`: the trunk, under the names of its published weights",
                    "`head.safetensors`: the head: `bn1`, `linear1`, `bn2`, `linear2`",
                ]
                .map(str::to_owned)
            )
        ),
    ];
    sections.join("\n\n") + "\n"
}

/// What happens to a photo before the network, in order.
pub(crate) fn preparation(preprocessing: &Preprocessing) -> Vec<String> {
    let Preprocessing { decode, size, resize: _, filter: _, crop: _, mean, std } = preprocessing;
    let rgb = |values: &[f32; 3]| values.map(number).join(", ");
    let scaled = match decode {
        Decode::Full => "",
        Decode::Scaled => {
            ", a JPEG at a half, a quarter or an eighth of its sides where the shorter one is still twice the size below or more"
        }
    };
    vec![
        format!("decode to RGB, turned upright as EXIF says, without transparency{scaled}"),
        format!(
            "resize with an antialiased bilinear filter (Pillow's BILINEAR) so that the shorter side has {size} pixels and the other keeps the ratio, rounded down"
        ),
        format!("keep the middle {size} x {size}, from (side - {size}) / 2, rounded up"),
        format!("divide by 255, subtract {} and divide by {} (red, green, blue)", rgb(mean), rgb(std)),
    ]
}

fn class_table(folder: &ModelFolder, provenance: &Provenance) -> String {
    let classes = &folder.model.record.classes;
    let trained = provenance.data.as_ref().and_then(|data| data.photos.get("train"));
    let mut table = match trained {
        Some(_) => "| index | class | photos in train |\n|---|---|---|".to_owned(),
        None => "| index | class |\n|---|---|".to_owned(),
    };
    for (index, class) in classes.iter().enumerate().take(MOST_CLASSES) {
        let _ = write!(table, "\n| {index} | {} |", escaped(class));
        if let Some(trained) = trained {
            let _ = write!(table, " {} |", count(trained.get(class).copied().unwrap_or(0)));
        }
    }
    if classes.len() > MOST_CLASSES {
        let more = count((classes.len() - MOST_CLASSES) as u64);
        let _ = write!(table, "\n\nAnd {more} more: `model.json` lists them all.");
    }
    table
}

fn architecture(folder: &ModelFolder, precision: Precision) -> String {
    let (model, record) = (&folder.model, &folder.model.record);
    let sizes = model.head().sizes();
    let parameters = |tensors: &std::collections::BTreeMap<String, pipeline_nn::Tensor>| {
        let trained = tensors.iter().filter(|(name, _)| !name.contains("running_"));
        count(trained.map(|(_, tensor)| tensor.numel() as u64).sum())
    };
    let [features, hidden, classes] =
        [sizes.features, sizes.hidden, sizes.classes].map(|width| count(width as u64));
    let pool = match record.pool {
        Pool::MaxAvg => "maximum, then average, over all places",
        Pool::Avg => "average over all places",
    };
    let stored = match precision {
        Precision::F32 => "float32",
        Precision::F16 => "float16; biases and batch norms in float32",
        Precision::Bf16 => "bfloat16; biases and batch norms in float32",
    };
    format!(
        "| part | what |\n|---|---|\n\
         | trunk | {}, {} parameters |\n\
         | pooling | {pool}: {features} features |\n\
         | head | BatchNorm, dropout 0.25, Linear {features} to {hidden}, ReLU, BatchNorm, dropout 0.5, Linear {hidden} to {classes}, softmax; {} parameters |\n\
         | weights | stored in {stored}; computed in float32 |",
        record.arch,
        parameters(model.trunk().named_tensors()),
        parameters(&model.head().named_tensors()),
    )
}

fn weights(provenance: &Provenance) -> String {
    let Some(backbone) = &provenance.backbone else {
        return "Not known: the artifact of the stage `backbone` was not found beside the model. Export it from its project, as in \
                `pipeline export out/CONFIG/STAGE`, or name an evaluation of it there with `--report`."
            .to_owned();
    };
    let licence = match &backbone.licence {
        Some(licence) => escaped(licence),
        None => "not known: the weights were supplied by the user".to_owned(),
    };
    format!(
        "| | |\n|---|---|\n| source | {} |\n| SHA-256 of the file | {} |\n| licence | {licence} |",
        escaped(&backbone.source),
        escaped(&backbone.source_sha256)
    )
}

fn training(provenance: &Provenance) -> String {
    let how = match &provenance.training {
        Some(training) => {
            let set = training.params.iter().filter(|(_, value)| !value.is_null());
            let set: Vec<String> = set
                .map(|(name, value)| format!("{} {}", escaped(name), escaped(&value.to_string())))
                .collect();
            let seed = training.seed.map(|seed| format!(", seed {seed}")).unwrap_or_default();
            format!("Trained by a stage of kind {}{seed}: {}.", escaped(&training.kind), set.join(", "))
        }
        None => "How it was trained is not known: the folder has no `artifact.json` of its stage.".to_owned(),
    };
    format!("{how}\n\n{}", data(provenance.data.as_ref()))
}

fn data(data: Option<&TrainingData>) -> String {
    let Some(data) = data else {
        return "The photos that it was trained on are not known: the artifact of the stage `ingest` was not found beside the model. \
                Export it from its project, or name an evaluation of it there with `--report`."
            .to_owned();
    };
    let mut table = "| split | photos |\n|---|---|".to_owned();
    for (split, photos) in &data.photos {
        let all = photos.values().fold(0u64, |sum, photos| sum.saturating_add(*photos));
        let unlabelled = match photos.get("unlabelled") {
            Some(0) | None => String::new(),
            Some(photos) => format!(", {} of them without label", count(*photos)),
        };
        let _ = write!(table, "\n| {} | {}{unlabelled} |", escaped(split), count(all));
    }
    let bad = data.verdicts.get("bad").copied().unwrap_or(0);
    if bad > 0 {
        let _ = write!(table, "\n\n{} more files were set aside as unusable.", count(bad));
    }
    table
}

fn metrics(evaluation: Option<&Evaluation>) -> String {
    let Some(evaluation) = evaluation else {
        return "Not known: no evaluation of this model was found beside it. Run its config up to `evaluate`, or name the folder of \
                an evaluation with `--report`."
            .to_owned();
    };
    let mut text = format!(
        "On {} labelled photos of {}, each seen once and unchanged; {} wrong. Intervals hold 95 % of resamples of these photos.\n\n\
         | measure | value | 95 % interval |\n|---|---|---|",
        count(evaluation.photos),
        escaped(&evaluation.split),
        count(evaluation.errors)
    );
    for (name, estimate) in &evaluation.measures {
        let interval = estimate
            .interval
            .map_or("-".to_owned(), |interval| format!("{:.4} to {:.4}", interval.low, interval.high));
        let _ = write!(text, "\n| {name} | {:.4} | {interval} |", estimate.value);
    }
    text
}

/// The classes with what was measured of each, as far as they are listed.
fn per_class<'a>(
    folder: &'a ModelFolder,
    evaluation: Option<&'a Evaluation>,
) -> impl Iterator<Item = (&'a String, &'a pipeline_fit::ClassMeasures)> {
    folder.model.record.classes.iter().zip(evaluation.into_iter().flat_map(|e| &e.per_class))
}

fn limits(folder: &ModelFolder, provenance: &Provenance, precision: Precision) -> Vec<String> {
    let mut limits = vec![format!(
        "It knows {} classes and answers with one of them, whatever it is shown: a photo of anything else gets one too, often with a \
         high probability.",
        count(folder.model.record.classes.len() as u64)
    )];
    let evaluation = provenance.evaluation.as_ref();
    limits.push(match evaluation {
        Some(evaluation) => format!(
            "The metrics are of the split {}, which is of the same collection as the photos that it was trained on. On photos from \
             elsewhere (other cameras, places, framing) expect less.",
            escaped(&evaluation.split)
        ),
        None => "How good it is was not measured here: measure it before you rely on it.".to_owned(),
    });
    let value = |estimate: Option<Estimate>| estimate.map(|estimate| estimate.value);
    let recalls =
        per_class(folder, evaluation).filter_map(|(class, of)| Some((value(of.recall)?, class, of)));
    if let Some((recall, class, of)) = recalls.min_by(|a, b| a.0.total_cmp(&b.0)) {
        limits.push(format!(
            "The class that it finds least often is {}: {:.1} % of {} photos (recall).",
            escaped(class),
            100.0 * recall,
            count(of.support)
        ));
    }
    if let Some(trained) = provenance.data.as_ref().and_then(|data| data.photos.get("train")) {
        let photos = |class: &String| trained.get(class).copied().unwrap_or(0);
        let few: Vec<_> =
            folder.model.record.classes.iter().filter(|class| photos(class) < FEW_PHOTOS).collect();
        if let Some(class) = few.iter().min_by_key(|class| photos(class)) {
            limits.push(format!(
                "{} classes had fewer than {FEW_PHOTOS} photos to train on, {} the fewest ({}).",
                count(few.len() as u64),
                escaped(class),
                count(photos(class))
            ));
        }
    }
    if provenance.backbone.as_ref().is_none_or(|backbone| backbone.licence.is_none()) {
        limits.push(
            "The licence of the pretrained weights is not known, and what was trained from them may be bound by it: find out before \
             you hand the model on."
                .to_owned(),
        );
    }
    if precision != Precision::F32 {
        limits.push(format!(
            "Its weights are rounded to {}: probabilities differ a little from those of the float32 model, which the metrics are of.",
            precision.as_str()
        ));
    }
    limits
}

fn numbered(items: &[String]) -> String {
    let lines = items.iter().enumerate().map(|(place, item)| format!("{}. {item}", place + 1));
    lines.collect::<Vec<_>>().join("\n")
}

fn bulleted(items: &[String]) -> String {
    items.iter().map(|item| format!("- {item}")).collect::<Vec<_>>().join("\n")
}
