//! [`fetch`]: a file from an address, resumed where it broke off, and checked.
//!
//! What has arrived is in `<file>.part`, and moves to its place only when it is whole and its SHA-256 is
//! right. A first fetch without a known digest records the one it found in `<file>.sha256`, and a later
//! fetch must find the same.

use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use fs_err::{File, OpenOptions};
use pipeline_stage::source::Remote;
use pipeline_stage::{Cancel, Cancelled, Event, Report};
use sha2::{Digest, Sha256};
use ureq::http::Response;
use ureq::{Agent, Body};

/// Bytes read at a time.
const BUFFER: usize = 64 << 10;
/// Longest wait for a connection, and for the first byte of an answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Why a file was not fetched.
#[derive(Debug)]
pub(crate) enum Unfetched {
    /// The other side, or the way to it. What has arrived is kept.
    Remote(String),
    /// The content is not what it must be: found and expected SHA-256. It was deleted.
    WrongDigest(String, String),
    /// The disk said no.
    Io(io::Error),
    /// The run was asked to stop. What has arrived is kept.
    Cancelled,
}

impl From<io::Error> for Unfetched {
    fn from(error: io::Error) -> Self {
        Unfetched::Io(error)
    }
}

impl From<Cancelled> for Unfetched {
    fn from(_: Cancelled) -> Self {
        Unfetched::Cancelled
    }
}

/// Fetches `remote` to `target`, whose folder is made.
pub(crate) fn fetch(
    remote: &Remote,
    target: &Path,
    report: &dyn Report,
    cancel: &Cancel,
) -> Result<(), Unfetched> {
    if let Some(folder) = target.parent() {
        fs_err::create_dir_all(folder)?;
    }
    let part = beside(target, "part");
    // As long as bytes arrive, a connection that breaks is worth another try.
    loop {
        let before = size(&part);
        match receive(remote, &part, report, cancel) {
            Err(Unfetched::Remote(_)) if size(&part) > before => continue,
            other => break other?,
        }
    }
    check(remote, target, &part, report)?;
    let file = File::open(&part)?;
    file.sync_all()?;
    fs_err::rename(&part, target)?;
    let _ = fs_err::remove_file(beside(&part, "tag"));
    Ok(())
}

/// Receives what is missing of `part`.
fn receive(remote: &Remote, part: &Path, report: &dyn Report, cancel: &Cancel) -> Result<(), Unfetched> {
    let tag_file = beside(part, "tag");
    let tag = fs_err::read_to_string(&tag_file).ok();
    // Without a tag or a digest nothing would tell that the file changed over there between two halves.
    let have = if tag.is_some() || remote.sha256.is_some() { size(part) } else { 0 };

    let mut request = agent().get(&remote.url);
    if have > 0 {
        request = request.header("Range", format!("bytes={have}-"));
        if let Some(tag) = &tag {
            request = request.header("If-Range", tag);
        }
    }
    let response = match request.call() {
        // The part is at least as long as the file: begin again.
        Err(ureq::Error::StatusCode(416)) => {
            fs_err::remove_file(part)?;
            agent().get(&remote.url).call().map_err(|e| Unfetched::Remote(reason(&e)))?
        }
        other => other.map_err(|e| Unfetched::Remote(reason(&e)))?,
    };
    let resumed = response.status().as_u16() == 206 && have > 0;
    let start = if resumed { have } else { 0 };
    match response.headers().get("etag").and_then(|tag| tag.to_str().ok()) {
        // A weak tag does not promise the same bytes.
        Some(tag) if !tag.starts_with("W/") => fs_err::write(&tag_file, tag)?,
        _ => drop(fs_err::remove_file(&tag_file)),
    }
    append(response, part, start, report, cancel)
}

fn append(
    response: Response<Body>,
    part: &Path,
    start: u64,
    report: &dyn Report,
    cancel: &Cancel,
) -> Result<(), Unfetched> {
    let total = content_length(&response).map(|length| start + length);
    let what = format!("fetch {}", part.file_stem().unwrap_or_default().to_string_lossy());
    report.emit(Event::Begin { what, total, unit: "bytes" });

    let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(part)?;
    file.set_len(start)?;
    file.seek(io::SeekFrom::End(0))?;
    let mut body = response.into_body().into_reader();
    let mut buffer = vec![0; BUFFER];
    let mut done = start;
    loop {
        cancel.check()?;
        let read = body.read(&mut buffer).map_err(|e| Unfetched::Remote(e.to_string()))?;
        if read == 0 {
            break;
        }
        file.write_all(&buffer[..read])?;
        done += read as u64;
        report.emit(Event::Done(done));
    }
    match total {
        Some(total) if done != total => {
            Err(Unfetched::Remote(format!("the connection ended after {done} of {total} bytes")))
        }
        _ => Ok(()),
    }
}

/// Compares the SHA-256 of `part` with what is known of it; records it where nothing is.
fn check(remote: &Remote, target: &Path, part: &Path, report: &dyn Report) -> Result<(), Unfetched> {
    let mut hasher = Sha256::new();
    io::copy(&mut File::open(part)?, &mut hasher)?;
    let found: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let record = beside(target, "sha256");
    let recorded = fs_err::read_to_string(&record).ok().map(|text| text.trim().to_owned());
    let recorded = recorded.filter(|text| text.len() >= 8);
    match remote.sha256.clone().or(recorded) {
        Some(expected) if found.starts_with(&expected) => Ok(()),
        Some(expected) => {
            fs_err::remove_file(part)?;
            Err(Unfetched::WrongDigest(found[..expected.len().min(64)].to_owned(), expected))
        }
        None => {
            fs_err::write(&record, format!("{found}\n"))?;
            let name = target.file_name().unwrap_or_default().to_string_lossy();
            report.emit(Event::Note(format!("{name} has sha256 {found}, recorded for the next time")));
            Ok(())
        }
    }
}

fn agent() -> Agent {
    let config = Agent::config_builder()
        .timeout_connect(Some(TIMEOUT))
        .timeout_recv_response(Some(TIMEOUT))
        .user_agent(concat!("pipeline/", env!("CARGO_PKG_VERSION")));
    config.build().new_agent()
}

fn content_length(response: &Response<Body>) -> Option<u64> {
    response.headers().get("content-length")?.to_str().ok()?.parse().ok()
}

/// What went wrong, in a few words.
fn reason(error: &ureq::Error) -> String {
    match error {
        ureq::Error::StatusCode(code) => format!("the server answered with status {code}"),
        ureq::Error::HostNotFound => "host not found".to_owned(),
        ureq::Error::Io(error) => error.to_string(),
        other => other.to_string(),
    }
}

fn size(path: &Path) -> u64 {
    fs_err::metadata(path).map_or(0, |metadata| metadata.len())
}

/// `<path>.<ending>`.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

#[cfg(test)]
mod tests;
