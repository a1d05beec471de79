//! [`write()`]: `report.html`, the page that people open: everything that was measured, and what it was made of.

use std::collections::{BTreeMap, BTreeSet};

use pipeline_report::evaluation::{Evaluation, Judged, Training};
use pipeline_stage::{Artifact, Context, Failure, Locator, Step};
use pipeline_table::Mode;

use crate::error::Error;
use crate::exam::Exam;
use crate::marks::Marks;
use crate::pictures::Sitting;
use crate::{Params, ingested, insights, pictures};

/// File name of the page.
pub const REPORT_FILE: &str = "report.html";

/// Charts of a model's training: file, and what it shows.
pub(crate) const CHARTS: [(&str, &str); 3] =
    [("lr.png", "learning rate"), ("loss.png", "loss"), ("lr_find.png", "learning-rate finder")];

/// Writes the page, and beside it what insights and pictures write. Nothing where the probabilities were too many to keep.
pub(crate) fn write(exam: &Exam, marks: &Marks, params: &Params, cx: &Context<'_>) -> Result<(), Failure> {
    let Some(all_said) = &marks.said else { return Ok(()) };
    let place = exam.detail_place();
    let (said, model) = (&all_said[place], &exam.models[exam.detail]);
    let plain = all_said.iter().find(|other| (&other.model, other.mode) == (&said.model, Mode::Plain));
    let images = cx.optional_input("images");

    let insights = insights::find(exam, params, cx)?;
    let sitting = Sitting {
        said,
        plain,
        model,
        classes: &exam.classes,
        images,
        augmented: exam.augmented.as_ref(),
        table: exam.table.as_ref(),
    };
    let mut page = Evaluation {
        split: params.split.to_string(),
        classes: exam.classes.clone(),
        models: judged(marks, params),
        comparisons: marks.comparisons.clone(),
        detail: place,
        confusion: marks.candidates[place].confusion.rows().map(<[u64]>::to_vec).collect(),
        curves: said.answers().curves()?,
        photos: pictures::list(said),
        trainings: cx.inputs("models").iter().map(training).collect::<Result<_, _>>()?,
        insights,
        features_by: exam.feature_trunk().map(|trunk| trunk.words(&model.name)),
        findings: images.map(ingested::read).transpose()?.unwrap_or_default(),
        config: config(&cx.lineage, cx.seed)?,
        versions: versions(&cx.lineage),
        ..Evaluation::default()
    };
    let pictures = sitting.take(page.thumbnail_room()?, page.insights.as_mut(), cx)?;
    (page.photos, page.sheets, page.views) = (pictures.photos, pictures.sheets, pictures.views);
    Ok(page.write_html(&cx.out.join(REPORT_FILE))?)
}

/// Every model in every mode.
fn judged(marks: &Marks, params: &Params) -> Vec<Judged> {
    let judged = marks.candidates.iter().zip(&marks.measured).filter_map(|(candidate, measured)| {
        let mode = match candidate.mode {
            Mode::Plain => String::new(),
            Mode::Tta => params.tta.words(),
        };
        Some(Judged { model: candidate.model.clone(), mode, measures: measured.whole()?.clone() })
    });
    judged.collect()
}

/// The charts of a model that there are.
fn training(model: &Artifact) -> Result<Training, Error> {
    let mut charts = Vec::new();
    for (file, shows) in CHARTS {
        let path = model.path(file);
        if path.is_file() {
            charts.push((shows.to_owned(), fs_err::read(path).map_err(Error::Io)?));
        }
    }
    Ok(Training { model: model.stage.clone(), charts })
}

/// A config file that makes all of it again, and its pipeline file in comments. Locators are comments too.
fn config(lineage: &[Step], seed: u64) -> Result<String, Error> {
    let required = lineage.iter().flat_map(|step| {
        let of_step = step.locators.iter().filter(|locator| locator.is_required);
        of_step.map(|locator| format!(" --set {}.{}=WHERE", step.stage, locator.name))
    });
    let mut text = format!(
        "# What made this page. To make it again, save this text as configs/again.yaml, and its lines that begin with `#|`,
# without these signs, as pipelines/again.yaml; then
#     pipeline run configs/again.yaml{}
# What only says where something is, as the folder of the photos, is not known here: it stands as comments, to be filled in.
#| stages:
",
        required.collect::<String>()
    );
    for step in lineage {
        let inputs = step.inputs.iter().map(|(input, stages)| match &stages[..] {
            [stage] => format!("{input}: {stage}"),
            stages => format!("{input}: [{}]", stages.join(", ")),
        });
        let inputs = inputs.collect::<Vec<_>>().join(", ");
        text.push_str(&format!("#|   {}: {{ kind: {}, inputs: {{ {inputs} }} }}\n", step.stage, step.kind));
    }
    text.push_str(&format!("pipeline: again\nseed: {seed}\n"));
    for step in lineage {
        let section = BTreeMap::from([(&step.stage, &step.params)]);
        text.push_str(&serde_yaml::to_string(&section).map_err(Error::Yaml)?);
        for Locator { name, doc, .. } in &step.locators {
            // A description of several lines would leave the comment.
            text.push_str(&format!("  # {name}: {}\n", doc.lines().collect::<Vec<_>>().join(" ")));
        }
    }
    Ok(text)
}

/// `head 3` for each kind, in order of their names.
fn versions(lineage: &[Step]) -> Vec<String> {
    let kinds: BTreeSet<(&str, u32)> = lineage.iter().map(|step| (step.kind, step.version)).collect();
    kinds.into_iter().map(|(kind, version)| format!("{kind} {version}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn step(stage: &str, kind: &'static str, params: serde_json::Value, inputs: &[(&str, &[&str])]) -> Step {
        let inputs = inputs.iter().map(|(input, stages)| {
            ((*input).to_owned(), stages.iter().map(|stage| (*stage).to_owned()).collect())
        });
        Step { stage: stage.to_owned(), kind, version: 3, params, locators: vec![], inputs: inputs.collect() }
    }

    #[test]
    fn the_config_says_each_stage_with_all_parameters_and_how_they_hang_together() {
        let locator = |name, doc: &str, is_required| Locator { name, doc: doc.to_owned(), is_required };
        let mut lineage = [
            step("ingest", "ingest", json!({"min": 2}), &[]),
            step(
                "wide",
                "head",
                json!({"lr": [1e-4, 0.01], "keep": "last"}),
                &[("features", &["precompute"])],
            ),
            step("deep", "head", json!({"find": null}), &[]),
            step("evaluate", "evaluate", json!({"tta": 4}), &[("models", &["wide", "deep"])]),
        ];
        lineage[0].locators = vec![
            locator("root", "Folder of\nthe photos.", true),
            locator("fetch", "Address of a zip.", false),
        ];
        let text = config(&lineage, 7).unwrap();
        let (comments, yaml) = text.split_once("pipeline: again\n").unwrap();
        let pipeline: Vec<&str> = comments.lines().filter_map(|line| line.strip_prefix("#| ")).collect();
        let pipeline: serde_json::Value = serde_yaml::from_str(&pipeline.join("\n")).unwrap();
        let expected = json!({
            "ingest": {"kind": "ingest", "inputs": {}},
            "wide": {"kind": "head", "inputs": {"features": "precompute"}},
            "deep": {"kind": "head", "inputs": {}},
            "evaluate": {"kind": "evaluate", "inputs": {"models": ["wide", "deep"]}},
        });
        assert_eq!(pipeline["stages"], expected);
        let config: serde_json::Value = serde_yaml::from_str(yaml).unwrap();
        let expected = json!({
            "seed": 7, "ingest": {"min": 2}, "wide": {"lr": [1e-4, 0.01], "keep": "last"}, "deep": {"find": null},
            "evaluate": {"tta": 4},
        });
        assert_eq!(config, expected);
        assert!(
            comments.contains("#     pipeline run configs/again.yaml --set ingest.root=WHERE\n"),
            "{comments}"
        );
        let locators =
            "ingest:\n  min: 2\n  # root: Folder of the photos.\n  # fetch: Address of a zip.\nwide:\n";
        assert!(yaml.contains(locators), "{yaml}");
        assert_eq!(versions(&lineage), ["evaluate 3", "head 3", "ingest 3"]);
    }
}
