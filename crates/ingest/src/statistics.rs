//! [`Statistics`]: sizes, shapes and colours of the usable photos, and those that stand out.

use std::collections::BTreeMap;

use pipeline_table::{ImageRow, Split};
use serde::Serialize;

use crate::listed::Listed;

/// A shorter side below this, in pixels, is tiny: it is made more than three times as large for a network's 224.
pub(crate) const TINY: u32 = 64;

/// A longer side of at least this many times the shorter is extreme: the square in the middle is a third of it or less.
pub(crate) const EXTREME: f64 = 3.0;

/// Photos listed of each kind.
const MOST_LISTED: usize = 100;

/// Of the usable photos.
#[derive(Debug, Serialize)]
pub(crate) struct Statistics {
    pub(crate) tiny: Listed<Measured>,
    pub(crate) extreme: Listed<Measured>,
    pub(crate) grey: Listed<Measured>,
    #[serde(skip)]
    splits: BTreeMap<Split, Sums>,
}

/// A photo and its size.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Measured {
    pub(crate) id: String,
    /// Pixels, upright.
    pub(crate) width: u32,
    pub(crate) height: u32,
    #[serde(skip)]
    pub(crate) digest: String,
}

/// What is summed up over the photos of a split. How many there are of each width bounds the memory, unlike the widths.
#[derive(Debug, Default)]
struct Sums {
    photos: u64,
    grey: u64,
    widths: BTreeMap<u32, u64>,
    heights: BTreeMap<u32, u64>,
    bytes: u64,
    /// Sums of the photos' means and of their squares, R, G, B.
    means: [f64; 3],
    squares: [f64; 3],
}

/// Of a split, as `ingest.json` has it.
#[derive(Debug, Serialize)]
pub(crate) struct OfSplit {
    pub(crate) photos: u64,
    pub(crate) grey: u64,
    /// Pixels, upright.
    pub(crate) width: Spread,
    pub(crate) height: Spread,
    /// Of the file of a photo.
    pub(crate) mean_bytes: f64,
    /// R, G, B, 0 to 255: mean over photos of the mean over a photo's pixels, and the standard deviation over photos.
    pub(crate) mean_colour: [f64; 3],
    pub(crate) colour_std: [f64; 3],
}

/// The least, that which half of the photos do not exceed, and the greatest.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Spread {
    pub(crate) least: u32,
    pub(crate) median: u32,
    pub(crate) greatest: u32,
}

impl Default for Statistics {
    fn default() -> Self {
        let listed = || Listed::new(MOST_LISTED);
        Statistics { tiny: listed(), extreme: listed(), grey: listed(), splits: BTreeMap::new() }
    }
}

impl Statistics {
    /// Adds a usable photo.
    pub(crate) fn add(&mut self, row: &ImageRow) {
        let (Some(width), Some(height), Some(look)) = (row.width, row.height, row.appearance) else { return };
        let sized = || Measured { id: row.id.clone(), width, height, digest: row.digest.clone() };
        if width.min(height) < TINY {
            self.tiny.add(sized);
        }
        if f64::from(width.max(height)) >= EXTREME * f64::from(width.min(height)) {
            self.extreme.add(sized);
        }
        if look.is_grey {
            self.grey.add(sized);
        }
        let sums = self.splits.entry(row.split).or_default();
        sums.photos += 1;
        sums.grey += u64::from(look.is_grey);
        *sums.widths.entry(width).or_default() += 1;
        *sums.heights.entry(height).or_default() += 1;
        sums.bytes += row.bytes;
        for (channel, mean) in look.mean.into_iter().enumerate() {
            sums.means[channel] += f64::from(mean);
            sums.squares[channel] += f64::from(mean) * f64::from(mean);
        }
    }

    pub(crate) fn splits(&self) -> BTreeMap<Split, OfSplit> {
        self.splits.iter().map(|(split, sums)| (*split, sums.summed_up())).collect()
    }
}

impl Sums {
    fn summed_up(&self) -> OfSplit {
        let n = self.photos as f64;
        let mean = self.means.map(|sum| sum / n);
        let std = [0, 1, 2].map(|c| (self.squares[c] / n - mean[c] * mean[c]).max(0.0).sqrt());
        // Hundredths of a level are more than anyone can see.
        let rounded = |values: [f64; 3]| values.map(|value| (value * 100.0).round() / 100.0);
        OfSplit {
            photos: self.photos,
            grey: self.grey,
            width: Spread::of(&self.widths),
            height: Spread::of(&self.heights),
            mean_bytes: (self.bytes as f64 / n).round(),
            mean_colour: rounded(mean),
            colour_std: rounded(std),
        }
    }
}

impl Spread {
    /// `counts`: how many there are of each value.
    fn of(counts: &BTreeMap<u32, u64>) -> Self {
        let all: u64 = counts.values().sum();
        let mut seen = 0;
        let median = counts.iter().find(|(_, count)| {
            seen += **count;
            2 * seen >= all
        });
        Spread {
            least: counts.keys().next().copied().unwrap_or(0),
            median: median.map_or(0, |(value, _)| *value),
            greatest: counts.keys().next_back().copied().unwrap_or(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use pipeline_table::{Appearance, Verdict};

    use super::*;

    fn row(id: &str, width: u32, height: u32, red: f32) -> ImageRow {
        ImageRow {
            id: id.to_owned(),
            split: Split::Train,
            label: None,
            label_id: None,
            width: Some(width),
            height: Some(height),
            format: None,
            orientation: Some(1),
            bytes: 10,
            digest: String::new(),
            appearance: Some(Appearance { phash: None, mean: [red, 7.0, 0.0], is_grey: red == 7.0 }),
            verdict: Verdict::Ok,
            reason: None,
        }
    }

    #[test]
    fn sizes_and_colours_are_summed_up() {
        let mut statistics = Statistics::default();
        for (width, red) in [(100, 1.0), (300, 2.0), (200, 6.0), (400, 7.0)] {
            statistics.add(&row("a", width, 150, red));
        }
        let of_train = &statistics.splits()[&Split::Train];
        let width = &of_train.width;
        assert_eq!((width.least, width.median, width.greatest), (100, 200, 400));
        // numpy: np.mean([1, 2, 6, 7]) = 4, np.std([1, 2, 6, 7]) = 2.5495
        assert_eq!((of_train.mean_colour, of_train.colour_std), ([4.0, 7.0, 0.0], [2.55, 0.0, 0.0]));
        assert_eq!((of_train.photos, of_train.grey, of_train.mean_bytes), (4, 1, 10.0));
    }

    #[test]
    fn tiny_and_extreme_begin_at_their_bounds() {
        let mut statistics = Statistics::default();
        for (id, width, height) in
            [("a", 63, 70), ("b", 64, 191), ("c", 64, 192), ("d", 300, 100), ("e", 299, 100)]
        {
            statistics.add(&row(id, width, height, 0.0));
        }
        let ids = |listed: &Listed<Measured>| listed.first.iter().map(|s| s.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&statistics.tiny), ["a"]);
        assert_eq!(ids(&statistics.extreme), ["c", "d"]);
    }
}
