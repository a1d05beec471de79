//! [`Destination`]: which project a config is for, where it goes, and how it is put there.

use std::path::{Path, PathBuf};

use pipeline_stage::draft::write_whole;
use pipeline_stage::exit;

use super::Lesson;
use crate::command::Stop;
use crate::command::job::command_line;
use crate::command::store_folder::shown;
use crate::config::{BUILT_IN, project_root};

/// Where photos are, and where their config goes.
#[derive(Debug, Clone)]
pub(super) struct Destination {
    /// The photos: a folder or an archive, absolute and without links.
    pub(super) photos: PathBuf,
    /// The project root, absolute.
    pub(super) root: PathBuf,
    /// The config, absolute.
    pub(super) config: PathBuf,
}

/// What was written.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// In order.
    pub(super) files: Vec<PathBuf>,
    /// What stood in the place of the first, where it was replaced.
    before: Option<Vec<u8>>,
}

impl Destination {
    /// For the photos at `dir`, and the config at `config` or at the usual place.
    pub(super) fn of(dir: &Path, config: Option<&Path>) -> Result<Destination, Stop> {
        let folder = std::env::current_dir().map_err(io)?;
        Self::seen_from(&folder, dir, config)
    }

    fn seen_from(folder: &Path, dir: &Path, config: Option<&Path>) -> Result<Destination, Stop> {
        let photos = fs_err::canonicalize(folder.join(dir)).map_err(|error| {
            let hint = "name the folder of the photos, or a zip or tar archive of it";
            Stop::usage(error.to_string(), hint)
        })?;
        if photos.to_str().is_none() {
            let message = format!("the path {} is not UTF-8, and cannot stand in a config", photos.display());
            return Err(Stop::usage(message, "rename it"));
        }
        let (root, config) = match config {
            Some(config) => {
                let config = folder.join(config);
                (root_of(&config, folder), config)
            }
            None => {
                let name = name_of(&photos);
                let root = root_of(&folder.join("configs/x"), folder);
                let config = root.join("configs").join(format!("{name}.yaml"));
                (root, config)
            }
        };
        // Links go to `out/`, artifacts to `.pipeline/`: among the photos they would be classes, and change the data.
        let is_inside = fs_err::canonicalize(&root).is_ok_and(|root| root.starts_with(&photos))
            || config.ancestors().any(|above| fs_err::canonicalize(above).is_ok_and(|above| above == photos));
        if is_inside {
            let message =
                format!("the config and all results would lie among the photos in {}", photos.display());
            let name = photos.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let again = command_line(["pipeline".to_owned(), "init".to_owned(), name].into_iter());
            let is_here = fs_err::canonicalize(folder).is_ok_and(|here| here == photos);
            let hint = match photos.parent() {
                None => "name a folder that holds photos alone".to_owned(),
                Some(_) if is_here => format!("go to another folder first: cd .. && {again}"),
                Some(above) => {
                    let above = command_line(["cd".to_owned(), above.display().to_string()].into_iter());
                    format!("go to another folder first: {above} && {again}")
                }
            };
            return Err(Stop::usage(message, hint));
        }
        Ok(Destination { photos, root, config })
    }

    /// Refuses a config that is there, unless it may be replaced.
    pub(super) fn check(&self, force: bool) -> Result<(), Stop> {
        let ending = self.config.extension().and_then(|ending| ending.to_str());
        if !matches!(ending, Some("yaml" | "yml")) {
            let message = format!("expected a config that ends in .yaml, found {}", shown(&self.config));
            return Err(Stop::usage(message, "name it, for example, configs/photos.yaml"));
        }
        if !force && fs_err::symlink_metadata(&self.config).is_ok() {
            let message = format!("{} is there already, and is not overwritten", shown(&self.config));
            return Err(Stop::usage(
                message,
                "write to another place with --config PATH, or replace it with --force",
            ));
        }
        Ok(())
    }

    /// The config as other commands are given it.
    pub(super) fn named(&self) -> String {
        shown(&self.config)
    }

    /// The photos as the config names them: from the project root where they lie in it.
    pub(super) fn root_parameter(&self, photos: &Path) -> String {
        let root = fs_err::canonicalize(&self.root).unwrap_or_else(|_| self.root.clone());
        photos.strip_prefix(&root).unwrap_or(photos).to_string_lossy().into_owned()
    }

    /// Writes the config, and the pipeline beside it where the project has none.
    pub(super) fn write(&self, text: &str, pipeline: Lesson, force: bool) -> Result<Written, Stop> {
        let mut written = Written::default();
        let before = if self.config.is_file() { fs_err::read(&self.config).ok() } else { None };
        let done = self.write_files(text, pipeline, force, &mut written);
        written.before = before;
        done.map_err(|error| {
            written.undo();
            io(error)
        })?;
        Ok(written)
    }

    fn write_files(
        &self,
        text: &str,
        pipeline: Lesson,
        force: bool,
        written: &mut Written,
    ) -> std::io::Result<()> {
        if let Some(folder) = self.config.parent() {
            fs_err::create_dir_all(folder)?;
        }
        let place = if force { linked(&self.config) } else { self.config.clone() };
        write_whole(&place, text.as_bytes(), force)?;
        written.files.push(self.config.clone());
        let pipelines = self.root.join("pipelines");
        let own = BUILT_IN.iter().find(|(name, _)| *name == pipeline.name());
        if let Some((name, text)) = own.filter(|_| !pipelines.is_dir()) {
            fs_err::create_dir_all(&pipelines)?;
            let path = pipelines.join(format!("{name}.yaml"));
            write_whole(&path, text.as_bytes(), false)?;
            written.files.push(path);
        }
        Ok(())
    }
}

impl Written {
    /// Puts everything back as it was; folders that were made stay.
    pub(super) fn undo(&self) {
        for (place, file) in self.files.iter().enumerate() {
            // What went wrong before is said already.
            let _ = match self.before.as_ref().filter(|_| place == 0) {
                Some(before) => write_whole(&linked(file), before, true),
                None => fs_err::remove_file(file),
            };
        }
    }
}

/// The root of the project that a config at `config` is of, or will be: the current folder where it lies in that.
fn root_of(config: &Path, folder: &Path) -> PathBuf {
    let found = project_root(config);
    match found.join("pipelines").is_dir() {
        true => found,
        false if config.starts_with(folder) => folder.to_owned(),
        false => found,
    }
}

/// A name for the config of photos at this place, with letters that every shell and link takes.
fn name_of(photos: &Path) -> String {
    let name = photos.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let stem = match photos.is_file() {
        true => [".tar.gz", ".tgz", ".tar", ".zip"].iter().find_map(|ending| name.strip_suffix(ending)),
        false => None,
    };
    let letters = |c: char| if c.is_alphanumeric() || "_-.".contains(c) { c } else { '-' };
    let plain: String = stem.unwrap_or(&name).chars().map(letters).take(60).collect();
    let plain = plain.trim_matches(['-', '.']).to_owned();
    if plain.is_empty() { "photos".to_owned() } else { plain }
}

/// Where a file is whose text is replaced: a link stays one.
fn linked(file: &Path) -> PathBuf {
    fs_err::canonicalize(file).unwrap_or_else(|_| file.to_owned())
}

fn io(error: std::io::Error) -> Stop {
    let message = format!("cannot write the config: {error}");
    Stop::Error { message, hint: None, code: exit::STAGE_FAILED }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let root = fs_err::canonicalize(dir.path()).unwrap();
        fs_err::create_dir_all(root.join("work/my photos (1)")).unwrap();
        (dir, root)
    }

    fn message(stop: Stop) -> String {
        match stop {
            Stop::Error { message, hint, .. } => format!("{message}; {}", hint.unwrap_or_default()),
            Stop::Config(faults) => panic!("{faults:?}"),
        }
    }

    #[test]
    fn a_config_goes_to_the_project_around_or_makes_the_current_folder_one() {
        let (_dir, root) = folder();
        let work = root.join("work");
        let found = Destination::seen_from(&work, Path::new("my photos (1)"), None).unwrap();
        assert_eq!((&found.root, found.config.clone()), (&work, work.join("configs/my-photos--1.yaml")));
        assert_eq!(found.root_parameter(&found.photos), "my photos (1)");
        fs_err::create_dir(root.join("pipelines")).unwrap();
        let found = Destination::seen_from(&work, Path::new("my photos (1)"), None).unwrap();
        assert_eq!(found.config, root.join("configs/my-photos--1.yaml"));
        assert_eq!(found.root_parameter(&found.photos), "work/my photos (1)");
        assert_eq!(found.root_parameter(Path::new("/elsewhere/x")), "/elsewhere/x");
        let named = Destination::seen_from(&work, Path::new("my photos (1)"), Some(Path::new("/tmp/c.yaml")));
        assert_eq!(named.unwrap().config, Path::new("/tmp/c.yaml"));
    }

    #[test]
    fn results_do_not_go_among_the_photos() {
        let (_dir, root) = folder();
        let photos = root.join("work/my photos (1)");
        let found = Destination::seen_from(&photos, Path::new("."), None).unwrap_err();
        let expected =
            format!("the config and all results would lie among the photos in {}", photos.display());
        let way_out = "go to another folder first: cd .. && pipeline init 'my photos (1)'";
        assert_eq!(message(found), format!("{expected}; {way_out}"));
        fs_err::create_dir(photos.join("cats")).unwrap();
        let from_above = Destination::seen_from(&photos.join("cats"), Path::new(".."), None).unwrap_err();
        let way_out = format!("cd {} && pipeline init 'my photos (1)'", root.join("work").display());
        assert!(message(from_above).ends_with(&way_out));
        let whole_disk = Destination::seen_from(&root, Path::new("/"), None).unwrap_err();
        assert!(message(whole_disk).ends_with("name a folder that holds photos alone"));
        let inside = Path::new("my photos (1)/deep/c.yaml");
        Destination::seen_from(&root.join("work"), Path::new("my photos (1)"), Some(inside)).unwrap_err();
    }

    #[test]
    fn nothing_is_overwritten_and_what_is_undone_is_as_it_was() {
        let (_dir, root) = folder();
        let at = |config: &str| {
            Destination::seen_from(&root.join("work"), Path::new("my photos (1)"), Some(Path::new(config)))
        };
        let found = at("c.yaml").unwrap();
        found.check(false).unwrap();
        let written = found.write("a: 1\n", Lesson::Quick, false).unwrap();
        assert_eq!(written.files, [root.join("work/c.yaml"), root.join("work/pipelines/quick.yaml")]);
        let refused = message(found.check(false).unwrap_err());
        assert!(
            refused.contains("c.yaml is there already, and is not overwritten; write to another"),
            "{refused}"
        );
        found.write("b: 2\n", Lesson::Quick, false).unwrap_err();
        let replaced = found.write("b: 2\n", Lesson::Lesson1, true).unwrap();
        assert_eq!(replaced.files.len(), 1, "there is a folder of pipelines");
        replaced.undo();
        assert_eq!(fs_err::read_to_string(&found.config).unwrap(), "a: 1\n");
        written.undo();
        assert!(!found.config.exists() && !root.join("work/pipelines/quick.yaml").exists());
        // Whoever reads the old config meanwhile reads all of it; a link stays one.
        let (real, link) = (root.join("real.yaml"), at("linked.yaml").unwrap());
        fs_err::write(&real, "a: 1\n").unwrap();
        std::os::unix::fs::symlink(&real, &link.config).unwrap();
        let mut reader = fs_err::File::open(&real).unwrap();
        link.write("b: 2\n", Lesson::Quick, true).unwrap();
        assert_eq!(std::io::read_to_string(&mut reader).unwrap(), "a: 1\n");
        assert_eq!(fs_err::read_to_string(&real).unwrap(), "b: 2\n");
        assert!(link.config.is_symlink());
        let refused = message(at("c.txt").unwrap().check(false).unwrap_err());
        assert!(refused.starts_with("expected a config that ends in .yaml, found "), "{refused}");
        let missing = Destination::seen_from(&root, Path::new("nowhere"), None).unwrap_err();
        assert!(message(missing).ends_with("name the folder of the photos, or a zip or tar archive of it"));
    }
}
