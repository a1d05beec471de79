//! `.pth` files: those that PyTorch wrote, and those that someone else did.

use std::io::Write;

use pipeline_nn::{Error, Tensor, weights};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::{fixture, read_fixture};

#[test]
fn both_formats_hold_every_tensor_of_the_nested_and_prefixed_state() {
    // Converted to contiguous float32 by PyTorch itself.
    let expected = read_fixture("checkpoint.safetensors");
    for name in ["zip.pth", "legacy.pth"] {
        let found = read_fixture(name);
        assert_eq!(found.names().collect::<Vec<_>>(), expected.names().collect::<Vec<_>>(), "{name}");
        for tensor in expected.names() {
            let (found, expected) = (found.get(tensor).unwrap(), expected.get(tensor).unwrap());
            assert_eq!(found.size(), expected.size(), "{name} {tensor}");
            assert!(found.is_contiguous());
            assert!(found.equal(expected), "{name} {tensor}");
        }
    }
}

/// Reads these bytes as a file and returns the message without the folder.
fn refuse(bytes: &[u8]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("w.pth");
    fs_err::write(&path, bytes).unwrap();
    let text = weights::read(&path).unwrap_err().to_string();
    text.replace(&format!("cannot read weights from `{}`: ", path.display()), "")
}

#[test]
fn a_file_cut_short_anywhere_is_an_error() {
    for name in ["zip.pth", "legacy.pth"] {
        let bytes = fs_err::read(fixture(name)).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("w.pth");
        for length in (0..bytes.len()).step_by(7) {
            fs_err::write(&path, &bytes[..length]).unwrap();
            let error = weights::read(&path).unwrap_err();
            assert!(
                matches!(error, Error::Damaged { .. } | Error::UnknownFormat { .. }),
                "{name} at {length}: {error}"
            );
        }
    }
}

#[test]
fn a_byte_that_changes_is_an_error_or_harmless_never_a_crash() {
    for name in ["zip.pth", "legacy.pth"] {
        let bytes = fs_err::read(fixture(name)).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("w.pth");
        for i in (0..bytes.len()).step_by(5) {
            let mut changed = bytes.clone();
            changed[i] ^= 0xff;
            fs_err::write(&path, &changed).unwrap();
            drop(weights::read(&path));
        }
    }
}

// A pickle in the zip format, with one storage of four float32 numbers named 0.

const STORAGE: &[u8] = b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x04tQ";

fn zipped_with(pickle: &[u8], compression: CompressionMethod, data: &[u8]) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let mut zip = ZipWriter::new(&mut bytes);
    let options = SimpleFileOptions::default().compression_method(compression);
    for (name, content) in [("w/data.pkl", pickle), ("w/data/0", data)] {
        zip.start_file(name, options).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap();
    bytes.into_inner()
}

fn zipped(pickle: &[u8]) -> Vec<u8> {
    let data: Vec<u8> = [1f32, 2.0, 3.0, 4.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    zipped_with(pickle, CompressionMethod::Stored, &data)
}

/// The pickle of `{"t": tensor}` where `view` is offset, shape and stride.
fn one_tensor(storage: &[u8], view: &[u8]) -> Vec<u8> {
    let parts: [&[u8]; 5] =
        [b"\x80\x02}X\x01\0\0\0tctorch._utils\n_rebuild_tensor_v2\n(", storage, view, b"\x89}tR", b"s."];
    parts.concat()
}

#[test]
fn a_tensor_written_by_hand_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("w.pth");
    // Offset 1, shape (2,), stride (2,).
    fs_err::write(&path, zipped(&one_tensor(STORAGE, b"K\x01K\x02\x85K\x02\x85"))).unwrap();
    let weights = weights::read(&path).unwrap();
    assert_eq!(weights.get("t").unwrap(), &Tensor::from_slice(&[2f32, 4.0]));
}

#[test]
fn a_pickle_that_would_run_something_is_refused_by_name_in_both_formats() {
    let attack = b"\x80\x02cos\nsystem\nX\x04\0\0\0true\x85R.";
    assert_eq!(refuse(&zipped(attack)), "forbidden pickle operation `os.system`");
    let legacy = fs_err::read(fixture("legacy.pth")).unwrap();
    // After the magic number, protocol and system, the fixture's object starts with an empty dictionary.
    let object = legacy.windows(4).rposition(|w| w == b"\x80\x02}q").unwrap();
    assert_eq!(refuse(&[&legacy[..object], attack].concat()), "forbidden pickle operation `os.system`");

    // The same as protocol 4 says it, and other ways to make objects.
    let named = b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R.";
    assert_eq!(refuse(&zipped(named)), "forbidden pickle operation `builtins.eval`");
    assert_eq!(refuse(&zipped(b"\x80\x02ctorch\nload\n.")), "forbidden pickle operation `torch.load`");
    assert_eq!(
        refuse(&zipped(b"\x80\x02ccollections\nOrderedDict\n)\x81.")),
        "forbidden pickle operation `opcode 0x81, an object of a class`"
    );
    assert_eq!(refuse(&zipped(b"\x80\x02K\x01)R.")), "forbidden pickle operation `a call of an integer`");
    assert_eq!(
        refuse(&zipped(b"\x80\x02K\x01}b.")),
        "forbidden pickle operation `a state set on an integer`"
    );
}

#[test]
fn a_tensor_outside_its_storage_is_refused() {
    let outside = |view: &[u8]| refuse(&zipped(&one_tensor(STORAGE, view)));
    assert_eq!(
        outside(b"K\x01K\x02\x85K\x03\x85"),
        "tensor `t` of shape [2], strides [3] and offset 1 is outside its storage of 4 numbers"
    );
    // Strides of 0 would make much of little.
    assert_eq!(
        outside(b"K\x00J\xff\xff\xff\x7f\x85K\x00\x85"),
        "tensor `t` of shape [2147483647], strides [0] and offset 0 is outside its storage of 4 numbers"
    );
    let huge = b"\x8a\x08\0\0\0\0\0\0\0\x40";
    assert_eq!(
        outside(&[b"K\x00", &huge[..], &huge[..], b"\x86K\x01K\x01\x86"].concat()),
        "tensor `t` of shape [4611686018427387904, 4611686018427387904] and strides [1, 1] is too large"
    );
    assert_eq!(outside(b"K\x00J\xff\xff\xff\xff\x85K\x01\x85"), "its pickle has a size of -1");
    assert_eq!(outside(b"K\x00K\x02\x85)"), "its pickle has a tensor of shape [2] with strides []");
}

#[test]
fn a_storage_larger_than_the_file_is_refused_before_it_is_allocated() {
    let huge: &[u8] = b"\x8a\x06\0\0\0\0\0\x01"; // 2^40 numbers
    let four: &[u8] = b"K\x04";
    let at = STORAGE.windows(2).rposition(|w| w == four).unwrap();
    let storage = [&STORAGE[..at], huge, &STORAGE[at + 2..]].concat();
    let text = refuse(&zipped(&one_tensor(&storage, b"K\x00K\x02\x85K\x01\x85")));
    assert!(text.starts_with("its storage `0` claims 1099511627776 numbers, more than its "), "{text}");
}

#[test]
fn a_zip_bomb_is_refused() {
    let bomb = zipped_with(
        &one_tensor(STORAGE, b"K\x00K\x04\x85K\x01\x85"),
        CompressionMethod::Deflated,
        &[0; 1 << 22],
    );
    assert!(bomb.len() < 1 << 14);
    assert_eq!(refuse(&bomb), "its entry `w/data.pkl` is compressed, which `torch.save` does not do");
}

#[test]
fn a_file_without_tensors_by_name_is_refused() {
    let expected = "it holds no tensors by name, expected a state dictionary";
    assert_eq!(refuse(&zipped(b"\x80\x02}.")), expected);
    // A dictionary that holds itself.
    assert_eq!(refuse(&zipped(b"\x80\x02}q\x00X\x0a\0\0\0state_dicth\x00s.")), expected);
    let renamed: Vec<u8> = zipped(b"").split(|b| *b == b'.').collect::<Vec<_>>().join(&b'_');
    assert_eq!(refuse(&renamed), "it is a zip without `data.pkl`, not one that `torch.save` wrote");
}
