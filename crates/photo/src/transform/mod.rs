//! [`Transform`]: one random change of a photo, and [`TRANSFORMS`], the list of all.
//!
//! A transform draws its numbers ([`Transform::draw`]) and later applies them: the geometric ones move the
//! [`Canvas`] ([`Transform::place`]), the others change pixels ([`Transform::paint`]). Drawing and applying are
//! apart, so that the numbers can be stored in a table and the same view be made again from it.
//!
//! To add one: a file here, named below, and a line in [`TRANSFORMS`].

pub mod automatic;
pub mod blur;
pub mod color_jitter;
pub mod cutout;
pub mod dihedral;
pub mod draw;
pub mod fill;
pub mod flip;
pub mod grayscale;
pub mod lighting;
pub mod pad;
pub mod perspective;
pub mod rand_augment;
pub mod random_erasing;
pub mod random_resized_crop;
pub mod rotate;
pub mod scale;
pub mod trivial_augment;

mod kind;
pub(crate) mod range;

pub use draw::Draw;
pub use fill::Fill;
pub use kind::{AnyTransform, TRANSFORMS, TransformKind};

use std::fmt;

use pipeline_stage::params::Parameters;

use crate::canvas::Canvas;
use crate::planes::Planes;

/// A transform: its parameters as they stand in a config.
///
/// Besides its own parameters each has `p`, the probability with which it is applied. Where it is not, its numbers are
/// [`Number::neutral`] and neither [`place`](Transform::place) nor [`paint`](Transform::paint) is called.
pub trait Transform: Parameters + Clone + fmt::Debug + 'static {
    /// The name in YAML.
    const NAME: &'static str;
    /// One sentence for documents.
    const SUMMARY: &'static str;

    /// The probability with which it is applied, 0 to 1.
    fn p(&self) -> f64;

    /// What it draws, in order.
    fn numbers(&self) -> &'static [Number];

    /// Draws the numbers of one view where it is applied: a value for each of [`Transform::numbers`].
    fn draw(&self, draw: &mut Draw<'_>, numbers: &mut [f32]);

    /// What the numbers of a view do, for people: `angle −4.1°`. Empty where it would say nothing.
    fn words(&self, numbers: &[f32]) -> String {
        let words = self.numbers().iter().zip(numbers).filter_map(|(number, drawn)| number.words(*drawn));
        words.collect::<Vec<_>>().join(", ")
    }

    /// Moves the canvas. Geometry comes first, whatever stands between: see [`Policy`](crate::Policy).
    fn place(&self, _numbers: &[f32], _canvas: &mut Canvas) {}

    /// Changes the pixels of the view, `[3, S, S]`.
    fn paint(&self, _numbers: &[f32], _planes: &mut Planes, _palette: &mut Palette) {}
}

/// A number that a transform draws: a column of the table of views.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Number {
    /// The column, with the unit where it has one: `angle_deg`.
    pub name: &'static str,
    /// The value that changes nothing.
    pub neutral: f32,
    /// What it is, with its unit and range.
    pub doc: &'static str,
}

impl Number {
    /// A value of it for people; `None` where it is neutral to two places.
    fn words(&self, drawn: f32) -> Option<String> {
        let neutral = (drawn - self.neutral).abs() < 0.005;
        let (name, places, unit) = match self.name.strip_suffix("_deg") {
            Some(name) => (name, 1, "°"),
            None => (self.name, 2, ""),
        };
        let name = name.replace('_', " ");
        (!neutral).then(|| format!("{name} {}{unit}", decimal(drawn, places)))
    }
}

/// A number with so many places, or without any where it is whole, and a true minus sign.
pub(crate) fn decimal(number: f32, places: usize) -> String {
    let places = if number.fract() == 0.0 { 0 } else { places };
    format!("{number:.places$}").replace('-', "−")
}

/// What a transform that paints may need besides the pixels.
#[derive(Debug, Clone, Default)]
pub struct Palette {
    /// Mean of each channel over the whole photo, 0 to 1.
    pub photo_mean: [f32; 3],
    /// Pixels that a transform may overwrite; what they were before means nothing. Kept, so that no view
    /// allocates.
    pub scratch: Vec<f32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_with_their_unit_and_only_where_they_change_something() {
        let number = |name, neutral| Number { name, neutral, doc: "" };
        assert_eq!(number("angle_deg", 0.0).words(-4.123).unwrap(), "angle −4.1°");
        assert_eq!(number("scale", 1.0).words(1.0625).unwrap(), "scale 1.06");
        assert_eq!(number("dihedral", 0.0).words(1.0).unwrap(), "dihedral 1");
        assert_eq!(number("contrast", 1.0).words(1.004), None);
        assert_eq!(number("blur_sigma", 0.0).words(2.5).unwrap(), "blur sigma 2.50");
    }
}
