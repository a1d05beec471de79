//! Right and wrong parameters of toys: plain ones, nested ones, and ones with flattened parts.

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
    #[serde(default = "least_size")]
    #[schemars(range(min = 32, max = 1024))]
    size: u32,
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
fn least_size() -> u32 {
    32
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
    // With a range of its own that one is told.
    let size = "size: expected a whole number from 32 to 1024, found the number -1";
    assert_eq!(fault(json!({"size": -1})), size);
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
fn all_values_that_cannot_be_read_are_told_at_once() {
    let problems =
        parse::<Many>(&json!({"count": -1, "sides": ["left", 3], "on": true, "pair": 3})).unwrap_err();
    let faults: Vec<String> =
        problems.iter().map(|p| format!("{}: {}", p.path.join("."), p.message)).collect();
    assert_eq!(
        faults,
        [
            "count: expected a whole number from 0 to 4294967295, found the number -1",
            "pair: expected a list, found the number 3",
            "sides.1: expected one of left, right, found the number 3",
        ]
    );
    // Without what is required nothing can be tried.
    let problems = parse::<Toy>(&json!({"root": 3, "lr": "fast"})).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:?}");
}

/// One rate, one for each, or one by name.
#[derive(Debug, Serialize, serde::Deserialize, JsonSchema)]
#[serde(untagged)]
enum Rates {
    One(f64),
    Each(Vec<f64>),
    Named(std::collections::BTreeMap<String, f64>),
}

#[derive(Debug, Serialize, serde::Deserialize, JsonSchema)]
#[serde(default)]
struct Recipe {
    lr: Rates,
    epochs: u32,
    momentum: Option<f64>,
    /// Half of it, where it is left out.
    warmup: Option<u32>,
}
impl Default for Recipe {
    fn default() -> Self {
        Recipe { lr: Rates::One(0.1), epochs: 6, momentum: None, warmup: None }
    }
}

#[derive(Debug, Serialize, serde::Deserialize, JsonSchema)]
struct Flat {
    #[serde(default)]
    on: bool,
    #[serde(flatten)]
    recipe: Recipe,
    #[serde(flatten)]
    place: Place,
}
#[derive(Debug, Serialize, serde::Deserialize, JsonSchema)]
struct Place {
    root: SourcePath,
}
impl Parameters for Flat {
    fn settle(&mut self) {
        self.recipe.warmup.get_or_insert(self.recipe.epochs / 2);
    }
    fn check(&self, problems: &mut Vec<Problem>) {
        if self.recipe.warmup > Some(self.recipe.epochs) {
            problems.push(Problem::new("warmup", "longer than the training"));
        }
    }
}

#[test]
fn a_wrong_value_of_a_flattened_part_is_found() {
    let faults = |given: Value| {
        let problems = parse::<Flat>(&given).unwrap_err();
        problems.iter().map(|p| format!("{}: {}", p.path.join("."), p.message)).collect::<Vec<_>>()
    };
    let forms = "expected a number, a list or a map, found";
    assert_eq!(faults(json!({"root": "a", "lr": "fast"})), [format!("lr: {forms} the text `fast`")]);
    assert_eq!(faults(json!({"root": "a", "lr": true, "epochs": 3})), [format!("lr: {forms} `true`")]);
    assert_eq!(
        faults(json!({"root": "a", "lr": [1e-4, "fast"]})),
        ["lr.1: expected a number, found the text `fast`"]
    );
    assert_eq!(
        faults(json!({"root": "a", "lr": {"head": 0.1, "trunk": [1]}})),
        ["lr.trunk: expected a number, found a list"]
    );
    assert_eq!(
        faults(json!({"root": "a", "epochs": 1.5, "momentum": "high"})),
        [
            "epochs: expected a whole number from 0 to 4294967295, found the number 1.5",
            "momentum: expected a number, found the text `high`"
        ]
    );
    assert_eq!(faults(json!({"root": "a", "on": 1})), ["on: expected true or false, found the number 1"]);
    assert_eq!(faults(json!({"epochs": 2})), [": missing key `root`"]);
    assert_eq!(
        faults(json!({"root": "a", "epoch": 2}))[0].lines().next(),
        Some("epoch: unknown key `epoch`")
    );
}

#[test]
fn what_is_left_out_is_settled_before_it_is_checked_and_stays_so() {
    let settled = |given: &Value| to_value(&parse::<Flat>(given).unwrap());
    let once = settled(&json!({"root": "a", "epochs": 5}));
    assert_eq!(once["warmup"], 2);
    assert_eq!(settled(&once), once);
    // Not half of what it is now: what was written stays.
    assert_eq!(settled(&json!({"root": "a", "epochs": 5, "warmup": 1}))["warmup"], 1);
    let problems = parse::<Flat>(&json!({"root": "a", "epochs": 1, "warmup": 2})).unwrap_err();
    assert_eq!(problems[0].message, "longer than the training");
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
