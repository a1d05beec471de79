//! [`Counts`]: how much there is to compute.

use std::collections::BTreeMap;
use std::path::Path;

use pipeline_stage::{Failure, words};
use pipeline_table::Split;

use crate::missing::Missing;
use crate::shots::Shot;

/// How much there is to compute.
#[derive(Default)]
pub(crate) struct Counts {
    /// Photos of each split; splits without any are left out.
    pub(crate) photos: BTreeMap<Split, u64>,
    /// Views of all of them.
    pub(crate) views: u64,
    /// Those that are no file of the size that was ingested.
    pub(crate) missing: Missing,
}

impl Counts {
    /// Counts what is in the folder `photos` without reading it.
    pub(crate) fn of(
        shots: impl Iterator<Item = Result<Shot, Failure>>,
        photos: &Path,
    ) -> Result<Self, Failure> {
        let mut counts = Counts::default();
        for shot in shots {
            let shot = shot?;
            counts.views += 1;
            if shot.view != 0 {
                continue;
            }
            *counts.photos.entry(shot.row.split).or_default() += 1;
            let is_there = fs_err::metadata(photos.join(&shot.row.id))
                .is_ok_and(|file| file.is_file() && file.len() == shot.row.bytes);
            if !is_there {
                counts.missing.add(&shot.row.id);
            }
        }
        Ok(counts)
    }

    pub(crate) fn all_photos(&self) -> u64 {
        self.photos.values().sum()
    }

    /// What is counted: photos, where each has one view.
    pub(crate) fn unit(&self) -> &'static str {
        if self.views == self.all_photos() { "photos" } else { "views" }
    }

    /// `25,000 × 1,024`, or with several views `25,000 photos, 100,000 views × 1,024`, where the table has
    /// `rows` views and `left_out` photos are not in it.
    pub(crate) fn words(&self, rows: u64, left_out: u64, dim: usize) -> String {
        let (views, dim) = (words::count(rows), words::count(dim as u64));
        match self.unit() {
            "photos" => format!("{views} × {dim}"),
            _ => format!("{} photos, {views} views × {dim}", words::count(self.all_photos() - left_out)),
        }
    }
}
