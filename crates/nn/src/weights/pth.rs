//! The `.pth` format that PyTorch writes since 1.6: a zip of `data.pkl` and one file per storage.

use std::io::{BufReader, Read};
use std::path::Path;

use zip::{CompressionMethod, ZipArchive};

use super::Weights;
use super::pickle::{self, MAX_BYTES};
use super::state_dict::{self, Storages};
use crate::error::Error;

/// Reads the zip format.
pub(super) fn read(path: &Path) -> Result<Weights, Error> {
    let file = fs_err::File::open(path)?;
    let file_bytes = file.metadata()?.len();
    let archive = ZipArchive::new(BufReader::new(file)).map_err(|e| Error::Damaged {
        path: path.to_owned(),
        problem: format!("it is a zip that is cut short or damaged: {e}"),
    })?;
    let mut archive = Archive { path, file_bytes, zip: archive, root: String::new() };
    archive.root = archive.find_root()?;
    archive.check_byte_order()?;
    let data = archive.entry("data.pkl", MAX_BYTES)?;
    let (pickle, _) = pickle::load(&data).map_err(state_dict::refused(path))?;
    state_dict::tensors(path, &pickle, file_bytes, &mut archive)
}

struct Archive<'a> {
    path: &'a Path,
    file_bytes: u64,
    zip: ZipArchive<BufReader<fs_err::File>>,
    /// The one top folder, with its `/`. Its name is that of the file when it was saved.
    root: String,
}

impl Archive<'_> {
    fn damaged(&self, problem: impl Into<String>) -> Error {
        Error::Damaged { path: self.path.to_owned(), problem: problem.into() }
    }

    fn find_root(&self) -> Result<String, Error> {
        let roots = self.zip.file_names().filter_map(|name| {
            let root = name.ok()?.strip_suffix("data.pkl")?.to_owned();
            (root.ends_with('/') && root.matches('/').count() == 1).then_some(root)
        });
        match roots.collect::<Vec<_>>().as_slice() {
            [root] => Ok(root.clone()),
            _ => Err(Error::Unsupported {
                path: self.path.to_owned(),
                problem: "it is a zip without `data.pkl`, not one that `torch.save` wrote".to_owned(),
            }),
        }
    }

    fn check_byte_order(&mut self) -> Result<(), Error> {
        let name = format!("{}byteorder", self.root);
        // Absent in files of PyTorch before 2.1, which are little-endian on every machine that runs this.
        if self.zip.index_for_name(&name).is_none() {
            return Ok(());
        }
        match self.entry("byteorder", 16)?.as_slice() {
            b"little" => Ok(()),
            other => Err(Error::Unsupported {
                path: self.path.to_owned(),
                problem: format!(
                    "its numbers are in `{}` byte order, only `little` is read",
                    other.escape_ascii()
                ),
            }),
        }
    }

    /// The bytes of an entry below the top folder, at most `limit`.
    fn entry(&mut self, name: &str, limit: u64) -> Result<Vec<u8>, Error> {
        let full = format!("{}{name}", self.root);
        let (path, file_bytes) = (self.path, self.file_bytes);
        let damaged = |problem: String| Error::Damaged { path: path.to_owned(), problem };
        let mut entry = self
            .zip
            .by_name(&full)
            .map_err(|e| damaged(format!("its entry `{full}` cannot be read: {e}")))?;
        if entry.compression() != CompressionMethod::Stored {
            return Err(Error::Unsupported {
                path: path.to_owned(),
                problem: format!("its entry `{full}` is compressed, which `torch.save` does not do"),
            });
        }
        if entry.size() > limit.min(file_bytes) {
            let size = entry.size();
            return Err(damaged(format!(
                "its entry `{full}` claims {size} bytes, at most {limit} are expected"
            )));
        }
        let mut bytes = Vec::with_capacity(entry.size() as usize);
        // Reading to the end checks the entry's checksum.
        entry
            .by_ref()
            .take(limit + 1)
            .read_to_end(&mut bytes)
            .map_err(|e| damaged(format!("its entry `{full}` cannot be read: {e}")))?;
        Ok(bytes)
    }
}

impl Storages for Archive<'_> {
    fn read(&mut self, key: &str, bytes: u64) -> Result<Vec<u8>, Error> {
        if key.contains(['/', '\\']) {
            return Err(self.damaged(format!("its storage is named `{}`", key.escape_debug())));
        }
        self.entry(&format!("data/{key}"), bytes)
    }
}
