//! [`Op`], the operations of [`RandAugment`](super::rand_augment::RandAugment) and
//! [`TrivialAugment`](super::trivial_augment::TrivialAugment), and how strong each is.
//!
//! Names, order and magnitudes are those of torchvision 0.28, `transforms/v2/_auto_augment.py`. Departures, all from
//! how a view is made here: all geometry comes first and is sampled once, then colours follow in the order drawn;
//! translations are shares of the view's side and are not cut to whole pixels; what lies outside the photo is
//! the border's affair, not black.

use super::{Draw, Number, decimal};
use crate::canvas::{Canvas, Map};
use crate::colour;
use crate::planes::Planes;

/// An operation. Its magnitude has the unit that the variant states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// Nothing; magnitude 0.
    Identity,
    /// A pixel at (x, y) comes from (x + magnitude * y, y), seen from the view's top left corner.
    ShearX,
    /// A pixel at (x, y) comes from (x, y + magnitude * x), seen from the view's top left corner.
    ShearY,
    /// Moves the photo to the right, by a share of the view's side.
    TranslateX,
    /// Moves the photo down, by a share of the view's side.
    TranslateY,
    /// Turns the photo counter-clockwise about the centre, in degrees.
    Rotate,
    /// [`colour::brightness`] by 1 + magnitude.
    Brightness,
    /// [`colour::saturation`] by 1 + magnitude.
    Color,
    /// [`colour::contrast`] by 1 + magnitude.
    Contrast,
    /// [`colour::sharpness`] by 1 + magnitude.
    Sharpness,
    /// [`colour::posterize`] to as many bits.
    Posterize,
    /// [`colour::solarize`] from this threshold, 0 to 1.
    Solarize,
    /// [`colour::autocontrast`]; magnitude 0.
    AutoContrast,
    /// [`colour::equalize`]; magnitude 0.
    Equalize,
}

/// Magnitudes of the strongest level. Those between grow evenly from what changes nothing.
#[derive(Debug)]
pub(super) struct Strength {
    /// Pixels along for each pixel across.
    pub(super) shear: f64,
    /// Share of the view's side.
    pub(super) translate: f64,
    pub(super) rotate_deg: f64,
    /// Distance of a factor from 1.
    pub(super) factor: f64,
    /// How many of 8 bits go.
    pub(super) posterize_bits: f64,
}

/// The strongest level; the weakest is 0.
pub(super) const STRONGEST: u32 = 30;

impl Op {
    /// Every operation, at its index in the table of views.
    pub const ALL: [Op; 14] = [
        Op::Identity,
        Op::ShearX,
        Op::ShearY,
        Op::TranslateX,
        Op::TranslateY,
        Op::Rotate,
        Op::Brightness,
        Op::Color,
        Op::Contrast,
        Op::Sharpness,
        Op::Posterize,
        Op::Solarize,
        Op::AutoContrast,
        Op::Equalize,
    ];

    /// The magnitude at a level, 0 to [`STRONGEST`], and whether its sign is drawn.
    fn magnitude(self, level: u32, strength: &Strength) -> (f64, bool) {
        let share = f64::from(level) / f64::from(STRONGEST);
        match self {
            Op::Identity | Op::AutoContrast | Op::Equalize => (0.0, false),
            Op::ShearX | Op::ShearY => (share * strength.shear, true),
            Op::TranslateX | Op::TranslateY => (share * strength.translate, true),
            Op::Rotate => (share * strength.rotate_deg, true),
            Op::Brightness | Op::Color | Op::Contrast | Op::Sharpness => (share * strength.factor, true),
            Op::Posterize => ((8.0 - share * strength.posterize_bits).round(), false),
            Op::Solarize => (1.0 - share, false),
        }
    }

    fn place(self, magnitude: f64, canvas: &mut Canvas) {
        // The view's top left corner, from the centre. (Of a canvas that is not square, the one in its middle.)
        let corner = -canvas.size() / 2.0;
        let from_corner =
            |map: Map| Map::shift(corner, corner).after(&map).after(&Map::shift(-corner, -corner));
        match self {
            Op::ShearX => {
                canvas.about_centre(&from_corner(Map::affine([1.0, magnitude, 0.0], [0.0, 1.0, 0.0])))
            }
            Op::ShearY => {
                canvas.about_centre(&from_corner(Map::affine([1.0, 0.0, 0.0], [magnitude, 1.0, 0.0])))
            }
            Op::TranslateX => canvas.about_centre(&Map::shift(-magnitude * canvas.size(), 0.0)),
            Op::TranslateY => canvas.about_centre(&Map::shift(0.0, -magnitude * canvas.size())),
            Op::Rotate => canvas.rotate(magnitude),
            Op::Identity | Op::Brightness | Op::Color | Op::Contrast | Op::Sharpness => {}
            Op::Posterize | Op::Solarize | Op::AutoContrast | Op::Equalize => {}
        }
    }

    fn paint(self, magnitude: f32, planes: &mut Planes, scratch: &mut Vec<f32>) {
        match self {
            Op::Brightness => colour::brightness(planes, 1.0 + magnitude),
            Op::Color => colour::saturation(planes, 1.0 + magnitude),
            Op::Contrast => colour::contrast(planes, 1.0 + magnitude),
            Op::Sharpness => colour::sharpness(planes, 1.0 + magnitude, scratch),
            Op::Posterize => colour::posterize(planes, magnitude as u32),
            Op::Solarize => colour::solarize(planes, magnitude),
            Op::AutoContrast => colour::autocontrast(planes),
            Op::Equalize => colour::equalize(planes),
            Op::Identity | Op::ShearX | Op::ShearY | Op::TranslateX | Op::TranslateY | Op::Rotate => {}
        }
    }
}

/// Operations with their magnitudes, for people: `ShearX −0.12, Equalize`.
pub(super) fn words(numbers: &[f32]) -> String {
    let word = |pair: &[f32]| {
        let op = Op::ALL.get(pair[0] as usize).copied().unwrap_or(Op::Identity);
        match pair[1] {
            0.0 => format!("{op:?}"),
            magnitude => format!("{op:?} {}", decimal(magnitude, 2)),
        }
    };
    numbers.chunks_exact(2).map(word).collect::<Vec<_>>().join(", ")
}

/// The two numbers of an operation: its index and its magnitude.
pub(super) const fn numbers(op: &'static str, magnitude: &'static str) -> [Number; 2] {
    let op_doc = "operation: 0 Identity, 1 ShearX, 2 ShearY, 3 TranslateX, 4 TranslateY, 5 Rotate, 6 Brightness, \
                  7 Color, 8 Contrast, 9 Sharpness, 10 Posterize, 11 Solarize, 12 AutoContrast, 13 Equalize";
    let magnitude_doc = "its magnitude: pixels per pixel (1, 2), share of the view's side (3, 4), degrees \
                         counter-clockwise (5), distance of the factor from 1 (6 to 9), bits (10), threshold from 0 \
                         to 1 (11), else 0";
    [
        Number { name: op, neutral: 0.0, doc: op_doc },
        Number { name: magnitude, neutral: 0.0, doc: magnitude_doc },
    ]
}

/// Draws an operation, each as likely, and the sign of its magnitude, where it has one: index and magnitude.
pub(super) fn draw(draw: &mut Draw<'_>, level: u32, strength: &Strength) -> [f32; 2] {
    let index = draw.below(Op::ALL.len());
    let (magnitude, has_sign) = Op::ALL[index].magnitude(level, strength);
    let sign = if has_sign && draw.chance(0.5) { -1.0 } else { 1.0 };
    [index as f32, (sign * magnitude) as f32]
}

/// Applies the geometry of operations that [`draw()`] has drawn.
pub(super) fn place(numbers: &[f32], canvas: &mut Canvas) {
    for (op, magnitude) in drawn(numbers) {
        op.place(f64::from(magnitude), canvas);
    }
}

/// Applies the colours of operations that [`draw()`] has drawn.
pub(super) fn paint(numbers: &[f32], planes: &mut Planes, scratch: &mut Vec<f32>) {
    for (op, magnitude) in drawn(numbers) {
        op.paint(magnitude, planes, scratch);
    }
}

fn drawn(numbers: &[f32]) -> impl Iterator<Item = (Op, f32)> + '_ {
    let op = |index: f32| Op::ALL.get(index as usize).copied().unwrap_or(Op::Identity);
    numbers.chunks_exact(2).map(move |pair| (op(pair[0]), pair[1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_told_by_name_and_magnitude() {
        assert_eq!(words(&[1.0, -0.12, 13.0, 0.0]), "ShearX −0.12, Equalize");
        assert_eq!(words(&[0.0, 0.0, 10.0, 6.0]), "Identity, Posterize 6");
    }
    use serde_json::Value;

    #[test]
    fn the_doc_of_the_number_lists_every_operation() {
        let [op, _] = numbers("op", "magnitude");
        let listed: Vec<String> = op.doc["operation: ".len()..].split(", ").map(str::to_owned).collect();
        let expected: Vec<String> = Op::ALL.iter().enumerate().map(|(i, op)| format!("{i} {op:?}")).collect();
        assert_eq!(listed, expected);
    }

    /// Where torchvision's operations take a pixel's value from, in pixels, in a square picture: `geometry` of
    /// `make_fixtures.py`. Its numbers are f32 of up to 64, resampled: within 0.001 px.
    #[test]
    fn geometry_takes_pixels_from_where_torchvision_does() {
        let fixtures: Value =
            serde_json::from_str(include_str!("../../tests/photo/colour/colour.json")).unwrap();
        let rows = fixtures["geometry"].as_array().unwrap();
        assert_eq!(rows.len(), 10);
        for row in rows {
            let op = Op::ALL.into_iter().find(|op| row[0] == format!("{op:?}")).unwrap();
            let [magnitude, x, y, from_x, from_y] = [1, 2, 3, 4, 5].map(|i| row[i].as_f64().unwrap());
            let mut canvas = Canvas::new(64, 64, 64);
            op.place(magnitude, &mut canvas);
            let found = canvas.crop(0.0, 0.0).apply(x, y);
            let off = (found.0 - from_x).abs().max((found.1 - from_y).abs());
            assert!(off < 1e-3, "{row}: found {found:?}");
        }
    }

    /// By hand: 96 x 64 pixels, the network's square of 64 in the middle starts at x = 16, and so does the shear.
    #[test]
    fn a_canvas_that_is_not_square_is_sheared_from_the_corner_of_the_square_in_its_middle() {
        let mut canvas = Canvas::new(96, 64, 64);
        Op::ShearY.place(0.25, &mut canvas);
        let map = canvas.crop(0.5, 0.5);
        assert_eq!(map.apply(0.0, 10.0), (16.0, 10.0));
        assert_eq!(map.apply(8.0, 10.0), (24.0, 12.0));
    }

    /// By hand: right by a quarter of 64 px, then a quarter turn about (32, 32), which takes (u, v) from
    /// (32 - (v - 32), u).
    #[test]
    fn operations_follow_each_other_in_the_order_drawn() {
        let mut canvas = Canvas::new(64, 64, 64);
        place(&[3.0, 0.25, 5.0, 90.0], &mut canvas);
        let (x, y) = canvas.crop(0.0, 0.0).apply(40.0, 20.0);
        assert!((x - (44.0 - 16.0)).abs() < 1e-9 && (y - 40.0).abs() < 1e-9, "{x}, {y}");
    }
}
