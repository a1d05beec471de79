//! [`Ranking`]: which metrics a sweep is about, and which combinations are the best by the first of them.

use pipeline_stage::Direction;
use pipeline_stage::suggest::nearest;

use super::row::Row;

/// The metrics that are shown, and the one that judges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ranking {
    /// Full names, in the order of columns: `evaluate.head.accuracy`.
    pub(super) metrics: Vec<String>,
    /// The metric that says which combination is the best, and where it should go.
    pub(super) judge: Option<(String, Direction)>,
    /// What was asked for and is not there, or cannot judge.
    pub(super) notes: Vec<String>,
}

impl Ranking {
    /// By what is `asked` for (`evaluate.accuracy`: a stage, and the last part of the name of some of its metrics), or by all
    /// metrics of the last stage that has some. The best rows are marked.
    pub(super) fn of(rows: &mut [Row], asked: &[String]) -> Ranking {
        let mut notes = vec![];
        let all = names(rows);
        let mut metrics: Vec<String> = vec![];
        for name in asked {
            let found: Vec<String> =
                all.iter().filter(|(stage, metric)| is_asked(name, stage, metric)).map(full).collect();
            // Where nothing has ended well, that is said elsewhere.
            if found.is_empty() && !all.is_empty() {
                notes.push(unknown(name, &all));
            }
            metrics.extend(found);
        }
        let is_asked_for = !metrics.is_empty();
        if !is_asked_for && let Some((last, _)) = all.last() {
            metrics = all.iter().filter(|(stage, _)| stage == last).map(full).collect();
        }
        let mut seen = std::collections::BTreeSet::new();
        metrics.retain(|metric| seen.insert(metric.clone()));
        let direction = |name: &String| Some((name.clone(), Direction::of(name)?));
        // Whoever asks for a metric wants the best by that one, and not by the next.
        let judge = match is_asked_for {
            false => metrics.iter().find_map(direction),
            true => metrics.first().and_then(direction),
        };
        if let (None, Some(first)) = (&judge, metrics.first()) {
            notes.push(format!(
                "no combination is the best: it is not known whether more or less of `{first}` is better"
            ));
        }
        if let Some((name, direction)) = &judge {
            mark(rows, name, *direction);
        }
        Ranking { metrics, judge, notes }
    }
}

/// Stage and name of every metric of combinations that have ended well, in the order of running.
fn names(rows: &[Row]) -> Vec<(String, String)> {
    let mut names: Vec<(String, String)> = vec![];
    for metric in rows.iter().filter(|row| row.outcome.is_success()).flat_map(|row| &row.metrics) {
        let is_new = !names.iter().any(|(stage, name)| (stage, name) == (&metric.stage, &metric.name));
        if is_new {
            let name = (metric.stage.clone(), metric.name.clone());
            // Beside those of its stage, should another combination lack it.
            let place = names.iter().rposition(|(stage, _)| *stage == metric.stage);
            names.insert(place.map_or(names.len(), |place| place + 1), name);
        }
    }
    names
}

fn full((stage, metric): &(String, String)) -> String {
    format!("{stage}.{metric}")
}

/// Whether `asked` means this metric: `evaluate.accuracy` and `evaluate.tta.accuracy` mean `evaluate.head.tta.accuracy`.
fn is_asked(asked: &str, stage: &str, metric: &str) -> bool {
    let Some(name) = asked.strip_prefix(stage).and_then(|rest| rest.strip_prefix('.')) else { return false };
    metric == name || metric.strip_suffix(name).is_some_and(|before| before.ends_with('.'))
}

fn unknown(asked: &str, all: &[(String, String)]) -> String {
    let known: Vec<String> = all.iter().map(full).collect();
    let hint = nearest(asked, known.iter().map(String::as_str));
    let hint = hint.map_or_else(String::new, |name| format!("; did you mean `{name}`?"));
    format!("no stage reports `{asked}`, expected one of: {}{hint}", known.join(", "))
}

/// Marks the best of the rows that have ended well, and those that are as good.
fn mark(rows: &mut [Row], metric: &str, direction: Direction) {
    let value = |row: &Row| row.metric(metric).filter(|_| row.outcome.is_success());
    let better = |a: f64, b: f64| if direction.is_better(b, a) { b } else { a };
    let best = rows.iter().filter_map(value).reduce(better);
    rows.iter_mut().for_each(|row| row.is_best = best.is_some() && value(row) == best);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::sweep::row::{Ended, Metric, tests::row};
    use serde_json::json;

    fn ended(outcome: Ended, metrics: &[(&str, &str, f64)]) -> Row {
        let metric = |(stage, name, value): &(&str, &str, f64)| Metric {
            stage: (*stage).to_owned(),
            name: (*name).to_owned(),
            value: *value,
        };
        Row { outcome, metrics: metrics.iter().map(metric).collect(), ..row(json!({})) }
    }

    fn rows() -> Vec<Row> {
        let of = |accuracy: f64, loss: f64| {
            let metrics = [
                ("ingest", "photos", 20.0),
                ("evaluate", "head.accuracy", accuracy),
                ("evaluate", "head.log_loss", loss),
                ("evaluate", "head.tta.accuracy", 1.0 - accuracy),
            ];
            ended(Ended::Ran, &metrics)
        };
        // One that failed has better numbers, and fewer of them.
        let failed = ended(Ended::Failed, &[("ingest", "photos", 90.0), ("evaluate", "head.accuracy", 1.0)]);
        vec![failed, of(0.9, 0.3), of(0.95, 0.4), of(0.95, 0.5)]
    }

    fn best(asked: &[&str]) -> (Ranking, Vec<usize>) {
        let asked: Vec<String> = asked.iter().map(|name| (*name).to_owned()).collect();
        let mut rows = rows();
        let ranking = Ranking::of(&mut rows, &asked);
        (ranking, (0..rows.len()).filter(|place| rows[*place].is_best).collect())
    }

    #[test]
    fn all_metrics_of_the_last_stage_are_shown_and_the_first_that_has_a_direction_judges() {
        let (ranking, best) = best(&[]);
        let names = ["evaluate.head.accuracy", "evaluate.head.log_loss", "evaluate.head.tta.accuracy"];
        assert_eq!(ranking.metrics, names);
        assert_eq!(ranking.judge, Some((names[0].to_owned(), Direction::Up)));
        assert_eq!(best, [2, 3], "those that are equally good are both marked");
    }

    #[test]
    fn a_loss_is_best_where_it_is_least() {
        let (ranking, best) = best(&["evaluate.log_loss"]);
        assert_eq!((ranking.metrics.len(), best), (1, vec![1]));
    }

    #[test]
    fn the_end_of_a_name_means_every_metric_that_ends_so() {
        let (ranking, best) = best(&["evaluate.accuracy", "evaluate.head.accuracy", "ingest.photos"]);
        let names = ["evaluate.head.accuracy", "evaluate.head.tta.accuracy", "ingest.photos"];
        assert_eq!((ranking.metrics, best), (names.map(str::to_owned).to_vec(), vec![2, 3]));
        assert!(!is_asked("evaluate.curacy", "evaluate", "head.accuracy"));
    }

    #[test]
    fn a_metric_that_is_not_there_is_named_with_the_nearest_and_one_without_a_direction_marks_none() {
        let (ranking, _) = best(&["evaluate.head.acuracy"]);
        assert_eq!(
            ranking.notes,
            [
                "no stage reports `evaluate.head.acuracy`, expected one of: ingest.photos, evaluate.head.accuracy, \
              evaluate.head.log_loss, evaluate.head.tta.accuracy; did you mean `evaluate.head.accuracy`?"
            ]
        );
        assert_eq!(ranking.metrics.len(), 3, "as if nothing had been asked for");
        let (ranking, best) = best(&["ingest.photos", "evaluate.log_loss"]);
        assert_eq!((ranking.judge, best), (None, vec![]));
        let note =
            "no combination is the best: it is not known whether more or less of `ingest.photos` is better";
        assert_eq!(ranking.notes, [note]);
    }

    #[test]
    fn where_nothing_ended_well_there_is_nothing_to_rank() {
        let mut rows = vec![ended(Ended::Failed, &[("ingest", "photos", 20.0)])];
        let ranking = Ranking::of(&mut rows, &["evaluate.accuracy".to_owned()]);
        assert_eq!(ranking, Ranking { metrics: vec![], judge: None, notes: vec![] });
    }
}
