//! [`Cost`]: what a stage takes of the machine while it runs, so that the runner knows which stages fit beside each other.
//!
//! It steers when a stage starts and on how many threads, never what it makes, and is part of no key.

use std::num::NonZeroUsize;

/// What a stage takes of the machine. What a stage that says nothing is taken to need: all threads, and memory that
/// nobody counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Threads that it keeps busy.
    pub processors: Processors,
    /// Memory that it holds at most, roughly; `None` where it cannot tell, and then it is not counted.
    pub memory: Option<Memory>,
}

/// How many threads a stage keeps busy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Processors {
    /// All threads of the run, always. For stages whose bytes depend on how many there are (libtorch adds up in another
    /// order), which must not depend on what runs beside them.
    #[default]
    All,
    /// As many as there are for it. Its bytes are the same for any number.
    Any,
    /// No more than so many. Its bytes are the same for any number.
    AtMost(NonZeroUsize),
}

/// A rough estimate of memory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Whatever the number of threads.
    pub fixed_bytes: u64,
    /// For each thread.
    pub per_thread_bytes: u64,
}

impl Cost {
    /// The cost of a stage that keeps one thread busy and holds `bytes`.
    pub fn one_thread(bytes: u64) -> Cost {
        let memory = Memory { fixed_bytes: bytes, per_thread_bytes: 0 };
        Cost { processors: Processors::AtMost(NonZeroUsize::MIN), memory: Some(memory) }
    }

    /// The cost of a stage that uses as many threads as there are for it.
    pub fn any_threads(fixed_bytes: u64, per_thread_bytes: u64) -> Cost {
        Cost { processors: Processors::Any, memory: Some(Memory { fixed_bytes, per_thread_bytes }) }
    }

    /// Bytes on so many threads; 0 where it is not known.
    pub fn memory_bytes(&self, threads: usize) -> u64 {
        let of = |memory: Memory| {
            let per_thread = memory.per_thread_bytes.saturating_mul(threads as u64);
            memory.fixed_bytes.saturating_add(per_thread)
        };
        self.memory.map_or(0, of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_grows_with_the_threads_and_is_not_counted_where_it_is_unknown() {
        assert_eq!(Cost::any_threads(100, 7).memory_bytes(3), 121);
        assert_eq!(Cost::one_thread(100).memory_bytes(1), 100);
        assert_eq!(Cost::default().memory_bytes(3), 0);
        assert_eq!(Cost::any_threads(1, u64::MAX).memory_bytes(3), u64::MAX);
    }
}
