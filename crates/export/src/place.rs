//! What may be where an export is to be: nothing, or an earlier export that may be replaced.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use pipeline_nn::artifact::{HEAD_FILE, MODEL_FILE, TRUNK_FILE};

use crate::card::CARD_FILE;
use crate::error::Error;

/// What a folder holds that an export has written.
const FILES: [&str; 4] = [MODEL_FILE, TRUNK_FILE, HEAD_FILE, CARD_FILE];

/// What the name of an exported file ends in.
const ENDINGS: [&str; 2] = ["onnx", "safetensors"];

/// Whether something may be put at `to`.
pub(crate) fn check(to: &Path, is_folder: bool, replace: bool) -> Result<(), Error> {
    let found = match fs_err::symlink_metadata(to) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if !replace {
        return Err(Error::Exists { path: to.to_owned() });
    }
    let refuse = |why: String| Err(Error::NotAnExport { path: to.to_owned(), why });
    match (found.is_dir(), is_folder) {
        (true, true) => {}
        (true, false) => return refuse("it is a folder, expected a file".to_owned()),
        (false, true) => return refuse("it is no folder".to_owned()),
        (false, false) if !found.is_file() => return refuse("it is no plain file".to_owned()),
        (false, false)
            if ENDINGS.iter().all(|ending| to.extension().is_none_or(|found| found != *ending)) =>
        {
            return refuse("its name ends in neither .onnx nor .safetensors".to_owned());
        }
        (false, false) => return Ok(()),
    }
    let mut stray: Option<OsString> = None;
    for entry in fs_err::read_dir(to)? {
        let name = entry?.file_name();
        // The first by name, whatever the order of the folder.
        if FILES.iter().all(|file| name != *file) && stray.as_ref().is_none_or(|first| name < *first) {
            stray = Some(name);
        }
    }
    match stray {
        Some(name) => refuse(format!("it holds `{}`", name.display())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(to: &Path, is_folder: bool, replace: bool) -> String {
        let error = check(to, is_folder, replace).unwrap_err().to_string();
        error.replace(&to.parent().unwrap().display().to_string(), "DIR")
    }

    #[test]
    fn nothing_is_overwritten_unasked_and_asked_only_an_export() {
        let dir = tempfile::tempdir().unwrap();
        let (file, folder) = (dir.path().join("m.onnx"), dir.path().join("m"));
        fs_err::write(&file, "old").unwrap();
        fs_err::create_dir(&folder).unwrap();
        fs_err::write(folder.join(MODEL_FILE), "old").unwrap();
        std::os::unix::fs::symlink(&folder, dir.path().join("link")).unwrap();
        assert_eq!(refused(&file, false, false), "`DIR/m.onnx` is there already");
        assert_eq!(refused(&folder, true, false), "`DIR/m` is there already");
        assert_eq!(refused(&folder, false, true), "cannot replace `DIR/m`: it is a folder, expected a file");
        assert_eq!(refused(&file, true, true), "cannot replace `DIR/m.onnx`: it is no folder");
        assert_eq!(
            refused(&dir.path().join("link"), true, true),
            "cannot replace `DIR/link`: it is no folder"
        );
        let photo = dir.path().join("photo.jpg");
        fs_err::write(&photo, "mine").unwrap();
        assert_eq!(
            refused(&photo, false, true),
            "cannot replace `DIR/photo.jpg`: its name ends in neither .onnx nor .safetensors"
        );
        check(&file, false, true).unwrap();
        check(&folder, true, true).unwrap();
        check(&dir.path().join("new"), true, false).unwrap();
        fs_err::write(folder.join("photo.jpg"), "mine").unwrap();
        assert_eq!(refused(&folder, true, true), "cannot replace `DIR/m`: it holds `photo.jpg`");
    }
}
