//! [`Schedule`]: the learning rate as a closed formula of the global step, so that a run continues from any step with
//! the same rates. To add a schedule: a `Shape` with its formula, a constructor, a word of [`ScheduleKind`].

use std::f64::consts::PI;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a cycle's slow start divides the rates by (fast.ai 0.7, `CosAnneal`).
const SLOW_START: f64 = 100.0;
/// The slow start lasts while step < steps of the first cycle / 20: 5 % of it (fast.ai 0.7, `CosAnneal`).
const SLOW_PART: u64 = 20;
/// One cycle begins at rate / 25 (`div` of fastai 2's `fit_one_cycle`).
const ONE_CYCLE_START: f64 = 25.0;
/// One cycle ends at rate / 1e5 (`div_final` of fastai 2's `fit_one_cycle`).
const ONE_CYCLE_END: f64 = 1e5;
/// The part of one cycle in which the rate rises (`pct_start` of fastai 2's `fit_one_cycle`).
const ONE_CYCLE_RISE: f64 = 0.25;

/// How the learning rate moves over a fit that is counted in epochs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleKind {
    /// The given rate at every step.
    Constant,
    /// From the given rate down to 0 along half a cosine.
    Cosine,
    /// From 1/25 of the given rate up to it in the first quarter, then down to 1/100000 of it.
    OneCycle,
}

/// How the learning rate moves during one fit. All layer groups are scaled together.
///
/// Steps are optimiser steps, 0 the first of the fit. A step beyond the end has the factor at which the formula ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    shape: Shape,
    warmup_steps: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Shape {
    Constant { steps: u64 },
    Cosine { steps: u64 },
    OneCycle { steps: u64 },
    Cycles { cycles: u32, first_steps: u64, mult: u32 },
}

impl Schedule {
    /// The given rate at every step, as the lesson's `fit(lr, n)`: factor 1.
    pub fn constant(steps: u64) -> Self {
        Shape::Constant { steps }.into()
    }

    /// From the given rate down to 0 over the whole fit: factor (1 + cos(pi step / steps)) / 2
    /// (Loshchilov and Hutter, "SGDR", 2017, without restarts; without the slow start of [`Schedule::cycles`]).
    pub fn cosine(steps: u64) -> Self {
        Shape::Cosine { steps }.into()
    }

    /// Smith's one cycle ("A disciplined approach to neural network hyper-parameters", 2018), as fastai 2's
    /// `fit_one_cycle` makes it: along half a cosine from 1/25 up to 1 over the first quarter, along half a cosine
    /// down to 1/1e5 over the rest. With p = step / steps, from a to b at the part q of the way: a + (b - a)(1 -
    /// cos(pi q)) / 2.
    pub fn one_cycle(steps: u64) -> Self {
        Shape::OneCycle { steps }.into()
    }

    /// The lesson's cosine with restarts: cycle k, from 0, has `first_steps` · `mult`^k steps. At step i of a cycle
    /// of n steps the factor is (1 + cos(pi i / n)) / 2. In the first cycle it is 1/100 while i < n/20, and i counts
    /// on: these are the first ⌈n/20⌉ steps (18 of 360, 19 of 361, 1 of 7), as `CosAnneal` of fast.ai 0.7 does.
    pub fn cycles(cycles: u32, first_steps: u64, mult: u32) -> Self {
        Shape::Cycles { cycles, first_steps, mult }.into()
    }

    /// The same schedule, multiplied by (step + 1) / `steps` over the first `steps` steps: the first step has
    /// 1/`steps` of its rate, the last of them all of it.
    #[must_use]
    pub fn with_warmup(mut self, steps: u64) -> Self {
        self.warmup_steps = steps;
        self
    }

    /// What the given rates are multiplied with at the global `step`: 0 to 1.
    pub fn factor(&self, step: u64) -> f64 {
        let shape = match self.shape {
            Shape::Constant { .. } => 1.0,
            Shape::Cosine { steps } => fall(1.0, 0.0, part(step, steps)),
            Shape::OneCycle { steps } => one_cycle(part(step, steps)),
            Shape::Cycles { .. } => match self.locate(step) {
                Some((0, i, n)) if i.saturating_mul(SLOW_PART) < n => 1.0 / SLOW_START,
                Some((_, i, n)) => fall(1.0, 0.0, part(i, n)),
                None => 0.0,
            },
        };
        if step < self.warmup_steps { shape * (step as f64 + 1.0) / self.warmup_steps as f64 } else { shape }
    }

    /// The rate of each layer group at the global `step`: `[groups]`, as `base`.
    pub fn rates(&self, base: &[f64], step: u64) -> Vec<f64> {
        let factor = self.factor(step);
        base.iter().map(|rate| rate * factor).collect()
    }

    /// Steps of the whole fit.
    pub fn total_steps(&self) -> u64 {
        match self.shape {
            Shape::Constant { steps } | Shape::Cosine { steps } | Shape::OneCycle { steps } => steps,
            Shape::Cycles { .. } => self.cycle_steps().fold(0, u64::saturating_add),
        }
    }

    /// The cycle in which `step` lies, from 1, and how many there are; (1, 1) where nothing restarts.
    pub fn cycle_at(&self, step: u64) -> (u32, u32) {
        match self.shape {
            Shape::Cycles { cycles, .. } => {
                (self.locate(step).map_or(cycles, |(number, _, _)| number + 1), cycles)
            }
            _ => (1, 1),
        }
    }

    /// The cycle that holds `step`: its number from 0, the step within it, and its steps. `None` beyond the last.
    fn locate(&self, step: u64) -> Option<(u32, u64, u64)> {
        let mut within = step;
        for (number, steps) in (0..).zip(self.cycle_steps()) {
            if within < steps {
                return Some((number, within, steps));
            }
            within -= steps;
        }
        None
    }

    /// Steps of each cycle; empty where nothing restarts.
    fn cycle_steps(&self) -> impl Iterator<Item = u64> + use<> {
        let (cycles, first, mult) = match self.shape {
            Shape::Cycles { cycles, first_steps, mult } => (cycles, first_steps, u64::from(mult)),
            _ => (0, 0, 0),
        };
        std::iter::successors(Some(first), move |steps| Some(steps.saturating_mul(mult)))
            .take(cycles as usize)
    }
}

impl From<Shape> for Schedule {
    fn from(shape: Shape) -> Self {
        Schedule { shape, warmup_steps: 0 }
    }
}

/// How much of the way is gone: 0 to 1.
fn part(step: u64, steps: u64) -> f64 {
    if step < steps { step as f64 / steps as f64 } else { 1.0 }
}

/// From `start` to `end` along half a cosine, at `part` of the way.
fn fall(start: f64, end: f64, part: f64) -> f64 {
    end + (start - end) * (1.0 + (PI * part).cos()) / 2.0
}

fn one_cycle(part: f64) -> f64 {
    if part < ONE_CYCLE_RISE {
        fall(1.0 / ONE_CYCLE_START, 1.0, part / ONE_CYCLE_RISE)
    } else {
        fall(1.0, 1.0 / ONE_CYCLE_END, (part - ONE_CYCLE_RISE) / (1.0 - ONE_CYCLE_RISE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_near(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (step, (found, expected)) in found.iter().zip(expected).enumerate() {
            assert!((found - expected).abs() < 1e-12, "step {step}: found {found}, expected {expected}");
        }
    }

    fn factors(schedule: &Schedule, steps: impl Iterator<Item = u64>) -> Vec<f64> {
        steps.map(|step| schedule.factor(step)).collect()
    }

    #[test]
    fn a_constant_schedule_leaves_each_group_its_rate() {
        let schedule = Schedule::constant(720);
        for step in [0, 1, 719, u64::MAX] {
            assert_eq!(schedule.rates(&[1e-4, 1e-3, 1e-2], step), [1e-4, 1e-3, 1e-2]);
            assert_eq!(schedule.cycle_at(step), (1, 1));
        }
        assert_eq!(schedule.total_steps(), 720);
    }

    #[test]
    fn all_groups_are_scaled_together() {
        // By hand: half way down a cosine is half of each rate.
        assert_near(&Schedule::cosine(8).rates(&[1e-4, 1e-3, 1e-2], 4), &[5e-5, 5e-4, 5e-3]);
    }

    #[test]
    fn a_cosine_falls_to_0_over_the_whole_fit_and_stays_there() {
        // By hand: (1 + cos(pi k / 6)) / 2.
        let root = 3_f64.sqrt() / 4.0;
        let expected = [1.0, 0.5 + root, 0.75, 0.5, 0.25, 0.5 - root, 0.0, 0.0];
        assert_near(&factors(&Schedule::cosine(6), 0..8), &expected);
    }

    /// Cycles of 41, 82 and 164 steps; the first 41/20 = 2.05 of them, so steps 0, 1 and 2, are slow. fast.ai 0.7's
    /// `CosAnneal.calc_lr`, with a rate of 1:
    ///
    /// ```python
    /// class Cos:
    ///     def __init__(s, nb, mult): s.nb, s.m, s.ci, s.it = nb, mult, 0, 0
    ///     def __call__(s):
    ///         it = s.it; s.it += 1
    ///         if it < s.nb / 20: s.ci += 1; return 1 / 100
    ///         c = np.cos(np.pi * s.ci / s.nb) + 1; s.ci += 1
    ///         if s.ci == s.nb: s.ci = 0; s.nb *= s.m
    ///         return 1 / 2 * c
    /// c = Cos(41, 2); out = [c() for _ in range(41 + 82 + 164)]
    /// ```
    #[test]
    fn cycles_are_those_of_the_lesson() {
        let schedule = Schedule::cycles(3, 41, 2);
        let expected = [
            (0, 0.01),
            (2, 0.01),
            (3, 0.9868477119388895),
            (20, 0.5191513668450177),
            (40, 0.0014670994081297795),
            (41, 1.0),
            (42, 0.9996330905254049),
            (82, 0.5000000000000001),
            (122, 0.0003669094745950008),
            (123, 1.0),
            (124, 0.9999082642158972),
            (286, 9.17357841028199e-5),
        ];
        let (steps, expected): (Vec<u64>, Vec<f64>) = expected.into_iter().unzip();
        assert_near(&factors(&schedule, steps.into_iter()), &expected);
        assert_eq!(schedule.total_steps(), 287);
        assert_eq!([0, 40, 41, 122, 123, 286].map(|step| schedule.cycle_at(step).0), [1, 1, 2, 2, 3, 3]);
        // Beyond the end: where the cosine ends.
        assert_eq!((schedule.factor(287), schedule.cycle_at(287)), (0.0, (3, 3)));
        assert_eq!((schedule.factor(u64::MAX), schedule.cycle_at(u64::MAX)), (0.0, (3, 3)));
    }

    #[test]
    fn the_slow_start_is_5_percent_of_the_first_cycle_rounded_up() {
        let slow = |first| {
            let schedule = Schedule::cycles(2, first, 1);
            (0..2 * first).filter(|step| schedule.factor(*step) == 0.01).collect::<Vec<_>>()
        };
        // By hand: i < n/20.
        for (first, expected) in [(360, 18), (361, 19), (40, 2), (20, 1), (7, 1), (1, 1)] {
            assert_eq!(slow(first), (0..expected).collect::<Vec<_>>(), "{first}");
        }
    }

    /// ```python
    /// opt = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    /// s = CosineAnnealingWarmRestarts(opt, T_0=3, T_mult=2)
    /// for _ in range(9): print(opt.param_groups[0]["lr"]); opt.step(); s.step()
    /// ```
    #[test]
    fn cycles_after_the_slow_start_are_torchs_warm_restarts() {
        let expected = [0.75, 0.25, 1.0, 0.9330127018922194, 0.75, 0.5, 0.25, 0.06698729810778065];
        assert_near(&factors(&Schedule::cycles(2, 3, 2), 1..9), &expected);
    }

    /// torch's phases end at `pct_start * total_steps - 1` and `total_steps - 1`, fastai's at a quarter and at the
    /// end:
    ///
    /// ```python
    /// s = OneCycleLR(opt, 1.0, total_steps=21, pct_start=(.25 * 20 + 1) / 21, div_factor=25,
    ///                final_div_factor=1e5 / 25, cycle_momentum=False)
    /// for _ in range(20): print(opt.param_groups[0]["lr"]); opt.step(); s.step()
    /// ```
    #[test]
    fn one_cycle_is_that_of_torch_with_fastais_numbers() {
        let expected = [
            0.040000000000000036,
            0.1316718427000253,
            0.3716718427000253,
            0.6683281572999747,
            0.9083281572999747,
            1.0,
            0.9890739096288992,
            0.9567731610940121,
            0.9045094521025019,
            0.8345669575263973,
            0.7500025,
            0.6545119521025018,
            0.5522687089915104,
            0.4477412910084897,
            0.3454980478974982,
            0.2500075000000001,
            0.16544304247360286,
            0.0955005478974982,
            0.04323683890598773,
            0.010936090371100824,
        ];
        let schedule = Schedule::one_cycle(20);
        assert_near(&factors(&schedule, 0..20), &expected);
        assert_near(&factors(&schedule, [20, 21, u64::MAX].into_iter()), &[1e-5; 3]);
    }

    #[test]
    fn a_warm_up_multiplies_any_schedule() {
        // By hand: 1/4, 2/4, 3/4, 4/4.
        let expected = [0.25, 0.5, 0.75, 1.0, 1.0];
        assert_near(&factors(&Schedule::constant(9).with_warmup(4), 0..5), &expected);
        let plain = Schedule::one_cycle(9);
        let product: Vec<f64> = (0..5).map(|step| plain.factor(step) * expected[step as usize]).collect();
        assert_near(&factors(&plain.clone().with_warmup(4), 0..5), &product);
        assert_eq!(plain.clone().with_warmup(0), plain);
        assert_eq!(plain.with_warmup(4).total_steps(), 9);
    }

    #[test]
    fn lengths_that_make_no_sense_have_factors_all_the_same() {
        for schedule in [Schedule::cosine(0), Schedule::one_cycle(0), Schedule::cycles(3, 0, 2)] {
            assert!((0.0..=1.0).contains(&schedule.factor(0)), "{schedule:?}");
            assert_eq!(schedule.total_steps(), 0);
        }
        let huge = Schedule::cycles(1000, u64::MAX / 2, 1000);
        assert_eq!((huge.total_steps(), huge.cycle_at(u64::MAX)), (u64::MAX, (2, 1000)));
    }

    #[test]
    fn schedules_are_written_in_snake_case() {
        let words = [ScheduleKind::Constant, ScheduleKind::Cosine, ScheduleKind::OneCycle]
            .map(|kind| serde_json::to_string(&kind).unwrap());
        assert_eq!(words, [r#""constant""#, r#""cosine""#, r#""one_cycle""#]);
    }
}
