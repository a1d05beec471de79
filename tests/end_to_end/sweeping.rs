//! `pipeline sweep`: every combination, what they share, the table, and that it goes on after an interruption.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use pipeline_stage::Direction;
use pipeline_stage::random::{Stream, below};
use pipeline_testkit::Project;
use serde_json::{Value, json};

use crate::small_project;
use crate::tiny_lesson::{Digests, TinyLesson};

const SWEEP: [&str; 6] =
    ["sweep", "configs/c.yaml", "--over", "head.lr=[0.003, 0.03]", "--over", "head.epochs=[1, 2]"];

/// The folders of the four combinations, in order.
const NAMES: [&str; 4] = [
    "c@head.epochs=1,head.lr=0.003",
    "c@head.epochs=2,head.lr=0.003",
    "c@head.epochs=1,head.lr=0.03",
    "c@head.epochs=2,head.lr=0.03",
];

/// The last line of output with `--json`.
fn last(stdout: &str) -> Value {
    serde_json::from_str(stdout.lines().last().unwrap()).unwrap()
}

fn texts(values: &Value, field: &str) -> Vec<String> {
    values.as_array().unwrap().iter().map(|value| value[field].as_str().unwrap().to_owned()).collect()
}

/// What `sweep` prints with `--json` in the end.
fn sweep(project: &Project, code: i32, arguments: &[&str]) -> Value {
    let ran = project.run(&[arguments, &["--json"]].concat());
    assert_eq!(ran.code, Some(code), "{}\n{}", ran.stdout, ran.stderr);
    last(&ran.stdout)
}

/// Names of the stages that ran in any run, in order of the alphabet.
fn stages_that_ran(project: &Project) -> Vec<String> {
    let runs = fs_err::read_dir(project.path(".pipeline/runs")).unwrap();
    let record = |run: std::io::Result<fs_err::DirEntry>| {
        let text = fs_err::read_to_string(run.unwrap().path().join("run.json")).unwrap();
        serde_json::from_str::<Value>(&text).unwrap()["stages"].as_array().unwrap().clone()
    };
    let ran = runs.flat_map(record).filter(|stage| stage["outcome"] == "ran");
    let mut names: Vec<String> = ran.map(|stage| stage["name"].as_str().unwrap().to_owned()).collect();
    names.sort_unstable();
    names
}

#[test]
fn what_combinations_share_is_made_once_and_a_second_sweep_and_a_run_of_one_find_everything() {
    let project = small_project();
    let dry = project.succeed(&[SWEEP.as_slice(), &["--dry-run"]].concat()).stdout;
    assert!(dry.starts_with("c: 4 combinations, 12 stages to run   (quick, built in, "), "{dry}");
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ");
    let rows: Vec<String> = dry.lines().skip(2).map(words).collect();
    assert_eq!(
        rows,
        [
            "head.lr head.epochs runs shares",
            "0.003 1 ingest, augment, backbone, precompute, head, evaluate",
            "0.003 2 head, evaluate ingest, augment, backbone, precompute",
            "0.03 1 head, evaluate ingest, augment, backbone, precompute",
            "0.03 2 head, evaluate ingest, augment, backbone, precompute",
        ]
    );
    assert!(!project.path(".pipeline").exists() && !project.path("out").exists(), "a dry run leaves nothing");

    // Two at a time want the same stages at the same moment.
    let found = sweep(&project, 0, &[SWEEP.as_slice(), &["--jobs", "2"]].concat());
    let rows = &found["rows"];
    assert_eq!(texts(rows, "combination"), NAMES);
    assert_eq!(rows[1]["parameters"], json!({"head.lr": 0.003, "head.epochs": 2}));
    // Whoever comes first makes what all share.
    let of_rows = rows.as_array().unwrap().iter().flat_map(|row| row["ran"].as_array().unwrap());
    assert_eq!(of_rows.count(), 12, "{rows}");
    let ran = stages_that_ran(&project);
    let (of_head, of_evaluate) = (["head"; 4], ["evaluate"; 4]);
    let expected =
        [["augment", "backbone"].as_slice(), &of_evaluate, &of_head, &["ingest", "precompute"]].concat();
    assert_eq!(ran, expected, "each artifact is made once");
    assert!(!project.path("out/c").exists(), "the config's own links are left alone");
    for name in NAMES {
        assert!(project.path("out").join(name).join("evaluate/metrics.json").exists(), "{name}");
    }
    assert_eq!(project.succeed(&["gc"]).stdout, "nothing to remove; 12 artifacts stay\n");

    let best = found["best_by"].as_str().unwrap();
    assert_eq!((best, &found["direction"]), ("evaluate.head.accuracy", &json!("up")));
    let rows = rows.as_array().unwrap();
    let accuracy = |row: &Value| row["metrics"][best].as_f64().unwrap();
    let highest = rows.iter().map(accuracy).fold(0.0, f64::max);
    for row in rows {
        assert_eq!(row["is_best"], json!(accuracy(row) == highest), "{row}");
        for (name, _) in row["metrics"].as_object().unwrap() {
            let neither =
                ["photos", "set_aside", "leaks", "dead_features", "norm_max", "norm_mean", "norm_min"];
            let is_neither = name.rsplit('.').next().is_some_and(|last| neither.contains(&last));
            assert_eq!(Direction::of(name).is_none(), is_neither, "{name} is not listed");
        }
    }
    let folder = std::path::PathBuf::from(found["path"].as_str().unwrap());
    let written: Value = serde_json::from_slice(&fs_err::read(folder.join("sweep.json")).unwrap()).unwrap();
    assert_eq!(written["rows"], found["rows"]);
    assert!(fs_err::read(folder.join("sweep.parquet")).unwrap().starts_with(b"PAR1"));

    // Each is a run of its own, and its command line makes the same keys.
    let listed = project.succeed(&["runs", "list"]).stdout;
    assert!(NAMES.iter().all(|name| listed.contains(name)), "{listed}");
    let command = rows[2]["command"].as_str().unwrap();
    assert_eq!(command, "pipeline run configs/c.yaml --set head.lr=0.03 --set head.epochs=1");
    assert!(project.succeed(&["runs", "show", rows[2]["run"].as_str().unwrap()]).stdout.contains(command));
    let arguments: Vec<&str> = command.split(' ').skip(1).collect();
    let outcomes = project.outcomes(&arguments);
    assert!(outcomes.iter().all(|outcome| outcome.ends_with(" fresh")), "{outcomes:?}");

    // The same in another order of parameters, as text.
    let again = project.succeed(&[
        "sweep",
        "configs/c.yaml",
        "--over",
        "head.epochs=[2]",
        "--over",
        "head.lr=[3e-2]",
    ]);
    assert!(again.stdout.starts_with("c: 1 combination, 0 stages to run "), "{}", again.stdout);
    let line = again.stdout.lines().nth(2).unwrap();
    assert!(line.starts_with("  1/1   head.epochs=2, head.lr=0.03   hit "), "{line}");
    assert!(again.stdout.contains("\n* best: evaluate.head.accuracy "), "{}", again.stdout);
    assert_eq!(fs_err::read_dir(project.path("out")).unwrap().count(), 5, "no folder for it but its own");

    // Whoever does not want a combination any more removes its folder.
    fs_err::remove_dir_all(project.path("out").join(NAMES[0])).unwrap();
    let gone = project.succeed(&["gc"]).stdout;
    assert!(gone.ends_with("; 10 artifacts stay\n"), "{gone}");
}

#[test]
fn a_combination_that_fails_says_why_and_the_others_go_on() {
    let project = small_project();
    project.write("broken.safetensors", "no weights");
    let over = "backbone.weights=[broken.safetensors, weights.safetensors, away.safetensors]";
    let arguments = ["sweep", "configs/c.yaml", "--over", over, "--until", "backbone"];
    let ran = project.run(&arguments);
    assert_eq!(ran.code, Some(1), "{}\n{}", ran.stdout, ran.stderr);
    let row = |weights: &str| {
        let is_row = |line: &&str| line.trim_start().starts_with(weights);
        ran.stdout.lines().rfind(is_row).unwrap_or_else(|| panic!("{weights}: {}", ran.stdout))
    };
    assert!(row("broken.safetensors").contains("   failed: backbone: "), "{}", ran.stdout);
    assert!(row("weights.safetensors").ends_with("   ran"), "{}", ran.stdout);
    assert!(
        row("away.safetensors").contains("   failed: ") && row("away").contains("not found"),
        "{}",
        ran.stdout
    );
    assert!(ran.stderr.contains("error: backbone.weights=broken.safetensors: backbone: "), "{}", ran.stderr);

    // So much is known before.
    let dry = project.run(&[arguments.as_slice(), &["--dry-run"]].concat());
    assert_eq!(dry.code, Some(1), "{}", dry.stdout);
    assert!(dry.stdout.contains("away.safetensors      fails: "), "{}", dry.stdout);

    let found = sweep(&project, 1, &arguments);
    let outcomes = texts(&found["rows"], "outcome");
    assert_eq!(outcomes, ["failed", "hit", "failed"], "what failed is tried again, the rest is there");
}

#[test]
fn an_interrupted_sweep_goes_on_with_what_is_left() {
    let project = small_project();
    let arguments = [
        "sweep",
        "configs/c.yaml",
        "--over",
        "seed=[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]",
        "--until",
        "head",
        "--json",
    ];
    for (signal, code) in [("INT", Some(130)), ("KILL", None)] {
        let mut child = project.command(&arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let done =
            |line: &String| line.contains(r#""event":"combination_finished""#) && line.contains(r#""ran""#);
        let is_new = |line: &String| done(line) && line.contains(r#""outcome":"ran""#);
        assert!(lines.by_ref().map(Result::unwrap).any(|line| is_new(&line)), "none ended before {signal}");
        let kill = format!("kill -s {signal} {}", child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        let printed: Vec<String> = lines.map_while(Result::ok).collect();
        assert_eq!(child.wait().unwrap().code(), code, "{printed:?}");
        if signal == "INT" {
            let found = last(printed.last().unwrap());
            let outcomes = texts(&found["rows"], "outcome");
            assert!(outcomes[0] == "ran" && outcomes[11] == "not_run", "{outcomes:?}");
        }
    }
    let found = sweep(&project, 0, &arguments[..arguments.len() - 1]);
    let outcomes = texts(&found["rows"], "outcome");
    assert_eq!(outcomes[..2], ["hit", "hit"], "{outcomes:?}");
    assert!(outcomes[2..].iter().all(|outcome| ["hit", "ran"].contains(&outcome.as_str())), "{outcomes:?}");
    assert!(outcomes.contains(&"ran".to_owned()), "both interruptions came before the end: {outcomes:?}");
    assert_eq!(found["best_by"], json!("head.accuracy"));
}

#[test]
fn what_cannot_be_varied_is_told_before_anything_runs() {
    let project = Project::new(env!("CARGO_BIN_EXE_pipeline"));
    project.write("configs/c.yaml", "pipeline: quick\ningest: { root: photos }\n");
    let fail = |more: &[&str]| project.fail(2, &[["sweep", "configs/c.yaml"].as_slice(), more].concat());
    let wrong = |over: &str| fail(&["--over", over]);
    assert_eq!(
        wrong("head.lr=[0.1, fast, 0.2]"),
        "error: --over head.lr, value 2 of 3: `head.lr`: expected a number, a list or a map, found the text `fast`\n"
    );
    let unknown = wrong("head.epoch=[1, 2]");
    assert!(
        unknown.starts_with("error: --over head.epoch: unknown key `epoch` in stage `head`\n"),
        "{unknown}"
    );
    assert!(unknown.ends_with("  hint: did you mean `epochs`?\n"), "{unknown}");
    let unknown = wrong("haed.lr=[1, 2]");
    assert!(unknown.starts_with("error: --over haed.lr: unknown key `haed`: "), "{unknown}");
    assert!(unknown.ends_with("  hint: did you mean `head`?\n"), "{unknown}");
    assert!(
        wrong("seed=[1, x]").starts_with("error: --over seed, value 2 of 2: `seed`: expected a whole number")
    );
    assert_eq!(
        wrong("head.lr=0.1"),
        "error: --over head.lr=0.1: expected a list of values, found `0.1`\n  hint: write it as --over 'head.lr=[0.003, 0.01]'\n"
    );
    let many: Vec<String> = (1..=101).map(|seed| seed.to_string()).collect();
    let (seeds, epochs) = (format!("seed=[{}]", many.join(",")), format!("head.epochs=[{}]", many.join(",")));
    assert_eq!(
        fail(&["--over", &seeds, "--over", &epochs]),
        "error: 10,201 combinations are too many for a sweep, expected at most 10,000\n  hint: vary fewer parameters at a time\n"
    );
    let metric = fail(&["--over", "seed=[1]", "--metric", "evalate.accuracy"]);
    assert!(
        metric.contains("found `--metric evalate.accuracy`\n  hint: did you mean `evaluate`?"),
        "{metric}"
    );
    let left_out = fail(&["--over", "seed=[1]", "--until", "head", "--metric", "evaluate.accuracy"]);
    assert_eq!(
        left_out,
        "error: `--metric evaluate.accuracy` cannot be shown: `--until` leaves `evaluate` out\n  hint: leave --until out, or name `evaluate` there\n"
    );
    let until = fail(&["--over", "seed=[1]", "--until", "haed"]);
    assert!(until.contains("unknown stage `haed` for `--until`"), "{until}");
    assert!(fail(&[]).contains("--over"));
    assert!(!project.path(".pipeline").exists() && !project.path("out").exists());
}

/// The command, whose threads give way while they wait for each other: other tests run beside.
fn patient(project: &Project, arguments: &[&str]) -> Command {
    let mut command = project.command(arguments);
    command.env("OMP_WAIT_POLICY", "passive");
    command
}

/// What a patient command prints.
fn printed(project: &Project, arguments: &[&str]) -> String {
    let output = patient(project, arguments).output().unwrap();
    let [stdout, stderr] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert_eq!(output.status.code(), Some(0), "{arguments:?}\n{stdout}\n{stderr}");
    stdout
}

#[test]
fn combinations_side_by_side_are_byte_for_byte_what_plain_runs_make() {
    let lesson = TinyLesson::new();
    let sweep = ["sweep", "configs/c.yaml", "--over", "finetune.lr=[0.00005, 0.0001]"];
    let options = ["--jobs", "3", "--threads", "2", "--json"];
    let stdout = printed(&lesson.project, &[sweep.as_slice(), &options].concat());
    let found = last(&stdout);
    let of_ended: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ended: Vec<&Value> =
        of_ended.iter().filter(|event| event["event"] == "combination_finished").collect();
    assert_eq!(ended.len(), 2);
    assert!(ended.iter().all(|event| event["row"].get("is_best").is_none()), "not known yet: {ended:?}");
    for row in found["rows"].as_array().unwrap() {
        let command: Vec<&str> = row["command"].as_str().unwrap().split(' ').skip(1).collect();
        let apart = ["--threads", "2", "--store", "plain/store", "--out", "plain/out"];
        printed(&lesson.project, &[command.as_slice(), &apart].concat());
        let plain = lesson.digests_in(&lesson.project.path("plain/out/c"));
        let swept = lesson.digests_in(row["path"].as_str().unwrap().as_ref());
        for (stage, artifact) in &plain {
            assert_eq!(Some(artifact), swept.get(stage), "{stage} of {row}");
        }
    }
}

#[test]
fn a_sweep_that_is_killed_anywhere_ends_with_the_same_table_and_the_same_artifacts() {
    let lesson = TinyLesson::new();
    let arguments = [
        "sweep",
        "configs/c.yaml",
        "--over",
        "finetune.epochs=[1, 2]",
        "--jobs",
        "2",
        "--threads",
        "2",
        "--checkpoint-every",
        "1steps",
        "--json",
    ];
    let whole = || {
        let found = last(&printed(&lesson.project, &arguments));
        let rows = found["rows"].as_array().unwrap();
        let artifacts: Vec<Digests> =
            rows.iter().map(|row| lesson.digests_in(row["path"].as_str().unwrap().as_ref())).collect();
        // Speeds, which other stages report, differ.
        let metrics = |row: &Value| {
            let columns = found["metrics"].as_array().unwrap().iter();
            columns.map(|name| row["metrics"][name.as_str().unwrap()].clone()).collect::<Vec<_>>()
        };
        let fields = ["combination", "parameters", "is_best", "command"];
        let cells = |row: &Value| [fields.map(|field| row[field].clone()).to_vec(), metrics(row)].concat();
        let table: Vec<Vec<Value>> = rows.iter().map(cells).collect();
        assert_eq!(table[0].len(), 4 + 12, "{found}");
        (table, artifacts)
    };
    let started = Instant::now();
    let undisturbed = whole();
    let seconds = started.elapsed().as_secs_f64();
    lesson.wipe();

    let mut random = Stream { seed: 11, purpose: "kills", ..Stream::default() }.start();
    let mut kills = 0;
    for round in 0..6 {
        let moment = Duration::from_secs_f64(seconds * below(500, &mut random) as f64 / 1e3);
        let mut child = patient(&lesson.project, &arguments).stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(moment);
        child.kill().unwrap();
        kills += usize::from(child.wait().unwrap().code().is_none());
        lesson.assert_nothing_is_half_made(&format!("round {round}, killed after {moment:?} of {seconds} s"));
    }
    assert!(kills >= 3, "{kills} kills");
    let (table, artifacts) = whole();
    assert_eq!(table, undisturbed.0);
    assert!(artifacts == undisturbed.1, "{artifacts:#?}\n{:#?}", undisturbed.1);
    lesson.project.succeed(&["gc"]);
    for folder in ["tmp", "partial"] {
        let left: Vec<_> = fs_err::read_dir(lesson.project.path(".pipeline").join(folder)).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn a_disk_that_takes_nothing_stops_the_sweep_and_is_told_once() {
    let project = small_project();
    // A file is where the folder of links belongs: no combination can have any.
    project.write("file", "");
    let arguments = [
        "sweep",
        "configs/c.yaml",
        "--over",
        "seed=[1, 2, 3, 4, 5, 6]",
        "--until",
        "backbone",
        "--out",
        "file",
    ];
    let ran = project.run(&arguments);
    assert_eq!(ran.code, Some(1), "{}\n{}", ran.stdout, ran.stderr);
    let errors: Vec<&str> = ran.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
    assert!(
        errors[0].starts_with("error: seed=1: backbone: cannot note the link to the artifact: "),
        "{errors:?}"
    );
    let rest = "error: the sweep stopped, since no combination can be made there: 5 of 6 were not tried";
    assert_eq!(errors[1..], [rest], "{}", ran.stderr);
    assert!(ran.stderr.contains("\n  hint: then run it again to go on: "), "{}", ran.stderr);
}

#[test]
fn a_metric_that_no_stage_reports_is_told_when_the_first_combination_is_done() {
    let project = small_project();
    let arguments = [
        "sweep",
        "configs/c.yaml",
        "--over",
        "seed=[1, 2, 3]",
        "--until",
        "head",
        "--metric",
        "head.acuracy",
    ];
    let mut command = project.command(&arguments);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let runs = || fs_err::read_dir(project.path(".pipeline/runs")).unwrap().count();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let warnings: Vec<(String, usize)> =
        lines.filter(|line| line.contains("no stage reports")).map(|line| (line, runs())).collect();
    assert!(child.wait().unwrap().success());
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].0.ends_with("; did you mean `head.accuracy`?"), "{warnings:?}");
    assert!(warnings[0].1 < 3, "not in the end: {warnings:?}");
}
