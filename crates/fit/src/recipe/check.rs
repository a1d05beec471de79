//! What is wrong with a [`Recipe`], in words.

use std::fmt::Debug;

use pipeline_stage::Problem;
use pipeline_stage::words::number;

use super::{ClassWeights, Decays, MOST_EPOCHS, Rates, Recipe};

/// The largest weight decay. The usual are below 1; a far larger one blows weights up or wipes them out in a step, and the
/// loss that becomes NaN would be blamed on the rate.
const MOST_DECAY: f64 = 1000.0;
const DECAY: &str = "a number from 0 to 1000";

/// The layer groups that train, and the problems so far.
struct Check<'a> {
    groups: usize,
    group_names: &'a str,
    problems: &'a mut Vec<Problem>,
}

pub(super) fn check(recipe: &Recipe, groups: usize, group_names: &str, problems: &mut Vec<Problem>) {
    let mut check = Check { groups, group_names, problems };
    let above_0 = |x: f64| x > 0.0 && x.is_finite();
    let is_decay = |x: f64| (0.0..=MOST_DECAY).contains(&x);
    let from_0_below_1 = |x: f64| (0.0..1.0).contains(&x);

    match &recipe.lr {
        Some(Rates::One(rate)) => check.is("lr", *rate, "a rate above 0", above_0),
        Some(Rates::PerGroup(rates)) => {
            check.per_group("lr", "rate", rates);
            check.each("lr", rates, "a rate above 0", above_0);
        }
        None | Some(Rates::Find(_)) => {}
    }
    check.length(recipe);
    check.is("batch_size", recipe.batch_size, "at least 2 photos per batch", |size| size >= 2);
    check.is("accumulate", recipe.accumulate, "at least 1 batch per step", |batches| batches >= 1);
    check.is("momentum", recipe.momentum, "0 to below 1", from_0_below_1);
    match &recipe.weight_decay {
        Decays::One(decay) => check.is("weight_decay", *decay, DECAY, is_decay),
        Decays::PerGroup(decays) => {
            check.per_group("weight_decay", "number", decays);
            check.each("weight_decay", decays, DECAY, is_decay);
        }
    }
    check.is_if_given("clip", recipe.clip, "a norm above 0", above_0);
    check.is("label_smoothing", recipe.label_smoothing, "0 to below 1", from_0_below_1);
    if let ClassWeights::Given(weights) = &recipe.class_weights {
        // A batch of nothing but photos that weigh 0 would have no mean loss.
        let is_usual = |weight: f64| (1e-6..=1e6).contains(&weight);
        check.each("class_weights", weights, "a weight from 0.000001 to 1000000", is_usual);
        if weights.is_empty() {
            check.problem("class_weights", "expected a weight for each class, found none");
        }
    }
    check.is_if_given("ema", recipe.ema, "a decay from 0 to below 1", from_0_below_1);
    check.is_if_given("early_stopping", recipe.early_stopping, "at least 1 epoch", |epochs| epochs >= 1);
}

impl Check<'_> {
    /// How long to train, and what belongs to epochs or to cycles only.
    fn length(&mut self, recipe: &Recipe) {
        let counts = 1..=MOST_EPOCHS;
        let before = self.problems.len();
        self.is_if_given("epochs", recipe.epochs, "1 to 10000", |n| counts.contains(&n));
        self.is_if_given("cycles", recipe.cycles, "1 to 10000", |n| counts.contains(&n));
        self.is_if_given("cycle_len", recipe.cycle_len, "1 to 10000", |n| counts.contains(&n));
        self.is_if_given("cycle_mult", recipe.cycle_mult, "1 to 10000", |n| counts.contains(&n));
        let in_range = self.problems.len() == before;
        if recipe.epochs.is_some() && recipe.cycles.is_some() {
            let problem = Problem::new("cycles", "found both `epochs` and `cycles`, expected one of them");
            self.problems.push(problem.hint("leave out `epochs` to restart the rate, or `cycles`"));
        }
        if let Some(cycles) = recipe.cycles
            && in_range
            && recipe.epochs_of_cycles() > u64::from(MOST_EPOCHS)
        {
            let epochs = u32::try_from(recipe.epochs_of_cycles());
            let found = epochs.map_or(format!("more than {}", u32::MAX), |epochs| epochs.to_string());
            let message = format!("expected at most {MOST_EPOCHS} epochs in {cycles} cycles, found {found}");
            self.problems.push(Problem::new("cycles", message));
        }
        for (name, given) in [("cycle_len", recipe.cycle_len), ("cycle_mult", recipe.cycle_mult)] {
            if given.is_some() && recipe.cycles.is_none() {
                let problem = Problem::new(name, format!("found `{name}` without `cycles`"));
                self.problems.push(problem.hint("give `cycles` too"));
            }
        }
        if recipe.schedule.is_some() && recipe.epochs.is_none() {
            let problem = Problem::new("schedule", "found `schedule` without `epochs`");
            self.problems.push(problem.hint("give `epochs` too; `cycles` have a schedule of their own"));
        }
    }

    fn problem(&mut self, name: &str, message: &str) {
        self.problems.push(Problem::new(name, message));
    }

    fn is<T: Debug + Copy>(&mut self, name: &str, found: T, expected: &str, holds: impl Fn(T) -> bool) {
        if !holds(found) {
            self.problem(name, &format!("expected {expected}, found {}", number(found)));
        }
    }

    fn is_if_given<T: Debug + Copy>(
        &mut self,
        name: &str,
        found: Option<T>,
        expected: &str,
        holds: impl Fn(T) -> bool,
    ) {
        if let Some(found) = found {
            self.is(name, found, expected, holds);
        }
    }

    fn each(&mut self, name: &str, values: &[f64], expected: &str, holds: impl Fn(f64) -> bool) {
        for (at, value) in values.iter().enumerate().filter(|(_, value)| !holds(**value)) {
            let message = format!("expected {expected}, found {}", number(value));
            self.problems.push(Problem::new(&at.to_string(), message).under(name));
        }
    }

    /// A list has one number for each layer group.
    fn per_group(&mut self, name: &str, noun: &str, values: &[f64]) {
        let (found, groups) = (values.len(), self.groups);
        if found == groups {
            return;
        }
        let plural = |n: usize| if n == 1 { "" } else { "s" };
        let message = format!("{found} {noun}{} for {groups} layer group{}", plural(found), plural(groups));
        let hint = match groups {
            1 => format!("give 1 {noun}, for {}", self.group_names),
            _ => format!("give 1 {noun} for all, or {groups}: {}", self.group_names),
        };
        self.problems.push(Problem::new(name, message).hint(hint));
    }
}
