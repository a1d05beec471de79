//! [`Machine`]: what the runs of a process have together: its threads, its memory, and what each of them is making.
//!
//! A run is a [`Guest`] of it, and asks for room before it starts a stage. Where there is none, or where another run is
//! making the same artifact, the stage waits; a bell tells the run when to ask again. Nothing is ever waited for that does
//! not run: the first stage that asks an idle machine is let in, whatever it costs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use pipeline_stage::Cost;

use crate::free_memory::free_memory;
use crate::options::RunOptions;
use crate::scheduler::{Scheduler, Seat};

/// The threads, the memory and the number of stages at a time that several runs share; see [`run_on`](crate::run_on).
#[derive(Debug)]
pub struct Machine {
    taken: Mutex<Taken>,
}

/// What the runs have of the machine.
struct Taken {
    scheduler: Scheduler,
    /// The folders of the artifacts that are being made.
    making: BTreeMap<Seat, PathBuf>,
    /// Those that have been made. What lacks something serves whoever shares the machine, and is made again by others.
    made: BTreeSet<PathBuf>,
    /// One of each run, by its number.
    bells: BTreeMap<usize, Bell>,
    /// The number of the next run.
    next: usize,
}

/// Tells a run that there may be room now.
type Bell = Box<dyn Fn() + Send>;

impl fmt::Debug for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Taken { scheduler, making, .. } = self;
        f.debug_struct("Taken").field("scheduler", scheduler).field("making", making).finish_non_exhaustive()
    }
}

impl Machine {
    /// As much of it as `options` give to all that runs: `threads`, `jobs` and `memory_bytes`.
    pub fn of(options: &RunOptions) -> Machine {
        // Where nothing runs beside another, nobody asks how much there is.
        let memory = if options.jobs.get() > 1 { options.memory_bytes.or_else(free_memory) } else { None };
        let scheduler = Scheduler::new(options.jobs, options.threads, memory);
        Machine { taken: Mutex::new(Taken::new(scheduler)) }
    }

    /// Whether a run has made the artifact of this folder.
    pub(crate) fn has_made(&self, artifact: &Path) -> bool {
        self.taken().made.contains(artifact)
    }

    /// Takes in one more run. `bell` is rung whenever a stage of another run has ended; it must not wait.
    pub(crate) fn join(&self, bell: impl Fn() + Send + 'static) -> Guest<'_> {
        let mut taken = self.taken();
        let run = taken.next;
        taken.next += 1;
        taken.bells.insert(run, Box::new(bell));
        Guest { machine: self, run }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        // A panic elsewhere leaves nothing half-noted here.
        self.taken.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Taken {
    /// Nothing.
    fn new(scheduler: Scheduler) -> Taken {
        let (making, made, bells) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
        Taken { scheduler, making, made, bells, next: 0 }
    }

    /// Takes back what the seats have, and tells every run but `run`.
    fn free(&mut self, run: usize, seats: &[Seat]) {
        for seat in seats {
            self.scheduler.end(*seat);
            self.making.remove(seat);
        }
        self.bells.iter().filter(|(other, _)| **other != run).for_each(|(_, bell)| bell());
    }
}

/// What one run has of the machine, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Guest<'a> {
    machine: &'a Machine,
    run: usize,
}

impl Guest<'_> {
    /// Whether no other stage can start before one ends.
    pub(crate) fn is_full(&self) -> bool {
        self.machine.taken().scheduler.is_full()
    }

    /// Whether any run is making the artifact of this folder.
    pub(crate) fn is_made(&self, artifact: &Path) -> bool {
        self.machine.taken().making.values().any(|made| made == artifact)
    }

    /// Lets the stage at `place` in to make the artifact of this folder, if there is room and nobody makes it.
    pub(crate) fn admit(&self, place: usize, artifact: PathBuf, cost: Cost) -> bool {
        let (mut taken, seat) = (self.machine.taken(), (self.run, place));
        let is_in = !taken.making.values().any(|made| *made == artifact) && taken.scheduler.admit(seat, cost);
        if is_in {
            taken.making.insert(seat, artifact);
        }
        is_in
    }

    /// Starts what has been let in, each by its place with its part of the threads.
    pub(crate) fn start(&self) -> Vec<(usize, NonZeroUsize)> {
        self.machine.taken().scheduler.start(self.run)
    }

    /// The stage at `place` has ended, and its artifact is there now, or not.
    pub(crate) fn end(&self, place: usize, is_made: bool) {
        let (mut taken, seat) = (self.machine.taken(), (self.run, place));
        if let (Some(artifact), true) = (taken.making.get(&seat).cloned(), is_made) {
            taken.made.insert(artifact);
        }
        taken.free(self.run, &[seat]);
    }
}

impl Drop for Guest<'_> {
    fn drop(&mut self) {
        let mut taken = self.machine.taken();
        taken.bells.remove(&self.run);
        let left: Vec<Seat> = taken.making.keys().filter(|(run, _)| *run == self.run).copied().collect();
        taken.free(self.run, &left);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn machine(jobs: usize, threads: usize) -> Machine {
        let number = |n| NonZeroUsize::new(n).unwrap();
        let scheduler = Scheduler::new(number(jobs), number(threads), None);
        Machine { taken: Mutex::new(Taken::new(scheduler)) }
    }

    #[test]
    fn an_artifact_is_made_by_one_run_at_a_time_and_the_others_are_told_when_it_is_done() {
        let machine = machine(4, 4);
        let rung: [Arc<AtomicUsize>; 2] = Default::default();
        let rings = || [0, 1].map(|run| rung[run].load(Ordering::Relaxed));
        let [one, other] =
            rung.clone().map(|rung| machine.join(move || _ = rung.fetch_add(1, Ordering::Relaxed)));
        assert!(one.admit(3, "a".into(), Cost::one_thread(0)));
        assert!(other.is_made(Path::new("a")) && !other.is_made(Path::new("b")));
        assert!(!other.admit(3, "a".into(), Cost::one_thread(0)));
        assert!(other.admit(4, "b".into(), Cost::one_thread(0)), "there is room for another");
        assert_eq!(rings(), [0, 0]);
        one.end(3, true);
        assert!(machine.has_made(Path::new("a")) && !machine.has_made(Path::new("b")));
        assert_eq!(rings(), [0, 1], "a run is not told what it knows");
        assert!(other.admit(3, "a".into(), Cost::one_thread(0)));
        assert_eq!(other.start().len(), 2);
    }

    #[test]
    fn what_a_run_leaves_behind_is_free_again() {
        let machine = machine(2, 2);
        let (one, other) = (machine.join(|| ()), machine.join(|| ()));
        assert!(one.admit(0, "a".into(), Cost::default()));
        assert!(other.is_full() && !other.admit(0, "b".into(), Cost::default()));
        drop(one);
        assert!(!other.is_full() && other.admit(0, "b".into(), Cost::default()));
    }
}
