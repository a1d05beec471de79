//! Typed parameters: from JSON as written to a checked struct with every default filled in.

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::suggest::nearest;

/// The parameters of a stage: a serde struct with `deny_unknown_fields`, the lesson's values as
/// defaults, and documentation on each field (it becomes the schema and the reference page).
pub trait Parameters: Serialize + DeserializeOwned + JsonSchema + Send + Sync {
    /// Reports what is out of range or does not fit together. Types have been checked already.
    fn check(&self, problems: &mut Vec<Problem>);
}

/// Something wrong with a parameter. The command adds file, line and column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Path inside the stage's parameters: `["lr", "1"]`. Empty for the whole.
    pub path: Vec<String>,
    /// Whether `path` names an unknown key (the position is then the key's, else the value's).
    pub at_key: bool,
    /// What was found and what was expected: lower case, no full stop.
    pub message: String,
    /// The way out, if one is known.
    pub hint: Option<String>,
}

impl Problem {
    /// A problem with the value of the top-level parameter `name`.
    pub fn new(name: &str, message: impl Into<String>) -> Self {
        Problem { path: vec![name.to_owned()], at_key: false, message: message.into(), hint: None }
    }

    /// Adds the way out.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// The path of a source: a file or folder outside the pipeline. Relative to the project root when
/// written in a file, to the current folder when given with `--set`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct SourcePath(pub std::path::PathBuf);

/// `format` of a [`SourcePath`] in a schema.
pub const PATH_FORMAT: &str = "path";

impl JsonSchema for SourcePath {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SourcePath".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": PATH_FORMAT })
    }
}

/// The JSON schema of `P`, with subschemas inlined.
pub(crate) fn schema<P: Parameters>() -> Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12().with(|s| s.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<P>().to_value()
}

/// Parses and checks parameters as written; `null` counts as an empty map.
pub(crate) fn parse<P: Parameters>(given: &Value) -> Result<P, Vec<Problem>> {
    let empty = Value::Object(serde_json::Map::new());
    let given = if given.is_null() { &empty } else { given };
    let Value::Object(map) = given else {
        let message = format!("expected a map of parameters, found {}", describe(given));
        return Err(vec![Problem { path: vec![], at_key: false, message, hint: None }]);
    };
    let schema = schema::<P>();
    let known: Vec<&str> =
        schema["properties"].as_object().map(|p| p.keys().map(String::as_str).collect()).unwrap_or_default();
    let unknown: Vec<Problem> =
        map.keys().filter(|k| !known.contains(&k.as_str())).map(|k| unknown_key(k, &known)).collect();
    if !unknown.is_empty() {
        return Err(unknown);
    }
    let typed: P = serde_path_to_error::deserialize(given).map_err(|e| {
        let path = e.path().iter().map(|s| s.to_string()).filter(|s| s != "?").collect();
        vec![Problem { path, at_key: false, message: e.inner().to_string(), hint: None }]
    })?;
    let mut problems = Vec::new();
    typed.check(&mut problems);
    if problems.is_empty() { Ok(typed) } else { Err(problems) }
}

/// The normalised form: every field present, numbers in the field's own type.
pub(crate) fn to_value<P: Parameters>(params: &P) -> Value {
    serde_json::to_value(params).unwrap_or_else(|e| unreachable!("parameters are plain data: {e}"))
}

fn unknown_key(key: &str, known: &[&str]) -> Problem {
    let expected = if known.is_empty() {
        "it has no parameters".to_owned()
    } else {
        format!("expected one of: {}", known.join(", "))
    };
    Problem {
        path: vec![key.to_owned()],
        at_key: true,
        message: format!("unknown key `{key}`\n{expected}"),
        hint: nearest(key, known.iter().copied()).map(|n| format!("did you mean `{n}`?")),
    }
}

/// A JSON value in words for messages: `the number 3`, `a list`.
pub fn describe(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(b) => format!("`{b}`"),
        Value::Number(n) => format!("the number {n}"),
        Value::String(s) => format!("the text `{s}`"),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a map".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[derive(Debug, Serialize, serde::Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Toy {
        /// Learning rate.
        #[serde(default = "lr")]
        lr: f64,
        root: SourcePath,
    }
    fn lr() -> f64 {
        0.01
    }
    impl Parameters for Toy {
        fn check(&self, problems: &mut Vec<Problem>) {
            if self.lr <= 0.0 {
                problems.push(Problem::new("lr", format!("expected a rate above 0, found {}", self.lr)));
            }
        }
    }

    #[test]
    fn defaults_are_filled_in_and_integers_become_the_fields_type() {
        let typed: Toy = parse(&json!({"root": "a"})).unwrap();
        assert_eq!(to_value(&typed), json!({"lr": 0.01, "root": "a"}));
        let typed: Toy = parse(&json!({"root": "a", "lr": 1})).unwrap();
        assert_eq!(to_value(&typed)["lr"].to_string(), "1.0");
    }

    #[test]
    fn an_unknown_key_lists_the_known_ones_and_the_nearest() {
        let problems = parse::<Toy>(&json!({"root": "a", "lrr": 1})).unwrap_err();
        assert_eq!(problems[0].message, "unknown key `lrr`\nexpected one of: lr, root");
        assert_eq!(problems[0].hint.as_deref(), Some("did you mean `lr`?"));
        assert!(problems[0].at_key);
    }

    #[test]
    fn a_wrong_type_names_the_path_and_what_was_expected() {
        let problems = parse::<Toy>(&json!({"root": "a", "lr": "fast"})).unwrap_err();
        assert_eq!(problems[0].path, ["lr"]);
        assert_eq!(problems[0].message, "invalid type: string \"fast\", expected f64");
    }

    #[test]
    fn a_missing_parameter_is_named() {
        let problems = parse::<Toy>(&Value::Null).unwrap_err();
        assert_eq!(problems[0].message, "missing field `root`");
    }

    #[test]
    fn ranges_are_checked_after_types() {
        let problems = parse::<Toy>(&json!({"root": "a", "lr": 0})).unwrap_err();
        assert_eq!(problems[0].message, "expected a rate above 0, found 0");
    }

    #[test]
    fn the_schema_has_descriptions_defaults_and_marks_paths() {
        let schema = schema::<Toy>();
        assert_eq!(schema["properties"]["lr"]["description"], "Learning rate.");
        assert_eq!(schema["properties"]["lr"]["default"], 0.01);
        assert_eq!(schema["properties"]["root"]["format"], PATH_FORMAT);
    }
}
