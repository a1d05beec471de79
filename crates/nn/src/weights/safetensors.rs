//! The safetensors format: an 8-byte length, a JSON header, and the tensors' bytes, little-endian.

use std::collections::BTreeMap;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;

use safetensors::tensor::{Dtype, Metadata};
use tch::{Kind, Tensor};

use super::{Precision, Weights};
use crate::error::Error;

/// The longest header that is read. The format's own limit is 100 MB; resnet101's has 60 kB.
const MAX_HEADER_BYTES: u64 = 16 << 20;

/// Reads a safetensors file, tensor by tensor.
pub(super) fn read(path: &Path) -> Result<Weights, Error> {
    let damaged = |problem: String| Error::Damaged { path: path.to_owned(), problem };
    let file = fs_err::File::open(path)?;
    let file_bytes = file.metadata()?.len();
    let mut reader = BufReader::new(file);

    let mut length = [0; 8];
    reader.read_exact(&mut length)?;
    let header_bytes = u64::from_le_bytes(length);
    if header_bytes > MAX_HEADER_BYTES {
        return Err(damaged(format!(
            "its header claims {header_bytes} bytes, at most {MAX_HEADER_BYTES} are read"
        )));
    }
    if header_bytes > file_bytes.saturating_sub(8) {
        return Err(damaged(format!(
            "it is cut short: {file_bytes} bytes, its header alone has {header_bytes}"
        )));
    }
    let mut header = vec![0; header_bytes as usize];
    reader.read_exact(&mut header)?;
    // The crate checks that the tensors lie end to end and that each one's bytes are those of its type and shape.
    let header: Metadata =
        serde_json::from_slice(&header).map_err(|e| damaged(format!("its header is wrong: {e}")))?;
    let expected = (8 + header_bytes).saturating_add(header.data_len() as u64);
    if file_bytes != expected {
        let how = if file_bytes < expected { "it is cut short" } else { "it is too long" };
        return Err(damaged(format!("{how}: {file_bytes} bytes, expected {expected}")));
    }

    let mut weights = Weights::new(path.display().to_string(), BTreeMap::new());
    weights.metadata = header.metadata().clone().unwrap_or_default().into_iter().collect();
    let mut bytes = Vec::new();
    // In the order of the file, so that it is read once from front to back.
    for name in header.offset_keys() {
        let Some(info) = header.info(&name) else { continue };
        let Some(kind) = kind(info.dtype) else {
            let problem = format!("tensor `{name}` is of type {}, which is not read", info.dtype);
            return Err(Error::Unsupported { path: path.to_owned(), problem });
        };
        bytes.resize(info.data_offsets.1 - info.data_offsets.0, 0);
        reader.read_exact(&mut bytes)?;
        let shape: Vec<i64> = info.shape.iter().map(|n| *n as i64).collect();
        let tensor = Tensor::f_from_data_size(&bytes, &shape, kind).and_then(|t| t.f_to_kind(Kind::Float));
        weights.tensors.insert(
            name.clone(),
            tensor.map_err(Error::torch(format_args!("make tensor `{name}` of `{}`", path.display())))?,
        );
    }
    Ok(weights)
}

fn kind(dtype: Dtype) -> Option<Kind> {
    Some(match dtype {
        Dtype::F32 => Kind::Float,
        Dtype::F64 => Kind::Double,
        Dtype::F16 => Kind::Half,
        Dtype::BF16 => Kind::BFloat16,
        Dtype::I64 => Kind::Int64,
        Dtype::I32 => Kind::Int,
        Dtype::I16 => Kind::Int16,
        Dtype::I8 => Kind::Int8,
        Dtype::U8 => Kind::Uint8,
        Dtype::BOOL => Kind::Bool,
        _ => return None,
    })
}

/// Writes float32 tensors and metadata to a safetensors file.
///
/// The bytes depend on names, values and metadata alone: everything is written in order of name. Keep times
/// and paths out of the metadata.
///
/// # Errors
/// [`Error::Io`] with the path (disk full, no permission), [`Error::Torch`] when a tensor cannot be read.
pub fn write_safetensors(
    path: &Path,
    tensors: &BTreeMap<String, Tensor>,
    metadata: &BTreeMap<String, String>,
) -> Result<(), Error> {
    write_safetensors_in(Precision::F32, path, tensors, metadata)
}

/// The same in this number format.
///
/// # Errors
/// As [`write_safetensors`]; [`Error::OutOfRange`] when the format does not reach so far.
pub fn write_safetensors_in(
    precision: Precision,
    path: &Path,
    tensors: &BTreeMap<String, Tensor>,
    metadata: &BTreeMap<String, String>,
) -> Result<(), Error> {
    let header = header(precision, tensors, metadata);
    let mut file = BufWriter::new(fs_err::File::create(path)?);
    file.write_all(&(header.len() as u64).to_le_bytes())?;
    file.write_all(header.as_bytes())?;
    let mut bytes = Vec::new();
    for (name, tensor) in tensors {
        precision.of(&tensor.size()).encode(name, tensor, &mut bytes)?;
        file.write_all(&bytes)?;
    }
    file.flush()?;
    Ok(())
}

/// The JSON header, padded with spaces to 8 bytes. Written here because the crate orders metadata by a hash
/// that differs from run to run.
fn header(
    precision: Precision,
    tensors: &BTreeMap<String, Tensor>,
    metadata: &BTreeMap<String, String>,
) -> String {
    // serde_json's map may keep any order; a list of ready entries does not.
    let mut entries = Vec::with_capacity(tensors.len() + 1);
    if !metadata.is_empty() {
        entries.push(format!("\"__metadata__\":{}", serde_json::json!(metadata)));
    }
    let mut start = 0;
    for (name, tensor) in tensors {
        let shape = tensor.size();
        let precision = precision.of(&shape);
        let end = start + tensor.numel() * precision.bytes();
        let dtype = precision.as_str().to_uppercase();
        let info = serde_json::json!({"dtype": dtype, "shape": shape, "data_offsets": [start, end]});
        entries.push(format!("{}:{info}", serde_json::json!(name)));
        start = end;
    }
    let mut header = format!("{{{}}}", entries.join(","));
    header.extend(std::iter::repeat_n(' ', header.len().next_multiple_of(8) - header.len()));
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (BTreeMap<String, Tensor>, BTreeMap<String, String>) {
        let b = Tensor::from_slice(&[1f32, -2.0, 3.5, 0.25, 5.0, 6.0]).reshape([2, 3]);
        let tensors = BTreeMap::from([("b.weight".to_owned(), b), ("a".to_owned(), Tensor::from(7f32))]);
        (tensors, BTreeMap::from([("licence".into(), "Apache-2.0".into()), ("arch".into(), "x\"y".into())]))
    }

    fn written() -> (tempfile::TempDir, std::path::PathBuf, Vec<u8>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("w.safetensors");
        let (tensors, metadata) = sample();
        write_safetensors(&path, &tensors, &metadata).unwrap();
        let bytes = fs_err::read(&path).unwrap();
        (dir, path, bytes)
    }

    #[test]
    fn what_is_written_is_read_back_and_by_the_crate_too() {
        let (_dir, path, bytes) = written();
        let (tensors, metadata) = sample();
        let weights = read(&path).unwrap();
        assert_eq!(weights.metadata(), &metadata);
        assert_eq!(weights.names().collect::<Vec<_>>(), ["a", "b.weight"]);
        for (name, tensor) in &tensors {
            assert_eq!(weights.get(name).unwrap(), tensor, "{name}");
        }
        let by_crate = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(by_crate.tensor("b.weight").unwrap().shape(), [2, 3]);
        assert_eq!(by_crate.tensor("a").unwrap().data(), 7f32.to_le_bytes());
    }

    #[test]
    fn the_header_is_in_order_of_name() {
        let (_dir, _path, bytes) = written();
        let header = std::str::from_utf8(&bytes[8..bytes.len() - 28]).unwrap();
        assert_eq!(
            header.trim_end(),
            r#"{"__metadata__":{"arch":"x\"y","licence":"Apache-2.0"},"a":{"data_offsets":[0,4],"dtype":"F32","shape":[]},"b.weight":{"data_offsets":[4,28],"dtype":"F32","shape":[2,3]}}"#
        );
        assert_eq!(header.len() % 8, 0);
    }

    #[test]
    fn a_file_cut_short_anywhere_is_an_error_that_names_it() {
        let (_dir, path, bytes) = written();
        for length in 9..bytes.len() {
            fs_err::write(&path, &bytes[..length]).unwrap();
            let text = super::super::read(&path).unwrap_err().to_string();
            assert!(text.contains("w.safetensors`: it is cut short: "), "at {length}: {text}");
        }
        fs_err::write(&path, [&bytes[..], b"x"].concat()).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("it is too long"));
    }

    #[test]
    fn a_huge_header_is_refused_before_it_is_allocated() {
        let (_dir, path, mut bytes) = written();
        bytes[..8].copy_from_slice(&(1u64 << 60).to_le_bytes());
        fs_err::write(&path, &bytes).unwrap();
        let text = read(&path).unwrap_err().to_string();
        assert!(
            text.ends_with("its header claims 1152921504606846976 bytes, at most 16777216 are read"),
            "{text}"
        );
    }

    #[test]
    fn half_and_integer_numbers_become_float32_and_unknown_types_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("w.safetensors");
        let file = |dtype: &str, data: &[u8]| {
            let header =
                format!(r#"{{"t":{{"dtype":"{dtype}","shape":[1],"data_offsets":[0,{}]}}}}"#, data.len());
            [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
        };
        // 1.5 as IEEE half and as bfloat16, and 3 as int64.
        for (dtype, data, expected) in
            [("F16", &[0x00, 0x3e][..], 1.5), ("BF16", &[0xc0, 0x3f], 1.5), ("I64", &3i64.to_le_bytes(), 3.0)]
        {
            fs_err::write(&path, file(dtype, data)).unwrap();
            let weights = read(&path).unwrap();
            let tensor = weights.get("t").unwrap();
            assert_eq!((tensor.kind(), tensor.double_value(&[0])), (Kind::Float, expected), "{dtype}");
        }
        fs_err::write(&path, file("U64", &[0; 8])).unwrap();
        let text = read(&path).unwrap_err().to_string();
        assert!(text.ends_with("tensor `t` is of type U64, which is not read"), "{text}");
    }
}
