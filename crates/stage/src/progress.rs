//! Progress, notes and cancellation: what flows between a running stage and whoever watches it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What a running stage says. The command draws bars or prints lines or JSON from it.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A piece of work begins: `total` items of `unit` (`photos`, `rows`, `bytes`); `None` when unknown.
    Begin {
        /// What is being done, for example `decode and run the trunk`.
        what: String,
        /// How many items there are.
        total: Option<u64>,
        /// What an item is, in the plural.
        unit: &'static str,
    },
    /// So many items of the current piece of work are done.
    Done(u64),
    /// Numbers of the moment, for example loss and rate, as they should be shown.
    Status(String),
    /// Numbers of a training as it goes, kept in the record of the run: curves are drawn from them.
    Measured(Measured),
    /// Worth knowing: printed once, below the progress line.
    Note(String),
    /// Worth acting on: printed once, and again in the summary.
    Warning(String),
}

/// What a training has measured at one of its steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// `train` while it goes through an epoch, `valid` at the end of one.
    pub phase: String,
    /// Finite numbers by name, at least `step` (optimiser steps done, from 1), `epoch` (from 1), `lr` (of the last
    /// layer group) and `train_loss`; at the end of an epoch also `valid_loss` and `accuracy` (0 to 1). A number that
    /// is not finite is left out by whoever emits this: JSON has no word for it.
    pub values: BTreeMap<String, f64>,
}

/// Receives the events of one stage. Called from many threads.
pub trait Report: Send + Sync {
    /// Takes one event.
    fn emit(&self, event: Event);
}

/// Ignores every event.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Report for Silent {
    fn emit(&self, _: Event) {}
}

/// Counts the items of one piece of work and reports them. Shared between threads.
pub struct Progress<'a> {
    report: &'a dyn Report,
    cancel: &'a Cancel,
    done: AtomicU64,
}

impl<'a> Progress<'a> {
    /// Begins a piece of work of `total` items of `unit`.
    pub fn begin(
        report: &'a dyn Report,
        cancel: &'a Cancel,
        what: &str,
        total: Option<u64>,
        unit: &'static str,
    ) -> Self {
        report.emit(Event::Begin { what: what.to_owned(), total, unit });
        Progress { report, cancel, done: AtomicU64::new(0) }
    }

    /// Counts `items` more as done.
    ///
    /// # Errors
    /// [`Cancelled`] when the run was asked to stop.
    pub fn add(&self, items: u64) -> Result<(), Cancelled> {
        let done = self.done.fetch_add(items, Ordering::Relaxed) + items;
        self.report.emit(Event::Done(done));
        self.cancel.check()
    }
}

/// Set once by Ctrl-C or SIGTERM; stages look at it often. Cloning shares the flag.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Asks everything that holds this flag to stop.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether [`Cancel::cancel`] was called.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// For use with `?` inside loops.
    ///
    /// # Errors
    /// [`Cancelled`] when asked to stop.
    pub fn check(&self) -> Result<(), Cancelled> {
        if self.is_cancelled() { Err(Cancelled) } else { Ok(()) }
    }
}

/// The work was stopped on request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cancelled")]
pub struct Cancelled;
