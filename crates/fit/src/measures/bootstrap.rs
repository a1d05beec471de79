//! [`Bootstrap`]: photos drawn again with replacement, as often as there are photos, and the intervals that measures of many
//! such draws give (Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13: the percentile interval).

use pipeline_stage::random::{Stream, below};

use super::{Estimate, Interval, MeasureOptions};
use crate::{Error, Result};

/// Photos x resamples, at most: 1 to 2 s on one core, so that 100,000 photos still have 1,000 resamples.
const MOST_DRAWS: u64 = 100_000_000;
/// Photos x classes x resamples of areas, at most: 1 to 2 s on one core.
const MOST_RANKED: u64 = 250_000_000;
/// Photos x classes x resamples of the temperature, at most: 1 to 2 s on one core. Where fewer than [`FEWEST_RESAMPLES`]
/// are possible, there is none: the interval of so many photos is narrow.
const MOST_FITTED: u64 = 10_000_000;
/// However many photos there are, this many resamples are drawn (if asked for): ends of intervals of fewer are too rough.
const FEWEST_RESAMPLES: u64 = 50;

/// How photos are drawn again.
pub(super) struct Bootstrap {
    photos: usize,
    level: f64,
    seed: u64,
    /// Resamples for measures of counts.
    pub(super) resamples: u32,
    /// Resamples for measures of ranks: the first ones of `resamples`.
    pub(super) ranking_resamples: u32,
    /// Resamples for the temperature: the first ones of `resamples`; 0 where a few would take long.
    pub(super) temperature_resamples: u32,
}

impl Bootstrap {
    /// # Errors
    /// A level that is not from 0 to 1.
    pub(super) fn new(photos: usize, classes: usize, options: &MeasureOptions) -> Result<Bootstrap> {
        let &MeasureOptions { resamples, level, seed } = options;
        if !(0.0..=1.0).contains(&level) {
            return Err(Error::Level { found: level });
        }
        let at_most = |affordable: u64| resamples.min(u32::try_from(affordable).unwrap_or(u32::MAX));
        let (each_draw, each_probability) = ((photos as u64).max(1), (photos as u64 * classes as u64).max(1));
        let resamples = at_most((MOST_DRAWS / each_draw).max(FEWEST_RESAMPLES));
        let ranking_resamples =
            resamples.min(at_most((MOST_RANKED / each_probability).max(FEWEST_RESAMPLES)));
        let fits = MOST_FITTED / each_probability;
        let temperature_resamples = if fits < FEWEST_RESAMPLES { 0 } else { resamples.min(at_most(fits)) };
        Ok(Bootstrap { photos, level, seed, resamples, ranking_resamples, temperature_resamples })
    }

    /// How often each photo is drawn in the resamples from `first` on, `[photos][L]`. Each resample has its own stream, so
    /// that its draws do not depend on which are made together. No photo is drawn 65,536 times: of 65,536 draws or more,
    /// each hits it with a chance of 1 in as many.
    pub(super) fn counts<const L: usize>(&self, first: u32) -> Vec<[u16; L]> {
        let mut counts = vec![[0; L]; self.photos];
        let mut once = vec![0; self.photos];
        for (lane, epoch) in (u64::from(first)..).take(L).enumerate() {
            let mut random =
                Stream { seed: self.seed, purpose: "bootstrap", epoch, ..Stream::default() }.start();
            once.fill(0);
            for _ in 0..self.photos {
                once[below(self.photos as u64, &mut random) as usize] += 1;
            }
            counts.iter_mut().zip(&once).for_each(|(counts, once)| counts[lane] = *once);
        }
        counts
    }

    /// The value, with the interval of which `level` of the redrawn values are inside; without one where there are none.
    pub(super) fn estimate(&self, value: f64, mut redrawn: Vec<f64>) -> Estimate {
        if redrawn.is_empty() {
            return Estimate::exact(value);
        }
        redrawn.sort_unstable_by(f64::total_cmp);
        let outside = (1.0 - self.level) / 2.0;
        let [low, high] = [outside, 1.0 - outside].map(|share| quantile(&redrawn, share));
        Estimate { value, interval: Some(Interval { low, high }) }
    }

    /// `estimate` of a share of so many `photos`. A share of none or all is that of each resample too; there the interval is
    /// Clopper and Pearson's (1934), which asks how large or small the share may really be: of 11 right ones of 11, 0.715
    /// to 1.
    pub(super) fn of_share(&self, photos: u64, estimate: Estimate) -> Estimate {
        let reach = 1.0 - ((1.0 - self.level) / 2.0).powf(1.0 / photos as f64);
        let exact = match estimate.value {
            0.0 => Interval { low: 0.0, high: reach },
            1.0 => Interval { low: 1.0 - reach, high: 1.0 },
            _ => return estimate,
        };
        Estimate { interval: estimate.interval.map(|_| exact), ..estimate }
    }
}

/// The number below which this share, 0 to 1, of the ascending numbers lies, between two of them by a straight line: numpy's
/// `quantile`.
fn quantile(ascending: &[f64], share: f64) -> f64 {
    let place = share * (ascending.len() - 1) as f64;
    let (low, high) = (ascending[place.floor() as usize], ascending[place.ceil() as usize]);
    low + (high - low) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: MeasureOptions = MeasureOptions { resamples: 1000, level: 0.9, seed: 3 };

    #[test]
    fn where_all_or_none_are_right_the_interval_is_that_of_clopper_and_pearson() {
        let bootstrap = Bootstrap::new(7, 2, &MeasureOptions { level: 0.95, ..OPTIONS }).unwrap();
        let of = |photos, value: f64| {
            let interval = Some(Interval { low: value, high: value });
            bootstrap.of_share(photos, Estimate { value, interval }).interval.unwrap()
        };
        // scipy.stats.beta.ppf(0.025, 11, 1) and (0.025, 1, 1); of none it is the mirror image.
        let (all, none) = (of(11, 1.0), of(1, 0.0));
        assert!((all.low - 0.715_086).abs() < 1e-6 && all.high == 1.0, "{all:?}");
        assert!((none.high - 0.975).abs() < 1e-12 && none.low == 0.0, "{none:?}");
        assert_eq!(of(11, 0.5), Interval { low: 0.5, high: 0.5 });
        let without = Estimate::exact(1.0);
        assert_eq!(bootstrap.of_share(11, without), without, "not drawn again, so no interval");
    }

    #[test]
    fn very_many_photos_are_drawn_again_less_often_but_50_times() {
        let resamples = |photos, classes, resamples| {
            let bootstrap =
                Bootstrap::new(photos, classes, &MeasureOptions { resamples, ..OPTIONS }).unwrap();
            (bootstrap.resamples, bootstrap.ranking_resamples, bootstrap.temperature_resamples)
        };
        assert_eq!(resamples(5000, 2, 1000), (1000, 1000, 1000));
        // 10 million / (100,000 · 2) fits.
        assert_eq!(resamples(100_000, 2, 1000), (1000, 1000, 50));
        // 100 million / 300,000 draws; 250 million / (30,000 · 40) ranks.
        assert_eq!(resamples(300_000, 2, 1000), (333, 333, 0));
        assert_eq!(resamples(30_000, 40, 1000), (1000, 208, 0));
        assert_eq!(resamples(5_000_000, 200, 1000), (50, 50, 0));
        assert_eq!(resamples(5_000_000, 200, 20), (20, 20, 0));
        assert_eq!(resamples(0, 0, 7), (7, 7, 7));
    }

    #[test]
    fn a_resample_has_as_many_photos_and_does_not_depend_on_those_made_beside_it() {
        let bootstrap = Bootstrap::new(97, 2, &OPTIONS).unwrap();
        let together = bootstrap.counts::<3>(5);
        for (lane, resample) in [5, 6, 7].into_iter().enumerate() {
            let alone = bootstrap.counts::<1>(resample);
            assert_eq!(alone.iter().map(|[count]| u32::from(*count)).sum::<u32>(), 97);
            assert!(alone.iter().map(|[count]| count).eq(together.iter().map(|counts| &counts[lane])));
        }
        assert_ne!(bootstrap.counts::<1>(5), bootstrap.counts::<1>(6));
    }

    #[test]
    fn photos_are_drawn_by_themselves_and_put_back() {
        // Of 100,000 photos drawn as often, (1 - 1e-5)^100,000 = 36.8 % are never drawn; the standard deviation is 98.
        let counts = Bootstrap::new(100_000, 2, &OPTIONS).unwrap().counts::<1>(0);
        let never = counts.iter().filter(|[count]| *count == 0).count();
        assert!(never.abs_diff(36_788) < 400, "{never}");
    }

    /// numpy: `np.quantile([1, 2, 4, 8, 16, 32], [.05, .95])` = `[1.25, 28.0]`.
    #[test]
    fn ends_of_an_interval_are_numpys_quantiles() {
        let bootstrap = Bootstrap::new(3, 2, &OPTIONS).unwrap();
        let Interval { low, high } =
            bootstrap.estimate(5.0, vec![32.0, 1.0, 16.0, 2.0, 8.0, 4.0]).interval.unwrap();
        assert!((low - 1.25).abs() < 1e-12 && (high - 28.0).abs() < 1e-12, "{low} to {high}");
        assert_eq!(bootstrap.estimate(5.0, vec![]), Estimate::exact(5.0));
    }
}
