//! What the faces of cats and dogs have in common: eyes, and the way a face is turned.

use crate::canvas::{Canvas, Ink};
use crate::palette::{INK, Rgb, WHITE};
use crate::shape::{Point, Shape};

/// A pair of eyes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Eyes {
    /// Colour of the iris.
    pub(crate) iris: Rgb,
    /// Half the width of an eye, in head radii.
    pub(crate) rx: f32,
    /// Half its height.
    pub(crate) ry: f32,
    /// How much the outer corners are higher, in degrees.
    pub(crate) slant: f32,
    /// Half the width of the pupil, as a part of `rx`: a slit is 0.2, round about 0.6.
    pub(crate) pupil_width: f32,
    /// Half its height, as a part of `ry`.
    pub(crate) pupil_height: f32,
    /// From the axis of the face to the middle of an eye.
    pub(crate) apart: f32,
    /// Height of the eyes on the face; up is negative.
    pub(crate) y: f32,
    /// How far the lids are closed, 0 to 1.
    pub(crate) closed: f32,
}

impl Eyes {
    /// Draws both, moved by the turn of the head.
    pub(crate) fn draw(&self, canvas: &mut Canvas, turn: f32, lid: Rgb) {
        for side in [-1.0, 1.0] {
            // The eye that turns away is narrower.
            let narrow = 1.0 - 0.25 * (side * turn).max(0.0);
            let at = (turn * 0.28 + side * self.apart * (1.0 - 0.12 * turn.abs()), self.y);
            canvas.within(at, (narrow, 1.0), -side * self.slant, |canvas| self.one(canvas, turn, lid));
        }
    }

    fn one(&self, canvas: &mut Canvas, turn: f32, lid: Rgb) {
        if self.closed > 0.85 {
            let line = Shape::curve(&[(-self.rx, 0.0), (0.0, self.ry * 0.6), (self.rx, 0.0)]);
            canvas.line(&line, false, 0.06, INK, 0.9);
            return;
        }
        let eye = Shape::ellipse((0.0, 0.0), self.rx, self.ry, 0.0);
        canvas.flat(&Shape::ellipse((0.0, 0.0), self.rx + 0.05, self.ry + 0.05, 0.0), INK);
        canvas.inside(&eye, |canvas| {
            let top = ((0.0, -self.ry), self.iris.darker(0.35));
            canvas.fill(&eye, Ink::Between(top, ((0.0, self.ry), self.iris.lighter(0.25))));
            let gaze: Point = (turn * 0.25 * self.rx, 0.0);
            let pupil = Shape::ellipse(gaze, self.rx * self.pupil_width, self.ry * self.pupil_height, 0.0);
            canvas.flat(&pupil, Rgb(0.04, 0.03, 0.04));
            let shine = Shape::circle((-0.3 * self.rx, -0.38 * self.ry), 0.26 * self.rx.min(self.ry));
            canvas.fill(&shine, Ink::Flat(WHITE, 0.95));
            let small = Shape::circle((0.35 * self.rx, 0.4 * self.ry), 0.12 * self.rx.min(self.ry));
            canvas.fill(&small, Ink::Flat(WHITE, 0.6));
            let reach = -self.ry + 2.0 * self.ry * self.closed;
            canvas.flat(&Shape::rect((-1.0, -1.0), (1.0, reach)), lid.darker(0.2));
        });
    }
}
