//! Classes of unlike size: [`class_weights`] makes rare classes count more in the loss, [`draw_balanced`] shows their
//! photos more often.

use pipeline_stage::random::{Random, below};

use crate::{Error, Result};

/// The weight of each class in the loss, `[classes]`, from how many photos it has: photos / (classes with photos ·
/// count), scikit-learn's `class_weight="balanced"`. A class without photos has weight 0 and does not count as a
/// class, so that the mean weight over the photos is 1.
pub fn class_weights(counts: &[u64]) -> Vec<f64> {
    let photos = counts.iter().map(|count| *count as f64).sum::<f64>();
    let classes = counts.iter().filter(|count| **count > 0).count() as f64;
    let weight = |count: &u64| if *count == 0 { 0.0 } else { photos / (classes * *count as f64) };
    counts.iter().map(weight).collect()
}

/// The rows of one epoch, `[N]` for `labels` of `[N]`: each is drawn by itself and put back, first a class, each
/// class that has rows alike, then one of its rows, each alike. It serves as torch's `WeightedRandomSampler` with
/// weights 1 / (rows of the class). A function of the labels and the generator only.
///
/// # Errors
/// A label that is not below `classes`.
pub fn draw_balanced(labels: &[u32], classes: usize, random: &mut Random) -> Result<Vec<usize>> {
    let mut rows_of: Vec<Vec<usize>> = vec![vec![]; classes];
    for (row, &label) in labels.iter().enumerate() {
        let unknown = Error::Class { measure: "a balanced order", found: label, classes };
        rows_of.get_mut(label as usize).ok_or(unknown)?.push(row);
    }
    rows_of.retain(|rows| !rows.is_empty());
    let mut draw = || {
        let rows = &rows_of[below(rows_of.len() as u64, random) as usize];
        rows[below(rows.len() as u64, random) as usize]
    };
    Ok(labels.iter().map(|_| draw()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipeline_stage::random::Stream;

    /// ```python
    /// y = np.repeat([0, 1, 3], [7, 2, 30])
    /// compute_class_weight("balanced", classes=np.unique(y), y=y)
    /// ```
    #[test]
    fn balanced_weights_are_those_of_scikit_learn_and_0_without_photos() {
        assert_eq!(class_weights(&[7, 2, 0, 30]), [1.8571428571428572, 6.5, 0.0, 0.43333333333333335]);
        assert_eq!(class_weights(&[0, 0]), [0.0, 0.0]);
        assert!(class_weights(&[]).is_empty());
    }

    fn order(epoch: u64) -> Random {
        Stream { seed: 7, purpose: "order", epoch, ..Stream::default() }.start()
    }

    #[test]
    fn classes_come_up_alike_and_so_do_the_rows_of_a_class() {
        // 30,000 rows of class 0, 5 of class 2, 1 of class 3, none of class 1.
        let mut labels = vec![0; 30_000];
        labels.extend([2, 2, 2, 2, 2, 3]);
        let rows = draw_balanced(&labels, 4, &mut order(0)).unwrap();
        assert_eq!(rows.len(), 30_006);
        let count =
            |wanted: std::ops::Range<usize>| rows.iter().filter(|row| wanted.contains(row)).count() as f64;
        let chi_squared = |counts: &[f64], expected: f64| {
            counts.iter().map(|count| (count - expected).powi(2) / expected).sum::<f64>()
        };
        // Chi-squared with 2 and with 4 degrees of freedom stays under 13.82 and 18.47 with probability .999.
        let classes = [count(0..30_000), count(30_000..30_005), count(30_005..30_006)];
        let of_classes = chi_squared(&classes, 10_002.0);
        assert!(of_classes < 13.82, "{of_classes}: {classes:?}");
        let rows_of_2: Vec<f64> = (30_000..30_005).map(|row| count(row..row + 1)).collect();
        let of_rows = chi_squared(&rows_of_2, classes[1] / 5.0);
        assert!(of_rows < 18.47, "{of_rows}: {rows_of_2:?}");
    }

    #[test]
    fn an_epoch_is_a_function_of_the_labels_and_the_stream() {
        let labels: Vec<u32> = (0..97).map(|row| u32::from(row % 7 == 0)).collect();
        let draw = |epoch| draw_balanced(&labels, 2, &mut order(epoch)).unwrap();
        assert_eq!(draw(0), draw(0));
        assert_ne!(draw(0), draw(1));
        assert!(draw_balanced(&[], 2, &mut order(0)).unwrap().is_empty());
    }

    #[test]
    fn a_class_that_does_not_exist_is_refused() {
        let error = draw_balanced(&[0, 2], 2, &mut order(0)).unwrap_err();
        let text = "cannot compute a balanced order: found class 2, expected a class below 2";
        assert_eq!(error.to_string(), text);
    }
}
