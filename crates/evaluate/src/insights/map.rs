//! [`find`]: photos on the plane that shows the most of their features.

use std::num::NonZeroUsize;

use pipeline_nn::device;
use pipeline_nn::similarity::principal_plane;
use pipeline_report::evaluation::{Insights, MapPoint};
use pipeline_stage::{Context, Failure, words};
use pipeline_table::Features;

use super::csv::Csv;
use super::drawn;

/// Photos on the page's map. More only cover each other.
const MOST_POINTS: usize = 5000;

/// Projects the photos on their first two principal components, and writes `map.csv`.
pub(crate) fn find(features: &Features, cx: &Context<'_>, insights: &mut Insights) -> Result<(), Failure> {
    device::set_threads(NonZeroUsize::MIN);
    cx.cancel.check()?;
    let (points, shares) = principal_plane(&features.emb, features.dim)?;
    let mut csv = Csv::new(&["id", "split", "label", "x", "y"]);
    for (row, [x, y]) in features.rows.iter().zip(&points) {
        let label = row.label.as_deref().unwrap_or_default();
        csv.row(&[&row.id, row.split.as_str(), label, &format!("{x:.4}"), &format!("{y:.4}")]);
    }
    csv.write(&cx.out.join("map.csv"))?;

    if points.len() > MOST_POINTS {
        let [shown, all] = [MOST_POINTS, points.len()].map(|n| words::count(n as u64));
        insights.notes.push(format!("The map shows {shown} photos drawn from the {all} in map.csv."));
    }
    let point = |row: usize| MapPoint {
        id: features.rows[row].id.clone(),
        label: features.rows[row].label_id,
        at: points[row],
    };
    insights.map = drawn(points.len(), MOST_POINTS, cx.seed, "map").into_iter().map(point).collect();
    insights.map_shares = shares;
    Ok(())
}
