//! [`in_order`]: parallel work on a stream of items, with results in order and memory bounded. For stages that decode
//! photos while something else computes.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use crate::failure::Failure;

/// Runs `work` on every item, each lane in a thread of its own, and hands the results to `sink` in the
/// order of the items.
///
/// Items are dealt out in turn (item k to lane k mod n), so the sink knows which lane has the next
/// result, and nothing has to be sorted. At most `waiting` items before each lane, and as many results behind it, are in
/// memory besides those at work: two hide the jitter of a slow item, more only cost memory.
///
/// # Errors
/// The first failure in the order of the items, of the items themselves, of `work` or of `sink`. All
/// threads have ended when this returns.
pub fn in_order<L, I, R>(
    lanes: Vec<L>,
    waiting: usize,
    items: impl Iterator<Item = Result<I, Failure>> + Send,
    work: impl Fn(&mut L, I) -> Result<R, Failure> + Sync,
    mut sink: impl FnMut(R) -> Result<(), Failure>,
) -> Result<(), Failure>
where
    L: Send,
    I: Send,
    R: Send,
{
    thread::scope(|scope| {
        let mut to_lanes: Vec<SyncSender<Result<I, Failure>>> = Vec::new();
        let mut from_lanes: Vec<Receiver<Result<R, Failure>>> = Vec::new();
        let mut threads = Vec::new();
        for mut lane in lanes {
            let (to_lane, items) = sync_channel::<Result<I, Failure>>(waiting);
            let (results, from_lane) = sync_channel(waiting);
            let work = &work;
            threads.push(scope.spawn(move || {
                for item in items {
                    let result = item.and_then(|item| work(&mut lane, item));
                    // The sink has gone: it met a failure, and nobody wants this result.
                    if results.send(result).is_err() {
                        return;
                    }
                }
            }));
            to_lanes.push(to_lane);
            from_lanes.push(from_lane);
        }
        scope.spawn(move || {
            for (k, item) in items.enumerate() {
                if to_lanes[k % to_lanes.len()].send(item).is_err() {
                    return;
                }
            }
        });
        // The lane whose turn it is ends only after the last item, or with a panic.
        for k in 0.. {
            match from_lanes[k % from_lanes.len()].recv() {
                Ok(result) => sink(result?)?,
                Err(_) => break,
            }
        }
        drop(from_lanes);
        for thread in threads {
            // Passed on here, a panic keeps its message.
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn doubled(lanes: usize, items: u64) -> Vec<u64> {
        let mut results = vec![];
        let work = |(): &mut (), item: u64| {
            // Later items of a round finish first.
            thread::sleep(Duration::from_micros(300 - 100 * (item % 3)));
            Ok(2 * item)
        };
        in_order(vec![(); lanes], 2, (0..items).map(Ok), work, |r| {
            results.push(r);
            Ok(())
        })
        .unwrap();
        results
    }

    #[test]
    fn results_come_in_the_order_of_the_items_for_any_number_of_lanes() {
        let expected: Vec<u64> = (0..31).map(|i| 2 * i).collect();
        for lanes in [1, 2, 3, 7, 40] {
            assert_eq!(doubled(lanes, 31), expected, "{lanes} lanes");
        }
        assert!(doubled(3, 0).is_empty());
    }

    #[test]
    fn the_first_failure_in_order_wins_and_ends_everything() {
        let mut seen = vec![];
        let work = |(): &mut (), item: u64| {
            if item >= 4 { Err(Failure::new(format!("item {item}"), None)) } else { Ok(item) }
        };
        let failure = in_order(vec![(); 3], 2, (0..1_000_000).map(Ok), work, |r| {
            seen.push(r);
            Ok(())
        })
        .unwrap_err();
        assert_eq!(failure.to_string(), "item 4");
        assert_eq!(seen, [0, 1, 2, 3]);
    }

    #[test]
    #[should_panic(expected = "item 5")]
    fn a_panic_in_a_lane_is_passed_on_with_its_message() {
        let work = |(): &mut (), item: u64| if item == 5 { panic!("item {item}") } else { Ok(item) };
        let _ = in_order(vec![(); 2], 2, (0..1_000_000).map(Ok), work, |_| Ok(()));
    }

    #[test]
    fn a_failing_sink_ends_everything() {
        let failure =
            in_order(vec![(); 2], 2, (0..1_000_000).map(Ok), |(), i: u64| Ok(i), |_| Err(Failure::Cancelled));
        assert!(matches!(failure, Err(Failure::Cancelled)));
    }
}
