//! [`grad_cam`]: which part of a photo an answer rests on; [`heated`]: the same as a picture.

use pipeline_photo::{Preprocessing, Resizer, RgbImage, heat};
use tch::{Device, Kind, TchError, Tensor, no_grad, with_grad};

use crate::batch_norm::Mode;
use crate::dtype::Dtype;
use crate::error::Error;
use crate::head::Head;
use crate::trunk::Trunk;

/// Grad-CAM (Selvaraju et al. 2017, "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization") of
/// the trunk's last map, for the score (before the softmax) of the class `classes[n]` of each view:
///
/// ```text
/// a[c] = mean over places of d score / d map[c];   cam = relu(sum_c a[c] * map[c]), divided by its largest value
/// ```
///
/// `pixels_nchw`: `[N, 3, side, side]`, normalised; the result: `[N, h, w]`, row-major, 0 to 1 (all 0 where nothing speaks
/// for the class), with h and w. In eval mode, in float32; no weight changes and no gradient is left behind.
///
/// # Errors
/// [`Error::WrongInput`], [`Error::Torch`].
pub fn grad_cam(
    trunk: &Trunk,
    head: &Head,
    pixels_nchw: &[f32],
    side: u32,
    classes: &[u32],
) -> Result<(Vec<f32>, [usize; 2]), Error> {
    let side = i64::from(side);
    let shape = [pixels_nchw.len() as i64 / (3 * side * side).max(1), 3, side, side];
    let known = head.sizes().classes;
    if classes.len() as i64 != shape[0] || classes.iter().any(|class| *class as usize >= known) {
        return Err(Error::WrongInput {
            network: "Grad-CAM",
            found: shape.to_vec(),
            expected: format!("a class below {known} for each view, found {classes:?}"),
        });
    }
    let x = || Tensor::f_from_slice(pixels_nchw)?.f_view(shape)?.f_to_device(trunk.device());
    let x = x().map_err(Error::torch("put a batch together"))?; // [N, 3, side, side]
    let trunk = trunk.share()?.with_dtype(Dtype::F32);
    let map = no_grad(|| trunk.forward(&x, [Mode::Eval, Mode::Eval]))?; // [N, C, h, w]
    // Only the way from the map to the score is recorded, and gradients are asked for the map alone: those of the
    // parameters are never computed.
    let cam = with_grad(|| {
        let map = map.f_set_requires_grad(true).map_err(Error::torch("record the way from a map"))?;
        let scores = head.logits(&trunk.pool().of(&map)?)?; // [N, classes]
        of_scores(&map, &scores, classes).map_err(Error::torch("compute Grad-CAM"))
    })?; // [N, h, w]
    let numbers = || Vec::try_from(&cam.f_to_device(Device::Cpu)?.f_contiguous()?.f_view(-1)?);
    let size = [map.size()[2], map.size()[3]].map(|side| side as usize);
    Ok((numbers().map_err(Error::torch("read Grad-CAM"))?, size))
}

/// What a model sees of a photo, `[size, size, 3]`, and the same with the [heat](heat::over) of [`grad_cam`] for `class` over it.
///
/// # Errors
/// Those of [`grad_cam`].
pub fn heated(
    (trunk, head): (&Trunk, &Head),
    preprocessing: &Preprocessing,
    photo: &RgbImage,
    class: u32,
    resizer: &mut Resizer,
) -> Result<[RgbImage; 2], Error> {
    let view = preprocessing.crop(photo, resizer);
    let mut pixels_nchw = vec![0.0; view.as_raw().len()];
    preprocessing.normalise_chw(&view, &mut pixels_nchw);
    let (cam, size) = grad_cam(trunk, head, &pixels_nchw, preprocessing.size, &[class])?;
    let heated = heat::over(&view, &cam, size);
    Ok([view, heated])
}

/// `map`: `[N, C, h, w]`, which the `scores`, `[N, classes]`, were computed from; to `[N, h, w]`.
fn of_scores(map: &Tensor, scores: &Tensor, classes: &[u32]) -> Result<Tensor, TchError> {
    let classes: Vec<i64> = classes.iter().map(|class| i64::from(*class)).collect();
    let classes = Tensor::f_from_slice(&classes)?.f_view([-1, 1])?.f_to_device(map.device())?;
    // In eval mode no view's score depends on another view, so their sum has the gradients of each.
    let score = scores.f_gather(1, &classes, false)?.f_sum(Kind::Float)?;
    let gradients = Tensor::f_run_backward(&[score], &[map], false, false)?;
    no_grad(|| {
        let weights = gradients[0].f_mean_dim([2i64, 3].as_slice(), true, Kind::Float)?; // [N, C, 1, 1]
        let cam = weights.f_mul(map)?.f_sum_dim_intlist(1i64, false, Kind::Float)?.f_relu()?; // [N, h, w]
        let largest = cam.f_amax([1, 2], true)?; // [N, 1, 1]
        // Where all is 0, so is the quotient by the smallest number.
        cam.f_div(&largest.f_clamp_min(f64::from(f32::MIN_POSITIVE))?)
    })
}
