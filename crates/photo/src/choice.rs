//! [`PolicyChoice`]: an augmentation as it stands in a config, the name of a policy or a list of transforms.

use std::borrow::Cow;

use pipeline_stage::params::{Problem, describe};
use pipeline_stage::suggest::nearest;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

use crate::policy::{steps_from_json, steps_to_json, under};
use crate::transform::dihedral::Dihedral;
use crate::transform::flip::Flip;
use crate::transform::lighting::Lighting;
use crate::transform::rand_augment::RandAugment;
use crate::transform::rotate::Rotate;
use crate::transform::scale::Scale;
use crate::transform::trivial_augment::TrivialAugment;
use crate::transform::{AnyTransform, TRANSFORMS, Transform};

/// A policy that has a name.
#[derive(Debug)]
pub struct NamedPolicy {
    /// The name in YAML.
    pub name: &'static str,
    /// What it is for.
    pub summary: &'static str,
    /// Its transforms after the scale, in order.
    steps: fn() -> Vec<Box<dyn AnyTransform>>,
    /// Whether it scales the photo, by up to `max_zoom`.
    pub scales: bool,
}

/// The policies that have a name. The lesson's numbers are the defaults of the transforms.
pub const POLICIES: &[NamedPolicy] = &[
    NamedPolicy { name: "none", summary: "only the random crop", steps: Vec::new, scales: false },
    NamedPolicy {
        name: "basic",
        summary: "the lesson's `transforms_basic`: rotation and lighting",
        steps: basic,
        scales: true,
    },
    NamedPolicy {
        name: "side_on",
        summary: "the lesson's `transforms_side_on`: basic and mirroring, for photos with an upright",
        steps: || [basic(), vec![boxed::<Flip>()]].concat(),
        scales: true,
    },
    NamedPolicy {
        name: "top_down",
        summary: "the lesson's `transforms_top_down`: basic and the eight symmetries, for pictures from above",
        steps: || [basic(), vec![boxed::<Dihedral>()]].concat(),
        scales: true,
    },
    NamedPolicy {
        name: "rand_augment",
        summary: "RandAugment and mirroring",
        steps: || vec![boxed::<RandAugment>(), boxed::<Flip>()],
        scales: true,
    },
    NamedPolicy {
        name: "trivial_augment",
        summary: "TrivialAugment and mirroring",
        steps: || vec![boxed::<TrivialAugment>(), boxed::<Flip>()],
        scales: true,
    },
];

fn basic() -> Vec<Box<dyn AnyTransform>> {
    vec![boxed::<Rotate>(), boxed::<Lighting>()]
}

fn boxed<T: Transform + Default>() -> Box<dyn AnyTransform> {
    Box::new(T::default())
}

/// A policy by name, or a list of transforms.
#[derive(Debug, Clone)]
pub enum PolicyChoice {
    /// One of [`POLICIES`].
    Named(&'static NamedPolicy),
    /// Transforms in order.
    Steps(Vec<Box<dyn AnyTransform>>),
    /// Something else, with what is wrong with it: told by [`PolicyChoice::check`], where problems have places.
    Wrong(Value, Vec<Problem>),
}

impl PolicyChoice {
    /// The policy of this name.
    pub fn named(name: &str) -> Option<Self> {
        POLICIES.iter().find(|policy| policy.name == name).map(PolicyChoice::Named)
    }

    /// What a value of a config means.
    fn read(given: Value) -> Self {
        let read = match &given {
            Value::String(name) => PolicyChoice::named(name).ok_or_else(|| vec![unknown(name)]),
            Value::Array(_) => steps_from_json(&given).map(PolicyChoice::Steps),
            other => {
                let found = describe(other);
                let message = format!("expected the name of a policy or a list of transforms, found {found}");
                let hint =
                    "write for example `policy: side_on`, or `policy: [flip, { rotate: { max_deg: 20 } }]`";
                Err(vec![Problem::whole(message).hint(hint)])
            }
        };
        read.unwrap_or_else(|problems| PolicyChoice::Wrong(given, problems))
    }

    /// Reports what is wrong, as problems of the parameter `name`.
    pub fn check(&self, name: &str, problems: &mut Vec<Problem>) {
        if let PolicyChoice::Wrong(_, found) = self {
            problems.extend(under(name, found.clone()));
        }
    }

    /// The transforms in order; those of a named policy scale by up to `max_zoom`.
    pub fn steps(&self, max_zoom: f64) -> Vec<Box<dyn AnyTransform>> {
        match self {
            PolicyChoice::Steps(steps) => steps.clone(),
            PolicyChoice::Wrong(..) => vec![],
            PolicyChoice::Named(policy) => {
                let scales = policy.scales && max_zoom > 1.0;
                let scale = scales.then(|| Scale { max: max_zoom, ..Scale::default() });
                scale.map(|scale| scale.boxed()).into_iter().chain((policy.steps)()).collect()
            }
        }
    }
}

fn unknown(name: &str) -> Problem {
    let known: Vec<&str> = POLICIES.iter().map(|policy| policy.name).collect();
    let near = nearest(name, known.iter().copied()).map(|near| format!("did you mean `{near}`?"));
    // A transform alone is a list of one.
    let alone =
        TRANSFORMS.iter().any(|kind| kind.name == name).then(|| format!("for it alone write [{name}]"));
    let expected = format!("expected one of: {}; or a list of transforms", known.join(", "));
    Problem { hint: alone.or(near), ..Problem::whole(format!("unknown policy `{name}`\n{expected}")) }
}

impl Serialize for PolicyChoice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            PolicyChoice::Named(policy) => policy.name.serialize(serializer),
            PolicyChoice::Steps(steps) => steps_to_json(steps).serialize(serializer),
            PolicyChoice::Wrong(given, _) => given.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for PolicyChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(PolicyChoice::read(Value::deserialize(deserializer)?))
    }
}

impl JsonSchema for PolicyChoice {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "PolicyChoice".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<&str> = POLICIES.iter().map(|policy| policy.name).collect();
        let alone = TRANSFORMS.iter().map(|kind| json!({ "const": kind.name, "description": kind.summary }));
        let with_params = TRANSFORMS.iter().map(|kind| {
            json!({
                "type": "object", "properties": { kind.name: kind.schema() }, "required": [kind.name],
                "additionalProperties": false, "description": kind.summary,
            })
        });
        let transforms: Vec<Value> = alone.chain(with_params).collect();
        json_schema!({ "oneOf": [{ "enum": names }, { "type": "array", "items": { "oneOf": transforms } }] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(given: Value) -> PolicyChoice {
        serde_json::from_value(given).unwrap()
    }

    fn names(choice: &PolicyChoice, max_zoom: f64) -> Vec<&'static str> {
        choice.steps(max_zoom).iter().map(|step| step.name()).collect()
    }

    #[test]
    fn every_named_policy_is_read_by_its_name_and_written_as_it() {
        for policy in POLICIES {
            let read = choice(json!(policy.name));
            assert!(!policy.summary.is_empty() && serde_json::to_value(&read).unwrap() == policy.name);
            let scales = names(&read, 1.1).first() == Some(&"scale");
            assert_eq!(scales, policy.scales, "{}", policy.name);
        }
    }

    #[test]
    fn named_policies_are_the_lessons_lists() {
        let of = |name: &str| names(&choice(json!(name)), 1.1);
        assert_eq!(of("none"), [""; 0]);
        assert_eq!(of("basic"), ["scale", "rotate", "lighting"]);
        assert_eq!(of("side_on"), ["scale", "rotate", "lighting", "flip"]);
        assert_eq!(of("top_down"), ["scale", "rotate", "lighting", "dihedral"]);
        assert_eq!(of("rand_augment"), ["scale", "rand_augment", "flip"]);
        assert_eq!(of("trivial_augment"), ["scale", "trivial_augment", "flip"]);
        assert_eq!(names(&choice(json!("basic")), 1.0), ["rotate", "lighting"]);
        let side_on = choice(json!("side_on")).steps(1.25);
        assert_eq!(
            steps_to_json(&side_on),
            json!([
                { "scale": { "p": 0.75, "min": 1.0, "max": 1.25 } },
                { "rotate": { "p": 0.75, "max_deg": 10.0 } },
                { "lighting": { "p": 1.0, "brightness": 0.05, "contrast": 0.05 } },
                { "flip": { "p": 0.5 } },
            ])
        );
    }

    #[test]
    fn a_list_is_written_out_so_that_defaults_are_no_change() {
        let short = serde_json::to_value(choice(json!(["flip"]))).unwrap();
        assert_eq!(short, json!([{ "flip": { "p": 0.5 } }]));
        assert_eq!(serde_json::to_value(choice(short.clone())).unwrap(), short);
        assert_eq!(serde_json::to_value(choice(json!("side_on"))).unwrap(), "side_on");
    }

    #[test]
    fn what_is_no_policy_is_told_with_what_is() {
        let fault = |given: Value| {
            let mut problems = Vec::new();
            choice(given).check("policy", &mut problems);
            let problem = problems.remove(0);
            (problem.path.join("."), problem.message, problem.hint.unwrap_or_default())
        };
        let (path, message, hint) = fault(json!("sideon"));
        assert_eq!((path.as_str(), hint.as_str()), ("policy", "did you mean `side_on`?"));
        assert!(message.starts_with("unknown policy `sideon`\nexpected one of: none, basic, "), "{message}");
        assert_eq!(fault(json!("flip")).2, "for it alone write [flip]");
        assert_eq!(fault(json!(["flop"])).0, "policy.0");
        let (_, message, _) = fault(json!(3));
        assert_eq!(message, "expected the name of a policy or a list of transforms, found the number 3");
    }
}
