//! `pipeline-report`: sheets, charts and event files as a stage writes them.
//!
//! `png` and `html` are about a sheet, its pixels and its page; `chart` about curves as PNG and SVG, `text` about
//! curves in a terminal; `training` about the charts of a training; `evaluation` about the page `report.html`, as text, and
//! `browser` about what it does in a browser; both show evaluations that are `made_up`; `comparison` about the page of two;
//! `tensorboard` about event files; `inspection` about the page of what was found in a data set.

#![expect(clippy::unwrap_used, reason = "helpers of tests: a failure is a failed test")]

mod browser;
mod chart;
mod comparison;
mod evaluation;
mod html;
mod inspection;
mod made_up;
mod png;
mod tensorboard;
mod text;
mod training;

use pipeline_report::{Row, Section, Sheet, Tile};

/// A picture that is nowhere the same: red grows to the right, green downwards.
fn tile(width: u32, height: u32, caption: &str) -> Tile {
    let picture = image::RgbImage::from_fn(width, height, |x, y| image::Rgb([x as u8, y as u8, 77]));
    Tile { picture, caption: caption.to_owned() }
}

/// Two sections; three rows of 2, 3 and 1 tiles; no two tiles alike.
fn sheet() -> Sheet {
    let first = Section {
        title: "Views of one photo".to_owned(),
        note: Some("As training sees it.".to_owned()),
        rows: vec![
            Row { heading: None, tiles: vec![tile(120, 90, "rotate +7°"), tile(60, 200, "flip")] },
            Row {
                heading: Some("train/cats/cat.1.jpg".to_owned()),
                tiles: vec![tile(31, 41, ""), tile(130, 20, "zoom × 1.05"), tile(64, 65, "light − 0.05")],
            },
        ],
    };
    let second = Section {
        title: "Each transform alone".to_owned(),
        note: None,
        rows: vec![Row { heading: Some("pad".to_owned()), tiles: vec![tile(97, 53, "猫")] }],
    };
    Sheet { title: "Preview".to_owned(), note: Some("Seed 1".to_owned()), sections: vec![first, second] }
}
