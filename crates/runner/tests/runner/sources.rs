//! What comes from outside: folders, zips, addresses, and what is missing.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::Duration;

use flate2::write::GzEncoder;
use pipeline_runner::{Error, Observer, Outcome, Selection, run};
use pipeline_stage::{Cancel, Digest, Hint};
use serde_json::json;
use sha2::Digest as _;

use crate::project::{Listener, Project, graph, join, outcomes, read, read_from};

/// A zip of the project's texts under one folder.
pub(crate) fn zip_of_texts(project: &Project) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(vec![]));
    for name in ["a.txt", "sub/b.txt"] {
        zip.start_file(format!("texts-1.0/{name}"), zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(&fs_err::read(project.path("texts").join(name)).unwrap()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// Serves `content` once.
fn serve(content: Vec<u8>) -> String {
    serve_after(vec![], content)
}

/// Answers with these statuses (`503 Busy`), then serves `content` once.
pub(crate) fn serve_after(refusals: Vec<&'static str>, content: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/texts.zip", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let refusals = refusals.into_iter().map(|status| (status, vec![]));
        for (status, content) in refusals.chain([("200 OK", content)]) {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).unwrap();
            let length = content.len();
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(&content).unwrap();
        }
    });
    address
}

fn sha256(content: &[u8]) -> String {
    sha2::Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
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
    let expected = [
        ".texts.lock",
        "texts",
        "texts.zip",
        "texts.zip.sha256",
        "texts/a.txt",
        "texts/sub",
        "texts/sub/b.txt",
    ];
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
        "read: texts/a.txt is a file that is no archive, expected a folder, or a zip or tar archive"
    );
    assert_eq!(project.in_store("store"), [""; 0]);
    let planned =
        |path: &str| project.plan(vec![read_from(json!({"path": path}))]).stages[0].state.to_string();
    assert_eq!(planned("nowhere"), "read: folder not found at nowhere");
    assert_eq!(
        planned("texts/a.txt"),
        "read: texts/a.txt is a file that is no archive, expected a folder, or a zip or tar archive"
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
    assert_eq!(
        error.hint().unwrap(),
        "remove texts.zip to fetch it again, or unpack it by hand and name the folder"
    );
    assert_eq!(project.listing(&[".pipeline"]), [".texts.lock", "texts.zip"]);
}

#[test]
fn a_path_may_end_in_a_slash() {
    for path in ["texts/", "./texts", "./texts/."] {
        let project = Project::new();
        let nodes = || vec![read_from(json!({"path": path, "url": "http://127.0.0.1:1/texts.zip"}))];
        fs_err::write(project.path("texts.zip"), zip_of_texts(&project)).unwrap();
        fs_err::remove_dir_all(project.path("texts")).unwrap();
        assert_eq!(project.plan(nodes()).stages[0].state.to_string(), "source folder is not unpacked yet");
        assert_eq!(project.outcomes(nodes()), ["read ran"]);
        let listing = project.listing(&[".pipeline", "out", "texts/"]);
        assert_eq!(listing, [".texts.lock", "texts", "texts.zip", "texts.zip.sha256"], "{path}");
    }
}

#[test]
fn a_compressed_tar_is_fetched_under_its_own_ending_and_read_where_it_lies() {
    let project = Project::new();
    let mut tar = tar::Builder::new(GzEncoder::new(vec![], flate2::Compression::fast()));
    tar.append_dir_all("texts-1.0", project.path("texts")).unwrap();
    let archive = tar.into_inner().unwrap().finish().unwrap();
    fs_err::remove_dir_all(project.path("texts")).unwrap();
    let url = serve(archive.clone()).replace("texts.zip", "texts.tar.gz");
    assert_eq!(project.outcomes(vec![read_from(json!({"path": "texts", "url": url}))]), ["read ran"]);
    assert_eq!(project.text("read"), "one two ");
    let listing = project.listing(&[".pipeline", "out", "texts/"]);
    assert_eq!(listing, [".texts.lock", "texts", "texts.tar.gz", "texts.tar.gz.sha256"]);
    // The same files, wherever they come from.
    fs_err::write(project.path("local.tgz"), archive).unwrap();
    assert_eq!(project.outcomes(vec![read_from(json!({"path": "local.tgz"}))]), ["read fresh"]);
}

#[test]
fn a_page_instead_of_a_zip_is_named_and_the_zip_is_fetched_when_it_is_there() {
    let project = Project::new();
    let zip = zip_of_texts(&project);
    fs_err::remove_dir_all(project.path("texts")).unwrap();
    let nodes = |url: &str| vec![read_from(json!({"path": "texts", "url": url}))];
    let page = serve(b"<html>Sign in to the network</html>".to_vec());
    let error = project.try_run(nodes(&page), &project.options()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "read: cannot fetch texts.zip: what arrived is a web page, expected a zip or tar archive"
    );
    assert_eq!(
        error.hint().unwrap(),
        "open the address in a browser (a network or a site may ask to sign in first), or put the archive at texts.zip"
    );
    assert_eq!(project.listing(&[".pipeline"]), [".texts.lock"]);
    assert_eq!(project.outcomes(nodes(&serve(zip))), ["read ran"]);
}

#[test]
fn a_zip_put_there_by_hand_must_have_the_digest_that_is_given() {
    let project = Project::new();
    let zip = zip_of_texts(&project);
    let sha256 = sha256(&zip);
    fs_err::remove_dir_all(project.path("texts")).unwrap();
    fs_err::write(project.path("texts.zip"), zip).unwrap();
    let nodes = |digits: &str| {
        let params = json!({"path": "texts", "url": "http://127.0.0.1:1/texts.zip", "sha256": digits});
        vec![read_from(params)]
    };
    let error = project.try_run(nodes("0123abcd"), &project.options()).unwrap_err();
    let found = &sha256[..8];
    assert_eq!(error.to_string(), format!("read: texts.zip has sha256 {found}, expected 0123abcd"));
    assert_eq!(error.hint().unwrap(), "remove texts.zip to fetch it again, or correct the digest");
    assert_eq!(project.listing(&[".pipeline"]), [".texts.lock", "texts.zip"]);

    assert_eq!(project.outcomes(nodes(&sha256.to_uppercase())), ["read ran"]);
    // And the folder is told from one that came from another zip, by a plan, too.
    let error = project.try_run(nodes("0123abcd"), &project.options()).unwrap_err();
    let message = format!("read: the archive that texts came from has sha256 {found}, expected 0123abcd");
    assert_eq!(error.to_string(), message);
    assert_eq!(
        error.hint().unwrap(),
        "remove texts and texts.zip to fetch it again; or correct the digest, or remove texts.zip.sha256 to use the folder as it is"
    );
    assert_eq!(project.plan(nodes("0123abcd")).stages[0].state.to_string(), message);
    fs_err::remove_file(project.path("texts.zip.sha256")).unwrap();
    assert_eq!(project.outcomes(nodes("0123abcd")), ["read fresh"]);
}

#[test]
fn a_local_zip_must_have_the_digest_that_is_given() {
    let project = Project::new();
    fs_err::write(project.path("a.zip"), zip_of_texts(&project)).unwrap();
    let params = json!({"path": "a.zip", "url": "http://127.0.0.1:1/texts.zip", "sha256": "0123abcd"});
    let error = project.try_run(vec![read_from(params)], &project.options()).unwrap_err();
    assert!(matches!(error, Error::WrongDigest { .. }), "{error:?}");
    assert_eq!(project.in_store("sources"), [""; 0]);
}

#[test]
fn runs_with_different_stores_do_not_fetch_into_each_others_files() {
    let project = Project::new();
    let zip = zip_of_texts(&project);
    fs_err::remove_dir_all(project.path("texts")).unwrap();
    // A server that waits before it sends the second half.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/texts.zip", listener.local_addr().unwrap());
    let (asked, was_asked) = channel();
    let (go, may_go) = channel::<()>();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]).unwrap();
        asked.send(()).unwrap();
        may_go.recv().unwrap();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", zip.len());
        stream.write_all(&[head.as_bytes(), &zip].concat()).unwrap();
    });
    let nodes = || vec![read_from(json!({"path": "texts", "url": url}))];
    let mut other = project.options();
    other.store = project.path("other-store");
    std::thread::scope(|scope| {
        let first = scope.spawn(|| project.outcomes(nodes()));
        was_asked.recv().unwrap();
        let error = project.try_run(nodes(), &other).unwrap_err();
        assert!(error.to_string().starts_with("texts is in use by pid "), "{error}");
        assert_eq!(error.hint().unwrap(), "wait for it with --wait-lock 600");
        go.send(()).unwrap();
        assert_eq!(first.join().unwrap(), ["read ran"]);
    });
    assert_eq!(outcomes(&project.try_run(nodes(), &other).unwrap()), ["read ran"]);
}

/// While a run waits for the lock on the unpacking, puts another zip in the place of the one that it hashed.
struct Replacer<'a> {
    project: &'a Project,
    lock: Mutex<Option<fs_err::File>>,
}

impl Observer for Replacer<'_> {
    fn waiting(&self, _: &str) {
        self.project.write("texts/a.txt", "other ");
        fs_err::write(self.project.path("new.zip"), zip_of_texts(self.project)).unwrap();
        fs_err::rename(self.project.path("new.zip"), self.project.path("texts.zip")).unwrap();
        *self.lock.lock().unwrap() = None;
    }
}

#[test]
fn a_zip_that_is_replaced_after_it_was_hashed_is_not_kept_under_the_old_digest() {
    let project = Project::new();
    let old = zip_of_texts(&project);
    fs_err::write(project.path("texts.zip"), &old).unwrap();
    let name = format!(".pipeline/locks/unpack-{}.lock", Digest::of(&old));
    project.write(&name, "");
    let lock = fs_err::File::open(project.path(&name)).unwrap();
    lock.file().lock().unwrap();
    let replacer = Replacer { project: &project, lock: Mutex::new(Some(lock)) };
    let mut options = project.options();
    options.wait_lock = Some(Duration::from_secs(30));
    let nodes = || vec![read_from(json!({"path": "texts.zip"}))];
    let error = run(&graph(nodes()), &options, &Cancel::default(), &replacer).unwrap_err();
    assert_eq!(error.to_string(), "read: texts.zip changed while it was being unpacked");
    assert_eq!(error.hint().unwrap(), "run again");
    assert_eq!(project.in_store("sources"), [""; 0]);

    assert_eq!(project.outcomes(nodes()), ["read ran"]);
    assert_eq!(project.text("read"), "other two ");
    fs_err::write(project.path("texts.zip"), &old).unwrap();
    project.run(nodes());
    assert_eq!(project.text("read"), "one two ");
}
