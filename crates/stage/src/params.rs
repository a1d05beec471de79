//! Typed parameters: from JSON as written to a checked struct with every default filled in.

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::misfit::misfit;
use crate::suggest::nearest;

/// The parameters of a stage: a serde struct with `deny_unknown_fields`, the lesson's values as
/// defaults, and documentation on each field (it becomes the schema and the reference page).
pub trait Parameters: Serialize + DeserializeOwned + JsonSchema + Send + Sync {
    /// Fills in what depends on other parameters or on this machine, as a `dtype` that was left to be chosen: the key
    /// then holds what is computed with. Called before [`Parameters::check`], and again on its own result, which it
    /// must leave as it is.
    fn settle(&mut self) {}

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
    let mut typed: P = serde_path_to_error::deserialize(given).map_err(|e| {
        // Serde stops at the first.
        match culprits::<P>(map, &schema) {
            culprits if culprits.is_empty() => vec![wrong_value(given, &schema, vec![], &e)],
            culprits => culprits,
        }
    })?;
    typed.settle();
    let mut problems = Vec::new();
    typed.check(&mut problems);
    if problems.is_empty() { Ok(typed) } else { Err(problems) }
}

/// Where serde found a value that it could not read.
type Unread = serde_path_to_error::Error<serde_json::Error>;

/// The problem with a value: in the words of its schema, else in serde's. It is where serde says; serde loses the place
/// of what belongs to a part of the struct that is flattened into it, which is then that of the parameter `path`.
fn wrong_value(given: &Value, schema: &Value, path: Vec<String>, error: &Unread) -> Problem {
    let found: Vec<String> = error.path().iter().filter_map(segment).collect();
    let path = if found.is_empty() { path } else { found };
    misfit(given, schema, &path)
        .unwrap_or_else(|| Problem { path, ..Problem::whole(error.inner().to_string()) })
}

/// All parameters that cannot be read. A key is one of them when the required ones parse without it and not with it;
/// none is found where a required one cannot be read.
fn culprits<P: Parameters>(given: &serde_json::Map<String, Value>, schema: &Value) -> Vec<Problem> {
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let (base, others): (Vec<_>, Vec<_>) =
        given.iter().partition(|(key, _)| required.contains(&key.as_str()));
    let base: serde_json::Map<String, Value> =
        base.into_iter().map(|(k, v)| (k.clone(), v.clone())).collect();
    if P::deserialize(Value::Object(base.clone())).is_err() {
        return vec![];
    }
    let problem = |(key, value): (&String, &Value)| {
        let mut with = base.clone();
        with.insert(key.clone(), value.clone());
        let with = Value::Object(with);
        let error = serde_path_to_error::deserialize::<_, P>(&with).err()?;
        Some(wrong_value(&with, schema, vec![key.clone()], &error))
    };
    others.into_iter().filter_map(problem).collect()
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
mod tests;
