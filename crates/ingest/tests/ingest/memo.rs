//! A second ingest reads what is new, and says the same as one that reads everything.

use std::time::Duration;

use pipeline_stage::Event;

use super::*;

/// More than the grain within which a change is not trusted to show.
const SETTLES: Duration = Duration::from_millis(2_100);

/// A bench with a memo, photos that have settled, and what was said last.
struct Remembering {
    bench: StageBench,
    root: std::path::PathBuf,
}

impl Remembering {
    fn new() -> Self {
        let mut bench = StageBench::default();
        let memo = bench.dir().join("memo");
        fs_err::create_dir_all(&memo).unwrap();
        bench.memo = Some(memo);
        let root = photos(&bench);
        write(&root, "train/cats/damaged.png", &png(40, 30, 9)[..60]);
        write(&root, "train/loose.png", &png(40, 30, 8));
        write(&root, "valid/dogs/png.jpg", &png(41, 30, 9));
        std::thread::sleep(SETTLES);
        Remembering { bench, root }
    }

    /// What is said of files read and known, `None` where nothing is. The artifact is that of an ingest without memo.
    fn ingest(&self) -> Option<String> {
        let before = self.bench.events().len();
        let made = ingest(&self.bench, &self.root).unwrap();
        let said = self.bench.events().into_iter().skip(before).find_map(|event| match event {
            Event::Note(note) if note.contains(" read, ") => Some(note),
            _ => None,
        });
        let without = ingest(&StageBench::default(), &self.root).unwrap();
        assert_eq!(made.artifact.files, without.artifact.files);
        assert_eq!((made.summary.line, made.summary.notes), (without.summary.line, without.summary.notes));
        said
    }
}

fn said(read: u32, known: u32) -> Option<String> {
    Some(format!("{read} read, {known} as they were when they were looked at before"))
}

#[test]
fn after_one_photo_was_added_only_that_one_is_read() {
    let photos = Remembering::new();
    assert_eq!(photos.ingest(), None);
    assert_eq!(photos.ingest(), said(0, 8));
    write(&photos.root, "train/cats/new.png", &png(33, 22, 1));
    assert_eq!(photos.ingest(), said(1, 8));
    // It is too young to be trusted; and what is removed is forgotten.
    fs_err::remove_file(photos.root.join("valid/dogs/png.jpg")).unwrap();
    assert_eq!(photos.ingest(), said(1, 7));
}

#[test]
fn a_file_that_changed_without_its_size_and_time_is_read_again() {
    let photos = Remembering::new();
    photos.ingest();
    let path = photos.root.join("train/cats/damaged.png");
    let modified = fs_err::metadata(&path).unwrap().modified().unwrap();
    let mut bytes = fs_err::read(&path).unwrap();
    bytes[30] ^= 1;
    fs_err::write(&path, &bytes).unwrap();
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
    assert_eq!(photos.ingest(), said(1, 7));
}

#[test]
fn a_damaged_memo_is_made_again() {
    let photos = Remembering::new();
    photos.ingest();
    let memo = photos.bench.memo.clone().unwrap();
    let file = fs_err::read_dir(memo).unwrap().next().unwrap().unwrap().path();
    fs_err::write(&file, "nonsense\n").unwrap();
    assert_eq!(photos.ingest(), None);
    assert_eq!(photos.ingest(), said(0, 8));
}

#[test]
fn a_file_that_was_of_no_use_is_decoded_when_it_is() {
    let photos = Remembering::new();
    photos.ingest();
    let rename = |from: &str, to: &str| fs_err::rename(photos.root.join(from), photos.root.join(to)).unwrap();
    // The same inode under another id is another file here.
    rename("train/loose.png", "train/cats/loose.png");
    assert_eq!(photos.ingest(), said(1, 7));
}
