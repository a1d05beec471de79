//! [`log_mean()`]: what several views of a photo say together.

/// `ln(mean over views of exp(x))` of each class: `[views, classes]`, at least one view, to `[classes]`.
///
/// Each sum is of `exp(x - max)`, times `exp(max)`: a class that is very unlikely in all views keeps its logarithm, where
/// its probability would be 0 in float32.
pub fn log_mean(views: &[f32], classes: usize) -> Vec<f32> {
    let count = (views.len() / classes) as f64;
    let of_class = |class: usize| {
        let values = || views.iter().skip(class).step_by(classes).map(|x| f64::from(*x));
        let max = values().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = values().map(|x| (x - max).exp()).sum();
        (max + (sum / count).ln()) as f32
    };
    (0..classes).map(of_class).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_of_probabilities_and_not_of_their_logarithms() {
        // By hand: (.5, .1, .4) and (.1, .7, .2) have the means (.3, .4, .3); the means of the logarithms would put the
        // first class below the third: (.224, .265, .283).
        let views = [0.5_f32, 0.1, 0.4, 0.1, 0.7, 0.2].map(f32::ln);
        for (found, expected) in log_mean(&views, 3).into_iter().zip([0.3_f32, 0.4, 0.3]) {
            assert!((found.exp() - expected).abs() < 1e-6, "{} {expected}", found.exp());
        }
    }

    #[test]
    fn a_class_of_probability_zero_in_float32_keeps_a_finite_logarithm() {
        // By hand: ln((e^-200 + e^-300) / 2) = -200 - ln 2, as e^-100 is lost in float64 beside 1.
        assert_eq!(log_mean(&[0.0, -200.0, 0.0, -300.0], 2), [0.0, -200.0 - std::f32::consts::LN_2]);
    }
}
