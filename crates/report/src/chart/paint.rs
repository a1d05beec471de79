//! A figure as pixels.

use image::{RgbImage, imageops};
use tiny_skia::{
    FillRule, LineCap, LineJoin, Paint, Path, PathBuilder, Pixmap, Stroke, StrokeDash, Transform,
};

use super::figure::Figure;
use super::shape::{Anchor, PAPER, Point, Shape, Text};
use crate::font::Fonts;

/// `[H, W, 3]`, u8, RGB, of the figure's size.
pub(super) fn render(figure: &Figure, fonts: &Fonts) -> RgbImage {
    let [width, height] = figure.size;
    let mut picture = RgbImage::from_pixel(width, height, PAPER);
    if let Some(mut canvas) = Pixmap::new(width, height) {
        canvas.fill(colour(PAPER));
        for shape in &figure.shapes {
            draw(&mut canvas, shape);
        }
        // Everything is drawn on paper, so no pixel is transparent.
        for (pixel, drawn) in picture.pixels_mut().zip(canvas.pixels()) {
            pixel.0 = [drawn.red(), drawn.green(), drawn.blue()];
        }
    }
    for text in &figure.texts {
        write(&mut picture, text, fonts);
    }
    picture
}

fn draw(canvas: &mut Pixmap, shape: &Shape) {
    match shape {
        Shape::Stroke { points, colour, width, dashes } => {
            let stroke = Stroke {
                width: *width,
                line_cap: LineCap::Butt,
                line_join: LineJoin::Round,
                dash: StrokeDash::new(dashes.to_vec(), 0.0),
                ..Stroke::default()
            };
            if let Some(path) = path(points, false) {
                canvas.stroke_path(&path, &paint(*colour), &stroke, Transform::identity(), None);
            }
        }
        Shape::Fill { points, colour } => {
            if let Some(path) = path(points, true) {
                canvas.fill_path(&path, &paint(*colour), FillRule::Winding, Transform::identity(), None);
            }
        }
    }
}

fn path(points: &[Point], is_closed: bool) -> Option<Path> {
    let ([x, y], rest) = points.split_first()?;
    let mut path = PathBuilder::new();
    path.move_to(*x, *y);
    for [x, y] in rest {
        path.line_to(*x, *y);
    }
    if is_closed {
        path.close();
    }
    path.finish()
}

fn paint(rgb: image::Rgb<u8>) -> Paint<'static> {
    let mut paint = Paint::default();
    paint.set_color(colour(rgb));
    paint
}

fn colour(image::Rgb([r, g, b]): image::Rgb<u8>) -> tiny_skia::Color {
    tiny_skia::Color::from_rgba8(r, g, b, 255)
}

fn write(picture: &mut RgbImage, text: &Text, fonts: &Fonts) {
    let width = fonts.width(&text.line, text.style);
    let before = match text.anchor {
        Anchor::Start => 0.0,
        Anchor::Middle => width / 2.0,
        Anchor::End => width,
    };
    let [x, y] = text.at;
    if !text.is_upright {
        fonts.draw(picture, &text.line, text.style, x - before, y);
        return;
    }
    // Drawn on paper of its own, which is then turned.
    let baseline = text.style.baseline();
    let mut strip = RgbImage::from_pixel(width.ceil() as u32 + 2, text.style.line, PAPER);
    fonts.draw(&mut strip, &text.line, text.style, 1.0, baseline);
    let strip = imageops::rotate270(&strip);
    let bottom = (y + before) as i64;
    imageops::replace(picture, &strip, (x - baseline) as i64, bottom - i64::from(strip.height()));
}
