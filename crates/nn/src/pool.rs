//! [`Pool`]: from the trunk's map to one feature vector per photo.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::{TchError, Tensor};

use crate::error::Error;
use crate::graph::{Operation, Wire};

/// How a map `[N, C, h, w]` becomes features `[N, D]`. The averages come last in either.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pool {
    /// Maximum, then average, over all places of the map, as in the lesson: D = 2 C; `[.., c]` is the maximum of channel `c`
    /// and `[.., C + c]` its average.
    #[default]
    MaxAvg,
    /// The average alone, as a classifier of ImageNet has it: D = C.
    Avg,
}

impl Pool {
    /// As in YAML and in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Pool::MaxAvg => "max_avg",
            Pool::Avg => "avg",
        }
    }

    /// Width D of the features of a map with so many channels C.
    pub fn width(self, channels: usize) -> usize {
        match self {
            Pool::MaxAvg => 2 * channels,
            Pool::Avg => channels,
        }
    }

    /// Whether it is the lesson's, which records do not name.
    pub fn is_usual(&self) -> bool {
        *self == Pool::MaxAvg
    }

    /// The features `[N, D]` of a map `[N, C, h, w]`.
    ///
    /// # Errors
    /// [`Error::WrongInput`] when `map` is not of four dimensions.
    pub fn of(self, map: &Tensor) -> Result<Tensor, Error> {
        if map.dim() != 4 {
            return Err(Error::WrongInput {
                network: match self {
                    Pool::MaxAvg => "concatenated pooling",
                    Pool::Avg => "average pooling",
                },
                found: map.size(),
                expected: "[N, C, h, w]".to_owned(),
            });
        }
        self.pooled(map).map_err(Error::torch("pool"))
    }

    /// The same as steps of a graph.
    pub(crate) fn draw(self, map: Wire<'_>) -> Wire<'_> {
        match self {
            Pool::MaxAvg => map
                .then(Operation::GlobalMax)
                .then_with(Operation::Concatenate, map.then(Operation::GlobalAverage)),
            Pool::Avg => map.then(Operation::GlobalAverage),
        }
    }

    fn pooled(self, map: &Tensor) -> Result<Tensor, TchError> {
        let mean = map.f_adaptive_avg_pool2d([1, 1])?; // [N, C, 1, 1]
        if self == Pool::Avg {
            return mean.f_flatten(1, -1); // [N, C]
        }
        // Adaptive pooling, not `amax`: where several places tie, the gradient goes to one of them, as in PyTorch's layer.
        let (max, _) = map.f_adaptive_max_pool2d([1, 1])?; // [N, C, 1, 1]
        Tensor::f_cat(&[max, mean], 1)?.f_flatten(1, -1) // [N, 2 C]
    }
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maxima_come_before_averages_and_averages_are_there_alone() {
        // Two photos, two channels, maps of 1 by 3.
        let map = Tensor::from_slice(&[0f32, 1.0, 5.0, -3.0, -2.0, -1.0, 4.0, 4.0, 4.0, 0.0, 0.0, 9.0])
            .reshape([2, 2, 1, 3]);
        let of = |pool: Pool| {
            let features = pool.of(&map).unwrap();
            assert_eq!(features.size(), [2, pool.width(2) as i64]);
            Vec::<f32>::try_from(features.flatten(0, -1)).unwrap()
        };
        assert_eq!(of(Pool::MaxAvg), [5.0, -1.0, 2.0, -2.0, 4.0, 9.0, 4.0, 3.0]);
        assert_eq!(of(Pool::Avg), [2.0, -2.0, 4.0, 3.0]);
    }

    #[test]
    fn a_batch_without_places_is_an_error() {
        let error = |pool: Pool| pool.of(&Tensor::from_slice(&[1f32, 2.0])).unwrap_err().to_string();
        assert_eq!(
            error(Pool::MaxAvg),
            "cannot run concatenated pooling on a batch of shape [2], expected [N, C, h, w]"
        );
        assert_eq!(
            error(Pool::Avg),
            "cannot run average pooling on a batch of shape [2], expected [N, C, h, w]"
        );
    }

    #[test]
    fn names_are_those_of_yaml() {
        for pool in [Pool::MaxAvg, Pool::Avg] {
            assert_eq!(serde_json::to_value(pool).unwrap(), pool.as_str());
        }
    }
}
