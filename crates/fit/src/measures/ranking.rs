//! [`Ranking`]: the photos in order of the probability of one class, and what follows from that order: the areas under the ROC
//! and the precision-recall curve, and the curves. Photos of equal probability come at once, as in scikit-learn.

use super::bootstrap::Bootstrap;
use super::{Answers, ClassCurves, Estimate};

/// Resamples that are walked side by side: looking up the counts of a photo costs more than adding them (4 ns a photo and
/// resample; lanes of 32 were no faster).
const LANES: usize = 8;
/// Classes whose rankings are held in memory at once: 8 bytes for each photo of each. Photos are drawn again for each block.
const BLOCK: usize = 16;
/// Points of a curve, at most.
const MOST_POINTS: usize = 200;

/// Both areas of a class, or their means over classes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Areas {
    pub(super) roc_auc: Option<Estimate>,
    pub(super) average_precision: Option<Estimate>,
}

/// The areas over all classes (see [`super::Measures::roc_auc`]) and of each class.
pub(super) fn areas(answers: &Answers, bootstrap: &Bootstrap) -> (Areas, Vec<Areas>) {
    let (classes, resamples) = (answers.classes, bootstrap.ranking_resamples);
    let mut mean = vec![Mean::default(); 1 + resamples as usize];
    let mut per_class = Vec::with_capacity(classes);
    for first in (0..classes).step_by(BLOCK) {
        let block = first..classes.min(first + BLOCK);
        for (class, values) in block.clone().zip(block_areas(answers, block, bootstrap)) {
            per_class.push(estimate(&values, bootstrap));
            // Of two classes the second stands for both.
            if classes != 2 || class == 1 {
                mean.iter_mut().zip(values).for_each(|(mean, value)| mean.add(value));
            }
        }
    }
    let mean: Vec<_> = mean.iter().map(Mean::value).collect();
    (estimate(&mean, bootstrap), per_class)
}

/// (ROC AUC, average precision) of photos as they are and then of each resample, for each class of the block; no values for
/// a class of which all photos are, or none.
fn block_areas(
    answers: &Answers,
    block: std::ops::Range<usize>,
    bootstrap: &Bootstrap,
) -> Vec<Vec<Option<[f64; 2]>>> {
    let rankings: Vec<_> = block.map(|class| Ranking::of(answers, class)).collect();
    let once = vec![[1]; answers.labels.len()];
    let as_they_are =
        |ranking: &Option<Ranking>| ranking.iter().flat_map(|ranking| ranking.areas(&once)).collect();
    let mut values: Vec<Vec<_>> = rankings.iter().map(as_they_are).collect();
    for first in (0..bootstrap.ranking_resamples).step_by(LANES) {
        let counts = bootstrap.counts::<LANES>(first);
        let wanted = (bootstrap.ranking_resamples - first) as usize;
        for (values, ranking) in values.iter_mut().zip(&rankings) {
            values.extend(ranking.iter().flat_map(|ranking| ranking.areas(&counts)).take(wanted));
        }
    }
    values
}

/// The estimates of both areas; the first value is that of the photos as they are.
fn estimate(values: &[Option<[f64; 2]>], bootstrap: &Bootstrap) -> Areas {
    let Some((Some(value), redrawn)) = values.split_first() else {
        return Areas::default();
    };
    let [roc_auc, average_precision] = [0, 1].map(|area| {
        let redrawn = redrawn.iter().flatten().map(|value| value[area]).collect();
        Some(bootstrap.estimate(value[area], redrawn))
    });
    Areas { roc_auc, average_precision }
}

/// A mean over classes of both areas.
#[derive(Debug, Clone, Copy, Default)]
struct Mean {
    sums: [f64; 2],
    classes: f64,
}

impl Mean {
    fn add(&mut self, value: Option<[f64; 2]>) {
        if let Some([roc_auc, average_precision]) = value {
            self.sums[0] += roc_auc;
            self.sums[1] += average_precision;
            self.classes += 1.0;
        }
    }

    fn value(&self) -> Option<[f64; 2]> {
        (self.classes > 0.0).then(|| self.sums.map(|sum| sum / self.classes))
    }
}

/// A photo in its place.
struct Ranked {
    row: u32,
    /// Whether it is of the class.
    own: bool,
    /// Whether the next one is less likely of the class.
    last: bool,
}

/// The photos by probability of one class, the likeliest first, some of the class and some not.
pub(super) struct Ranking(Vec<Ranked>);

impl Ranking {
    /// `None` where all photos are of the class, or none.
    pub(super) fn of(answers: &Answers, class: usize) -> Option<Ranking> {
        let is_own = |row: usize| answers.labels[row] as usize == class;
        let own = (0..answers.labels.len()).filter(|row| is_own(*row)).count();
        if own == 0 || own == answers.labels.len() {
            return None;
        }
        // Bits of numbers of 0 or more have their order. Complements, for the likeliest first; + 0, which makes -0 a 0.
        let key =
            |(row, probs): (usize, &[f32])| u64::from(!(probs[class] + 0.0).to_bits()) << 32 | row as u64;
        let mut keys: Vec<u64> = answers.rows().enumerate().map(key).collect();
        keys.sort_unstable();
        let next = keys.iter().skip(1).map(|key| Some(key >> 32)).chain([None]);
        let ranked = |(key, next): (&u64, Option<u64>)| {
            let row = *key as u32;
            Ranked { row, own: is_own(row as usize), last: next != Some(key >> 32) }
        };
        Some(Ranking(keys.iter().zip(next).map(ranked).collect()))
    }

    /// (ROC AUC, average precision) for each of L ways to count photos, `[photos][L]`; `None` where of the photos that count
    /// all are of the class, or none.
    ///
    /// With t and f photos of the class and others down to the end of a group of equal probabilities, t0 and f0 before it:
    /// AUC = sum of (f - f0) · (t0 + t) / 2 / (all t · all f), AP = sum of (t - t0) / all t · t / (t + f).
    fn areas<const L: usize>(&self, counts: &[[u16; L]]) -> [Option<[f64; 2]>; L] {
        let [mut t, mut f, mut t0, mut f0, mut roc, mut ap] = [[0.0; L]; 6];
        for ranked in &self.0 {
            let counts = &counts[ranked.row as usize];
            if ranked.own {
                t.iter_mut().zip(counts).for_each(|(t, count)| *t += f64::from(*count));
            } else {
                f.iter_mut().zip(counts).for_each(|(f, count)| *f += f64::from(*count));
            }
            if ranked.last {
                for lane in 0..L {
                    roc[lane] += (f[lane] - f0[lane]) * (t0[lane] + t[lane]) / 2.0;
                    // Where nobody was drawn yet, t is 0.
                    ap[lane] += (t[lane] - t0[lane]) * t[lane] / (t[lane] + f[lane]).max(1.0);
                }
                (t0, f0) = (t, f);
            }
        }
        std::array::from_fn(|lane| {
            let both = t[lane] > 0.0 && f[lane] > 0.0;
            both.then(|| [roc[lane] / (t[lane] * f[lane]), ap[lane] / t[lane]])
        })
    }

    /// Both curves.
    pub(super) fn curves(&self) -> ClassCurves {
        let all_own = self.0.iter().filter(|ranked| ranked.own).count() as f64;
        let all_others = self.0.len() as f64 - all_own;
        let (mut own, mut others) = (0.0, 0.0);
        let (mut roc, mut precision_recall) = (vec![(0.0, 0.0)], vec![(0.0, 1.0)]);
        for ranked in &self.0 {
            *(if ranked.own { &mut own } else { &mut others }) += 1.0;
            if ranked.last {
                roc.push((others / all_others, own / all_own));
                precision_recall.push((own / all_own, own / (own + others)));
            }
        }
        ClassCurves { roc: thinned(roc), precision_recall: thinned(precision_recall) }
    }
}

/// At most [`MOST_POINTS`] of the points, both ends among them: those at which the way along the curve, counted in both
/// directions, passes equal steps. So a steep part keeps as many as a flat one.
fn thinned(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    if points.len() <= MOST_POINTS {
        return points;
    }
    let length = |pair: &[(f64, f64)]| (pair[1].0 - pair[0].0).abs() + (pair[1].1 - pair[0].1).abs();
    let step = points.windows(2).map(length).sum::<f64>() / (MOST_POINTS - 1) as f64;
    let (mut kept, mut way) = (vec![points[0]], 0.0);
    for pair in points.windows(2) {
        way += length(pair);
        if way >= step * kept.len() as f64 && kept.len() < MOST_POINTS - 1 {
            kept.push(pair[1]);
        }
    }
    kept.extend(points.last());
    kept
}
