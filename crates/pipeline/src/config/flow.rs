//! [`text`]: a value as YAML in one line, as it can be given to `--set`.

use serde_json::Value;

/// `value` in YAML's flow style: `0.003`, `[0.0001, 0.001]`, `{max: 1.3}`, `side_on`. Reading it gives `value` again.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(text).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let entry = |(key, value): (&String, &Value)| format!("{}: {}", word(key), text(value));
            format!("{{{}}}", map.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
        Value::String(text) => word(text),
        other => other.to_string(),
    }
}

/// Text without quotes where that is read as the same text, also within a list.
fn word(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "_./-".contains(c);
    let reads_alike = || serde_yaml::from_str(text).is_ok_and(|read: Value| read == text);
    if !text.is_empty() && text.chars().all(is_plain) && reads_alike() {
        return text.to_owned();
    }
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_written_is_read_as_the_same_value() {
        let values = [
            (json!(0.003), "0.003"),
            (json!(1e-5), "0.00001"),
            (json!(1e-20), "1e-20"),
            (json!(42), "42"),
            (json!(u64::MAX), "18446744073709551615"),
            (json!(1.0), "1.0"),
            (json!(null), "null"),
            (json!(true), "true"),
            (json!("true"), "\"true\""),
            (json!("7"), "\"7\""),
            (json!("1e-5"), "\"1e-5\""),
            (json!(""), "\"\""),
            (json!("-"), "\"-\""),
            (json!("side_on"), "side_on"),
            (json!("data/my photos"), "\"data/my photos\""),
            (json!("a: b, [c] #d 'e' \"f\"\n"), "\"a: b, [c] #d 'e' \\\"f\\\"\\n\""),
            (json!("größe"), "größe"),
            (json!([1e-4, [], {}]), "[0.0001, [], {}]"),
            (json!(["flip", {"rotate": {"max_deg": 45}}]), "[flip, {rotate: {max_deg: 45}}]"),
        ];
        for (value, expected) in values {
            assert_eq!(text(&value), expected);
            let read: Value = serde_yaml::from_str(expected).unwrap();
            assert_eq!(read, value, "{expected}");
        }
    }
}
