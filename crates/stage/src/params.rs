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
        Problem::whole(message).under(name)
    }

    /// A problem with the parameters as a whole, or with a value whose place is added by [`Problem::under`].
    pub fn whole(message: impl Into<String>) -> Self {
        Problem { path: vec![], at_key: false, message: message.into(), hint: None }
    }

    /// The same problem of a whole of which `part` is a part.
    #[must_use]
    pub fn under(mut self, part: &str) -> Self {
        self.path.insert(0, part.to_owned());
        self
    }

    /// Adds the way out.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Problems of a part of the parameters, each with the part's name before its path.
pub fn check_part(name: &str, problems: &mut Vec<Problem>, check: impl FnOnce(&mut Vec<Problem>)) {
    let mut found = Vec::new();
    check(&mut found);
    problems.extend(found.into_iter().map(|problem| problem.under(name)));
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
pub fn schema<P: Parameters>() -> Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12().with(|s| s.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<P>().to_value()
}

/// Parses and checks parameters as written; `null` counts as an empty map.
pub fn parse<P: Parameters>(given: &Value) -> Result<P, Vec<Problem>> {
    let empty = Value::Object(serde_json::Map::new());
    let given = if given.is_null() { &empty } else { given };
    let Value::Object(map) = given else {
        let message = format!("expected a map of parameters, found {}", describe(given));
        return Err(vec![Problem::whole(message)]);
    };
    let schema = schema::<P>();
    let known: Vec<&str> =
        schema["properties"].as_object().map(|p| p.keys().map(String::as_str).collect()).unwrap_or_default();
    let unknown: Vec<Problem> =
        map.keys().filter(|k| !known.contains(&k.as_str())).map(|k| unknown_key(k, &known)).collect();
    if !unknown.is_empty() {
        return Err(unknown);
    }
    let lists = lists_for_maps(given, &schema);
    if !lists.is_empty() {
        return Err(lists);
    }
    let typed: P = serde_path_to_error::deserialize(given).map_err(|e| {
        let path: Vec<String> = e.path().iter().filter_map(segment).collect();
        let message = misfit(given, &schema, &path).unwrap_or_else(|| e.inner().to_string());
        vec![Problem { path, ..Problem::whole(message) }]
    })?;
    let mut problems = Vec::new();
    typed.check(&mut problems);
    if problems.is_empty() { Ok(typed) } else { Err(problems) }
}

/// A step on the way to a value: a key, or the number of an item of a list, from 0.
fn segment(segment: &serde_path_to_error::Segment) -> Option<String> {
    use serde_path_to_error::Segment;
    match segment {
        Segment::Seq { index } => Some(index.to_string()),
        Segment::Map { key } => Some(key.clone()),
        Segment::Enum { variant } => Some(variant.clone()),
        Segment::Unknown => None,
    }
}

/// Lists that stand where maps should: serde would take their items for the fields in order.
fn lists_for_maps(given: &Value, schema: &Value) -> Vec<Problem> {
    let properties = schema["properties"].as_object().into_iter().flatten();
    let mut problems = Vec::new();
    for (name, schema) in properties {
        let forms = schema["anyOf"].as_array().into_iter().flatten().chain([schema]);
        let Some(schema) = forms.into_iter().find(|form| form["properties"].is_object()) else { continue };
        match &given[name] {
            Value::Array(_) => problems.push(Problem::new(name, "expected a map, found a list")),
            inner => problems.extend(lists_for_maps(inner, schema).into_iter().map(|p| p.under(name))),
        }
    }
    problems
}

/// What is wrong with the value at `path`, in words; `None` where the schema does not say it simply.
fn misfit(given: &Value, schema: &Value, path: &[String]) -> Option<String> {
    let (mut value, mut schema) = (given, schema);
    for step in path {
        (value, schema) = match value {
            Value::Array(items) => (items.get(step.parse::<usize>().ok()?)?, &schema["items"]),
            _ => (&value[step], &schema["properties"][step]),
        };
    }
    if let (Value::Object(map), Some(required)) = (value, schema["required"].as_array()) {
        let missing = required.iter().filter_map(Value::as_str).find(|name| !map.contains_key(*name))?;
        return Some(format!("missing key `{missing}`"));
    }
    // What may be left out has a schema of its own beside `null`.
    let may_be = |s: &&Value| s["type"] != "null";
    let schema = schema["anyOf"].as_array().and_then(|any| any.iter().find(may_be)).unwrap_or(schema);
    let words = schema["enum"].as_array().into_iter().flatten();
    let words = words.chain(schema["oneOf"].as_array().into_iter().flatten().map(|one| &one["const"]));
    let words: Vec<&str> = words.filter_map(Value::as_str).collect();
    let kinds = schema["type"].as_array().and_then(|kinds| kinds.iter().find(|kind| *kind != "null"));
    let expected = match kinds.unwrap_or(&schema["type"]).as_str().unwrap_or_default() {
        _ if !words.is_empty() => format!("one of {}", words.join(", ")),
        "number" => "a number".to_owned(),
        "integer" if schema["minimum"] == 0 => match schema["format"].as_str() {
            Some("uint32") => format!("a whole number from 0 to {}", u32::MAX),
            _ => "a whole number from 0".to_owned(),
        },
        "integer" => "a whole number".to_owned(),
        "boolean" => "true or false".to_owned(),
        "string" if schema["format"] == PATH_FORMAT => "a path".to_owned(),
        "string" => "a text".to_owned(),
        "array" => match value {
            // Some list is there, so its length is wrong.
            Value::Array(items) => {
                return Some(format!("expected {} values, found {}", schema["minItems"], items.len()));
            }
            _ => "a list".to_owned(),
        },
        "object" => "a map".to_owned(),
        _ => return None,
    };
    Some(format!("expected {expected}, found {}", describe(value)))
}

/// The normalised form: every field present, numbers in the field's own type.
pub fn to_value<P: Parameters>(params: &P) -> Value {
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

/// Letters of a text that a message shows.
const MOST_SHOWN: usize = 100;

/// A JSON value in words for messages: `the number 3`, `a list`.
pub fn describe(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(b) => format!("`{b}`"),
        Value::Number(n) => format!("the number {n}"),
        Value::String(s) if s.chars().count() > MOST_SHOWN => {
            format!("the text `{}…`", s.chars().take(MOST_SHOWN).collect::<String>())
        }
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
        assert_eq!(problems[0].message, "expected a number, found the text `fast`");
    }

    #[test]
    fn a_missing_parameter_is_named() {
        let problems = parse::<Toy>(&Value::Null).unwrap_err();
        assert_eq!(problems[0].message, "missing key `root`");
    }

    #[derive(Debug, Serialize, serde::Deserialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    enum Side {
        Left,
        Right,
    }

    #[derive(Debug, Serialize, serde::Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Many {
        #[serde(default)]
        count: u32,
        #[serde(default)]
        sides: Vec<Side>,
        #[serde(default)]
        on: bool,
        #[serde(default)]
        place: Option<SourcePath>,
        #[serde(default)]
        pair: [f64; 2],
        #[serde(default)]
        toy: Option<Toy>,
    }
    impl Parameters for Many {
        fn check(&self, _: &mut Vec<Problem>) {}
    }

    #[test]
    fn wrong_values_are_described_in_the_words_of_a_config() {
        let fault = |given: Value| {
            let problem = parse::<Many>(&given).unwrap_err().remove(0);
            format!("{}: {}", problem.path.join("."), problem.message)
        };
        let whole = "count: expected a whole number from 0 to 4294967295, found";
        assert_eq!(fault(json!({"count": -1})), format!("{whole} the number -1"));
        assert_eq!(fault(json!({"count": 1.5})), format!("{whole} the number 1.5"));
        assert_eq!(fault(json!({"sides": "left"})), "sides: expected a list, found the text `left`");
        assert_eq!(
            fault(json!({"sides": ["left", "up"]})),
            "sides.1: expected one of left, right, found the text `up`"
        );
        assert_eq!(fault(json!({"place": 3})), "place: expected a path, found the number 3");
        assert_eq!(fault(json!({"pair": [1]})), "pair: expected 2 values, found 1");
        assert_eq!(fault(json!({"pair": 3})), "pair: expected a list, found the number 3");
        assert_eq!(fault(json!({"toy": [0.1, "a"]})), "toy: expected a map, found a list");
        assert_eq!(fault(json!({"on": "yes"})), "on: expected true or false, found the text `yes`");
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
