//! From `photos` to `pixels`: the arithmetic of `pipeline_photo::Preprocessing` as nodes.
//!
//! `Resize` on uint8 with `antialias` and `exclude_outside` is Pillow's bilinear filter, as is ours: results are at most one level of
//! 255 apart, and few are.
//! The whole photo is resized before the crop, so a strip of 1 by 5,000 pixels takes the memory of 5,000 times the square; the
//! pipeline itself computes the square alone.

use pipeline_photo::{Crop, Filter, Preprocessing, Resize};

use super::builder::{Attribute, Builder, Element};

/// Adds the nodes.
pub(super) fn add(builder: &mut Builder, preprocessing: &Preprocessing) {
    // The rules that there are; another one must be drawn here.
    let Preprocessing {
        decode: _,
        size,
        resize: Resize::ShorterSide,
        filter: Filter::Bilinear,
        crop: Crop::Center,
        mean,
        std,
    } = preprocessing;
    let integer = Attribute::Integer;
    builder.integers("size", &[i64::from(*size)]);
    builder.integers("one", &[1]);
    builder.integers("two", &[2]);
    builder.integers("rows_and_columns", &[2, 3]);
    let scale = std.map(|std| 1.0 / (255.0 * std));
    let shift: Vec<f32> = mean.iter().zip(std).map(|(mean, std)| -mean / std).collect();
    builder.floats("scale", &[1, 3, 1, 1], &scale);
    builder.floats("shift", &[1, 3, 1, 1], &shift);

    // Height and width become max(side * size / shorter, size), rounded down.
    builder.node("Shape", &["photos"], "sides", &[("start", integer(1)), ("end", integer(3))]);
    builder.node("ReduceMin", &["sides"], "shorter", &[("keepdims", integer(1))]);
    builder.node("Mul", &["sides", "size"], "sides_times_size", &[]);
    builder.node("Div", &["sides_times_size", "shorter"], "scaled_sides", &[]);
    builder.node("Max", &["scaled_sides", "size"], "resized_sides", &[]);

    let perm = Attribute::Integers(&[0, 3, 1, 2]);
    builder.node("Transpose", &["photos"], "photos_nchw", &[("perm", perm)]);
    // Sizes of all four, since ONNX Runtime 1.32 takes no computed sizes of two axes.
    let first_two = [("start", integer(0)), ("end", integer(2))];
    builder.node("Shape", &["photos_nchw"], "photos_and_channels", &first_two);
    let axis = [("axis", integer(0))];
    builder.node("Concat", &["photos_and_channels", "resized_sides"], "resized_shape", &axis);
    let attributes = [
        ("mode", Attribute::Text("linear")),
        ("coordinate_transformation_mode", Attribute::Text("half_pixel")),
        ("antialias", integer(1)),
        // At the borders too: only pixels that are there have a weight.
        ("exclude_outside", integer(1)),
    ];
    builder.node("Resize", &["photos_nchw", "", "", "resized_shape"], "resized", &attributes);

    // The crop starts at (side - size) / 2, rounded up.
    builder.node("Sub", &["resized_sides", "size"], "rest", &[]);
    builder.node("Add", &["rest", "one"], "rest_and_one", &[]);
    builder.node("Div", &["rest_and_one", "two"], "start", &[]);
    builder.node("Add", &["start", "size"], "end", &[]);
    builder.node("Slice", &["resized", "start", "end", "rows_and_columns"], "cropped", &[]);

    builder.node("Cast", &["cropped"], "levels", &[("to", integer(Element::Float as i64))]);
    builder.node("Mul", &["levels", "scale"], "scaled_levels", &[]);
    builder.node("Add", &["scaled_levels", "shift"], "pixels", &[]);
}
