//! [`check`]: whether answers may be written to a file. It is written as a `pipeline_stage::Draft`.

use std::path::Path;

use crate::command::Stop;

/// Whether a file may be put at `target`, where nothing is, or an ordinary file that may be replaced.
///
/// # Errors
/// It is there and may not be replaced, or is no ordinary file: a folder, a device, a link, wherever that leads.
pub(super) fn check(target: &Path, replaces: bool) -> Result<(), Stop> {
    let refuse =
        |why: &str, hint: &str| Err(Stop::usage(format!("cannot write `{}`: {why}", target.display()), hint));
    match target.symlink_metadata() {
        Ok(found) if !found.is_file() => refuse("it is no ordinary file", "name another file with --out"),
        Ok(_) if !replaces => {
            refuse("it is already there", "replace it with --force, or name another file with --out")
        }
        _ if target.file_name().is_none() => refuse("it is no name of a file", "name a file with --out"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_ordinary_file_is_replaced_and_only_where_it_may_be() {
        let dir = tempfile::tempdir().unwrap();
        let refused = |name: &str, replaces| match check(&dir.path().join(name), replaces) {
            Err(Stop::Error { message, hint: Some(_), .. }) => {
                message.replace(&dir.path().display().to_string(), "DIR")
            }
            other => panic!("{other:?}"),
        };
        fs_err::write(dir.path().join("a.csv"), "").unwrap();
        fs_err::create_dir(dir.path().join("b")).unwrap();
        std::os::unix::fs::symlink("nowhere", dir.path().join("dangling")).unwrap();
        assert_eq!(refused("a.csv", false), "cannot write `DIR/a.csv`: it is already there");
        for name in ["b", "dangling"] {
            for replaces in [false, true] {
                assert_eq!(
                    refused(name, replaces),
                    format!("cannot write `DIR/{name}`: it is no ordinary file")
                );
            }
        }
        check(&dir.path().join("a.csv"), true).unwrap();
        check(&dir.path().join("new.csv"), false).unwrap();
        assert!(refused("gone/..", false).ends_with("/gone/..`: it is no name of a file"));
    }
}
