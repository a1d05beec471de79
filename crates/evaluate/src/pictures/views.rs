//! [`of`]: the views of one photo that were averaged, each with its vote.

use pipeline_report::evaluation::ViewSheet;
use pipeline_stage::Failure;
use pipeline_table::ImageRow;

use crate::answers::Said;
use crate::lane::Augmented;
use crate::model::Model;
use crate::pictures::camera::Camera;
use crate::pictures::choice::predicted;

/// The views of the photo at the place `photo`, whose row is `row`; `None` where it cannot be had. Votes are computed in float32,
/// and may be off in the last digits from an evaluation in bfloat16.
pub(super) fn of(
    said: &Said,
    photo: usize,
    row: Option<&ImageRow>,
    augmented: &Augmented,
    model: &Model,
    camera: &mut Camera,
) -> Result<Option<ViewSheet>, Failure> {
    let Ok(pixels) = camera.read(&said.ids[photo], row) else { return Ok(None) };
    let (policy, numbers) =
        augmented.views.of(&augmented.policy, augmented.seed, &said.ids[photo], pixels.dimensions());
    let (pixels_nchw, pictures) = camera.views(&pixels, policy, &numbers);
    let features = camera.features(&pixels_nchw)?;
    let log_probs = model.log_probs(&features, model.record.feature_dim)?; // [views, classes]
    let class = predicted(said, photo) as usize;
    let votes = log_probs.chunks_exact(said.classes).map(|view| view[class].exp());
    let names = std::iter::once("plain view".to_owned()).chain(augmented.views.names());
    let views = names.zip(pictures).zip(votes).skip(augmented.first_averaged);
    let views = views.map(|((name, picture), vote)| (name, Some(picture), vote));
    Ok(Some(ViewSheet { photo, views: views.collect() }))
}
