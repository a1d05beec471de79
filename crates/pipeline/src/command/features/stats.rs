//! `pipeline features stats`: what the numbers of a table look like, and what is wrong with them.

use pipeline_stage::exit;
use pipeline_table::features::FeatureBatches;
use pipeline_table::{FeatureStats, FeaturesReader};
use serde_json::{Value, json};

use super::opened::{Opened, unreadable};
use crate::command::Stop;
use crate::terminal::{Screen, words};

/// Rows in memory at a time.
const BATCH_ROWS: usize = 1_024;

/// Places of features that are named.
const NAMED: usize = 10;

/// Measure a table of features: lengths of rows, mean and deviation, features that say nothing, NaN and infinities
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  pipeline features stats configs/dogscats.yaml\n  \
    pipeline features stats out/dogscats/precompute --json\n\n\
    A feature is dead where it is 0 in every row, constant where it has another single value. Rows with NaN or an infinity \
    are named, and in nothing else that is said. With --json the mean and the deviation of each feature are printed, too.")]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) which: super::Which,
}

pub(super) fn run(arguments: &Arguments, table: &Opened, screen: &Screen) -> Result<u8, Stop> {
    let of_columns = measured(&table.reader).map_err(|error| unreadable(&error))?;
    if arguments.which.json {
        let columns = of_columns.iter().map(|(name, stats)| ((*name).to_owned(), as_json(stats)));
        screen.json(&Value::Object(columns.collect()));
    } else {
        let text: Vec<String> = of_columns.iter().map(|(name, stats)| text(name, stats)).collect();
        screen.line(&text.join("\n\n"));
    }
    Ok(exit::DONE)
}

/// The columns of vectors.
fn measured(reader: &FeaturesReader) -> pipeline_table::Result<Vec<(&'static str, FeatureStats)>> {
    let mut of_columns = vec![("emb", stats(reader.batches(BATCH_ROWS), reader.meta().dim)?)];
    if reader.meta().logits > 0 {
        of_columns.push(("logits", stats(reader.logits(BATCH_ROWS), reader.meta().logits)?));
    }
    Ok(of_columns)
}

fn stats(batches: FeatureBatches<'_>, dim: usize) -> pipeline_table::Result<FeatureStats> {
    let mut stats = FeatureStats::new(dim);
    for batch in batches {
        let batch = batch?;
        batch.rows.iter().zip(batch.emb.chunks_exact(dim)).for_each(|(row, emb)| stats.add(row, emb));
    }
    Ok(stats)
}

fn text(name: &str, stats: &FeatureStats) -> String {
    let of = words::count(stats.means().len() as u64);
    let mut lines = vec![format!("{name}: {} × {of}", words::count(stats.rows()))];
    if let (Some(norms), Some((mean, std))) = (stats.norms(), stats.mean_and_std()) {
        lines
            .push(format!("  length of a row  {:.4} to {:.4}, mean {:.4}", norms.min, norms.max, norms.mean));
        lines.push(format!("  numbers          mean {mean:.4}, standard deviation {std:.4}"));
    }
    for (word, places) in [("dead", stats.dead()), ("constant", stats.constant())] {
        let count = words::count(places.len() as u64);
        let which = if places.is_empty() { String::new() } else { format!(": {}", named(&places)) };
        lines.push(format!("  {word:<15}  {count} of {of}{which}"));
    }
    let not_finite = stats.not_finite();
    let rows = match not_finite.rows {
        0 => "no row".to_owned(),
        1 => "1 row".to_owned(),
        rows => format!("{} rows", words::count(rows)),
    };
    let more = if not_finite.rows > not_finite.first.len() as u64 { ", …" } else { "" };
    let which = match not_finite.first.as_slice() {
        [] => String::new(),
        first => format!(": {}{more}", first.join(", ")),
    };
    lines.push(format!("  not finite       {rows}{which}"));
    lines.join("\n")
}

/// `3, 17, …`
fn named(places: &[usize]) -> String {
    let mut named: Vec<String> = places.iter().take(NAMED).map(usize::to_string).collect();
    if places.len() > NAMED {
        named.push("…".to_owned());
    }
    named.join(", ")
}

fn as_json(stats: &FeatureStats) -> Value {
    let (mean, std) = stats.mean_and_std().unzip();
    json!({
        "rows": stats.rows(), "norms": stats.norms(), "mean": mean, "std": std, "dead": stats.dead(),
        "constant": stats.constant(), "not_finite": stats.not_finite(), "means": stats.means(), "stds": stats.stds(),
    })
}

#[cfg(test)]
mod tests {
    use pipeline_table::{FeatureRow, Split};

    use super::*;

    fn of(rows: &[[f32; 3]]) -> FeatureStats {
        let mut stats = FeatureStats::new(3);
        for (at, features) in rows.iter().enumerate() {
            let id = format!("{at}.jpg");
            let row = FeatureRow { id, split: Split::Train, label: None, label_id: None, view: 0 };
            stats.add(&row, features);
        }
        stats
    }

    #[test]
    fn what_is_wrong_is_counted_and_named() {
        let nan = [f32::NAN, 0.0, 0.0];
        let stats = of(&[[3.0, 0.0, 4.0], nan, [0.0, 0.0, 4.0], nan, nan, nan]);
        let expected = "emb: 2 × 3
  length of a row  4.0000 to 5.0000, mean 4.5000
  numbers          mean 1.8333, standard deviation 1.8634
  dead             1 of 3: 1
  constant         1 of 3: 2
  not finite       4 rows: 1.jpg, 3.jpg, 4.jpg, …";
        // np.array([[3, 0, 4], [0, 0, 4]]).mean(), .std()
        assert_eq!(text("emb", &stats), expected);
    }

    #[test]
    fn many_places_are_cut_and_a_table_without_rows_has_no_numbers() {
        assert_eq!(named(&(0..11).collect::<Vec<_>>()), "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, …");
        let expected =
            "emb: 0 × 3\n  dead             0 of 3\n  constant         0 of 3\n  not finite       no row";
        assert_eq!(text("emb", &of(&[])), expected);
    }
}
