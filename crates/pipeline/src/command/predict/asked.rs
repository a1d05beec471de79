//! [`Asked`]: the photos that were asked about: files, folders, patterns, and lists on standard input. They are met one by one,
//! so that memory does not grow with their number.

use std::io;
use std::path::{Path, PathBuf};

use pipeline_stage::{Cancel, Failure, words};

use super::glob;
use super::list::List;
use super::walk::Walk;
use crate::command::Stop;

/// What was asked about.
#[derive(Debug)]
pub(super) struct Asked {
    origins: Vec<Origin>,
    /// Left out of folders: what the command itself writes.
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
    /// What these arguments mean. `own` is left out of folders: what the command itself writes.
    ///
    /// # Errors
    /// An argument that is not there, a pattern that stands for nothing.
    pub(super) fn of(arguments: &[PathBuf], own: Vec<PathBuf>, is_null: bool) -> Result<Self, Stop> {
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
                        return Err(Stop::usage(
                            format!("nothing is called like `{}`", path.display()),
                            HINT,
                        ));
                    }
                    origins.extend(found.into_iter().map(Origin::Path));
                }
                () => {
                    return Err(Stop::usage(
                        format!("there is no file or folder `{}`", path.display()),
                        HINT,
                    ));
                }
            }
        }
        if origins.iter().filter(|origin| matches!(origin, Origin::List)).count() > 1 {
            return Err(Stop::usage("standard input was named twice, as `-`".to_owned(), "name it once"));
        }
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
                    let mut walk = self.walk(path).map_err(|error| io_failure(&error))?;
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

    /// Of what the command writes, some may not be there yet when photos are counted.
    fn walk(&self, folder: &Path) -> io::Result<Walk> {
        Walk::from(folder, self.own.iter().filter_map(|path| path.canonicalize().ok()).collect())
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
    list: Option<List>,
    walk: Option<Walk>,
}

impl Photos<'_> {
    /// A file is a photo, a folder has photos. What is not there is a photo that cannot be read.
    fn meet(&mut self, path: PathBuf) -> io::Result<Option<PathBuf>> {
        if path.is_dir() {
            self.walk = Some(self.asked.walk(&path)?);
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
                Some(list) => list.next()?,
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
                            self.list = Some(List::of(self.asked.separator, self.cancel.clone()));
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
            match Asked::of(&paths, vec![], false) {
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
