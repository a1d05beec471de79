//! Paths by their letters, and what is in a folder.

use std::path::{Component, Path, PathBuf};

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

/// The way from the folder `from` to `to`, both absolute and without links.
pub(crate) fn relative(from: &Path, to: &Path) -> PathBuf {
    let (from, to): (Vec<Component<'_>>, Vec<Component<'_>>) =
        (from.components().collect(), to.components().collect());
    let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = from[common..].iter().map(|_| Component::ParentDir);
    up.chain(to[common..].iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_goes_up_to_the_common_folder_and_down_again() {
        let way = |from: &str, to: &str| relative(Path::new(from), Path::new(to)).display().to_string();
        assert_eq!(way("/p/out/c", "/p/.pipeline/store/k"), "../../.pipeline/store/k");
        assert_eq!(way("/p/out", "/q"), "../../q");
    }
}
