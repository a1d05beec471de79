//! Files for torchvision, in torchvision.

use pipeline_export::{Error, Format, Precision, Provenance, export};
use pipeline_nn::{Pool, backbones};

use crate::model::{self, Cases};
use crate::python;

#[test]
fn torchvisions_networks_load_the_file_and_give_the_same_probabilities() {
    let Some(python) = python::torch_python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut arguments = vec![];
    let known = backbones::BACKBONES.iter().filter(|backbone| backbone.is_torchvision);
    let every = known.map(|backbone| (backbone.arch, Pool::MaxAvg));
    for (arch, pool) in every.chain([("resnet18", Pool::Avg)]) {
        let at = dir.path().join(format!("{arch}.{}", pool.as_str()));
        let folder = model::random(&at, arch, pool, 64);
        let to = at.with_extension(format!("{}.safetensors", pool.as_str()));
        let provenance = Provenance::default();
        export(&folder, &provenance, Format::Torchvision, Precision::F32, &to, false).unwrap();
        let mut cases = Cases::new(&at, "pixels", 1e-4);
        cases.add_pixels(&folder, &model::pixels(3, 64));
        arguments.extend([to, cases.write()]);
    }
    eprintln!("{}", python::run(&python, "tests/interop/torchvision_model.py", &arguments));
}

#[test]
fn the_example_for_torchvision_predicts_a_photo_as_the_model_does() {
    let Some(python) = python::torch_python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let folder = model::random(&dir.path().join("model"), "resnet18", Pool::MaxAvg, 64);
    let (to, file) = (dir.path().join("m.safetensors"), dir.path().join("photo.png"));
    export(&folder, &Provenance::default(), Format::Torchvision, Precision::F16, &to, false).unwrap();
    let photo = model::photo(211, 130);
    photo.save(&file).unwrap();
    let (_, log_probs) = model::answers(&folder, &model::prepared(&folder, &photo));
    let probabilities = Vec::<f32>::try_from(log_probs.exp().view(-1)).unwrap();
    let said = python::run(&python, "examples/load_in_torchvision.py", &[to, file.clone()]);
    let rest = said.trim_end().strip_prefix(&format!("{}: ", file.display())).unwrap();
    let (class, probability) = rest.rsplit_once(' ').unwrap();
    let index = model::CLASSES.iter().position(|known| *known == class).unwrap();
    // Weights in half precision, pixels to a level.
    let found: f32 = probability.parse().unwrap();
    assert!((found - probabilities[index]).abs() < 0.01, "{said}, here {probabilities:?}");
}

#[test]
fn a_network_that_torchvision_does_not_have_is_refused_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let folder = model::random(&dir.path().join("model"), "efficientnet_lite0", Pool::Avg, 64);
    let to = dir.path().join("model.safetensors");
    let error = export(&folder, &Provenance::default(), Format::Torchvision, Precision::F32, &to, false);
    assert!(matches!(error, Err(Error::NotTorchvision { .. })), "{error:?}");
    assert_eq!(fs_err::read_dir(dir.path()).unwrap().count(), 1);
}
