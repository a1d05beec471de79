//! Trainings that are killed: `kill -9` at random moments, and the result is that of a run in one go.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use pipeline_stage::random::{Random, Stream, below};
use pipeline_testkit::Project;

use crate::small_project;

/// Kills before a run may end.
const KILLS: u32 = 8;

/// A head of 9 steps, and a network of 9 steps on 12 augmented photos, averaged.
const TRAINING: &str = "\
pipeline: training
ingest: { root: photos }
backbone: { arch: efficientnet_lite0, weights: weights.safetensors }
precompute: { size: 32 }
head: { batch_size: 4, epochs: 3 }
finetune: { freeze: first, batch_size: 4, epochs: 3, lr: 0.001, ema: 0.9, dtype: f32 }
";

const STAGES: &str = "\
stages:
  ingest:     { kind: ingest }
  augment:    { kind: augment,    inputs: { images: ingest } }
  backbone:   { kind: backbone }
  precompute: { kind: precompute, inputs: { images: ingest, augment: augment, backbone: backbone } }
  head:       { kind: head,       inputs: { features: precompute, backbone: backbone } }
  finetune:   { kind: finetune,   inputs: { images: ingest, augment: augment, model: head } }
";

fn training_project() -> Project {
    let project = small_project();
    project.write("pipelines/training.yaml", STAGES);
    project.write("configs/c.yaml", TRAINING);
    project.succeed(&["run", "configs/c.yaml", "--until", "precompute"]);
    project
}

/// Runs the project with a checkpoint after each step and kills it a moment after some steps were measured (or those of
/// before were told again), if a training is still going on. The lines of its output, and whether it ended by itself.
fn run_and_kill(project: &Project, random: &mut Random) -> (Vec<String>, bool) {
    let arguments = ["run", "configs/c.yaml", "--json", "--checkpoint-every", "1steps"];
    let mut child = project.command(&arguments).stdout(Stdio::piped()).spawn().unwrap();
    let (sender, receiver) = channel();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let reader = std::thread::spawn(move || stdout.lines().for_each(|line| drop(sender.send(line.unwrap()))));
    let mut lines = vec![];
    let mut deadline: Option<Instant> = None;
    // With the second step there is a checkpoint of the first.
    let (mut measured, wanted) = (0, 2 + below(8, random));
    loop {
        let left =
            deadline.map_or(Duration::from_secs(60), |at| at.saturating_duration_since(Instant::now()));
        match receiver.recv_timeout(left) {
            Ok(line) => {
                measured += u64::from(line.contains(r#""event":"measured""#));
                if measured == wanted {
                    let moment = Duration::from_millis(below(60, random));
                    deadline.get_or_insert_with(|| Instant::now() + moment);
                }
                lines.push(line);
            }
            Err(RecvTimeoutError::Timeout) => {
                child.kill().unwrap();
                break;
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    reader.join().unwrap();
    lines.extend(receiver.try_iter());
    (lines, child.wait().unwrap().code() == Some(0))
}

#[test]
fn a_training_that_is_killed_again_and_again_ends_with_the_same_bytes() {
    let (whole, killed) = (training_project(), training_project());
    whole.succeed(&["run", "configs/c.yaml"]);
    let mut random = Stream { seed: 5, purpose: "kills", ..Stream::default() }.start();
    let mut lines = vec![];
    let mut kills = 0;
    loop {
        let (printed, is_done) = run_and_kill(&killed, &mut random);
        lines.extend(printed);
        if is_done {
            break;
        }
        kills += 1;
        assert!(!killed.path("out/c/finetune").exists(), "nothing half-made is visible");
        if kills == KILLS {
            let ran = killed.succeed(&["run", "configs/c.yaml", "--json"]);
            lines.extend(ran.stdout.lines().map(str::to_owned));
            break;
        }
    }
    let went_on = lines.iter().filter(|line| line.contains("goes on after step ")).count();
    assert!(kills >= 2 && went_on >= 1, "{kills} kills, {went_on} went on from a checkpoint");
    for file in ["head/head.safetensors", "finetune/head.safetensors", "finetune/trunk.safetensors"] {
        let [one, other] = [&whole, &killed].map(|p| fs_err::read(p.path("out/c").join(file)).unwrap());
        assert!(one == other, "{file} differs after {kills} kills");
    }
    for kind in ["head", "finetune"] {
        let partial = killed.path(".pipeline/partial").join(kind);
        let litter = fs_err::read_dir(&partial).map_or(0, |entries| entries.count());
        assert_eq!(litter, 0, "{} is empty when all is done", partial.display());
    }
    // Of all the kills `gc` leaves nothing, and takes nothing that is needed.
    killed.succeed(&["gc"]);
    for folder in ["tmp", "partial"] {
        let left: Vec<_> = fs_err::read_dir(killed.path(".pipeline").join(folder)).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
    }
    let again = killed.outcomes(&["run", "configs/c.yaml"]);
    assert!(again.iter().all(|outcome| outcome.ends_with(" fresh")), "{again:?}");
}
