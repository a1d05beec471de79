//! Why a stage is what it is, in words, and against older artifacts.

use std::time::{Duration, SystemTime};

use pipeline_runner::{Explanation, Node, RunOptions, Selection, Standing};
use pipeline_stage::Hint;
use serde_json::{Value, json};

use crate::project::{Project, chain, chain_with, draw, join, join2, read};

/// The parts in a line each, digests cut short: `parameter text "x" → "z" first`.
fn lines(told: &Explanation) -> Vec<String> {
    let digest = |value: &Value| match value.as_str() {
        Some(text) if text.len() == 64 => text[..4].to_owned(),
        _ => value.to_string(),
    };
    let line = |part: &pipeline_runner::Part| {
        let kind = serde_json::to_value(part.part).unwrap();
        let names = [kind.as_str(), part.name.as_deref(), part.stage.as_deref(), part.file.as_deref()];
        let names: Vec<&str> = names.into_iter().flatten().collect();
        let show = |value: &Option<Value>| value.as_ref().map_or("nothing".to_owned(), digest);
        let value = match part.standing {
            Standing::Unchanged | Standing::Uncompared => show(&part.new),
            Standing::Changed => format!("{} → {}", show(&part.old), show(&part.new)),
            Standing::Open => "open".to_owned(),
        };
        format!("{} {value}{}", names.join(" "), if part.first { " first" } else { "" })
    };
    told.parts.iter().map(line).collect()
}

/// The first digits of the digest of `text`.
fn short(text: &str) -> String {
    pipeline_stage::Digest::of(text.as_bytes()).to_string()[..4].to_owned()
}

fn until(project: &Project, nodes: Vec<Node>, stage: &str) {
    let selection = Selection { until: vec![stage.to_owned()], ..Selection::default() };
    let options = RunOptions { selection, ..project.options() };
    assert!(project.try_run(nodes, &options).unwrap().succeeded());
}

#[test]
fn a_changed_parameter_is_named_and_every_part_of_the_key_is_shown() {
    let project = Project::new();
    project.run(chain());
    let told = project.explain(chain_with(json!({"text": "z"})), "middle", None);
    assert_eq!(told.headline, "middle is stale because its parameter text changed");
    assert_eq!(
        lines(&told),
        [
            "version 1",
            "parameter keep 18446744073709551615",
            "parameter text \"x\" → \"z\" first",
            "input texts [\"read\"]",
            &format!("input texts read text.txt {}", short("one two ")),
        ]
    );
    assert!(told.upstream.is_empty(), "{:?}", told.upstream);
}

#[test]
fn a_changed_default_comes_with_the_new_version_of_its_stage_kind() {
    let project = Project::new();
    let of = ["read"].as_slice();
    project.run(vec![read(), join("last", json!({}), of)]);
    let told = project.explain(vec![read(), join2("last", json!({}), of)], "last", None);
    assert_eq!(told.headline, "last is stale because its stage kind has another version");
    assert_eq!(lines(&told)[0], "version 1 → 2 first");
    assert_eq!(lines(&told)[2], "parameter text \"\" → \"!\"");
}

#[test]
fn a_replaced_file_of_the_same_name_and_size_is_a_changed_source() {
    let project = Project::new();
    project.run(chain());
    let path = project.path("texts/a.txt");
    fs_err::remove_file(&path).unwrap();
    project.write("texts/a.txt", "ONE ");
    let file = fs_err::OpenOptions::new().append(true).open(&path).unwrap();
    file.file().set_modified(SystemTime::now() + Duration::from_secs(5)).unwrap();
    let told = project.explain(chain(), "read", None);
    assert_eq!(
        told.headline,
        "read is stale because the content of its source folder changed (a.txt: other bytes, same size)"
    );
    let told = project.explain(chain(), "last", None);
    assert_eq!(told.headline, "last depends on middle");
    assert_eq!(
        told.upstream,
        [
            "middle depends on read",
            "read is stale because the content of its source folder changed (a.txt: other bytes, same size)"
        ]
    );
    assert_eq!(lines(&told)[3..], ["input texts [\"middle\"]", "input texts middle open"]);
    assert_eq!(told.key, None);
}

#[test]
fn a_touched_but_unchanged_file_is_no_reason() {
    let project = Project::new();
    project.run(chain());
    let file = fs_err::OpenOptions::new().append(true).open(project.path("texts/a.txt")).unwrap();
    file.file().set_modified(SystemTime::now() + Duration::from_secs(5)).unwrap();
    let told = project.explain(chain(), "read", None);
    let key = told.key.unwrap().short();
    assert_eq!(told.headline, format!("read is fresh: the store has its artifact {key}"));
    assert!(told.parts.iter().all(|part| part.standing == Standing::Unchanged), "{told:?}");
}

#[test]
fn an_upstream_that_ran_again_with_the_same_result_is_no_reason() {
    let project = Project::new();
    project.run(chain_with(json!({"text": "x", "keep": 3})));
    let nodes = || chain_with(json!({"text": "z", "keep": 3}));
    let told = project.explain(nodes(), "last", None);
    assert_eq!(told.headline, "last depends on middle", "whether it is stale is not known yet");
    assert_eq!(told.upstream, ["middle is stale because its parameter text changed"]);
    until(&project, nodes(), "middle");
    let told = project.explain(nodes(), "last", None);
    assert_eq!(told.state, "fresh");
    assert!(told.parts.iter().all(|part| part.standing == Standing::Unchanged), "{told:?}");
}

#[test]
fn a_changed_input_is_traced_to_what_changed_it_through_all_stages_upstream() {
    let project = Project::new();
    project.run(chain());
    project.write("texts/a.txt", "ONE ");
    until(&project, chain(), "middle");
    let told = project.explain(chain(), "last", None);
    assert_eq!(told.headline, "last is stale because its input texts changed (text.txt of middle)");
    assert_eq!(
        told.upstream,
        [
            "middle has another text.txt because its input texts changed (text.txt of read)",
            "read has another text.txt because the content of its source folder changed (a.txt: other bytes, same size)"
        ]
    );
    let changed =
        format!("input texts middle text.txt {} → {} first", short("one two x"), short("ONE two x"));
    assert_eq!(lines(&told)[4], changed);

    // Without the old artifacts, nothing is made up.
    for kind in ["join", "read"] {
        fs_err::remove_dir_all(project.path(".pipeline/store").join(kind)).unwrap();
    }
    project.run(chain());
    fs_err::remove_dir_all(project.path(".pipeline/store/read")).unwrap();
    project.write("texts/a.txt", "One ");
    until(&project, chain(), "read");
    let told = project.explain(chain(), "middle", None);
    assert_eq!(told.upstream, ["read has another text.txt; no artifact in the store has the old one"]);
}

#[test]
fn a_stage_that_depends_says_what_of_its_own_changed_as_well() {
    let project = Project::new();
    project.run(chain());
    let mut nodes = chain_with(json!({"text": "z"}));
    nodes[2] = join("last", json!({"text": "Y"}), &["middle"]);
    let told = project.explain(nodes, "last", None);
    assert_eq!(told.headline, "last depends on middle; its parameter text changed, too");
    assert_eq!(told.state, "depends");
}

#[test]
fn fresh_missing_damaged_and_unknown_stages_say_so() {
    let project = Project::new();
    let told = project.explain(chain(), "read", None);
    assert_eq!(told.headline, "read is missing: it has no artifact yet");
    assert!(told.against.is_none() && told.parts.iter().all(|p| p.standing == Standing::Uncompared));
    assert_eq!(lines(&told)[1][..14], *"source folder ", "{told:?}");
    project.run(chain());
    project.run(chain_with(json!({"text": "z"})));
    let told = project.explain(chain(), "middle", None);
    let key = told.key.unwrap().short();
    let expected = format!(
        "middle is fresh: the store has its artifact {key}, although the current artifact is another one"
    );
    assert_eq!(told.headline, expected);
    assert_eq!(lines(&told)[2], "parameter text \"z\" → \"x\" first");

    let artifact = fs_err::canonicalize(project.path("out/c/middle")).unwrap();
    fs_err::remove_file(artifact.join("text.txt")).unwrap();
    let told = project.explain(chain_with(json!({"text": "z"})), "middle", None);
    assert_eq!(told.headline, "middle is damaged: text.txt is missing");

    fs_err::remove_dir_all(project.path("texts")).unwrap();
    let told = project.explain(chain(), "read", None);
    let path = project.path("texts").display().to_string();
    let shown = told.headline.replace(&path, "texts");
    assert_eq!(shown, "read is unknown: folder not found at texts");
    assert_eq!(lines(&told)[1], "source folder open");
}

#[test]
fn the_twin_of_a_stage_that_runs_first_says_so() {
    let project = Project::new();
    let nodes = vec![read(), join("a", json!({}), &["read"]), join("b", json!({}), &["read"])];
    until(&project, nodes.clone(), "read");
    let told = project.explain(nodes, "b", None);
    assert_eq!(told.headline, "b depends on a, which has the same key and runs first");
    assert_eq!(told.upstream, ["a is missing: it has no artifact yet"]);
}

#[test]
fn a_list_input_that_reads_other_stages_is_a_change_of_its_own() {
    let project = Project::new();
    let nodes = |of: &[&str]| vec![read(), draw(), join("last", json!({}), of)];
    project.run(nodes(&["read", "draw"]));
    for (of, now) in [(["draw", "read"].as_slice(), r#"["draw","read"]"#), (&["read"], r#"["read"]"#)] {
        let told = project.explain(nodes(of), "last", None);
        assert_eq!(told.headline, "last is stale because its input texts reads other stages");
        assert_eq!(lines(&told)[3], format!(r#"input texts ["read","draw"] → {now} first"#));
    }
    let told = project.explain(nodes(&[]), "last", None);
    assert_eq!(told.headline, "last is stale because its input texts is gone");
}

#[test]
fn a_stage_is_compared_with_an_older_artifact_by_its_key_or_by_a_run() {
    let project = Project::new();
    let with = |text: &str| chain_with(json!({"text": text}));
    let first = project.run(with("x"));
    let second = project.run(with("z"));
    let key = first.stage("middle").unwrap().key.unwrap();
    for against in [&key.to_string()[..12], &first.run] {
        let told = project.explain(with("z"), "middle", Some(against));
        assert_eq!(told.state, "fresh");
        assert_eq!(lines(&told)[2], "parameter text \"x\" → \"z\" first");
        let old = told.against.unwrap();
        assert_eq!((old.key, old.is_chosen), (key, true));
        assert_eq!(old.run, (against == first.run).then(|| first.run.clone()));
    }
    let told = project.explain(with("z"), "last", Some(&first.run));
    assert_eq!(told.upstream, ["middle has another text.txt because its parameter text changed"]);

    let error = |against: &str| project.try_explain(with("z"), "middle", Some(against)).unwrap_err();
    let unknown = error("nothing");
    assert_eq!(
        unknown.to_string(),
        "no artifact of `middle` (kind join) and no run has a name that begins with `nothing`"
    );
    assert_eq!(
        unknown.hint().unwrap(),
        "give a key (a folder in store/join/ of the store), a run (a folder in runs/), or the beginning of one"
    );
    // Two of `middle` and two of `last`.
    assert!(error("").to_string().starts_with("4 artifacts of kind join have keys that begin with ``: "));

    fs_err::remove_dir_all(project.path(".pipeline/store/join").join(key.to_string())).unwrap();
    let found = format!(
        "run {} has no artifact of `middle` to compare with: {} is not in the store any more",
        first.run,
        key.short()
    );
    assert_eq!(error(&first.run).to_string(), found);
    let nodes = vec![read(), join("other", json!({}), &["read"])];
    let error = project.try_explain(nodes, "other", Some(&second.run)).unwrap_err().to_string();
    let expected = format!(
        "run {} has no artifact of `other` to compare with: it did not come to that stage",
        second.run
    );
    assert_eq!(error, expected);
}

#[test]
fn an_unknown_stage_gets_a_suggestion() {
    let project = Project::new();
    let error = project.try_explain(chain(), "midle", None).unwrap_err();
    assert_eq!(error.to_string(), "unknown stage `midle` for `explain`, expected one of: read, middle, last");
    assert_eq!(error.hint().unwrap(), "did you mean `middle`?");
}

#[test]
fn the_files_of_a_folder_that_were_added_removed_and_changed_are_named() {
    let project = Project::new();
    project.write("texts/c.txt", "three");
    project.run(chain());
    project.write("texts/a.txt", "ONE ");
    project.write("texts/b/d.txt", "new");
    fs_err::remove_file(project.path("texts/c.txt")).unwrap();
    let told = project.explain(chain(), "read", None);
    let source = told.parts.iter().find(|part| part.tree.is_some()).unwrap();
    let tree = source.tree.as_ref().unwrap();
    assert_eq!(tree.to_string(), "1 file changed, 1 added, 1 removed");
    let named: Vec<String> = tree.some.iter().map(ToString::to_string).collect();
    assert_eq!(named, ["a.txt: other bytes, same size", "b/d.txt: added", "c.txt: removed"]);
    assert_eq!(serde_json::to_value(source).unwrap()["tree"]["some"][1]["new_size_bytes"], 3);
    assert!(told.headline.ends_with("changed (1 file changed, 1 added, 1 removed)"), "{}", told.headline);

    // A store of an earlier version has no lists of files: less is said, nothing is made up.
    fs_err::remove_dir_all(project.path(".pipeline/trees")).unwrap();
    let told = project.explain(chain(), "read", None);
    assert_eq!(told.headline, "read is stale because the content of its source folder changed");
}

#[test]
fn the_list_of_a_folders_files_is_written_once_and_by_runs_only() {
    let project = Project::new();
    project.explain(chain(), "read", None);
    assert!(project.in_store("trees").is_empty());
    project.run(chain());
    let first = project.in_store("trees");
    assert_eq!(first.len(), 1);
    let look = || {
        use std::os::unix::fs::MetadataExt;
        let found = fs_err::metadata(project.path(".pipeline/trees").join(&first[0])).unwrap();
        (found.ino(), found.mtime_nsec(), found.ctime_nsec())
    };
    let before = look();
    project.run(chain());
    assert_eq!(look(), before, "an unchanged run writes it again");
    project.write("texts/a.txt", "ONE ");
    project.explain(chain(), "read", None);
    assert_eq!(project.in_store("trees"), first);
    project.run(chain());
    assert_eq!(project.in_store("trees").len(), 2);
}
