//! Links `out/<config>/<stage>` to current artifacts: plain names for people and other tools.

use std::io;
use std::path::Path;

use crate::error::Error;
use crate::paths::relative;

/// Makes `link` a link to the folder `target`, in one step where there was one before. Relative, so that a
/// project can be moved as a whole.
pub(crate) fn point(link: &Path, target: &Path) -> Result<(), Error> {
    match fs_err::symlink_metadata(link) {
        Ok(metadata) if !metadata.is_symlink() => return Err(Error::LinkBlocked { path: link.to_owned() }),
        Ok(_) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(Error::io(DOING, link)(e)),
    }
    let make = || -> io::Result<()> {
        let folder = link.parent().unwrap_or(Path::new("."));
        fs_err::create_dir_all(folder)?;
        let to = relative(&fs_err::canonicalize(folder)?, &fs_err::canonicalize(target)?);
        if fs_err::read_link(link).is_ok_and(|now| now == to) {
            return Ok(());
        }
        let name = link.file_name().unwrap_or_default().to_string_lossy();
        // A name of its own: two runs may be in one process, or have the same id in two containers.
        let new = tempfile::Builder::new()
            .prefix(&format!(".{name}."))
            .make_in(folder, |path| fs_err::os::unix::fs::symlink(&to, path))?;
        Ok(new.persist(link).map(drop)?)
    };
    make().map_err(Error::io(DOING, link))
}

const DOING: &str = "link the artifact";

/// Removes `link`, where there is one: the artifact that it should lead to is not there.
pub(crate) fn remove(link: &Path) -> Result<(), Error> {
    match fs_err::symlink_metadata(link) {
        Ok(found) if found.is_symlink() => fs_err::remove_file(link).map_err(Error::io(DOING, link)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn a_link_is_replaced_and_anything_else_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        for name in ["a", "b"] {
            fs_err::create_dir(path(name)).unwrap();
            fs_err::write(path(name).join("name"), name).unwrap();
        }
        let link = path("out/c/stage");
        point(&link, &path("a")).unwrap();
        point(&link, &path("b")).unwrap();
        assert_eq!(fs_err::read_to_string(link.join("name")).unwrap(), "b");
        assert_eq!(fs_err::read_dir(path("out/c")).unwrap().count(), 1, "no litter");
        let error = point(&path("a"), &path("b")).unwrap_err();
        assert!(matches!(error, Error::LinkBlocked { .. }), "{error}");
    }

    #[test]
    fn a_link_that_another_process_of_the_same_id_is_making_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let others = (0..2000).map(|n| path(&format!(".stage.{}-{n}", std::process::id())));
        let others: Vec<PathBuf> = others.collect();
        others.iter().for_each(|other| fs_err::write(other, "").unwrap());
        fs_err::create_dir(path("a")).unwrap();
        point(&path("stage"), &path("a")).unwrap();
        assert!(others.iter().all(|other| other.exists()));
    }

    #[test]
    fn threads_that_make_one_link_do_not_trip_over_each_other() {
        let dir = tempfile::tempdir().unwrap();
        let targets = [dir.path().join("a"), dir.path().join("b")];
        targets.iter().for_each(|target| fs_err::create_dir(target).unwrap());
        let link = dir.path().join("out/c/stage");
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (link, targets) = (&link, &targets);
                scope.spawn(move || {
                    (0..200).for_each(|n| point(link, &targets[(thread + n) % 2]).unwrap());
                });
            }
        });
        assert_eq!(fs_err::read_dir(dir.path().join("out/c")).unwrap().count(), 1, "no litter");
    }
}
