//! [`Asked`]: the photos that were asked about: files, folders, patterns, and lists on standard input. They are met one by one,
//! so that memory does not grow with their number.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use pipeline_stage::{Cancel, Failure, words};

use super::glob;
use super::walk::Walk;
use super::wrong;
use crate::command::Stop;

/// Longest path in a list: far above what any system takes. What has no end is no list.
const MOST_BYTES: u64 = 1 << 16;

/// What was asked about.
#[derive(Debug)]
pub(super) struct Asked {
    origins: Vec<Origin>,
    /// Real paths that are left out: what the command itself writes.
    own: Vec<PathBuf>,
    /// What ends a path in a list: a line break, or the byte 0.
    separator: u8,
}

#[derive(Debug, Clone)]
enum Origin {
    /// A folder or a file.
    Path(PathBuf),
    /// Standard input.
    List,
}

/// How many photos there are, as far as that can be known before.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Count {
    /// `None` where a list is still to be read.
    pub(super) photos: Option<u64>,
    /// Files and folders that are left out because of their names.
    clutter: u64,
    /// Links that lead back.
    loops: u64,
}

impl Asked {
    /// What these arguments mean. `own` is left out of folders: what the command itself writes, where it is there.
    ///
    /// # Errors
    /// An argument that is not there, a pattern that stands for nothing.
    pub(super) fn of(arguments: &[PathBuf], own: &[&Path], is_null: bool) -> Result<Self, Stop> {
        let mut origins = vec![];
        for argument in arguments {
            // Two strokes stand for one, and are kept for names that are no text.
            let path: PathBuf = argument.components().collect();
            let is_there = path.symlink_metadata().is_ok();
            match () {
                () if argument.as_os_str() == "-" => origins.push(Origin::List),
                () if is_there => origins.push(Origin::Path(path)),
                () if glob::is_pattern(&path) => {
                    let found = glob::expand(&path).map_err(|error| unreadable(&error))?;
                    if found.is_empty() {
                        return Err(wrong(format!("nothing is called like `{}`", path.display()), HINT));
                    }
                    origins.extend(found.into_iter().map(Origin::Path));
                }
                () => return Err(wrong(format!("there is no file or folder `{}`", path.display()), HINT)),
            }
        }
        if origins.iter().filter(|origin| matches!(origin, Origin::List)).count() > 1 {
            return Err(wrong("standard input was named twice, as `-`".to_owned(), "name it once"));
        }
        let own = own.iter().filter_map(|path| path.canonicalize().ok()).collect();
        Ok(Asked { origins, own, separator: if is_null { 0 } else { b'\n' } })
    }

    /// Counts the photos, which takes a look at every folder, but none at a photo.
    ///
    /// # Errors
    /// A folder that cannot be listed, no photos at all, the signal to stop.
    pub(super) fn count(&self, cancel: &Cancel) -> Result<Count, Failure> {
        let (mut count, mut photos, mut has_list) = (Count::default(), 0, false);
        for origin in &self.origins {
            match origin {
                Origin::List => has_list = true,
                Origin::Path(path) if path.is_dir() => {
                    let mut walk = Walk::from(path, &self.own).map_err(|error| io_failure(&error))?;
                    for file in &mut walk {
                        cancel.check()?;
                        file.map_err(|error| io_failure(&error))?;
                        photos += 1;
                    }
                    count.clutter += walk.clutter;
                    count.loops += walk.loops;
                }
                Origin::Path(_) => photos += 1,
            }
        }
        Ok(Count { photos: (!has_list).then_some(photos), ..count })
    }

    /// The photos in order.
    pub(super) fn photos(&self, cancel: &Cancel) -> Photos<'_> {
        let origins = self.origins.clone().into_iter();
        Photos { asked: self, cancel: cancel.clone(), origins, list: None, walk: None }
    }

    /// The arguments, for messages.
    pub(super) fn shown(&self) -> String {
        let shown = self.origins.iter().take(3).map(|origin| match origin {
            Origin::Path(path) => format!("`{}`", path.display()),
            Origin::List => "standard input".to_owned(),
        });
        let more = if self.origins.len() > 3 { ", …" } else { "" };
        shown.collect::<Vec<_>>().join(", ") + more
    }
}

const HINT: &str =
    "name photos, folders of photos, patterns such as 'photos/*.jpg', or - for a list on standard input";

impl Count {
    /// What is left out; `None` where nothing is.
    pub(super) fn left_out(&self) -> Option<String> {
        let some = |count: u64, what: &str| (count > 0).then(|| format!("{} {what}", words::count(count)));
        let parts = [
            some(self.clutter, "hidden files and other clutter"),
            some(self.loops, "links that lead back to a folder above"),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        (!parts.is_empty()).then(|| format!("left out: {}", parts.join(", ")))
    }
}

/// The photos, one by one.
pub(super) struct Photos<'a> {
    asked: &'a Asked,
    cancel: Cancel,
    origins: std::vec::IntoIter<Origin>,
    list: Option<BufReader<Input>>,
    walk: Option<Walk<'a>>,
}

impl Photos<'_> {
    /// A file is a photo, a folder has photos. What is not there is a photo that cannot be read.
    fn meet(&mut self, path: PathBuf) -> io::Result<Option<PathBuf>> {
        if path.is_dir() {
            self.walk = Some(Walk::from(&path, &self.asked.own)?);
            return Ok(None);
        }
        Ok(Some(path))
    }

    fn advance(&mut self) -> io::Result<Option<PathBuf>> {
        loop {
            if let Some(walk) = &mut self.walk {
                match walk.next() {
                    Some(path) => return path.map(Some),
                    None => self.walk = None,
                }
            }
            let path = match &mut self.list {
                Some(list) => listed(list, self.asked.separator)?,
                None => None,
            };
            let path = match path {
                Some(path) => path,
                None => {
                    self.list = None;
                    match self.origins.next() {
                        None => return Ok(None),
                        Some(Origin::Path(path)) => path,
                        Some(Origin::List) => {
                            self.list = Some(BufReader::new(Input { cancel: self.cancel.clone() }));
                            continue;
                        }
                    }
                }
            };
            if let Some(photo) = self.meet(path)? {
                return Ok(Some(photo));
            }
        }
    }
}

impl Iterator for Photos<'_> {
    type Item = Result<PathBuf, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.cancel.is_cancelled() {
            return Some(Err(Failure::Cancelled));
        }
        let met = self.advance();
        if self.cancel.is_cancelled() {
            return Some(Err(Failure::Cancelled));
        }
        met.map_err(|error| io_failure(&error)).transpose()
    }
}

/// The next path of a list that is not empty.
fn listed(list: &mut impl BufRead, separator: u8) -> io::Result<Option<PathBuf>> {
    loop {
        let mut bytes = vec![];
        let read = list.by_ref().take(MOST_BYTES).read_until(separator, &mut bytes)?;
        if read as u64 == MOST_BYTES {
            let way = if separator == 0 { "" } else { " (of paths that end in the byte 0: --null)" };
            return Err(io::Error::other(format!(
                "cannot read the list on standard input: a path has {MOST_BYTES} bytes or more{way}"
            )));
        }
        if bytes.last() == Some(&separator) {
            bytes.pop();
        }
        if !bytes.is_empty() {
            return Ok(Some(Path::new(&OsString::from_vec(bytes)).components().collect()));
        }
        if read == 0 {
            return Ok(None);
        }
    }
}

/// Standard input, not waited for any longer once the command is to stop.
struct Input {
    cancel: Cancel,
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let limit = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };
        let stdin = io::stdin();
        loop {
            if self.cancel.is_cancelled() {
                return Ok(0);
            }
            match poll(&mut [PollFd::new(&stdin, PollFlags::IN)], Some(&limit)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                // Also where nobody writes any more.
                Ok(_) => return Ok(rustix::io::read(&stdin, buffer)?),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// What the file system says, which names the path.
fn io_failure(error: &io::Error) -> Failure {
    Failure::new(error.to_string(), None)
}

fn unreadable(error: &io::Error) -> Stop {
    Stop::Error { message: error.to_string(), hint: None, code: pipeline_stage::exit::STAGE_FAILED }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_a_path_a_line_or_between_zero_bytes_and_empty_ones_count_for_nothing() {
        let all = |mut text: &[u8], separator| {
            let mut found = vec![];
            while let Some(path) = listed(&mut text, separator).unwrap() {
                found.push(path);
            }
            found
        };
        assert_eq!(
            all(b"a b.jpg\n\n-x.jpg\n./c//d.jpg", b'\n'),
            ["a b.jpg", "-x.jpg", "./c/d.jpg"].map(PathBuf::from)
        );
        assert_eq!(all(b"a\nb.jpg\0c.jpg\0", 0), ["a\nb.jpg", "c.jpg"].map(PathBuf::from));
        let error = listed(&mut [b'x'; 1 << 17].as_slice(), b'\n').unwrap_err().to_string();
        assert!(
            error.starts_with("cannot read the list on standard input: a path has 65536 bytes or more"),
            "{error}"
        );
    }

    #[test]
    fn what_is_left_out_is_said() {
        let count = Count { photos: Some(3), clutter: 1_200, loops: 0 };
        assert_eq!(count.left_out().unwrap(), "left out: 1,200 hidden files and other clutter");
        assert_eq!(Count::default().left_out(), None);
    }

    #[test]
    fn arguments_that_mean_nothing_are_refused_with_what_can_be_named() {
        let dir = tempfile::tempdir().unwrap();
        let told = |arguments: &[&str]| {
            let paths: Vec<PathBuf> =
                arguments.iter().map(|a| if *a == "-" { a.into() } else { dir.path().join(a) }).collect();
            match Asked::of(&paths, &[], false) {
                Err(Stop::Error { message, hint: Some(_), .. }) => {
                    message.replace(&dir.path().display().to_string(), "DIR")
                }
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(told(&["gone.jpg"]), "there is no file or folder `DIR/gone.jpg`");
        assert_eq!(told(&["*.jpg"]), "nothing is called like `DIR/*.jpg`");
        assert_eq!(told(&["-", "-"]), "standard input was named twice, as `-`");
    }
}
