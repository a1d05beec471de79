//! [`resume`]: from a checkpoint back to where a training was.

use pipeline_nn::{Ema, Tensor};
use pipeline_stage::{Context, Event};

use crate::checkpoint::{Checkpoint, State};
use crate::journal;
use crate::learner::{Learner, restore};
use crate::order::Epochs;
use crate::step::Stepper;

/// Gives the network, the optimiser and the averages what the checkpoint in the stage's folder of partial work says, and
/// returns the rest of it. `None` where there is no checkpoint.
///
/// # Errors
/// It cannot be used, in words; the network is then as it was, the optimiser and the averages may not be.
pub(crate) fn resume(
    cx: &Context<'_>,
    learner: &dyn Learner,
    epochs: &Epochs<'_>,
    stepper: &mut Stepper<'_>,
    ema: Option<&mut Ema>,
) -> Result<Option<Checkpoint>, String> {
    let Some(checkpoint) = Checkpoint::read(&cx.partial)? else { return Ok(None) };
    journal::check(&cx.partial, checkpoint.state.history_bytes)?;
    let (net, best) = (checkpoint.part("net"), checkpoint.part("best"));
    let own = learner.tensors();
    let is_own =
        |(name, tensor): (&String, &Tensor)| own.get(name).is_some_and(|t| t.size() == tensor.size());
    let is_whole = net.len() == own.len() && net.iter().all(is_own) && best.iter().all(is_own);
    if !is_whole || checkpoint.state.batch > epochs.batches.len() {
        return Err("it is of another training".to_owned());
    }
    stepper.optimizer.load_state(&checkpoint.part("optimizer")).map_err(|error| error.to_string())?;
    if let Some(ema) = ema {
        ema.load_state(&checkpoint.part("ema")).map_err(|error| error.to_string())?;
    }
    restore(&own, &net).map_err(|error| error.to_string())?;
    Ok(Some(checkpoint))
}

/// Says where a training goes on, of `total` steps.
pub(crate) fn tell(cx: &Context<'_>, checkpoint: &Checkpoint, total: u64) {
    let State { epoch, step, .. } = checkpoint.state;
    let place = if step < total { format!(", in epoch {}", epoch + 1) } else { String::new() };
    cx.report.emit(Event::Note(format!("goes on after step {step} of {total}{place}")));
    if checkpoint.threads != cx.threads.get() {
        let text = format!(
            "it began with {} threads and goes on with {}: the last digits may differ from a training in one go",
            checkpoint.threads, cx.threads
        );
        cx.report.emit(Event::Warning(text));
    }
}
