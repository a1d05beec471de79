//! What stages need from outside, before planning: found, fetched, unpacked, digested.
//!
//! A plan only looks; a run also fetches and unpacks, for the stages that it may run.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use pipeline_stage::failure::Cause;
use pipeline_stage::source::{Remote, Shape, Source};
use pipeline_stage::{Cancel, Digest, Event, Fingerprint, Hint, Report};

use crate::error::Error;
use crate::fetch::{self, Unfetched, beside};
use crate::graph::{Graph, Node};
use crate::listing::Listing;
use crate::lock::{Claim, Exclusive};
use crate::observer::Observer;
use crate::options::RunOptions;
use crate::plan::{Located, Sources, Unready};
use crate::store::Store;
use crate::tree::Hashing;
use crate::unpack::{self, Refused};

/// The sources of every stage, by place in the graph.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// What the planner is told.
    pub(crate) states: Sources,
    /// Real paths of the sources that are ready, by name.
    pub(crate) paths: Vec<BTreeMap<String, PathBuf>>,
}

/// The same of one stage.
pub(crate) type FoundOf = (BTreeMap<String, Located>, BTreeMap<String, PathBuf>);

/// Looks for sources.
pub(crate) struct Finder<'a> {
    pub(crate) options: &'a RunOptions,
    pub(crate) store: &'a Store,
    pub(crate) cancel: &'a Cancel,
    pub(crate) observer: &'a dyn Observer,
    /// Whether what is missing is fetched and unpacked, for the stage at a place in the graph.
    pub(crate) may_fetch: &'a (dyn Fn(usize) -> bool + Sync),
}

impl Finder<'_> {
    /// Finds the sources of all stages.
    ///
    /// # Errors
    /// When a source of a stage that may fetch cannot be had, and when one cannot be read.
    pub(crate) fn find_all(&self, graph: &Graph) -> Result<Found, Error> {
        let mut found = Found::default();
        for place in 0..graph.nodes().len() {
            let (states, paths) = self.find_of(graph, place)?;
            found.states.push(states);
            found.paths.push(paths);
        }
        Ok(found)
    }

    /// The sources of the stage at `place`, and where those are that are there.
    ///
    /// # Errors
    /// As [`Finder::find_all`].
    pub(crate) fn find_of(&self, graph: &Graph, place: usize) -> Result<FoundOf, Error> {
        let (mut states, mut paths) = (BTreeMap::new(), BTreeMap::new());
        for (name, found) in self.of(&graph.nodes()[place], (self.may_fetch)(place))? {
            match found {
                Place::Ready(path, digest) => {
                    states.insert(name.clone(), Located::Ready(digest));
                    paths.insert(name, path);
                }
                Place::Unready(why) => drop(states.insert(name, Located::Unready(why))),
            }
        }
        Ok((states, paths))
    }

    /// The name of a source of `node` whose content is not, or not any more, what `digests` says.
    ///
    /// # Errors
    /// When one cannot be read.
    pub(crate) fn changed(
        &self,
        node: &Node,
        digests: &BTreeMap<String, Digest>,
    ) -> Result<Option<String>, Error> {
        let is_same = |name: &String, place: &Place| matches!(place, Place::Ready(_, digest) if digests.get(name) == Some(digest));
        Ok(self
            .of(node, false)?
            .into_iter()
            .find(|(name, place)| !is_same(name, place))
            .map(|(name, _)| name))
    }

    /// The files of the folder at `path`, which is the source `name` of `node`; `None` where it is no folder, cannot be
    /// read, or has too many.
    pub(crate) fn listing(&self, node: &Node, name: &str, path: &Path) -> Option<Listing> {
        let sources = node.stage.sources(&node.params).ok()?;
        let source = sources.iter().find(|source| source.name == name && source.shape == Shape::Tree)?;
        let one = One { finder: self, stage: &node.name, source, path, may_fetch: false };
        one.hashing(path).tree(path).ok()?.listing()
    }

    /// The sources of one stage, by name.
    fn of(&self, node: &Node, may_fetch: bool) -> Result<Vec<(String, Place)>, Error> {
        let sources = node
            .stage
            .sources(&node.params)
            .map_err(|problems| Error::Parameters { stage: node.name.clone(), problems })?;
        let find = |s: Source| Ok((s.name.to_owned(), self.find(&node.name, &s, may_fetch)?));
        sources.into_iter().map(find).collect()
    }

    fn find(&self, stage: &str, source: &Source, may_fetch: bool) -> Result<Place, Error> {
        // `data/x/` and `data/./x` are `data/x`: names beside it are made from it.
        let path: PathBuf = self.options.root.join(&source.path).components().collect();
        let one = One { finder: self, stage, source, path: &path, may_fetch };
        let place = match fs_err::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => one.folder(),
            Ok(metadata) if metadata.is_file() => one.file(),
            Ok(_) => Err(one.wrong_shape("neither a file nor a folder")),
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                one.missing()
            }
            Err(e) => Err(Error::io("look for a source", &path)(e)),
        };
        match place {
            // A plan says what a run will stumble over, and about the other stages, too.
            Err(
                error @ (Error::SourceMissing { .. } | Error::SourceShape { .. } | Error::WrongDigest { .. }),
            ) if !may_fetch => {
                Ok(Place::Unready(Unready::Missing { message: error.to_string(), hint: error.hint() }))
            }
            other => other,
        }
    }
}

/// Where a source is, or why it is not.
enum Place {
    Ready(PathBuf, Digest),
    Unready(Unready),
}

/// One source that is being looked for.
struct One<'a> {
    finder: &'a Finder<'a>,
    stage: &'a str,
    source: &'a Source,
    path: &'a Path,
    may_fetch: bool,
}

impl One<'_> {
    /// Where the archive of a folder lies that is fetched.
    fn archive(&self) -> PathBuf {
        let ending = self.source.fetch.as_ref().map_or("zip", Remote::archive_ending);
        beside(self.path, ending)
    }

    fn folder(&self) -> Result<Place, Error> {
        if self.source.shape == Shape::File {
            return Err(self.wrong_shape("a folder"));
        }
        self.check_origin()?;
        self.tree(self.path)
    }

    /// Whether the folder came from the archive that it should come from, where both are known.
    fn check_origin(&self) -> Result<(), Error> {
        let archive = self.archive();
        let expected = self.source.fetch.as_ref().and_then(|remote| remote.sha256.as_ref());
        let Some((expected, found)) = expected.zip(fetch::recorded(&archive)) else { return Ok(()) };
        let shown = |path: &Path| self.finder.options.shown(path);
        fetch::expect(&found, expected).map_err(|unfetched| {
            let hint = format!(
                "remove {} and {} to fetch it again; or correct the digest, or remove {} to use the folder as it is",
                self.shown(),
                shown(&archive),
                shown(&fetch::record_of(&archive)),
            );
            self.unfetched(unfetched, format!("the archive that {} came from", self.shown()), hint)
        })
    }

    fn file(&self) -> Result<Place, Error> {
        if self.source.shape == Shape::File {
            let digest = self.hashing(self.path).file(self.path)?;
            return Ok(Place::Ready(self.path.to_owned(), digest));
        }
        if unpack::Format::of(self.path).map_err(Error::io("look for a source", self.path))?.is_none() {
            return Err(self.wrong_shape("a file that is no archive"));
        }
        let look = || -> Result<Fingerprint, Error> {
            let metadata = fs_err::metadata(self.path).map_err(Error::io("look for a source", self.path))?;
            Ok(Fingerprint::of(&metadata))
        };
        let hashed = look()?;
        let archive = self.hashing(self.path).file(self.path)?;
        let unpacked = self.finder.store.unpacked_dir(&archive);
        if !unpacked.exists() {
            if !self.may_fetch {
                return Ok(Place::Unready(Unready::NotUnpacked));
            }
            let claim = self.claim();
            let _lock = self.finder.store.lock_named(&format!("unpack-{archive}"), &self.shown(), &claim)?;
            if !unpacked.exists() {
                if let Some(remote) = self.source.fetch.as_ref().filter(|remote| remote.sha256.is_some()) {
                    self.check_present(remote, self.path)?;
                }
                let draft = self.finder.store.draft()?;
                self.unpack(self.path, &draft.out())?;
                // Another archive may have taken its place while we waited or unpacked.
                if look()? != hashed {
                    return Err(Error::ZipChanged { stage: self.stage.to_owned(), path: self.shown() });
                }
                fs_err::rename(draft.out(), &unpacked).map_err(Error::io("unpack a source", &unpacked))?;
            }
        }
        self.tree(&unpacked)
    }

    fn missing(&self) -> Result<Place, Error> {
        match &self.source.fetch {
            Some(remote) if self.may_fetch => self.fetch(remote),
            Some(_) if self.source.shape == Shape::Tree && self.archive().exists() => {
                Ok(Place::Unready(Unready::NotUnpacked))
            }
            Some(_) => Ok(Place::Unready(Unready::NotFetched)),
            None => Err(Error::SourceMissing {
                stage: self.stage.to_owned(),
                what: if self.source.shape == Shape::File { "file" } else { "folder" },
                path: self.shown(),
                hint: self.hint(),
            }),
        }
    }

    fn fetch(&self, remote: &Remote) -> Result<Place, Error> {
        let _lock = self.lock()?;
        let target = match self.source.shape {
            Shape::File => self.path.to_owned(),
            Shape::Tree => self.archive(),
        };
        // Another run may have fetched it while we waited for the lock.
        let mut sha256 = None;
        if !target.exists() && !self.path.exists() {
            let Finder { cancel, .. } = self.finder;
            let fetched = fetch::fetch(remote, &target, self.source.shape, self, cancel);
            sha256 = Some(fetched.map_err(|e| self.not_fetched(e, &target))?);
        }
        if self.source.shape == Shape::File {
            return self.file();
        }
        if !self.path.exists() {
            let sha256 = sha256.map_or_else(|| self.check_present(remote, &target), Ok)?;
            // Beside its place, so that it can be renamed to it; what an earlier try left is removed.
            let draft = hidden(self.path, "unpacking");
            let io = |e| Error::io("unpack a source", self.path)(e);
            if draft.exists() {
                fs_err::remove_dir_all(&draft).map_err(io)?;
            }
            fs_err::create_dir_all(&draft).map_err(io)?;
            let unpacked = self.unpack(&target, &draft);
            // The record before the folder, so that no folder is without it.
            let recorded = unpacked.and_then(|()| fetch::record(&target, &sha256).map_err(io));
            let done = recorded.and_then(|()| fs_err::rename(&draft, self.path).map_err(io));
            if done.is_err() {
                let _ = fs_err::remove_dir_all(&draft);
            }
            done?;
        }
        self.folder()
    }

    /// The lock of whoever fetches or unpacks beside the source's path. It lies there, too: other runs may
    /// have other stores.
    fn lock(&self) -> Result<Exclusive, Error> {
        let path = hidden(self.path, "lock");
        let folder = self.path.parent().unwrap_or(Path::new("."));
        fs_err::create_dir_all(folder).map_err(Error::io("fetch a source", folder))?;
        Exclusive::acquire(&path, &self.shown(), &self.claim()).map_err(|error| match error {
            Error::Locked { what, holder, .. } => {
                Error::Locked { what, holder, hint: "wait for it with --wait-lock 600" }
            }
            other => other,
        })
    }

    /// Checks an archive that was here before against what is known of it. Returns its SHA-256.
    fn check_present(&self, remote: &Remote, archive: &Path) -> Result<String, Error> {
        let shown = self.finder.options.shown(archive);
        let check = || {
            let sha256 = fetch::check_present(remote, archive, self.finder.cancel)?;
            if let (None, Some(recorded)) = (&remote.sha256, fetch::recorded(archive)) {
                fetch::expect(&sha256, &recorded)?;
            }
            Ok(sha256)
        };
        check().map_err(|unfetched| {
            let hint = format!("remove {shown} to fetch it again, or correct the digest");
            self.unfetched(unfetched, shown, hint)
        })
    }

    fn tree(&self, root: &Path) -> Result<Place, Error> {
        let tree = self.hashing(root).tree(root)?;
        let listing = self.finder.store.listing_file(&tree.digest);
        if self.may_fetch
            && !listing.exists()
            && let Some(files) = tree.listing()
        {
            // One that cannot be written costs words in `explain`, nothing else.
            let _ = files.write(&listing);
        }
        Ok(Place::Ready(root.to_owned(), tree.digest))
    }

    fn unpack(&self, archive: &Path, out: &Path) -> Result<(), Error> {
        unpack::unpack(archive, out, self, self.finder.cancel).map_err(|refused| match refused {
            Refused::Archive(reason) => Error::Unpack {
                stage: self.stage.to_owned(),
                path: self.finder.options.shown(archive),
                reason,
                hint: self.unpack_hint(archive),
            },
            Refused::Io(error) => Error::io("unpack a source", out)(error),
            Refused::Cancelled => Error::Cancelled,
        })
    }

    fn unpack_hint(&self, archive: &Path) -> String {
        let by_hand = "unpack it by hand and name the folder";
        if archive == self.path {
            return format!("get the archive again, or {by_hand}");
        }
        let shown = |path: &Path| self.finder.options.shown(path);
        let record = fetch::record_of(archive);
        let record = if record.exists() { format!(" and {}", shown(&record)) } else { String::new() };
        format!("remove {}{record} to fetch it again, or {by_hand}", shown(archive))
    }

    fn not_fetched(&self, unfetched: Unfetched, target: &Path) -> Error {
        let shown = |path: &Path| self.finder.options.shown(path);
        let file = target.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let hint = match unfetched {
            Unfetched::NoArchive(_) => format!(
                "open the address in a browser (a network or a site may ask to sign in first), or put the archive at {}",
                shown(target)
            ),
            Unfetched::WrongDigest(..) => format!(
                "fetch it again; if it is meant to have changed, correct its digest (or remove {})",
                shown(&fetch::record_of(target))
            ),
            _ => self.hint(),
        };
        self.unfetched(unfetched, file, hint)
    }

    fn unfetched(&self, unfetched: Unfetched, what: String, hint: String) -> Error {
        let stage = self.stage.to_owned();
        match unfetched {
            Unfetched::Remote(reason) => Error::Fetch { stage, file: what, reason, cause: Cause::Work, hint },
            Unfetched::Busy(reason) | Unfetched::Broken(reason) => {
                Error::Fetch { stage, file: what, reason, cause: Cause::Passing, hint }
            }
            Unfetched::NoArchive(found) => {
                let reason = format!("what arrived is {found}, expected a zip or tar archive");
                Error::Fetch { stage, file: what, reason, cause: Cause::Work, hint }
            }
            Unfetched::WrongDigest(found, expected) => {
                Error::WrongDigest { stage, path: what, found, expected, hint }
            }
            Unfetched::Io(error) => Error::io("fetch a source", self.path)(error),
            Unfetched::Cancelled => Error::Cancelled,
        }
    }

    fn wrong_shape(&self, found: &'static str) -> Error {
        Error::SourceShape {
            stage: self.stage.to_owned(),
            path: self.shown(),
            found,
            expected: if self.source.shape == Shape::File {
                "a file"
            } else {
                "a folder, or a zip or tar archive"
            },
            hint: self.hint(),
        }
    }

    /// What to do where it is missing.
    fn hint(&self) -> String {
        self.source.missing_hint.replace("{path}", &self.shown())
    }

    fn shown(&self) -> String {
        self.finder.options.shown(self.path)
    }

    /// Digests are remembered in the store; nowhere when there is none yet, which a plan does not make.
    fn hashing(&self, path: &Path) -> Hashing<'_> {
        let memo = self.finder.store.memo_file(path);
        let memo = memo.parent().is_some_and(Path::is_dir).then_some(memo);
        // The photos may lie in the project's own folder, where runs write.
        let real = |path: &Path| fs_err::canonicalize(path).ok();
        let ours = [real(&self.finder.options.store), real(&self.finder.options.out)].into_iter().flatten();
        let inside = |folder: &PathBuf| real(path).is_some_and(|root| folder.starts_with(root));
        Hashing { memo, left_out: ours.filter(inside).collect(), report: self, cancel: self.finder.cancel }
    }

    fn claim(&self) -> Claim<'_> {
        let Finder { options, cancel, observer, .. } = self.finder;
        Claim { command: &options.command, wait: options.wait_lock, cancel, observer: *observer }
    }
}

impl Report for One<'_> {
    fn emit(&self, event: Event) {
        self.finder.observer.source_event(self.stage, self.source.name, &event);
    }
}

/// `.<name>.<ending>` beside `path`.
fn hidden(path: &Path, ending: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{ending}"))
}
