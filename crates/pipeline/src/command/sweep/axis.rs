//! [`Axis`]: a parameter and the values that it takes in turn; [`combinations`], every choice of one value of each.

use serde_json::Value;

use crate::config::{Located, Overrides, Place, assignment, flow};

/// The most combinations of a sweep: each has a run, a row and a folder of links.
pub(super) const MOST: usize = 10_000;

const FORM: &str = "write it as --over 'head.lr=[0.003, 0.01]'";

/// A parameter that is varied.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    /// `["head", "lr"]`, `["seed"]`.
    pub(super) key: Vec<String>,
    /// At least one, none twice.
    pub(super) values: Vec<Value>,
}

impl Axis {
    /// Parses the `--over` arguments.
    ///
    /// # Errors
    /// Everything that is wrong with them, each at its argument; also that a parameter has a value by `sets`.
    pub(super) fn parse(overs: &[String], sets: &Overrides) -> Result<Vec<Axis>, Vec<Located>> {
        let mut axes: Vec<Axis> = vec![];
        let mut faults = vec![];
        for over in overs {
            let mut fault = |message: String, hint: &str| {
                let place = Place::Argument(format!("--over {}", short(over)));
                faults.push(Located::new(place, message, Some(hint.to_owned())));
            };
            match Axis::one(over) {
                Err(message) => fault(message, FORM),
                Ok(axis) if axes.iter().any(|other| other.key == axis.key) => {
                    let hint = "put all values into one list";
                    fault(format!("`{}` is varied by another --over already", axis.name()), hint);
                }
                Ok(axis) if sets.iter().any(|(key, _)| *key == axis.key) => {
                    let message = format!("`{}` is varied, and set by --set", axis.name());
                    fault(message, "leave one of the two out");
                }
                Ok(axis) => axes.push(axis),
            }
        }
        if faults.is_empty() { Ok(axes) } else { Err(faults) }
    }

    fn one(over: &str) -> Result<Axis, String> {
        // What `--set` says of a wrong name is right here, too.
        let (key, value) = assignment(over)?;
        let values = match value {
            Value::Array(values) if values.is_empty() => {
                return Err("expected at least one value, found an empty list".to_owned());
            }
            Value::Array(values) => values,
            other => {
                return Err(format!("expected a list of values, found `{}`", short(&flow::text(&other))));
            }
        };
        for (place, value) in values.iter().enumerate() {
            if let Some(first) = values[..place].iter().position(|other| other == value) {
                let text = short(&flow::text(value));
                let (first, second) = (first + 1, place + 1);
                return Err(format!("values {first} and {second} are the same, `{text}`"));
            }
        }
        Ok(Axis { key, values })
    }

    /// `head.lr`.
    pub(super) fn name(&self) -> String {
        self.key.join(".")
    }

    /// Where its value at `place` stands.
    pub(super) fn place(&self, place: usize) -> Place {
        let (name, count) = (self.name(), self.values.len());
        Place::Argument(format!("--over {name}, value {} of {count}", place + 1))
    }

    /// Where it stands itself.
    pub(super) fn whole(&self) -> Place {
        Place::Argument(format!("--over {}", self.name()))
    }
}

/// Every combination: the place of a value in each axis. The last axis changes fastest.
///
/// # Errors
/// The number of combinations, where that is more than [`MOST`].
pub(super) fn combinations(axes: &[Axis]) -> Result<Vec<Vec<usize>>, u128> {
    let count = axes.iter().fold(1_u128, |count, axis| count.saturating_mul(axis.values.len() as u128));
    if count > MOST as u128 {
        return Err(count);
    }
    let mut all: Vec<Vec<usize>> = vec![vec![]];
    for axis in axes {
        let longer = |begun: &Vec<usize>| {
            let begun = begun.clone();
            (0..axis.values.len()).map(move |place| [begun.as_slice(), &[place]].concat())
        };
        all = all.iter().flat_map(longer).collect();
    }
    Ok(all)
}

/// The beginning of a long argument.
fn short(text: &str) -> String {
    const LETTERS: usize = 60;
    if text.chars().count() <= LETTERS {
        return text.to_owned();
    }
    format!("{}…", text.chars().take(LETTERS).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(overs: &[&str], sets: &[&str]) -> Result<Vec<Axis>, Vec<String>> {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let sets = Overrides::parse(&owned(sets)).unwrap();
        Axis::parse(&owned(overs), &sets).map_err(|faults| {
            faults.iter().map(|fault| format!("{fault}\n{}", fault.hint.as_deref().unwrap_or("-"))).collect()
        })
    }

    fn fault(overs: &[&str]) -> String {
        let faults = parse(overs, &["backbone.arch=resnet18"]).unwrap_err();
        assert_eq!(faults.len(), 1, "{faults:?}");
        faults[0].clone()
    }

    #[test]
    fn values_are_a_yaml_list_and_may_be_lists_themselves() {
        let axes = parse(&["tune.lr=[[1e-4, 1e-3], [0.1]]", "seed=[1, 2]"], &["head.lr=1"]).unwrap();
        assert_eq!((axes[0].name().as_str(), axes[1].name().as_str()), ("tune.lr", "seed"));
        assert_eq!(axes[0].values, [json!([1e-4, 1e-3]), json!([0.1])]);
    }

    #[test]
    fn what_is_no_list_of_different_values_of_a_parameter_is_refused() {
        let form = format!("\n{FORM}");
        let cases = [
            ("head.lr=0.1", "expected a list of values, found `0.1`"),
            ("head.lr={a: 1}", "expected a list of values, found `{a: 1}`"),
            ("head.lr=[]", "expected at least one value, found an empty list"),
            ("head.lr=[1, 2, 1]", "values 1 and 3 are the same, `1`"),
            ("head.lr", "expected `stage.param=value`, found no `=`"),
            ("lr=[1]", "expected `stage.param=value`, found no parameter after `lr`"),
            ("head.lr=[.nan]", "expected a finite number, found .nan"),
        ];
        for (over, message) in cases {
            assert_eq!(fault(&[over]), format!("--over {over}: {message}{form}"));
        }
        assert_eq!(
            fault(&["head.lr=[1]", "head.lr=[2]"]),
            "--over head.lr=[2]: `head.lr` is varied by another --over already\nput all values into one list"
        );
        assert_eq!(
            fault(&["backbone.arch=[resnet34]"]),
            "--over backbone.arch=[resnet34]: `backbone.arch` is varied, and set by --set\nleave one of the two out"
        );
        let long = format!("head.lr={}", "1".repeat(100));
        assert!(fault(&[&long]).starts_with(&format!("--over head.lr={}…: ", "1".repeat(52))));
    }

    #[test]
    fn the_last_parameter_changes_fastest() {
        let axes = parse(&["a.x=[1, 2]", "a.y=[1, 2, 3]"], &[]).unwrap();
        let expected = [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2]];
        assert_eq!(combinations(&axes).unwrap(), expected.map(|places| places.to_vec()));
    }

    #[test]
    fn too_many_combinations_are_counted_and_not_made() {
        let axis = |values: u64| Axis { key: vec![], values: (0..values).map(Value::from).collect() };
        assert_eq!(combinations(&[axis(100), axis(100)]).unwrap().len(), MOST);
        assert_eq!(combinations(&[axis(100), axis(101)]), Err(10_100));
        let axes = vec![axis(100); 40];
        assert_eq!(combinations(&axes), Err(u128::MAX), "10^80 is more than there is a number for");
    }
}
