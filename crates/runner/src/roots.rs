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
//! | something else, or nothing where `out` is | the link was removed, the note is dead: it keeps nothing, and goes with the manifest |
//! | nothing, and no `out` either | it may be a disk that is away: what is noted is in use, and that is said |

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use pipeline_stage::Digest;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::paths::{entries, file_name, is_temporary, relative, straight};
use crate::runs::RunRecord;
use crate::store::{Store, write_durably};

const DOING: &str = "look for links to artifacts";

/// Kind and key of an artifact.
pub(crate) type Name = (String, Digest);

/// The artifacts in use, and what is to be said about the links.
#[derive(Debug, Default)]
pub(crate) struct Roots {
    /// The links that lead to each artifact that is in use; those of notes also where they are away.
    pub(crate) used: BTreeMap<Name, BTreeSet<PathBuf>>,
    /// Notes whose links were removed.
    pub(crate) dead: Vec<Dead>,
    /// Folders of links that are not there.
    away: BTreeSet<PathBuf>,
    /// What was to be forgotten and has no link.
    strange: Vec<PathBuf>,
    /// Folders that links to artifacts are in.
    pub(crate) folders: BTreeSet<PathBuf>,
}

/// A note whose link was removed.
#[derive(Debug, PartialEq)]
pub(crate) struct Dead {
    /// The note's file.
    pub(crate) path: PathBuf,
    pub(crate) link: PathBuf,
    /// The artifact that the link led to; `None` where it is to be forgotten.
    pub(crate) of: Option<Name>,
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
        let path = note_file(store, &note.link);
        let text = format!("{}\n", serde_json::to_string(&note)?);
        if fs_err::read(&path).is_ok_and(|now| now == text.as_bytes()) {
            return Ok(());
        }
        // To the disk: what is not noted is not kept.
        write_durably(&path, text.as_bytes())
    };
    make().map_err(Error::io("note the link to the artifact", link))
}

/// The artifact that `link` was noted to lead to, whether or not it is there.
pub(crate) fn noted_of(store: &Store, link: &Path) -> Option<Name> {
    let folder = fs_err::canonicalize(link.parent()?).ok()?;
    let text = fs_err::read(note_file(store, &folder.join(link.file_name()?))).ok()?;
    serde_json::from_slice::<Note>(&text).ok().map(|note| (note.kind, note.key))
}

/// Where the link at this absolute place is noted.
fn note_file(store: &Store, link: &Path) -> PathBuf {
    store.links_dir().join(Digest::of(link.as_os_str().as_encoded_bytes()).to_string())
}

/// What is noted, whether or not the links are there.
pub(crate) fn noted(store: &Store) -> Vec<Name> {
    let notes = store.listed("links").unwrap_or_default().into_iter();
    let notes = notes.filter_map(|path| serde_json::from_slice::<Note>(&fs_err::read(path).ok()?).ok());
    notes.map(|note| (note.kind, note.key)).collect()
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
        let roots = Roots { strange: forgotten.to_owned(), ..Roots::default() };
        let mut looker = Looker { at, roots };
        for path in store.listed("links")? {
            looker.note(&dir, path, forgotten)?;
        }
        let out = dir.parent().map(|project| project.join("out"));
        for config in out.iter().flat_map(|out| entries(out)) {
            for link in entries(&config) {
                looker.link(&link);
            }
        }
        for run in RunRecord::all(store)? {
            let links = run.details().stages.into_iter().filter_map(|stage| stage.path);
            for link in links.filter(|link| link.is_absolute()) {
                looker.link(&link);
            }
        }
        Ok(looker.roots)
    }

    /// What is to be said about the links.
    pub(crate) fn notes(&self) -> Vec<String> {
        let away = self.away.iter().map(|folder| folder.display()).map(|folder| {
            format!(
                "{folder} is not there: what its links led to is kept; if it is gone for good, say --forget {folder}"
            )
        });
        let strange = self.strange.iter().map(|folder| {
            format!("--forget {}: no link is noted there, so nothing was forgotten", folder.display())
        });
        away.chain(strange).collect()
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
        let is_below = |folder: &PathBuf| places.iter().any(|place| place.starts_with(folder));
        if forgotten.iter().any(is_below) {
            self.roots.strange.retain(|folder| !is_below(folder));
            self.roots.dead.push(Dead { path, link: note.link, of: None });
            return Ok(());
        }
        let found = [self.link(&places[0]), self.link(&places[1])];
        let there = found.iter().position(|place| *place == Place::Link);
        if there.is_none() && found.contains(&Place::Removed) {
            self.roots.dead.push(Dead { path, link: note.link, of: Some((note.kind, note.key)) });
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

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
