//! The confusion matrix as a picture.

use std::path::Path;

use image::{Rgb, RgbImage, imageops};

use crate::error::Error;
use crate::font::{Fonts, Style, Weight, blend};
use crate::layout::MAX_SIDE;
use crate::png;

const PAPER: Rgb<u8> = Rgb([253, 253, 252]);
const EMPTY: Rgb<u8> = Rgb([243, 243, 241]);
// Of Okabe and Ito's palette ("Color Universal Design", 2008), as charts have them.
const RIGHT: Rgb<u8> = Rgb([0, 114, 178]);
const WRONG: Rgb<u8> = Rgb([213, 94, 0]);

const TITLE: Style = Style::new(Weight::SemiBold, 22.0, 30, 0x1b1d20);
const NOTE: Style = Style::new(Weight::Regular, 14.0, 20, 0x5b6168);
const NAME: Style = Style::new(Weight::Regular, 14.0, 20, 0x33373c);
const DARK: Style = Style::new(Weight::Regular, 15.0, 20, 0x1b1d20);
const LIGHT: Style = Style::new(Weight::Regular, 15.0, 20, 0xffffff);

// In pixels.
const MARGIN: u32 = 32;
const GAP: u32 = 8;
const MAX_NAME: f32 = 200.0;
const MIN_CONTENT: u32 = 420;
/// More classes than these have cells without numbers, and no names: they could not be read.
const MAX_LEGIBLE: usize = 40;

/// Photos by actual class (row) and predicted class (column), `[C, C]`; right answers blue, wrong ones orange, the darker the
/// larger their share of the row. Cells hold counts or, where `is_normalised`, percentages of their row. Beyond 40 classes
/// there are colours only. Names are cut where they have no room. The same matrix gives the same pixels.
///
/// # Errors
/// [`Error::TooLarge`] for more classes than [`MAX_SIDE`] has pixels for, [`Error::Font`].
pub fn confusion_picture(
    classes: &[String],
    confusion: &[Vec<u64>],
    is_normalised: bool,
) -> Result<RgbImage, Error> {
    let fonts = Fonts::load()?;
    let is_legible = classes.len() <= MAX_LEGIBLE;
    let side = match classes.len() {
        0..=8 => 72,
        9..=16 => 52,
        17..=MAX_LEGIBLE => 38,
        many => (1600 / many).clamp(1, 16) as u32,
    };
    let names: Vec<String> = if is_legible {
        classes.iter().map(|name| fonts.wrap(name, NAME, MAX_NAME, 1).concat()).collect()
    } else {
        Vec::new()
    };
    let widest = names.iter().map(|name| fonts.width(name, NAME)).fold(0.0, f32::max).ceil() as u32;
    let left = MARGIN + if names.is_empty() { 0 } else { widest + GAP };
    let is_upright = widest + GAP > side;
    let above = match names.is_empty() {
        true => 0,
        false if is_upright => widest + GAP,
        false => NAME.line + GAP,
    };
    let top = MARGIN + TITLE.line + NOTE.line + 2 * GAP + above;
    let cells = u32::try_from(classes.len()).unwrap_or(u32::MAX).saturating_mul(side);
    let width = left.saturating_add(cells).max(MARGIN + MIN_CONTENT).saturating_add(MARGIN);
    let height = top.saturating_add(cells).saturating_add(MARGIN);
    if width.max(height) > MAX_SIDE {
        return Err(Error::TooLarge { width: width.into(), height: height.into(), limit: MAX_SIDE });
    }

    let mut picture = RgbImage::from_pixel(width, height, PAPER);
    let (title, unit) =
        if is_normalised { ("Confusion, shares", " in % of the row") } else { ("Confusion, photos", "") };
    fonts.draw(&mut picture, title, TITLE, MARGIN as f32, MARGIN as f32 + TITLE.baseline());
    let note = format!("labelled ↓ taken for →{unit}");
    let y = (MARGIN + TITLE.line) as f32 + NOTE.baseline();
    fonts.draw(&mut picture, &note, NOTE, MARGIN as f32, y);
    for (at, name) in names.iter().enumerate() {
        let (start, name_width) = (at as u32 * side, fonts.width(name, NAME));
        let middle = |from: u32| (from + start + side / 2) as f32;
        let y = middle(top) - NAME.line as f32 / 2.0 + NAME.baseline();
        fonts.draw(&mut picture, name, NAME, (left - GAP) as f32 - name_width, y);
        if is_upright {
            let strip = upright(name, &fonts);
            let x = middle(left) - NAME.line as f32 / 2.0;
            imageops::replace(&mut picture, &strip, x as i64, i64::from(top - GAP / 2 - strip.height()));
        } else {
            let y = (top - GAP / 2 - NAME.line) as f32 + NAME.baseline();
            fonts.draw(&mut picture, name, NAME, middle(left) - name_width / 2.0, y);
        }
    }

    for row in 0..classes.len() {
        let counts = confusion.get(row).map_or(&[][..], Vec::as_slice);
        let total: u64 = counts.iter().sum();
        for column in 0..classes.len() {
            let count = counts.get(column).copied().unwrap_or(0);
            let share = if total > 0 { count as f64 / total as f64 } else { 0.0 };
            let (x, y) = (left + column as u32 * side, top + row as u32 * side);
            let shade = shade(share, row == column);
            let colour = blend(EMPTY, if row == column { RIGHT } else { WRONG }, (shade * 0.9) as f32);
            // A line of paper between cells that are large enough.
            let filled = if side >= 8 { side - 1 } else { side };
            for (across, down) in (0..filled).flat_map(|x| (0..filled).map(move |y| (x, y))) {
                picture.put_pixel(x + across, y + down, colour);
            }
            if is_legible && count > 0 {
                let text = if is_normalised { format!("{:.1}", 100.0 * share) } else { count.to_string() };
                let style = if shade > 0.6 { LIGHT } else { DARK };
                let size = style.size * ((side - 6) as f32 / fonts.width(&text, style)).min(1.0);
                let style = Style { size, ..style };
                let x = x as f32 + (side as f32 - fonts.width(&text, style)) / 2.0;
                let y = y as f32 + (side - style.line) as f32 / 2.0 + style.baseline();
                fonts.draw(&mut picture, &text, style, x, y);
            }
        }
    }
    Ok(picture)
}

/// Writes [`confusion_picture`] as a PNG file.
///
/// # Errors
/// Those of [`confusion_picture`], [`Error::Encode`] and [`Error::Io`].
pub fn write_png(
    classes: &[String],
    confusion: &[Vec<u64>],
    is_normalised: bool,
    path: &Path,
) -> Result<(), Error> {
    png::write(&confusion_picture(classes, confusion, is_normalised)?, path)
}

/// How dark the cell of a share of its row is, 0 to 1. One error of many photos is still to be seen.
pub(crate) fn shade(share: f64, is_right: bool) -> f64 {
    match share {
        0.0 => 0.0,
        _ if is_right => share,
        _ => 0.15 + 0.85 * share.sqrt(),
    }
}

/// A name that is read from bottom to top.
fn upright(name: &str, fonts: &Fonts) -> RgbImage {
    let mut strip = RgbImage::from_pixel(fonts.width(name, NAME).ceil() as u32 + 2, NAME.line, PAPER);
    fonts.draw(&mut strip, name, NAME, 1.0, NAME.baseline());
    imageops::rotate270(&strip)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(number: usize) -> Vec<String> {
        (0..number).map(|class| format!("class {class} {}", "with a long name ".repeat(7))).collect()
    }

    fn count(picture: &RgbImage, is: impl Fn([u8; 3]) -> bool) -> usize {
        picture.pixels().filter(|pixel| is(pixel.0)).count()
    }

    /// Two classes of 72 pixels: 71 x 71 of each cell are filled. Shares of the row by hand: 0.75 and 0.25, 0 and 1; blue at
    /// 0.9 · 0.75 and 0.9, orange at 0.9 · (0.15 + 0.85 sqrt(0.25)).
    #[test]
    fn rows_are_labels_and_columns_are_predictions() {
        let names = ["cats".to_owned(), "dogs".to_owned()];
        let picture = confusion_picture(&names, &[vec![3, 1], vec![0, 4]], false).unwrap();
        let cell = |x: u32, y: u32| *picture.get_pixel(picture.width() - MARGIN - MIN_CONTENT + x, y);
        assert_eq!(cell(0, 0), PAPER);
        let right = blend(EMPTY, RIGHT, 0.675);
        let wrong = blend(EMPTY, WRONG, 0.5175);
        let all = blend(EMPTY, RIGHT, 0.9);
        for (colour, what) in [(right, "3 of 4"), (wrong, "1 of 4"), (all, "4 of 4"), (EMPTY, "none")] {
            let pixels = count(&picture, |pixel| pixel == colour.0);
            assert!((4600..=71 * 71).contains(&pixels), "{what}: {pixels} pixels of {colour:?}");
        }
        let find =
            |colour: Rgb<u8>| picture.enumerate_pixels().find(|(_, _, pixel)| **pixel == colour).unwrap();
        let [(right_x, right_y, _), (wrong_x, wrong_y, _)] = [find(right), find(wrong)];
        assert_eq!(
            (wrong_x - right_x, wrong_y),
            (72, right_y),
            "a mistaken cat stands right of the right ones"
        );
    }

    #[test]
    fn any_number_of_classes_with_long_names_fits() {
        for number in [0, 1, 8, 9, 17, 40, 41, 200, 1000, 5000] {
            let picture = confusion_picture(&classes(number), &[], true).unwrap();
            assert!(
                picture.width().max(picture.height()) <= MAX_SIDE,
                "{number}: {:?}",
                picture.dimensions()
            );
        }
        let error = confusion_picture(&classes(9000), &[], true).unwrap_err();
        assert!(error.to_string().starts_with("cannot draw a sheet of 9064 x "), "{error}");
    }

    #[test]
    fn shares_and_counts_are_two_pictures() {
        let names = classes(3);
        let confusion = [vec![30, 1, 0], vec![2, 123_456, 0], vec![0, 0, 7]];
        let [counts, shares] = [false, true].map(|is| confusion_picture(&names, &confusion, is).unwrap());
        assert_eq!(counts.dimensions(), shares.dimensions());
        assert!(counts != shares);
    }
}
