//! What a sweep is going to do, said before it does, or instead (`--dry-run`).

use pipeline_runner::Prospect;
use serde_json::json;

use super::axis::Axis;
use super::combination::Combination;
use super::running::Sweep;
use crate::command::table::Table;
use crate::config::flow;
use crate::terminal::{Style, words};

impl Sweep<'_> {
    /// `c: 12 combinations, 15 stages to run   (quick, built in, cpu, 8 threads, 3 combinations at a time, 12.0 GB)`
    pub(super) fn headline(&self, prospects: &[Prospect]) -> String {
        let first = &self.combinations[0].job;
        let to_run: usize = prospects.iter().map(|prospect| prospect.runs.len()).sum();
        let counted = |n: usize, what: &str| {
            format!("{} {what}{}", words::count(n as u64), if n == 1 { "" } else { "s" })
        };
        format!(
            "{}: {}, {} to run   ({}, {}, {})",
            first.name,
            counted(self.combinations.len(), "combination"),
            counted(to_run, "stage"),
            first.pipeline,
            self.options.device,
            words::room(
                self.options.threads.get(),
                self.options.jobs.get(),
                "combinations",
                self.options.memory_bytes
            ),
        )
    }

    /// Says what would run.
    pub(super) fn announce(&self, prospects: &[Prospect], style: Style) {
        let pairs = || self.combinations.iter().zip(prospects);
        match style {
            Style::Quiet => {}
            Style::Json => {
                let row = |(one, prospect): (&Combination, &Prospect)| {
                    let parameters: serde_json::Map<_, _> =
                        self.axes.iter().map(Axis::name).zip(one.values.iter().cloned()).collect();
                    json!({
                        "combination": one.name, "parameters": parameters, "runs": prospect.runs, "shares": prospect.shares,
                        "fresh": prospect.fresh, "fails": prospect.fails, "command": one.command,
                    })
                };
                let to_run: usize = prospects.iter().map(|prospect| prospect.runs.len()).sum();
                let rows: Vec<_> = pairs().map(row).collect();
                self.screen.json(&json!({"combinations": rows.len(), "to_run": to_run, "rows": rows}));
            }
            Style::Bars | Style::Lines => {
                let heads = self.axes.iter().map(Axis::name).chain(["runs".to_owned(), "shares".to_owned()]);
                let mut table = Table::with_columns("l".repeat(self.axes.len() + 2), heads.collect());
                for (one, prospect) in pairs() {
                    let runs = match &prospect.fails {
                        Some(why) => format!("fails: {why}"),
                        None if prospect.runs.is_empty() => "-".to_owned(),
                        None => prospect.runs.join(", "),
                    };
                    table.row(one.values.iter().map(flow::text).chain([runs, prospect.shares.join(", ")]));
                }
                self.screen.line(&format!("{}\n\n{}", self.headline(prospects), table.text()));
            }
        }
    }
}
