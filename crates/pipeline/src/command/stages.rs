//! `pipeline stages`: the stage kinds with their inputs and parameters.

use pipeline_stage::{AnyStage, exit};
use serde_json::Value;

use super::Stop;
use crate::stages::STAGES;
use crate::terminal::Screen;

/// List the stage kinds with versions, inputs and parameters
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: pipeline stages head")]
pub(super) struct Arguments {
    /// Only this kind
    kind: Option<String>,
}

pub(super) fn run(arguments: &Arguments, screen: &Screen) -> Result<u8, Stop> {
    let wanted = |stage: &&&dyn AnyStage| arguments.kind.as_deref().is_none_or(|k| k == stage.kind());
    let mut found = STAGES.iter().filter(wanted).peekable();
    if found.peek().is_none() {
        let kind = arguments.kind.as_deref().unwrap_or_default();
        let known: Vec<&str> = STAGES.iter().map(|s| s.kind()).collect();
        let near = pipeline_stage::suggest::nearest(kind, known.iter().copied());
        return Err(Stop::Error {
            message: format!("unknown stage kind `{kind}`: expected one of: {}", known.join(", ")),
            hint: near.map(|n| format!("did you mean `{n}`?")),
            code: exit::USAGE,
        });
    }
    for (i, stage) in found.enumerate() {
        if i > 0 {
            screen.line("");
        }
        screen.line(&describe(*stage));
    }
    Ok(exit::DONE)
}

fn describe(stage: &dyn AnyStage) -> String {
    let mut out = format!("{} (version {}): {}\n", stage.kind(), stage.version(), stage.summary());
    out.push_str(&format!("  makes {}\n", stage.produces()));
    for input in stage.inputs() {
        let form = match (input.many, input.optional) {
            (true, _) => "list of ",
            (false, true) => "optional ",
            (false, false) => "",
        };
        out.push_str(&format!("  input {:<12} {form}{}: {}\n", input.name, input.accepts, input.doc));
    }
    let schema = stage.schema();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let default = match property.get("default") {
            None => "required".to_owned(),
            Some(Value::Null) => "not set".to_owned(),
            Some(default) => default.to_string(),
        };
        let doc = property["description"].as_str().unwrap_or_default().replace('\n', " ");
        out.push_str(&format!("  {name} = {default}\n      {doc}\n"));
        for item in items_with_params(property) {
            out.push_str(&format!("      - {item}\n"));
        }
    }
    out.trim_end().to_owned()
}

/// What a list may hold, where its items have parameters of their own: `rotate { max_deg = 10.0, p = 0.75 }: turns ...`.
fn items_with_params(property: &Value) -> Vec<String> {
    let lists = property["oneOf"].as_array().into_iter().flatten();
    let items = lists.flat_map(|form| form["items"]["oneOf"].as_array().into_iter().flatten());
    let with_params = items.filter_map(|item| Some((item, item["properties"].as_object()?.iter().next()?)));
    let words = with_params.map(|(item, (name, schema))| {
        let summary = item["description"].as_str().unwrap_or_default();
        format!("{name} {{ {} }}: {summary}", defaults(schema))
    });
    words.chain(parts_with_params(property)).collect()
}

/// The parts of a map that have parameters of their own, as those of `mix`.
fn parts_with_params(property: &Value) -> Vec<String> {
    let parts = property["properties"].as_object().into_iter().flatten();
    let word = |(name, part): (&String, &Value)| {
        let forms = part["anyOf"].as_array().into_iter().flatten().chain([part]);
        let schema = forms.into_iter().find(|form| form["properties"].is_object())?;
        let summary = part["description"].as_str().unwrap_or_default();
        Some(format!("{name} {{ {} }}: {summary}", defaults(schema)))
    };
    parts.filter_map(word).collect()
}

/// `max_deg = 10.0, p = 0.75`.
fn defaults(schema: &Value) -> String {
    let params = schema["properties"].as_object().into_iter().flatten();
    params.map(|(param, of)| format!("{param} = {}", of["default"])).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_inside_lists_and_maps_are_listed_with_their_defaults() {
        let text = describe(&pipeline_augment::Augment);
        for line in [
            "  policy = \"side_on\"",
            "      - rotate { max_deg = 10.0, p = 0.75 }: turns the photo about its centre",
            "      - mixup { alpha = 0.4, p = 0.5 }: Each photo becomes a weighted mean of itself and another.",
            "  input images       images: the photo table of ingest",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        let listed = text.lines().filter(|line| line.starts_with("      - ")).count();
        assert_eq!(listed, pipeline_photo::TRANSFORMS.len() + 2);
    }
}
