//! What runs again and what does not.

use pipeline_table::FeaturesReader;

use crate::small_project;

fn states(stages: &[&str]) -> Vec<String> {
    stages.iter().map(|s| (*s).to_owned()).collect()
}

#[test]
fn the_second_run_finds_everything_and_a_changed_number_runs_only_what_depends_on_it() {
    let project = small_project();
    let ran = ["ingest ran", "augment ran", "backbone ran", "precompute ran", "head ran", "evaluate ran"];
    assert_eq!(project.outcomes(&["run", "configs/c.yaml"]), states(&ran));
    let fresh = [
        "ingest fresh",
        "augment fresh",
        "backbone fresh",
        "precompute fresh",
        "head fresh",
        "evaluate fresh",
    ];
    assert_eq!(project.outcomes(&["run", "configs/c.yaml"]), states(&fresh));
    let changed =
        ["ingest fresh", "augment fresh", "backbone fresh", "precompute fresh", "head ran", "evaluate ran"];
    assert_eq!(project.outcomes(&["run", "configs/c.yaml", "--set", "head.lr=0.003"]), states(&changed));
    // Back to the first number: its artifact is still there.
    assert_eq!(project.outcomes(&["run", "configs/c.yaml"]), states(&fresh));
    // The seed decides about the head, and about the views, of which there are plain ones only.
    let reseeded =
        ["ingest fresh", "augment ran", "backbone fresh", "precompute fresh", "head ran", "evaluate ran"];
    assert_eq!(project.outcomes(&["run", "configs/c.yaml", "--set", "seed=7"]), states(&reseeded));
}

#[test]
fn status_says_what_the_run_will_do_and_why() {
    let project = small_project();
    let status = |more: &[&str]| {
        let ran = project.succeed(&[["status", "configs/c.yaml"].as_slice(), more].concat());
        let (header, stages) = ran.stdout.split_once("\n\n").unwrap();
        let files = header.lines().nth(1).unwrap();
        assert_eq!(files, "read configs/c.yaml");
        stages.lines().map(|l| l.split_whitespace().take(5).collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    assert_eq!(
        status(&[]),
        [
            "ingest missing no artifact yet",
            "augment depends on ingest",
            "backbone missing no artifact yet",
            "precompute depends on ingest, augment,",
            "head depends on backbone, precompute",
            "evaluate depends on ingest, precompute,"
        ]
        .map(|line| line.to_owned())
    );
    project.succeed(&["run", "configs/c.yaml"]);
    assert!(status(&[]).iter().all(|line| line.contains(" fresh ")), "{:?}", status(&[]));
    let changed = status(&["--set", "head.lr=0.003"]);
    assert_eq!(changed[4], "head stale lr 0.01 →");
    assert_eq!(changed[5], "evaluate depends on head");
}

#[test]
fn a_dry_run_status_and_explain_say_what_a_changed_number_does_and_write_nothing() {
    let project = small_project();
    let json = |arguments: &[&str]| {
        let ran = project.succeed(&[arguments, &["--json"]].concat());
        serde_json::from_str::<serde_json::Value>(&ran.stdout).unwrap()
    };
    let dry_run = ["run", "configs/c.yaml", "--dry-run"];
    let check = |more: &[&str]| project.run(&[&dry_run, ["--check"].as_slice(), more].concat()).code;
    assert_eq!(check(&[]), Some(3), "something would run");
    project.succeed(&dry_run);
    assert!(!project.path(".pipeline").exists() && !project.path("out").exists());

    project.succeed(&["run", "configs/c.yaml"]);
    assert_eq!(check(&[]), Some(0));
    let set = ["--set", "head.lr=0.003"];
    assert_eq!(check(&set), Some(3));
    assert_eq!(check(&["--set", "head.lr=0.003", "--until", "pre*,ingest"]), Some(0));
    let lines = project.succeed(&[dry_run.as_slice(), &set].concat()).stdout;
    let lines: Vec<String> =
        lines.lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert!(lines[0].starts_with("c: 6 stages, 4 fresh, 1 to run, 1 depends on it ("), "{lines:?}");
    assert_eq!(
        lines[2..],
        [
            "ingest use fresh",
            "augment use fresh",
            "backbone use fresh",
            "precompute use fresh",
            "head run stale (lr 0.01 → 0.003)",
            "evaluate decide depends on head"
        ]
    );
    let status = json(&["status", "configs/c.yaml", "--set", "head.lr=0.003"]);
    assert_eq!(status, json(&[dry_run.as_slice(), &set].concat()));
    assert_eq!(status["format"], 1);
    let change = serde_json::json!([{"part": "parameter", "name": "lr", "old": 0.01, "new": 0.003}]);
    assert_eq!(status["stages"][4]["changes"], change);
    assert_eq!(status["stages"][5]["depends_on"], serde_json::json!(["head"]));

    let told = project.succeed(&["explain", "configs/c.yaml", "head", "--set", "head.lr=0.003"]).stdout;
    assert!(told.starts_with("head is stale because its parameter lr changed\n  kind version "), "{told}");
    let lr = told.lines().find(|line| line.trim_start().starts_with("lr ")).unwrap();
    assert!(lr.contains(" 0.01 → 0.003 ") && lr.ends_with("← stale"), "{told}");
    assert!(told.contains(" of precompute, unchanged)"), "{told}");
    let told = json(&["explain", "configs/c.yaml", "evaluate", "--set", "head.lr=0.003"]);
    assert_eq!(told["headline"], "evaluate depends on head");
    assert_eq!(told["upstream"][0], "head is stale because its parameter lr changed");

    let error = project.fail(2, &["run", "configs/c.yaml", "--force-downstream", "heda"]);
    let expected = "error: unknown stage `heda` for `--force-downstream`, expected one of: ingest, augment, \
                    backbone, precompute, head, evaluate\n  hint: did you mean `head`?\n";
    assert_eq!(error, expected);
    let forced = ["run", "configs/c.yaml", "--force-downstream", "he*"];
    assert_eq!(project.outcomes(&forced)[3..], states(&["precompute fresh", "head ran", "evaluate ran"]));
}

#[test]
fn a_config_that_extends_another_has_the_keys_of_the_config_written_out() {
    let project = small_project();
    project.succeed(&["run", "configs/c.yaml"]);
    let base = crate::SMALL.replace("{ size: 64 }", "{ size: 96 }");
    project.write("configs/base.yaml", format!("# The base.\n{base}"));
    project.write("configs/more.yaml", "extends: configs/base.yaml\nprecompute:\n  size: 64\n");
    let fresh =
        ["ingest", "augment", "backbone", "precompute", "head", "evaluate"].map(|s| format!("{s} fresh"));
    assert_eq!(project.outcomes(&["run", "configs/more.yaml"]), fresh);
    let status = project.succeed(&["status", "configs/more.yaml"]).stdout;
    let beginning = "more: 6 stages, 6 fresh, 0 to run   (quick, built in, seed 42, ";
    assert!(
        status.starts_with(beginning) && status.contains("\nread configs/more.yaml, configs/base.yaml\n\n"),
        "{status}"
    );
    let valid = project.succeed(&["validate", "configs/more.yaml"]).stdout;
    assert!(valid.ends_with("\nread configs/more.yaml, configs/base.yaml\n"), "{valid}");
    let json = project.succeed(&["status", "configs/more.yaml", "--json"]).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["files"], serde_json::json!(["configs/more.yaml", "configs/base.yaml"]));
}

#[test]
fn a_touched_photo_is_fresh_and_a_changed_one_of_the_same_size_is_not() {
    let project = small_project();
    project.succeed(&["run", "configs/c.yaml"]);
    let photo = project.path("photos/train/cats/cat.1.jpg");
    let bytes = fs_err::read(&photo).unwrap();
    fs_err::write(&photo, &bytes).unwrap();
    assert_eq!(project.outcomes(&["run", "configs/c.yaml", "--only", "ingest"])[0], "ingest fresh");

    let mut other = bytes;
    // In the middle of the picture, which the centre crop keeps.
    let place = other.len() / 2;
    other[place] ^= 1;
    fs_err::write(&photo, &other).unwrap();
    let told = project.succeed(&["explain", "configs/c.yaml", "ingest"]).stdout;
    let why = "ingest is stale because the content of its source photos changed (train/cats/cat.1.jpg: other bytes, same size)\n";
    assert!(told.starts_with(why), "{told}");
    let outcomes = project.outcomes(&["run", "configs/c.yaml"]);
    assert_eq!(
        outcomes,
        states(&[
            "ingest ran",
            "augment ran",
            "backbone fresh",
            "precompute ran",
            "head ran",
            "evaluate ran"
        ])
    );
}

#[test]
fn photos_in_the_projects_own_folder_are_fresh_after_a_run_has_written_beside_them() {
    let project = small_project();
    for split in ["train", "valid"] {
        fs_err::rename(project.path("photos").join(split), project.path(split)).unwrap();
    }
    let run = ["run", "configs/c.yaml", "--until", "ingest", "--set", "ingest.root=.", "--store", "store"];
    assert_eq!(project.outcomes(&run)[0], "ingest ran");
    assert_eq!(project.outcomes(&run)[0], "ingest fresh");
}

#[test]
fn stages_can_be_chosen_and_forced() {
    let project = small_project();
    let error = project.fail(2, &["run", "configs/c.yaml", "--only", "head"]);
    assert!(error.contains("--until head"), "{error}");
    let outcomes = project.outcomes(&["run", "configs/c.yaml", "--until", "precompute"]);
    assert!(outcomes.contains(&"precompute ran".to_owned()), "{outcomes:?}");
    assert!(!project.path("out/c/head").exists());
    project.succeed(&["run", "configs/c.yaml"]);
    let outcomes = project.outcomes(&["run", "configs/c.yaml", "--only", "head", "--force", "head"]);
    assert!(outcomes.contains(&"head ran".to_owned()), "{outcomes:?}");
    // The same result: evaluate has nothing to do.
    let outcomes = project.outcomes(&["run", "configs/c.yaml", "--from", "head"]);
    assert!(outcomes.contains(&"evaluate fresh".to_owned()), "{outcomes:?}");
    let error = project.fail(2, &["run", "configs/c.yaml", "--only", "haed"]);
    assert!(error.contains("haed") && error.contains("head"), "{error}");
}

#[test]
fn a_changed_policy_redoes_precompute_only_where_views_of_it_are_cached() {
    let project = small_project();
    project.succeed(&["run", "configs/c.yaml"]);
    let outcomes = |sets: &[&str]| {
        let sets = sets.iter().flat_map(|set| ["--set", set]);
        project.outcomes(&["run", "configs/c.yaml"].into_iter().chain(sets).collect::<Vec<_>>())
    };
    let of_augment = |precompute: &str| {
        let head = precompute.replace("precompute", "head");
        let evaluate = precompute.replace("precompute", "evaluate");
        states(&["ingest fresh", "augment ran", "backbone fresh", precompute, &head, &evaluate])
    };
    assert_eq!(outcomes(&["augment.policy=top_down"]), of_augment("precompute fresh"));
    assert_eq!(outcomes(&["augment.cached_views=2"]), of_augment("precompute ran"));
    let features = FeaturesReader::open(&project.path("out/c/precompute/features")).unwrap();
    assert_eq!(features.len(), 3 * 20);
    let cached = ["augment.cached_views=2", "augment.policy=top_down"];
    assert_eq!(outcomes(&cached), of_augment("precompute ran"));
    // Back: everything is there.
    assert!(outcomes(&[]).iter().all(|outcome| outcome.ends_with(" fresh")));
}

#[test]
fn a_list_of_transforms_is_checked_where_it_stands_and_from_the_command_line() {
    let project = small_project();
    let lines = "  policy:\n    - scale: { max: 1.3 }\n    - rotat\n    - flip: { p: 2 }\n";
    project.write("configs/list.yaml", format!("{}augment:\n{lines}", project.read("configs/c.yaml")));
    let error = project.fail(2, &["validate", "configs/list.yaml"]);
    let first = project.read("configs/c.yaml").lines().count() + 4;
    for part in [
        format!("configs/list.yaml:{first}:7: `augment.policy.1`: unknown transform `rotat`"),
        "did you mean `rotate`?".to_owned(),
        format!(
            "configs/list.yaml:{}:18: `augment.policy.2.flip.p`: expected a probability from 0 to 1, found 2",
            first + 1
        ),
    ] {
        assert!(error.contains(&part), "{part}\n{error}");
    }
    let until = ["run", "configs/c.yaml", "--until", "augment"];
    let set = [until.as_slice(), &["--set", "augment.policy=[flip, {rotate: {max_deg: 45}}]"]].concat();
    project.succeed(&set);
    assert!(project.read("out/c/augment/policy.json").contains("\"max_deg\": 45.0"));
    let wrong = [until.as_slice(), &["--set", "augment.policy=[{flip: {q: 1}}]"]].concat();
    assert!(project.fail(2, &wrong).contains("unknown key `q` in `augment.policy.0.flip`"));
    let wrong = [until.as_slice(), &["--set", "augment.mix={mixup: [0.1, 0.2]}"]].concat();
    assert!(project.fail(2, &wrong).contains("`augment.mix.mixup`: expected a map, found a list"));
    let wrong = [until.as_slice(), &["--set", "augment.policy=sideon"]].concat();
    assert!(project.fail(2, &wrong).contains("did you mean `side_on`?"));
}
