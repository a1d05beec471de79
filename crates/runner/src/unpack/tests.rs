use std::io::Write;
use std::os::unix::ffi::OsStringExt;

use flate2::write::GzEncoder;
use pipeline_stage::progress::Silent;
use tar::{EntryType, Header};
use zip::write::SimpleFileOptions;

use super::zipped::ENCRYPTED;
use super::*;

/// A zip with these entries; a name that ends in `/` is a folder.
fn zip_of(path: &Path, entries: &[(&str, &[u8])]) {
    let mut zip = zip::ZipWriter::new(File::create(path).unwrap());
    for (name, content) in entries {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap();
}

/// What comes of unpacking the archive that `make` writes: each file as `path=content`, sorted.
fn unpacked_from(make: impl FnOnce(&Path)) -> Result<Vec<String>, String> {
    let dir = tempfile::tempdir().unwrap();
    let (archive, out) = (dir.path().join("a.archive"), dir.path().join("in/out"));
    make(&archive);
    fs_err::create_dir_all(&out).unwrap();
    unpack(&archive, &out, &Silent, &Cancel::default()).map_err(|refused| format!("{refused:?}"))?;
    assert_eq!(fs_err::read_dir(dir.path().join("in")).unwrap().count(), 1, "nothing lies outside");
    let mut found = vec![];
    let mut folders = vec![out.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs_err::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let content = fs_err::read_to_string(&path).unwrap();
                found.push(format!("{}={content}", path.strip_prefix(&out).unwrap().display()));
            }
        }
    }
    found.sort();
    Ok(found)
}

fn unpacked(entries: &[(&str, &[u8])]) -> Result<Vec<String>, String> {
    unpacked_from(|path| {
        zip_of(path, entries);
        assert_eq!(Format::of(path).unwrap(), Some(Format::Zip));
    })
}

#[test]
fn one_folder_that_holds_everything_is_looked_through_and_clutter_is_left_out() {
    let entries: [(&str, &[u8]); 4] = [
        ("dogscats/train/a.jpg", b"1"),
        ("dogscats/valid/b.jpg", b"2"),
        ("__MACOSX/dogscats/train/._a.jpg", b"x"),
        ("dogscats/.DS_Store", b"x"),
    ];
    assert_eq!(unpacked(&entries).unwrap(), ["train/a.jpg=1", "valid/b.jpg=2"]);
    let two: [(&str, &[u8]); 2] = [("train/a.jpg", b"1"), ("valid/b.jpg", b"2")];
    assert_eq!(unpacked(&two).unwrap(), ["train/a.jpg=1", "valid/b.jpg=2"]);
}

#[test]
fn entries_that_lead_outside_are_refused() {
    for name in ["../a", "train/../../a", "/etc/a"] {
        let refused = unpacked(&[("train/b.jpg", b"1"), (name, b"2")]).unwrap_err();
        assert!(refused.contains("leads outside"), "{name}: {refused}");
    }
}

#[test]
fn an_entry_in_more_folders_than_any_tree_may_have_is_refused() {
    let deep = format!("{}x.jpg", "a/".repeat(128));
    let refused = unpacked(&[("train/b.jpg", b"1"), (&deep, b"2")]).unwrap_err();
    assert!(refused.contains("a/a/…` lies in more than 128 folders"), "{refused}");
}

#[test]
fn a_backslash_in_a_name_is_called_so() {
    for name in [r"a\b.jpg", r"a\..\b"] {
        let refused = unpacked(&[("train/b.jpg", b"1"), (name, b"2")]).unwrap_err();
        let expected =
            format!("Archive({:?})", format!("`{name}` has a backslash in its name, a zip has `/` there"));
        assert_eq!(refused, expected);
    }
}

/// A zip of one file, then changed at `change` bytes after the start of each header that begins with
/// `header`, and what comes of unpacking it.
fn changed(headers: &[(&[u8], usize)]) -> Refused {
    let dir = tempfile::tempdir().unwrap();
    let (zip, out) = (dir.path().join("a.zip"), dir.path().join("out"));
    zip_of(&zip, &[("train/a.jpg", b"123456")]);
    let mut bytes = fs_err::read(&zip).unwrap();
    for (header, change) in headers {
        let at = bytes.windows(4).position(|four| four == *header).unwrap();
        bytes[at + change] ^= 1;
    }
    fs_err::write(&zip, &bytes).unwrap();
    assert_eq!(not_an_archive(&zip).unwrap(), None);
    fs_err::create_dir(&out).unwrap();
    unpack(&zip, &out, &Silent, &Cancel::default()).unwrap_err()
}

#[test]
fn an_encrypted_zip_is_called_so() {
    // The first bit of the flags of both headers (APPNOTE 4.4.4).
    let refused = changed(&[(b"PK\x03\x04", 6), (b"PK\x01\x02", 8)]);
    assert_eq!(format!("{refused:?}"), format!("Archive({ENCRYPTED:?})"));
}

#[test]
fn an_entry_with_another_checksum_is_damaged() {
    // The CRC-32 in the central directory (APPNOTE 4.3.12).
    let refused = changed(&[(b"PK\x01\x02", 16)]);
    let Refused::Archive(reason) = &refused else { panic!("{refused:?}") };
    assert!(reason.starts_with("`train/a.jpg` is damaged: "), "{reason}");
}

#[test]
fn what_is_no_archive_is_described() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    let what = |content: &[u8]| {
        fs_err::write(&path, content).unwrap();
        not_an_archive(&path).unwrap().unwrap()
    };
    assert_eq!(what(b"\n<!DOCTYPE HTML><title>Sign in"), "a web page");
    assert_eq!(what(b""), "an empty file");
    assert_eq!(what(b"{\"error\": \"no such file\"}"), r#"a file that begins with `{"error": "no su`"#);
    assert!(what(b"PK\x03\x04 and no more").starts_with("a damaged zip ("));
    assert_eq!(what(&gzip(b"no tar")), "a gzip of something else than a tar");
    assert_eq!(what(b"BZh91AY&SY"), "a bzip2 archive");
}

#[test]
fn links_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (path, out) = (dir.path().join("a.zip"), dir.path().join("out"));
    let mut zip = zip::ZipWriter::new(File::create(&path).unwrap());
    zip.add_symlink("train/a", "/etc", SimpleFileOptions::default()).unwrap();
    zip.finish().unwrap();
    fs_err::create_dir(&out).unwrap();
    let refused = unpack(&path, &out, &Silent, &Cancel::default()).unwrap_err();
    assert_eq!(format!("{refused:?}"), r#"Archive("`train/a` is a link")"#);
}

#[test]
fn a_zip_bomb_is_refused() {
    let zeros = vec![0u8; (FREE_BYTES + (16 << 20)) as usize];
    let refused = unpacked(&[("a/zeros", &zeros), ("b/x", b"1")]).unwrap_err();
    assert!(refused.contains("like a zip bomb"), "{refused}");
}

#[test]
fn a_damaged_zip_is_refused_and_something_else_is_no_zip() {
    let dir = tempfile::tempdir().unwrap();
    let (zip, out) = (dir.path().join("a.zip"), dir.path().join("out"));
    zip_of(&zip, &[("train/a.jpg", b"123456")]);
    let bytes = fs_err::read(&zip).unwrap();
    fs_err::write(&zip, &bytes[..bytes.len() / 2]).unwrap();
    fs_err::create_dir(&out).unwrap();
    assert!(matches!(unpack(&zip, &out, &Silent, &Cancel::default()), Err(Refused::Archive(_))));
    fs_err::write(&zip, "text").unwrap();
    assert_eq!(Format::of(&zip).unwrap(), None);
}

/// A header for `size` bytes of the type `entry_type`. The crate's own functions refuse the names that are tried here.
fn header(name: &[u8], entry_type: EntryType, size: u64) -> Header {
    let mut header = Header::new_ustar();
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.set_entry_type(entry_type);
    header.set_size(size);
    header.set_mode(0o644);
    header.set_cksum();
    header
}

/// Bytes of a tar of these entries.
fn tar_of(entries: &[(&[u8], EntryType, &[u8])]) -> Vec<u8> {
    let mut tar = Vec::new();
    for (name, entry_type, content) in entries {
        tar.extend_from_slice(header(name, *entry_type, content.len() as u64).as_bytes());
        tar.extend_from_slice(content);
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    tar.resize(tar.len() + 1024, 0);
    tar
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// What comes of a tar, which must be the same when it is compressed.
fn untarred(entries: &[(&[u8], EntryType, &[u8])]) -> Result<Vec<String>, String> {
    let tar = tar_of(entries);
    let plain = unpacked_from(|path| {
        fs_err::write(path, &tar).unwrap();
        assert_eq!((Format::of(path).unwrap(), not_an_archive(path).unwrap()), (Some(Format::Tar), None));
    });
    let compressed = unpacked_from(|path| {
        fs_err::write(path, gzip(&tar)).unwrap();
        assert_eq!((Format::of(path).unwrap(), not_an_archive(path).unwrap()), (Some(Format::TarGz), None));
    });
    assert_eq!(plain, compressed);
    plain
}

const FILE: EntryType = EntryType::Regular;

#[test]
fn a_tar_is_unpacked_like_a_zip() {
    let entries: [(&[u8], EntryType, &[u8]); 6] = [
        (b"./", EntryType::Directory, b""),
        (b"./dogscats/", EntryType::Directory, b""),
        (b"./dogscats/train/a.jpg", FILE, b"1"),
        (b"./dogscats/valid/b c.jpg", FILE, &[b'2'; 700]),
        (b"./dogscats/._train", FILE, b"x"),
        (b"./dogscats/empty/", EntryType::Directory, b""),
    ];
    assert_eq!(
        untarred(&entries).unwrap(),
        ["train/a.jpg=1".to_owned(), format!("valid/b c.jpg={}", "2".repeat(700))]
    );
}

#[test]
fn long_names_of_either_kind_are_read() {
    let long = format!("train/{}/{}.jpg", "f".repeat(90), "n".repeat(90));
    // 191 letters, and with its length, a space, `path=` and a newline 201 bytes.
    let record = format!("201 path={long}\n");
    assert_eq!((long.len(), record.len()), (191, 201));
    let gnu = format!("{}\0", long.replace(".jpg", ".png"));
    let entries: [(&[u8], EntryType, &[u8]); 6] = [
        (b"pax_global_header", EntryType::XGlobalHeader, b"20 comment=abcdefgh\n"),
        (b"x", EntryType::XHeader, record.as_bytes()),
        (b"short", FILE, b"1"),
        (b"././@LongLink", EntryType::GNULongName, gnu.as_bytes()),
        (b"short", FILE, b"2"),
        (b"valid/b.jpg", FILE, b"3"),
    ];
    let expected =
        [format!("{long}=1"), format!("{}=2", long.replace(".jpg", ".png")), "valid/b.jpg=3".to_owned()];
    assert_eq!(untarred(&entries).unwrap(), expected);
}

#[test]
fn a_hostile_tar_is_refused() {
    let link = |name: &str, what: &str| format!("Archive({:?})", format!("`{name}` is {what}"));
    let refused =
        |name: &[u8], entry_type| untarred(&[(b"train/a", FILE, b"1"), (name, entry_type, b"")]).unwrap_err();
    for name in ["../a", "train/../../a", "/etc/a"] {
        let expected = format!("Archive({:?})", format!("`{name}` leads outside"));
        assert_eq!(refused(name.as_bytes(), FILE), expected);
    }
    assert_eq!(refused(b"train/b", EntryType::Symlink), link("train/b", "a link"));
    assert_eq!(refused(b"train/b", EntryType::Link), link("train/b", "a hard link"));
    assert_eq!(refused(b"train/b", EntryType::Char), link("train/b", "a device"));
    assert_eq!(refused(b"train/b", EntryType::Block), link("train/b", "a device"));
    assert_eq!(refused(b"train/b", EntryType::Fifo), link("train/b", "a pipe"));
    assert_eq!(refused(b"train/b", EntryType::GNUSparse), link("train/b", "a sparse file"));
    assert_eq!(refused(b"train/a", FILE), r#"Archive("`train/a` is there twice")"#);
    assert_eq!(refused(b"train/a/b", FILE), r#"Archive("`train/a/b` lies in a file")"#);
    let outside = b"15 path=../../a\n".map(|byte| byte);
    let record = [(&b"x"[..], EntryType::XHeader, &b"18 path=../../abc\n"[..]), (b"train/b", FILE, b"1")];
    assert_eq!(outside.len(), 16, "a record with a wrong length, tried below");
    assert_eq!(untarred(&record).unwrap_err(), r#"Archive("`../../abc` leads outside")"#);
    let wrong = [(&b"x"[..], EntryType::XHeader, &outside[..]), (b"train/b", FILE, b"1")];
    assert!(untarred(&wrong).unwrap_err().contains("make no sense"));
    let size = [(&b"x"[..], EntryType::XHeader, &b"11 size=99\n"[..]), (b"train/b", FILE, b"1")];
    assert!(untarred(&size).unwrap_err().contains("more than 8 GiB"));
    let huge = vec![b'n'; (1 << 20) + 1];
    let name = [(&b"L"[..], EntryType::GNULongName, huge.as_slice()), (b"train/b", FILE, b"1")];
    assert!(untarred(&name).unwrap_err().contains("more than 1048576 bytes"));
}

#[test]
fn a_name_that_is_no_text_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (archive, out) = (dir.path().join("a.tar"), dir.path().join("out"));
    fs_err::write(&archive, tar_of(&[(b"train/\xff.jpg", FILE, b"1"), (b"valid/b.jpg", FILE, b"2")]))
        .unwrap();
    fs_err::create_dir(&out).unwrap();
    unpack(&archive, &out, &Silent, &Cancel::default()).unwrap();
    let names: Vec<_> =
        fs_err::read_dir(out.join("train")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, [std::ffi::OsString::from_vec(b"\xff.jpg".to_vec())]);
}

#[test]
fn a_compressed_tar_bomb_is_refused() {
    let zeros = vec![0u8; (FREE_BYTES + (16 << 20)) as usize];
    // In a file that is left out, too.
    for name in [&b"a/zeros"[..], b"a/.zeros"] {
        let tar = tar_of(&[(name, FILE, &zeros), (b"b/x", FILE, b"1")]);
        let refused = unpacked_from(|path| fs_err::write(path, gzip(&tar)).unwrap()).unwrap_err();
        assert!(refused.contains("like a zip bomb"), "{refused}");
    }
}

#[test]
fn a_tar_that_is_cut_short_or_changed_is_refused() {
    let tar = tar_of(&[(b"train/a", FILE, &[b'1'; 600]), (b"train/b", FILE, b"2")]);
    let of = |bytes: &[u8]| unpacked_from(|path| fs_err::write(path, bytes).unwrap());
    assert_eq!(of(&tar).unwrap().len(), 2);
    // In the content, and between two entries.
    for length in [900, 512 + 1024] {
        assert_eq!(of(&tar[..length]).unwrap_err(), r#"Archive("it is cut short")"#, "{length}");
    }
    let compressed = gzip(&tar);
    for length in [compressed.len() - 9, compressed.len() - 1] {
        assert!(
            of(&compressed[..length]).unwrap_err().starts_with(r#"Archive("it is damaged: "#),
            "{length}"
        );
    }
    let mut changed = compressed.clone();
    let checksum = changed.len() - 8;
    changed[checksum] ^= 1;
    assert!(of(&changed).unwrap_err().starts_with(r#"Archive("it is damaged: "#));
    let mut changed = tar.clone();
    changed[512 + 1024] ^= 1;
    assert!(of(&changed).unwrap_err().starts_with(r#"Archive("it is damaged: "#));
}

#[test]
fn what_is_left_out_is_said() {
    struct Notes(std::sync::Mutex<Vec<String>>);
    impl Report for Notes {
        fn emit(&self, event: Event) {
            if let Event::Note(note) = event {
                self.0.lock().unwrap().push(note);
            }
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let (archive, out) = (dir.path().join("a.zip"), dir.path().join("out"));
    zip_of(&archive, &[("train/a.jpg", b"1"), ("train/.DS_Store", b"x"), ("__MACOSX/train/._a.jpg", b"x")]);
    fs_err::create_dir(&out).unwrap();
    let notes = Notes(std::sync::Mutex::default());
    unpack(&archive, &out, &notes, &Cancel::default()).unwrap();
    assert_eq!(*notes.0.lock().unwrap(), ["left out of a.zip: 2 hidden entries or of file managers"]);
}
