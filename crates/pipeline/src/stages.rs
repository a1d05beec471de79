//! The one list of stage kinds. To add a stage: its crate, and a line here (two where it trains).

use pipeline_stage::AnyStage;

/// Every stage kind, in the order in which a pipeline usually has them.
pub const STAGES: &[&dyn AnyStage] = &[
    &pipeline_ingest::Ingest,
    &pipeline_augment::Augment,
    &pipeline_backbone::BackboneStage,
    &pipeline_precompute::Precompute,
    &pipeline_head::HeadStage,
    &pipeline_finetune::Finetune,
    &pipeline_evaluate::Evaluate,
    &pipeline_submit::Submit,
];

/// For each kind that trains, the kind that searches its learning rate (`pipeline lr-find`): one with the same inputs and
/// the same parameters. It stands in no pipeline, so it is not in [`STAGES`].
pub const FINDERS: &[(&str, &dyn AnyStage)] =
    &[("head", &pipeline_head::HeadLrFind), ("finetune", &pipeline_finetune::FinetuneLrFind)];

#[cfg(test)]
mod tests {
    use super::*;
    use pipeline_stage::Input;
    use std::collections::BTreeSet;

    #[test]
    fn kinds_are_unique_and_every_input_is_produced_by_some_kind() {
        let kinds: BTreeSet<&str> = STAGES.iter().map(|s| s.kind()).collect();
        assert_eq!(kinds.len(), STAGES.len());
        let produced: BTreeSet<&str> = STAGES.iter().map(|s| s.produces()).collect();
        for stage in STAGES {
            for input in stage.inputs() {
                assert!(produced.contains(input.accepts), "{}.{}", stage.kind(), input.name);
                assert!(!input.reads.is_empty() && !input.doc.is_empty(), "{}.{}", stage.kind(), input.name);
                for record in stage.records() {
                    assert!(!input.reads_file(record), "{}: a record is no input", stage.kind());
                }
            }
        }
    }

    #[test]
    fn a_search_takes_what_the_stage_takes_whose_rate_it_searches() {
        for (kind, finder) in FINDERS {
            let stage = STAGES.iter().find(|stage| stage.kind() == *kind).unwrap();
            assert_eq!(stage.inputs(), finder.inputs(), "{kind}");
            assert_eq!(stage.schema()["properties"], finder.schema()["properties"], "{kind}");
            assert!(STAGES.iter().all(|stage| stage.kind() != finder.kind()), "{}", finder.kind());
        }
    }

    #[test]
    fn every_parameter_is_documented_and_has_a_default_or_is_required() {
        for stage in STAGES {
            let schema = stage.schema();
            let required: Vec<&str> =
                schema["required"].as_array().into_iter().flatten().filter_map(|r| r.as_str()).collect();
            for (name, property) in schema["properties"].as_object().into_iter().flatten() {
                assert!(property["description"].is_string(), "{}.{name} is not documented", stage.kind());
                let has_default = property.get("default").is_some();
                assert!(has_default != required.contains(&name.as_str()), "{}.{name}", stage.kind());
            }
            for locator in stage.locators() {
                assert!(schema["properties"].get(locator).is_some(), "{}.{locator}", stage.kind());
            }
        }
    }

    #[test]
    fn the_ranges_that_schemas_state_are_those_that_are_checked() {
        let mut checked = 0;
        for stage in STAGES {
            let root = (stage.kind() == "ingest").then(|| ("root".to_owned(), "photos".into()));
            let has_problem = |name: &str, value: u64| {
                let given = root.clone().into_iter().chain([(name.to_owned(), value.into())]);
                let given = serde_json::Value::Object(given.collect());
                stage.resolve(&given).is_err_and(|problems| problems.iter().any(|p| p.path == [name]))
            };
            for (name, property) in stage.schema()["properties"].as_object().into_iter().flatten() {
                let forms = property["anyOf"].as_array().into_iter().flatten().chain([property]);
                for form in forms.filter(|form| form["minimum"].is_u64()) {
                    let least = form["minimum"].as_u64().unwrap_or_default();
                    let most = form["maximum"].as_u64();
                    let is_32_bits = form["format"] == "uint32";
                    assert!(
                        most.is_some() || !is_32_bits || OPEN.contains(&name.as_str()),
                        "{}.{name}",
                        stage.kind()
                    );
                    if let Some(below) = least.checked_sub(1) {
                        assert!(has_problem(name, below), "{}.{name}: {below}", stage.kind());
                    }
                    if let Some(most) = most {
                        assert!(has_problem(name, most + 1), "{}.{name}: {}", stage.kind(), most + 1);
                        checked += 1;
                    }
                }
            }
        }
        assert!(checked >= 10, "{checked}");
    }

    /// Numbers without a largest one.
    const OPEN: [&str; 2] = ["accumulate", "early_stopping"];

    #[test]
    fn every_stage_has_a_page_about_its_artifact() {
        for stage in STAGES {
            let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("..")
                .join(stage.kind())
                .join("README.md");
            let mut text = fs_err::read_to_string(&page).unwrap();
            if text.contains("(../train/README.md)") {
                // What all stages that train have in common is said once.
                text += &fs_err::read_to_string(page.parent().unwrap().join("../train/README.md")).unwrap();
            }
            let schema = stage.schema();
            for name in schema["properties"].as_object().into_iter().flatten().map(|(n, _)| n) {
                assert!(text.contains(&format!("`{name}`")), "{} does not mention `{name}`", page.display());
            }
            for Input { name, .. } in stage.inputs() {
                assert!(text.contains(&format!("`{name}`")), "{} does not mention `{name}`", page.display());
            }
        }
    }
}
