//! Operations on the colours of a view, each as `torchvision.transforms.v2.functional` (0.28) defines it for floats.
//!
//! All work in place on [`Planes`], `[3, H, W]`, 0 to 1, and leave values in 0 to 1. Those that blend compute
//! `factor * v + (1 - factor) * other` for each value v, clipped to 0..1: factor 1 changes nothing, 0 leaves only
//! the other picture, above 1 leads away from it. Where levels are meant, they are the nearest of 255.

use crate::planes::{Planes, level};

/// Multiplies every value by `factor`, 0 or more: a blend with black.
pub fn brightness(planes: &mut Planes, factor: f32) {
    for value in &mut planes.pixels_chw {
        *value = (factor * *value).clamp(0.0, 1.0);
    }
}

/// Blends with the mean of the grey picture: `factor` 0 gives one grey, above 1 more contrast.
pub fn contrast(planes: &mut Planes, factor: f32) {
    let mean = grey(planes.channels_mut().map(|plane| mean(plane)));
    for value in &mut planes.pixels_chw {
        *value = blend(*value, mean, factor);
    }
}

/// Blends each pixel with its grey: `factor` 0 gives a grey picture, above 1 stronger colours.
pub fn saturation(planes: &mut Planes, factor: f32) {
    each_pixel(planes, |pixel| {
        let grey = grey(pixel);
        pixel.map(|value| blend(value, grey, factor))
    });
}

/// Turns the hue by `turns` of the colour circle, -0.5 to 0.5; red goes to yellow for 1/6.
///
/// With M and m the largest and smallest of R, G and B, the hue in sixths of the circle is
/// `h = (G - B) / (M - m)` where R is the largest, else `2 + (B - R) / (M - m)` where G is, else
/// `4 + (R - G) / (M - m)`. Back, with `k = (n + h) mod 6` for n = 5, 3, 1 (R, G, B), a channel is
/// `M - (M - m) * clamp(min(k, 4 - k), 0, 1)`: HSV (Smith 1978) in its closed form.
pub fn hue(planes: &mut Planes, turns: f32) {
    // Rounding on the way to hue and back would change pixels.
    if turns == 0.0 {
        return;
    }
    each_pixel(planes, |[r, g, b]| {
        let most = r.max(g).max(b);
        let range = most - r.min(g).min(b);
        let (base, difference) = if most == r {
            (0.0, g - b)
        } else if most == g {
            (2.0, b - r)
        } else {
            (4.0, r - g)
        };
        // A grey has no hue: its difference is 0, whatever it is divided by.
        let h = around_the_circle(base + difference / range.max(f32::MIN_POSITIVE) + 6.0 * turns);
        [5.0, 3.0, 1.0].map(|n| {
            let k = around_the_circle(n + h);
            most - range * k.min(4.0 - k).clamp(0.0, 1.0)
        })
    });
}

/// A hue in sixths, from -6 to 12, brought to 0..6. The remainder of a division would take most of the time.
fn around_the_circle(sixths: f32) -> f32 {
    if sixths < 0.0 {
        sixths + 6.0
    } else if sixths >= 6.0 {
        sixths - 6.0
    } else {
        sixths
    }
}

/// Sets R, G and B to the pixel's grey.
pub fn grayscale(planes: &mut Planes) {
    each_pixel(planes, |pixel| [grey(pixel); 3]);
}

/// Inverts values of at least `threshold`, 0 to 1: v becomes 1 - v.
pub fn solarize(planes: &mut Planes, threshold: f32) {
    for value in &mut planes.pixels_chw {
        *value = if *value >= threshold { 1.0 - *value } else { *value };
    }
}

/// Keeps the upper `bits`, 0 to 8, of each 8-bit level. (torchvision's definition for 8-bit pictures; the one for
/// floats has other levels.)
pub fn posterize(planes: &mut Planes, bits: u32) {
    let kept = !(0xFF_u32 >> bits.min(8)) as u8;
    for value in &mut planes.pixels_chw {
        *value = f32::from(level(*value) & kept) / 255.0;
    }
}

/// Stretches each channel so that its smallest value becomes 0 and its largest 1. A channel of one value stays.
pub fn autocontrast(planes: &mut Planes) {
    for plane in planes.channels_mut() {
        let low = plane.iter().copied().fold(f32::INFINITY, f32::min);
        let high = plane.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        if low < high {
            let range = high - low;
            for value in plane {
                *value = ((*value - low) / range).clamp(0.0, 1.0);
            }
        }
    }
}

/// Equalises the histogram of each channel's 8-bit levels, with Pillow's rounding:
/// `step = (pixels - pixels of the highest level present) / 255`, and level k becomes
/// `min((pixels below k + step / 2) / step, 255)`, all whole numbers. A channel whose step is 0 stays.
pub fn equalize(planes: &mut Planes) {
    for plane in planes.channels_mut() {
        let mut histogram = [0_usize; 256];
        for value in plane.iter() {
            histogram[usize::from(level(*value))] += 1;
        }
        let highest = histogram.iter().rev().find(|count| **count > 0).copied().unwrap_or(0);
        let step = (plane.len() - highest) / 255;
        if step == 0 {
            continue;
        }
        let mut below = step / 2;
        let table = histogram.map(|count| {
            let equalised = (below / step).min(255);
            below += count;
            equalised as f32 / 255.0
        });
        for value in plane {
            *value = table[usize::from(level(*value))];
        }
    }
}

/// Blends with a blurred picture: `factor` 0 gives that, above 1 a sharper one.
///
/// Blurred is the mean over 3 x 3 pixels where the middle counts 5 times, the others once. Pixels at the edge stay, and
/// so does a picture with a side of 2 or less. What `scratch` held is lost.
pub fn sharpness(planes: &mut Planes, factor: f32, scratch: &mut Vec<f32>) {
    let (width, height) = (planes.width, planes.height);
    if width <= 2 || height <= 2 {
        return;
    }
    for plane in planes.channels_mut() {
        scratch.clear();
        scratch.extend_from_slice(plane);
        for y in 1..height - 1 {
            let row = |y: usize| scratch[y * width..][..width].windows(3);
            let inside = &mut plane[y * width + 1..][..width - 2];
            for (((value, above), here), below) in
                inside.iter_mut().zip(row(y - 1)).zip(row(y)).zip(row(y + 1))
            {
                let sum = |three: &[f32]| three[0] + three[1] + three[2];
                let blurred = (sum(above) + sum(here) + sum(below) + 4.0 * *value) / 13.0;
                *value = blend(*value, blurred, factor);
            }
        }
    }
}

/// The grey of a pixel: ITU-R BT.601 with torchvision's rounded weights, whose sum is 0.9999.
fn grey([r, g, b]: [f32; 3]) -> f32 {
    0.2989 * r + 0.587 * g + 0.114 * b
}

fn blend(value: f32, other: f32, factor: f32) -> f32 {
    (factor * value + (1.0 - factor) * other).clamp(0.0, 1.0)
}

/// The mean of a plane. Eight sums at a time: in one, each addition would wait for the last.
fn mean(plane: &[f32]) -> f32 {
    let mut sums = [0.0_f64; 8];
    for values in plane.chunks(8) {
        for (sum, value) in sums.iter_mut().zip(values) {
            *sum += f64::from(*value);
        }
    }
    (sums.iter().sum::<f64>() / plane.len() as f64) as f32
}

/// Replaces each pixel (R, G, B).
fn each_pixel(planes: &mut Planes, change: impl Fn([f32; 3]) -> [f32; 3]) {
    let [red, green, blue] = planes.channels_mut();
    for ((r, g), b) in red.iter_mut().zip(green).zip(blue) {
        [*r, *g, *b] = change([*r, *g, *b]);
    }
}
