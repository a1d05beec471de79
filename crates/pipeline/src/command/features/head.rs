//! `pipeline features head`: the first rows of a table.

use pipeline_stage::exit;
use pipeline_table::{FeatureRow, Features, FeaturesReader};
use serde_json::{Value, json};

use super::opened::{Opened, unreadable};
use crate::command::Stop;
use crate::command::table::Table;
use crate::terminal::Screen;

/// Numbers of a row that are shown.
const SHOWN: usize = 4;

/// Rows in memory at a time.
const BATCH_ROWS: usize = 1_024;

/// Show the first rows of a table of features, each with its first numbers
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  pipeline features head configs/dogscats.yaml -n 3\n  \
    pipeline features head out/dogscats/precompute --json\n\n\
    The column logit is the number of the class that the pretrained classifier finds most likely, where the table has logits. \
    With --json all numbers of each row are printed.")]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) which: super::Which,
    /// How many rows
    #[arg(short, long = "rows", value_name = "N", default_value_t = 5)]
    n: usize,
}

/// A row with all its numbers.
#[derive(Debug, Clone, PartialEq)]
struct Shown {
    row: FeatureRow,
    emb: Vec<f32>,
    /// Empty where the table has none.
    logits: Vec<f32>,
}

pub(super) fn run(arguments: &Arguments, table: &Opened, screen: &Screen) -> Result<u8, Stop> {
    let rows = first(&table.reader, arguments.n).map_err(|error| unreadable(&error))?;
    if arguments.which.json {
        let rows: Vec<Value> = rows.iter().map(as_json).collect();
        screen.json(&json!({"rows": rows, "more": table.reader.len() - rows.len()}));
    } else {
        screen.line(&text(&rows, table.reader.meta().logits > 0));
    }
    Ok(exit::DONE)
}

fn first(reader: &FeaturesReader, n: usize) -> pipeline_table::Result<Vec<Shown>> {
    let mut shown: Vec<Shown> = Vec::new();
    for Features { dim, rows, emb } in some(reader.batches(n.min(BATCH_ROWS)), n)? {
        let rows = rows.into_iter().zip(emb.chunks_exact(dim));
        shown.extend(rows.map(|(row, emb)| Shown { row, emb: emb.to_vec(), logits: vec![] }));
    }
    if reader.meta().logits > 0 {
        let logits = some(reader.logits(n.min(BATCH_ROWS)), n)?;
        let logits = logits.iter().flat_map(|batch| batch.emb.chunks_exact(batch.dim));
        shown.iter_mut().zip(logits).for_each(|(shown, logits)| shown.logits = logits.to_vec());
    }
    shown.truncate(n);
    Ok(shown)
}

/// The first batches that have `n` rows.
fn some(
    batches: impl Iterator<Item = pipeline_table::Result<Features>>,
    n: usize,
) -> pipeline_table::Result<Vec<Features>> {
    let mut rows = 0;
    let is_before = |batch: &pipeline_table::Result<Features>| {
        let is_wanted = rows < n;
        rows += batch.as_ref().map_or(0, |batch| batch.rows.len());
        is_wanted
    };
    batches.take_while(is_before).collect()
}

fn text(rows: &[Shown], has_logits: bool) -> String {
    let mut heads: Vec<String> = ["row", "id", "split", "label", "view", "emb"].map(str::to_owned).to_vec();
    let mut align = "rlllrl".to_owned();
    if has_logits {
        heads.push("logit".to_owned());
        align.push('r');
    }
    let mut table = Table::with_columns(align, heads);
    for (at, Shown { row, emb, logits }) in rows.iter().enumerate() {
        let mut numbers: Vec<String> = emb.iter().take(SHOWN).map(|x| format!("{x:.4}")).collect();
        if emb.len() > SHOWN {
            numbers.push("…".to_owned());
        }
        let label = row.label.clone().unwrap_or_else(|| "-".to_owned());
        let mut cells =
            vec![at.to_string(), row.id.clone(), row.split.to_string(), label, row.view.to_string()];
        cells.push(numbers.join(" "));
        if has_logits {
            cells.push(pipeline_fit::argmax(logits).to_string());
        }
        table.row(cells);
    }
    table.text()
}

fn as_json(Shown { row, emb, logits }: &Shown) -> Value {
    let mut json = json!({
        "id": row.id, "split": row.split, "label": row.label, "label_id": row.label_id, "view": row.view, "emb": emb,
    });
    if !logits.is_empty() {
        json["logits"] = json!(logits);
    }
    json
}

#[cfg(test)]
mod tests {
    use pipeline_table::Split;

    use super::*;

    #[test]
    fn a_row_is_shown_with_its_first_numbers_and_the_class_of_its_largest_logit() {
        let row = |id: &str, label: Option<&str>, view| FeatureRow {
            id: id.to_owned(),
            split: Split::Train,
            label: label.map(str::to_owned),
            label_id: None,
            view,
        };
        let rows = [
            Shown {
                row: row("train/a.jpg", Some("cats"), 0),
                emb: vec![0.12345, 2.0, -3.0, 4.0, 5.0],
                logits: vec![0.5, 7.0, 1.0],
            },
            Shown { row: row("train/a.jpg", None, 1), emb: vec![1.0], logits: vec![0.5, 0.0, 1.0] },
        ];
        let expected = "  row   id            split   label   view   emb                              logit
    0   train/a.jpg   train   cats       0   0.1235 2.0000 -3.0000 4.0000 …       1
    1   train/a.jpg   train   -          1   1.0000                               2";
        assert_eq!(text(&rows, true), expected);
    }
}
