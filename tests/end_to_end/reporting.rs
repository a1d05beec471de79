//! What was evaluated, shown and compared.

use pipeline_testkit::Project;

use crate::small_project;

/// Nobody's terminal: what is drawn depends on arguments alone.
fn report(project: &Project, more: &[&str]) -> String {
    project.succeed(&[["report", "configs/c.yaml"].as_slice(), more].concat()).stdout
}

/// Names of the runs, the first first.
fn runs(project: &Project) -> Vec<String> {
    let entries = fs_err::read_dir(project.path(".pipeline/runs")).unwrap();
    let mut names: Vec<String> =
        entries.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    // Two runs may begin in one second.
    names.sort_by_key(|name| {
        fs_err::metadata(project.path(".pipeline/runs").join(name)).unwrap().modified().unwrap()
    });
    names
}

/// Writes a file into an artifact, whose own files cannot be written.
fn put(project: &Project, file: &str, content: &[u8]) {
    let path = project.path(file);
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    if path.exists() {
        fs_err::remove_file(&path).unwrap();
    }
    fs_err::write(path, content).unwrap();
}

#[test]
fn the_verdict_of_what_was_evaluated_is_shown_again_and_staleness_is_said() {
    let project = small_project();
    let nothing = project.fail(2, &["report", "configs/c.yaml"]);
    assert_eq!(
        nothing,
        "error: configs/c.yaml has evaluated nothing yet: evaluate depends on ingest, precompute, head\n  \
         hint: pipeline run configs/c.yaml\n"
    );
    let ran = project.succeed(&["run", "configs/c.yaml"]);

    let metrics = project.read("out/c/evaluate/metrics.json");
    put(&project, "out/c/evaluate/metrics.json", b"{}");
    assert_eq!(
        project.fail(2, &["report", "configs/c.yaml"]),
        format!(
            "error: configs/c.yaml has no evaluation that is whole: evaluate is damaged (metrics.json has 2 bytes, \
             expected {})\n  hint: pipeline run configs/c.yaml\n",
            metrics.len()
        )
    );
    put(&project, "out/c/evaluate/metrics.json", metrics.as_bytes());

    let shown = report(&project, &[]);
    let verdict: Vec<&str> = shown.trim_end().lines().collect();
    let (page, verdict) = verdict.split_last().unwrap();
    assert_eq!(*page, "open out/c/evaluate/report.html");
    assert!(verdict.len() <= 21 && verdict[0].contains("accuracy"), "{shown}");
    assert!(ran.stdout.contains(verdict.join("\n").trim_end()), "{shown}\n{}", ran.stdout);
    assert_eq!(report(&project, &["evaluate"]), shown);
    let again = project.succeed(&["run", "configs/c.yaml"]).stdout;
    assert!(again.ends_with("\n\nopen out/c/evaluate/report.html\n"), "{again}");

    let stale = report(&project, &["--set", "head.lr=0.003"]);
    let word = "evaluate is not fresh, depends on head; this is what an earlier run left\n";
    assert!(stale.starts_with(word) && stale.ends_with(&shown), "{stale}");
    let error =
        project.fail(2, &["report", "configs/c.yaml", "--set", "head.lr=0.003", "--out", "elsewhere"]);
    let hint = "hint: pipeline run configs/c.yaml --set head.lr=0.003\n";
    assert!(error.contains("evaluate depends on head") && error.ends_with(hint), "{error}");
}

#[test]
fn a_config_that_evaluates_nothing_and_a_stage_that_does_not_are_told_what_does() {
    let project = small_project();
    project.write(
        "configs/f.yaml",
        crate::SMALL.replace("quick", "features").replace("head: { batch_size: 8 }\n", ""),
    );
    assert_eq!(
        project.fail(2, &["report", "configs/f.yaml"]),
        "error: configs/f.yaml evaluates nothing: none of its stages does (ingest, augment, backbone, precompute)\n  \
         hint: add a stage of kind `evaluate` to its pipeline, as `pipeline: quick` has one\n"
    );
    assert_eq!(
        project.fail(2, &["report", "configs/c.yaml", "head"]),
        "error: `head` evaluates nothing: it is of kind `head`, expected one of: evaluate\n"
    );
    assert_eq!(
        project.fail(2, &["report", "configs/c.yaml", "evalute"]),
        "error: unknown stage `evalute`, expected one of: evaluate\n  hint: did you mean `evaluate`?\n"
    );
}

#[test]
fn two_evaluations_are_compared_by_run_by_config_and_by_folder() {
    let project = small_project();
    project.succeed(&["run", "configs/c.yaml"]);
    project.succeed(&["run", "configs/c.yaml", "--set", "head.lr=0.5", "--set", "head.epochs=1"]);
    let sets = ["--set", "head.lr=0.5", "--set", "head.epochs=1"];
    let against = |what: &str| report(&project, &[sets.as_slice(), &["--against", what]].concat());

    let first = runs(&project)[0].clone();
    let by_run = against(&first);
    let by_config = against("configs/c.yaml");
    let old = fs_err::read_dir(project.path(".pipeline/store/evaluate")).unwrap().map(|e| e.unwrap().path());
    let now = fs_err::canonicalize(project.path("out/c/evaluate")).unwrap();
    let old = old.map(|path| fs_err::canonicalize(path).unwrap()).find(|path| *path != now).unwrap();
    let by_folder = against(&old.display().to_string());

    let lines: Vec<&str> = by_run.lines().collect();
    assert!(lines.len() <= 20, "{by_run}");
    assert!(lines[0].starts_with("this: c with head.lr=0.5 head.epochs=1, evaluate "), "{by_run}");
    assert!(lines[1].starts_with(&format!("that: run {first}, evaluate ")), "{by_run}");
    assert_eq!(lines[2], "on 8 valid photos that both measured");
    // All but who that is and where the page is.
    let numbers = |text: &str| {
        text.lines().skip(2).filter(|l| !l.starts_with("open ")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(numbers(&by_config), numbers(&by_run));
    assert_eq!(numbers(&by_folder), numbers(&by_run));

    let page = lines.last().unwrap().strip_prefix("open ").unwrap();
    assert!(
        page.starts_with(".pipeline/reports/c.") && page.contains(&format!("-against-{first}.")),
        "{page}"
    );
    let html = project.read(page);
    for part in
        ["<td>lr</td><td><bdi>0.01</bdi></td><td><bdi>0.5</bdi></td>", "<td>accuracy</td>", "Fixed by this: "]
    {
        assert!(html.contains(part), "{part}\n{html}");
    }
    assert_eq!(against(&first), by_run, "asked again, the same");
    assert_eq!(project.read(page), html);
}

#[test]
fn what_cannot_be_compared_is_said() {
    let project = small_project();
    project.succeed(&["run", "configs/c.yaml"]);
    let run = runs(&project)[0].clone();
    let fault =
        |against: &str, code: i32| project.fail(code, &["report", "configs/c.yaml", "--against", against]);
    let hint = "hint: name a run, a config, or the folder of an evaluation, such as out/CONFIG/evaluate\n";

    let same = fault(&run, 2);
    assert!(
        same.starts_with("error: cannot compare: c, evaluate ")
            && same.contains(" are the same evaluation\n"),
        "{same}"
    );
    let error = project.fail(2, &["report", "configs/c.yaml", "--set", "head.lr=0.77", "--against", &run]);
    assert_eq!(
        error,
        "error: configs/c.yaml has not been run with head.lr=0.77: evaluate depends on head\n  \
         hint: pipeline run configs/c.yaml --set head.lr=0.77\n"
    );
    let error = fault("out/c/head", 2);
    let expected = "error: out/c/head is no evaluation: it is what a stage of kind `head` made\n  ";
    assert_eq!(error, format!("{expected}{hint}"));
    let error = fault("photos", 2);
    assert_eq!(error, format!("error: photos is no evaluation: found no artifact.json in it\n  {hint}"));
    let error = fault("20270101", 2);
    assert_eq!(
        error,
        format!(
            "error: no run `20270101` in <project>/.pipeline/runs, the newest are: {run}\n  \
             hint: name a run such as {run}, a config, or the folder of an evaluation\n"
        )
    );
    project.succeed(&["run", "configs/c.yaml", "--until", "ingest"]);
    let short = runs(&project)[1].clone();
    let error = fault(&short, 2);
    assert!(error.starts_with(&format!("error: the run {short} has evaluated nothing\n")), "{error}");

    // Of another key, so that it is not the same, and cut short.
    project.succeed(&["run", "configs/c.yaml", "--set", "head.lr=0.5"]);
    let table = fs_err::read(project.path("out/c/evaluate/predictions.parquet")).unwrap();
    put(&project, "out/c/evaluate/predictions.parquet", &table[..table.len() / 2]);
    let error = fault("out/c/evaluate", 1);
    assert!(
        error.starts_with("error: cannot read `out/c/evaluate/predictions.parquet`: it is cut short"),
        "{error}"
    );
}

#[test]
fn photos_that_changed_are_left_out_and_a_verdict_is_not_lost_with_its_page() {
    let project = small_project();
    project.succeed(&["run", "configs/c.yaml"]);
    let first = runs(&project)[0].clone();
    let copy = project.path("copy");
    fs_err::create_dir(&copy).unwrap();
    for file in ["artifact.json", "predictions.parquet"] {
        fs_err::copy(project.path("out/c/evaluate").join(file), copy.join(file)).unwrap();
    }
    // Another photo under the name of one of valid.
    let photos = project.path("photos");
    let in_class = |split: &str| {
        let class = fs_err::read_dir(photos.join(split)).unwrap().map(|e| e.unwrap().path()).min().unwrap();
        fs_err::read_dir(class).unwrap().map(|e| e.unwrap().path()).min().unwrap()
    };
    let changed = in_class("valid");
    fs_err::copy(in_class("train"), &changed).unwrap();
    project.succeed(&["run", "configs/c.yaml"]);

    let id = changed.strip_prefix(&photos).unwrap().to_str().unwrap();
    let by_run = report(&project, &["--against", &first]);
    let warning = format!("warning: 1 photo is of other content in that and left out: {id}");
    assert!(
        by_run.contains("on 7 valid photos that both measured\n") && by_run.contains(&warning),
        "{by_run}"
    );

    let by_copy = report(&project, &["--against", "copy"]);
    let warning =
        "warning: photos are matched by name: whether those of one name have the same content is not known";
    assert!(
        by_copy.contains("on 8 valid photos that both measured\n") && by_copy.contains(warning),
        "{by_copy}"
    );
    let page = project.read(by_copy.lines().last().unwrap().strip_prefix("open ").unwrap());
    assert!(page.contains("Of that, which lies outside of a store"), "{page}");

    fs_err::remove_dir_all(project.path(".pipeline/reports")).unwrap();
    project.write(".pipeline/reports", "no folder");
    let ran = project.run(&["report", "configs/c.yaml", "--against", &first]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(by_run.starts_with(ran.stdout.trim_end()) && ran.stdout.contains("McNemar"), "{}", ran.stdout);
    let start = "error: the page of the comparison could not be written: ";
    let way = "hint: let the store be written to, or name another with `--store DIR`\n";
    assert!(ran.stderr.starts_with(start) && ran.stderr.ends_with(way), "{}", ran.stderr);
}

#[test]
fn pictures_are_drawn_where_asked_and_a_note_says_why_none_is() {
    let project = small_project();
    project.succeed(&["run", "configs/c.yaml"]);
    let ran = project.succeed(&["report", "configs/c.yaml", "--pictures"]);
    assert!(!ran.stdout.contains('\u{1b}'), "{}", ran.stdout);
    assert!(
        ran.stderr.starts_with("note: no pictures are drawn, since standard output is no terminal"),
        "{}",
        ran.stderr
    );

    let mut png = Vec::new();
    let picture = image::RgbImage::from_fn(30, 20, |x, y| image::Rgb([x as u8, y as u8, 7]));
    picture.write_to(&mut std::io::Cursor::new(&mut png), image::ImageFormat::Png).unwrap();
    put(&project, "out/c/evaluate/sheets/a.png", &png);
    for (how, begins) in
        [("kitty", "\u{1b}_Ga=T,f=100"), ("iterm", "\u{1b}]1337;File="), ("sixel", "\u{1b}P0;1;0q\"1;1;")]
    {
        let shown = report(&project, &[&format!("--pictures={how}")]);
        assert!(shown.contains(&format!("\n\nsheets/a.png\n{begins}")), "{how}: {shown:?}");
    }
    put(&project, "out/c/evaluate/sheets/a.png", b"no picture");
    let error = project.fail(1, &["report", "configs/c.yaml", "--pictures=sixel"]);
    assert!(error.starts_with("error: cannot draw out/c/evaluate/sheets/a.png: "), "{error}");
    let error = project.fail(2, &["report", "configs/c.yaml", "--pictures=ansi"]);
    assert!(error.contains("[possible values: auto, kitty, iterm, sixel]"), "{error}");
}
