//! [`Hunt`]: case after case, each a function of the seed and its number.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fs_err::File;
use pipeline_stage::random::Stream;

use crate::check::{self, Checked, MOST_TIME, check};
use crate::mutation::mutated;
use crate::seeds::seeds;

/// Time between two looks of the watch, and between two reports.
const LOOK: Duration = Duration::from_millis(200);
const REPORT: Duration = Duration::from_secs(60);

/// A hunt that can begin.
pub(crate) struct Hunt {
    seed: u64,
    files: Vec<Vec<u8>>,
    /// Where a finding is written.
    folder: PathBuf,
}

/// What was done so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) cases: u64,
    pub(crate) decoded: u64,
    pub(crate) rejected: u64,
    /// Panics inside decoders, which were caught: such a file is `corrupt`.
    pub(crate) broken_off: u64,
    pub(crate) seconds: u64,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { cases, decoded, rejected, broken_off, seconds } = self;
        write!(
            f,
            "{cases} cases in {seconds} s: {decoded} decoded, {rejected} rejected, decoders broke off {broken_off} times"
        )
    }
}

/// A case that must not be, with its file.
#[derive(Debug)]
pub(crate) struct Finding {
    number: u64,
    what: String,
    path: PathBuf,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        write!(
            f,
            "found in case {}: {}\nits file: {path}\nagain: cargo run --release -p pipeline-photo --example fuzz -- file {path}",
            self.number, self.what
        )
    }
}

impl Hunt {
    /// With the built-in files and those of `folders`.
    pub(crate) fn new(seed: u64, folders: &[PathBuf]) -> std::io::Result<Hunt> {
        let folder = std::env::temp_dir().join(format!("pipeline-photo-fuzz-{seed}"));
        fs_err::create_dir_all(&folder)?;
        Ok(Hunt { seed, files: seeds(folders)?, folder })
    }

    /// How many files are changed.
    pub(crate) fn files(&self) -> usize {
        self.files.len()
    }

    /// The bytes of a case.
    pub(crate) fn case(&self, number: u64) -> Vec<u8> {
        mutated(
            &self.files,
            &mut Stream { seed: self.seed, purpose: "fuzz", epoch: number, ..Stream::default() }.start(),
        )
    }

    /// Hunts for so long, or until something is found. `report` is called now and then.
    pub(crate) fn run(&self, time: Duration, report: impl Fn(Counts)) -> Result<Counts, Finding> {
        let started = Instant::now();
        let current = Mutex::new((0, Instant::now(), Counts::default()));
        let is_over = AtomicBool::new(false);
        let lock = || current.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        std::thread::scope(|scope| {
            let worker = scope.spawn(|| {
                let result = self.cases(|number, counts| {
                    *lock() = (number, Instant::now(), counts);
                    started.elapsed() < time
                });
                is_over.store(true, Ordering::Release);
                result
            });
            // A decoder that never ends cannot be stopped from outside: the process ends with it.
            let mut reported = Instant::now();
            while !is_over.load(Ordering::Acquire) {
                std::thread::sleep(LOOK);
                let (number, since, counts) = *lock();
                if since.elapsed() > 2 * MOST_TIME {
                    let finding =
                        self.finding(number, format!("it does not end ({:?} so far)", since.elapsed()));
                    end(&finding);
                }
                if reported.elapsed() > REPORT {
                    reported = Instant::now();
                    report(Counts {
                        seconds: started.elapsed().as_secs(),
                        broken_off: check::broken_off(),
                        ..counts
                    });
                }
            }
            let counts = worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            Ok(Counts { seconds: started.elapsed().as_secs(), broken_off: check::broken_off(), ..counts })
        })
    }

    /// Case after case, as long as `go_on` says so of the next.
    fn cases(&self, mut go_on: impl FnMut(u64, Counts) -> bool) -> Result<Counts, Finding> {
        let mut counts = Counts::default();
        // What no handler catches (a stack that overflows, memory that ran out) leaves the number behind.
        let last_begun = File::create(self.folder.join("last-begun")).ok();
        while go_on(counts.cases, counts) {
            let number = counts.cases;
            if let Some(file) = &last_begun {
                let _ = std::os::unix::fs::FileExt::write_all_at(
                    file.file(),
                    format!("{number:020}\n").as_bytes(),
                    0,
                );
            }
            let bytes = self.case(number);
            match catch_unwind(AssertUnwindSafe(|| check(&bytes))) {
                Ok(Ok(Checked::Decoded)) => counts.decoded += 1,
                Ok(Ok(Checked::Rejected)) => counts.rejected += 1,
                Ok(Err(complaint)) => return Err(self.finding(number, complaint.to_string())),
                Err(_) => return Err(self.finding(number, "it panicked".to_owned())),
            }
            counts.cases += 1;
        }
        Ok(counts)
    }

    /// Writes the file of a case.
    fn finding(&self, number: u64, what: String) -> Finding {
        let path = self.folder.join(format!("case-{number}"));
        let what = match fs_err::write(&path, self.case(number)) {
            Ok(()) => what,
            Err(error) => format!("{what} (and {error})"),
        };
        Finding { number, what, path }
    }
}

#[expect(clippy::print_stderr, reason = "the last words of a process that cannot go on")]
fn end(finding: &Finding) -> ! {
    eprintln!("{finding}");
    std::process::exit(1)
}
