//! A model asked about photos that are in no data set, with what `evaluate` says of the same ones.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Stdio};

use pipeline_table::{AnswerRow, AnswersReader, Mode, PredictionRow, PredictionsReader};
use pipeline_testkit::{Project, Ran};
use serde_json::Value;

use crate::{SMALL, drawn_project};

/// A project whose head is trained and measured, plain and on crops.
fn trained() -> Project {
    // More photos of valid than go at once, and no multiple of that.
    let project = drawn_project(["6", "5", "2"], &format!("{SMALL}evaluate: {{ tta: five_crop }}\n"));
    let stages = "\
stages:
  ingest:     { kind: ingest }
  backbone:   { kind: backbone }
  precompute: { kind: precompute, inputs: { images: ingest, backbone: backbone } }
  head:       { kind: head, inputs: { features: precompute, backbone: backbone } }
  evaluate:   { kind: evaluate, inputs: { images: ingest, features: precompute, models: [head] } }
";
    project.write("pipelines/quick.yaml", stages);
    project.succeed(&["run", "configs/c.yaml"]);
    project
}

/// The rows of `predictions.parquet` in a mode, by id.
fn evaluated(project: &Project, mode: Mode) -> BTreeMap<String, PredictionRow> {
    let rows = PredictionsReader::open(&project.path("out/c/evaluate/predictions.parquet")).unwrap();
    let rows = rows.map(Result::unwrap).filter(|row| row.mode == mode);
    rows.map(|row| (row.id.clone(), row)).collect()
}

fn answers(path: &Path) -> Vec<AnswerRow> {
    AnswersReader::open(path).unwrap().map(Result::unwrap).collect()
}

/// The fields of CSV without quotes, and their names.
fn csv(text: &str) -> Vec<BTreeMap<String, String>> {
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let names = lines.next().unwrap();
    lines.map(|fields| names.iter().cloned().zip(fields).collect()).collect()
}

fn json(ran: &Ran) -> Vec<Value> {
    ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs_err::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = entries.map(|name| name.to_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

#[test]
fn probabilities_are_those_of_evaluate_to_the_last_bit_in_every_format_on_any_number_of_threads_from_any_copy()
 {
    let project = trained();
    let expected = evaluated(&project, Mode::Plain);
    assert_eq!(expected.len(), 10);
    // A model folder is whole.
    fs_err::create_dir(project.path("copy")).unwrap();
    for file in ["model.json", "trunk.safetensors", "head.safetensors"] {
        fs_err::copy(project.path("out/c/head").join(file), project.path("copy").join(file)).unwrap();
    }
    let mut written = vec![];
    for (model, threads, out) in
        [("out/c/head", "1", "a.parquet"), ("out/c/head", "2", "b.parquet"), ("copy", "3", "c.parquet")]
    {
        project.succeed(&["predict", model, "photos/valid", "--threads", threads, "--out", out]);
        written.push(fs_err::read(project.path(out)).unwrap());
    }
    assert!(
        written.iter().all(|bytes| *bytes == written[0]),
        "threads or the place of the model change bytes"
    );

    let rows = answers(&project.path("a.parquet"));
    let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    assert_eq!((rows.len(), ids[0]), (10, "photos/valid/cats/cat.1.jpg"), "{ids:?}");
    let plain = project.succeed(&["predict", "copy", "photos/valid", "--quiet"]);
    assert_eq!(plain.stderr, "");
    let lines = csv(&plain.stdout);
    for (row, line) in rows.iter().zip(&lines) {
        let evaluated = &expected[row.id.strip_prefix("photos/").unwrap()];
        let said = row.answer.as_ref().unwrap();
        let bits = |probs: &[f32]| probs.iter().map(|p| p.to_bits()).collect::<Vec<_>>();
        assert_eq!(
            bits(&said.probs),
            bits(&evaluated.probs),
            "{}: {:?} {:?}",
            row.id,
            said.probs,
            evaluated.probs
        );
        assert_eq!(
            (&said.predicted, said.predicted_id),
            (&evaluated.predicted, Some(evaluated.predicted_id))
        );
        assert_eq!(said.confidence.to_bits(), evaluated.confidence.to_bits());
        let of_csv = ["probs.cats", "probs.dogs"].map(|class| line[class].parse::<f32>().unwrap());
        assert_eq!(bits(&of_csv), bits(&evaluated.probs), "{line:?}");
        assert_eq!(
            (&line["id"], &line["predicted"], line["reason"].as_str()),
            (&row.id, &said.predicted, "")
        );
    }
    assert_eq!(lines.len(), 10);

    // The crops alone, as evaluate averages them where the plain view comes from the table.
    let crops = evaluated(&project, Mode::Tta);
    project.succeed(&["predict", "copy", "photos/valid", "--tta", "five_crop", "--out", "tta.parquet"]);
    for row in answers(&project.path("tta.parquet")) {
        let evaluated = &crops[row.id.strip_prefix("photos/").unwrap()];
        assert_eq!(row.answer.unwrap().probs, evaluated.probs, "{}", row.id);
    }
}

#[test]
fn bad_photos_are_answers_with_their_reason_and_a_failure_only_where_that_is_asked_for() {
    let project = trained();
    let cut = &fs_err::read(project.path("photos/valid/cats/cat.1.jpg")).unwrap()[..300];
    project.write("mixed/b cut.jpg", cut);
    project.write("mixed/c.jpg", "<!doctype html><html></html>");
    project.write("mixed/.hidden.jpg", "x");
    fs_err::copy(project.path("photos/valid/dogs/dog.1.jpg"), project.path("mixed/a.jpg")).unwrap();
    let arguments = ["predict", "out/c/head", "mixed", "--format", "json"];
    let ran = project.succeed(&arguments);
    let rows = json(&ran);
    let told: Vec<(&str, Option<&str>)> =
        rows.iter().map(|row| (row["id"].as_str().unwrap(), row["reason"].as_str())).collect();
    let expected =
        [("mixed/a.jpg", None), ("mixed/b cut.jpg", Some("truncated")), ("mixed/c.jpg", Some("html_page"))];
    assert_eq!(told, expected);
    assert!(rows[1]["detail"].as_str().unwrap().starts_with("truncated: "), "{}", rows[1]);
    assert!(rows[1]["predicted"].is_null() && rows[0]["predicted"].is_string());
    let lines: Vec<&str> = ran.stderr.lines().collect();
    assert!(
        lines[0].starts_with("3 photos in ") && lines[0].ends_with("2 bad (1 an HTML page, 1 truncated)"),
        "{lines:?}"
    );
    assert_eq!(lines[1], "left out: 1 hidden files and other clutter");
    let strict = project.run(&[arguments.as_slice(), &["--strict"]].concat());
    assert_eq!((strict.code, strict.stdout), (Some(1), ran.stdout));
    // What is said of the photo beside them is what is said of it alone.
    let alone = project.succeed(&["predict", "out/c/head", "mixed/a.jpg", "--format", "json"]);
    assert_eq!(json(&alone)[0], rows[0]);
    let table = project.succeed(&["predict", "out/c/head", "mixed", "--format", "table"]).stdout;
    assert!(table.starts_with("  predicted   confidence   photo\n  "), "{table}");
    assert!(table.contains("  bad                  -   mixed/c.jpg   (an HTML page: "), "{table}");
}

#[test]
fn the_most_probable_classes_are_named_and_photos_below_the_threshold_are_unsure() {
    let project = trained();
    let ran = project.succeed(&["predict", "out/c/head", "photos/valid", "--format", "json", "--top", "7"]);
    let mut confidences = vec![];
    for row in json(&ran) {
        let top: Vec<f64> =
            row["top"].as_array().unwrap().iter().map(|one| one["probability"].as_f64().unwrap()).collect();
        assert!(top.len() == 2 && top[0] >= top[1] && (top[0] + top[1] - 1.0).abs() < 1e-5, "{row}");
        assert_eq!(
            (&row["top"][0]["class"], &row["top"][0]["probability"]),
            (&row["predicted"], &row["confidence"])
        );
        confidences.push(top[0]);
    }
    confidences.sort_by(f64::total_cmp);
    let threshold = format!("{}", (confidences[3] + confidences[4]) / 2.0);
    let ran = project.succeed(&["predict", "out/c/head", "photos/valid", "--threshold", &threshold]);
    let rows = csv(&ran.stdout);
    let unsure: Vec<_> = rows.iter().filter(|row| row["predicted"] == "unsure").collect();
    assert_eq!(unsure.len(), 4, "{confidences:?}");
    assert!(unsure.iter().all(|row| row["predicted_id"].is_empty() && !row["probs.cats"].is_empty()));
    assert!(ran.stderr.contains(", 4 unsure"), "{}", ran.stderr);
}

#[test]
fn photos_are_sorted_into_folders_by_class_and_nothing_is_overwritten() {
    let project = trained();
    let copied = |more: &[&str]| {
        project.succeed(&[["predict", "out/c/head", "photos/valid", "--out"].as_slice(), more].concat())
    };
    copied(&["first.csv", "--copy-into", "photos/valid/sorted"]);
    let expected: BTreeMap<String, String> = csv(&project.read("first.csv"))
        .into_iter()
        .map(|row| {
            (
                Path::new(&row["id"]).file_name().unwrap().to_str().unwrap().to_owned(),
                row["predicted"].clone(),
            )
        })
        .collect();
    assert_eq!(expected.len(), 10);
    for (name, class) in &expected {
        let class_of_file = if name.starts_with("cat") { "cats" } else { "dogs" };
        let photo = fs_err::read(project.path("photos/valid").join(class_of_file).join(name)).unwrap();
        assert!(photo == fs_err::read(project.path("photos/valid/sorted").join(class).join(name)).unwrap());
    }
    // Again: what was sorted is no photo to ask about, and is there already.
    let again = copied(&["again.csv", "--copy-into", "photos/valid/sorted"]);
    assert_eq!(project.read("again.csv"), project.read("first.csv"));
    assert!(
        again.stderr.contains("copied 0 into photos/valid/sorted, 10 were there before"),
        "{}",
        again.stderr
    );

    // Another photo of the same name gets a free one, and photos that are moved are not where they were; nor are those that
    // were sorted before, which are no other photos.
    let twin = "dogs/cat.1.jpg";
    fs_err::copy(project.path("photos/valid/dogs/dog.2.jpg"), project.path("photos/valid").join(twin))
        .unwrap();
    let moved = copied(&["moved.csv", "--move-into", "moved", "--threshold", "1"]);
    assert!(moved.stderr.contains("moved 11 into moved, 10 were there before\n"), "{}", moved.stderr);
    assert_eq!(names(&project.path("moved")), ["unsure"]);
    let in_unsure = names(&project.path("moved/unsure"));
    assert!(in_unsure.len() == 11 && in_unsure.contains(&"cat.1-2.jpg".to_owned()), "{in_unsure:?}");
    assert!(names(&project.path("photos/valid/cats")).is_empty());
    // What was moved into a folder that is asked about is not asked about again.
    let stderr = project.fail(2, &["predict", "out/c/head", "moved", "--move-into", "moved"]);
    assert!(stderr.starts_with("error: there are no photos in `moved`\n"), "{stderr}");
}

#[test]
fn a_move_that_is_stopped_says_how_far_it_came_and_keeps_the_answers() {
    let project = trained();
    let photo = fs_err::read(project.path("photos/valid/dogs/dog.1.jpg")).unwrap();
    let paths: Vec<String> = (0..200).map(|number| format!("in/{number}.jpg")).collect();
    paths.iter().for_each(|path| project.write(path, &photo));
    let arguments = ["predict", "out/c/head", "-", "--out", "answers.csv", "--move-into", "moved"];
    let mut command = project.command(&[arguments.as_slice(), &["--threads", "1"]].concat());
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A list that does not end: the command waits for the rest.
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all((paths.join("\n") + "\n").as_bytes()).unwrap();
    stdin.flush().unwrap();
    let left = || names(&project.path("in")).len();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while left() == 200 {
        assert!(std::time::Instant::now() < deadline, "photos are moved");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let kill = format!("kill -s INT {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    let ran = Ran::from(child.wait_with_output().unwrap());
    let moved = 200 - left();
    let expected = format!(
        "error: interrupted; `answers.csv` was not written; {moved} photos were moved into `moved`; the answers so far are in \
         `answers.csv.part`"
    );
    assert!(ran.code == Some(130) && ran.stderr.lines().any(|line| line == expected), "{}", ran.stderr);
    let told = csv(&project.read("answers.csv.part"));
    assert_eq!(told.len(), moved);
    for row in told {
        assert!(!project.path(&row["id"]).exists(), "{}", row["id"]);
    }
    assert!(!names(&project.path(".")).iter().any(|name| name.ends_with(".partial")));
}

#[test]
fn photos_are_named_by_patterns_and_by_lists_and_by_names_of_any_kind() {
    let project = trained();
    let ids =
        |ran: Ran| json(&ran).iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let ask = |paths: &[&str]| {
        ids(project.succeed(&[["predict", "out/c/head", "--format", "json"].as_slice(), paths].concat()))
    };
    assert_eq!(
        ask(&["photos/valid/*/???.1.jpg"]),
        ["photos/valid/cats/cat.1.jpg", "photos/valid/dogs/dog.1.jpg"]
    );
    assert_eq!(
        ask(&["photos//**/dog.[12].jpg", "./photos/valid/cats/cat.3.jpg"]).last().unwrap(),
        "./photos/valid/cats/cat.3.jpg"
    );

    let mut valid = ask(&["photos/valid"]);
    valid.sort();
    assert_eq!(valid.len(), 10);
    for pattern in ["photos/valid/**", "photos/valid/**/*", "photos/valid/**/*.jpg"] {
        let mut found = ask(&[pattern]);
        found.sort();
        assert_eq!(found, valid, "{pattern}");
    }

    let photo = fs_err::read(project.path("photos/valid/dogs/dog.1.jpg")).unwrap();
    let odd = ["-v.jpg", "=1+1.jpg", "a b.jpg", "new\nline.jpg"];
    odd.iter().for_each(|name| project.write(&format!("odd/{name}"), &photo));
    let raw = project.path("odd").join(std::ffi::OsStr::from_bytes(b"\xff.jpg"));
    fs_err::write(raw, &photo).unwrap();
    let found = ask(&["odd"]);
    let expected = ["odd/-v.jpg", "odd/=1+1.jpg", "odd/a b.jpg", "odd/new\nline.jpg", "odd//\\xff.jpg"];
    assert_eq!(found, expected);

    let listed = |list: &[u8], more: &[&str]| {
        let arguments = [["predict", "../out/c/head", "-", "--format"].as_slice(), more].concat();
        let mut command = project.command(&arguments);
        command
            .current_dir(project.path("odd"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(list).unwrap();
        let ran = Ran::from(child.wait_with_output().unwrap());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        ran
    };
    assert_eq!(ids(listed(b"-v.jpg\n\n=1+1.jpg\n../photos/valid/cats\n", &["json"])).len(), 2 + 5);
    assert_eq!(ids(listed(b"new\nline.jpg\0a b.jpg\0", &["json", "-0"])), ["new\nline.jpg", "a b.jpg"]);
    // In a spreadsheet, a name is no formula.
    let ran = listed(b"=1+1.jpg\n-v.jpg\ngone.jpg\n", &["csv"]);
    let rows = csv(&ran.stdout);
    let told: Vec<(&str, &str)> =
        rows.iter().map(|row| (row["id"].as_str(), row["reason"].as_str())).collect();
    assert_eq!(told, [("'=1+1.jpg", ""), ("'-v.jpg", ""), ("gone.jpg", "unreadable")]);
}

#[test]
fn what_cannot_be_asked_is_told_with_the_way_out() {
    let project = trained();
    let told = |arguments: &[&str]| project.fail(2, &[["predict"].as_slice(), arguments].concat());
    let one = "give one of: ";
    for (model, what) in [
        ("configs/c.yaml", "is a config"),
        ("out/c/evaluate", "is an artifact of `evaluate`"),
        ("out/c/precompute", "is an artifact of `precompute`"),
        ("out/c", "is no model"),
        ("out/c/heat", "is not there"),
        ("out/c/head/model.json", "is a file of a model"),
    ] {
        let stderr = told(&[model, "photos"]);
        assert!(
            stderr.contains(&format!("error: `{model}` {what}, expected the folder of a model")),
            "{stderr}"
        );
        assert!(stderr.contains(one) && stderr.contains("out/c/head"), "{stderr}");
    }
    fs_err::create_dir(project.path("empty")).unwrap();
    project.write("there.csv", "mine");
    for (arguments, expected) in [
        (vec!["empty"], "error: there are no photos in `empty`"),
        (vec!["gone"], "error: there is no file or folder `gone`"),
        (vec!["photos/*.gif"], "error: nothing is called like `photos/*.gif`"),
        (vec!["photos", "--out", "there.csv"], "error: cannot write `there.csv`: it is already there"),
        (vec!["photos", "--out", "answers.xls"], "error: `answers.xls` does not say its format"),
        (vec!["photos", "--format", "parquet"], "error: cannot print Parquet"),
        (
            vec!["photos", "--tta", "4"],
            "error: cannot draw 4 random views of each photo: a model folder does not have",
        ),
        (vec!["photos", "--threshold", "1.5"], "expected a probability from 0 to 1"),
        (vec!["photos", "--tta", "flop"], "or one of flip, five_crop, ten_crop"),
    ] {
        let stderr = told(&[["out/c/head"].as_slice(), &arguments].concat());
        assert!(stderr.contains(expected), "{arguments:?}: {stderr}");
    }
    assert_eq!(project.read("there.csv"), "mine");
    project.succeed(&["predict", "out/c/head", "photos/valid", "--out", "there.csv", "--force"]);
    assert!(project.read("there.csv").starts_with("id,predicted,"));
}

#[test]
fn random_views_are_drawn_by_the_policy_of_an_artifact() {
    let project = drawn_project(["3", "2", "1"], SMALL);
    project.succeed(&["run", "configs/c.yaml", "--until", "augment,head"]);
    let ask = |seed: &str| {
        let random = ["--tta", "3", "--policy", "out/c/augment", "--seed", seed];
        project.succeed(&[["predict", "out/c/head", "photos/valid"].as_slice(), &random].concat()).stdout
    };
    assert_eq!(ask("1"), ask("1"));
    assert_ne!(ask("1"), ask("2"));
}

#[test]
fn a_command_that_is_stopped_or_killed_leaves_no_half_file() {
    let project = trained();
    // A list that does not end: the command waits for the rest.
    for (signal, code) in [("INT", Some(130)), ("TERM", Some(143)), ("KILL", None)] {
        let arguments = ["predict", "out/c/head", "-", "--out", "answers.csv"];
        let mut command = project.command(&arguments);
        let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        for _ in 0..100 {
            stdin.write_all(b"photos/valid/cats/cat.1.jpg\n").unwrap();
        }
        stdin.flush().unwrap();
        let begun = || names(&project.path(".")).iter().any(|name| name.ends_with(".partial"));
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while !begun() {
            assert!(std::time::Instant::now() < deadline, "the file is begun");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let kill = format!("kill -s {signal} {}", child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        let status = child.wait().unwrap();
        assert_eq!(status.code(), code, "{signal}");
        let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        assert!(
            code.is_none() || stderr.any(|line| line == "error: interrupted; `answers.csv` was not written")
        );
        assert!(!project.path("answers.csv").exists(), "{signal}");
        let left: Vec<String> =
            names(&project.path(".")).into_iter().filter(|name| name.ends_with(".partial")).collect();
        assert_eq!(left.len(), usize::from(code.is_none()), "{signal}: {left:?}");
    }
    project.succeed(&["predict", "out/c/head", "photos/valid", "--out", "answers.csv"]);
    assert_eq!(project.read("answers.csv").lines().count(), 11);
}

#[test]
fn a_reader_that_goes_away_ends_the_command_quietly() {
    let project = trained();
    let mut child = project
        .command(&["predict", "out/c/head", "photos", "photos", "photos", "--quiet"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ran = child.wait_with_output().unwrap();
    assert!(line.starts_with("id,predicted,"), "{line}");
    assert_eq!((ran.status.code(), String::from_utf8_lossy(&ran.stderr).as_ref()), (Some(0), ""));
}
