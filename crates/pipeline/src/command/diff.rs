//! `pipeline diff RUN RUN`: the parameters, versions and metrics that differ between two runs.

use pipeline_runner::run_diff::{Difference, Differs, RunDiff, diff};
use pipeline_runner::{Error, RunRecord, Store};
use pipeline_stage::exit;
use serde_json::Value;

use super::interrupt::Interrupt;
use super::runs::warn_of_damage;
use super::store_folder::StoreFolder;
use super::table::Table;
use super::{Stop, stop};
use crate::terminal::Screen;

/// Show which parameters, versions and metrics differ between two runs
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: pipeline diff 20261128T1037 20261128T1102")]
pub(super) struct Arguments {
    /// A folder in runs/ of the store, the beginning of its name, or a path to it
    first: String,
    /// The other run
    second: String,
    #[command(flatten)]
    store: StoreFolder,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, screen: &Screen) -> Result<u8, Stop> {
    let interrupt = Interrupt::listen();
    let compared = || -> Result<RunDiff, Error> {
        let store = Store::existing(&arguments.store.dir())?;
        let details = |run: &str| Ok::<_, Error>(RunRecord::find(&store, Some(run))?.details());
        let (first, second) = (details(&arguments.first)?, details(&arguments.second)?);
        [&first, &second].into_iter().for_each(|run| warn_of_damage(run, screen));
        Ok(diff(&store, [&first, &second]))
    };
    let found = compared().map_err(|error| stop(&error, &interrupt))?;
    if arguments.json {
        screen.json(&serde_json::to_value(&found).unwrap_or_default());
        return Ok(exit::DONE);
    }
    screen.line(&text(&found));
    found.unknown.iter().for_each(|unknown| screen.error(&format!("note: {unknown}")));
    Ok(exit::DONE)
}

fn text(found: &RunDiff) -> String {
    if found.differences.is_empty() {
        return "no parameter, version or metric differs".to_owned();
    }
    let [first, second] = &found.runs;
    let mut table = Table::new("llllll", ["stage", "what", "name", first, second, "change"]);
    for Difference { stage, what, name, values } in &found.differences {
        let stage = stage.clone().unwrap_or_else(|| "-".to_owned());
        let shown = values.each_ref().map(shown);
        let [a, b] = shown;
        table.row([stage, what.word().to_owned(), name.clone(), a, b, change(*what, values)]);
    }
    table.text()
}

/// A value as in a config; text without its quotes.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// By how much a metric rose, to four significant digits.
fn change(what: Differs, values: &[Value; 2]) -> String {
    let (Differs::Metric, Some(a), Some(b)) = (what, values[0].as_f64(), values[1].as_f64()) else {
        return String::new();
    };
    let by = b - a;
    let before_point = if by == 0.0 { 0 } else { by.abs().log10().floor() as i32 };
    let digits = usize::try_from(3 - before_point).unwrap_or(0).min(12);
    let text = format!("{by:+.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_differs_is_a_table_with_the_change_of_metrics() {
        let one = |stage: Option<&str>, what, name: &str, a: Value, b: Value| Difference {
            stage: stage.map(str::to_owned),
            what,
            name: name.to_owned(),
            values: [a, b],
        };
        let found = RunDiff {
            runs: ["a".to_owned(), "b".to_owned()],
            differences: vec![
                one(None, Differs::Parameter, "seed", json!(1), json!(2)),
                one(Some("head"), Differs::Parameter, "policy", Value::Null, json!("side_on")),
                one(Some("head"), Differs::Metric, "accuracy", json!(0.98), json!(0.991)),
            ],
            unknown: vec![],
        };
        let expected = "  stage   what        name       a      b         change
  -       parameter   seed       1      2
  head    parameter   policy     -      side_on
  head    metric      accuracy   0.98   0.991     +0.011";
        assert_eq!(text(&found), expected);
        let none = RunDiff { differences: vec![], ..found };
        assert_eq!(text(&none), "no parameter, version or metric differs");
    }

    #[test]
    fn a_change_has_four_digits_that_count() {
        let by = |a: f64, b: f64| change(Differs::Metric, &[json!(a), json!(b)]);
        assert_eq!(by(0.98, 0.991), "+0.011");
        assert_eq!(by(0.5, 0.123456), "-0.3765");
        assert_eq!(by(0.0, 0.000123456), "+0.0001235");
        assert_eq!(by(1000.0, 123456.0), "+122456");
        assert_eq!(by(10.0, 30.0), "+20");
        assert_eq!(by(1e-300, 0.0), "-0");
        assert_eq!(change(Differs::Parameter, &[json!(1), json!(2)]), "");
    }
}
