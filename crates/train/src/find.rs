//! [`find`](find()): the learning-rate finder. It trains with growing rates until the loss explodes, and then puts
//! everything back: weights, running statistics, the optimiser. Random numbers have nothing to put back.

use pipeline_fit::{Curve, FinderRange, Rates, Recipe, spread};
use pipeline_stage::{Context, Event, Failure};

use crate::data::{Data, Order};
use crate::error::Error;
use crate::learner::{Learner, copied, restore};
use crate::order::Epochs;
use crate::step::Stepper;

/// Steps of the finder at least. The lesson takes one epoch; where that is shorter, further ones follow, since a curve of
/// a few points suggests nothing.
const LEAST_STEPS: u64 = 50;
/// Steps of the finder at most: a finer curve suggests nothing else, and an epoch may take hours.
const MOST_STEPS: u64 = 400;
/// Batches that are asked for at once.
const BATCHES_AT_ONCE: usize = 8;

/// Losses at rates from 1e-5 to 10, one batch each, of a fresh optimiser. The last layer group has the rate; the one
/// before a tenth of it and those before a hundredth, as [`spread`] says. The network is as before when this returns.
///
/// # Errors
/// A photo cannot be had; what libtorch refuses; [`Failure::Cancelled`].
pub fn find(
    recipe: &Recipe,
    learner: &dyn Learner,
    data: &dyn Data,
    cx: &Context<'_>,
) -> Result<Curve, Failure> {
    let before = copied(&learner.tensors())?;
    let curve = explore(recipe, learner, data, cx);
    // Also when it failed or was stopped: whoever goes on has the network that there was.
    restore(&learner.tensors(), &before)?;
    curve
}

fn explore(
    recipe: &Recipe,
    learner: &dyn Learner,
    data: &dyn Data,
    cx: &Context<'_>,
) -> Result<Curve, Failure> {
    let epochs = Epochs::new(recipe, data)?;
    let steps = (epochs.batches.len() as u64).clamp(LEAST_STEPS, MOST_STEPS);
    let mut curve = Curve::new(FinderRange::new(steps));
    let mut stepper = Stepper::new(recipe, learner, data)?;
    let groups = learner.groups().len();
    let progress = cx.progress("find a learning rate", Some(steps), "steps");
    let mut number = 0;
    for epoch in 0.. {
        if curve.next_rate().is_none() {
            break;
        }
        let photos = epochs.photos(epoch)?;
        // A few at a time: what comes after the explosion is not wanted any more.
        for batches in epochs.batches.chunks(BATCHES_AT_ONCE) {
            let order = Order { epoch, photos: &photos, batches };
            data.train(order, &mut |batch| {
                let Some(rate) = curve.next_rate() else { return Ok(()) };
                let loss = stepper.gradients(&batch, number, 1.0)?;
                stepper.step(&spread(rate, groups))?;
                curve.add(loss);
                number += 1;
                Ok(progress.add(1)?)
            })?;
            if curve.next_rate().is_none() {
                break;
            }
        }
    }
    Ok(curve)
}

/// The rate of each layer group: what the recipe says, or what the finder suggests.
pub(crate) fn found_rates(
    recipe: &Recipe,
    learner: &dyn Learner,
    data: &dyn Data,
    cx: &Context<'_>,
) -> Result<Vec<f64>, Failure> {
    let groups = learner.groups().len();
    match (&recipe.lr, recipe.rates(groups)) {
        (_, Some(rates)) => Ok(rates),
        (Some(Rates::Find(how)), None) => {
            let curve = find(recipe, learner, data, cx)?;
            let suggested = how.find.suggest(&curve);
            let rate = suggested.map_err(|why| Error::NoRate { suggestion: how.find, why })?;
            cx.report.emit(Event::Note(format!("the learning-rate finder suggests {rate:.2e}")));
            Ok(spread(rate, groups))
        }
        (_, None) => unreachable!("a settled recipe has rates or a way to find them"),
    }
}
