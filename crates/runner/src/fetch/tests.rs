//! Against a server on loopback that breaks off, resumes and lies as it is told.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use pipeline_stage::progress::Silent;

use super::*;

/// How the server answers one request.
#[derive(Clone, Copy)]
enum Reply {
    /// The rest of the content from the range that was asked for.
    Whole,
    /// That, but the connection ends after so many bytes.
    Cut(usize),
    /// The whole content, whatever was asked for.
    IgnoreRange,
    /// A status.
    Status(u16),
    /// The whole content as if it were a piece that starts one byte later than was asked for.
    WrongStart,
    /// Another path on this server.
    Redirect,
}

/// A server for as many requests as there are answers. Returns its address and the `Range` of each request.
fn serve(content: &'static [u8], answers: Vec<Reply>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/photos.zip", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(vec![]));
    let ranges = asked.clone();
    std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut range = String::new();
            for line in BufReader::new(stream.try_clone().unwrap()).lines() {
                let line = line.unwrap().to_ascii_lowercase();
                if let Some(value) = line.strip_prefix("range: ") {
                    range = value.to_owned();
                }
                if line.is_empty() {
                    break;
                }
            }
            let from: usize = range
                .strip_prefix("bytes=")
                .and_then(|r| r.strip_suffix('-'))
                .and_then(|r| r.parse().ok())
                .unwrap_or(0);
            ranges.lock().unwrap().push(range.clone());
            let (status, body): (u16, &[u8]) = match answer {
                Reply::Status(status) => (status, b""),
                Reply::IgnoreRange => (200, content),
                Reply::Redirect => (302, b""),
                Reply::WrongStart => (206, content),
                _ if from >= content.len() && from > 0 => (416, b""),
                _ => (if from > 0 { 206 } else { 200 }, &content[from..]),
            };
            let content_range = match status {
                302 => "Location: /moved.zip\r\n".to_owned(),
                416 => format!("Content-Range: bytes */{}\r\n", content.len()),
                206 if matches!(answer, Reply::WrongStart) => {
                    format!("Content-Range: bytes {}-{}/*\r\n", from + 1, from + content.len())
                }
                206 => format!("Content-Range: bytes {from}-{}/{}\r\n", content.len() - 1, content.len()),
                _ => String::new(),
            };
            let head = format!(
                "HTTP/1.1 {status} x\r\nContent-Length: {}\r\n{content_range}ETag: \"v1\"\r\nConnection: close\r\n\r\n",
                body.len()
            );
            let sent = if let Reply::Cut(at) = answer { at.min(body.len()) } else { body.len() };
            // The client may have gone; that is its affair.
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body[..sent]));
        }
    });
    (address, asked)
}

const CONTENT: &[u8] = b"the photos of the lesson, two of them in train and one in valid";

fn sha256(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn get(url: &str, sha256: Option<String>, target: &Path) -> Result<(), String> {
    let remote = Remote { url: url.to_owned(), sha256 };
    fetch(&remote, target, Shape::File, &Silent, &Cancel::default()).map(drop).map_err(|e| format!("{e:?}"))
}

#[test]
fn a_connection_that_breaks_is_resumed_where_it_broke() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("data/photos.zip");
    let (url, asked) = serve(CONTENT, vec![Reply::Cut(10), Reply::Cut(20), Reply::Whole]);
    get(&url, Some(sha256(CONTENT)), &target).unwrap();
    assert_eq!(fs_err::read(&target).unwrap(), CONTENT);
    assert_eq!(*asked.lock().unwrap(), ["", "bytes=10-", "bytes=30-"]);
    let left: Vec<_> = fs_err::read_dir(target.parent().unwrap()).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn what_arrived_before_a_failure_is_kept_for_the_next_run() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("photos.zip");
    let (url, asked) = serve(CONTENT, vec![Reply::Cut(10), Reply::Status(503), Reply::Whole]);
    let error = get(&url, Some(sha256(CONTENT)), &target).unwrap_err();
    assert_eq!(error, r#"Busy("the server answered with status 503")"#);
    assert!(!target.exists());
    get(&url, Some(sha256(CONTENT)), &target).unwrap();
    assert_eq!(fs_err::read(&target).unwrap(), CONTENT);
    assert_eq!(asked.lock().unwrap()[2], "bytes=10-");
}

#[test]
fn a_server_that_knows_no_ranges_sends_it_all_again() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("photos.zip");
    let (url, _) = serve(CONTENT, vec![Reply::Cut(10), Reply::IgnoreRange]);
    get(&url, Some(sha256(CONTENT)), &target).unwrap();
    assert_eq!(fs_err::read(&target).unwrap(), CONTENT);
}

#[test]
fn a_part_that_is_too_long_is_begun_again() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("photos.zip");
    fs_err::write(dir.path().join("photos.zip.part"), [0; 500]).unwrap();
    let (url, _) = serve(CONTENT, vec![Reply::Whole, Reply::Whole]);
    get(&url, Some(sha256(CONTENT)), &target).unwrap();
    assert_eq!(fs_err::read(&target).unwrap(), CONTENT);
}

#[test]
fn content_with_another_digest_is_deleted_and_both_digests_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("photos.zip");
    let (url, _) = serve(CONTENT, vec![Reply::Whole]);
    let error = get(&url, Some("0123456789".to_owned()), &target).unwrap_err();
    assert_eq!(error, format!(r#"WrongDigest("{}", "0123456789")"#, &sha256(CONTENT)[..10]));
    assert_eq!(fs_err::read_dir(dir.path()).unwrap().count(), 0, "no litter");
}

#[test]
fn a_first_fetch_without_a_digest_records_it_and_the_next_must_have_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("photos.zip");
    let (url, _) = serve(CONTENT, vec![Reply::Whole]);
    get(&url, None, &target).unwrap();
    let record = dir.path().join("photos.zip.sha256");
    assert_eq!(fs_err::read_to_string(&record).unwrap(), format!("{}  photos.zip\n", sha256(CONTENT)));
    fs_err::remove_file(&target).unwrap();
    let (url, _) = serve(b"something else", vec![Reply::Whole]);
    assert!(get(&url, None, &target).unwrap_err().starts_with("WrongDigest"));
}

#[test]
fn a_server_that_is_not_there_and_a_page_that_is_not_there_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("photos.zip");
    let (url, _) = serve(CONTENT, vec![Reply::Status(404)]);
    assert_eq!(get(&url, None, &target).unwrap_err(), r#"Remote("the server answered with status 404")"#);
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = get(&format!("http://{unused}/x"), None, &target).unwrap_err();
    assert_eq!(error, r#"Broken("connection refused")"#);
}

#[test]
fn a_server_that_says_nothing_does_not_hold_up_a_cancel() {
    let dir = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let remote = Remote { url: format!("http://{}/x", listener.local_addr().unwrap()), sha256: None };
    let cancel = Cancel::default();
    let stopper = cancel.clone();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        stopper.cancel();
    });
    let started = Instant::now();
    let error = fetch(&remote, &dir.path().join("x"), Shape::File, &Silent, &cancel).unwrap_err();
    assert!(matches!(error, Unfetched::Cancelled), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[test]
fn a_file_that_changed_over_there_is_begun_again() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("photos.zip");
    fs_err::write(dir.path().join("photos.zip.part"), b"the older photos").unwrap();
    fs_err::write(dir.path().join("photos.zip.part.tag"), "\"v0\"").unwrap();
    // A server that honours If-Range sends the whole of a file with another tag.
    let (url, asked) = serve(CONTENT, vec![Reply::IgnoreRange]);
    get(&url, None, &target).unwrap();
    assert_eq!(fs_err::read(&target).unwrap(), CONTENT);
    assert_eq!(*asked.lock().unwrap(), ["bytes=16-"]);
}

#[test]
fn an_attempt_that_brings_nothing_is_followed_by_another_but_not_forever() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("photos.zip");
    let nothing = [Reply::Cut(0); ATTEMPTS as usize - 1];
    let replies = [&[Reply::Cut(10)], &nothing[..], &[Reply::Cut(5)], &nothing, &[Reply::Whole]].concat();
    let (url, asked) = serve(CONTENT, replies);
    get(&url, Some(sha256(CONTENT)), &target).unwrap();
    assert_eq!(fs_err::read(&target).unwrap(), CONTENT);
    assert_eq!(asked.lock().unwrap().len(), 3 + 2 * nothing.len());

    fs_err::remove_file(&target).unwrap();
    let (url, asked) = serve(CONTENT, [&[Reply::Cut(10)], [Reply::Cut(0); 50].as_slice()].concat());
    let error = get(&url, Some(sha256(CONTENT)), &target).unwrap_err();
    assert!(error.starts_with("Broken"), "{error}");
    assert_eq!(asked.lock().unwrap().len(), 1 + ATTEMPTS as usize);
}

#[test]
fn a_part_that_is_whole_already_is_not_fetched_again() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("photos.zip");
    fs_err::write(dir.path().join("photos.zip.part"), CONTENT).unwrap();
    let (url, asked) = serve(CONTENT, vec![Reply::Whole]);
    get(&url, Some(sha256(CONTENT)), &target).unwrap();
    assert_eq!(fs_err::read(&target).unwrap(), CONTENT);
    assert_eq!(*asked.lock().unwrap(), ["bytes=63-"]);
}

#[test]
fn a_server_that_refuses_every_range_is_named_and_not_a_missing_part() {
    let dir = tempfile::tempdir().unwrap();
    let (url, _) = serve(CONTENT, vec![Reply::Status(416), Reply::Status(416)]);
    let error = get(&url, None, &dir.path().join("photos.zip")).unwrap_err();
    assert_eq!(error, r#"Remote("the server answered with status 416")"#);
}

#[test]
fn a_piece_from_elsewhere_is_not_taken() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("photos.zip");
    let (url, asked) = serve(CONTENT, vec![Reply::Cut(10), Reply::WrongStart, Reply::Whole]);
    get(&url, Some(sha256(CONTENT)), &target).unwrap();
    assert_eq!(fs_err::read(&target).unwrap(), CONTENT);
    assert_eq!(*asked.lock().unwrap(), ["", "bytes=10-", ""]);
}

#[test]
fn a_redirect_is_followed_but_never_from_https_to_http() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("photos.zip");
    let (url, _) = serve(CONTENT, vec![Reply::Redirect, Reply::Whole]);
    get(&url, None, &target).unwrap();
    assert_eq!(fs_err::read(&target).unwrap(), CONTENT);
    let is_strict = |url: &str| agent(url).config().https_only();
    assert!(is_strict("https://photos.org/a.zip") && is_strict("HTTPS://photos.org/a.zip"));
    assert!(!is_strict("http://photos.org/a.zip"));
}

#[test]
fn a_part_without_a_tag_or_a_digest_is_not_resumed() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("photos.zip");
    fs_err::write(dir.path().join("photos.zip.part"), b"the older photos").unwrap();
    let (url, asked) = serve(CONTENT, vec![Reply::Whole]);
    get(&url, None, &target).unwrap();
    assert_eq!(fs_err::read(&target).unwrap(), CONTENT);
    assert_eq!(*asked.lock().unwrap(), [""]);
}

#[test]
fn old_bytes_are_gone_before_the_new_tag_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("photos.zip");
    let part = dir.path().join("photos.zip.part");
    fs_err::write(&part, b"the older photos").unwrap();
    // A tag cannot be written here; that stands for a kill at this moment.
    fs_err::create_dir_all(dir.path().join("photos.zip.part.tag/x")).unwrap();
    let (url, _) = serve(CONTENT, vec![Reply::IgnoreRange]);
    assert!(get(&url, Some(sha256(CONTENT)), &target).unwrap_err().starts_with("Io"));
    assert_eq!(fs_err::read(&part).unwrap(), b"");
}

#[test]
fn a_page_instead_of_a_zip_is_neither_kept_nor_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("photos.zip");
    let (url, _) = serve(b"<!DOCTYPE html><title>Sign in to the network</title>", vec![Reply::Whole]);
    let remote = Remote { url, sha256: None };
    let error = fetch(&remote, &target, Shape::Tree, &Silent, &Cancel::default()).unwrap_err();
    assert!(matches!(&error, Unfetched::NoArchive(what) if what == "a web page"), "{error:?}");
    assert_eq!(fs_err::read_dir(dir.path()).unwrap().count(), 0, "no litter");
}
