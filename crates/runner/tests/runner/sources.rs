//! What comes from outside: folders, zips, addresses, and what is missing.

use std::io::{Read, Write};
use std::net::TcpListener;

use pipeline_runner::{Observer, Outcome, Selection, run};
use pipeline_stage::{Cancel, Hint};
use serde_json::json;

use crate::project::{Listener, Project, graph, join, outcomes, read, read_from};

/// A zip of the project's texts under one folder.
fn zip_of_texts(project: &Project) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(vec![]));
    for name in ["a.txt", "sub/b.txt"] {
        zip.start_file(format!("texts-1.0/{name}"), zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(&fs_err::read(project.path("texts").join(name)).unwrap()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// Serves `content` once.
fn serve(content: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/texts.zip", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).unwrap();
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", content.len());
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&content).unwrap();
    });
    address
}

#[test]
fn a_zip_is_unpacked_into_the_store_and_equals_the_folder() {
    let project = Project::new();
    project.run(vec![read()]);
    fs_err::write(project.path("texts.zip"), zip_of_texts(&project)).unwrap();
    let nodes = || vec![read_from(json!({"path": "texts.zip"}))];
    let plan = project.plan(nodes());
    assert_eq!(plan.stages[0].state.to_string(), "source folder is not unpacked yet");
    assert_eq!(project.in_store("sources"), [""; 0], "a plan unpacks nothing");
    // The digest is that of the content, so the artifact is the folder's.
    assert_eq!(project.outcomes(nodes()), ["read fresh"]);
    assert_eq!(project.in_store("sources").len(), 1);
    assert_eq!(project.plan(nodes()).stages[0].state.to_string(), "fresh");
}

/// Edits a source when the stage `read` starts, which is after it was hashed.
struct Editor<'a>(&'a Project);

impl Observer for Editor<'_> {
    fn stage_started(&self, name: &str, _: &str) {
        if name == "read" {
            self.0.write("texts/a.txt", "edited ");
        }
    }
}

#[test]
fn a_source_that_changes_while_a_stage_reads_it_is_not_published_under_the_old_key() {
    let project = Project::new();
    let nodes = || vec![read(), join("last", json!({}), &["read"])];
    let run_edited = || {
        let cancel = Cancel::default();
        run(&graph(nodes()), &project.options(), &cancel, &Editor(&project)).unwrap()
    };
    let report = run_edited();
    assert_eq!(outcomes(&report), ["read failed", "last not run"]);
    let Outcome::Failed { message, hint } = &report.stages[0].outcome else { panic!("{report:?}") };
    assert_eq!(message, "its source `folder` changed while this stage was reading it");
    assert_eq!(hint.as_deref(), Some("run again"));
    assert_eq!(project.in_store("store/read"), [""; 0]);

    // The text is now the edited one, and stays.
    assert_eq!(outcomes(&run_edited()), ["read ran", "last ran"]);
    assert_eq!(project.text("last"), "edited two ");
    project.write("texts/a.txt", "one ");
    assert_eq!(project.outcomes(nodes()), ["read ran", "last ran"]);
    assert_eq!(project.text("last"), "one two ");
}

#[test]
fn a_folder_that_is_not_there_is_fetched_once() {
    let project = Project::new();
    let url = serve(zip_of_texts(&project));
    fs_err::remove_dir_all(project.path("texts")).unwrap();
    let nodes = || vec![read_from(json!({"path": "texts", "url": url}))];
    assert_eq!(project.plan(nodes()).stages[0].state.to_string(), "source folder is not fetched yet");
    let listener = Listener::default();
    run(&graph(nodes()), &project.options(), &Cancel::default(), &listener).unwrap();
    assert_eq!(project.text("read"), "one two ");
    assert!(listener.lines().iter().any(|l| l.contains("has sha256")), "{:?}", listener.lines());
    let listing = project.listing(&[".pipeline", "out"]);
    let expected = ["texts", "texts.zip", "texts.zip.sha256", "texts/a.txt", "texts/sub", "texts/sub/b.txt"];
    assert_eq!(listing, expected);
    // The server answers once; now the folder is there.
    assert_eq!(project.outcomes(nodes()), ["read fresh"]);
    // And the zip serves again when the folder is deleted.
    fs_err::remove_dir_all(project.path("texts")).unwrap();
    assert_eq!(project.plan(nodes()).stages[0].state.to_string(), "source folder is not unpacked yet");
    assert_eq!(project.outcomes(nodes()), ["read fresh"]);
}

#[test]
fn without_a_network_the_message_says_what_to_put_where() {
    let project = Project::new();
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nodes = vec![read_from(json!({"path": "elsewhere", "url": format!("http://{unused}/texts.zip")}))];
    let error = project.try_run(nodes, &project.options()).unwrap_err();
    assert_eq!(error.to_string(), "read: cannot fetch elsewhere.zip: connection refused");
    assert_eq!(error.hint().unwrap(), "set `path` to a folder");
}

#[test]
fn what_is_missing_or_of_the_wrong_shape_is_named_before_anything_runs() {
    let project = Project::new();
    let error = |path: &str| {
        let nodes = vec![join("other", json!({}), &[]), read_from(json!({"path": path}))];
        project.try_run(nodes, &project.options()).unwrap_err().to_string()
    };
    assert_eq!(error("nowhere"), "read: folder not found at nowhere");
    assert_eq!(
        error("texts/a.txt"),
        "read: texts/a.txt is a file that is no zip, expected a folder or a zip"
    );
    assert_eq!(project.in_store("store"), [""; 0]);
    let planned =
        |path: &str| project.plan(vec![read_from(json!({"path": path}))]).stages[0].state.to_string();
    assert_eq!(planned("nowhere"), "read: folder not found at nowhere");
    assert_eq!(
        planned("texts/a.txt"),
        "read: texts/a.txt is a file that is no zip, expected a folder or a zip"
    );
}

#[test]
fn a_stage_that_may_not_run_needs_no_source() {
    let project = Project::new();
    let mut options = project.options();
    options.selection = Selection { only: vec!["other".to_owned()], ..Selection::default() };
    let nodes = vec![read_from(json!({"path": "nowhere"})), join("other", json!({}), &[])];
    assert_eq!(outcomes(&project.try_run(nodes, &options).unwrap()), ["read not selected", "other ran"]);
}

#[test]
fn a_zip_that_is_refused_leaves_no_folder_behind() {
    let project = Project::new();
    fs_err::remove_dir_all(project.path("texts")).unwrap();
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(vec![]));
    for name in ["train/a.txt", "valid/b.txt", "../c.txt"] {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
    }
    fs_err::write(project.path("texts.zip"), zip.finish().unwrap().into_inner()).unwrap();
    let nodes = vec![read_from(json!({"path": "texts", "url": "http://127.0.0.1:1/texts.zip"}))];
    let error = project.try_run(nodes, &project.options()).unwrap_err();
    assert_eq!(error.to_string(), "read: cannot unpack texts.zip: `../c.txt` leads outside");
    assert_eq!(project.listing(&[".pipeline"]), ["texts.zip"]);
}
