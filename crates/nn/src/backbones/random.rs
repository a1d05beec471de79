//! Weights drawn at random, for measurements and tests that need a network and not what it knows.

use std::collections::BTreeMap;

use pipeline_stage::random::Stream;
use rand_core::RngCore;
use tch::Tensor;

use super::Backbone;
use crate::error::Error;
use crate::weights::Weights;

impl Backbone {
    /// Weights of this architecture that depend on the seed and the tensors' names alone, scaled so that
    /// features neither vanish nor explode: convolutions uniform with variance 2 / fan in (Kaiming's), batch
    /// norms near the identity.
    ///
    /// # Errors
    /// [`Error::Torch`] when libtorch refuses.
    pub fn random_weights(&self, seed: u64) -> Result<Weights, Error> {
        let mut tensors = BTreeMap::new();
        for (name, shape) in self.tensors()? {
            let mut random =
                Stream { seed, purpose: "random weights", item: &name, ..Stream::default() }.start();
            let mut uniform = || random.next_u32() as f32 / u32::MAX as f32 * 2.0 - 1.0; // variance 1/3
            let len: i64 = shape.iter().product();
            let shift = name.ends_with("bias") || name.ends_with("running_mean");
            let values: Vec<f32> = match shape.as_slice() {
                [_] if shift => (0..len).map(|_| 0.1 * uniform()).collect(),
                [_] => (0..len).map(|_| 1.0 + 0.1 * uniform()).collect(),
                _ => {
                    let fan_in: i64 = shape.iter().skip(1).product();
                    let scale = (6.0 / fan_in.max(1) as f32).sqrt();
                    (0..len).map(|_| scale * uniform()).collect()
                }
            };
            let tensor =
                Tensor::from_slice(&values).f_view(&shape[..]).map_err(Error::torch("lay out weights"))?;
            tensors.insert(name, tensor);
        }
        Ok(Weights::new(format!("random weights of {}, seed {seed}", self.arch), tensors))
    }
}

#[cfg(test)]
mod tests {
    use crate::backbones::find;

    #[test]
    fn the_same_seed_gives_the_same_weights_and_another_seed_gives_others() {
        let first = |seed| {
            let weights = find("efficientnet_lite0").unwrap().random_weights(seed).unwrap();
            weights.get("_conv_stem.weight").unwrap().double_value(&[0, 0, 0, 0])
        };
        assert_eq!(first(1), first(1));
        assert_ne!(first(1), first(2));
    }
}
