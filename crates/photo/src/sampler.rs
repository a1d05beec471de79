//! [`Sampler`]: the one step in which a photo is scaled, turned, mirrored, warped and cropped.
//!
//! Each pixel of the view is a weighted mean of photo pixels near the point that a [`Map`] sends it to. The
//! weight is a triangle along each axis of the view, as wide as a pixel in the middle of the view is in the photo: where the
//! view shrinks the photo this is antialiased bilinear as Pillow's resize has it (and the plain view, see
//! [`Resizer`](crate::Resizer)), where it enlarges, bilinear interpolation.
//!
//! Three things make it fast. The weights are tabulated for [`PHASES`] x [`PHASES`] positions within a pixel. And a photo
//! that is shrunk by 4 or more is first reduced by a whole number, so that a factor of 2 to 3 remains, as Pillow does
//! with `reducing_gap=2`. And the three channels of a pixel lie side by side in 64 bits, so that one multiplication weighs
//! all of them (`level`); whole numbers also add up to the same bits on every processor.

mod kernel;
mod level;

use std::ops::Range;

use image::RgbImage;

use crate::border::Border;
use crate::canvas::Map;
use crate::planes::Planes;
use kernel::{Kernel, PHASES};
use level::{Level, unpack};

/// The least factor by which a reduced photo is still shrunk.
const GAP: f64 = 2.0;

/// Samples photos one after another. Make one per thread and keep it: it holds the buffers.
#[derive(Debug, Default)]
pub(crate) struct Sampler {
    /// The current photo, reduced by the factors that were needed so far.
    levels: Vec<Level>,
    kernel: Kernel,
}

impl Sampler {
    /// Forgets the photo before.
    pub(crate) fn next_photo(&mut self) {
        self.levels.iter_mut().for_each(Level::forget);
    }

    /// Fills `view` with what `to_photo` sends its points to. `photo` is the same one until
    /// [`Sampler::next_photo`].
    pub(crate) fn sample(&mut self, photo: &RgbImage, to_photo: &Map, border: Border, view: &mut Planes) {
        let centre = (view.width as f64 / 2.0, view.height as f64 / 2.0);
        let steps = to_photo.steps_at(centre.0, centre.1);
        let shrink = steps.map(|(x, y)| x.hypot(y)).into_iter().fold(f64::INFINITY, f64::min);
        let most = f64::from(photo.width().max(photo.height()));
        let reduction = (shrink / GAP).floor().clamp(1.0, most) as u32;

        let (width, height) = Level::sides(photo, reduction);
        let across = width as f64 / f64::from(photo.width());
        let down = height as f64 / f64::from(photo.height());
        // From points of the view to indices of the level's pixels, whose centres are at whole numbers.
        let to_level = Map::affine([across, 0.0, -0.5], [0.0, down, -0.5]).after(to_photo);
        self.kernel.tabulate(steps.map(|(x, y)| (x * across, y * down)));
        let (columns, rows) = needed(photo, reduction, &to_level, border, self.kernel.taps, view);
        let at = self.level(photo, reduction, columns, rows);
        let (level, kernel) = (&self.levels[at], &self.kernel);
        // The usual sizes have loops of known length.
        match kernel.taps {
            2 => level.sample::<2>(&to_level, border, kernel, view),
            4 => level.sample::<4>(&to_level, border, kernel, view),
            6 => level.sample::<6>(&to_level, border, kernel, view),
            8 => level.sample::<8>(&to_level, border, kernel, view),
            _ => level.sample::<0>(&to_level, border, kernel, view),
        }
    }

    /// The position of the level with these columns and rows of the photo reduced by `reduction`, made if it is not
    /// there yet.
    fn level(
        &mut self,
        photo: &RgbImage,
        reduction: u32,
        columns: Range<usize>,
        rows: Range<usize>,
    ) -> usize {
        let with = |reduction| self.levels.iter().position(|level| level.reduction == reduction);
        let at = with(reduction).or_else(|| with(Level::OF_NO_PHOTO)).unwrap_or(self.levels.len());
        if at == self.levels.len() {
            self.levels.push(Level::default());
        }
        let level = &mut self.levels[at];
        if level.reduction != reduction || !level.has(&columns, &rows) {
            level.make(photo, reduction, columns, rows);
        }
        at
    }
}

/// The columns and rows of a level that a view may look at.
fn needed(
    photo: &RgbImage,
    reduction: u32,
    to_level: &Map,
    border: Border,
    taps: usize,
    view: &Planes,
) -> (Range<usize>, Range<usize>) {
    let (width, height) = Level::sides(photo, reduction);
    let (right, bottom) = (view.width as f64, view.height as f64);
    let corners = [(0.0, 0.0), (right, 0.0), (0.0, bottom), (right, bottom)];
    if corners.iter().any(|(x, y)| !to_level.is_before_horizon(*x, *y)) {
        return (0..width, 0..height);
    }
    // The outermost points are those of corners. A pixel more for rounding.
    let corners = corners.map(|(x, y)| to_level.apply(x, y));
    let margin = taps as f64 / 2.0 + 2.0;
    let along = |places: [f64; 4], count: usize| {
        let first = places.into_iter().fold(f64::INFINITY, f64::min) - margin;
        let last = places.into_iter().fold(f64::NEG_INFINITY, f64::max) + margin;
        border.indices(first.floor() as i64, last.ceil() as i64, count)
    };
    (along(corners.map(|(x, _)| x), width), along(corners.map(|(_, y)| y), height))
}

impl Level {
    /// The weighted sum of pixels some of which lie beyond the edges.
    fn weighted_sum_at_edge(&self, left: i64, top: i64, border: Border, weights: &[u16], taps: usize) -> u64 {
        let mut sum = 0;
        for (row, weights) in weights.chunks_exact(taps).enumerate() {
            let Some(y) = border.index(top + row as i64, self.height) else { continue };
            for (column, weight) in weights.iter().enumerate() {
                let Some(x) = border.index(left + column as i64, self.width) else { continue };
                sum += self.from(x, y)[0] * u64::from(*weight);
            }
        }
        sum
    }

    /// `TAPS` is `kernel.taps`, or 0 where that is not known before.
    fn sample<const TAPS: usize>(&self, to_level: &Map, border: Border, kernel: &Kernel, view: &mut Planes) {
        let taps = if TAPS == 0 { kernel.taps } else { TAPS };
        let (width, height) = (view.width, view.height);
        let (wide, high) = (self.width as i64, self.height as i64);
        let [red, green, blue] = view.channels_mut();
        for y in 0..height {
            let points = Points::of_row(to_level, y);
            for x in 0..width {
                let (u, v) = points.at(x);
                let ((left, phase_x), (top, phase_y)) = (split(u, taps), split(v, taps));
                let cell = (phase_y * PHASES + phase_x) * taps * taps;
                let weights = &kernel.weights[cell..cell + taps * taps];
                let inside = left >= 0 && top >= 0 && left + taps as i64 <= wide && top + taps as i64 <= high;
                let sum = if inside {
                    weighted_sum(self.from(left as usize, top as usize), self.stride(), weights, taps)
                } else {
                    self.weighted_sum_at_edge(left, top, border, weights, taps)
                };
                let at = y * width + x;
                let [r, g, b] = unpack(sum);
                (red[at], green[at], blue[at]) = (r, g, b);
            }
        }
    }
}

/// The weighted sum of `taps` x `taps` packed pixels; `pixels` begins with the first, rows are `stride` apart.
#[inline(always)]
fn weighted_sum(pixels: &[u64], stride: usize, weights: &[u16], taps: usize) -> u64 {
    let mut sum = 0;
    for row in 0..taps {
        let pixels = &pixels[row * stride..][..taps];
        for (pixel, weight) in pixels.iter().zip(&weights[row * taps..][..taps]) {
            sum += pixel * u64::from(*weight);
        }
    }
    sum
}

/// Where the pixels of one row of a view lie in a level, in steps of 1 / [`PHASES`] of its pixels, the nearest ones.
enum Points {
    /// Evenly spaced: the first and the step to the next, of x and of y, in 2^-[`FRACTION_BITS`] of those steps.
    Even { first: [i64; 2], step: [i64; 2] },
    /// In perspective.
    Perspective { to_level: Map, y: f64 },
}

/// A view of 1,024 pixels adds 1,024 roundings, which must stay far below 1.
const FRACTION_BITS: u32 = 24;

impl Points {
    fn of_row(to_level: &Map, y: usize) -> Self {
        let y = y as f64 + 0.5;
        if !to_level.is_affine() {
            return Points::Perspective { to_level: *to_level, y };
        }
        let ((u, v), (u1, v1)) = (to_level.apply(0.5, y), to_level.apply(1.5, y));
        let fixed = |steps: f64| (within_reach(steps) * f64::from(1 << FRACTION_BITS)).round() as i64;
        let phases = PHASES as f64;
        Points::Even {
            first: [u, v].map(|first| fixed(first * phases + 0.5)),
            step: [u1 - u, v1 - v].map(|step| fixed(step * phases)),
        }
    }

    #[inline(always)]
    fn at(&self, x: usize) -> (i64, i64) {
        match self {
            Points::Even { first, step } => {
                let at = |axis: usize| {
                    first[axis].wrapping_add(step[axis].wrapping_mul(x as i64)) >> FRACTION_BITS
                };
                (at(0), at(1))
            }
            Points::Perspective { to_level, y } => {
                let (u, v) = to_level.apply(x as f64 + 0.5, *y);
                let nearest = |index: f64| within_reach(index * PHASES as f64 + 0.5).floor() as i64;
                (nearest(u), nearest(v))
            }
        }
    }
}

/// What perspective or a huge factor sends far away stays in the range of the arithmetic behind.
fn within_reach(steps: f64) -> f64 {
    steps.clamp(-1e11, 1e11)
}

/// A position in steps of 1 / [`PHASES`]: the first of `taps` pixels around it, and the phase.
#[inline(always)]
fn split(steps: i64, taps: usize) -> (i64, usize) {
    // Shift and mask: the floor of the quotient and its remainder, also below 0.
    ((steps >> PHASES.trailing_zeros()) - (taps as i64 / 2 - 1), steps as usize & (PHASES - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_of_a_photo_too_large_to_be_packed_whole_is_the_same_as_of_the_part_cut_out() {
        // Beyond 4,194,304 pixels. A view near the upper left corner sees the same of a cut-out, with its own border.
        let pixel =
            |x: u32, y: u32| image::Rgb([(x * 7 % 251) as u8, (y * 5 % 241) as u8, (x * y % 239) as u8]);
        let large = RgbImage::from_fn(3_000, 1_500, pixel);
        let small = RgbImage::from_fn(600, 500, pixel);
        let (sin, cos) = 0.3_f64.sin_cos();
        for border in [Border::Reflect, Border::Edge, Border::Black] {
            // Partly above and left of the photo.
            for (dx, dy) in [(100.0, 60.0), (-40.0, -30.0), (-150.0, 10.0)] {
                let map = Map::affine([cos, -sin, dx], [sin, cos, dy]);
                let sample = |photo: &RgbImage| {
                    let mut view = Planes::new(96, 96);
                    Sampler::default().sample(photo, &map, border, &mut view);
                    view
                };
                assert!(sample(&large) == sample(&small), "{border:?} at {dx}, {dy}");
            }
        }
    }
}
