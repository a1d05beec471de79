//! From an unpickled state dictionary and its storages to tensors.

use std::collections::BTreeMap;
use std::path::Path;

use tch::{Kind, TchError, Tensor};

use super::Weights;
use super::pickle::{Pickle, Refused, TensorInfo, Value};
use crate::error::Error;

/// Keys under which training scripts nest the state dictionary.
const NESTED: [&str; 2] = ["state_dict", "model"];

/// Where a storage's bytes are.
pub(super) trait Storages {
    /// The `bytes` bytes of the storage `key`, which has exactly so many.
    fn read(&mut self, key: &str, bytes: u64) -> Result<Vec<u8>, Error>;
}

/// Makes the tensors of the state dictionary. `file_bytes` is the size of the file, and the most that its
/// tensors may take: a small file cannot ask for much memory.
pub(super) fn tensors(
    path: &Path,
    pickle: &Pickle,
    file_bytes: u64,
    storages: &mut dyn Storages,
) -> Result<Weights, Error> {
    let damaged = |problem: String| Error::Damaged { path: path.to_owned(), problem };
    let named = named(pickle);
    if named.is_empty() {
        let problem = "it holds no tensors by name, expected a state dictionary".to_owned();
        return Err(Error::Unsupported { path: path.to_owned(), problem });
    }
    let mut total = 0u64;
    let mut by_storage: BTreeMap<&str, Vec<(&str, &TensorInfo)>> = BTreeMap::new();
    for (name, tensor) in named {
        let bytes = check(tensor).map_err(|problem| damaged(format!("tensor `{name}` {problem}")))?;
        total = total.saturating_add(bytes);
        if total > file_bytes {
            return Err(damaged(format!("its tensors take more than its {file_bytes} bytes")));
        }
        by_storage.entry(&tensor.storage.key).or_default().push((name, tensor));
    }

    let mut weights = Weights::new(path.display().to_string(), BTreeMap::new());
    for (key, tensors) in by_storage {
        let storage = &tensors[0].1.storage;
        if let Some((name, other)) = tensors.iter().find(|(_, t)| t.storage != *storage) {
            let problem = format!(
                "tensor `{name}` sees its storage as {} numbers of {:?}, another tensor as {} of {:?}",
                other.storage.numel, other.storage.kind, storage.numel, storage.kind
            );
            return Err(damaged(problem));
        }
        let bytes = byte_count(storage.numel, storage.kind).filter(|bytes| *bytes <= file_bytes);
        let Some(bytes) = bytes else {
            return Err(damaged(format!(
                "its storage `{key}` claims {} numbers, more than its {file_bytes} bytes hold",
                storage.numel
            )));
        };
        let data = storages.read(key, bytes)?;
        if data.len() as u64 != bytes {
            return Err(damaged(format!("its storage `{key}` has {} bytes, expected {bytes}", data.len())));
        }
        let flat = Tensor::f_from_data_size(&data, &[storage.numel as i64], storage.kind);
        let flat =
            flat.map_err(Error::torch(format_args!("make storage `{key}` of `{}`", path.display())))?;
        drop(data);
        for (name, tensor) in tensors {
            let made = make(tensor, &flat);
            let made =
                made.map_err(Error::torch(format_args!("make tensor `{name}` of `{}`", path.display())))?;
            weights.tensors.insert(name.to_owned(), made);
        }
    }
    Ok(weights)
}

/// A refused pickle as an error that names the file.
pub(super) fn refused(path: &Path) -> impl FnOnce(Refused) -> Error {
    move |refused| match refused {
        Refused::Forbidden(operation) => Error::ForbiddenPickle { path: path.to_owned(), operation },
        Refused::Damaged(problem) => Error::Damaged { path: path.to_owned(), problem },
    }
}

/// The tensors of the state dictionary by name. Entries that are not tensors (an epoch, a score) are no weights.
fn named(pickle: &Pickle) -> Vec<(&str, &TensorInfo)> {
    let Value::Dict(entries) = pickle.root() else { return Vec::new() };
    let nested = entries.iter().find_map(|(key, value)| match (pickle.get(*key), pickle.get(*value)) {
        (Value::Text(key), Value::Dict(inner)) if NESTED.contains(&key.as_str()) => Some(inner),
        _ => None,
    });
    let entries = nested.unwrap_or(entries);
    let tensor = |(key, value): &(usize, usize)| match (pickle.get(*key), pickle.get(*value)) {
        (Value::Text(name), Value::Tensor(tensor)) => Some((name.as_str(), tensor)),
        _ => None,
    };
    entries.iter().filter_map(tensor).collect()
}

/// Checks that the tensor lies inside its storage and is no larger; returns its size in bytes.
fn check(tensor: &TensorInfo) -> Result<u64, String> {
    let TensorInfo { storage, offset, shape, stride } = tensor;
    let overflow = || format!("of shape {shape:?} and strides {stride:?} is too large");
    let numel = shape.iter().try_fold(1i64, |n, side| n.checked_mul(*side)).ok_or_else(overflow)?;
    // Index of the last number.
    let last = shape
        .iter()
        .zip(stride)
        .try_fold(*offset, |last, (side, stride)| (side - 1).max(0).checked_mul(*stride)?.checked_add(last))
        .ok_or_else(overflow)?;
    let outside = numel > 0 && last as u64 >= storage.numel;
    if outside || numel as u64 > storage.numel {
        return Err(format!(
            "of shape {shape:?}, strides {stride:?} and offset {offset} is outside its storage of {} numbers",
            storage.numel
        ));
    }
    byte_count(numel as u64, storage.kind).ok_or_else(overflow)
}

fn byte_count(numel: u64, kind: Kind) -> Option<u64> {
    numel.checked_mul(kind.elt_size_in_bytes() as u64)
}

/// The checked tensor as contiguous float32 of its own, out of its storage.
fn make(tensor: &TensorInfo, flat: &Tensor) -> Result<Tensor, TchError> {
    let view = if tensor.shape.contains(&0) {
        // Nothing to see, so an offset at the end of the storage is as good as any.
        flat.f_slice(0, 0, 0, 1)?.f_reshape(&tensor.shape)?
    } else {
        flat.f_as_strided(&tensor.shape, &tensor.stride, tensor.offset)?
    };
    view.f_to_kind(Kind::Float)?.f_detach_copy()?.f_contiguous()
}
