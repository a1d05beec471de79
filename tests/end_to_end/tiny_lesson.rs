//! [`TinyLesson`]: the lesson's whole pipeline with its submission, every stage kind in it, on photos and with settings so small that a run
//! takes a few seconds; and what is left of its runs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use pipeline::stages::STAGES;
use pipeline_stage::manifest::MANIFEST_FILE;
use pipeline_stage::{Digest, Manifest};
use pipeline_testkit::Project;

use crate::drawn_project;

const CONFIG: &str = "\
pipeline: kaggle
ingest: { root: photos }
backbone: { arch: efficientnet_lite0, weights: weights.safetensors }
precompute: { size: 32 }
head: { batch_size: 4, epochs: 2 }
last_layer: { freeze: trunk, batch_size: 3, epochs: 1, lr: 0.01, dtype: f32 }
finetune: { batch_size: 3, epochs: 1, lr: 0.0001, dtype: f32 }
evaluate: { tta: 1, dtype: f32 }
";

/// Its stages in the order of running.
pub(crate) const LESSON_STAGES: [&str; 9] =
    ["ingest", "augment", "backbone", "precompute", "head", "last_layer", "finetune", "evaluate", "submit"];

/// The project, its store and its links, each anywhere.
pub(crate) struct TinyLesson {
    pub(crate) project: Project,
    store: PathBuf,
    out: PathBuf,
}

/// Key and content of the artifact of every stage, but for what records how a run went.
pub(crate) type Digests = BTreeMap<String, (Digest, BTreeMap<String, Digest>)>;

impl TinyLesson {
    /// With the store and the links where they usually are.
    pub(crate) fn new() -> TinyLesson {
        TinyLesson::at(".pipeline", "out")
    }

    /// With the store and the links at these places in the project.
    pub(crate) fn at(store: &str, out: &str) -> TinyLesson {
        let project = drawn_project(["4", "3", "1"], CONFIG);
        let (store, out) = (project.path(store), project.path(out));
        TinyLesson { project, store, out }
    }

    /// The arguments of a run, then `more`. One thread: several would wait for each other where other tests run beside.
    pub(crate) fn arguments<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        let places = ["--store", self.store.to_str().unwrap(), "--out", self.out.to_str().unwrap()];
        [["run", "configs/c.yaml", "--threads", "1"].as_slice(), &places, more].concat()
    }

    /// Runs to the end.
    pub(crate) fn run(&self) {
        self.project.succeed(&self.arguments(&[]));
    }

    /// Removes the store and the links.
    pub(crate) fn wipe(&self) {
        for folder in [&self.store, &self.out] {
            fs_err::read_dir(folder).into_iter().flatten().for_each(|entry| remove(&entry.unwrap().path()));
        }
    }

    /// What the links lead to.
    pub(crate) fn digests(&self) -> Digests {
        self.digests_in(&self.out.join("c"))
    }

    /// What the links in a folder lead to.
    pub(crate) fn digests_in(&self, links: &Path) -> Digests {
        let of = |stage: &str| {
            let manifest = manifest(&links.join(stage)).unwrap();
            let kind = STAGES.iter().find(|kind| kind.kind() == manifest.parts.kind).unwrap();
            let mut files = manifest.digests();
            files.retain(|path, _| !kind.records().contains(&path.as_str()));
            (stage.to_owned(), (manifest.key, files))
        };
        LESSON_STAGES.into_iter().map(of).collect()
    }

    /// Asserts that every artifact in the store is whole, every link leads to one, and no folder of photos, weights or
    /// configs has changed.
    pub(crate) fn assert_nothing_is_half_made(&self, when: &str) {
        for kind in entries(&self.store.join("store")) {
            for artifact in entries(&kind) {
                let manifest =
                    manifest(&artifact).unwrap_or_else(|| panic!("{when}: {}", artifact.display()));
                let mut files: BTreeSet<PathBuf> =
                    below(&artifact).into_iter().filter(|p| !p.is_dir()).collect();
                assert!(files.remove(&artifact.join(MANIFEST_FILE)));
                for file in manifest.files {
                    let path = artifact.join(&file.path);
                    let size = fs_err::symlink_metadata(&path).unwrap().len();
                    assert_eq!(size, file.size_bytes, "{when}: {}", path.display());
                    assert!(files.remove(&path));
                }
                assert!(files.is_empty(), "{when}: {files:?} are in no manifest");
            }
        }
        for link in entries(&self.out).iter().flat_map(|config| entries(config)) {
            assert!(link.is_symlink() && manifest(&link).is_some(), "{when}: {}", link.display());
        }
    }

    /// Every path in the store and among the links. The name of a run has its time, so that runs are not among them; what
    /// is in a run's folder is checked to be what belongs there.
    pub(crate) fn listing(&self) -> BTreeSet<PathBuf> {
        let runs = self.store.join("runs");
        for file in entries(&runs).iter().flat_map(|run| below(run)) {
            let name = file.file_name().unwrap().to_str().unwrap();
            let is_known = name == "run.json" || name == "events.jsonl" || name.ends_with(".log");
            assert!(is_known, "{} is left", file.display());
        }
        let all = below(&self.store).into_iter().chain(below(&self.out));
        all.filter(|path| path.parent() != Some(&runs) && path.parent().unwrap().parent() != Some(&runs))
            .collect()
    }

    /// Bytes of disk that the store takes, files of several names once.
    pub(crate) fn size_bytes(&self) -> u64 {
        use std::os::unix::fs::MetadataExt;
        let metadata = below(&self.store).into_iter().map(|path| fs_err::symlink_metadata(path).unwrap());
        let sizes: BTreeMap<u64, u64> = metadata.map(|found| (found.ino(), found.blocks() * 512)).collect();
        sizes.values().sum()
    }
}

fn manifest(artifact: &Path) -> Option<Manifest> {
    serde_json::from_slice(&fs_err::read(artifact.join(MANIFEST_FILE)).ok()?).ok()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        fs_err::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// Every path below a folder, not through links.
fn below(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![];
    for path in entries(folder) {
        if path.is_dir() && !path.is_symlink() {
            found.extend(below(&path));
        }
        found.push(path);
    }
    found
}

fn remove(path: &Path) {
    let is_folder = path.is_dir() && !path.is_symlink();
    if is_folder { fs_err::remove_dir_all(path) } else { fs_err::remove_file(path) }.unwrap();
}
