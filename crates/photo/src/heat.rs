//! [`over`]: a map of heat as colours over a picture.

use image::RgbImage;

/// matplotlib's `inferno` (van der Walt and Smith 2015, CC0), perceptually uniform from black to light yellow: its entries
/// 0, 15, ..., 255; colours in between are interpolated.
const INFERNO: [[u8; 3]; 18] = [
    [0, 0, 4],
    [10, 7, 34],
    [30, 12, 69],
    [56, 9, 98],
    [81, 14, 108],
    [105, 22, 110],
    [128, 31, 108],
    [152, 39, 102],
    [176, 49, 91],
    [198, 61, 77],
    [217, 77, 61],
    [233, 97, 43],
    [244, 121, 24],
    [250, 148, 7],
    [252, 176, 20],
    [248, 205, 55],
    [242, 234, 105],
    [252, 255, 164],
];

/// Share of the colour in the result; the rest is the picture.
const STRENGTH: f32 = 0.5;

/// `picture` with the heat `cam`, `[h, w]`, 0 to 1, as colours over it:
/// `(1 - STRENGTH) * grey(picture) + STRENGTH * inferno(heat)`. The picture is grey, so that every colour is one of heat.
/// The map is stretched over the picture bilinearly, its places as areas: the centre of the first one is half a place
/// from the edge. That is the convention; what a place of a ResNet's map looks at is centred half a place further up and left.
pub fn over(picture: &RgbImage, cam: &[f32], [h, w]: [usize; 2]) -> RgbImage {
    let (columns, rows) = (places(w, picture.width()), places(h, picture.height()));
    let mut heated = picture.clone();
    for (x, y, pixel) in heated.enumerate_pixels_mut() {
        let ((left, right, across), (above, below, down)) = (columns[x as usize], rows[y as usize]);
        let row = |row: usize| between(cam[row * w + left], cam[row * w + right], across);
        let colour = inferno(between(row(above), row(below), down));
        let grey = luma(pixel.0);
        pixel.0 = colour.map(|level| between(grey, level, STRENGTH).round() as u8);
    }
    heated
}

/// For each of `pixels` along a side, the two of the `count` places that it lies between, and its share of the second.
fn places(count: usize, pixels: u32) -> Vec<(usize, usize, f32)> {
    let place = |pixel: u32| {
        let at = (pixel as f32 + 0.5) * count as f32 / pixels as f32 - 0.5;
        let at = at.clamp(0.0, count as f32 - 1.0);
        let first = at as usize;
        (first, (first + 1).min(count - 1), at - first as f32)
    };
    (0..pixels).map(place).collect()
}

/// The colour of a heat of 0 to 1, each channel 0 to 255.
fn inferno(heat: f32) -> [f32; 3] {
    let at = heat.clamp(0.0, 1.0) * (INFERNO.len() - 1) as f32;
    let first = at as usize;
    let (low, high) = (INFERNO[first], INFERNO[(first + 1).min(INFERNO.len() - 1)]);
    [0, 1, 2].map(|channel| between(low[channel].into(), high[channel].into(), at - first as f32))
}

/// Brightness, 0 to 255 (ITU-R BT.601).
fn luma([red, green, blue]: [u8; 3]) -> f32 {
    0.299 * f32::from(red) + 0.587 * f32::from(green) + 0.114 * f32::from(blue)
}

/// From `a` to `b` by `share`.
fn between(a: f32, b: f32, share: f32) -> f32 {
    a + (b - a) * share
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    /// By hand: centres of 4 pixels on 2 places lie at (p + .5) / 2 - .5 = -.25, .25, .75, 1.25.
    #[test]
    fn a_map_is_stretched_with_the_centres_of_its_places_half_a_place_from_the_edge() {
        assert_eq!(places(2, 4), [(0, 1, 0.0), (0, 1, 0.25), (0, 1, 0.75), (1, 1, 0.0)]);
        assert_eq!(places(1, 2), [(0, 0, 0.0), (0, 0, 0.0)]);
    }

    /// By hand: heat 1 is (252, 255, 164), heat 0 is (0, 0, 4), and heat .5 lies in the middle of entries 120 and 135,
    /// (176, 49, 91) and (198, 61, 77): (187, 55, 84). Half of them beside half of the grey 100.
    #[test]
    fn half_of_the_colour_lies_over_half_of_the_grey_picture() {
        let picture = RgbImage::from_pixel(1, 3, Rgb([100, 100, 100]));
        let heated = over(&picture, &[1.0, 0.5, 0.0], [3, 1]);
        let pixels: Vec<[u8; 3]> = heated.pixels().map(|pixel| pixel.0).collect();
        assert_eq!(pixels, [[176, 178, 132], [144, 78, 92], [50, 50, 52]]);
    }

    #[test]
    fn rows_of_the_map_are_rows_of_the_picture() {
        let picture = RgbImage::new(3, 2);
        let heated = over(&picture, &[0.0, 0.0, 1.0, 0.0, 0.0, 0.0], [2, 3]);
        let hot = heated.enumerate_pixels().max_by_key(|(_, _, pixel)| pixel[1]).unwrap();
        assert_eq!((hot.0, hot.1), (2, 0));
    }
}
