//! Memory.

use pipeline_runner::Memory;

use super::check::Check;
use crate::terminal::words;

/// What `precompute` takes of a usual network, and the whole lesson, in bytes (README, Results).
const LEAST: u64 = 500_000_000;
const ENOUGH: u64 = 1_800_000_000;

/// How much there is, and how much of it is free.
pub(super) fn memory() -> Vec<Check> {
    vec![judged(Memory::now())]
}

fn judged(memory: Memory) -> Check {
    let Memory { total, free, limit } = memory;
    let Some(free) = free else { return Check::ok("memory", "the system does not tell how much is free") };
    let total = total.map_or_else(String::new, |total| format!(" of {}", words::size(total)));
    let limit = limit.map_or_else(String::new, |limit| {
        format!("; a control group (container, batch job) allows {}", words::size(limit))
    });
    let text = format!("{} free{total}{limit}", words::size(free));
    match free {
        free if free < LEAST => Check::problem(
            "memory",
            format!("{text}; precompute takes {}", words::size(LEAST)),
            "end other programs, or ask for more",
        ),
        free if free < ENOUGH => Check::note(
            "memory",
            format!("{text}; fine-tuning takes {}", words::size(ENOUGH)),
            "set a smaller batch_size for what is fine-tuned, or end other programs",
        ),
        _ => Check::ok("memory", text),
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::Standing;
    use super::*;

    #[test]
    fn little_memory_is_noted_and_less_is_a_problem() {
        let of = |free, limit| judged(Memory { total: Some(8_000_000_000), free: Some(free), limit });
        assert_eq!(of(2_000_000_000, None), Check::ok("memory", "2.0 GB free of 8.0 GB"));
        let some = of(1_000_000_000, Some(3_000_000_000));
        let expected = "1.0 GB free of 8.0 GB; a control group (container, batch job) allows 3.0 GB; fine-tuning takes 1.8 GB";
        assert_eq!((some.standing, some.found.as_str()), (Standing::Note, expected));
        let few = of(400_000_000, None);
        assert_eq!(
            (few.standing, few.found.as_str()),
            (Standing::Problem, "400.0 MB free of 8.0 GB; precompute takes 500.0 MB")
        );
        assert_eq!(judged(Memory::default()).standing, Standing::Ok);
    }
}
