//! [`Peak`]: how much memory this process had resident at most while something ran, as Linux counts it.
//!
//! The kernel keeps the peak since the process began (`VmHWM` in `/proc/self/status`). Where that rose, it is the
//! answer, exact; where an earlier stage had more, a thread's looks at `VmRSS` every [`EVERY`] are, which can miss
//! what is shorter. The kernel's peak could be reset instead (`/proc/self/clear_refs`), but then `/usr/bin/time` and
//! whoever else asks how much the whole run needed would be told of its last stage only.
//!
//! It is the whole process that is counted: what earlier stages left there, what runs beside, pages of mapped files; not
//! the memory of a GPU. Where stages run side by side, the number is of them all, and is said to be.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often the thread looks; a look takes about 20 µs.
const EVERY: Duration = Duration::from_millis(50);

/// How many watches there are in this process now, in whichever run, and how many there have been.
static WATCHES: Mutex<Watches> = Mutex::new(Watches { now: 0, ever: 0 });

struct Watches {
    now: u64,
    ever: u64,
}

/// Watches the memory of this process until it is asked or dropped.
pub(crate) struct Peak {
    /// Whether no other watch was there when this one began.
    was_alone: bool,
    /// Its number.
    number: u64,
    /// Peak of the process before.
    before: Option<u64>,
    seen: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Peak {
    /// Begins to watch. Where the system does not tell, nothing is watched.
    pub(crate) fn begin() -> Peak {
        let (seen, is_over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let before = status().map(|now| now.peak);
        let (told, ended) = (seen.clone(), is_over.clone());
        let look = move || {
            while !ended.load(Ordering::Relaxed) {
                told.fetch_max(status().map_or(0, |now| now.resident), Ordering::Relaxed);
                std::thread::park_timeout(EVERY);
            }
        };
        let builder = std::thread::Builder::new().name("memory".to_owned());
        let thread = before.and_then(|_| builder.spawn(look).ok());
        let mut watches = watches();
        let was_alone = watches.now == 0;
        watches.now += 1;
        watches.ever += 1;
        Peak { was_alone, number: watches.ever, before, seen, is_over, thread }
    }

    /// Whether another stage was watched at some time since it began, so that the memory is not of one alone.
    pub(crate) fn is_shared(&self) -> bool {
        !self.was_alone || watches().ever > self.number
    }

    /// The most bytes that were resident since it began; `None` where the system does not tell.
    pub(crate) fn bytes(&self) -> Option<u64> {
        let (before, now) = (self.before?, status()?);
        let seen = self.seen.load(Ordering::Relaxed).max(now.resident);
        Some(if now.peak > before { now.peak } else { seen })
    }
}

impl Drop for Peak {
    fn drop(&mut self) {
        watches().now -= 1;
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

fn watches() -> MutexGuard<'static, Watches> {
    // Two numbers, whole at any instant.
    WATCHES.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Bytes of this process in memory.
#[derive(Debug, PartialEq)]
struct Status {
    resident: u64,
    peak: u64,
}

fn status() -> Option<Status> {
    parse(&fs_err::read_to_string("/proc/self/status").ok()?)
}

fn parse(text: &str) -> Option<Status> {
    Some(Status { resident: bytes_of(text, "VmRSS:")?, peak: bytes_of(text, "VmHWM:")? })
}

/// The number of the line `name` in a text of Linux, as `VmHWM:     12345 kB`, in units of 1,024 bytes.
pub(crate) fn bytes_of(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_lines_are_read_in_units_of_1024_bytes() {
        let text = "Name:\tx\nVmPeak:\t  99 kB\nVmHWM:\t    3000 kB\nVmRSS:\t 2500 kB\n";
        assert_eq!(parse(text), Some(Status { resident: 2500 * 1024, peak: 3000 * 1024 }));
        assert_eq!(parse("Name:\tx\n"), None);
        assert_eq!(parse("VmHWM:\t 1 MB\nVmRSS:\t 1 kB\n"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_was_taken_and_given_back_shows_also_below_an_earlier_peak() {
        // Zeroed pages would not be resident before something is written to them.
        let take = |mib: usize| drop(std::hint::black_box(vec![1u8; mib << 20]));
        let first = Peak::begin();
        take(300);
        let first = first.bytes().unwrap();
        assert!(first >= 300 << 20, "{first}");
        let second = Peak::begin();
        let held = std::hint::black_box(vec![1u8; 100 << 20]);
        std::thread::sleep(EVERY * 4);
        drop(held);
        let second = second.bytes().unwrap();
        assert!((100 << 20..first).contains(&second), "{second}, the first had {first}");
    }
    #[test]
    fn two_watches_at_one_time_are_both_shared_also_when_one_has_ended() {
        let first = Peak::begin();
        let second = Peak::begin();
        assert!(second.is_shared());
        drop(second);
        assert!(first.is_shared());
    }
}
