//! [`gather`]: the table, of the chunks that are finished.

use pipeline_stage::{Context, Failure};
use pipeline_table::{FeatureRow, FeatureStats, FeaturesMeta, FeaturesWriter};

use crate::FEATURES_FOLDER;
use crate::chunks::Chunks;
use crate::error::Error;
use crate::lane::is_missing;
use crate::missing::Missing;
use crate::shots::{Shot, Shots};

/// What is known of a table when it is made.
pub(crate) struct Gathered {
    /// Of the features, without logits.
    pub(crate) stats: FeatureStats,
    /// Logits in a row, 0 where none were asked for.
    pub(crate) logits: usize,
    /// Photos that it lacks.
    pub(crate) missing: Missing,
}

/// Makes the table of the finished chunks of `shots`.
pub(crate) fn gather(
    chunks: &Chunks,
    mut shots: Shots,
    meta: FeaturesMeta,
    cx: &Context<'_>,
) -> Result<Gathered, Failure> {
    let (dim, width, logits) = (meta.dim, meta.width(), meta.logits);
    let mut writer = FeaturesWriter::create(&cx.out.join(FEATURES_FOLDER), meta)?;
    let (mut stats, mut missing) = (FeatureStats::new(dim), Missing::default());
    for chunk in 0..chunks.count() {
        cx.cancel.check()?;
        let features = chunks.read(chunk).map_err(Error::Chunk)?; // [views, D + L]
        for (features, shot) in features.chunks_exact(width).zip(&mut shots) {
            let shot = shot?;
            if !is_missing(features) {
                let row = feature_row(&shot);
                writer.write(&row, features)?;
                stats.add(&row, &features[..dim]);
            } else if shot.view == 0 {
                missing.add(&shot.row.id);
            }
        }
    }
    writer.finish()?;
    Ok(Gathered { stats, logits, missing })
}

fn feature_row(shot: &Shot) -> FeatureRow {
    let row = &shot.row;
    FeatureRow {
        id: row.id.clone(),
        split: row.split,
        label: row.label.clone(),
        label_id: row.label_id,
        view: shot.view,
    }
}
