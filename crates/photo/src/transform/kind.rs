//! [`TRANSFORMS`], the one list of transforms, and [`AnyTransform`], the object-safe form that a policy holds.

use std::fmt;

use pipeline_stage::params::{self, Problem};
use serde_json::Value;

use super::{Draw, Number, Palette, Transform};
use super::{
    blur, color_jitter, cutout, dihedral, flip, grayscale, lighting, pad, perspective, rand_augment,
    random_erasing, random_resized_crop, rotate, scale, trivial_augment,
};
use crate::canvas::Canvas;
use crate::planes::Planes;

/// Every transform, in the order of documents.
pub const TRANSFORMS: &[TransformKind] = &[
    TransformKind::of::<scale::Scale>(),
    TransformKind::of::<rotate::Rotate>(),
    TransformKind::of::<flip::Flip>(),
    TransformKind::of::<dihedral::Dihedral>(),
    TransformKind::of::<random_resized_crop::RandomResizedCrop>(),
    TransformKind::of::<pad::Pad>(),
    TransformKind::of::<perspective::Perspective>(),
    TransformKind::of::<lighting::Lighting>(),
    TransformKind::of::<color_jitter::ColorJitter>(),
    TransformKind::of::<grayscale::Grayscale>(),
    TransformKind::of::<blur::Blur>(),
    TransformKind::of::<random_erasing::RandomErasing>(),
    TransformKind::of::<cutout::Cutout>(),
    TransformKind::of::<rand_augment::RandAugment>(),
    TransformKind::of::<trivial_augment::TrivialAugment>(),
];

type Parsed = Result<Box<dyn AnyTransform>, Vec<Problem>>;

/// A kind of transform, before it has parameters.
#[derive(Debug, Clone, Copy)]
pub struct TransformKind {
    /// [`Transform::NAME`].
    pub name: &'static str,
    /// [`Transform::SUMMARY`].
    pub summary: &'static str,
    schema: fn() -> Value,
    parse: fn(&Value) -> Parsed,
}

impl TransformKind {
    const fn of<T: Transform>() -> Self {
        TransformKind {
            name: T::NAME,
            summary: T::SUMMARY,
            schema: params::schema::<T>,
            parse: |given| Ok(Box::new(params::parse::<T>(given)?)),
        }
    }

    /// JSON schema of the parameters: `properties` with `description` and `default`.
    pub fn schema(&self) -> Value {
        (self.schema)()
    }

    /// Checks parameters as written (`null`: none) and fills in every default.
    ///
    /// # Errors
    /// Every problem found, each with its path inside the parameters.
    pub fn parse(&self, given: &Value) -> Result<Box<dyn AnyTransform>, Vec<Problem>> {
        (self.parse)(given)
    }
}

/// The object-safe form of [`Transform`], implemented for every transform.
pub trait AnyTransform: fmt::Debug + Send + Sync {
    /// [`Transform::NAME`].
    fn name(&self) -> &'static str;
    /// Its parameters with every default filled in.
    fn params(&self) -> Value;
    /// [`Transform::p`].
    fn p(&self) -> f64;
    /// [`Transform::numbers`].
    fn numbers(&self) -> &'static [Number];
    /// [`Transform::draw`].
    fn draw(&self, draw: &mut Draw<'_>, numbers: &mut [f32]);
    /// [`Transform::words`].
    fn words(&self, numbers: &[f32]) -> String;
    /// [`Transform::place`].
    fn place(&self, numbers: &[f32], canvas: &mut Canvas);
    /// [`Transform::paint`].
    fn paint(&self, numbers: &[f32], planes: &mut Planes, palette: &mut Palette);
    /// A copy.
    fn boxed(&self) -> Box<dyn AnyTransform>;
}

impl<T: Transform> AnyTransform for T {
    fn name(&self) -> &'static str {
        T::NAME
    }
    fn params(&self) -> Value {
        params::to_value(self)
    }
    fn p(&self) -> f64 {
        Transform::p(self)
    }
    fn numbers(&self) -> &'static [Number] {
        Transform::numbers(self)
    }
    fn draw(&self, draw: &mut Draw<'_>, numbers: &mut [f32]) {
        Transform::draw(self, draw, numbers);
    }
    fn words(&self, numbers: &[f32]) -> String {
        Transform::words(self, numbers)
    }
    fn place(&self, numbers: &[f32], canvas: &mut Canvas) {
        Transform::place(self, numbers, canvas);
    }
    fn paint(&self, numbers: &[f32], planes: &mut Planes, palette: &mut Palette) {
        Transform::paint(self, numbers, planes, palette);
    }
    fn boxed(&self) -> Box<dyn AnyTransform> {
        Box::new(self.clone())
    }
}

impl Clone for Box<dyn AnyTransform> {
    fn clone(&self) -> Self {
        self.boxed()
    }
}
