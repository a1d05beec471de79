//! [`McNemar`]: whether two models differ on the same photos beyond chance.

use serde::{Deserialize, Serialize};

/// McNemar's test: photos on which one of two models is right and the other wrong, and how likely numbers at least as
/// unlike are where each such photo falls to either model by the toss of a coin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct McNemar {
    /// Photos that only the first model has right.
    pub only_first: u64,
    /// Photos that only the second model has right.
    pub only_second: u64,
    /// Two-sided p-value of the exact (binomial) test, 0 to 1; 1 where both numbers are equal.
    pub p_value: f64,
}

/// Below this p-value chance alone is an unlikely reason for a difference.
const SIGNIFICANT: f64 = 0.05;

impl McNemar {
    /// Whether the difference is more than chance would make: a p-value below 0.05.
    pub fn is_beyond_chance(&self) -> bool {
        self.p_value < SIGNIFICANT
    }

    /// The p-value for people: `p = 0.031`, `p < 0.001`.
    pub fn p_in_words(&self) -> String {
        let sign = if self.p_value < 0.001 { "" } else { "= " };
        format!("p {sign}{}", self.p_short())
    }

    /// The p-value alone: `0.031`, `< 0.001`.
    pub fn p_short(&self) -> String {
        if self.p_value < 0.001 { "< 0.001".to_owned() } else { format!("{:.3}", self.p_value) }
    }

    /// The test of these counts: `p = min(1, 2 · P(X <= min(first, second)))`, X binomial with n = first + second tosses
    /// of a fair coin, as statsmodels' `mcnemar(exact=True)`.
    ///
    /// Binomial coefficients are summed as shares of the middle one, outwards by their ratios, until they are 0 in
    /// float64. So nothing overflows, no number is a difference of large ones, and 2 million photos take 30,000 steps
    /// (about 19 · √n). A p-value below 1e-300 is 0.
    pub fn of(only_first: u64, only_second: u64) -> McNemar {
        let tosses = only_first + only_second;
        let (middle, fewer) = (tosses / 2, only_first.min(only_second));
        let mut share = 1.0; // C(n, heads) / C(n, middle)
        let (mut half, mut tail) = (0.0, 0.0); // sums of shares up to the middle, up to `fewer`
        for heads in (0..=middle).rev() {
            half += share;
            if heads <= fewer {
                tail += share;
            }
            share *= heads as f64 / (tosses - heads + 1) as f64;
            if share == 0.0 {
                break;
            }
        }
        // An even number of tosses has one middle, which belongs to both halves.
        let whole = if tosses.is_multiple_of(2) { 2.0 * half - 1.0 } else { 2.0 * half };
        McNemar { only_first, only_second, p_value: (2.0 * tail / whole).min(1.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_p_value_is_the_share_of_coin_tosses_at_least_as_uneven() {
        // By hand: of 2^5 = 32 outcomes of 5 tosses, 1 + 5 have at most one head and as many at most one tail.
        let test = McNemar::of(4, 1);
        assert!((test.p_value - 12.0 / 32.0).abs() < 1e-15, "{test:?}");
        assert_eq!((test.only_first, test.only_second), (4, 1));
    }

    #[test]
    fn below_one_in_twenty_it_is_beyond_chance_and_a_tiny_p_value_is_not_spelled_out() {
        let of = |p_value| McNemar { p_value, ..McNemar::default() };
        assert!(of(0.0499).is_beyond_chance() && !of(0.05).is_beyond_chance());
        assert_eq!(of(0.0312).p_in_words(), "p = 0.031");
        assert_eq!(of(1e-9).p_in_words(), "p < 0.001");
    }

    #[test]
    fn equal_numbers_are_no_difference_and_the_order_of_models_does_not_matter() {
        for equal in [0, 1, 7, 300_000] {
            assert_eq!(McNemar::of(equal, equal).p_value, 1.0);
        }
        assert_eq!(McNemar::of(3, 4).p_value, 1.0);
        assert_eq!(McNemar::of(31, 12).p_value, McNemar::of(12, 31).p_value);
        assert_eq!(McNemar::of(0, 2_000_000).p_value, 0.0);
    }
}
