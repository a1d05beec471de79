//! [`Watched`]: a run as its record tells it: a line per stage, and the curves of those that train.

use std::collections::BTreeMap;

use pipeline_report::chart::{Axis, Chart, Line, Look, short};
use pipeline_runner::RunInfo;
use serde_json::Value;

use super::curve::Curve;
use super::words;

/// The numbers that are shown of a training, in this order, with their names for people.
const SHOWN: [(&str, &str); 6] = [
    ("epoch", "epoch"),
    ("step", "step"),
    ("lr", "lr"),
    ("train_loss", "train loss"),
    ("valid_loss", "valid loss"),
    ("accuracy", "accuracy"),
];

/// Lines of a chart at least and at most.
const CHART_LINES: (usize, usize) = (16, 24);

/// Columns of a chart at most: wider, and the eye loses the axis.
const CHART_COLUMNS: usize = 120;

/// What is known of a run. Fed with the events of its record.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    /// In the order of the plan.
    stages: Vec<Stage>,
    /// The stage that measured last.
    training: Option<usize>,
    /// Which lock the run waits for.
    waiting: Option<String>,
}

#[derive(Debug, Default)]
struct Stage {
    name: String,
    /// `waits`, `running`, then its outcome.
    word: String,
    /// How long it ran, once it has.
    wall_seconds: f64,
    /// What came of it.
    said: String,
    /// The latest of each number that it measured.
    numbers: BTreeMap<String, f64>,
    train_loss: Curve,
    valid_loss: Curve,
}

/// The run itself: what stands above its stages.
#[derive(Debug, Default)]
pub(crate) struct Heading {
    /// Its name.
    pub(crate) run: String,
    /// What its record says of it.
    pub(crate) info: RunInfo,
    /// The time of day when it began, and how many seconds ago that was.
    pub(crate) since: Option<(String, f64)>,
    /// Seconds since the last event.
    pub(crate) silent_seconds: Option<f64>,
}

impl Watched {
    /// Takes one event of the record. One that it does not know changes nothing.
    pub(crate) fn take(&mut self, event: &Value) {
        let word = |key: &str| event[key].as_str().unwrap_or_default();
        self.waiting = None;
        match word("event") {
            "planned" => {
                for planned in event["stages"].as_array().into_iter().flatten() {
                    let runs = planned["runs"] == true;
                    self.stage(planned["stage"].as_str()).word = if runs { "waits" } else { "" }.to_owned();
                }
            }
            "stage_started" => self.stage(event["stage"].as_str()).word = "running".to_owned(),
            "measured" => {
                let stage = self.stage(event["stage"].as_str());
                stage.measured(&event["values"]);
                let name = stage.name.clone();
                self.training = self.stages.iter().position(|stage| stage.name == name);
            }
            "stage_finished" => {
                let report = &event["report"];
                let stage = self.stage(event["stage"].as_str());
                stage.word = report["outcome"].as_str().unwrap_or_default().replace('_', " ");
                stage.wall_seconds = report["wall_seconds"].as_f64().unwrap_or_default();
                let said = [&report["message"], &report["because"], &report["summary"]["line"]];
                stage.said = said.iter().find_map(|text| text.as_str()).unwrap_or_default().to_owned();
            }
            "waiting" => self.waiting = Some(word("message").to_owned()),
            _ => {}
        }
    }

    /// The stage of this name, new where there was none.
    fn stage(&mut self, name: Option<&str>) -> &mut Stage {
        let name = name.unwrap_or_default();
        let place = self.stages.iter().position(|stage| stage.name == name).unwrap_or_else(|| {
            self.stages.push(Stage { name: name.to_owned(), ..Stage::default() });
            self.stages.len() - 1
        });
        &mut self.stages[place]
    }

    /// All that is known, with a chart of each stage that trains.
    pub(crate) fn whole(&self, heading: &Heading, columns: usize) -> String {
        let mut lines = heading.lines();
        lines.extend(self.stage_lines(heading, |_| true));
        let charts = self.stages.iter().filter_map(|stage| stage.chart());
        let charts = charts.map(|chart| chart.to_text(columns.min(CHART_COLUMNS), CHART_LINES.0 + 4));
        lines.join("\n") + &charts.map(|chart| format!("\n\n{}", chart.trim_end())).collect::<String>()
    }

    /// What fits on a screen, with a chart of the stage that measured last. Where not all stages fit beside it, only
    /// those that run are listed.
    pub(crate) fn screen(&self, heading: &Heading, columns: usize, rows: usize) -> String {
        let training = self.training.and_then(|at| self.stages.get(at));
        let chart = training.and_then(Stage::chart);
        let needed = if chart.is_some() { CHART_LINES.0 + 1 } else { 0 };
        let mut lines = heading.lines();
        let mut stages = self.stage_lines(heading, |_| true);
        if lines.len() + stages.len() + needed > rows {
            let is_charted = |stage: &Stage| training.is_some_and(|t| t.name == stage.name);
            stages = self.stage_lines(heading, |stage| stage.word == "running" || is_charted(stage));
        }
        lines.extend(stages);
        lines.truncate(rows);
        if let Some(chart) = chart
            && lines.len() + needed <= rows
        {
            let height = (rows - lines.len() - 1).min(CHART_LINES.1);
            let text = chart.to_text(columns.min(CHART_COLUMNS), height);
            lines.push(String::new());
            lines.extend(text.trim_end().lines().map(str::to_owned));
        }
        lines.join("\n")
    }

    /// An empty line, one for each of the stages, and one for the lock that is waited for.
    fn stage_lines(&self, heading: &Heading, is_listed: impl Fn(&Stage) -> bool) -> Vec<String> {
        let was_killed = heading.info.outcome == "killed";
        let shown: Vec<&Stage> =
            self.stages.iter().filter(|stage| stage.word != "not selected" && is_listed(stage)).collect();
        let width = shown.iter().map(|stage| stage.name.chars().count()).max().unwrap_or(0);
        let lines = shown.iter().map(|stage| stage.line(width, was_killed));
        let waiting = self.waiting.iter().map(|message| format!("  waiting: {message}"));
        let lines: Vec<String> = lines.chain(waiting).collect();
        if lines.is_empty() { lines } else { std::iter::once(String::new()).chain(lines).collect() }
    }
}

impl Stage {
    fn measured(&mut self, values: &Value) {
        let numbers = values.as_object().into_iter().flatten();
        self.numbers.extend(numbers.filter_map(|(name, value)| Some((name.clone(), value.as_f64()?))));
        let Some(step) = values["step"].as_f64() else { return };
        for (name, curve) in [("train_loss", &mut self.train_loss), ("valid_loss", &mut self.valid_loss)] {
            if let Some(loss) = values[name].as_f64() {
                curve.push(step, loss);
            }
        }
    }

    /// `  head   running   epoch 2, step 120, lr 0.01, train loss 0.0431`
    fn line(&self, width: usize, was_killed: bool) -> String {
        let word = match self.word.as_str() {
            "running" if was_killed => "killed",
            "waits" if was_killed => "not run",
            word => word,
        };
        let seconds =
            if self.wall_seconds > 0.0 { words::duration(self.wall_seconds) } else { String::new() };
        let said = if self.said.is_empty() { self.numbers() } else { self.said.replace('\n', " ") };
        format!("  {:<width$}   {word:<9} {seconds:>9}   {said}", self.name).trim_end().to_owned()
    }

    fn numbers(&self) -> String {
        let shown = SHOWN.iter().filter_map(|(key, name)| {
            let value = *self.numbers.get(*key)?;
            Some(match *key {
                "step" => format!("{name} {}", words::count(value as u64)),
                "epoch" | "lr" => format!("{name} {}", short(value)),
                _ => format!("{name} {value:.4}"),
            })
        });
        shown.collect::<Vec<_>>().join(", ")
    }

    /// Losses over steps, once there are some.
    fn chart(&self) -> Option<Chart> {
        let line =
            |name: &str, curve: &Curve, look| Line { name: name.to_owned(), points: curve.points(), look };
        let lines = [
            line("train loss", &self.train_loss, Look::Line),
            line("valid loss", &self.valid_loss, Look::LineAndPoints),
        ];
        let lines: Vec<Line> = lines.into_iter().filter(|line| !line.points.is_empty()).collect();
        let axis = |label: &str| Axis { label: label.to_owned(), ..Axis::default() };
        let title = format!("{}: {}", self.name, self.numbers());
        (!lines.is_empty()).then(|| Chart { title, x: axis("step"), y: axis("loss"), lines, marks: vec![] })
    }
}

impl Heading {
    fn lines(&self) -> Vec<String> {
        let RunInfo { config, command, seed, device, threads, outcome, wall_seconds, .. } = &self.info;
        let config = if config.is_empty() { &self.run } else { config };
        let mut first = format!("{config}: {outcome}");
        if *wall_seconds > 0.0 {
            first += &format!(" after {}", words::duration(*wall_seconds));
        }
        if let Some((time, ago)) = &self.since {
            first += &format!(", began at {time} ({} ago)", words::duration(*ago));
        }
        // Of a run that is over, nobody waits for the next event.
        if let (Some(seconds), "running" | "killed") = (self.silent_seconds, outcome.as_str()) {
            first += &format!(", last event {} ago", words::duration(seconds));
        }
        let mut lines = vec![first];
        if !command.is_empty() {
            lines.push(format!("  {command}"));
            let threads = if *threads == 1 { "1 thread".to_owned() } else { format!("{threads} threads") };
            lines.push(format!("  run {}, seed {seed}, {device}, {threads}", self.run));
        }
        lines
    }
}

#[cfg(test)]
mod tests;
