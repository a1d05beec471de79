//! [`misfit`]: what is wrong with a value that could not be read, in the words of a config.

use serde_json::Value;

use crate::params::{PATH_FORMAT, Problem, describe};

/// What is wrong with the value at `path`, and where inside it: by its schema, which has its subschemas inlined. `None`
/// where the schema does not say it simply.
pub(crate) fn misfit(given: &Value, schema: &Value, path: &[String]) -> Option<Problem> {
    let (mut value, mut schema) = (given, schema);
    for step in path {
        (value, schema) = child(value, schema, step)?;
    }
    let problem = problem(value, schema)?;
    Some(path.iter().rev().fold(problem, |problem, step| problem.under(step)))
}

/// The value at one step inside another, with its schema.
fn child<'a>(value: &'a Value, schema: &'a Value, step: &str) -> Option<(&'a Value, &'a Value)> {
    match value {
        Value::Array(items) => Some((items.get(step.parse::<usize>().ok()?)?, &schema["items"])),
        _ => match schema["properties"].get(step) {
            Some(property) => Some((&value[step], property)),
            None => Some((&value[step], &schema["additionalProperties"])),
        },
    }
}

fn problem(value: &Value, schema: &Value) -> Option<Problem> {
    if let (Value::Object(map), Some(required)) = (value, schema["required"].as_array()) {
        let missing = required.iter().filter_map(Value::as_str).find(|name| !map.contains_key(*name));
        if let Some(name) = missing {
            return Some(Problem::whole(format!("missing key `{name}`")));
        }
    }
    let forms = forms(schema);
    if let Some(form) = forms.iter().find(|form| is_container_of(value, form)) {
        return inside(value, form);
    }
    let mut expected = Vec::new();
    for form in forms {
        let words = words(form)?;
        if !expected.contains(&words) {
            expected.push(words);
        }
    }
    let last = expected.pop()?;
    let expected = if expected.is_empty() { last } else { format!("{} or {last}", expected.join(", ")) };
    Some(Problem::whole(format!("expected {expected}, found {}", describe(value))))
}

/// The forms that a value may have. That it may be left out is not one of them.
fn forms(schema: &Value) -> Vec<&Value> {
    match schema["anyOf"].as_array() {
        Some(any) => any.iter().flat_map(forms).filter(|form| form["type"] != "null").collect(),
        None => vec![schema],
    }
}

/// The type of one form, without `null`.
fn kind(form: &Value) -> &str {
    let kinds = form["type"].as_array().and_then(|kinds| kinds.iter().find(|kind| *kind != "null"));
    kinds.unwrap_or(&form["type"]).as_str().unwrap_or_default()
}

fn is_container_of(value: &Value, form: &Value) -> bool {
    matches!((value, kind(form)), (Value::Array(_), "array") | (Value::Object(_), "object"))
}

/// The first thing inside a list or a map that does not fit, else what is wrong with its length.
fn inside(value: &Value, form: &Value) -> Option<Problem> {
    let steps: Vec<String> = match value {
        Value::Array(items) => (0..items.len()).map(|index| index.to_string()).collect(),
        Value::Object(map) => map.keys().cloned().collect(),
        _ => vec![],
    };
    for step in steps {
        let (value, schema) = child(value, form, &step)?;
        if !fits(value, schema) {
            return problem(value, schema).map(|problem| problem.under(&step));
        }
    }
    match (value, &form["minItems"]) {
        (Value::Array(items), Value::Number(wanted)) if wanted.as_u64() != Some(items.len() as u64) => {
            Some(Problem::whole(format!("expected {wanted} values, found {}", items.len())))
        }
        _ => None,
    }
}

/// Whether a value has one of the types that its schema asks for. Where the schema says nothing simple, it does.
fn fits(value: &Value, schema: &Value) -> bool {
    let may_be_null = schema["type"].as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "null"))
        || schema["anyOf"].as_array().is_some_and(|any| any.iter().any(|form| form["type"] == "null"));
    let fits_form = |form: &&Value| match (kind(form), value) {
        ("number", value) => value.is_number(),
        ("integer", value) => {
            value.is_u64() || (value.is_i64() && form["minimum"].as_i64().is_none_or(|least| least < 0))
        }
        ("boolean", value) => value.is_boolean(),
        ("string", Value::String(text)) => named(form).is_empty() || named(form).contains(&text.as_str()),
        ("array", Value::Array(_)) | ("object", Value::Object(_)) => inside(value, form).is_none(),
        ("string" | "array" | "object", _) => false,
        _ => true,
    };
    (may_be_null && value.is_null()) || forms(schema).iter().any(fits_form)
}

/// The words that a value may be one of.
fn named(form: &Value) -> Vec<&str> {
    let words = form["enum"].as_array().into_iter().flatten();
    let words = words.chain(form["oneOf"].as_array().into_iter().flatten().map(|one| &one["const"]));
    words.filter_map(Value::as_str).collect()
}

/// What one form expects, in words.
fn words(form: &Value) -> Option<String> {
    let named = named(form);
    Some(match kind(form) {
        _ if !named.is_empty() => format!("one of {}", named.join(", ")),
        "number" => "a number".to_owned(),
        "integer" => {
            let most = form["maximum"].as_u64().or((form["format"] == "uint32").then_some(u32::MAX.into()));
            let from = form["minimum"].as_i64().map(|least| format!(" from {least}")).unwrap_or_default();
            format!("a whole number{from}{}", most.map(|most| format!(" to {most}")).unwrap_or_default())
        }
        "boolean" => "true or false".to_owned(),
        "string" if form["format"] == PATH_FORMAT => "a path".to_owned(),
        "string" => "a text".to_owned(),
        "array" => "a list".to_owned(),
        "object" => "a map".to_owned(),
        _ => return None,
    })
}
