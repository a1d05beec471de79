//! Text on pictures: measured, broken into lines, drawn.
//!
//! The fonts are shipped (see `fonts/README.md`), so that text looks the same on every machine. Characters follow each
//! other by their advance, without kerning or ligatures, from left to right. One that the fonts lack is drawn as the
//! box `.notdef`.

use ab_glyph::{Font, FontRef, GlyphId, PxScale, point};
use image::{Rgb, RgbImage};

use crate::error::Error;

/// How thick the strokes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    Regular,
    SemiBold,
}

/// How a text looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Style {
    pub(crate) weight: Weight,
    /// Size of the em, in pixels.
    pub(crate) size: f32,
    /// Distance from line to line, in pixels.
    pub(crate) line: u32,
    pub(crate) colour: Rgb<u8>,
}

impl Style {
    /// `rgb` is the colour, `0xrrggbb`.
    pub(crate) const fn new(weight: Weight, size: f32, line: u32, rgb: u32) -> Style {
        let [_, r, g, b] = rgb.to_be_bytes();
        Style { weight, size, line, colour: Rgb([r, g, b]) }
    }

    /// From the top of a line to its baseline, in pixels, so that capitals stand in the middle of the line.
    pub(crate) fn baseline(&self) -> f32 {
        /// Height of a capital, in em (`sCapHeight` of the font).
        const CAPITAL: f32 = 0.714;
        ((self.line as f32 + CAPITAL * self.size) / 2.0).round()
    }
}

/// The shipped fonts.
pub(crate) struct Fonts {
    regular: FontRef<'static>,
    semi_bold: FontRef<'static>,
    /// Arrows and signs that the others lack.
    signs: FontRef<'static>,
}

impl Fonts {
    pub(crate) fn load() -> Result<Fonts, Error> {
        let font =
            |name, bytes| FontRef::try_from_slice(bytes).map_err(|source| Error::Font { name, source });
        Ok(Fonts {
            regular: font("NotoSans-Regular.ttf", include_bytes!("../fonts/NotoSans-Regular.ttf"))?,
            semi_bold: font("NotoSans-SemiBold.ttf", include_bytes!("../fonts/NotoSans-SemiBold.ttf"))?,
            signs: font("NotoSansMath-Regular.ttf", include_bytes!("../fonts/NotoSansMath-Regular.ttf"))?,
        })
    }

    /// Width of a text on one line, in pixels.
    pub(crate) fn width(&self, text: &str, style: Style) -> f32 {
        text.chars().map(|c| self.advance(c, style)).sum()
    }

    /// Breaks a text at spaces, or within a word that is wider than the line, into at most `max_lines` lines of at
    /// most `width` pixels. The last ends with `…` where text is left over. Each run of spaces and line ends counts as one
    /// space; an empty text has no lines.
    pub(crate) fn wrap(&self, text: &str, style: Style, width: f32, max_lines: usize) -> Vec<String> {
        let text = text.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
        let mut lines = Vec::new();
        let mut rest = text.as_str();
        while !rest.is_empty() && lines.len() < max_lines {
            if lines.len() + 1 == max_lines {
                lines.push(self.truncate(rest, style, width));
                break;
            }
            let fits = self.fitting(rest, style, width);
            let is_word_end = rest[fits..].is_empty() || rest[fits..].starts_with(' ');
            let end = if is_word_end { fits } else { rest[..fits].rfind(' ').unwrap_or(fits) };
            lines.push(rest[..end].to_owned());
            rest = rest[end..].trim_start_matches(' ');
        }
        lines
    }

    /// The text, or as much of it as fits before a `…`.
    fn truncate(&self, text: &str, style: Style, width: f32) -> String {
        if self.width(text, style) <= width {
            return text.to_owned();
        }
        let end = self.fitting(text, style, width - self.advance('…', style));
        format!("{}…", text[..end].trim_end_matches(' '))
    }

    /// How many bytes of a text fit, but at least one character.
    fn fitting(&self, text: &str, style: Style, width: f32) -> usize {
        let mut used = 0.0;
        for (at, c) in text.char_indices() {
            used += self.advance(c, style);
            if used > width && at > 0 {
                return at;
            }
        }
        text.len()
    }

    /// Draws a text on one line, antialiased; what lies outside the picture is cut off.
    pub(crate) fn draw(&self, picture: &mut RgbImage, text: &str, style: Style, mut x: f32, baseline: f32) {
        for c in text.chars() {
            let (font, id) = self.glyph(c, style.weight);
            let glyph = id.with_scale_and_position(scale(font, style.size), point(x, baseline));
            if let Some(outline) = font.outline_glyph(glyph) {
                let corner = outline.px_bounds().min;
                outline.draw(|across, down, coverage| {
                    let (x, y) = (corner.x as i64 + i64::from(across), corner.y as i64 + i64::from(down));
                    let at = u32::try_from(x).ok().zip(u32::try_from(y).ok());
                    if let Some(pixel) = at.and_then(|(x, y)| picture.get_pixel_mut_checked(x, y)) {
                        *pixel = blend(*pixel, style.colour, coverage);
                    }
                });
            }
            x += self.advance(c, style);
        }
    }

    /// How far the next character is, in pixels.
    fn advance(&self, c: char, style: Style) -> f32 {
        let (font, id) = self.glyph(c, style.weight);
        font.h_advance_unscaled(id) * style.size / font.units_per_em().unwrap_or(1000.0)
    }

    /// The glyph of a character and the font that has it.
    fn glyph(&self, c: char, weight: Weight) -> (&FontRef<'static>, GlyphId) {
        const NOTDEF: GlyphId = GlyphId(0);
        let face = match weight {
            Weight::Regular => &self.regular,
            Weight::SemiBold => &self.semi_bold,
        };
        let font = [face, &self.signs].into_iter().find(|font| font.glyph_id(c) != NOTDEF).unwrap_or(face);
        (font, font.glyph_id(c))
    }
}

/// `ab_glyph` scales by the height of a font, not by its em.
fn scale(font: &FontRef<'static>, size: f32) -> PxScale {
    PxScale::from(size * font.height_unscaled() / font.units_per_em().unwrap_or(1000.0))
}

/// `over` on `under`, with coverage 0 to 1.
pub(crate) fn blend(under: Rgb<u8>, over: Rgb<u8>, coverage: f32) -> Rgb<u8> {
    let coverage = coverage.clamp(0.0, 1.0);
    let channel =
        |i: usize| (f32::from(under.0[i]) * (1.0 - coverage) + f32::from(over.0[i]) * coverage).round() as u8;
    Rgb([channel(0), channel(1), channel(2)])
}

#[cfg(test)]
mod tests {
    use super::*;

    const STYLE: Style = Style { weight: Weight::Regular, size: 20.0, line: 28, colour: Rgb([0, 0, 0]) };

    fn fonts() -> Fonts {
        Fonts::load().unwrap()
    }

    /// The smallest box around everything that is not white: left, top, right, bottom, all inclusive.
    fn ink(picture: &RgbImage) -> Option<[u32; 4]> {
        let dark = picture.enumerate_pixels().filter(|(_, _, pixel)| pixel.0 != [255; 3]);
        dark.fold(None, |found, (x, y, _)| {
            let [l, t, r, b] = found.unwrap_or([x, y, x, y]);
            Some([l.min(x), t.min(y), r.max(x), b.max(y)])
        })
    }

    fn drawn(text: &str, weight: Weight) -> RgbImage {
        let mut picture = RgbImage::from_pixel(90, 40, Rgb([255; 3]));
        fonts().draw(&mut picture, text, Style { weight, ..STYLE }, 10.0, 30.0);
        picture
    }

    /// Advances in 1/1000 em, read from the font's `hmtx` table with fonttools: H 741, i 258.
    #[test]
    fn a_text_is_as_wide_as_its_advances() {
        let width = fonts().width("HiH", STYLE);
        assert!((width - (741.0 + 258.0 + 741.0) * 20.0 / 1000.0).abs() < 1e-3, "{width}");
    }

    /// H in 1/1000 em, from the `glyf` table with fonttools: x 97 to 643, y 0 to 714. At 20 px from (10, 30): x 11.94
    /// to 22.86, y 15.72 to 30.
    #[test]
    fn a_letter_stands_on_its_baseline() {
        assert_eq!(ink(&drawn("H", Weight::Regular)), Some([11, 15, 22, 29]));
    }

    #[test]
    fn a_letter_that_no_font_has_is_drawn_as_a_box() {
        let expected = drawn("\u{10FFFF}", Weight::Regular);
        assert!(ink(&expected).is_some());
        for missing in ["\u{7}", "猫", "🐈"] {
            assert!(drawn(missing, Weight::Regular) == expected, "{missing:?}");
        }
    }

    #[test]
    fn each_script_and_sign_is_there_in_each_weight() {
        for weight in [Weight::Regular, Weight::SemiBold] {
            for c in "Aàéßœłžλμσ Жя°±×·…–—“”’‰€™½²₂→←↑↓−≈≠≤≥∞√".chars()
            {
                let id = fonts().glyph(c, weight).1;
                assert_ne!(id, GlyphId(0), "{c} {weight:?}");
            }
        }
    }

    #[test]
    fn text_outside_the_picture_is_cut_off() {
        let mut picture = RgbImage::from_pixel(9, 7, Rgb([255; 3]));
        for (x, baseline) in [(-5.0, 3.0), (4.0, 20.0), (5000.0, -5000.0)] {
            fonts().draw(&mut picture, "HHH", STYLE, x, baseline);
        }
        assert!(ink(&picture).is_some());
    }

    #[test]
    fn a_text_that_is_too_wide_ends_with_an_ellipsis_and_fits() {
        let fonts = fonts();
        for width in [40.0, 60.0, 95.5, 130.0] {
            let lines = fonts.wrap("rotate by 7.3 degrees", STYLE, width, 1);
            assert_eq!(lines.len(), 1);
            assert!(lines[0].ends_with('…') && !lines[0].ends_with(" …"), "{lines:?}");
            assert!(fonts.width(&lines[0], STYLE) <= width, "{lines:?} in {width}");
        }
        assert_eq!(fonts.wrap("rotate", STYLE, 95.5, 1), ["rotate"]);
    }

    #[test]
    fn lines_break_at_spaces_and_only_too_long_words_within() {
        let fonts = fonts();
        let wrap = |text: &str, lines| fonts.wrap(text, STYLE, 80.0, lines);
        assert_eq!(wrap("rotate by  7.3\ndegrees", 3), ["rotate", "by 7.3", "degrees"]);
        assert_eq!(wrap("rotate by 7.3 degrees", 2), ["rotate", "by 7.3…"]);
        assert_eq!(wrap(" \n ", 2), [] as [&str; 0]);
        let word = "train/cats/cat.12345.jpg";
        let lines = wrap(word, 9);
        assert!(lines.len() > 1, "{lines:?}");
        assert_eq!(lines.concat(), word);
    }

    #[test]
    fn a_place_narrower_than_a_letter_still_gets_one() {
        assert_eq!(fonts().wrap("cat", STYLE, 0.0, 2), ["c", "a…"]);
    }
}
