//! Checks of parameters that many transforms have in common.

use pipeline_stage::params::Problem;
use pipeline_stage::words::number;

/// A probability.
pub(crate) fn check_p(p: f64, problems: &mut Vec<Problem>) {
    check("p", p, 0.0, 1.0, "a probability", problems);
}

/// A number from `low` to `high`, both included; `what` names it with its unit.
pub(crate) fn check(name: &str, value: f64, low: f64, high: f64, what: &str, problems: &mut Vec<Problem>) {
    if !(low..=high).contains(&value) {
        problems.push(Problem::new(
            name,
            format!("expected {what} from {low} to {high}, found {}", number(value)),
        ));
    }
}

/// A range `[low, high]` inside `least` to `most`.
pub(crate) fn check_pair(
    name: &str,
    [low, high]: [f64; 2],
    least: f64,
    most: f64,
    what: &str,
    problems: &mut Vec<Problem>,
) {
    if !(least <= low && low <= high && high <= most) {
        let message = format!(
            "expected two ascending {what} from {least} to {most}, found [{}, {}]",
            number(low),
            number(high)
        );
        problems.push(Problem::new(name, message));
    }
}
