//! Weights: named tensors, and the files that hold them.
//!
//! Read: safetensors, and PyTorch's `.pth` in both of its formats, told apart by their first bytes. Written:
//! safetensors. Nothing in a file is ever executed, and no more memory is used than the file's own size calls for.

mod legacy;
mod pickle;
mod pickle_machine;
mod precision;
mod pth;
mod safetensors;
mod state_dict;

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::path::Path;

use tch::Tensor;

use crate::error::Error;
use crate::ordinary_file;

pub use precision::Precision;
pub use safetensors::{write_safetensors, write_safetensors_in};

/// Named float32 tensors on the processor, with the metadata of the file they came from.
pub struct Weights {
    origin: String,
    metadata: BTreeMap<String, String>,
    tensors: BTreeMap<String, Tensor>,
}

impl Weights {
    /// These tensors; `origin` says in messages where they are from.
    pub fn new(origin: impl Into<String>, tensors: BTreeMap<String, Tensor>) -> Self {
        Weights { origin: origin.into(), metadata: BTreeMap::new(), tensors }
    }

    /// Where they are from, for messages: the path of the file.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Text that the file carries beside its tensors; empty for `.pth`.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// The tensor of this name.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }

    /// All names in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// How many tensors there are.
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// Whether there is no tensor.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }
}

impl fmt::Debug for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Weights({:?}, {} tensors)", self.origin, self.tensors.len())
    }
}

/// Reads weights from a safetensors or `.pth` file, whatever its name ends in.
///
/// Numbers of any kind become float32. A state dictionary may be nested under `state_dict` or `model`, as
/// training scripts save it; the prefix `module.` that `DataParallel` puts before every name is dropped.
///
/// # Errors
/// [`Error::Io`], [`Error::UnknownFormat`], [`Error::Damaged`], [`Error::Unsupported`],
/// [`Error::ForbiddenPickle`]. Each names the file.
pub fn read(path: &Path) -> Result<Weights, Error> {
    let mut start = Vec::new();
    ordinary_file::open(path)?.take(16).read_to_end(&mut start)?;
    let mut weights = if start.starts_with(b"PK\x03\x04") {
        pth::read(path)?
    } else if start.starts_with(legacy::MAGIC) {
        legacy::read(path)?
    } else if start.get(8) == Some(&b'{') {
        safetensors::read(path)?
    } else {
        return Err(Error::UnknownFormat { path: path.to_owned(), start: describe(&start) });
    };
    const PARALLEL: &str = "module.";
    if weights.names().all(|name| name.starts_with(PARALLEL)) {
        let bare = |(name, tensor): (String, Tensor)| (name[PARALLEL.len()..].to_owned(), tensor);
        weights.tensors = weights.tensors.into_iter().map(bare).collect();
    }
    Ok(weights)
}

/// The first bytes of a file of unknown format.
fn describe(start: &[u8]) -> String {
    match std::str::from_utf8(start) {
        Ok("") => "nothing: the file is empty".to_owned(),
        Ok(text) => format!("`{}`", text.escape_debug()),
        Err(_) => format!("bytes {start:02x?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_bytes(bytes: &[u8]) -> String {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("w.pth");
        fs_err::write(&path, bytes).unwrap();
        read(&path).unwrap_err().to_string().replace(dir.path().to_str().unwrap(), "DIR")
    }

    #[test]
    fn a_file_of_another_format_is_named_with_its_first_bytes() {
        let prefix = "cannot read weights from `DIR/w.pth`: neither a safetensors file nor a `.pth` file of PyTorch, it starts with";
        assert_eq!(read_bytes(b"<!DOCTYPE html><html>"), format!("{prefix} `<!DOCTYPE html><`"));
        assert_eq!(read_bytes(b""), format!("{prefix} nothing: the file is empty"));
        assert_eq!(read_bytes(&[0xff, 0xd8]), format!("{prefix} bytes [ff, d8]"));
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let text = read(Path::new("no/such.pth")).unwrap_err().to_string();
        assert!(text.contains("`no/such.pth`"), "{text}");
    }

    #[test]
    fn the_prefix_of_data_parallel_is_dropped_only_when_every_name_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("w.safetensors");
        let one = || Tensor::from_slice(&[1f32]);
        let mut tensors = BTreeMap::from([("module.a".to_owned(), one()), ("module.b".to_owned(), one())]);
        write_safetensors(&path, &tensors, &BTreeMap::new()).unwrap();
        assert_eq!(read(&path).unwrap().names().collect::<Vec<_>>(), ["a", "b"]);
        tensors.insert("c".to_owned(), one());
        write_safetensors(&path, &tensors, &BTreeMap::new()).unwrap();
        assert_eq!(read(&path).unwrap().names().collect::<Vec<_>>(), ["c", "module.a", "module.b"]);
    }
}
