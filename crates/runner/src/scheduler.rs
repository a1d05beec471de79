//! [`Scheduler`]: which stages run side by side, and how many threads each of them has.
//!
//! It knows places at the machine ([`Seat`]) and costs, nothing else, and starts no thread. With J jobs on T threads:
//!
//! | cost | starts when so many threads are free | has at most |
//! |---|---|---|
//! | [`All`](Processors::All) | T, so nothing runs beside it | T |
//! | [`Any`](Processors::Any) | its fair part, T / J | T |
//! | [`AtMost`](Processors::AtMost) n | the smaller of n and its fair part | n |
//!
//! and when its memory fits beside that of those that run. A stage that would run alone always starts. What is left is
//! shared out among those that start at the same moment; a stage that runs keeps what it has.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use pipeline_stage::{Cost, Processors};

/// A run, by its number, and the place of a stage in its graph.
pub(crate) type Seat = (usize, usize);

/// What runs, and what of it has just been let in.
#[derive(Debug)]
pub(crate) struct Scheduler {
    jobs: usize,
    threads: usize,
    /// Bytes for all together; `None` for no limit.
    memory: Option<u64>,
    running: BTreeMap<Seat, Share>,
}

/// What a stage has of the machine.
#[derive(Debug)]
struct Share {
    cost: Cost,
    threads: usize,
    has_started: bool,
}

impl Scheduler {
    /// Nothing runs.
    pub(crate) fn new(jobs: NonZeroUsize, threads: NonZeroUsize, memory: Option<u64>) -> Scheduler {
        Scheduler { jobs: jobs.get(), threads: threads.get(), memory, running: BTreeMap::new() }
    }

    /// Whether no other stage can start before one ends.
    pub(crate) fn is_full(&self) -> bool {
        self.running.len() >= self.jobs || self.free_threads() == 0
    }

    /// Lets a stage in, if there is room for it.
    pub(crate) fn admit(&mut self, seat: Seat, cost: Cost) -> bool {
        let (least, _) = self.bounds(&cost);
        let fits = least <= self.free_threads() && self.has_memory(cost.memory_bytes(least));
        let is_in = self.running.is_empty() || (!self.is_full() && fits);
        if is_in {
            self.running.insert(seat, Share { cost, threads: least, has_started: false });
        }
        is_in
    }

    /// Shares out what is left among the stages of a run let in since the last call; they start, each by its place in the
    /// graph with so many threads.
    pub(crate) fn start(&mut self, run: usize) -> Vec<(usize, NonZeroUsize)> {
        let is_starting = |(seat, share): &(&Seat, &Share)| seat.0 == run && !share.has_started;
        let starting: Vec<Seat> = self.running.iter().filter(is_starting).map(|(seat, _)| *seat).collect();
        // A thread to each in turn.
        while starting.iter().filter(|seat| self.grow(**seat)).count() > 0 {}
        let start = |seat: Seat| {
            let share = self.running.get_mut(&seat)?;
            share.has_started = true;
            Some((seat.1, NonZeroUsize::new(share.threads)?))
        };
        starting.into_iter().filter_map(start).collect()
    }

    /// Gives the stage one thread more, if there is one that it can use.
    fn grow(&mut self, seat: Seat) -> bool {
        let Some(share) = self.running.get(&seat) else { return false };
        let more = share.cost.memory_bytes(share.threads + 1) - share.cost.memory_bytes(share.threads);
        let fits = self.running.len() == 1 || self.has_memory(more);
        let grows = fits && self.free_threads() > 0 && share.threads < self.bounds(&share.cost).1;
        if let (true, Some(share)) = (grows, self.running.get_mut(&seat)) {
            share.threads += 1;
        }
        grows
    }

    /// A stage has ended.
    pub(crate) fn end(&mut self, seat: Seat) {
        self.running.remove(&seat);
    }

    /// The fewest threads on which a stage starts, and the most that it has.
    fn bounds(&self, cost: &Cost) -> (usize, usize) {
        let fair = (self.threads / self.jobs).max(1);
        match cost.processors {
            Processors::All => (self.threads, self.threads),
            Processors::Any => (fair, self.threads),
            Processors::AtMost(most) => (fair.min(most.get()), self.threads.min(most.get())),
        }
    }

    fn free_threads(&self) -> usize {
        self.threads.saturating_sub(self.running.values().map(|share| share.threads).sum())
    }

    fn has_memory(&self, bytes: u64) -> bool {
        let taken = |share: &Share| share.cost.memory_bytes(share.threads);
        let taken = self.running.values().map(taken).fold(0u64, u64::saturating_add);
        self.memory.is_none_or(|all| bytes <= all.saturating_sub(taken))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(n: usize) -> NonZeroUsize {
        NonZeroUsize::new(n).unwrap()
    }

    fn scheduler(jobs: usize, threads: usize, memory: Option<u64>) -> Scheduler {
        Scheduler::new(number(jobs), number(threads), memory)
    }

    fn at_most(threads: usize) -> Cost {
        Cost { processors: Processors::AtMost(number(threads)), memory: None }
    }

    fn any() -> Cost {
        Cost::any_threads(0, 0)
    }

    /// Lets in what has room of `costs`, by place, and says with how many threads they start.
    fn started(scheduler: &mut Scheduler, costs: &[(usize, Cost)]) -> Vec<(usize, usize)> {
        for (place, cost) in costs {
            scheduler.admit((0, *place), *cost);
        }
        scheduler.start(0).into_iter().map(|(place, threads)| (place, threads.get())).collect()
    }

    #[test]
    fn one_job_has_all_threads_that_it_can_use_and_nothing_beside_it() {
        for (cost, threads) in [(Cost::default(), 6), (any(), 6), (at_most(4), 4), (at_most(9), 6)] {
            let mut scheduler = scheduler(1, 6, None);
            assert_eq!(started(&mut scheduler, &[(3, cost), (5, at_most(1))]), [(3, threads)]);
            assert!(scheduler.is_full());
            scheduler.end((0, 3));
            assert_eq!(started(&mut scheduler, &[(5, at_most(1))]), [(5, 1)]);
        }
    }

    #[test]
    fn what_starts_together_shares_the_threads_and_keeps_its_part() {
        let mut scheduler = scheduler(3, 8, None);
        assert_eq!(
            started(&mut scheduler, &[(0, any()), (1, at_most(1)), (2, any())]),
            [(0, 4), (1, 1), (2, 3)]
        );
        scheduler.end((0, 1));
        // One thread is free, and a third of 8 is 2.
        assert_eq!(started(&mut scheduler, &[(3, any()), (4, at_most(3)), (5, at_most(1))]), [(5, 1)]);
    }

    #[test]
    fn a_stage_whose_bytes_depend_on_the_threads_has_them_all_and_runs_alone() {
        let mut scheduler = scheduler(4, 8, None);
        assert_eq!(started(&mut scheduler, &[(0, Cost::default()), (1, at_most(1))]), [(0, 8)]);
        scheduler.end((0, 0));
        assert_eq!(started(&mut scheduler, &[(1, at_most(1)), (2, Cost::default())]), [(1, 1)]);
        scheduler.end((0, 1));
        assert_eq!(started(&mut scheduler, &[(2, Cost::default())]), [(2, 8)]);
    }

    #[test]
    fn no_more_stages_run_than_there_are_threads() {
        let costs: Vec<(usize, Cost)> = (0..5).map(|place| (place, any())).collect();
        assert_eq!(started(&mut scheduler(5, 2, None), &costs), [(0, 1), (1, 1)]);
    }

    #[test]
    fn memory_holds_back_what_does_not_fit_and_the_threads_of_what_does() {
        // 30 and 10 for each thread; then 25 are left, which are too few for the second and enough for the third.
        let mut scheduler = scheduler(3, 9, Some(85));
        let costs =
            [(0, Cost::any_threads(30, 10)), (1, Cost::any_threads(20, 10)), (2, Cost::one_thread(20))];
        assert_eq!(started(&mut scheduler, &costs), [(0, 3), (2, 1)]);
        scheduler.end((0, 0));
        // 65 are left: 20 and 4 times 10.
        assert_eq!(started(&mut scheduler, &costs[1..2]), [(1, 4)]);
    }

    #[test]
    fn a_stage_that_fits_nowhere_runs_alone_on_all_threads() {
        let mut scheduler = scheduler(2, 4, Some(10));
        assert_eq!(
            started(&mut scheduler, &[(0, Cost::any_threads(1000, 1000)), (1, any())]),
            [(0, 2), (1, 2)]
        );
        scheduler.end((0, 1));
        assert_eq!(started(&mut scheduler, &[(1, Cost::one_thread(1))]), []);
        scheduler.end((0, 0));
        assert_eq!(started(&mut scheduler, &[(0, Cost::any_threads(1000, 1000))]), [(0, 4)]);
    }

    #[test]
    fn what_other_runs_have_is_not_shared_out_again() {
        let mut scheduler = scheduler(3, 6, Some(100));
        assert!(scheduler.admit((1, 0), Cost::any_threads(60, 0)));
        // Of another run, which starts first; 40 bytes and 4 threads are left, then 3.
        assert!(!scheduler.admit((2, 0), Cost::one_thread(41)));
        assert!(scheduler.admit((2, 1), at_most(1)));
        assert_eq!(scheduler.start(2), [(1, number(1))]);
        assert_eq!(scheduler.start(1), [(0, number(5))]);
        assert!(!scheduler.admit((3, 0), Cost::default()), "a training waits until it is alone");
        scheduler.end((1, 0));
        assert!(!scheduler.admit((3, 0), Cost::default()));
        scheduler.end((2, 1));
        assert!(scheduler.admit((3, 0), Cost::default()));
        assert_eq!(scheduler.start(3), [(0, number(6))]);
    }
}
