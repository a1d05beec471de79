//! `serve`: a model that answers over HTTP, its page in a browser, and how it stops.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pipeline_testkit::{Project, browser};

use crate::small_project;

/// A server of the project's model.
struct Serving {
    child: Child,
    /// `127.0.0.1:40123`.
    at: String,
    /// What it printed first.
    line: String,
    out: BufReader<std::process::ChildStdout>,
}

fn serve(project: &Project, options: &[&str]) -> Serving {
    let arguments = [["serve", "out/c/head", "--port", "0"].as_slice(), options].concat();
    let mut child =
        project.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    let Some((_, at)) = line.trim_end().split_once(" at http://") else {
        let mut error = String::new();
        child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
        panic!("{line}{error}");
    };
    Serving { at: at.to_owned(), line, child, out }
}

impl Serving {
    /// Status and body.
    fn ask(&self, method: &str, path: &str, body: &[u8]) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.at).unwrap();
        let (at, length) = (&self.at, body.len());
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
        );
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    fn signal(&self, name: &str) {
        // The shell's own `kill`: the program of that name is not on every machine.
        let kill = format!("kill -s {name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// The exit code, and what else was printed.
    fn ended(mut self) -> (Option<i32>, String) {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                let mut rest = String::new();
                self.out.read_to_string(&mut rest).unwrap();
                return (status.code(), rest);
            }
            if Instant::now() > deadline {
                self.child.kill().unwrap();
                panic!("the command did not end within a minute");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A test that fails leaves no server behind.
impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn trained() -> Project {
    let project = small_project();
    project.succeed(&["run", "configs/c.yaml", "--until", "head"]);
    project
}

#[test]
fn a_model_answers_with_its_training_photos_and_ends_as_it_is_told() {
    let project = trained();
    let serving = serve(&project, &["--log", "--threads", "2"]);
    let expected = format!("serving efficientnet_lite0 (2 classes: cats, dogs) at http://{}\n", serving.at);
    assert_eq!(serving.line, expected);
    let ids: Vec<_> =
        fs_err::read_dir(project.path("photos/train/cats")).unwrap().map(|e| e.unwrap().path()).collect();
    let photo = fs_err::read(&ids[0]).unwrap();
    let (status, body) = serving.ask("POST", "/predict?neighbours=3", &photo);
    assert_eq!(status, 200, "{body}");
    let said: serde_json::Value = serde_json::from_str(&body).unwrap();
    let near = &said["neighbours"][0];
    let name = ids[0].file_name().unwrap().to_str().unwrap();
    assert_eq!(
        (near["id"].as_str().unwrap(), near["label"].as_str()),
        (format!("train/cats/{name}").as_str(), Some("cats"))
    );
    assert!(near["similarity"].as_f64().unwrap() > 0.999, "{said}");
    let (status, _) = serving.ask("GET", "/health", b"");
    assert_eq!(status, 200);
    let taken = serving.at.rsplit_once(':').unwrap().1.to_owned();
    let error = project.fail(1, &["serve", "out/c/head", "--port", &taken]);
    assert!(
        error.contains("cannot listen at 127.0.0.1:") && error.contains("another program listens at port"),
        "{error}"
    );

    // A request whose body is not there yet is waited for.
    let mut half = TcpStream::connect(&serving.at).unwrap();
    let head =
        format!("POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", photo.len());
    half.write_all(&[head.as_bytes(), &photo[..9]].concat()).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    serving.signal("TERM");
    std::thread::sleep(Duration::from_millis(300));
    half.write_all(&photo[9..]).unwrap();
    let mut reply = String::new();
    half.read_to_string(&mut reply).unwrap();
    assert!(reply.starts_with("HTTP/1.1 200 ") && reply.contains("\"class\""), "{reply}");
    let (code, log) = serving.ended();
    assert_eq!(code, Some(143));
    let lines: Vec<&str> =
        log.lines().map(|line| line.rsplit_once(' ').unwrap().0.rsplit_once(' ').unwrap().0).collect();
    assert_eq!(lines, ["POST /predict 200", "GET /health 200", "POST /predict 200"], "{log}");
}

#[test]
fn ctrl_c_ends_with_130_and_a_second_one_at_once() {
    let project = trained();
    let serving = serve(&project, &[]);
    serving.signal("INT");
    assert_eq!(serving.ended(), (Some(130), String::new()));
    let serving = serve(&project, &["--timeout", "600"]);
    let mut half = TcpStream::connect(&serving.at).unwrap();
    half.write_all(b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n").unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let began = Instant::now();
    serving.signal("INT");
    std::thread::sleep(Duration::from_millis(500));
    serving.signal("INT");
    assert_eq!(serving.ended().0, Some(130));
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[test]
fn a_server_keeps_its_model_where_links_come_to_lead_elsewhere() {
    let project = trained();
    let serving = serve(&project, &[]);
    for link in ["out/c/head", "out/c/precompute"] {
        fs_err::remove_file(project.path(link)).unwrap();
    }
    let mut photos = fs_err::read_dir(project.path("photos/train/cats")).unwrap();
    let photo = fs_err::read(photos.next().unwrap().unwrap().path()).unwrap();
    let (status, body) = serving.ask("POST", "/predict?gradcam=1&neighbours=1", &photo);
    let said: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, said["neighbours"].as_array().map(Vec::len)), (200, Some(1)), "{body}");
    assert!(said["gradcam"].is_string(), "{body}");
}

#[test]
fn whoever_lets_others_in_is_warned_and_so_is_who_finds_no_neighbours() {
    let project = trained();
    let mut serving = serve(&project, &["--host", "0.0.0.0", "--tta", "ten_crop"]);
    let mut stderr = serving.child.stderr.take().unwrap();
    let at = serving.at.clone();
    serving.signal("TERM");
    assert_eq!(serving.ended().0, Some(143));
    let mut said = String::new();
    stderr.read_to_string(&mut said).unwrap();
    let warning =
        format!("warning: whoever reaches {at} can ask and load this machine: there is no password");
    assert!(said.contains(&warning), "{said}");
    assert!(said.contains("warning: no training photos are named: training photos are found by"), "{said}");
}

#[test]
fn what_is_no_model_or_no_table_of_it_is_said() {
    let project = trained();
    let error = project.fail(2, &["serve", "out/c/ingest"]);
    assert!(error.contains("model.json"), "{error}");
    let error = project.fail(2, &["serve", "out/c/head", "--neighbours", "out/c/ingest"]);
    assert!(error.contains("part-00000.parquet"), "{error}");
    let error = project.fail(2, &["serve", "out/c/head", "--max-body", "9"]);
    assert!(error.contains("expected a size from 1kB to 1GB, as 500kB or 32MB, found `9`"), "{error}");
    let cropped = ["serve", "out/c/head", "--neighbours", "out/c/precompute", "--tta", "five_crop"];
    let error = project.fail(2, &cropped);
    assert!(error.contains("found by the plain view") && error.contains("`--tta flip`"), "{error}");
    let error = project.fail(2, &["serve", "out/c/head", "--origin", "photos.example"]);
    assert!(error.contains("expected an address such as https://photos.example"), "{error}");
    // Another trunk's features.
    let config = project.read("configs/c.yaml").replace("size: 64", "size: 96");
    project.write("configs/d.yaml", config);
    project.succeed(&["run", "configs/d.yaml", "--until", "precompute"]);
    let error = project.fail(2, &["serve", "out/c/head", "--neighbours", "out/d/precompute"]);
    assert!(error.contains("its features were made with the preprocessing"), "{error}");
}

#[test]
fn the_page_answers_for_photos_that_are_dropped_on_it() {
    if !browser::is_there() {
        return;
    }
    let project = trained();
    let serving = serve(&project, &["--threads", "2"]);
    fs_err::write(project.path("photos/broken.jpg"), b"\xff\xd8\xff\xe0 no more").unwrap();
    let url = format!("http://{}", serving.at);
    let (photos, shots) = (project.path("photos"), project.path("shots"));
    let arguments = [url.as_ref(), photos.as_os_str(), shots.as_os_str()];
    let text = browser::run("serve.py", &arguments).unwrap_or_default();
    assert!(text.matches("ok ").count() >= 6, "{text}");
}
