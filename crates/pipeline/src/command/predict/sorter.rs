//! [`Sorter`]: photos copied or moved into a folder for each class. Nothing is ever overwritten.

use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind, Read};
use std::path::{Component, Path, PathBuf};

use pipeline_stage::Draft;
use pipeline_stage::draft::rename_new;

use super::UNSURE;
use crate::command::Stop;

/// Names that are tried for a photo: `a.jpg`, `a-2.jpg`, and so on.
const MOST_NAMES: u32 = 10_000;

/// Sorts photos into folders.
#[derive(Debug)]
pub(super) struct Sorter {
    folder: PathBuf,
    pub(super) is_move: bool,
}

/// What became of a photo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sorted {
    /// It lies there now.
    Placed,
    /// A file of its name and content was there before.
    Known,
}

impl Sorter {
    /// Into folders of these classes below `folder`, which is made.
    ///
    /// # Errors
    /// A class whose name cannot be that of a folder; a folder that cannot be made.
    pub(super) fn of(folder: &Path, is_move: bool, classes: &[String]) -> Result<Self, Stop> {
        for class in classes {
            // Names come with the model, which may be a stranger's.
            let mut parts = Path::new(class).components();
            let is_name = matches!((parts.next(), parts.next()), (Some(Component::Normal(name)), None) if name == class.as_str());
            if !is_name || class.contains(['\\', '\0']) {
                let message = format!(
                    "cannot sort into folders: the class `{}` is no name of a folder",
                    class.escape_debug()
                );
                return Err(Stop::usage(message, "write the answers into a file with --out instead"));
            }
        }
        fs_err::create_dir_all(folder)
            .map_err(|error| Stop::usage(error.to_string(), "name a folder that can be written"))?;
        Ok(Sorter { folder: folder.to_owned(), is_move })
    }

    /// `copied` or `moved`.
    pub(super) fn done_word(&self) -> &'static str {
        if self.is_move { "moved" } else { "copied" }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Puts a photo into the folder of a class.
    ///
    /// # Errors
    /// What the file system says; no free name.
    pub(super) fn sort(&self, photo: &Path, class: &str) -> io::Result<Sorted> {
        let folder = self.folder.join(class);
        fs_err::create_dir_all(&folder)?;
        let name = photo.file_name().ok_or_else(|| io::Error::other("it has no name"))?;
        for number in 1..=MOST_NAMES {
            let target = folder.join(numbered(name, number));
            if is_same(photo, &target)? {
                if self.is_move && !is_one_file(photo, &target)? {
                    fs_err::remove_file(photo)?;
                }
                return Ok(Sorted::Known);
            }
            if self.place(photo, &target)? {
                return Ok(Sorted::Placed);
            }
        }
        Err(io::Error::other(format!(
            "{MOST_NAMES} names like `{}` are taken in `{}`",
            name.display(),
            folder.display()
        )))
    }

    /// Puts the photo there, whole or not at all; `false` where something is there.
    fn place(&self, photo: &Path, target: &Path) -> io::Result<bool> {
        if target.symlink_metadata().is_ok() {
            return Ok(false);
        }
        // A link that is moved would lead elsewhere; what it leads to is copied.
        let placed = if self.is_move && !photo.is_symlink() {
            match rename_new(photo, target) {
                Err(error) if error.kind() == ErrorKind::CrossesDevices => self.copy(photo, target),
                renamed => renamed,
            }
        } else {
            self.copy(photo, target)
        };
        match placed {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            placed => placed.map(|()| true),
        }
    }

    /// Copies the photo; where it is to move, takes it away once the copy is on the disk.
    fn copy(&self, photo: &Path, target: &Path) -> io::Result<()> {
        let mut draft = Draft::beside(target)?;
        copy_to(photo, draft.path())?;
        if !self.is_move {
            return draft.publish_unsynced(false);
        }
        draft.publish(false)?;
        fs_err::remove_file(photo)
    }
}

/// Where photos are sorted into: `folder`, and those of the classes in it. What lies there is sorted already, also where `folder` itself is
/// asked about.
pub(super) fn sorted_into(folder: Option<&Path>, classes: &[String]) -> Vec<PathBuf> {
    let Some(folder) = folder else { return vec![] };
    let classes = classes.iter().map(String::as_str).chain([UNSURE]);
    [folder.to_owned()].into_iter().chain(classes.map(|class| folder.join(class))).collect()
}

/// `a.jpg`, `a-2.jpg`, `a-3.jpg`.
pub(super) fn numbered(name: &OsStr, number: u32) -> OsString {
    if number == 1 {
        return name.to_owned();
    }
    let path = Path::new(name);
    let mut numbered = path.file_stem().unwrap_or(name).to_owned();
    numbered.push(format!("-{number}"));
    if let Some(ending) = path.extension() {
        numbered.push(".");
        numbered.push(ending);
    }
    numbered
}

/// Content, permissions and time of change.
fn copy_to(photo: &Path, copy: &Path) -> io::Result<()> {
    fs_err::copy(photo, copy)?;
    // A photo that may not be written keeps the time of the copy.
    if let (Ok(file), Ok(changed)) =
        (fs_err::OpenOptions::new().write(true).open(copy), fs_err::metadata(photo)?.modified())
    {
        file.set_modified(changed)?;
    }
    Ok(())
}

/// Whether both are names of one file.
fn is_one_file(a: &Path, b: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let (a, b) = (fs_err::metadata(a)?, fs_err::metadata(b)?);
    Ok((a.dev(), a.ino()) == (b.dev(), b.ino()))
}

/// Whether the file is there, with the same content.
fn is_same(photo: &Path, target: &Path) -> io::Result<bool> {
    let Ok(there) = target.metadata() else { return Ok(false) };
    if !there.is_file() || there.len() != fs_err::metadata(photo)?.len() {
        return Ok(false);
    }
    let open = |path| fs_err::File::open(path).map(io::BufReader::new);
    let (mut a, mut b) = (open(photo)?, open(target)?);
    let (mut of_a, mut of_b) = ([0; 1 << 14], [0; 1 << 14]);
    loop {
        let read = a.read(&mut of_a)?;
        if read == 0 {
            return Ok(true);
        }
        match b.read_exact(&mut of_b[..read]) {
            Ok(()) if of_a[..read] == of_b[..read] => {}
            Err(error) if error.kind() != ErrorKind::UnexpectedEof => return Err(error),
            _ => return Ok(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(folder: &Path) -> Vec<String> {
        let entries = fs_err::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = entries.map(|name| name.to_str().unwrap().to_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_photo_is_copied_to_a_free_name_and_not_twice() {
        let dir = tempfile::tempdir().unwrap();
        let (photo, other) = (dir.path().join("a.jpg"), dir.path().join("in/a.jpg"));
        fs_err::write(&photo, "one").unwrap();
        fs_err::create_dir(dir.path().join("in")).unwrap();
        fs_err::write(&other, "two").unwrap();
        let classes = ["cats".to_owned()];
        let sorter = Sorter::of(&dir.path().join("out"), false, &classes).unwrap();
        assert_eq!(sorter.sort(&photo, "cats").unwrap(), Sorted::Placed);
        assert_eq!(sorter.sort(&other, "cats").unwrap(), Sorted::Placed);
        for path in [&photo, &other] {
            assert_eq!(sorter.sort(path, "cats").unwrap(), Sorted::Known);
        }
        let cats = dir.path().join("out/cats");
        assert_eq!(files(&cats), ["a-2.jpg", "a.jpg"]);
        assert_eq!(fs_err::read_to_string(cats.join("a.jpg")).unwrap(), "one");
        assert_eq!(fs_err::read_to_string(cats.join("a-2.jpg")).unwrap(), "two");
        assert!(photo.exists() && other.exists());
        let times = [&photo, &cats.join("a.jpg")].map(|path| path.metadata().unwrap().modified().unwrap());
        assert_eq!(times[0], times[1]);
    }

    #[test]
    fn a_photo_is_moved_and_what_a_link_leads_to_copied() {
        let dir = tempfile::tempdir().unwrap();
        let (photo, link) = (dir.path().join("a.jpg"), dir.path().join("b.jpg"));
        fs_err::write(&photo, "one").unwrap();
        std::os::unix::fs::symlink("a.jpg", &link).unwrap();
        let sorter = Sorter::of(&dir.path().join("out"), true, &["cats".to_owned()]).unwrap();
        assert_eq!(sorter.sort(&link, "cats").unwrap(), Sorted::Placed);
        assert_eq!(sorter.sort(&photo, "cats").unwrap(), Sorted::Placed);
        let cats = dir.path().join("out/cats");
        assert_eq!(
            (files(&cats), files(dir.path())),
            (vec!["a.jpg".to_owned(), "b.jpg".to_owned()], vec!["out".to_owned()])
        );
        assert!(!cats.join("b.jpg").is_symlink());
        // What is in its place already stays.
        assert_eq!(sorter.sort(&cats.join("a.jpg"), "cats").unwrap(), Sorted::Known);
        assert_eq!(files(&cats).len(), 2);
        // A photo that is gone takes no name.
        assert!(sorter.sort(&photo, "dogs").is_err());
        assert_eq!(files(&dir.path().join("out/dogs")), [""; 0]);
    }

    #[test]
    fn photos_are_moved_to_another_file_system() {
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir_in("/dev/shm"));
        let Ok(other) = other else { return };
        let photo = dir.path().join("a.jpg");
        fs_err::write(&photo, "one").unwrap();
        let sorter = Sorter::of(other.path(), true, &["cats".to_owned()]).unwrap();
        assert_eq!(sorter.sort(&photo, "cats").unwrap(), Sorted::Placed);
        assert_eq!(fs_err::read_to_string(other.path().join("cats/a.jpg")).unwrap(), "one");
        assert!(!photo.exists());
        assert_eq!(files(&other.path().join("cats")), ["a.jpg"]);
    }

    #[test]
    fn classes_that_lead_elsewhere_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        for class in ["..", "a/b", "/etc", "", ".", "a/"] {
            let told = match Sorter::of(dir.path(), false, &[class.to_owned()]) {
                Err(Stop::Error { message, .. }) => message,
                other => panic!("{class}: {other:?}"),
            };
            assert!(told.starts_with("cannot sort into folders: the "), "{told}");
        }
    }
}
