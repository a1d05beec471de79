//! [`Roots`]: which artifacts are in use: those that links `out/<config>/<stage>` lead to, of this project and of every
//! other that shares the store.
//!
//! A run notes a link in the store before it makes it, in a file of its own, `<store>/links/<digest of its path>`. The note
//! has the link's place twice, absolute and from the store, so that it is found again where the project was moved with
//! its store. Runs of commands before there were notes are covered by two more looks: into `out/` beside the store, and
//! at the links that the records of runs name.
//!
//! | at a noted place is | then |
//! |---|---|
//! | a link into this store, or one that leads nowhere | what is noted, and what it leads to, is in use |
//! | something else, or nothing where `out` is | the link was removed, the note is dead |
//! | nothing, and no `out` either | it may be a disk that is away: what is noted is in use, and that is said |

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Component, Path, PathBuf};

use pipeline_stage::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::Error;
use crate::link::relative;
use crate::store::{Store, write_durably};

const DOING: &str = "look for links to artifacts";

/// Kind and key of an artifact.
pub(crate) type Name = (String, Digest);

/// The artifacts in use, and what is to be said about the links.
#[derive(Debug, Default)]
pub(crate) struct Roots {
    /// The links that lead to each artifact that is in use; those of notes also where they are away.
    pub(crate) used: BTreeMap<Name, BTreeSet<PathBuf>>,
    /// Files of notes whose links were removed.
    pub(crate) dead: Vec<PathBuf>,
    /// Folders of links that are not there.
    pub(crate) away: BTreeSet<PathBuf>,
    /// Folders that links to artifacts are in.
    pub(crate) folders: BTreeSet<PathBuf>,
}

/// The note of one link.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Note {
    /// Its absolute place.
    link: PathBuf,
    /// Its place as seen from the store.
    from_store: PathBuf,
    kind: String,
    key: Digest,
}

/// Notes in the store that `link` leads to the artifact `key`, before it does.
pub(crate) fn note(store: &Store, link: &Path, kind: &str, key: &Digest) -> Result<(), Error> {
    let make = || -> io::Result<()> {
        let folder = link.parent().unwrap_or(Path::new("."));
        fs_err::create_dir_all(folder)?;
        let folder = fs_err::canonicalize(folder)?;
        let name = link.file_name().unwrap_or_default();
        let from_store = relative(&fs_err::canonicalize(store.dir())?, &folder).join(name);
        let note = Note { link: folder.join(name), from_store, kind: kind.to_owned(), key: *key };
        let path = store.links_dir().join(Digest::of(note.link.as_os_str().as_encoded_bytes()).to_string());
        let text = format!("{}\n", serde_json::to_string(&note)?);
        if fs_err::read(&path).is_ok_and(|now| now == text.as_bytes()) {
            return Ok(());
        }
        // To the disk: what is not noted is not kept.
        write_durably(&path, text.as_bytes())
    };
    make().map_err(Error::io("note the link to the artifact", link))
}

impl Roots {
    /// Looks at all links of `store`, whose artifacts are `artifacts`; those below `forgotten` count as removed.
    ///
    /// # Errors
    /// [`Error::LinkNote`] for a note that cannot be read: what it keeps is not known.
    pub(crate) fn find(store: &Store, artifacts: &[Name], forgotten: &[PathBuf]) -> Result<Roots, Error> {
        let real = |path: &Path| fs_err::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let dir = real(store.dir());
        let mut at = BTreeMap::new();
        for (kind, key) in artifacts {
            at.insert(real(&store.artifact_dir(kind, key)), (kind.clone(), *key));
        }
        let mut looker = Looker { at, roots: Roots::default() };
        for path in store.listed("links")? {
            looker.note(&dir, path, forgotten)?;
        }
        let out = dir.parent().map(|project| project.join("out"));
        for config in out.iter().flat_map(|out| entries(out)) {
            for link in entries(&config) {
                looker.link(&link);
            }
        }
        for run in store.listed("runs")? {
            for link in links_of_run(&run) {
                looker.link(&link);
            }
        }
        Ok(looker.roots)
    }
}

/// What is at the place of a link.
#[derive(Debug, PartialEq)]
enum Place {
    /// A link into this store, or one that leads nowhere.
    Link,
    /// Something else, or nothing.
    Removed,
    /// Nothing, nor the folders that it would be in.
    Away,
}

/// Collects.
struct Looker {
    /// Artifacts by their real folders.
    at: BTreeMap<PathBuf, Name>,
    roots: Roots,
}

impl Looker {
    /// Takes a note into account.
    fn note(&mut self, store: &Path, path: PathBuf, forgotten: &[PathBuf]) -> Result<(), Error> {
        if is_temporary(&path) {
            return Ok(());
        }
        let text = fs_err::read(&path).map_err(Error::io(DOING, &path))?;
        let note: Note = serde_json::from_slice(&text)
            .map_err(|error| Error::LinkNote { path: path.clone(), reason: error.to_string() })?;
        let places = [note.link.clone(), straight(&store.join(&note.from_store))];
        if places.iter().any(|place| forgotten.iter().any(|folder| place.starts_with(folder))) {
            self.roots.dead.push(path);
            return Ok(());
        }
        let found = [self.link(&places[0]), self.link(&places[1])];
        let there = found.iter().position(|place| *place == Place::Link);
        if there.is_none() && found.contains(&Place::Removed) {
            self.roots.dead.push(path);
            return Ok(());
        }
        if there.is_none() {
            self.roots.away.extend(note.link.parent().map(Path::to_owned));
        }
        let link = places[there.unwrap_or(0)].clone();
        self.roots.used.entry((note.kind, note.key)).or_default().insert(link);
        Ok(())
    }

    /// Looks at a place where a link may be, and takes it into account.
    fn link(&mut self, link: &Path) -> Place {
        let folder = link.parent().unwrap_or(Path::new("/"));
        if folder.is_dir() {
            self.roots.folders.insert(folder.to_owned());
        }
        match fs_err::symlink_metadata(link) {
            Ok(found) if found.is_symlink() => {}
            Ok(_) => return Place::Removed,
            Err(error) if is_absent(&error) => {
                // The mount point of a disk that is away is there; what is on the disk is not.
                let is_there = folder.is_dir() || folder.parent().is_some_and(Path::is_dir);
                return if is_there { Place::Removed } else { Place::Away };
            }
            Err(_) => return Place::Away,
        }
        match fs_err::canonicalize(link) {
            Ok(target) => {
                let Some(name) = self.at.get(&target) else { return Place::Removed };
                // A hidden one was being made when its process was killed.
                if !file_name(link).starts_with('.') {
                    self.roots.used.entry(name.clone()).or_default().insert(link.to_owned());
                }
                Place::Link
            }
            Err(error) if is_absent(&error) => Place::Link,
            Err(_) => Place::Away,
        }
    }
}

/// The links that a run of any version says it made.
fn links_of_run(run: &Path) -> Vec<PathBuf> {
    let text = fs_err::read(run.join("run.json")).unwrap_or_default();
    let record: Value = serde_json::from_slice(&text).unwrap_or_default();
    let stages = record["stages"].as_array().into_iter().flatten();
    let links = stages.filter_map(|stage| stage["path"].as_str()).map(PathBuf::from);
    links.filter(|link| link.is_absolute()).collect()
}

/// What is in a folder; nothing where it cannot be read.
pub(crate) fn entries(folder: &Path) -> Vec<PathBuf> {
    fs_err::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

pub(crate) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Whether the file was being written when its process was killed.
pub(crate) fn is_temporary(path: &Path) -> bool {
    file_name(path).starts_with(".tmp")
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// The path without `..`, taken by its letters: what is before has no links.
pub(crate) fn straight(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(out.pop()),
            Component::CurDir => {}
            other => out.push(other),
        }
    }
    out
}
