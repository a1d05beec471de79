//! [`Results`]: the rows of a sweep as a table in the terminal, as JSON and as Parquet.

use std::path::PathBuf;

use pipeline_runner::{Error, Store};
use pipeline_stage::exit;
use pipeline_table::{Column, plain};
use serde_json::{Value, json};

use super::axis::Axis;
use super::ranking::Ranking;
use super::row::{Ended, Row};
use crate::command::Stop;
use crate::command::table::Table;
use crate::config::flow;
use crate::terminal::words;

/// Version of `sweep.json`. Raised when a field changes or goes; readers should accept fields that they do not know.
const FORMAT: u32 = 1;

/// What came of a sweep.
pub(super) struct Results<'a> {
    /// Name of the config.
    pub(super) config: &'a str,
    /// The command line.
    pub(super) command: &'a str,
    pub(super) axes: &'a [Axis],
    pub(super) rows: &'a [Row],
    pub(super) ranking: &'a Ranking,
}

impl Results<'_> {
    /// The table, and which combination is the best.
    pub(super) fn text(&self) -> String {
        let mut heads: Vec<String> = vec![String::new()];
        heads.extend(self.axes.iter().map(Axis::name));
        heads.extend(self.ranking.metrics.iter().cloned());
        heads.extend(["time".to_owned(), "outcome".to_owned()]);
        let values =
            self.axes.iter().map(|axis| if axis.values.iter().all(Value::is_number) { 'r' } else { 'l' });
        let metrics = self.ranking.metrics.iter().map(|_| 'r');
        let align = ['l'].into_iter().chain(values).chain(metrics).chain(['r', 'l']).collect();
        let mut table = Table::with_columns(align, heads);
        self.rows.iter().for_each(|row| table.row(self.cells(row)));
        let mut text = table.text();
        if let Some(best) = self.best() {
            text.push_str(&format!("\n\n{best}"));
        }
        text
    }

    fn cells(&self, row: &Row) -> Vec<String> {
        let dash = || "-".to_owned();
        let mut cells = vec![if row.is_best { "*" } else { "" }.to_owned()];
        cells.extend(self.axes.iter().map(|axis| flow::text(&row.parameters[&axis.name()])));
        cells.extend(self.ranking.metrics.iter().map(|name| row.metric(name).map_or_else(dash, number)));
        cells.push(if row.outcome == Ended::NotRun { dash() } else { words::duration(row.seconds) });
        let error = row.error.as_ref().map_or_else(String::new, |error| format!(": {error}"));
        cells.push(format!("{}{error}", row.outcome.word()));
        cells
    }

    /// `* best: evaluate.head.accuracy 0.9875`, and the command that makes the first of the best alone.
    fn best(&self) -> Option<String> {
        let (judge, _) = self.ranking.judge.as_ref()?;
        let best: Vec<&Row> = self.rows.iter().filter(|row| row.is_best).collect();
        let first = best.first()?;
        let others = match best.len() - 1 {
            0 => String::new(),
            1 => " (another is as good)".to_owned(),
            more => format!(" ({} others are as good)", words::count(more as u64)),
        };
        Some(format!("* best: {judge} {}{others}\n  {}", number(first.metric(judge)?), first.command))
    }

    /// All of it, for programs.
    pub(super) fn json(&self) -> Value {
        let judge = self.ranking.judge.as_ref();
        json!({
            "format": FORMAT,
            "config": self.config,
            "command": self.command,
            "parameters": self.axes.iter().map(Axis::name).collect::<Vec<_>>(),
            "metrics": self.ranking.metrics,
            "best_by": judge.map(|(name, _)| name),
            "direction": judge.map(|(_, direction)| direction.word()),
            "rows": self.rows,
        })
    }

    /// Writes `sweep.parquet` and `sweep.json` into a new folder of the store, and returns that.
    pub(super) fn write(&self, store: &Store) -> Result<PathBuf, Stop> {
        let refused = |error: Error| Stop::new(exit::STAGE_FAILED, &error);
        let folder = store.new_sweep().map_err(refused)?;
        plain::write(&folder.join("sweep.parquet"), "sweep", &self.columns())
            .map_err(|error| Stop::new(exit::STAGE_FAILED, &error))?;
        // Last: where it is, the table is whole.
        store.write_sweep(&folder, &format!("{:#}\n", self.json())).map_err(refused)?;
        Ok(folder)
    }

    /// The table's columns.
    fn columns(&self) -> Vec<(String, Column)> {
        let text = |of: fn(&Row) -> Option<String>| Column::Text(self.rows.iter().map(of).collect());
        let mut columns = vec![("combination".to_owned(), text(|row| Some(row.combination.clone())))];
        for axis in self.axes {
            let values = self.rows.iter().map(|row| &row.parameters[&axis.name()]);
            columns.push((axis.name(), column(values.collect())));
        }
        for name in &self.ranking.metrics {
            columns
                .push((name.clone(), Column::Number(self.rows.iter().map(|row| row.metric(name)).collect())));
        }
        let seconds = |row: &Row| (row.outcome != Ended::NotRun).then_some(row.seconds);
        columns.extend([
            ("is_best".to_owned(), Column::Truth(self.rows.iter().map(|row| row.is_best).collect())),
            ("seconds".to_owned(), Column::Number(self.rows.iter().map(seconds).collect())),
            ("outcome".to_owned(), text(|row| Some(row.outcome.word().replace(' ', "_")))),
            ("error".to_owned(), text(|row| row.error.clone())),
            ("run".to_owned(), text(|row| row.run.clone())),
            ("command".to_owned(), text(|row| Some(row.command.clone()))),
        ]);
        columns
    }
}

/// The values of a parameter: whole numbers, else numbers, else YAML.
fn column(values: Vec<&Value>) -> Column {
    if values.iter().all(|value| value.is_i64()) {
        return Column::Whole(values.iter().map(|value| value.as_i64()).collect());
    }
    if values.iter().all(|value| value.is_number()) {
        return Column::Number(values.iter().map(|value| value.as_f64()).collect());
    }
    Column::Text(values.into_iter().map(|value| Some(flow::text(value))).collect())
}

/// A metric with four digits behind the point, or as many that count where it is small; none where it is large.
fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size < 0.001 => format!("{value:.3e}"),
        size if size < 1000.0 => format!("{value:.4}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::sweep::row::{Metric, tests::row};

    fn axes() -> Vec<Axis> {
        let axis = |name: &str, values: Value| Axis {
            key: name.split('.').map(str::to_owned).collect(),
            values: values.as_array().unwrap().clone(),
        };
        vec![axis("head.lr", json!([0.003, 0.01])), axis("augment.policy", json!(["none", ["flip"]]))]
    }

    fn rows() -> Vec<Row> {
        let metric = |value| Metric { stage: "head".to_owned(), name: "accuracy".to_owned(), value };
        let parameters = |lr: f64, policy: Value| json!({"head.lr": lr, "augment.policy": policy});
        let ran = |lr, policy, accuracy, outcome| Row {
            outcome,
            metrics: vec![metric(accuracy)],
            seconds: 4.12,
            run: Some("r".to_owned()),
            command: format!("pipeline run c.yaml --set head.lr={lr}"),
            ..row(parameters(lr, policy))
        };
        let failed = Row {
            outcome: Ended::Failed,
            error: Some("head: no\nroom".to_owned()),
            ..row(parameters(0.01, json!("none")))
        };
        vec![
            ran(0.003, json!("none"), 0.95, Ended::Hit),
            ran(0.003, json!(["flip"]), 0.9625, Ended::Ran),
            failed,
            row(parameters(0.01, json!(["flip"]))),
        ]
    }

    fn with<T>(take: impl FnOnce(&Results<'_>) -> T) -> T {
        let (axes, mut rows) = (axes(), rows());
        let ranking = Ranking::of(&mut rows, &[]);
        take(&Results {
            config: "c",
            command: "pipeline sweep c.yaml",
            axes: &axes,
            rows: &rows,
            ranking: &ranking,
        })
    }

    #[test]
    fn the_table_has_a_row_for_each_combination_and_marks_the_best() {
        let expected = "      head.lr   augment.policy   head.accuracy    time   outcome
        0.003   none                    0.9500   4.1 s   hit
  *     0.003   [flip]                  0.9625   4.1 s   ran
         0.01   none                         -   0.0 s   failed: head: no room
         0.01   [flip]                       -       -   not run

* best: head.accuracy 0.9625
  pipeline run c.yaml --set head.lr=0.003";
        assert_eq!(with(|results| results.text()), expected);
    }

    #[test]
    fn how_many_are_as_good_is_said_and_the_first_is_named() {
        let (axes, mut rows) = (axes(), rows());
        rows[0].metrics = rows[1].metrics.clone();
        let ranking = Ranking::of(&mut rows, &[]);
        let results = Results { config: "c", command: "", axes: &axes, rows: &rows, ranking: &ranking };
        let expected =
            "* best: head.accuracy 0.9625 (another is as good)\n  pipeline run c.yaml --set head.lr=0.003";
        assert_eq!(results.best().unwrap(), expected);
    }

    #[test]
    fn numbers_are_columns_of_numbers_and_all_else_is_yaml() {
        let columns = with(|results| results.columns());
        let column = |name: &str| columns.iter().find(|(column, _)| column == name).unwrap().1.clone();
        assert_eq!(column("head.lr"), Column::Number([0.003, 0.003, 0.01, 0.01].map(Some).to_vec()));
        let policies = ["none", "[flip]", "none", "[flip]"].map(|text| Some(text.to_owned()));
        assert_eq!(column("augment.policy"), Column::Text(policies.to_vec()));
        assert_eq!(column("head.accuracy"), Column::Number(vec![Some(0.95), Some(0.9625), None, None]));
        assert_eq!(column("is_best"), Column::Truth(vec![false, true, false, false]));
        assert_eq!(column("seconds"), Column::Number(vec![Some(4.12), Some(4.12), Some(0.0), None]));
        let (seeds, mixed) = ([json!(1), json!(-2)], [json!(1), json!(0.5)]);
        assert_eq!(self::column(seeds.iter().collect()), Column::Whole(vec![Some(1), Some(-2)]));
        assert_eq!(self::column(mixed.iter().collect()), Column::Number(vec![Some(1.0), Some(0.5)]));
    }

    #[test]
    fn programs_read_rows_with_parameters_and_metrics_by_name() {
        let found = with(|results| results.json());
        assert_eq!((&found["format"], &found["best_by"]), (&json!(1), &json!("head.accuracy")));
        assert_eq!(
            (&found["direction"], &found["parameters"]),
            (&json!("up"), &json!(["head.lr", "augment.policy"]))
        );
        let row = &found["rows"][1];
        assert_eq!(row["parameters"], json!({"head.lr": 0.003, "augment.policy": ["flip"]}));
        assert_eq!(row["metrics"], json!({"head.accuracy": 0.9625}));
        assert_eq!((&row["outcome"], &row["is_best"]), (&json!("ran"), &json!(true)));
        assert_eq!(found["rows"][3]["outcome"], json!("not_run"));
    }

    #[test]
    fn metrics_have_four_digits_that_count() {
        let found: Vec<String> = [0.98764, -0.0, 3.2e-5, 46.25, 12_345.6].into_iter().map(number).collect();
        assert_eq!(found, ["0.9876", "0", "3.200e-5", "46.2500", "12346"]);
    }
}
