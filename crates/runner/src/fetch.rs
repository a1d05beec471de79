//! [`fetch`]: a file from an address, resumed where it broke off, and checked.
//!
//! What has arrived is in `<file>.part`, and moves to its place only when it is whole and its SHA-256 is
//! right, and an archive where one is expected. A first fetch without a known digest records the one it found in
//! `<file>.sha256`, and a later fetch must find the same.
//!
//! The network is read by a thread of its own ([`Arriving`]), so that a server that says nothing neither
//! holds up Ctrl-C nor is waited for forever.

use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use fs_err::{File, OpenOptions};
use pipeline_stage::source::{Remote, Shape};
use pipeline_stage::{Cancel, Cancelled, Event, Report};
use sha2::{Digest, Sha256};
use ureq::http::Response;
use ureq::{Agent, Body};

use crate::store::write_atomically;
use crate::unpack::not_an_archive;

/// Bytes read at a time.
const BUFFER: usize = 64 << 10;
/// Longest wait for a connection, and for an answer to begin.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Longest wait for the next bytes. Longer than those two together, whose messages say more.
const SILENCE: Duration = Duration::from_secs(90);
/// Attempts in a row that bring nothing more, after which a transfer is given up.
const ATTEMPTS: u32 = 4;
/// Pause before another attempt; twice as long for each that brought nothing.
const PAUSE: Duration = Duration::from_millis(if cfg!(test) { 5 } else { 500 });
/// How often a wait looks whether the run was cancelled.
const POLL: Duration = Duration::from_millis(100);

/// Why a file was not fetched.
#[derive(Debug)]
pub(crate) enum Unfetched {
    /// The other side says no. What has arrived is kept.
    Remote(String),
    /// The other side says no for now. What has arrived is kept.
    Busy(String),
    /// The way to the other side does not hold. What has arrived is kept.
    Broken(String),
    /// The content is not what it must be: found and expected SHA-256. What was fetched was deleted.
    WrongDigest(String, String),
    /// The content is no archive but this. It was deleted.
    NoArchive(String),
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

/// Fetches `remote` to `target`, whose folder is made. Returns its SHA-256. A tree arrives as an archive.
pub(crate) fn fetch(
    remote: &Remote,
    target: &Path,
    shape: Shape,
    report: &dyn Report,
    cancel: &Cancel,
) -> Result<String, Unfetched> {
    if let Some(folder) = target.parent() {
        fs_err::create_dir_all(folder)?;
    }
    let part = beside(target, "part");
    receive_all(remote, &part, report, cancel)?;
    let checked = check(remote, target, &part, shape, report, cancel);
    if let Err(Unfetched::WrongDigest(..) | Unfetched::NoArchive(_)) = checked {
        fs_err::remove_file(&part)?;
        let _ = fs_err::remove_file(beside(&part, "tag"));
    }
    let sha256 = checked?;
    File::open(&part)?.sync_all()?;
    fs_err::rename(&part, target)?;
    let _ = fs_err::remove_file(beside(&part, "tag"));
    Ok(sha256)
}

/// Receives `part`, in several attempts if need be.
fn receive_all(remote: &Remote, part: &Path, report: &dyn Report, cancel: &Cancel) -> Result<(), Unfetched> {
    let mut most = size(part);
    // A way that never held is not tried again: whoever has no network wants to know it at once.
    let mut failed = ATTEMPTS;
    loop {
        let reason = match receive(remote, part, report, cancel) {
            Err(Unfetched::Broken(reason)) => reason,
            other => return other,
        };
        // More than ever before: a server that begins anew each time would be asked forever.
        failed = if size(part) > most { 0 } else { failed + 1 };
        most = most.max(size(part));
        if failed >= ATTEMPTS {
            return Err(Unfetched::Broken(reason));
        }
        let next = Instant::now() + PAUSE * 2u32.pow(failed);
        while Instant::now() < next {
            cancel.check()?;
            std::thread::sleep(POLL.min(next.saturating_duration_since(Instant::now())));
        }
    }
}

/// Receives what is missing of `part`.
fn receive(remote: &Remote, part: &Path, report: &dyn Report, cancel: &Cancel) -> Result<(), Unfetched> {
    let tag_file = beside(part, "tag");
    let tag = fs_err::read_to_string(&tag_file).ok();
    // Without a tag or a digest nothing would tell that the file changed over there between two halves.
    let have = if tag.is_some() || remote.sha256.is_some() { size(part) } else { 0 };

    let mut arriving = Arriving::ask(&remote.url, have, tag.as_deref());
    let mut answer = arriving.answer(cancel)?;
    // All of it is here: an earlier run was killed before it was checked.
    if answer.status == 416 && have > 0 && answer.total == Some(have) {
        return Ok(());
    }
    // The part is longer than the file, or the server sends another piece than was asked for.
    if answer.status == 416 || (answer.status == 206 && answer.start != Some(have)) {
        remove_if_there(part)?;
        arriving = Arriving::ask(&remote.url, 0, None);
        answer = arriving.answer(cancel)?;
    }
    let start = match answer.status {
        200 => 0,
        206 if answer.start == Some(have) => have,
        // Too many requests, or trouble over there.
        status @ (408 | 429 | 500..=599) => {
            return Err(Unfetched::Busy(format!("the server answered with status {status}")));
        }
        status => return Err(Unfetched::Remote(format!("the server answered with status {status}"))),
    };
    let total = answer.length.map(|length| start + length);
    let what = format!("fetch {}", part.file_stem().unwrap_or_default().to_string_lossy());
    report.emit(Event::Begin { what, total, unit: "bytes" });
    let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(part)?;
    // Before the tag: the old bytes must not be there under the new one.
    file.set_len(start)?;
    file.seek(io::SeekFrom::End(0))?;
    match &answer.tag {
        Some(tag) => write_atomically(&tag_file, tag.as_bytes())?,
        None => remove_if_there(&tag_file)?,
    }
    let mut done = start;
    while let Some(bytes) = arriving.bytes(cancel)? {
        file.write_all(&bytes)?;
        done += bytes.len() as u64;
        report.emit(Event::Done(done));
    }
    match total {
        Some(total) if done != total => {
            Err(Unfetched::Broken(format!("the connection ended after {done} of {total} bytes")))
        }
        _ => Ok(()),
    }
}

/// What the server says before the content.
struct Answer {
    status: u16,
    /// Where the content starts in the file, when it is a part of it.
    start: Option<u64>,
    /// Bytes of the file, told when there are none from where was asked for.
    total: Option<u64>,
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
        let mut request = agent(url).get(url);
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
            Message::Failed(reason) => Err(Unfetched::Broken(reason)),
            Message::Bytes(_) | Message::End => Err(Unfetched::Remote("no answer".to_owned())),
        }
    }

    /// The next bytes; `None` at the end.
    fn bytes(&self, cancel: &Cancel) -> Result<Option<Vec<u8>>, Unfetched> {
        match self.next(cancel)? {
            Message::Bytes(bytes) => Ok(Some(bytes)),
            Message::End => Ok(None),
            Message::Failed(reason) => Err(Unfetched::Broken(reason)),
            Message::Answer(_) => Err(Unfetched::Remote("two answers".to_owned())),
        }
    }

    fn next(&self, cancel: &Cancel) -> Result<Message, Unfetched> {
        let deadline = Instant::now() + SILENCE;
        loop {
            cancel.check()?;
            return match self.messages.recv_timeout(POLL) {
                Ok(message) => Ok(message),
                Err(RecvTimeoutError::Timeout) if Instant::now() < deadline => continue,
                Err(RecvTimeoutError::Timeout) => {
                    let seconds = SILENCE.as_secs();
                    Err(Unfetched::Broken(format!("the server sent nothing for {seconds} s")))
                }
                Err(RecvTimeoutError::Disconnected) => {
                    Err(Unfetched::Broken("the thread that reads the network ended".to_owned()))
                }
            };
        }
    }
}

/// Sends the answer and its content; returns the last message.
fn pass_on(response: Response<Body>, sender: &SyncSender<Message>) -> Message {
    let header = |name: &str| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
    let answer = Answer {
        status: response.status().as_u16(),
        start: header("content-range").as_deref().and_then(range_start),
        total: header("content-range").and_then(|text| text.strip_prefix("bytes */")?.parse().ok()),
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

/// Compares `part` with what is known of it; records its SHA-256 where nothing is. Returns that.
fn check(
    remote: &Remote,
    target: &Path,
    part: &Path,
    shape: Shape,
    report: &dyn Report,
    cancel: &Cancel,
) -> Result<String, Unfetched> {
    if shape == Shape::Tree
        && let Some(what) = not_an_archive(part)?
    {
        return Err(Unfetched::NoArchive(what));
    }
    let found = sha256(part, cancel)?;
    match remote.sha256.clone().or_else(|| recorded(target)) {
        Some(expected) => expect(&found, &expected)?,
        None => {
            record(target, &found)?;
            let name = target.file_name().unwrap_or_default().to_string_lossy();
            report.emit(Event::Note(format!("{name} has sha256 {found}, recorded for the next time")));
        }
    }
    Ok(found)
}

/// The SHA-256 of a file, which must begin as that of `remote` if that is known.
pub(crate) fn check_present(remote: &Remote, path: &Path, cancel: &Cancel) -> Result<String, Unfetched> {
    let found = sha256(path, cancel)?;
    remote.sha256.as_ref().map_or(Ok(()), |expected| expect(&found, expected))?;
    Ok(found)
}

/// Whether a SHA-256 begins with these digits.
pub(crate) fn expect(found: &str, digits: &str) -> Result<(), Unfetched> {
    let expected = digits.to_lowercase();
    if found.starts_with(&expected) {
        return Ok(());
    }
    Err(Unfetched::WrongDigest(found.chars().take(expected.len()).collect(), expected))
}

fn sha256(path: &Path, cancel: &Cancel) -> Result<String, Unfetched> {
    let mut hasher = Sha256::new();
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 1 << 20];
    loop {
        cancel.check()?;
        match file.read(&mut buffer)? {
            0 => break,
            read => hasher.update(&buffer[..read]),
        }
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Where the SHA-256 of the file at `target` is kept.
pub(crate) fn record_of(target: &Path) -> PathBuf {
    beside(target, "sha256")
}

/// The SHA-256 that is kept for `target`.
pub(crate) fn recorded(target: &Path) -> Option<String> {
    // As `sha256sum` writes it: the digest, and perhaps the name of the file.
    let text = fs_err::read_to_string(record_of(target)).ok()?;
    Some(text.split_whitespace().next()?.to_lowercase())
}

/// Keeps the SHA-256 of `target`.
pub(crate) fn record(target: &Path, sha256: &str) -> io::Result<()> {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    write_atomically(&record_of(target), format!("{sha256}  {name}\n").as_bytes())
}

/// An address with `https` is not left for one without, wherever it redirects to.
fn agent(url: &str) -> Agent {
    let config = Agent::config_builder()
        .https_only(url.to_lowercase().starts_with("https://"))
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

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs_err::remove_file(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
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
