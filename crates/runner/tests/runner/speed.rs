//! How long nothing takes. Not part of the usual tests, because a busy machine would fail them.

use std::time::{Duration, Instant};

use crate::project::{Project, chain};

#[test]
#[ignore = "measures time: cargo test --release -p pipeline-runner --test runner -- --ignored --nocapture speed"]
fn a_run_and_a_plan_in_which_nothing_changed_over_25_000_files() {
    let project = Project::new();
    for class in ["cats", "dogs"] {
        for n in 0..12_500 {
            project.write(&format!("texts/train/{class}/{class}.{n}.jpg"), &format!("{class} {n} "));
        }
    }
    // Files younger than this are hashed every time.
    std::thread::sleep(Duration::from_secs(3));
    let time = |what: &str, work: &dyn Fn()| {
        let started = Instant::now();
        work();
        eprintln!("{what}: {:.1} ms", started.elapsed().as_secs_f64() * 1e3);
    };
    time("first run", &|| drop(project.run(chain())));
    for _ in 0..5 {
        time("plan, nothing changed", &|| drop(project.plan(chain())));
        time("run, nothing changed", &|| drop(project.run(chain())));
    }
}
