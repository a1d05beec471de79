//! The page of what was found in a data set.

use image::{Rgb, RgbImage};
use pipeline_report::inspection::{Heading, Inspection, Part, Table};
use pipeline_report::{Error, Row, Tile};

use super::html::elements;

fn tile(caption: &str, side: u32) -> Tile {
    Tile { picture: RgbImage::from_pixel(side, side / 2, Rgb([9, 8, 7])), caption: caption.to_owned() }
}

fn page(name: &str) -> Inspection {
    let heading = |is_number| Heading { name: name.to_owned(), is_number };
    let table = Table { head: vec![heading(false), heading(true)], rows: vec![vec![name.to_owned(); 2]] };
    let part = Part {
        title: name.to_owned(),
        count: name.to_owned(),
        is_alarm: true,
        note: name.to_owned(),
        table: Some(table),
        rows: vec![Row { heading: Some(name.to_owned()), tiles: vec![tile(name, 8), tile(name, 6)] }],
        left_out: name.to_owned(),
    };
    Inspection { title: name.to_owned(), note: name.to_owned(), parts: vec![part, Part::default()] }
}

#[test]
fn names_that_look_like_html_stay_texts_in_every_place_and_nothing_comes_from_outside() {
    let name = "\"><img src=x onerror=alert(1)>.jpg";
    let html = page(name).html().unwrap();
    let images = elements(&html).into_iter().filter(|element| element == "img").count();
    assert_eq!(images, 2, "two pictures, and no name is an element\n{html}");
    assert!(!elements(&html).contains(&"script".to_owned()));
    // Title twice, note; link and heading with counts, note, head and cells twice, heading, two captions, rest.
    assert_eq!(html.matches("&lt;img src=x").count(), 3 + 4 + 1 + 4 + 1 + 2 + 1);
    assert!(!html.contains("http:") && !html.contains("https:"));
    assert_eq!(html, page(name).html().unwrap(), "the same bytes");
}

#[test]
fn a_part_without_anything_to_show_is_in_the_list_alone() {
    let html = page("a").html().unwrap();
    assert_eq!((html.matches("<li").count(), html.matches("<section").count()), (2, 1));
    assert_eq!(html.matches("href=").count(), 1);
}

#[test]
fn a_picture_without_pixels_is_an_error() {
    let mut page = page("a");
    page.parts[0].rows[0].tiles[1] = tile("empty", 1);
    let error = page.html().unwrap_err();
    assert!(
        matches!(&error, Error::NoPixels { caption, width: 1, height: 0 } if caption == "empty"),
        "{error}"
    );
}
