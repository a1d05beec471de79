//! The `.pth` format that PyTorch wrote before 1.6, and still writes on request: five pickles (magic number,
//! protocol, system, the object, the storages' keys), then each storage's length and bytes.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::Weights;
use super::pickle::{self, MAX_BYTES, Pickle, Storage, Value};
use super::state_dict::{self, Storages};
use crate::error::Error;

/// How such a file starts: protocol 2, then an integer of 10 bytes, the magic number 0x1950a86a20f9469cfc6c.
pub(super) const MAGIC: &[u8] = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.";

/// The version of the format, the only one there was.
const PROTOCOL: i128 = 1001;

/// Reads the old format.
pub(super) fn read(path: &Path) -> Result<Weights, Error> {
    let damaged = |problem: String| Error::Damaged { path: path.to_owned(), problem };
    let file = fs_err::File::open(path)?;
    let file_bytes = file.metadata()?.len();
    let mut file = BufReader::new(file);

    let mut start = Vec::new();
    file.by_ref().take(MAX_BYTES).read_to_end(&mut start)?;
    let mut at = MAGIC.len();
    let mut next = || -> Result<Pickle, Error> {
        let (pickle, used) = pickle::load(&start[at..]).map_err(state_dict::refused(path))?;
        at += used;
        Ok(pickle)
    };
    match next()?.root() {
        Value::Int(PROTOCOL) => {}
        other => return Err(damaged(format!("its format version is {other:?}, expected {PROTOCOL}"))),
    }
    check_byte_order(path, &next()?)?;
    let object = next()?;
    let keys =
        keys(&next()?).ok_or_else(|| damaged("its list of storages is not a list of keys".to_owned()))?;

    let mut places = Places { path, file, places: BTreeMap::new() };
    places.find(at as u64, file_bytes, &keys, &declared(&object))?;
    state_dict::tensors(path, &object, file_bytes, &mut places)
}

fn check_byte_order(path: &Path, system: &Pickle) -> Result<(), Error> {
    let Value::Dict(entries) = system.root() else {
        let problem = "its system description is not a dictionary".to_owned();
        return Err(Error::Damaged { path: path.to_owned(), problem });
    };
    let little = entries.iter().any(|(key, value)| {
        matches!(system.get(*key), Value::Text(key) if key == "little_endian")
            && *system.get(*value) == Value::Bool(true)
    });
    if little {
        return Ok(());
    }
    let problem = "its numbers are not in `little` byte order, only that is read".to_owned();
    Err(Error::Unsupported { path: path.to_owned(), problem })
}

fn keys(pickle: &Pickle) -> Option<Vec<String>> {
    let Value::List(items) = pickle.root() else { return None };
    items
        .iter()
        .map(|item| match pickle.get(*item) {
            Value::Text(key) => Some(key.clone()),
            _ => None,
        })
        .collect()
}

/// Every storage that the object refers to, by key.
fn declared(object: &Pickle) -> HashMap<&str, &Storage> {
    let mut storages = HashMap::new();
    for value in object.values() {
        if let Value::Storage(storage) = value {
            storages.insert(storage.key.as_str(), storage);
        }
    }
    storages
}

/// Where each storage's bytes are in the file.
struct Places<'a> {
    path: &'a Path,
    file: BufReader<fs_err::File>,
    places: BTreeMap<String, (u64, u64)>,
}

impl Places<'_> {
    /// Walks over the storages from `at`, checking each one's length.
    fn find(
        &mut self,
        mut at: u64,
        file_bytes: u64,
        keys: &[String],
        declared: &HashMap<&str, &Storage>,
    ) -> Result<(), Error> {
        let damaged = |problem: String| Error::Damaged { path: self.path.to_owned(), problem };
        for key in keys {
            let storage = declared
                .get(key.as_str())
                .ok_or_else(|| damaged(format!("its storage `{key}` has no type")))?;
            let short =
                || damaged(format!("it is cut short before storage `{key}` ends: {file_bytes} bytes"));
            if at + 8 > file_bytes {
                return Err(short());
            }
            self.file.seek(SeekFrom::Start(at))?;
            let mut numel = [0; 8];
            self.file.read_exact(&mut numel)?;
            let numel = u64::from_le_bytes(numel);
            if numel != storage.numel {
                return Err(damaged(format!(
                    "its storage `{key}` has {numel} numbers, expected {}",
                    storage.numel
                )));
            }
            let bytes = numel.checked_mul(storage.kind.elt_size_in_bytes() as u64).ok_or_else(short)?;
            let end = (at + 8).checked_add(bytes).filter(|end| *end <= file_bytes).ok_or_else(short)?;
            self.places.insert(key.clone(), (at + 8, bytes));
            at = end;
        }
        Ok(())
    }
}

impl Storages for Places<'_> {
    fn read(&mut self, key: &str, bytes: u64) -> Result<Vec<u8>, Error> {
        let damaged = |problem: String| Error::Damaged { path: self.path.to_owned(), problem };
        let Some((at, found)) = self.places.get(key).copied() else {
            return Err(damaged(format!("its storage `{key}` is missing")));
        };
        if found != bytes {
            return Err(damaged(format!("its storage `{key}` has {found} bytes, expected {bytes}")));
        }
        self.file.seek(SeekFrom::Start(at))?;
        let mut data = vec![0; bytes as usize];
        self.file.read_exact(&mut data)?;
        Ok(data)
    }
}
