//! Concatenated pooling: from the trunk's map to one feature vector per photo.

use tch::{TchError, Tensor};

use crate::error::Error;

/// Maximum, then average, over all places of the map: `[N, C, h, w]` to `[N, 2 C]`.
///
/// **Maximum comes before average**, as in the lesson; `[.., c]` is the maximum of channel `c` and
/// `[.., C + c]` its average.
///
/// # Errors
/// [`Error::WrongInput`] when `map` is not of four dimensions.
pub fn concat_pool(map: &Tensor) -> Result<Tensor, Error> {
    if map.dim() != 4 {
        return Err(Error::WrongInput {
            network: "concatenated pooling",
            found: map.size(),
            expected: "[N, C, h, w]".to_owned(),
        });
    }
    pool(map).map_err(Error::torch("pool"))
}

fn pool(map: &Tensor) -> Result<Tensor, TchError> {
    // Adaptive pooling, not `amax`: where several places tie, the gradient goes to one of them, as in PyTorch's layer.
    let (max, _) = map.f_adaptive_max_pool2d([1, 1])?; // [N, C, 1, 1]
    let mean = map.f_adaptive_avg_pool2d([1, 1])?; // [N, C, 1, 1]
    Tensor::f_cat(&[max, mean], 1)?.f_flatten(1, -1) // [N, 2 C]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maxima_come_before_averages() {
        // Two photos, two channels, maps of 1 by 3.
        let map = Tensor::from_slice(&[0f32, 1.0, 5.0, -3.0, -2.0, -1.0, 4.0, 4.0, 4.0, 0.0, 0.0, 9.0])
            .reshape([2, 2, 1, 3]);
        let features = concat_pool(&map).unwrap();
        assert_eq!(features.size(), [2, 4]);
        let numbers: Vec<f32> = features.flatten(0, -1).try_into().unwrap();
        assert_eq!(numbers, [5.0, -1.0, 2.0, -2.0, 4.0, 9.0, 4.0, 3.0]);
    }

    #[test]
    fn a_batch_without_places_is_an_error() {
        let error = concat_pool(&Tensor::from_slice(&[1f32, 2.0])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot run concatenated pooling on a batch of shape [2], expected [N, C, h, w]"
        );
    }
}
