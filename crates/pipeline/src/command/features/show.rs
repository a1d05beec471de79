//! `pipeline features show`: what is in a table, without reading its features.

use std::collections::BTreeMap;

use pipeline_stage::exit;
use pipeline_table::{FeaturesReader, Split};
use serde_json::{Value, json};

use super::opened::{Opened, unreadable};
use crate::command::Stop;
use crate::command::store_folder::shown;
use crate::command::table::Table;
use crate::terminal::{Screen, words};

/// Rows whose keys are in memory at a time.
const BATCH_ROWS: usize = 8_192;

/// Show what a table of features has: columns, rows of each split and class, parts, and what made it
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  pipeline features show configs/dogscats.yaml\n  \
    pipeline features show out/dogscats/precompute --json")]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) which: super::Which,
}

/// Rows of a split and class, and how many of them are plain views.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Count {
    photos: u64,
    rows: u64,
}

/// By split and class, unlabelled photos first.
type Counts = BTreeMap<(Split, Option<String>), Count>;

pub(super) fn run(arguments: &Arguments, table: &Opened, screen: &Screen) -> Result<u8, Stop> {
    let counts = count(&table.reader).map_err(|error| unreadable(&error))?;
    if arguments.which.json {
        screen.json(&as_json(table, &counts));
    } else {
        screen.line(&text(table, &counts));
    }
    Ok(exit::DONE)
}

fn count(reader: &FeaturesReader) -> pipeline_table::Result<Counts> {
    let mut counts = Counts::new();
    for batch in reader.keys(BATCH_ROWS) {
        for row in batch?.rows {
            let count = counts.entry((row.split, row.label)).or_default();
            count.rows += 1;
            count.photos += u64::from(row.view == 0);
        }
    }
    Ok(counts)
}

/// Metadata in words, with the names that YAML has.
fn metadata(reader: &FeaturesReader) -> Vec<(&'static str, String)> {
    let meta = reader.meta();
    let mut said = vec![
        ("arch", meta.arch.clone()),
        ("weights", meta.weights.clone()),
        ("dtype", meta.dtype.clone()),
        ("pool", meta.pool.clone()),
        ("dim", meta.dim.to_string()),
        ("classes", meta.classes.join(", ")),
        ("preprocessing", meta.preprocessing.to_string()),
    ];
    if meta.logits > 0 {
        said.insert(5, ("logits", meta.logits.to_string()));
    }
    said
}

fn text(table: &Opened, counts: &Counts) -> String {
    let reader = &table.reader;
    let rows = words::count(reader.len() as u64);
    let head = format!("{}: {rows} × {}", shown(&table.dir), words::count(reader.meta().dim as u64));

    let mut made = Table::new("ll", ["made by", ""]);
    metadata(reader).into_iter().for_each(|(key, value)| made.row([key.to_owned(), value]));

    let mut columns = Table::new("ll", ["column", "type"]);
    reader.columns().into_iter().for_each(|(name, kind)| columns.row([name, kind]));

    let mut of_classes = Table::new("llrr", ["split", "class", "photos", "rows"]);
    for ((split, label), Count { photos, rows }) in counts {
        let label = label.clone().unwrap_or_else(|| "-".to_owned());
        of_classes.row([split.to_string(), label, words::count(*photos), words::count(*rows)]);
    }

    let mut parts = Table::new("lrrr", ["part", "rows", "row groups", "size"]);
    for part in reader.parts() {
        let name = part.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let size =
            fs_err::metadata(&part.path).map_or_else(|_| "-".to_owned(), |file| words::size(file.len()));
        parts.row([name, words::count(part.rows as u64), part.row_groups.to_string(), size]);
    }
    let tables = [made, columns, of_classes, parts].map(|table| table.text());
    format!("{head}\n\n{}", tables.join("\n\n"))
}

fn as_json(table: &Opened, counts: &Counts) -> Value {
    let reader = &table.reader;
    let meta = reader.meta();
    let columns: Vec<Value> =
        reader.columns().into_iter().map(|(name, kind)| json!({"name": name, "type": kind})).collect();
    let counts: Vec<Value> = counts
        .iter()
        .map(|((split, label), count)| json!({"split": split, "label": label, "photos": count.photos, "rows": count.rows}))
        .collect();
    let parts: Vec<Value> = reader
        .parts()
        .map(|part| {
            let size = fs_err::metadata(&part.path).ok().map(|file| file.len());
            json!({"path": part.path, "rows": part.rows, "row_groups": part.row_groups, "size_bytes": size})
        })
        .collect();
    json!({
        "folder": table.dir, "rows": reader.len(), "columns": columns, "counts": counts, "parts": parts,
        "arch": meta.arch, "weights": meta.weights, "dtype": meta.dtype, "pool": meta.pool, "dim": meta.dim,
        "logits": meta.logits, "classes": meta.classes, "preprocessing": meta.preprocessing,
    })
}
