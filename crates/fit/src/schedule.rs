//! [`Schedule`]: the learning rate as a closed formula of the global step, so that a run continues
//! from any step to the same rates. To add a schedule: a variant and its formula in [`Schedule::factor`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the learning rate moves during one fit. All layer groups are scaled together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// The given rate at every step, as the lesson's `fit(lr, n)`.
    #[default]
    Constant,
}

impl Schedule {
    /// What the given rates are multiplied with at the global `step` (0 is the first of the fit).
    pub fn factor(&self, _step: u64) -> f64 {
        match self {
            Schedule::Constant => 1.0,
        }
    }

    /// The rate of each layer group at the global `step`: `[groups]`, as `base`.
    pub fn rates(&self, base: &[f64], step: u64) -> Vec<f64> {
        let factor = self.factor(step);
        base.iter().map(|rate| rate * factor).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_schedule_leaves_each_group_its_rate() {
        for step in [0, 1, 719, u64::MAX] {
            assert_eq!(Schedule::Constant.rates(&[1e-4, 1e-3, 1e-2], step), [1e-4, 1e-3, 1e-2]);
        }
    }

    #[test]
    fn schedules_are_written_in_snake_case() {
        assert_eq!(serde_json::to_string(&Schedule::Constant).unwrap(), r#""constant""#);
    }
}
