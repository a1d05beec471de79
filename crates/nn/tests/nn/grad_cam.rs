//! Grad-CAM against PyTorch, and what it leaves alone.

use pipeline_nn::backbones::find;
use pipeline_nn::{Device, Dtype, Head, Sizes, Tensor, Trunk, grad_cam, no_grad};

use crate::head::formula_head;
use crate::{assert_close, formula, read_fixture};

const SIZES: Sizes = Sizes { features: 1024, hidden: 9, classes: 3 };
const SIDE: u32 = 160;

fn trunk() -> Trunk {
    let backbone = find("resnet18").unwrap();
    backbone.load(&formula::weights(backbone.tensors().unwrap()), Device::Cpu).unwrap()
}

/// Two views.
fn pixels() -> Vec<f32> {
    Vec::try_from((formula::tensor("input", &[2, 3, SIDE.into(), SIDE.into()]) * 10.0).view(-1)).unwrap()
}

fn cam(trunk: &Trunk, head: &Head, classes: [u32; 2]) -> Tensor {
    let (cam, [height, width]) = grad_cam(trunk, head, &pixels(), SIDE, &classes).unwrap();
    Tensor::from_slice(&cam).view([2, height as i64, width as i64])
}

#[test]
fn grad_cam_is_pytorchs_for_the_class_of_each_view_and_in_float32_whatever_the_trunk_computes_in() {
    crate::one_thread();
    let expected = read_fixture("grad_cam.safetensors");
    let expected = expected.get("cam").unwrap();
    let head = formula_head(SIZES);
    assert_close("float32", &cam(&trunk(), &head, [2, 1]), expected, 1e-4);
    assert_close("bfloat16", &cam(&trunk().with_dtype(Dtype::Bf16), &head, [2, 1]), expected, 1e-4);
    let of_others = cam(&trunk(), &head, [1, 2]);
    assert!((of_others - expected).abs().max().double_value(&[]) > 0.1, "the class makes no difference");
}

#[test]
fn grad_cam_works_in_a_thread_inside_no_grad_and_leaves_no_gradient_and_no_change() {
    crate::one_thread();
    let (trunk, head) = (trunk(), formula_head(SIZES));
    trunk.set_trained(1, true).unwrap();
    let first = cam(&trunk, &head, [2, 1]);
    let (trunk, head, second) = std::thread::spawn(|| {
        crate::one_thread();
        let second = no_grad(|| cam(&trunk, &head, [2, 1]));
        (trunk, head, second)
    })
    .join()
    .unwrap();
    assert_eq!(first, second);
    let of_trunk = trunk.named_tensors().iter().map(|(name, tensor)| (name.clone(), tensor.shallow_clone()));
    for (name, tensor) in of_trunk.chain(head.named_parameters()) {
        assert!(!tensor.grad().defined(), "{name} has a gradient");
        assert_eq!(tensor.detach(), formula::tensor(&name, &tensor.size()), "{name}");
    }
}

#[test]
fn a_class_that_nothing_speaks_for_has_no_heat() {
    crate::one_thread();
    let head = formula_head(SIZES);
    // Its last layer scores every photo alike, so that no gradient comes back.
    let _ = no_grad(|| head.named_parameters()[6].1.zero_());
    assert_eq!(head.named_parameters()[6].0, "linear2.weight");
    assert_eq!(cam(&trunk(), &head, [2, 1]).abs().max().double_value(&[]), 0.0);
}

#[test]
fn views_without_a_class_and_unknown_classes_are_refused() {
    crate::one_thread();
    let (trunk, head) = (trunk(), formula_head(SIZES));
    for classes in [&[0_u32][..], &[0, 3]] {
        let message = grad_cam(&trunk, &head, &pixels(), SIDE, classes).unwrap_err().to_string();
        assert_eq!(
            message,
            format!(
                "cannot run Grad-CAM on a batch of shape [2, 3, 160, 160], expected a class below 3 for each view, found {classes:?}"
            )
        );
    }
}
