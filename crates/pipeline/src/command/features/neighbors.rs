//! `pipeline features neighbors`: the photos that are most like one of them.

use pipeline_stage::exit;
use pipeline_stage::suggest::nearest as nearest_word;
use pipeline_table::nearest::{Neighbour, nearest};
use pipeline_table::{FeatureRow, FeaturesReader};
use serde_json::{Value, json};

use super::opened::{Opened, unreadable};
use crate::command::Stop;
use crate::command::table::Table;
use crate::terminal::{Screen, words};

/// Rows whose keys are in memory at a time.
const BATCH_ROWS: usize = 8_192;

/// Show the photos whose features are most like those of one photo, by cosine
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  pipeline features neighbors configs/dogscats.yaml valid/cats/cat.1.jpg\n  \
    pipeline features neighbors out/dogscats/precompute 17 -k 3 --json\n\n\
    Of photos that are equally alike, the first by id comes first."
)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) which: super::Which,
    /// The photo: its id, or the number of its row, from 0, as `pipeline features head` shows it
    photo: String,
    /// How many
    #[arg(short, long = "count", value_name = "K", default_value_t = 10)]
    k: usize,
    /// Compare with augmented views, too, and not with plain ones alone
    #[arg(long)]
    all_views: bool,
}

pub(super) fn run(arguments: &Arguments, table: &Opened, screen: &Screen) -> Result<u8, Stop> {
    let reader = &table.reader;
    let (at, photo) = find(reader, &arguments.photo)?;
    let read = || {
        let query = reader.at(at)?.unwrap_or_default();
        nearest(reader, &query, arguments.k, |other, row| {
            other != at && (arguments.all_views || row.view == 0)
        })
    };
    let found = read().map_err(|error| unreadable(&error))?;
    if arguments.which.json {
        let found: Vec<Value> = found.iter().map(as_json).collect();
        screen.json(&json!({"photo": {"id": photo.id, "view": photo.view, "row": at}, "neighbors": found}));
    } else {
        screen.line(&text(&photo, at, &found));
    }
    Ok(exit::DONE)
}

/// The row of the photo with the id `photo`, in its first view, or else the row with this number.
fn find(reader: &FeaturesReader, photo: &str) -> Result<(usize, FeatureRow), Stop> {
    let number: Option<usize> = photo.parse().ok();
    let (mut at, mut numbered) = (0, None);
    for batch in reader.keys(BATCH_ROWS) {
        let rows = batch.map_err(|error| unreadable(&error))?.rows;
        if let Some(place) = rows.iter().position(|row| row.id == photo) {
            return Ok((at + place, rows[place].clone()));
        }
        if let Some(row) = number.and_then(|number| rows.get(number.checked_sub(at)?)) {
            numbered = Some(row.clone());
        }
        at += rows.len();
    }
    match (number, numbered) {
        (Some(number), Some(row)) => Ok((number, row)),
        (Some(number), None) => {
            let rows = words::count(at as u64);
            let hint = format!("name an id, or a row from 0 to {}", at.saturating_sub(1));
            Err(Stop::usage(
                format!("there is no photo `{number}` and no row {number}: the table has {rows} rows"),
                hint,
            ))
        }
        (None, _) => {
            let hint = suggestion(reader, photo)?.map_or_else(
                || {
                    "ids are paths from the folder of photos on, as `pipeline features head` shows them"
                        .to_owned()
                },
                |near| format!("did you mean `{near}`?"),
            );
            Err(Stop::usage(format!("there is no photo `{photo}` in the table"), hint))
        }
    }
}

/// The id in the table that is nearest to `photo`, if one is near.
fn suggestion(reader: &FeaturesReader, photo: &str) -> Result<Option<String>, Stop> {
    let mut near: Option<String> = None;
    for batch in reader.keys(BATCH_ROWS) {
        let rows = batch.map_err(|error| unreadable(&error))?.rows;
        let known = near.iter().map(String::as_str).chain(rows.iter().map(|row| row.id.as_str()));
        near = nearest_word(photo, known).map(str::to_owned).or(near);
    }
    Ok(near)
}

fn text(photo: &FeatureRow, at: usize, found: &[Neighbour]) -> String {
    let name = |row: &FeatureRow| match row.view {
        0 => row.id.clone(),
        view => format!("{} view {view}", row.id),
    };
    let label = |row: &FeatureRow| row.label.clone().unwrap_or_else(|| "-".to_owned());
    let head = format!("{} ({}, row {at})", name(photo), label(photo));
    let mut table = Table::new("rlllr", ["cosine", "photo", "split", "label", "row"]);
    for Neighbour { row, at, cosine } in found {
        let cells = [format!("{cosine:.4}"), name(row), row.split.to_string(), label(row), at.to_string()];
        table.row(cells);
    }
    format!("{head}\n\n{}", table.text())
}

fn as_json(Neighbour { row, at, cosine }: &Neighbour) -> Value {
    json!({
        "id": row.id, "view": row.view, "split": row.split, "label": row.label, "row": at, "cosine": cosine,
    })
}
