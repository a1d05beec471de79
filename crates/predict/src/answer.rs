//! [`Answer`]: what a model says of a photo.

use pipeline_fit::argmax;
use pipeline_photo::Rejected;

/// What a model says of a photo; why there is nothing to say where it is none that can be decoded.
pub type Answer = Result<Prediction, Rejected>;

/// What a model says of a photo.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// Log-probability of each class, of the mean of the probabilities where there are several views: `[classes]`, finite.
    pub log_probs: Vec<f32>,
    /// Pooled features of the first view that was looked at, which is the plain one but for `five_crop` and `ten_crop`: `[D]`.
    pub features: Vec<f32>,
}

impl Prediction {
    /// Probability of each class, 0 to 1: `[classes]`.
    pub fn probs(&self) -> Vec<f32> {
        self.log_probs.iter().map(|log_prob| log_prob.exp()).collect()
    }
}

/// The number of the most probable class, the first of equals, and its probability. `probs` is not empty.
pub fn best(probs: &[f32]) -> (u32, f32) {
    let class = argmax(probs);
    (class, probs[class as usize])
}

/// Numbers of the `count` most probable classes (or of all, where there are fewer), the most probable first; of equals the
/// lower number first, so that the first is that of [`best`].
pub fn top(probs: &[f32], count: usize) -> Vec<u32> {
    let mut classes: Vec<u32> = (0..probs.len() as u32).collect();
    let descending = |a: &u32, b: &u32| probs[*b as usize].total_cmp(&probs[*a as usize]);
    classes.sort_by(descending);
    classes.truncate(count);
    classes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_probable_come_first_and_of_equals_the_lower_number() {
        let probs = [0.1, 0.3, 0.2, 0.3, 0.1];
        assert_eq!(top(&probs, 4), [1, 3, 2, 0]);
        assert_eq!(top(&probs, 9), [1, 3, 2, 0, 4]);
        assert_eq!(best(&probs), (1, 0.3));
    }

    #[test]
    fn probabilities_are_those_of_the_logarithms() {
        // By hand: ln 0.25 = -1.3862944, ln 0.75 = -0.2876821.
        let prediction = Prediction { log_probs: vec![-1.386_294_4, -0.287_682_1], features: vec![] };
        let probs = prediction.probs();
        assert!((probs[0] - 0.25).abs() < 1e-6 && (probs[1] - 0.75).abs() < 1e-6, "{probs:?}");
    }
}
