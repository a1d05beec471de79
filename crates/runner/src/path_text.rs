//! Paths in JSON, for `serialize_with`: what of them is no UTF-8 is replaced, where serde would fail.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};

pub(crate) fn one<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&path.display())
}

pub(crate) fn if_any<S: Serializer>(path: &Option<PathBuf>, to: S) -> Result<S::Ok, S::Error> {
    path.as_deref().map(Path::to_string_lossy).serialize(to)
}

pub(crate) fn all<S: Serializer>(paths: &BTreeSet<PathBuf>, to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(paths.iter().map(|path| path.to_string_lossy()))
}

#[cfg(all(test, unix))]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[derive(serde::Serialize)]
    struct Paths {
        #[serde(serialize_with = "one")]
        one: PathBuf,
        #[serde(serialize_with = "if_any")]
        none: Option<PathBuf>,
        #[serde(serialize_with = "if_any")]
        some: Option<PathBuf>,
        #[serde(serialize_with = "all")]
        all: BTreeSet<PathBuf>,
    }

    #[test]
    fn a_path_that_is_no_utf_8_is_written_with_a_sign_in_place_of_what_is_not() {
        let odd = PathBuf::from(OsStr::from_bytes(b"out/\xff.jpg"));
        let paths = Paths { one: odd.clone(), none: None, some: Some(odd.clone()), all: [odd].into() };
        let expected = "{\"one\":\"out/\u{fffd}.jpg\",\"none\":null,\"some\":\"out/\u{fffd}.jpg\",\"all\":[\"out/\u{fffd}.jpg\"]}";
        assert_eq!(serde_json::to_string(&paths).unwrap(), expected);
    }
}
