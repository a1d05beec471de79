//! [`Canvas`]: the picture being drawn, with nested coordinates and clipping, over tiny-skia.

use image::RgbImage;
use tiny_skia::{
    Color, FillRule, GradientStop, LineCap, LineJoin, LinearGradient, Mask, Paint, Pixmap, PixmapPaint,
    RadialGradient, Shader, SpreadMode, Stroke, Transform,
};

use crate::palette::Rgb;
use crate::shape::{Point, Shape};

/// What a shape is filled with.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ink {
    /// One colour and its opacity, 0 to 1.
    Flat(Rgb, f32),
    /// From the first colour at the first point to the second colour at the second.
    Between((Point, Rgb), (Point, Rgb)),
    /// Strongest (the opacity) at the centre, gone at the radius.
    Glow(Point, f32, Rgb, f32),
}

/// The picture being drawn.
pub(crate) struct Canvas {
    pixmap: Pixmap,
    transform: Transform,
    mask: Option<Mask>,
}

impl Canvas {
    /// A black picture, in pixels. `None` when a side is 0.
    pub(crate) fn new(width: u32, height: u32) -> Option<Canvas> {
        let mut pixmap = Pixmap::new(width, height)?;
        pixmap.fill(Color::BLACK);
        Some(Canvas { pixmap, transform: Transform::identity(), mask: None })
    }

    /// Draws in coordinates of its own: `origin`, `scale` (x, y) and rotation in degrees clockwise, given
    /// in those around.
    pub(crate) fn within(
        &mut self,
        origin: Point,
        scale: (f32, f32),
        degrees: f32,
        draw: impl FnOnce(&mut Canvas),
    ) {
        let outer = self.transform;
        self.transform = outer
            .pre_translate(origin.0, origin.1)
            .pre_concat(Transform::from_rotate(degrees))
            .pre_scale(scale.0, scale.1);
        draw(self);
        self.transform = outer;
    }

    /// Draws only inside `shape` (and inside the shapes around).
    pub(crate) fn inside(&mut self, shape: &Shape, draw: impl FnOnce(&mut Canvas)) {
        let Some(path) = shape.path(true) else { return };
        let outer = self.mask.clone();
        let mask = match self.mask.take() {
            Some(mut mask) => {
                mask.intersect_path(&path, FillRule::Winding, true, self.transform);
                Some(mask)
            }
            None => Mask::new(self.pixmap.width(), self.pixmap.height()).map(|mut mask| {
                mask.fill_path(&path, FillRule::Winding, true, self.transform);
                mask
            }),
        };
        self.mask = mask;
        draw(self);
        self.mask = outer;
    }

    /// Fills a shape.
    pub(crate) fn fill(&mut self, shape: &Shape, ink: Ink) {
        if let Some(path) = shape.path(true) {
            let mask = self.mask.as_ref();
            self.pixmap.fill_path(&path, &paint(ink), FillRule::Winding, self.transform, mask);
        }
    }

    /// Fills a shape with one opaque colour.
    pub(crate) fn flat(&mut self, shape: &Shape, colour: Rgb) {
        self.fill(shape, Ink::Flat(colour, 1.0));
    }

    /// Draws along a shape's outline, back to its start when `closed`.
    pub(crate) fn line(&mut self, shape: &Shape, closed: bool, width: f32, colour: Rgb, opacity: f32) {
        if let Some(path) = shape.path(closed) {
            let stroke =
                Stroke { width, line_cap: LineCap::Round, line_join: LineJoin::Round, ..Stroke::default() };
            let paint = paint(Ink::Flat(colour, opacity));
            self.pixmap.stroke_path(&path, &paint, &stroke, self.transform, self.mask.as_ref());
        }
    }

    /// Blurs all that is drawn so far: what lies behind, out of focus. `factor` 1 leaves it as it is.
    /// Done by drawing the picture small and large again, which is quick and soft enough.
    pub(crate) fn defocus(&mut self, factor: f32) {
        let (width, height) = (self.pixmap.width(), self.pixmap.height());
        let small = |side: u32| ((side as f32 / factor).round() as u32).max(2);
        let Some(mut reduced) = Pixmap::new(small(width), small(height)) else { return };
        let quality = PixmapPaint { quality: tiny_skia::FilterQuality::Bilinear, ..PixmapPaint::default() };
        let (sx, sy) = (reduced.width() as f32 / width as f32, reduced.height() as f32 / height as f32);
        reduced.draw_pixmap(0, 0, self.pixmap.as_ref(), &quality, Transform::from_scale(sx, sy), None);
        let back = Transform::from_scale(1.0 / sx, 1.0 / sy);
        self.pixmap.draw_pixmap(0, 0, reduced.as_ref(), &quality, back, None);
    }

    /// The finished picture, `[H, W, 3]`, u8, RGB.
    pub(crate) fn into_image(self) -> RgbImage {
        let (width, height) = (self.pixmap.width(), self.pixmap.height());
        let pixels = self.pixmap.pixels();
        // Opaque from the start, so the premultiplied values are the plain ones.
        RgbImage::from_fn(width, height, |x, y| {
            let pixel = pixels[(y * width + x) as usize];
            image::Rgb([pixel.red(), pixel.green(), pixel.blue()])
        })
    }
}

fn paint(ink: Ink) -> Paint<'static> {
    let colour = |rgb: Rgb, opacity: f32| {
        let unit = |x: f32| x.clamp(0.0, 1.0);
        Color::from_rgba(unit(rgb.0), unit(rgb.1), unit(rgb.2), unit(opacity)).unwrap_or(Color::BLACK)
    };
    let point = |p: Point| tiny_skia::Point::from_xy(p.0, p.1);
    let stops = |a, b| vec![GradientStop::new(0.0, a), GradientStop::new(1.0, b)];
    let (shader, fallback) = match ink {
        Ink::Flat(rgb, opacity) => (None, colour(rgb, opacity)),
        Ink::Between((from, a), (to, b)) => {
            let stops = stops(colour(a, 1.0), colour(b, 1.0));
            let gradient =
                LinearGradient::new(point(from), point(to), stops, SpreadMode::Pad, Transform::identity());
            (gradient, colour(a, 1.0))
        }
        Ink::Glow(centre, radius, rgb, opacity) => {
            let stops = stops(colour(rgb, opacity), colour(rgb, 0.0));
            let centre = point(centre);
            let identity = Transform::identity();
            let gradient = RadialGradient::new(centre, 0.0, centre, radius, stops, SpreadMode::Pad, identity);
            (gradient, Color::TRANSPARENT)
        }
    };
    Paint { shader: shader.unwrap_or(Shader::SolidColor(fallback)), ..Paint::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::palette::{BLACK, WHITE};

    #[test]
    fn nothing_is_drawn_outside_the_clip_and_nesting_ends() {
        let mut canvas = Canvas::new(30, 20).unwrap();
        canvas.within((10.0, 5.0), (2.0, 1.0), 0.0, |canvas| {
            canvas.inside(&Shape::rect((0.0, 0.0), (5.0, 10.0)), |canvas| {
                canvas.flat(&Shape::rect((-50.0, -50.0), (50.0, 50.0)), WHITE);
            });
        });
        canvas.flat(&Shape::rect((0.0, 0.0), (1.0, 1.0)), WHITE);
        let image = canvas.into_image();
        assert_eq!(image.dimensions(), (30, 20));
        let white: Vec<(u32, u32)> =
            image.enumerate_pixels().filter(|(_, _, p)| p.0 == [255; 3]).map(|(x, y, _)| (x, y)).collect();
        // 10 x 10 pixels from (10, 5), and the one drawn after in the outer coordinates.
        assert_eq!(white.len(), 101);
        assert!(white.contains(&(0, 0)) && white.contains(&(10, 5)) && white.contains(&(19, 14)));
    }

    #[test]
    fn channels_are_red_green_blue() {
        let mut canvas = Canvas::new(3, 2).unwrap();
        canvas.flat(&Shape::rect((0.0, 0.0), (3.0, 2.0)), BLACK.mix(Rgb(1.0, 0.0, 0.2), 1.0));
        assert_eq!(canvas.into_image().get_pixel(1, 1).0, [255, 0, 51]);
    }
}
