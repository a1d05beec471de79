use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use pipeline_report::{Row, Section, Sheet};

use super::{sheet, tile};

/// The tags of a page in order, each as it stands between `<` and `>`.
fn tags(html: &str) -> Vec<&str> {
    html.split('<').skip(1).map(|rest| rest.split_once('>').expect("a tag ends").0).collect()
}

/// The names of all elements, after checking that each is closed where it should be.
pub(crate) fn elements(html: &str) -> Vec<String> {
    const VOID: [&str; 3] = ["!doctype", "meta", "img"];
    let (mut open, mut seen) = (Vec::new(), Vec::new());
    for tag in tags(html) {
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "</{name}>");
            continue;
        }
        let name = tag.split(' ').next().unwrap_or(tag);
        assert_eq!(tag.matches('"').count() % 2, 0, "<{tag}>");
        seen.push(name.to_owned());
        if !VOID.contains(&name) {
            open.push(name);
        }
    }
    assert_eq!(open, [] as [&str; 0], "left open");
    seen
}

/// The value of an attribute, as it stands in the page.
fn attribute<'a>(tag: &'a str, name: &str) -> &'a str {
    let start = tag.find(&format!(" {name}=\"")).unwrap_or_else(|| panic!("{name} in <{tag}>"));
    tag[start..].split('"').nth(1).expect("a value in quotes")
}

#[test]
fn each_tag_is_closed_and_headings_tell_the_structure() {
    let html = sheet().html().unwrap();
    let elements = elements(&html);
    let count = |name: &str| elements.iter().filter(|element| *element == name).count();
    let counts =
        ["h1", "h2", "h3", "p", "section", "figure", "img", "figcaption"].map(|name| (name, count(name)));
    assert_eq!(
        counts,
        [
            ("h1", 1),
            ("h2", 2),
            ("h3", 2),
            ("p", 2),
            ("section", 2),
            ("figure", 6),
            ("img", 6),
            ("figcaption", 5)
        ]
    );
}

#[test]
fn each_picture_comes_back_in_its_size_with_its_place_as_alt_text() {
    let html = sheet().html().unwrap();
    let images: Vec<_> = tags(&html).into_iter().filter(|tag| tag.starts_with("img ")).collect();
    let tiles: Vec<_> = sheet().sections.into_iter().flat_map(|s| s.rows).flat_map(|r| r.tiles).collect();
    assert_eq!(images.len(), tiles.len());
    for (image, tile) in images.iter().zip(&tiles) {
        let data = attribute(image, "src").strip_prefix("data:image/jpeg;base64,").unwrap();
        let jpeg = image::load_from_memory(&BASE64_STANDARD.decode(data).unwrap()).unwrap().into_rgb8();
        assert_eq!(jpeg.dimensions(), tile.picture.dimensions());
        let sides = [attribute(image, "width"), attribute(image, "height")].map(|side| side.parse().unwrap());
        assert_eq!(<(u32, u32)>::from(sides), jpeg.dimensions());
        assert_eq!(attribute(image, "loading"), "lazy");
        let pairs = jpeg.iter().zip(tile.picture.iter());
        let error = pairs.map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / jpeg.len() as f64;
        assert!(error < 2.0, "mean error {error} of 255");
    }
    let alt: Vec<_> = images.iter().map(|image| attribute(image, "alt")).collect();
    assert_eq!(
        alt,
        [
            "Views of one photo, 1 of 2",
            "Views of one photo, 2 of 2",
            "train&#x2f;cats&#x2f;cat.1.jpg, 1 of 3",
            "train&#x2f;cats&#x2f;cat.1.jpg, 2 of 3",
            "train&#x2f;cats&#x2f;cat.1.jpg, 3 of 3",
            "pad, 1 of 1",
        ]
    );
}

#[test]
fn texts_that_look_like_html_stay_texts() {
    let evil = |n: u32| format!("</title><script>alert({n})</script>\"'><img onerror=x>&lt;");
    let row = Row { heading: Some(evil(1)), tiles: vec![tile(5, 4, &evil(2))] };
    let section = Section { title: evil(3), note: Some(evil(4)), rows: vec![row] };
    let html = Sheet { title: evil(5), note: Some(evil(6)), sections: vec![section] }.html().unwrap();
    let elements = elements(&html);
    assert!(!elements.contains(&"script".to_owned()), "{elements:?}");
    assert_eq!(elements.iter().filter(|name| *name == "img").count(), 1);
    // The title stands in the head and in the page, the heading above the row and in the alternative text.
    for (n, times) in [(1, 2), (2, 1), (3, 1), (4, 1), (5, 2), (6, 1)] {
        let escaped = format!(
            "&lt;script&gt;alert({n})&lt;&#x2f;script&gt;&quot;&#x27;&gt;&lt;img onerror=x&gt;&amp;lt;"
        );
        assert_eq!(html.matches(&escaped).count(), times, "text {n}");
    }
}

#[test]
fn nothing_is_run_and_nothing_comes_from_outside() {
    let html = sheet().html().unwrap();
    for word in ["http:", "https:", "url(", "@import", "<script", "<link", "href="] {
        assert!(!html.contains(word), "{word}");
    }
}

#[test]
fn an_empty_sheet_is_a_page() {
    let html = Sheet::default().html().unwrap();
    assert!(!elements(&html).contains(&"section".to_owned()));
    let row = Row { heading: None, tiles: vec![] };
    let section = Section { title: "nothing".to_owned(), note: None, rows: vec![row] };
    let html = Sheet { sections: vec![section], ..Sheet::default() }.html().unwrap();
    assert!(!elements(&html).contains(&"figure".to_owned()));
    assert!(html.contains("--wide: 1; --medium: 1; --narrow: 1;"), "{html}");
}

#[test]
fn columns_follow_the_longest_row_and_leave_few_gaps() {
    let expected =
        [(1, 1, 1, 1), (2, 2, 2, 2), (3, 3, 3, 3), (4, 4, 2, 2), (5, 5, 3, 2), (6, 6, 3, 3), (8, 8, 4, 2)];
    for (tiles, wide, medium, narrow) in expected {
        let row = |n| Row { heading: None, tiles: (0..n).map(|_| tile(7, 5, "")).collect() };
        let section = Section { title: "s".to_owned(), note: None, rows: vec![row(1), row(tiles)] };
        let html = Sheet { sections: vec![section], ..Sheet::default() }.html().unwrap();
        let style = format!("--wide: {wide}; --medium: {medium}; --narrow: {narrow}; --widest: 7");
        assert!(html.contains(&style), "{tiles}: {style}");
    }
}

#[test]
fn sections_of_equally_wide_tiles_share_their_columns() {
    let section = |tiles, width| {
        let row = Row { heading: None, tiles: (0..tiles).map(|_| tile(width, 5, "")).collect() };
        Section { title: "s".to_owned(), note: None, rows: vec![row] }
    };
    let sections = vec![section(2, 7), section(1, 90), section(4, 7)];
    let html = Sheet { sections, ..Sheet::default() }.html().unwrap();
    let styles: Vec<_> =
        tags(&html).into_iter().filter_map(|tag| tag.strip_prefix("section style=")).collect();
    assert_eq!(
        styles,
        [
            "\"--wide: 4; --medium: 2; --narrow: 2; --widest: 7\"",
            "\"--wide: 1; --medium: 1; --narrow: 1; --widest: 90\"",
            "\"--wide: 4; --medium: 2; --narrow: 2; --widest: 7\"",
        ]
    );
}

#[test]
fn the_same_sheet_gives_the_same_page_and_the_file_holds_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("preview.html");
    sheet().write_html(&path).unwrap();
    assert!(fs_err::read_to_string(&path).unwrap() == sheet().html().unwrap());
}
