//! [`fit`](fit()): the training loop.
//!
//! An epoch is batches in a drawn order; a step is one batch (or several, see `accumulate`); after each epoch the network is
//! measured. After every step the whole state may be kept in the folder of partial work; a training that was stopped or
//! killed goes on from there, and ends with the bits that it would have had: everything that is random is a function of
//! where it is drawn, and the learning rate is a function of the step.

use std::collections::BTreeMap;
use std::time::Instant;

use pipeline_fit::{DebiasedAverage, Keep, Patience, Rates, Recipe, Schedule};
use pipeline_nn::{Ema, Kind, LossOptions, Tensor, nll, no_grad};
use pipeline_stage::{Context, Event, Failure, Progress};
use pipeline_table::HistoryRow;
use pipeline_table::history::{TRAIN_PHASE, VALID_PHASE};

use crate::checkpoint::{self, State};
use crate::data::{Batch, Data, Order};
use crate::error::Error;
use crate::find::found_rates;
use crate::journal::Journal;
use crate::learner::{Learner, copied, restore};
use crate::order::Epochs;
use crate::resume;
use crate::step::Stepper;

/// How a training went. The network holds the weights to publish.
#[derive(Debug)]
pub struct Trained {
    /// A row for each step, or for every few of a long training, and one for each epoch; in order.
    pub history: Vec<HistoryRow>,
    /// The row of the epoch whose weights these are.
    pub published: Option<HistoryRow>,
    /// Photos trained on per second, of the time in training steps, waiting included.
    pub photos_per_second: f64,
    /// Share of that time, 0 to 1, in which the loop waited for its batches.
    pub waiting: f64,
}

/// Trains `learner` on `data` as `recipe` says; `recipe` is settled and checked.
///
/// # Errors
/// The loss is not a number any more; a photo cannot be had; what libtorch refuses. [`Failure::Cancelled`] when asked to
/// stop, with a checkpoint left behind.
pub fn fit(
    recipe: &Recipe,
    learner: &dyn Learner,
    data: &dyn Data,
    cx: &Context<'_>,
) -> Result<Trained, Failure> {
    let epochs = Epochs::new(recipe, data)?;
    let mut fit = Fit::begin(recipe, learner, data, cx, &epochs)?;
    fit.journal.header();
    let mut all = || {
        while fit.state.epoch < recipe.epochs() && !fit.state.stopped {
            fit.epoch(&epochs)?;
        }
        Ok(())
    };
    let done = all();
    if done.is_err() {
        fit.journal.leave()?;
    }
    done.and_then(|()| fit.end())
}

struct Fit<'a> {
    recipe: &'a Recipe,
    learner: &'a dyn Learner,
    data: &'a dyn Data,
    cx: &'a Context<'a>,
    schedule: Schedule,
    stepper: Stepper<'a>,
    ema: Option<Ema>,
    /// The network of the best epoch, where it is to be published.
    best: BTreeMap<String, Tensor>,
    state: State,
    journal: Journal<'a>,
    progress: Progress<'a>,
    clock: Clock,
    /// When the last checkpoint was written, and after which step.
    kept: (Instant, u64),
    /// Loss of the batches of the step under way.
    step_loss: f64,
    /// It was said that no checkpoint can be written.
    is_told: bool,
}

/// Where the time goes.
struct Clock {
    started: Instant,
    /// Of attempts before this one.
    before: f64,
    /// When the loop was ready for the next batch.
    ready: Instant,
    waited: f64,
    worked: f64,
    photos: usize,
}

impl Clock {
    fn seconds(&self) -> f64 {
        self.before + self.started.elapsed().as_secs_f64()
    }
}

impl<'a> Fit<'a> {
    /// At the beginning, or where the checkpoint says.
    fn begin(
        recipe: &'a Recipe,
        learner: &'a dyn Learner,
        data: &'a dyn Data,
        cx: &'a Context<'_>,
        epochs: &Epochs<'_>,
    ) -> Result<Self, Failure> {
        if data.measured() == 0 && (recipe.keep == Keep::Best || recipe.early_stopping.is_some()) {
            return Err(Error::NothingToMeasure.into());
        }
        let average = || recipe.ema.map(|_| Ema::new(learner.tensors())).transpose();
        let (mut stepper, mut ema) = (Stepper::new(recipe, learner, data)?, average()?);
        let schedule = recipe.schedule(epochs.steps());
        let total = u64::from(recipe.epochs()) * epochs.steps();
        let checkpoint = match resume::resume(cx, learner, epochs, &mut stepper, ema.as_mut()) {
            Ok(checkpoint) => checkpoint,
            Err(why) => {
                let text =
                    format!("the checkpoint cannot be used, so training starts from the beginning: {why}");
                cx.report.emit(Event::Warning(text));
                (stepper, ema) = (Stepper::new(recipe, learner, data)?, average()?);
                None
            }
        };
        let state = match &checkpoint {
            Some(checkpoint) => {
                resume::tell(cx, checkpoint, total);
                checkpoint.state.clone()
            }
            None => State {
                epoch: 0,
                batch: 0,
                step: 0,
                rates: found_rates(recipe, learner, data, cx)?,
                average: DebiasedAverage::new(),
                patience: Patience::new(recipe.early_stopping),
                stopped: false,
                history_bytes: 0,
                seconds: 0.0,
            },
        };
        let best = checkpoint.as_ref().map(|checkpoint| checkpoint.part("best")).unwrap_or_default();
        let photos = epochs.photos_in(0..epochs.batches.len()) as u64;
        let what = format!("train {}", learner.name());
        let progress = cx.progress(&what, Some(u64::from(recipe.epochs()) * photos), "photos");
        progress.add(u64::from(state.epoch) * photos + epochs.photos_in(0..state.batch) as u64)?;
        let now = Instant::now();
        let mut fit = Fit {
            recipe,
            learner,
            data,
            cx,
            schedule,
            stepper,
            ema,
            best,
            journal: Journal::open(cx, state.history_bytes, total)?,
            progress,
            clock: Clock {
                started: now,
                before: state.seconds,
                ready: now,
                waited: 0.0,
                worked: 0.0,
                photos: 0,
            },
            kept: (now, state.step),
            step_loss: 0.0,
            is_told: false,
            state,
        };
        if checkpoint.is_none() && matches!(recipe.lr, Some(Rates::Find(_))) {
            // The search may have taken as long as an epoch.
            fit.keep()?;
        }
        Ok(fit)
    }

    /// One epoch, or what is left of it.
    fn epoch(&mut self, epochs: &Epochs<'_>) -> Result<(), Failure> {
        let epoch_started = self.clock.seconds();
        let epoch = u64::from(self.state.epoch);
        let photos = epochs.photos(epoch)?;
        let order = Order { epoch, photos: &photos, batches: &epochs.batches[self.state.batch..] };
        self.clock.ready = Instant::now();
        let data = self.data;
        data.train(order, &mut |batch| self.batch(&batch, epochs))?;

        self.swap_average()?;
        let measured = self.measured_row(epochs);
        let mut patience = self.state.patience;
        let valid_loss = measured.as_ref().ok().and_then(|row| row.valid_loss);
        let seen = valid_loss.map(|loss| patience.see(loss));
        if seen.is_some_and(|seen| seen.improved) && self.recipe.keep == Keep::Best {
            self.best = copied(&self.learner.tensors())?;
        }
        self.swap_average()?;
        if matches!(measured, Err(Failure::Cancelled)) {
            self.keep()?;
        }
        let row = measured?;
        self.state.patience = patience;
        self.journal.write(&row)?;
        self.journal.epoch(&row, self.clock.seconds() - epoch_started);
        (self.state.epoch, self.state.batch) = (self.state.epoch + 1, 0);
        if seen.is_some_and(|seen| seen.stop) && self.state.epoch < self.recipe.epochs() {
            self.state.stopped = true;
            let text = format!(
                "stopped early: the valid loss has not fallen for {} epochs",
                self.recipe.early_stopping.unwrap_or(0)
            );
            self.cx.report.emit(Event::Note(text));
        }
        self.keep_where_due()
    }

    /// One batch; with the last one of a step, the step.
    fn batch(&mut self, batch: &Batch, epochs: &Epochs<'_>) -> Result<(), Failure> {
        let begun = Instant::now();
        self.clock.waited += (begun - self.clock.ready).as_secs_f64();
        let of_step = epochs.step_of(self.state.batch);
        let rows = batch.labels.size()[0] as usize;
        let share = rows as f64 / epochs.photos_in(of_step.clone()) as f64;
        let number = u64::from(self.state.epoch) * epochs.batches.len() as u64 + self.state.batch as u64;
        let loss = self.stepper.gradients(batch, number, share)?;
        self.check(loss)?;
        if self.state.batch == of_step.start {
            self.step_loss = 0.0;
        }
        self.step_loss += share * loss;
        self.state.batch += 1;
        self.clock.photos += rows;
        if self.state.batch < of_step.end {
            self.clock.ready = Instant::now();
            self.clock.worked += begun.elapsed().as_secs_f64();
            // Whoever asks to stop waits for the end of the step: within it nothing can be kept.
            return Ok(());
        }

        let lr = self.schedule.rates(&self.state.rates, self.state.step);
        self.stepper.step(&lr)?;
        if let (Some(ema), Some(decay)) = (&mut self.ema, self.recipe.ema) {
            ema.update(decay)?;
        }
        self.state.average.add(self.step_loss);
        self.state.step += 1;
        if self.journal.keeps(self.state.step) {
            let row = self.row(TRAIN_PHASE, lr);
            self.journal.write(&row)?;
        }
        self.tell_status();
        let cancelled = self.progress.add(epochs.photos_in(of_step) as u64);
        if cancelled.is_err() {
            self.keep()?;
        }
        cancelled?;
        self.keep_where_due()?;
        self.clock.worked += begun.elapsed().as_secs_f64();
        self.clock.ready = Instant::now();
        Ok(())
    }

    /// Stops where the loss of the next step is not a number any more.
    fn check(&self, loss: f64) -> Result<(), Failure> {
        let lr = self.schedule.rates(&self.state.rates, self.state.step);
        if loss.is_finite() { Ok(()) } else { self.diverged(loss, self.state.step + 1, lr) }
    }

    /// The failure of a loss that is not a number.
    fn diverged(&self, loss: f64, step: u64, lr: Vec<f64>) -> Result<(), Failure> {
        let checkpoint = checkpoint::path(&self.cx.partial);
        let checkpoint = checkpoint.exists().then_some(checkpoint);
        let (epoch, given) = (self.state.epoch + 1, self.state.rates.clone());
        Err(Error::LossNotFinite { loss, epoch, step, lr, given, checkpoint }.into())
    }

    /// Exchanges the weights with their moving averages, where these are kept.
    fn swap_average(&mut self) -> Result<(), Failure> {
        Ok(self.ema.as_mut().map_or(Ok(()), Ema::swap)?)
    }

    fn tell_status(&mut self) {
        let State { step, epoch, .. } = self.state;
        let lr = self.schedule.rates(&self.state.rates, step.saturating_sub(1));
        let (schedule, average, epochs) = (&self.schedule, &self.state.average, self.recipe.epochs());
        self.journal.status(|| {
            let place = match schedule.cycle_at(step.saturating_sub(1)) {
                (_, 1) => format!("epoch {}/{epochs}", epoch + 1),
                (cycle, cycles) => format!("cycle {cycle}/{cycles}"),
            };
            let (loss, lr) = (average.value().unwrap_or(f64::NAN), lr.last().copied().unwrap_or(0.0));
            format!("{place}  loss {loss:.4}  lr {lr:.1e}")
        });
    }

    /// A row of the history at this step, not measured.
    fn row(&self, phase: &str, lr: Vec<f64>) -> HistoryRow {
        HistoryRow {
            stage: self.cx.stage.clone(),
            phase: phase.to_owned(),
            epoch: self.state.epoch + 1,
            step: self.state.step,
            lr,
            // At least one step was made, so there is an average.
            train_loss: self.state.average.value().unwrap_or(f64::NAN),
            valid_loss: None,
            accuracy: None,
            seconds: self.clock.seconds(),
        }
    }

    /// The row at the end of an epoch, with the network measured.
    fn measured_row(&self, epochs: &Epochs<'_>) -> Result<HistoryRow, Failure> {
        let lr = self.schedule.rates(&self.state.rates, self.state.step.saturating_sub(1));
        let row = self.row(VALID_PHASE, lr.clone());
        let Some((loss, accuracy)) = measure(self.learner, self.data, self.cx)? else {
            // Where there is nothing to measure on, the last step may have diverged unseen.
            self.check_answers(epochs, lr)?;
            return Ok(row);
        };
        if !loss.is_finite() {
            self.diverged(loss, self.state.step, lr)?;
        }
        Ok(HistoryRow { valid_loss: Some(loss), accuracy: Some(accuracy), ..row })
    }

    /// Stops where the network answers with what is not a number: huge weights may still be numbers. One batch tells.
    fn check_answers(&self, epochs: &Epochs<'_>, lr: Vec<f64>) -> Result<(), Failure> {
        let epoch = u64::from(self.state.epoch);
        let photos = epochs.photos(epoch)?;
        let order = Order { epoch, photos: &photos, batches: &epochs.batches[..1] };
        self.data.train(order, &mut |batch| {
            let plain = LossOptions::default();
            let log_probs = self.learner.forward_eval(&batch.x)?; // [N, classes]
            let loss = no_grad(|| nll(&log_probs, &batch.labels, &plain))?;
            let loss = loss.f_double_value(&[]).map_err(pipeline_nn::Error::torch("read the loss"))?;
            if loss.is_finite() { Ok(()) } else { self.diverged(loss, self.state.step, lr.clone()) }
        })
    }

    /// Whether every number of the network is one.
    fn is_finite(&self) -> Result<bool, Failure> {
        let is_finite = |tensor: &Tensor| Ok(tensor.f_isfinite()?.f_all()?.f_int64_value(&[])? != 0);
        for tensor in self.learner.tensors().values() {
            if !is_finite(tensor).map_err(pipeline_nn::Error::torch("look at the weights"))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn keep_where_due(&mut self) -> Result<(), Failure> {
        let (at, step) = self.kept;
        let is_due = self.cx.checkpoint_every.is_due(at.elapsed(), self.state.step - step);
        if is_due { self.keep() } else { Ok(()) }
    }

    /// Writes a checkpoint; not where the last step diverged, which the next loss tells: the checkpoint before is good.
    fn keep(&mut self) -> Result<(), Failure> {
        if !self.is_finite()? {
            return Ok(());
        }
        self.state.history_bytes = self.journal.sync()?;
        self.state.seconds = self.clock.seconds();
        let mut parts = vec![
            ("net", self.learner.tensors()),
            ("optimizer", self.stepper.optimizer.state()),
            ("best", self.best.iter().map(|(name, tensor)| (name.clone(), tensor.shallow_clone())).collect()),
        ];
        parts.extend(self.ema.as_ref().map(|ema| ("ema", ema.state())));
        let written = checkpoint::write(&self.cx.partial, &self.state, self.cx.threads.get(), &parts);
        self.kept = (Instant::now(), self.state.step);
        if let (Err(failure), false) = (written, self.is_told) {
            // Training goes on: the checkpoint before is still there, and the next may fit again.
            self.is_told = true;
            self.cx.report.emit(Event::Warning(format!("no checkpoint could be written: {failure}")));
        }
        Ok(())
    }

    /// Leaves the weights to publish in the network.
    fn end(mut self) -> Result<Trained, Failure> {
        self.swap_average()?;
        restore(&self.learner.tensors(), &self.best)?;
        let history = self.journal.rows()?;
        let best = self.state.patience.best().filter(|_| !self.best.is_empty());
        let epoch = best.map_or(self.state.epoch, |best| best.epoch);
        let of_epoch = |row: &&HistoryRow| row.phase == VALID_PHASE && row.epoch == epoch;
        let published = history.iter().find(of_epoch).cloned();
        let seconds = (self.clock.waited + self.clock.worked).max(1e-9);
        Ok(Trained {
            published,
            photos_per_second: self.clock.photos as f64 / seconds,
            waiting: self.clock.waited / seconds,
            history,
        })
    }
}

/// Mean loss and accuracy of the network as it answers in the end; `None` where nothing is measured on.
fn measure(learner: &dyn Learner, data: &dyn Data, cx: &Context<'_>) -> Result<Option<(f64, f64)>, Failure> {
    let (mut loss_sum, mut right, mut rows) = (0.0, 0_i64, 0_i64);
    if data.measured() == 0 {
        return Ok(None);
    }
    let plain = LossOptions::default();
    data.measure(&mut |batch| {
        cx.cancel.check()?;
        no_grad(|| {
            let log_probs = learner.forward_eval(&batch.x)?; // [N, classes]
            let loss = nll(&log_probs, &batch.labels, &plain)?;
            let read = || {
                let hits = log_probs.f_argmax(1, false)?.f_eq_tensor(&batch.labels)?.f_sum(Kind::Int64)?;
                Ok((loss.f_double_value(&[])?, hits.f_int64_value(&[])?))
            };
            let (loss, hits) = read().map_err(pipeline_nn::Error::torch("measure the network"))?;
            let count = batch.labels.size()[0];
            loss_sum += loss * count as f64;
            right += hits;
            rows += count;
            Ok(())
        })
    })?;
    Ok(Some((loss_sum / rows as f64, right as f64 / rows as f64)))
}
