//! How many photos a second are read and hashed, decoded, and taken in by the whole stage; the peak of memory with it.
//! `cargo xtask bench ingest` runs it beside Pillow and libjpeg-turbo.
//!
//!     cargo run --release -p pipeline-ingest --example scan -- PHOTOS COUNT THREADS
//!     cargo run --release -p pipeline-ingest --example scan -- PHOTOS COUNT THREADS copies
//!
//! The first takes the first COUNT .jpg files below PHOTOS by their paths, and links to them. The second makes a tree of COUNT
//! copies of them in a temporary folder, each with a comment of its own and so with other bytes, and runs the stage alone.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a program for people who develop the crate")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pipeline_ingest::Ingest;
use pipeline_photo::{Limits, decode};
use pipeline_stage::Digest;
use pipeline_testkit::StageBench;
use rayon::prelude::*;
use serde_json::json;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (photos, count, threads, copies) = match arguments.as_slice() {
        [photos, count, threads] => (photos, count, threads, false),
        [photos, count, threads, last] if last == "copies" => (photos, count, threads, true),
        _ => panic!("expected PHOTOS COUNT THREADS [copies]"),
    };
    let (count, threads): (usize, usize) = (count.parse().unwrap(), threads.parse().unwrap());
    let mut files = jpegs(Path::new(photos));
    assert!(!files.is_empty(), "no .jpg file below {photos}");
    let mut bench = StageBench::default();
    bench.threads = threads;
    let root = bench.dir().join("photos");
    if copies {
        copy(&files, count, &root);
        // What had changed less than two seconds before is looked at again.
        std::thread::sleep(Duration::from_secs(3));
        println!("photos {count}");
    } else {
        files.truncate(count);
        println!("photos {}", files.len());
        link(&files, &root);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let rate = |work: &(dyn Fn(&PathBuf) + Sync)| {
            let started = Instant::now();
            pool.install(|| files.par_iter().for_each(work));
            files.len() as f64 / started.elapsed().as_secs_f64()
        };
        // The first reads from the disk, the others from memory.
        let hashed = rate(&|file| {
            std::hint::black_box(Digest::of(&fs_err::read(file).unwrap()));
        });
        println!("hash {hashed:.1}");
        let decoded = rate(&|file| drop(decode(&fs_err::read(file).unwrap(), &Limits::default())));
        println!("decode {decoded:.1}");
    }
    let memo = bench.dir().join("memo");
    fs_err::create_dir_all(&memo).unwrap();
    bench.memo = Some(memo);
    for name in ["stage", "again"] {
        let started = Instant::now();
        let made = bench.run(&Ingest, &json!({"root": "photos"}), &[], &[("photos", &root)]).unwrap();
        let all = made.summary.metrics["photos"] + made.summary.metrics["set_aside"];
        println!("{name} {:.1}", all / started.elapsed().as_secs_f64());
    }
    println!("peak_bytes {}", peak_bytes());
}

/// Every .jpg file below a folder, in order.
fn jpegs(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        fs_err::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let below = |path: PathBuf| match () {
        () if path.is_dir() => jpegs(&path),
        () if path.extension().is_some_and(|ending| ending == "jpg") => vec![path],
        () => vec![],
    };
    paths.into_iter().flat_map(below).collect()
}

/// Where the photo of this number goes: one of two classes, one of five photos to valid.
fn place(root: &Path, number: usize, name: usize) -> PathBuf {
    let split = if number % 10 < 2 { "valid" } else { "train" };
    root.join(split).join(["cats", "dogs"][number % 2]).join(format!("{name}.jpg"))
}

fn make_folders(root: &Path) {
    for number in [0, 1, 2, 3] {
        fs_err::create_dir_all(place(root, number, 0).parent().unwrap()).unwrap();
    }
}

fn link(files: &[PathBuf], root: &Path) {
    make_folders(root);
    for (number, file) in files.iter().enumerate() {
        let file = std::path::absolute(file).unwrap();
        fs_err::os::unix::fs::symlink(file, place(root, number, number)).unwrap();
    }
}

/// Copies of one photo go to one split.
fn copy(files: &[PathBuf], count: usize, root: &Path) {
    make_folders(root);
    (0..count).into_par_iter().for_each(|name| {
        let bytes = fs_err::read(&files[name % files.len()]).unwrap();
        let text = format!("copy {name:08}");
        let comment = [b"\xFF\xFE", &(text.len() as u16 + 2).to_be_bytes()[..], text.as_bytes()].concat();
        let copy = [&bytes[..2], &comment, &bytes[2..]].concat();
        fs_err::write(place(root, name % files.len(), name), copy).unwrap();
    });
}

/// The most memory that the process has had, as Linux says.
fn peak_bytes() -> u64 {
    let status = fs_err::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) * 1024
}
