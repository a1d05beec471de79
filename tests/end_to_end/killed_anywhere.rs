//! `kill -9` at random instants over the whole lesson: the next run goes on, ends with the same artifacts, and nothing is
//! left over.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant, SystemTime};

use pipeline_stage::random::{Stream, below};

use crate::tiny_lesson::{Digests, LESSON_STAGES, TinyLesson};

/// Set it to the printed number to kill at the same instants again, as far as the machine is as fast.
const SEED: &str = "PIPELINE_KILL_SEED";

/// How often the lesson is run from its beginning; each time it is killed once before its first stage, once in each
/// stage, and `gc` once.
fn rounds() -> u64 {
    if std::env::var_os("PIPELINE_NIGHTLY").is_some() { 30 } else { 3 }
}

/// How long it takes until the first stage (by the name ""), and from the beginning of each stage to that of the next.
type Durations = BTreeMap<String, Duration>;

/// Starts a command and kills it `moment` after `stage` or one after it has begun (`None`: after the start), unless it
/// ends before. Returns the beginnings of the stages that were seen, and whether it was killed.
fn run_and_kill(
    lesson: &TinyLesson,
    arguments: &[&str],
    stage: Option<usize>,
    moment: Duration,
) -> (Vec<(String, Instant)>, bool) {
    let begin = Instant::now();
    let mut child = lesson.project.command(arguments).stdout(Stdio::piped()).spawn().unwrap();
    let (sender, receiver) = channel();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let reader = std::thread::spawn(move || stdout.lines().for_each(|line| drop(sender.send(line.unwrap()))));
    let mut begun = vec![(String::new(), begin)];
    let mut deadline = stage.is_none().then(|| begin + moment);
    let killed = loop {
        let left =
            deadline.map_or(Duration::from_secs(120), |at| at.saturating_duration_since(Instant::now()));
        match receiver.recv_timeout(left) {
            Ok(line) => {
                let event: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
                if event["event"] == "stage_started" {
                    let name = event["stage"].as_str().unwrap();
                    begun.push((name.to_owned(), Instant::now()));
                    if LESSON_STAGES.iter().position(|known| *known == name) >= stage {
                        deadline.get_or_insert_with(|| Instant::now() + moment);
                    }
                }
            }
            Err(RecvTimeoutError::Timeout) => {
                assert!(deadline.is_some(), "{arguments:?} says nothing for two minutes");
                child.kill().unwrap();
                break true;
            }
            Err(RecvTimeoutError::Disconnected) => break false,
        }
    };
    reader.join().unwrap();
    let status = child.wait().unwrap();
    assert!(status.success() || status.code().is_none(), "{arguments:?} ended with {status}");
    (begun, killed && status.code().is_none())
}

/// A whole run, and how long its parts take.
fn measured(lesson: &TinyLesson) -> Durations {
    let (mut begun, killed) =
        run_and_kill(lesson, &lesson.arguments(&["--json"]), Some(usize::MAX), Duration::MAX);
    assert!(!killed && begun.len() == 1 + LESSON_STAGES.len(), "{begun:?}");
    begun.push((String::new(), Instant::now()));
    begun.windows(2).map(|pair| (pair[0].0.clone(), pair[1].1 - pair[0].1)).collect()
}

#[test]
fn a_run_that_is_killed_anywhere_ends_with_the_same_artifacts_and_leaves_nothing_over() {
    let seed = std::env::var(SEED).ok().map_or_else(
        || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().subsec_nanos().into(),
        |seed| seed.parse().unwrap(),
    );
    println!("{SEED}={seed}");
    let mut random = Stream { seed, purpose: "kills", ..Stream::default() }.start();
    let lesson = TinyLesson::new();
    let durations = measured(&lesson);
    println!("undisturbed: {durations:?}");
    lesson.project.succeed(&["gc"]);
    let (digests, listing) = (lesson.digests(), lesson.listing());

    let mut kills = 0;
    for round in 0..rounds() {
        lesson.wipe();
        for target in [None].into_iter().chain((0..LESSON_STAGES.len()).map(Some)) {
            let name = target.map_or("", |place| LESSON_STAGES[place]);
            // A little beyond its end, so that kills fall on its publishing and its link, too.
            let moment = durations[name].mul_f64(below(1_200, &mut random) as f64 / 1e3);
            let arguments = lesson.arguments(&["--json", "--checkpoint-every", "1steps"]);
            let (begun, killed) = run_and_kill(&lesson, &arguments, target, moment);
            kills += u64::from(killed);
            let last = &begun.last().unwrap().0;
            let when = format!("round {round}, {moment:?} after the start of `{name}` (in `{last}`)");
            println!("{}: {when}", if killed { "killed" } else { "ended" });
            lesson.assert_nothing_is_half_made(&when);
        }
        assert_finished(&lesson, &digests, round);

        // Artifacts that no link leads to, for a `gc` that is killed on its way: up to the last stage, as what one that
        // stays was made from would not be made again.
        for stage in ["head", "evaluate", "submit"] {
            fs_err::remove_file(lesson.project.path("out/c").join(stage)).unwrap();
        }
        let moment = Duration::from_micros(below(40_000, &mut random));
        let (_, killed) = run_and_kill(&lesson, &["gc"], None, moment);
        kills += u64::from(killed);
        lesson.assert_nothing_is_half_made(&format!("round {round}, `gc` killed after {moment:?}"));
        assert_finished(&lesson, &digests, round);
        lesson.project.succeed(&["gc"]);
        let left = lesson.listing();
        let more: Vec<_> = left.difference(&listing).collect();
        let less: Vec<_> = listing.difference(&left).collect();
        assert!(more.is_empty() && less.is_empty(), "round {round}: left over {more:#?}, missing {less:#?}");
    }
    println!("{kills} kills");
    // Most moments lie before the end of what they are drawn for.
    assert!(kills >= 6 * rounds(), "only {kills} kills in {} rounds", rounds());
}

/// Runs to the end, and compares.
fn assert_finished(lesson: &TinyLesson, digests: &Digests, round: u64) {
    lesson.run();
    for (stage, artifact) in lesson.digests() {
        assert_eq!(artifact, digests[&stage], "round {round}: {stage}");
    }
    lesson.assert_nothing_is_half_made(&format!("round {round}, at the end"));
}
