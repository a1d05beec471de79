use image::{GenericImageView, RgbImage};
use pipeline_report::{Row, Section, Sheet, Tile};

use super::{sheet, tile};

/// Where a picture stands in another, compared pixel by pixel.
fn find(picture: &RgbImage, sheet: &RgbImage) -> Vec<(u32, u32)> {
    let (width, height) = picture.dimensions();
    let places = (0..=sheet.height() - height).flat_map(|y| (0..=sheet.width() - width).map(move |x| (x, y)));
    let is_here = |&(x, y): &(u32, u32)| {
        picture.get_pixel(0, 0) == sheet.get_pixel(x, y)
            && sheet
                .view(x, y, width, height)
                .pixels()
                .all(|(dx, dy, p)| *picture.get_pixel(dx, dy) == image::Rgb([p[0], p[1], p[2]]))
    };
    places.filter(is_here).collect()
}

/// By hand: margin 48, title 38, note 4 + 22; section 52, title 28, note 4 + 22; row 24: y 242. Columns are 120, 130 and
/// 96 wide with 16 between. First row 200 + caption 6 + 18; 24, heading 20, 8: y 518. That row is as high as its
/// highest tile with caption, 65 + 24; section 52, title 28, row 24, heading 20, 8: y 739.
#[test]
fn each_picture_is_found_where_it_should_be_pixel_by_pixel() {
    let sheet = sheet();
    let picture = sheet.render().unwrap();
    let tiles: Vec<&Tile> = sheet.sections.iter().flat_map(|s| &s.rows).flat_map(|r| &r.tiles).collect();
    let expected = [(48, 242), (184, 242), (48, 518), (184, 518), (330, 518), (48, 739)];
    assert_eq!(tiles.len(), expected.len());
    for (tile, expected) in tiles.iter().zip(expected) {
        assert!(
            find(&tile.picture, &picture).contains(&expected),
            "{:?} {expected:?}",
            tile.picture.dimensions()
        );
    }
    assert_eq!(picture.dimensions(), (736, 739 + 53 + 24 + 48));
}

/// The caption's letters are below their picture, and nothing but paper is in the margins.
#[test]
fn captions_are_drawn_and_margins_are_clear() {
    let picture = sheet().render().unwrap();
    let paper = *picture.get_pixel(0, 0);
    let ink = |x: u32, y: u32, width: u32, height: u32| {
        picture.view(x, y, width, height).pixels().filter(|(_, _, p)| p.0[..3] != paper.0).count()
    };
    assert!(ink(48, 242 + 90 + 6, 120, 18) > 100, "{}", ink(48, 242 + 90 + 6, 120, 18));
    assert_eq!(ink(48, 518 + 41 + 2, 96, 40), 0, "an empty caption");
    let (width, height) = picture.dimensions();
    for (x, y, w, h) in
        [(0, 0, width, 47), (0, 0, 47, height), (width - 47, 0, 47, height), (0, height - 47, width, 47)]
    {
        assert_eq!(ink(x, y, w, h), 0, "{w} x {h} at {x}, {y}");
    }
}

/// An 8 x 6 chequer of 10 and 30, two pixels a square, shrinks to its squares.
#[test]
fn a_smaller_picture_is_the_mean_of_its_pixels() {
    let high = |_| Row { heading: None, tiles: vec![tile(3, 3000, "")] };
    let chequer =
        RgbImage::from_fn(8, 6, |x, y| image::Rgb([10 + 20 * ((x / 2 + y / 2) % 2) as u8, x as u8, 0]));
    let mut rows =
        vec![Row { heading: None, tiles: vec![Tile { picture: chequer, caption: String::new() }] }];
    rows.extend((0..4).map(high));
    let section = Section { title: "s".to_owned(), note: None, rows };
    let sheet = Sheet { title: "t".to_owned(), note: None, sections: vec![section] };
    let picture = sheet.render().unwrap();
    let y = 48 + 38 + 52 + 28 + 24;
    let red: Vec<u8> = picture.view(48, y, 4, 3).pixels().map(|(_, _, p)| p[0]).collect();
    assert_eq!(red, [10, 30, 10, 30, 30, 10, 30, 10, 10, 30, 10, 30]);
}

#[test]
fn an_empty_sheet_is_a_clear_page() {
    let picture = Sheet::default().render().unwrap();
    assert_eq!(picture.dimensions(), (736, 96));
    assert!(picture.pixels().all(|pixel| pixel == picture.get_pixel(0, 0)));
}

#[test]
fn the_same_sheet_gives_the_same_file_and_it_holds_the_picture() {
    let dir = tempfile::tempdir().unwrap();
    let [first, second] = ["a.png", "b.png"].map(|name| dir.path().join(name));
    sheet().write_png(&first).unwrap();
    sheet().write_png(&second).unwrap();
    let bytes = fs_err::read(&first).unwrap();
    assert!(bytes == fs_err::read(&second).unwrap());
    assert!(image::load_from_memory(&bytes).unwrap().into_rgb8() == sheet().render().unwrap());
}

#[test]
fn a_file_that_cannot_be_written_is_named() {
    let dir = tempfile::tempdir().unwrap();
    for error in [
        sheet().write_png(&dir.path().join("no/preview.png")).unwrap_err(),
        sheet().write_html(&dir.path().join("no/preview.html")).unwrap_err(),
    ] {
        assert!(error.to_string().contains("no/preview."), "{error}");
    }
}
