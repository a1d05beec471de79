//! [`argmax()`], which turns scores into an answer.

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
    fn argmax_takes_the_first_of_equals() {
        assert_eq!(argmax(&[-3.0, -0.5, -0.5, -7.0]), 1);
        assert_eq!(argmax(&[]), 0);
    }
}
