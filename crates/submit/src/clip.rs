//! [`clip`]: how sure an answer may be at most. Log loss punishes a wrong answer the more the surer it is, without an end.

/// Raises every probability to at least `clip / (classes - 1)` and takes that from the others, in proportion, so that none is
/// above `1 - clip` and they sum to 1 as before. Of two classes each is then from `clip` to `1 - clip`, as
/// `numpy.clip(p, clip, 1 - clip)` has it. `probs` are of at least two classes, `clip` is 0 to 0.5.
pub fn clip(probs: &mut [f64], clip: f64) {
    let floor = clip / (probs.len() as f64 - 1.0);
    let mut is_raised = vec![false; probs.len()];
    // What gives may come to lie below itself; each round raises one more or is the last.
    loop {
        let mut has_changed = false;
        for (prob, is_raised) in probs.iter_mut().zip(&mut is_raised) {
            if !*is_raised && *prob < floor {
                (*prob, *is_raised, has_changed) = (floor, true, true);
            }
        }
        let raised = is_raised.iter().filter(|is_raised| **is_raised).count();
        if !has_changed || raised == probs.len() {
            return;
        }
        let others = || is_raised.iter().enumerate().filter(|(_, is_raised)| !**is_raised).map(|(i, _)| i);
        let sum: f64 = others().map(|i| probs[i]).sum();
        let scale = (1.0 - raised as f64 * floor) / sum;
        let others: Vec<usize> = others().collect();
        for i in others {
            probs[i] *= scale;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clipped(probs: &[f64], bound: f64) -> Vec<f64> {
        let mut probs = probs.to_vec();
        clip(&mut probs, bound);
        probs
    }

    fn assert_near(found: &[f64], expected: &[f64]) {
        let is_near =
            found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12);
        assert!(is_near, "{found:?} is not {expected:?}");
    }

    #[test]
    fn of_two_classes_each_is_from_the_bound_to_one_less_the_bound() {
        // numpy.clip([0.001, 0.5, 0.03, 1.0], 0.02, 0.98)
        for (p, expected) in [(0.001, 0.02), (0.5, 0.5), (0.03, 0.03), (1.0, 0.98)] {
            assert_near(&clipped(&[p, 1.0 - p], 0.02), &[expected, 1.0 - expected]);
        }
    }

    #[test]
    fn of_more_classes_none_is_surer_than_one_less_the_bound_and_the_sum_stays() {
        // By hand, the floor is 0.06 / 3 = 0.02: two are raised to it, the others share 0.96 as 9 to 1.
        let found = clipped(&[0.9, 0.1, 0.0, 0.0], 0.06);
        assert_near(&found, &[0.864, 0.096, 0.02, 0.02]);
        // All but one are raised: it keeps 1 - 0.06.
        assert_near(&clipped(&[0.0, 1.0, 0.0, 0.0], 0.06), &[0.02, 0.94, 0.02, 0.02]);
        // The second is above the floor until it gives: 0.201 of [0.799, 0.201, 0] at 0.4 becomes 0.1608, and is raised to 0.2.
        assert_near(&clipped(&[0.799, 0.201, 0.0], 0.4), &[0.6, 0.2, 0.2]);
    }

    #[test]
    fn a_bound_of_zero_changes_nothing() {
        assert_eq!(clipped(&[0.0, 0.25, 0.75], 0.0), [0.0, 0.25, 0.75]);
    }
}
