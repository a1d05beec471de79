//! The built `pipeline` command, from the outside.
//!
//! - `beginning`: `init` and `doctor`.
//! - `drawn`: the whole path on pictures that the command draws itself.
//! - `caching`: what runs again and what does not, and that the answer is the same for `status`.
//! - `bad_input`: one clear message for each kind of wrong input, the exit code, nothing half-published.
//! - `interrupted`: Ctrl-C, SIGTERM, SIGKILL, a closed pipe, a held lock.
//! - `killed`: trainings, killed at random moments.
//! - `sharded`: workers that do parts of precompute, and precompute killed.
//! - `missing`: photos that go away and come back.
//! - `memory`: too little of it.
//! - `side_by_side`: independent stages at one time.
//! - `killed_anywhere`: the whole lesson and `gc`, killed at random moments.
//! - `full_disk`: disks that fill in any stage.
//! - `read_only`: projects and stores that cannot be written.
//! - `storing`: what is in the store: `verify`, `gc`, `runs`, `diff`, `graph`.
//! - `watching`: a run's record, shown.
//! - `reporting`: what was evaluated, shown and compared.
//! - `exporting`: models written for other programs, and the examples in Python.
//! - `features`: a table of features, looked at, and with other layers than the usual ones.
//! - `predicting`: a model asked about photos that are in no data set.
//! - `rotated`: photos that EXIF data turns and the same upright, in every stage that looks at photos, and in `predict`.
//! - `starting`: what is loaded when the command starts.
//! - `schema`: the JSON schema of configs, with a validator in Python.
//! - `submitting`: what models say of unlabelled photos, as a file for Kaggle.
//! - `serving`: a model that answers over HTTP, its page, and how it stops.
//! - `sweeping`: every combination of some parameters' values, and the table of them.
//! - `lesson`: the whole lesson: three trainings, and the learning-rate finder.
//! - `tiny_lesson`: the whole lesson in seconds, and what its runs leave; for the tests above.
//! - `photos`: on the photos beside the project, where they are.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod bad_input;
mod beginning;
mod caching;
mod drawn;
mod exporting;
mod features;
mod full_disk;
mod interrupted;
mod killed;
mod killed_anywhere;
mod lesson;
mod memory;
mod missing;
mod photos;
mod predicting;
mod read_only;
mod reporting;
mod rotated;
mod schema;
mod serving;
mod sharded;
mod side_by_side;
mod starting;
mod storing;
mod submitting;
mod sweeping;
mod tiny_lesson;
mod watching;

use pipeline_nn::{Device, backbones, weights};
use pipeline_testkit::Project;

/// A project with a small job: two classes of drawn pictures, random weights of the smallest network at a
/// small size. It learns little, in little time.
fn small_project() -> Project {
    drawn_project(["6", "4", "2"], SMALL)
}

/// A project with so many drawn pictures of each class in train and valid, and in test, random weights of the smallest
/// network, and this config as `configs/c.yaml`.
fn drawn_project([train, valid, test]: [&str; 3], config: &str) -> Project {
    let project = Project::new(env!("CARGO_BIN_EXE_pipeline"));
    let drawn = ["--seed", "3", "--train", train, "--valid", valid, "--test", test];
    project.succeed(&[["sample-data", "photos"].as_slice(), &drawn].concat());
    write_weights(&project);
    project.write("configs/c.yaml", config);
    project
}

const SMALL: &str = "\
pipeline: quick
ingest: { root: photos }
backbone: { arch: efficientnet_lite0, weights: weights.safetensors }
precompute: { size: 64 }
head: { batch_size: 8 }
";

/// Random weights of the smallest network.
fn write_weights(project: &Project) {
    let backbone = backbones::find("efficientnet_lite0").unwrap();
    let trunk = backbone.load(&backbone.random_weights(1).unwrap(), Device::Cpu).unwrap();
    let path = project.path("weights.safetensors");
    weights::write_safetensors(&path, trunk.named_tensors(), &Default::default()).unwrap();
}
