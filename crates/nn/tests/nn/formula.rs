//! Weights and inputs as a formula of (name, index): the Rust half of what `make_fixtures.py` describes.

use std::collections::BTreeMap;

use pipeline_nn::{Tensor, Weights};

/// The tensor of this name and shape.
pub(crate) fn tensor(name: &str, shape: &[i64]) -> Tensor {
    let fnv = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let seed = name.bytes().fold(0xcbf2_9ce4_8422_2325, fnv);
    let fan_in: i64 = shape.iter().skip(1).product();
    let ends_branch = name.ends_with(".bn2.weight") || name.ends_with(".bn3.weight");
    // value = v * scale + (u * spread + start) * factor
    let [scale, spread, start, factor] = match name.rsplit('.').next() {
        Some("weight") if shape.len() >= 2 => [(3.0 / fan_in as f64).sqrt(), 0.0, 0.0, 0.0],
        Some("weight") => [0.0, 0.5, 0.75, if ends_branch { 0.2 } else { 1.0 }],
        Some("running_var") => [0.0, 1.0, 0.5, 1.0],
        Some("running_mean" | "bias") => [0.1, 0.0, 0.0, 0.0],
        _ => [1.0, 0.0, 0.0, 0.0],
    };
    let value = |index: u64| {
        let x = mix(seed.wrapping_add((index + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        let u = (x >> 40) as f64 / f64::from(1 << 24);
        ((2.0 * u - 1.0) * scale + (u * spread + start) * factor) as f32
    };
    let values: Vec<f32> = (0..shape.iter().product::<i64>() as u64).map(value).collect();
    Tensor::from_slice(&values).reshape(shape)
}

/// The weights with these names and shapes.
pub(crate) fn weights(shapes: Vec<(String, Vec<i64>)>) -> Weights {
    let tensors: BTreeMap<_, _> =
        shapes.into_iter().map(|(name, shape)| (name.clone(), tensor(&name, &shape))).collect();
    Weights::new("the formula", tensors)
}

/// splitmix64's output function.
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
