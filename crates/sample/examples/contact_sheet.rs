//! Draws a sheet of pictures to look at: `cargo run --release -p pipeline-sample --example contact_sheet -- OUT.png`.

use image::{RgbImage, imageops};
use pipeline_sample::{Animal, draw};
use pipeline_stage::random::Stream;

/// Pictures in a row, and rows.
const GRID: (u32, u32) = (8, 6);

/// Side of a cell, in pixels.
const CELL: u32 = 200;

fn main() -> Result<(), image::ImageError> {
    let out = std::env::args().nth(1).unwrap_or_else(|| "contact_sheet.png".to_owned());
    let seed = std::env::args().nth(2).and_then(|s| s.parse().ok()).unwrap_or(1);
    let mut sheet = RgbImage::new(GRID.0 * CELL, GRID.1 * CELL);
    for row in 0..GRID.1 {
        for column in 0..GRID.0 {
            // Cats in the left half, dogs in the right.
            let animal = if column < GRID.0 / 2 { Animal::Cat } else { Animal::Dog };
            let item = format!("{column},{row}");
            let picture = draw(
                animal,
                &mut Stream { seed, purpose: "sheet", item: &item, ..Stream::default() }.start(),
            );
            let fit = (CELL - 4) as f32 / picture.width().max(picture.height()) as f32;
            let side = |s: u32| ((s as f32 * fit) as u32).max(1);
            let small = imageops::resize(
                &picture,
                side(picture.width()),
                side(picture.height()),
                imageops::FilterType::Triangle,
            );
            imageops::replace(&mut sheet, &small, i64::from(column * CELL + 2), i64::from(row * CELL + 2));
        }
    }
    sheet.save(out)
}
