//! [`gaussian_blur`]: each pixel becomes the mean of those around it, weighed by a bell curve.

use crate::planes::Planes;

/// The widest bell, in pixels.
pub const MAX_SIGMA: f32 = 10.0;

/// Pixels to each side that the widest bell reaches.
const MAX_RADIUS: usize = 3 * MAX_SIGMA as usize;

/// Blurs `[3, H, W]` in place.
///
/// ```text
/// out(x, y) = sum of w(i) w(j) in(x + i, y + j) over i, j from -r to r
/// w(i) ~ exp(-i² / (2 sigma²)), with the sum 1;   r = ceil(3 sigma)
/// ```
///
/// Beyond the border pixels are mirrored at the centre of the outermost one (d c b | a b c d | c b a). This is
/// `torchvision.transforms.v2.functional.gaussian_blur` with a kernel of 2 r + 1; r is the usual reach, 99.7 % of the
/// bell. Values from 0 to 1 stay there, up to rounding.
///
/// `sigma` is in pixels. At 0 or below nothing changes; above [`MAX_SIGMA`] it counts as [`MAX_SIGMA`]. `scratch` grows
/// to `H·W + W + 2 r` values, and what it holds means nothing.
pub fn gaussian_blur(planes: &mut Planes, sigma: f32, scratch: &mut Vec<f32>) {
    let (width, height) = (planes.width, planes.height);
    if sigma.is_nan() || sigma <= 0.0 || width * height == 0 {
        return;
    }
    let kernel = Kernel::new(sigma.min(MAX_SIGMA));
    let radius = kernel.radius;
    let padded_width = width + 2 * radius;
    if scratch.len() < width * height + padded_width {
        scratch.resize(width * height + padded_width, 0.0);
    }
    let (across, rest) = scratch.split_at_mut(width * height); // [H, W], blurred along x only
    let padded = &mut rest[..padded_width];

    for plane in planes.channels_mut() {
        for (row, out) in plane.chunks_exact(width).zip(across.chunks_exact_mut(width)) {
            padded[radius..][..width].copy_from_slice(row);
            for k in 1..=radius {
                padded[radius - k] = row[mirrored(-(k as isize), width)];
                padded[radius + width - 1 + k] = row[mirrored((width - 1 + k) as isize, width)];
            }
            kernel.weigh(out, &padded[radius..], |k| (&padded[radius - k..], &padded[radius + k..]));
        }
        let row = |y: isize| &across[mirrored(y, height) * width..][..width];
        for (y, out) in plane.chunks_exact_mut(width).enumerate() {
            let y = y as isize;
            kernel.weigh(out, row(y), |k| (row(y - k as isize), row(y + k as isize)));
        }
    }
}

/// A bell from -`radius` to `radius`, of which one half is kept.
struct Kernel {
    radius: usize,
    half: [f32; MAX_RADIUS + 1],
}

impl Kernel {
    fn new(sigma: f32) -> Self {
        let radius = ((3.0 * sigma).ceil() as usize).min(MAX_RADIUS);
        let bell = |i: usize| (-0.5 * (i as f64 / f64::from(sigma)).powi(2)).exp();
        let sum = bell(0) + 2.0 * (1..=radius).map(bell).sum::<f64>();
        let half = std::array::from_fn(|i| if i <= radius { (bell(i) / sum) as f32 } else { 0.0 });
        Kernel { radius, half }
    }

    /// `out = w(0) centre + sum of w(k) (a + b)`, where a and b are the values k steps to either side. A pass for each
    /// weight, since whole rows are what the compiler turns into vector instructions.
    fn weigh<'a>(&self, out: &mut [f32], centre: &[f32], beside: impl Fn(usize) -> (&'a [f32], &'a [f32])) {
        for (out, centre) in out.iter_mut().zip(centre) {
            *out = self.half[0] * centre;
        }
        for k in 1..=self.radius {
            let (weight, (a, b)) = (self.half[k], beside(k));
            for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
                *out += weight * (a + b);
            }
        }
    }
}

/// The pixel that stands at `i` of a side of `length`, mirrored as often as it takes.
fn mirrored(i: isize, length: usize) -> usize {
    let period = 2 * (length as isize - 1);
    if period == 0 {
        return 0;
    }
    let i = i.rem_euclid(period);
    i.min(period - i) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirroring_does_not_repeat_the_edge() {
        let found: Vec<usize> = (-5..9).map(|i| mirrored(i, 4)).collect();
        // b c d c b | a b c d | c b a b c, where a is 0.
        assert_eq!(found, [1, 2, 3, 2, 1, 0, 1, 2, 3, 2, 1, 0, 1, 2]);
        assert_eq!([-3, 0, 5].map(|i| mirrored(i, 1)), [0, 0, 0]);
        assert_eq!([-3, 0, 5].map(|i| mirrored(i, 2)), [1, 0, 1]);
    }

    #[test]
    fn the_radius_is_three_sigma_rounded_up_and_no_bell_is_wider_than_its_array() {
        for (sigma, radius) in [(0.1, 1), (0.34, 2), (1.0, 3), (1.01, 4), (MAX_SIGMA, 30)] {
            assert_eq!(Kernel::new(sigma).radius, radius, "sigma {sigma}");
        }
    }
}
