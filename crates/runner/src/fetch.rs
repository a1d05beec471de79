//! [`fetch`]: a file from an address, resumed where it broke off, and checked.
//!
//! What has arrived is in `<file>.part`, and moves to its place only when it is whole and its SHA-256 is
//! right. A first fetch without a known digest records the one it found in `<file>.sha256`, and a later
//! fetch must find the same.
//!
//! The network is read by a thread of its own ([`Arriving`]), so that a server that says nothing neither
//! holds up Ctrl-C nor is waited for forever.

use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use fs_err::{File, OpenOptions};
use pipeline_stage::source::Remote;
use pipeline_stage::{Cancel, Cancelled, Event, Report};
use sha2::{Digest, Sha256};
use ureq::http::Response;
use ureq::{Agent, Body};

/// Bytes read at a time.
const BUFFER: usize = 64 << 10;
/// Longest wait for a connection, for the first byte of an answer, and for the next bytes of it.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How often a wait looks whether the run was cancelled.
const POLL: Duration = Duration::from_millis(100);

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

    let mut arriving = Arriving::ask(&remote.url, have, tag.as_deref());
    let mut answer = arriving.answer(cancel)?;
    // The part is at least as long as the file, or the server sends another piece than was asked for.
    if answer.status == 416 || (answer.status == 206 && answer.start != Some(have)) {
        fs_err::remove_file(part)?;
        arriving = Arriving::ask(&remote.url, 0, None);
        answer = arriving.answer(cancel)?;
    }
    let start = match answer.status {
        200 => 0,
        206 if answer.start == Some(have) => have,
        status => return Err(Unfetched::Remote(format!("the server answered with status {status}"))),
    };
    match &answer.tag {
        Some(tag) => fs_err::write(&tag_file, tag)?,
        None => drop(fs_err::remove_file(&tag_file)),
    }

    let total = answer.length.map(|length| start + length);
    let what = format!("fetch {}", part.file_stem().unwrap_or_default().to_string_lossy());
    report.emit(Event::Begin { what, total, unit: "bytes" });
    let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(part)?;
    file.set_len(start)?;
    file.seek(io::SeekFrom::End(0))?;
    let mut done = start;
    while let Some(bytes) = arriving.bytes(cancel)? {
        file.write_all(&bytes)?;
        done += bytes.len() as u64;
        report.emit(Event::Done(done));
    }
    match total {
        Some(total) if done != total => {
            Err(Unfetched::Remote(format!("the connection ended after {done} of {total} bytes")))
        }
        _ => Ok(()),
    }
}

/// What the server says before the content.
struct Answer {
    status: u16,
    /// Where the content starts in the file, when it is a part of it.
    start: Option<u64>,
    /// Bytes of the content.
    length: Option<u64>,
    /// A strong entity tag: the same tag promises the same bytes.
    tag: Option<String>,
}

/// What the reading thread hands over; nothing more after an error or the last bytes.
enum Message {
    Answer(Answer),
    Bytes(Vec<u8>),
    End,
    Failed(String),
}

/// An answer that is being received by another thread, which ends when this is dropped and the network has
/// said something more.
struct Arriving {
    messages: Receiver<Message>,
}

impl Arriving {
    /// Asks for `url` from byte `have` on; with a tag, only if the file still has it.
    fn ask(url: &str, have: u64, tag: Option<&str>) -> Arriving {
        let mut request = agent().get(url);
        if have > 0 {
            request = request.header("Range", format!("bytes={have}-"));
            if let Some(tag) = tag {
                request = request.header("If-Range", tag);
            }
        }
        // A few buffers: when the disk is slower than the network, the network waits.
        let (sender, messages) = sync_channel(4);
        std::thread::spawn(move || {
            let last = match request.call() {
                Ok(response) => pass_on(response, &sender),
                Err(error) => Message::Failed(reason(&error)),
            };
            // Nobody listens any more after a cancel.
            let _ = sender.send(last);
        });
        Arriving { messages }
    }

    fn answer(&self, cancel: &Cancel) -> Result<Answer, Unfetched> {
        match self.next(cancel)? {
            Message::Answer(answer) => Ok(answer),
            Message::Failed(reason) => Err(Unfetched::Remote(reason)),
            Message::Bytes(_) | Message::End => Err(Unfetched::Remote("no answer".to_owned())),
        }
    }

    /// The next bytes; `None` at the end.
    fn bytes(&self, cancel: &Cancel) -> Result<Option<Vec<u8>>, Unfetched> {
        match self.next(cancel)? {
            Message::Bytes(bytes) => Ok(Some(bytes)),
            Message::End => Ok(None),
            Message::Failed(reason) => Err(Unfetched::Remote(reason)),
            Message::Answer(_) => Err(Unfetched::Remote("two answers".to_owned())),
        }
    }

    fn next(&self, cancel: &Cancel) -> Result<Message, Unfetched> {
        // Connecting and waiting for an answer have this limit each, and say better what was waited for.
        let deadline = Instant::now() + 3 * TIMEOUT;
        loop {
            cancel.check()?;
            match self.messages.recv_timeout(POLL) {
                Ok(message) => return Ok(message),
                Err(RecvTimeoutError::Timeout) if Instant::now() < deadline => {}
                Err(_) => {
                    let seconds = (3 * TIMEOUT).as_secs();
                    return Err(Unfetched::Remote(format!("the server sent nothing for {seconds} s")));
                }
            }
        }
    }
}

/// Sends the answer and its content; returns the last message.
fn pass_on(response: Response<Body>, sender: &SyncSender<Message>) -> Message {
    let header = |name: &str| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
    let answer = Answer {
        status: response.status().as_u16(),
        start: header("content-range").as_deref().and_then(range_start),
        length: header("content-length").and_then(|text| text.parse().ok()),
        tag: header("etag").filter(|tag| !tag.starts_with("W/")),
    };
    if sender.send(Message::Answer(answer)).is_err() {
        return Message::End;
    }
    let mut body = response.into_body().into_reader();
    loop {
        let mut buffer = vec![0; BUFFER];
        match body.read(&mut buffer) {
            Ok(0) => return Message::End,
            Ok(read) => {
                buffer.truncate(read);
                if sender.send(Message::Bytes(buffer)).is_err() {
                    return Message::End;
                }
            }
            Err(error) => return Message::Failed(io_reason(&error)),
        }
    }
}

/// `10` of `bytes 10-63/64`.
fn range_start(content_range: &str) -> Option<u64> {
    content_range.strip_prefix("bytes ")?.split('-').next()?.parse().ok()
}

/// Compares the SHA-256 of `part` with what is known of it; records it where nothing is.
fn check(remote: &Remote, target: &Path, part: &Path, report: &dyn Report) -> Result<(), Unfetched> {
    let mut hasher = Sha256::new();
    io::copy(&mut File::open(part)?, &mut hasher)?;
    let found: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let record = beside(target, "sha256");
    // As `sha256sum` writes it: the digest, and perhaps the name of the file.
    let recorded = fs_err::read_to_string(&record).ok();
    let recorded = recorded.and_then(|text| text.split_whitespace().next().map(str::to_owned));
    match remote.sha256.clone().or(recorded).map(|digits| digits.to_lowercase()) {
        Some(expected) if found.starts_with(&expected) => Ok(()),
        Some(expected) => {
            fs_err::remove_file(part)?;
            let _ = fs_err::remove_file(beside(part, "tag"));
            Err(Unfetched::WrongDigest(found[..expected.len().min(64)].to_owned(), expected))
        }
        None => {
            let name = target.file_name().unwrap_or_default().to_string_lossy();
            fs_err::write(&record, format!("{found}  {name}\n"))?;
            report.emit(Event::Note(format!("{name} has sha256 {found}, recorded for the next time")));
            Ok(())
        }
    }
}

fn agent() -> Agent {
    let config = Agent::config_builder()
        .timeout_connect(Some(TIMEOUT))
        .timeout_recv_response(Some(TIMEOUT))
        .http_status_as_error(false)
        .user_agent(concat!("pipeline/", env!("CARGO_PKG_VERSION")));
    config.build().new_agent()
}

/// What went wrong, in a few words.
fn reason(error: &ureq::Error) -> String {
    match error {
        ureq::Error::HostNotFound => "host not found".to_owned(),
        ureq::Error::Io(error) => io_reason(error),
        other => other.to_string(),
    }
}

/// `no route to host` of `No route to host (os error 113)`.
fn io_reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

fn size(path: &Path) -> u64 {
    fs_err::metadata(path).map_or(0, |metadata| metadata.len())
}

/// `<path>.<ending>`.
pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

#[cfg(test)]
mod tests;
