//! The JSON schema of a config, for editors: they complete names, show what a parameter means, and underline typos
//! while someone types. `pipeline validate` says more, as ranges of numbers that depend on each other.

use std::collections::BTreeSet;
use std::path::Path;

use pipeline_stage::AnyStage;
use serde_json::{Map, Value, json};

use super::error::{Located, Place};
use super::pipeline_file::{PipelineFile, StageEntry};
use super::{DEFAULT_SEED, project_root, unknown_kind};

/// The dialect.
const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The schema (draft 2020-12) of configs in the folder `folder`: of those whose `pipeline` is `name`, or of all.
///
/// Without a name it knows the stages of the pipelines that are built in and of the project's own. In a config of any
/// other pipeline, whose stages are not known, a section must fit one of the kinds. What a stage requires is required
/// unless the config `extends` another, which may have it.
///
/// Also returns what is wrong with those of the project's own pipelines that were therefore left out.
///
/// # Errors
/// The pipeline `name` is not found, or is wrong.
pub fn schema(
    name: Option<&str>,
    folder: &Path,
    kinds: &[&'static dyn AnyStage],
) -> Result<(Value, Vec<Located>), Vec<Located>> {
    let root = project_root(&folder.join("config.yaml"));
    let names = name.map_or_else(|| PipelineFile::known_names(&root), |name| vec![name.to_owned()]);
    let place = Place::Argument(format!("--pipeline {}", name.unwrap_or_default()));
    let (mut pipelines, mut left_out) = (Vec::new(), Vec::new());
    for known in names {
        match stages_of(&known, &root, &place, kinds) {
            Ok(stages) => pipelines.push((known, stages)),
            Err(faults) if name.is_some() => return Err(faults),
            Err(faults) => left_out.extend(faults),
        }
    }

    let used: BTreeSet<&str> = match name {
        Some(_) => pipelines.iter().flat_map(|(_, stages)| stages).map(|stage| stage.kind.as_str()).collect(),
        None => kinds.iter().map(|kind| kind.kind()).collect(),
    };
    let sections: Map<String, Value> = kinds
        .iter()
        .filter(|kind| used.contains(kind.kind()))
        .map(|kind| (kind.kind().to_owned(), section(*kind)))
        .collect();
    let mut schema = json!({
        "$schema": DRAFT,
        "title": "A config of the pipeline command",
        "type": "object",
        "if": { "required": ["extends"] },
        "else": { "required": ["pipeline"] },
        "$defs": sections,
    });
    let own = reserved(&pipelines, name.is_some());
    match name {
        Some(_) => {
            let (_, stages) = &pipelines[0];
            schema["allOf"] = json!([of_pipeline(stages, kinds, &own)]);
        }
        None => {
            let any: Vec<Value> = used.iter().map(|kind| reference(kind)).collect();
            let keys = own.as_object().into_iter().flatten().map(|(key, _)| (key.clone(), json!(true)));
            let keys: Value = keys.collect::<Map<_, _>>().into();
            let branch = |(name, stages): &(String, Vec<StageEntry>)| {
                json!({
                    "if": { "properties": { "pipeline": { "const": name } }, "required": ["pipeline"] },
                    "then": of_pipeline(stages, kinds, &keys),
                })
            };
            schema["properties"] = own;
            schema["additionalProperties"] = json!({ "anyOf": any });
            schema["allOf"] = pipelines.iter().map(branch).collect();
        }
    }
    Ok((schema, left_out))
}

/// The stages of the pipeline `name`, all of known kinds.
fn stages_of(
    name: &str,
    root: &Path,
    place: &Place,
    kinds: &[&'static dyn AnyStage],
) -> Result<Vec<StageEntry>, Vec<Located>> {
    let file = PipelineFile::find(name, root, place)?;
    let unknown = file.stages.iter().filter(|stage| kind(stage, kinds).is_none());
    let faults: Vec<Located> = unknown.map(|stage| unknown_kind(&file, stage, kinds)).collect();
    if faults.is_empty() { Ok(file.stages) } else { Err(faults) }
}

/// The keys of a config that are no stages.
fn reserved(pipelines: &[(String, Vec<StageEntry>)], is_one: bool) -> Value {
    let names: Vec<&str> = pipelines.iter().map(|(name, _)| name.as_str()).collect();
    let mut pipeline = match is_one {
        true => json!({ "const": names[0] }),
        false => json!({ "type": "string", "anyOf": [{ "enum": names }, { "minLength": 1 }] }),
    };
    pipeline["description"] =
        json!("The pipeline: pipelines/NAME.yaml, one that is built in, or a path to a .yaml file.");
    json!({
        "pipeline": pipeline,
        "seed": {
            "description": "Seed of all random numbers.",
            "type": "integer", "minimum": 0, "maximum": u64::MAX, "default": DEFAULT_SEED,
        },
        "extends": {
            "description": "Another config, whose parameters hold where this one gives none. A path from the project root.",
            "type": "string", "minLength": 1,
        },
    })
}

/// What a config of a pipeline with these `stages` may and must have, beside `own` keys.
fn of_pipeline(stages: &[StageEntry], kinds: &[&'static dyn AnyStage], own: &Value) -> Value {
    let mut properties = own.clone();
    let mut whole = Map::new();
    for stage in stages {
        properties[&stage.name] = reference(&stage.kind);
        let required = kind(stage, kinds).map(|kind| kind.schema()["required"].clone()).unwrap_or_default();
        if required.as_array().is_some_and(|required| !required.is_empty()) {
            whole.insert(stage.name.clone(), json!({ "type": "object", "required": required }));
        }
    }
    let needed: Vec<&String> = whole.keys().collect();
    json!({
        "properties": properties,
        "additionalProperties": false,
        "if": { "required": ["extends"] },
        "else": { "required": needed, "properties": whole },
    })
}

/// The parameters of a kind, none of them required: another config may have them.
fn section(kind: &dyn AnyStage) -> Value {
    let mut schema = kind.schema();
    if let Value::Object(map) = &mut schema {
        map.retain(|key, _| !matches!(key.as_str(), "$schema" | "title" | "required"));
        map.insert("description".to_owned(), json!(kind.summary()));
        map.insert("additionalProperties".to_owned(), json!(false));
        // `head:` with nothing behind it has all defaults.
        map.insert("type".to_owned(), json!(["object", "null"]));
    }
    schema
}

fn reference(kind: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{kind}") })
}

fn kind(stage: &StageEntry, kinds: &[&'static dyn AnyStage]) -> Option<&'static dyn AnyStage> {
    kinds.iter().find(|kind| kind.kind() == stage.kind).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stages::STAGES;

    fn of(name: Option<&str>) -> Value {
        let (schema, left_out) = schema(name, Path::new("/nowhere"), STAGES).unwrap();
        assert_eq!(left_out, []);
        schema
    }

    #[test]
    fn every_stage_of_a_pipeline_has_its_parameters_with_words_and_defaults() {
        let schema = of(Some("lesson1"));
        assert_eq!(schema["$schema"], DRAFT);
        let config = &schema["allOf"][0];
        assert_eq!(config["additionalProperties"], false);
        assert_eq!(config["properties"]["pipeline"]["const"], "lesson1");
        assert_eq!(config["properties"]["last_layer"], reference("finetune"));
        assert_eq!(config["else"]["required"], json!(["ingest"]));
        assert_eq!(config["else"]["properties"]["ingest"]["required"], json!(["root"]));
        let size = &schema["$defs"]["precompute"]["properties"]["size"];
        assert_eq!(
            (&size["default"], &size["minimum"], &size["maximum"]),
            (&json!(224), &json!(32), &json!(1024))
        );
        for (kind, section) in schema["$defs"].as_object().unwrap() {
            assert_eq!(section["additionalProperties"], false, "{kind}");
            assert!(section.get("$schema").is_none(), "{kind}");
        }
    }

    #[test]
    fn without_a_pipeline_every_built_in_one_and_every_kind_is_known() {
        let schema = of(None);
        let names: Vec<&Value> = schema["allOf"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| &one["if"]["properties"]["pipeline"]["const"])
            .collect();
        assert_eq!(names, ["features", "kaggle", "lesson1", "quick"]);
        assert_eq!(schema["$defs"].as_object().unwrap().len(), STAGES.len());
        assert_eq!(schema["additionalProperties"]["anyOf"].as_array().unwrap().len(), STAGES.len());
    }

    #[test]
    fn only_the_kinds_of_the_pipeline_are_in_its_schema() {
        let schema = of(Some("features"));
        let kinds: Vec<&String> = schema["$defs"].as_object().unwrap().keys().collect();
        assert_eq!(kinds, ["augment", "backbone", "ingest", "precompute"]);
    }

    #[test]
    fn a_pipeline_that_is_not_there_or_has_an_unknown_kind_is_refused() {
        let fault = schema(Some("quik"), Path::new("/nowhere"), STAGES).unwrap_err().remove(0);
        assert_eq!(
            fault.to_string(),
            "--pipeline quik: no pipeline `quik`: expected one of: features, kaggle, lesson1, quick"
        );
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pipelines/mine.yaml");
        fs_err::create_dir(dir.path().join("pipelines")).unwrap();
        fs_err::write(&file, "stages:\n  photos: { kind: ingets }\n").unwrap();
        let fault = schema(Some("mine"), dir.path(), STAGES).unwrap_err().remove(0);
        let start = format!("{}:2:19: unknown stage kind `ingets`", file.display());
        assert!(fault.to_string().starts_with(&start), "{fault}");

        // Of all pipelines, one that is wrong is left out and told.
        fs_err::write(dir.path().join("pipelines/broken.yaml"), "stages: [").unwrap();
        fs_err::write(dir.path().join("pipelines/own.yaml"), "stages:\n  photos: { kind: ingest }\n")
            .unwrap();
        let (schema, left_out) = schema(None, dir.path(), STAGES).unwrap();
        let of = |name: &str| schema["allOf"].to_string().contains(&format!("\"const\":\"{name}\""));
        assert!(of("own") && of("quick") && !of("mine") && !of("broken"), "{schema}");
        assert_eq!(left_out.len(), 2, "{left_out:?}");
        assert!(left_out[0].to_string().contains("broken.yaml:2:1") && left_out[1] == fault, "{left_out:?}");
    }

    #[test]
    fn a_path_is_not_taken_for_a_name_to_write_a_pipeline_to() {
        let faults = schema(Some("/dev/zero"), Path::new("/nowhere"), STAGES).unwrap_err();
        assert_eq!(faults[0].hint.as_deref(), Some("name one of them, or a file that ends in .yaml"));
    }
}
