//! What is known of how a model was made: of its own artifact, of those it was made from, and of the latest evaluation of it. A model
//! that was copied out of its project has none of these beside it.

use std::path::{Path, PathBuf};

use pipeline_evaluate::{METRICS_FILE, Measured, Metrics};
use pipeline_export::{Evaluation, ModelFolder, Provenance, Training, TrainingData};
use pipeline_fit::Estimate;
use pipeline_ingest::FINDINGS_FILE;
use pipeline_nn::artifact::{BACKBONE_FILE, BackboneRecord, MODEL_FILE};
use pipeline_runner::{Store, read_manifest};
use pipeline_stage::{Digest, Manifest, exit};

use crate::command::Stop;
use crate::command::report::ancestors::Lineage;
use crate::command::report::report_artifact::{beside_folder, of_folder, produces_report};

/// The longest `metrics.json` that is read: confusions of 3,000 classes.
const MAX_METRICS_BYTES: u64 = 256 << 20;

/// What is known of how `model` was made, with the evaluation in the folder `report` where one is named.
pub(super) fn of(model: &ModelFolder, report: Option<&Path>) -> Result<Provenance, Stop> {
    let beside = beside_folder(&model.dir);
    let evaluated = match report {
        Some(folder) => Some(named(model, folder)?),
        None => latest(model, &beside),
    };
    let own = read_manifest(&model.dir).ok();
    let training = own.as_ref().map(|manifest| Training {
        kind: manifest.parts.kind.clone(),
        seed: manifest.parts.seed,
        params: manifest.parts.params.clone(),
    });
    // The model's own first: an evaluation may have looked at other photos than it was trained on.
    let own = own.map(|manifest| Lineage::of_artifact("model", &model.dir, manifest, &beside));
    let its = evaluated.as_ref().map(|(dir, manifest, _)| {
        Lineage::of_artifact("evaluate", dir, manifest.clone(), &beside_folder(dir))
    });
    let file = |name: &str| [&own, &its].into_iter().flatten().find_map(|lineage| lineage.file(name));
    let backbone = file(BACKBONE_FILE).and_then(|path| BackboneRecord::read(&path).ok());
    let data = file(FINDINGS_FILE).and_then(|path| TrainingData::read(&path).ok().flatten());
    let evaluation = match evaluated {
        Some((dir, _, name)) => Some(evaluation(model, &dir, &name)?),
        None => None,
    };
    Ok(Provenance { backbone, training, data, evaluation })
}

/// An evaluation: its folder, its manifest, and what it calls the model.
type Evaluated = (PathBuf, Manifest, String);

/// The latest evaluation of `model` among the artifacts in these folders.
fn latest(model: &ModelFolder, folders: &[PathBuf]) -> Option<Evaluated> {
    let evaluations = folders.iter().filter_map(|dir| {
        let manifest = Store::manifest_at(dir)?;
        let name = name_in(&manifest, model.digest)?;
        dir.join(METRICS_FILE).is_file().then(|| (dir.clone(), manifest, name))
    });
    evaluations.max_by_key(|(_, manifest, _)| (manifest.made.unix_seconds, manifest.key))
}

/// The evaluation in `folder`, which must be one of `model`.
fn named(model: &ModelFolder, folder: &Path) -> Result<Evaluated, Stop> {
    let manifest = (*of_folder(folder)?.manifest).clone();
    match name_in(&manifest, model.digest) {
        Some(name) => Ok((folder.to_owned(), manifest, name)),
        None => Err(Stop::usage(
            format!(
                "{} is no evaluation of this model: it measured models of other digests",
                folder.display()
            ),
            "name the evaluation of the run that trained it; a model in half precision has its card from its float32 one",
        )),
    }
}

/// What the evaluation with this manifest calls the model whose record has this digest.
fn name_in(manifest: &Manifest, model: Digest) -> Option<String> {
    let parts = &manifest.parts;
    if !produces_report(&parts.kind) {
        return None;
    }
    let mut read = parts.inputs.values().flatten();
    read.find(|part| part.files.get(MODEL_FILE) == Some(&model))?.stage.clone()
}

/// What the evaluation in `dir` says of the model that it calls `name`.
fn evaluation(model: &ModelFolder, dir: &Path, name: &str) -> Result<Evaluation, Stop> {
    let path = dir.join(METRICS_FILE);
    let wrong = |problem: String| Stop::Error {
        message: format!("cannot read `{}`: {problem}", path.display()),
        hint: Some("evaluate the model again, or name another evaluation with --report".to_owned()),
        code: exit::STAGE_FAILED,
    };
    let size = fs_err::metadata(&path).map_err(|error| wrong(error.to_string()))?.len();
    if size > MAX_METRICS_BYTES {
        return Err(wrong(format!("it has {size} bytes, at most {MAX_METRICS_BYTES} are read")));
    }
    let text = fs_err::read(&path).map_err(|error| wrong(error.to_string()))?;
    let mut metrics: Metrics =
        serde_json::from_slice(&text).map_err(|error| wrong(format!("expected metrics, {error}")))?;
    let Some(of_model) = metrics.models.remove(name) else {
        return Err(wrong(format!("it says nothing of `{name}`")));
    };
    let measured = of_model.plain.measured;
    let mut measures = vec![
        ("accuracy (higher is better)", measured.accuracy()),
        ("log loss, nats (lower is better)", measured.log_loss()),
    ];
    let mut per_class = vec![];
    if let Measured::Whole(whole) = &measured {
        let mut add = |name, estimate: Option<Estimate>| measures.extend(estimate.map(|value| (name, value)));
        add("macro F1 (higher is better)", Some(whole.macro_f1));
        add("ROC AUC (higher is better)", whole.roc_auc);
        add("average precision (higher is better)", whole.average_precision);
        add("expected calibration error (lower is better)", Some(whole.calibration.ece));
        // Of other classes it would be said of the wrong ones.
        if metrics.classes == model.model.record.classes {
            per_class.clone_from(&whole.per_class);
        }
    }
    if let Some(tta) = &of_model.tta {
        measures.push(("accuracy with test-time augmentation", tta.measured.accuracy()));
    }
    Ok(Evaluation {
        split: metrics.split.to_string(),
        photos: measured.photos(),
        errors: measured.errors(),
        measures,
        per_class,
    })
}
