//! Losses and their gradients against PyTorch's `CrossEntropyLoss` on the same logits.

use pipeline_nn::{Kind, LossOptions, Tensor, nll, nll_mixed};

use crate::{assert_close, formula, read_fixture};

#[test]
fn each_loss_and_its_gradient_is_pytorchs() {
    crate::one_thread();
    let expected = read_fixture("losses.safetensors");
    let weights = || Some(Tensor::from_slice(&[0.5f32, 2.0, 1.25]));
    let labels = Tensor::from_slice(&[2i64, 0, 1, 1, 0]);
    let partners = Tensor::from_slice(&[0i64, 0, 2, 1, 1]);
    for (name, options) in [
        ("plain", LossOptions::default()),
        ("smoothed", LossOptions { label_smoothing: 0.1, class_weights: None }),
        ("weighted", LossOptions { label_smoothing: 0.0, class_weights: weights() }),
        ("both", LossOptions { label_smoothing: 0.1, class_weights: weights() }),
    ] {
        for mixed in [false, true] {
            let logits = (formula::tensor("logits", &[5, 3]) * 3.0).set_requires_grad(true);
            let log_probs = logits.log_softmax(1, Kind::Float);
            let loss = match mixed {
                false => nll(&log_probs, &labels, &options),
                true => nll_mixed(&log_probs, &labels, &partners, 0.3, &options),
            }
            .unwrap();
            loss.backward();
            let key = if mixed { format!("{name}.mixed") } else { name.to_owned() };
            let get = |part: &str| expected.get(&format!("{key}.{part}")).unwrap();
            assert_close(&key, &loss.detach(), get("loss"), 1e-5);
            assert_close(&format!("{key} gradient"), &logits.grad(), get("gradient"), 1e-5);
        }
    }
}
