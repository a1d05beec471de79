//! Real pretrained weights on real photos against PyTorch, where the shared weights are beside the project.

use std::path::PathBuf;

use pipeline_nn::backbones::find;
use pipeline_nn::{Device, Dtype, Mode, Pool, no_grad, weights};

/// The folder of shared weights, if it is there.
fn shared_weights() -> Option<PathBuf> {
    let shared = std::env::var_os("PIPELINE_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let folder = shared.join("weights");
    if folder.join("parity.safetensors").is_file() {
        return Some(folder);
    }
    eprintln!("skipped: no parity.safetensors in {}", folder.display());
    None
}

#[test]
fn the_published_file_of_the_old_format_holds_what_its_conversion_does() {
    let file = find("efficientnet_lite0").unwrap().pretrained.file;
    let published = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../data/weights").join(file);
    if !published.is_file() {
        eprintln!("skipped: no {}; the quick start puts it there", published.display());
        return;
    }
    let Some(folder) = shared_weights() else { return };
    let found = weights::read(&published).unwrap();
    let expected = weights::read(&folder.join("efficientnet_lite0_imagenet.safetensors")).unwrap();
    assert_eq!(found.names().collect::<Vec<_>>(), expected.names().collect::<Vec<_>>());
    for name in found.names() {
        assert!(found.get(name).unwrap().equal(expected.get(name).unwrap()), "{name}");
    }
}

#[test]
fn pretrained_trunks_give_pytorchs_maps_and_logits_of_a_cat_and_a_dog() {
    crate::one_thread();
    let Some(folder) = shared_weights() else { return };
    let vectors = weights::read(&folder.join("parity.safetensors")).unwrap();
    for arch in ["resnet18", "efficientnet_lite0"] {
        let file = weights::read(&folder.join(format!("{arch}_imagenet.safetensors"))).unwrap();
        let trunk = find(arch).unwrap().load(&file, Device::Cpu).unwrap();
        let input = vectors.get(&format!("{arch}.input")).unwrap();
        let map = no_grad(|| trunk.forward(input, [Mode::Eval; 2])).unwrap();
        let expected = vectors.get(&format!("{arch}.features")).unwrap();
        assert_eq!(map.size(), expected.size(), "{arch}");
        let error = (map - expected).abs().max().double_value(&[]);
        assert!(error < 1e-3, "{arch}: largest difference {error:.1e}");

        let classifier = find(arch).unwrap().classifier(&file, Device::Cpu).unwrap().unwrap();
        let logits = classifier.forward(&Pool::Avg.of(expected).unwrap()).unwrap(); // [2, 1000]
        let expected = vectors.get(&format!("{arch}.logits")).unwrap();
        let error = (&logits - expected).abs().max().double_value(&[]);
        assert!(logits.size() == [2, 1000] && error < 1e-4, "{arch}: logits differ by {error:.1e}");
    }
}

#[test]
fn features_in_bfloat16_are_near_those_in_float32() {
    crate::one_thread();
    let Some(folder) = shared_weights() else { return };
    let vectors = weights::read(&folder.join("parity.safetensors")).unwrap();
    for (arch, bound) in [("resnet18", 0.005), ("efficientnet_lite0", 0.035)] {
        let file = weights::read(&folder.join(format!("{arch}_imagenet.safetensors"))).unwrap();
        let trunk = find(arch).unwrap().load(&file, Device::Cpu).unwrap();
        let input = vectors.get(&format!("{arch}.input")).unwrap(); // [N, 3, side, side]
        let side = input.size()[3] as u32;
        let pixels: Vec<f32> = input.flatten(0, -1).try_into().unwrap();
        let features = |dtype| trunk.folded(dtype).unwrap().features(&pixels, side).unwrap();
        let (exact, rounded) = (features(Dtype::F32), features(Dtype::Bf16));
        let norm =
            |values: &mut dyn Iterator<Item = f32>| values.map(|x| f64::from(x).powi(2)).sum::<f64>().sqrt();
        let off =
            norm(&mut exact.iter().zip(&rounded).map(|(a, b)| a - b)) / norm(&mut exact.iter().copied());
        println!("{arch}: {:.2} %", 100.0 * off);
        assert!(off > 0.0 && off < bound, "{arch}: {off}");
    }
}
