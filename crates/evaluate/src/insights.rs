//! [`find`]: what the features say of the data: likely wrong labels, near duplicates, photos like no other, a map.
//! [`neighbours`]: the training photos that a photo is most like.
//!
//! Only plain views are looked at. Everything is computed on the processor and with one libtorch thread in each lane, so that
//! no byte depends on how many threads there are.

mod alike;
mod csv;
mod folds;
mod labels;
mod map;

use std::collections::HashSet;

use pipeline_report::evaluation::Insights;
use pipeline_stage::random::{Stream, shuffled};
use pipeline_stage::{Context, Failure, words};
use pipeline_table::{FeatureRow, Features};

use crate::Params;
use crate::exam::Exam;
use crate::model::Table;

pub(crate) use alike::neighbours;
pub(crate) use csv::Csv;
pub use folds::{Folds, Labelled};
pub(crate) use labels::check_folds;

/// Near duplicates, outliers and the map compare each photo with each, at most this many numbers with as many: 31,000
/// photos of 1,024 features, 15,600 of 4,096. That takes two cores some 15 seconds.
const MOST_PRODUCTS: usize = 1_000_000_000_000;

/// Looks at the features of all splits in the table and writes `label_issues.csv`, `near_duplicates.csv`, `outliers.csv` and
/// `map.csv` into the artifact. `label_issues.csv` only where it was looked for. `None` without a table.
pub(crate) fn find(exam: &Exam, params: &Params, cx: &Context<'_>) -> Result<Option<Insights>, Failure> {
    let (Some(table), Some(trunk)) = (&exam.table, exam.feature_trunk()) else { return Ok(None) };
    let mut insights = Insights::default();
    if !trunk.is_of_detailed_model {
        insights.notes.push(format!(
            "All of this, and the nearest training photos, is by the features of {}.",
            trunk.words(&exam.models[exam.detail].name)
        ));
    }
    labels::find(table, params.label_issues, cx, &mut insights)?;
    let most = (MOST_PRODUCTS / table.reader.meta().dim).isqrt();
    let features = sample(table, most, cx.seed, &mut insights.notes)?;
    alike::find(&features, cx, &mut insights)?;
    map::find(&features, cx, &mut insights)?;
    Ok(Some(insights))
}

/// The plain views of all splits, or a draw of `most` of them where there are more, and then a note that says so.
fn sample(table: &Table, most: usize, seed: u64, notes: &mut Vec<String>) -> Result<Features, Failure> {
    let rows = table.reader.rows()?;
    let plain: Vec<&str> = rows.iter().filter(|row| is_plain(row)).map(|row| row.id.as_str()).collect();
    if plain.len() <= most {
        return Ok(table.reader.load(is_plain)?);
    }
    notes.push(format!(
        "Near duplicates, outliers and the map are of {} photos drawn from {}: to compare all takes too long.",
        words::count(most as u64),
        words::count(plain.len() as u64)
    ));
    let drawn: HashSet<&str> =
        drawn(plain.len(), most, seed, "insights").into_iter().map(|i| plain[i]).collect();
    Ok(table.reader.load(|row| is_plain(row) && drawn.contains(row.id.as_str()))?)
}

fn is_plain(row: &FeatureRow) -> bool {
    row.view == 0
}

/// At most `most` of the numbers 0 to `n - 1`, ascending.
fn drawn(n: usize, most: usize, seed: u64, purpose: &str) -> Vec<usize> {
    if n <= most {
        return (0..n).collect();
    }
    let mut drawn = shuffled(n, &mut Stream { seed, purpose, ..Stream::default() }.start());
    drawn.truncate(most);
    drawn.sort_unstable();
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_takes_all_where_it_may_and_else_others_for_another_seed() {
        assert_eq!(drawn(4, 4, 1, "map"), [0, 1, 2, 3]);
        let few = drawn(100, 10, 1, "map");
        assert_eq!(few.len(), 10);
        assert!(few.is_sorted_by(|a, b| a < b) && few[9] < 100, "{few:?}");
        assert_eq!(few, drawn(100, 10, 1, "map"));
        assert_ne!(few, drawn(100, 10, 2, "map"));
        assert_ne!(few, drawn(100, 10, 1, "insights"));
    }
}
