//! [`accuracy`], the share of right answers, and [`argmax`], which turns scores into an answer.

use crate::{Error, Result};

/// The share of rows whose predicted class is the actual one: 0 to 1, higher is better.
/// Both slices are `[N]`.
///
/// # Errors
/// No rows, or slices of different lengths.
pub fn accuracy(predicted: &[u32], actual: &[u32]) -> Result<f64> {
    const MEASURE: &str = "accuracy";
    if actual.is_empty() {
        return Err(Error::NoRows { measure: MEASURE });
    }
    if predicted.len() != actual.len() {
        let (found, expected) = (predicted.len(), actual.len());
        return Err(Error::Length { measure: MEASURE, what: "predictions", found, expected });
    }
    let right = predicted.iter().zip(actual).filter(|(p, a)| p == a).count();
    Ok(right as f64 / actual.len() as f64)
}

/// The class with the largest of these `[classes]` scores; the first one of equals. 0 when there is none.
pub fn argmax(scores: &[f32]) -> u32 {
    let mut best = 0;
    for (class, score) in scores.iter().enumerate() {
        if *score > scores[best] {
            best = class;
        }
    }
    best as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accuracy_is_the_share_of_right_answers() {
        // By hand: 3 of 5.
        assert_eq!(accuracy(&[0, 1, 2, 1, 0], &[0, 1, 1, 1, 2]).unwrap(), 0.6);
    }

    #[test]
    fn no_rows_or_uneven_rows_are_refused() {
        assert_eq!(accuracy(&[], &[]), Err(Error::NoRows { measure: "accuracy" }));
        let uneven = Error::Length { measure: "accuracy", what: "predictions", found: 1, expected: 2 };
        assert_eq!(accuracy(&[0], &[0, 1]), Err(uneven));
    }

    #[test]
    fn argmax_takes_the_first_of_equals() {
        assert_eq!(argmax(&[-3.0, -0.5, -0.5, -7.0]), 1);
        assert_eq!(argmax(&[]), 0);
    }
}
