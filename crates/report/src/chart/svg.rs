//! A figure as SVG.

use std::fmt::Write;

use image::Rgb;

use super::figure::Figure;
use super::shape::{Anchor, PAPER, Point, Shape, Text};
use crate::font::Weight;

/// The whole file.
pub(super) fn render(figure: &Figure) -> String {
    let [width, height] = figure.size;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         role=\"img\" font-family=\"'Noto Sans', 'Helvetica Neue', Arial, sans-serif\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"{}\"/>\n",
        hex(PAPER)
    );
    for shape in &figure.shapes {
        svg += &drawn(shape);
    }
    for text in figure.texts.iter().filter(|text| !text.line.is_empty()) {
        svg += &written(text);
    }
    svg + "</svg>\n"
}

fn drawn(shape: &Shape) -> String {
    match shape {
        Shape::Stroke { points, colour, width, dashes } => {
            let dashes: Vec<String> = dashes.iter().map(f32::to_string).collect();
            let dashes = if dashes.is_empty() {
                String::new()
            } else {
                format!(" stroke-dasharray=\"{}\"", dashes.join(" "))
            };
            format!(
                "<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{width}\" stroke-linejoin=\"round\"{dashes}/>\n",
                path(points),
                hex(*colour)
            )
        }
        Shape::Fill { points, colour } => {
            format!("<path d=\"{}Z\" fill=\"{}\"/>\n", path(points), hex(*colour))
        }
    }
}

fn written(text: &Text) -> String {
    let [x, y] = text.at.map(tenth);
    let anchor = match text.anchor {
        Anchor::Start => "start",
        Anchor::Middle => "middle",
        Anchor::End => "end",
    };
    let weight = match text.style.weight {
        Weight::Regular => "",
        Weight::SemiBold => " font-weight=\"600\"",
    };
    let turn = if text.is_upright { format!(" transform=\"rotate(-90 {x} {y})\"") } else { String::new() };
    format!(
        "<text x=\"{x}\" y=\"{y}\" font-size=\"{}\" text-anchor=\"{anchor}\" fill=\"{}\"{weight}{turn}>{}</text>\n",
        text.style.size,
        hex(text.style.colour),
        escaped(&text.line)
    )
}

/// `M` and the points, to a tenth of a pixel.
fn path(points: &[Point]) -> String {
    let mut path = String::new();
    for (at, [x, y]) in points.iter().enumerate() {
        let separator = if at == 0 { 'M' } else { ' ' };
        // Writing into a string cannot fail.
        let _ = write!(path, "{separator}{},{}", tenth(*x), tenth(*y));
    }
    path
}

fn tenth(at: f32) -> f32 {
    (at * 10.0).round() / 10.0
}

fn hex(Rgb([r, g, b]): Rgb<u8>) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// A text as XML writes it. What XML has no place for is gone already.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}
