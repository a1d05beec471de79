//! Getting libtorch into the process, half a gigabyte whose own start takes 0.3 s: when something is computed, not
//! when the program starts. Most commands compute nothing.
//!
//! On Linux (x86-64) the program is linked with small functions in place of tch's C++ bindings, and the bindings
//! lie within it as a shared library, the only thing that needs libtorch (`late`). Elsewhere, and where the build
//! warns that it could not make them, libtorch is linked as usual.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use fs_err::File;

use crate::Error;

#[cfg(late_libtorch)]
mod late;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod memory;

/// The version of libtorch that this program is made for: that of the C++ interface which tch's bindings call.
pub const VERSION: &str = "2.13";

/// The name of the library that computes.
const LIBRARY: &str = "libtorch_cpu.so";

/// Bytes of a file that says a version: PyTorch's has 300.
const MOST_BYTES: u64 = 4_096;

/// Loads libtorch, when that is not done yet, and has the process keep the memory that libtorch frees. What computes calls this
/// first: any call of libtorch would load it too, but could only end the process where that fails.
///
/// # Errors
/// [`Error::Libtorch`] when it, or something it needs, is not there or does not load. The next call tries again.
pub fn load() -> Result<(), Error> {
    #[cfg(late_libtorch)]
    late::load()?;
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    memory::keep();
    Ok(())
}

/// The folder of libraries of the libtorch that the program was built with; `None` in a build without one.
pub fn built_with() -> Option<&'static Path> {
    option_env!("LIBTORCH_LIB").map(Path::new)
}

/// The folder of the libtorch that is in the process; `None` where none is, or the system does not tell (it is Linux that does).
pub fn loaded_from() -> Option<PathBuf> {
    let maps = BufReader::new(File::open("/proc/self/maps").ok()?);
    maps.lines().map_while(Result::ok).find_map(|line| folder_of_library(&line))
}

/// `7f… r-xp … 1234   /opt/torch/lib/libtorch_cpu.so`
fn folder_of_library(line: &str) -> Option<PathBuf> {
    let path = Path::new(&line[line.find('/')?..]);
    path.ends_with(LIBRARY).then(|| path.parent().map(Path::to_owned))?
}

/// The version of the libtorch whose libraries are in the folder `lib`, as it says itself beside them: `2.13.0+cpu`. `None`
/// where it does not.
pub fn version_in(lib: &Path) -> Option<String> {
    let above = lib.parent()?;
    let read = |name: &str| {
        let mut text = String::new();
        let path = above.join(name);
        // A named pipe in its place would be waited for.
        let file = path.is_file().then(|| File::open(path).ok())??;
        file.take(MOST_BYTES).read_to_string(&mut text).ok()?;
        Some(text)
    };
    // Of the archive from pytorch.org, and of the package for Python.
    let plain = read("build-version").map(|text| text.trim().to_owned());
    plain.or_else(|| {
        let text = read("version.py")?;
        let (_, rest) = text.split_once("__version__ = '")?;
        Some(rest.split_once('\'')?.0.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_in_the_process_is_found_where_it_was_loaded_from_and_says_its_version() {
        load().unwrap();
        let lib = loaded_from().unwrap();
        assert!(lib.join(LIBRARY).is_file(), "{}", lib.display());
        let version = version_in(&lib).unwrap();
        assert!(version.starts_with(VERSION), "{version}");
        assert!(built_with().is_some());
    }

    #[test]
    fn versions_are_read_from_both_kinds_of_libtorch() {
        let dir = tempfile::tempdir().unwrap();
        let lib = dir.path().join("lib");
        assert_eq!(version_in(&lib), None);
        fs_err::write(dir.path().join("version.py"), "debug = False\n__version__ = '2.9.1+cu130'\n").unwrap();
        assert_eq!(version_in(&lib).as_deref(), Some("2.9.1+cu130"));
        fs_err::write(dir.path().join("build-version"), "2.13.0+cpu\n").unwrap();
        assert_eq!(version_in(&lib).as_deref(), Some("2.13.0+cpu"));
    }

    #[test]
    fn a_folder_with_blanks_is_read_from_a_line_of_the_map() {
        let line = "7f00-7f01 r-xp 00000000 08:01 12     /opt/my torch/lib/libtorch_cpu.so";
        assert_eq!(folder_of_library(line), Some("/opt/my torch/lib".into()));
        assert_eq!(folder_of_library("7f00-7f01 rw-p 00000000 00:00 0 "), None);
        assert_eq!(folder_of_library("7f00-7f01 r-xp 0 08:01 12 /opt/xlibtorch_cpu.so"), None);
    }
}
