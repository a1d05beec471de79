//! Where everything on a sheet stands. Nothing is drawn here.
//!
//! From top to bottom: title, note, then each section with its title, its note and its rows, a heading above the tiles.
//! Everything starts at the left margin; in a section, column k is as wide as its widest tile. Pictures of a row hang from
//! one line, each with its caption right below.

use image::RgbImage;

use crate::error::Error;
use crate::font::{Fonts, Style, Weight};
use crate::sheet::{Row, Section, Sheet};

/// The longest side of a sheet, in pixels. Browsers and viewers show pictures up to about 16,384; half of it keeps a
/// sheet below 192 MiB in memory.
pub const MAX_SIDE: u32 = 8192;
/// Pictures are drawn at 1/`MAX_SHRINK` or more of their size.
const MAX_SHRINK: u32 = 16;

// Spaces, in pixels.
const MARGIN: u64 = 48;
const ABOVE_SECTION: u64 = 52;
const ABOVE_ROW: u64 = 24;
const ABOVE_NOTE: u64 = 4;
const BELOW_HEADING: u64 = 8;
const ABOVE_CAPTION: u64 = 6;
const BETWEEN_COLUMNS: u64 = 16;

// Widths, in pixels.
/// Between the margins at least, so that titles have room above small pictures.
const MIN_CONTENT: u64 = 640;
/// Of a column at least, so that captions have room below small pictures.
const MIN_COLUMN: u64 = 96;

const TITLE: Style = Style::new(Weight::SemiBold, 28.0, 38, 0x1b1d20);
const SECTION: Style = Style::new(Weight::SemiBold, 20.0, 28, 0x1b1d20);
const HEADING: Style = Style::new(Weight::SemiBold, 14.0, 20, 0x33373c);
const NOTE: Style = Style::new(Weight::Regular, 15.0, 22, 0x5b6168);
const CAPTION: Style = Style::new(Weight::Regular, 13.0, 18, 0x5b6168);

/// A sheet, laid out. All in pixels.
#[derive(Debug)]
pub(crate) struct Layout<'a> {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) pictures: Vec<Placed<'a>>,
    pub(crate) texts: Vec<Text>,
}

/// A picture and the rectangle it is drawn in, at least [`MARGIN`] from the edges.
#[derive(Debug)]
pub(crate) struct Placed<'a> {
    pub(crate) x: u32,
    pub(crate) y: u32,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) picture: &'a RgbImage,
}

/// A line of text, whose top left corner is at (x, y).
#[derive(Debug)]
pub(crate) struct Text {
    pub(crate) x: u32,
    pub(crate) y: u32,
    pub(crate) line: String,
    pub(crate) style: Style,
}

impl<'a> Layout<'a> {
    /// The layout with the largest pictures that fit.
    pub(crate) fn of(sheet: &'a Sheet, fonts: &Fonts) -> Result<Layout<'a>, Error> {
        sheet.check()?;
        let fits = |size: &(u64, u64)| size.0.max(size.1) <= u64::from(MAX_SIDE);
        let mut size = (0, 0);
        for shrink in 1..=MAX_SHRINK {
            let page = Page::of(sheet, fonts, shrink);
            size = page.size();
            if fits(&size) {
                let (width, height) = (size.0 as u32, size.1 as u32);
                return Ok(Layout { width, height, pictures: page.pictures, texts: page.texts });
            }
        }
        Err(Error::TooLarge { width: size.0, height: size.1, limit: MAX_SIDE })
    }
}

/// A layout in the making, filled from the top. Positions that are beyond `u32` are cut off there: such a page does
/// not fit and is thrown away.
struct Page<'a, 'f> {
    fonts: &'f Fonts,
    /// Pictures are drawn at one `shrink`-th of their size.
    shrink: u32,
    /// Between the margins.
    content: u64,
    /// Below everything so far.
    y: u64,
    pictures: Vec<Placed<'a>>,
    texts: Vec<Text>,
}

impl<'a, 'f> Page<'a, 'f> {
    fn of(sheet: &'a Sheet, fonts: &'f Fonts, shrink: u32) -> Page<'a, 'f> {
        let sections = sheet.sections.iter().map(|section| (section, columns(section, shrink)));
        let sections: Vec<_> = sections.collect();
        let widths = sections.iter().map(|(_, columns)| span(columns));
        let content = widths.max().unwrap_or(0).max(MIN_CONTENT);

        let mut page = Page { fonts, shrink, content, y: MARGIN, pictures: vec![], texts: vec![] };
        page.heading(&sheet.title, TITLE, 0, 2);
        page.note(sheet.note.as_deref());
        for (section, columns) in &sections {
            page.heading(&section.title, SECTION, ABOVE_SECTION, 1);
            page.note(section.note.as_deref());
            for row in &section.rows {
                page.row(row, columns);
            }
        }
        page
    }

    /// Width and height of the whole sheet.
    fn size(&self) -> (u64, u64) {
        (self.content + 2 * MARGIN, self.y + MARGIN)
    }

    fn heading(&mut self, text: &str, style: Style, above: u64, max_lines: usize) {
        self.skip(above);
        self.y += self.text(text, style, MARGIN, self.y, self.content, max_lines);
    }

    fn note(&mut self, text: Option<&str>) {
        if let Some(text) = text {
            self.skip(ABOVE_NOTE);
            // Long lines are hard to read: about 100 letters.
            let width = self.content.min(760);
            self.y += self.text(text, NOTE, MARGIN, self.y, width, 4);
        }
    }

    fn row(&mut self, row: &'a Row, columns: &[u64]) {
        self.skip(ABOVE_ROW);
        if let Some(heading) = &row.heading {
            self.heading(heading, HEADING, 0, 1);
            self.skip(BELOW_HEADING);
        }
        let (top, mut bottom, mut x) = (self.y, self.y, MARGIN);
        for (tile, column) in row.tiles.iter().zip(columns) {
            let [width, height] = drawn(&tile.picture, self.shrink);
            self.pictures.push(Placed { x: px(x), y: px(top), width, height, picture: &tile.picture });
            let below = top + u64::from(height) + ABOVE_CAPTION;
            bottom = bottom.max(below + self.text(&tile.caption, CAPTION, x, below, *column, 2));
            x += column + BETWEEN_COLUMNS;
        }
        self.y = bottom;
    }

    /// A space, unless nothing stands above it.
    fn skip(&mut self, space: u64) {
        if self.y > MARGIN {
            self.y += space;
        }
    }

    /// Places a text of at most `max_lines` lines at (x, y) and returns its height.
    fn text(&mut self, text: &str, style: Style, x: u64, y: u64, width: u64, max_lines: usize) -> u64 {
        let mut height = 0;
        for line in self.fonts.wrap(text, style, width as f32, max_lines) {
            self.texts.push(Text { x: px(x), y: px(y + height), line, style });
            height += u64::from(style.line);
        }
        height
    }
}

/// Width of each column of a section.
fn columns(section: &Section, shrink: u32) -> Vec<u64> {
    let mut columns = vec![MIN_COLUMN; section.columns()];
    for row in &section.rows {
        for (column, tile) in columns.iter_mut().zip(&row.tiles) {
            *column = u64::from(drawn(&tile.picture, shrink)[0]).max(*column);
        }
    }
    columns
}

/// Width of all columns and the spaces between them.
fn span(columns: &[u64]) -> u64 {
    columns.iter().sum::<u64>() + BETWEEN_COLUMNS * (columns.len() as u64).saturating_sub(1)
}

/// Width and height of a picture on the sheet.
fn drawn(picture: &RgbImage, shrink: u32) -> [u32; 2] {
    [picture.width(), picture.height()].map(|side| (side / shrink).max(1))
}

fn px(at: u64) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sheet::Tile;

    fn tile(width: u32, height: u32, caption: &str) -> Tile {
        Tile { picture: RgbImage::new(width, height), caption: caption.to_owned() }
    }

    fn sheet(rows: Vec<Row>) -> Sheet {
        let section = Section { title: "Views".to_owned(), note: None, rows };
        Sheet { title: "Preview".to_owned(), note: None, sections: vec![section] }
    }

    fn places(layout: &Layout<'_>) -> Vec<[u32; 4]> {
        layout.pictures.iter().map(|p| [p.x, p.y, p.width, p.height]).collect()
    }

    fn lines<'a>(layout: &'a Layout<'_>) -> Vec<(u32, u32, &'a str)> {
        layout.texts.iter().map(|text| (text.x, text.y, text.line.as_str())).collect()
    }

    /// By hand: margin 48, title 38, space 52, section title 28, space 24, heading 20, space 8: tiles at y 218. The
    /// first column is 300 wide (second row), the second starts at 48 + 300 + 16. The taller picture of the first
    /// row is 130 high, its caption 6 + 18; space 24: the second row at 396, 90 high, two lines of caption, margin 48.
    /// By the font's `hmtx` table, the first line is 263.9 pixels wide, and 313.0 with the next word.
    #[test]
    fn tiles_hang_from_one_line_and_stand_in_columns() {
        let long = "a caption that is too long for one line of the column";
        let sheet = sheet(vec![
            Row {
                heading: Some("cat.1.jpg".to_owned()),
                tiles: vec![tile(200, 100, "a"), tile(50, 130, "b")],
            },
            Row { heading: None, tiles: vec![tile(300, 90, long), tile(20, 10, "")] },
        ]);
        let layout = Layout::of(&sheet, &Fonts::load().unwrap()).unwrap();
        assert_eq!(
            places(&layout),
            [[48, 218, 200, 100], [364, 218, 50, 130], [48, 396, 300, 90], [364, 396, 20, 10]]
        );
        assert_eq!((layout.width, layout.height), (48 + 640 + 48, 396 + 90 + 6 + 36 + 48));
        assert_eq!(
            lines(&layout),
            [
                (48, 48, "Preview"),
                (48, 138, "Views"),
                (48, 190, "cat.1.jpg"),
                (48, 324, "a"),
                (364, 354, "b"),
                (48, 492, "a caption that is too long for one line of the"),
                (48, 510, "column"),
            ]
        );
    }

    #[test]
    fn an_empty_sheet_has_its_margins() {
        let layout = Layout::of(&Sheet::default(), &Fonts::load().unwrap()).map(|l| (l.width, l.height));
        assert_eq!(layout.unwrap(), (736, 96));
    }

    #[test]
    fn texts_stay_in_their_place() {
        let fonts = Fonts::load().unwrap();
        let long = "photograph ".repeat(200);
        let row =
            Row { heading: Some(long.clone()), tiles: vec![tile(50, 60, &long), tile(1000, 70, &long)] };
        let mut sheet = sheet(vec![row]);
        sheet.sections[0].title.clone_from(&long);
        (sheet.title, sheet.note) = (long.clone(), Some(long));
        let layout = Layout::of(&sheet, &fonts).unwrap();
        for text in &layout.texts {
            let right = text.x as f32 + fonts.width(&text.line, text.style);
            assert!(right <= (layout.width - 48) as f32, "{right} of {}: {}", layout.width, text.line);
        }
        let of = |style: Style| layout.texts.iter().filter(|text| text.style == style).count();
        assert_eq!([of(TITLE), of(NOTE), of(SECTION), of(HEADING), of(CAPTION)], [2, 4, 1, 1, 4]);
    }

    /// Seven rows of 1,501 pixels are more than 8,192; at 1/2 they are 750 each.
    #[test]
    fn a_sheet_that_is_too_high_has_smaller_pictures() {
        let row = || Row { heading: None, tiles: vec![tile(801, 1501, "")] };
        let sheet = sheet((0..7).map(|_| row()).collect());
        let layout = Layout::of(&sheet, &Fonts::load().unwrap()).unwrap();
        let sides: Vec<_> = layout.pictures.iter().map(|p| [p.width, p.height]).collect();
        assert_eq!(sides, [[400, 750]; 7]);
        assert_eq!(layout.height, 48 + 38 + 52 + 28 + 7 * (24 + 750 + 6) + 48);
    }

    #[test]
    fn a_sheet_that_cannot_fit_is_an_error() {
        let row = || Row { heading: None, tiles: vec![tile(2, 3, "")] };
        let sheet = sheet((0..300).map(|_| row()).collect());
        let error = Layout::of(&sheet, &Fonts::load().unwrap()).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "cannot draw a sheet of 736 x {} pixels: expected at most 8192 on a side",
                48 + 38 + 52 + 28 + 300 * (24 + 1 + 6) + 48
            )
        );
    }

    #[test]
    fn a_picture_without_pixels_is_an_error() {
        for (width, height) in [(0, 5), (u32::MAX, 0)] {
            let sheet = sheet(vec![Row { heading: None, tiles: vec![tile(width, height, "cat")] }]);
            let error = Layout::of(&sheet, &Fonts::load().unwrap()).unwrap_err();
            assert!(matches!(error, Error::NoPixels { .. }), "{error}");
        }
    }
}
