//! [`Coat`]: colours and pattern of an animal's fur, and how a part of the body is painted with it.

use crate::canvas::{Canvas, Ink};
use crate::dice::Dice;
use crate::palette::{COATS, Rgb, WHITE};
use crate::shape::Shape;

/// What is drawn over the base colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// Nothing.
    Plain,
    /// Darker bands across.
    Stripes,
    /// A few large fields of the second colour.
    Patches,
    /// Many small ones.
    Spots,
    /// Dark ears, face, legs and tail on a light body.
    Points,
}

/// The fur of one animal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Coat {
    /// The main colour.
    pub(crate) base: Rgb,
    /// Of stripes, patches and points.
    pub(crate) marking: Rgb,
    /// Of chest, muzzle and paws.
    pub(crate) pale: Rgb,
    /// What is drawn over the base colour.
    pub(crate) pattern: Pattern,
    /// Length of the hairs at the outlines, in head radii; 0 for smooth.
    pub(crate) shag: f32,
}

/// Which part of the body is painted: some patterns colour parts differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The torso.
    Body,
    /// The head.
    Head,
    /// Ears, legs and tail.
    Limb,
    /// A leg or ear on the far side, in shade.
    Far,
}

impl Coat {
    /// A coat whose pattern is drawn from `patterns`.
    pub(crate) fn random<const N: usize>(patterns: &[Pattern; N], dice: &mut Dice<'_>) -> Coat {
        let pattern = dice.pick(patterns);
        let mut base = dice.pick(&COATS).varied(0.05, dice);
        if pattern == Pattern::Points {
            base = base.lighter(0.55);
        }
        let marking = match pattern {
            Pattern::Patches if dice.chance(0.6) => dice.pick(&COATS).varied(0.04, dice),
            Pattern::Points => base.darker(dice.between(0.5, 0.75)),
            _ if base.brightness() < 0.3 => base.lighter(dice.between(0.15, 0.4)),
            _ => base.darker(dice.between(0.3, 0.6)),
        };
        let pale =
            if dice.chance(0.55) { base.mix(WHITE, dice.between(0.45, 0.95)) } else { base.lighter(0.14) };
        Coat { base, marking, pale, pattern, shag: dice.between(0.0, 0.12) }
    }

    /// The base colour of a part.
    pub(crate) fn colour(&self, part: Part) -> Rgb {
        match part {
            Part::Limb if self.pattern == Pattern::Points => self.marking,
            Part::Far if self.pattern == Pattern::Points => self.marking.darker(0.25),
            Part::Far => self.base.darker(0.25),
            Part::Body | Part::Head | Part::Limb => self.base,
        }
    }

    /// Paints one part: rounded by light from above, with its markings, hairs and a soft outline.
    pub(crate) fn paint(&self, canvas: &mut Canvas, shape: &Shape, part: Part, dice: &mut Dice<'_>) {
        let colour = self.colour(part);
        let (_, top, _, bottom) = shape.bounds();
        let light = ((0.0, top), colour.lighter(0.13));
        let shade = ((0.0, bottom), colour.darker(0.24));
        if self.shag > 0.03 && matches!(part, Part::Body | Part::Head) {
            self.hairs(canvas, shape, colour, dice);
        }
        canvas.fill(shape, Ink::Between(light, shade));
        if part != Part::Far {
            canvas.inside(shape, |canvas| self.markings(canvas, shape, part, dice));
        }
        canvas.line(shape, true, 0.035, colour.darker(0.55), 0.55);
    }

    fn markings(&self, canvas: &mut Canvas, shape: &Shape, part: Part, dice: &mut Dice<'_>) {
        let (left, top, right, bottom) = shape.bounds();
        let (width, height) = (right - left, bottom - top);
        match self.pattern {
            Pattern::Plain | Pattern::Points => {}
            // The stripes of a head are part of its face.
            Pattern::Stripes if part == Part::Head => {}
            Pattern::Stripes => {
                let along_x = width > height;
                let (length, across) = if along_x { (width, height) } else { (height, width) };
                let mut at = dice.between(0.1, 0.3);
                while at < length {
                    let (bend, reach) = (dice.between(-0.15, 0.15), across * dice.between(0.45, 0.9));
                    let band: Vec<(f32, f32)> =
                        [(0.0, at), (0.5, at + bend), (1.0, at + 2.0 * bend)]
                            .map(|(t, s)| {
                                if along_x {
                                    (left + s, top + t * reach)
                                } else {
                                    (left + t * reach, top + s)
                                }
                            })
                            .to_vec();
                    canvas.fill(&Shape::limb(&band, 0.16, 0.03), Ink::Flat(self.marking, 0.75));
                    at += dice.between(0.3, 0.5);
                }
            }
            Pattern::Patches => {
                for _ in 0..dice.whole(1, 3) {
                    let centre = (dice.between(left, right), dice.between(top, bottom));
                    let reach = 0.35 * width.min(height).max(0.6);
                    let points: Vec<(f32, f32)> = (0..7)
                        .map(|i| {
                            let (sin, cos) = (i as f32 / 7.0 * std::f32::consts::TAU).sin_cos();
                            let r = reach * dice.between(0.7, 1.4);
                            (centre.0 + r * cos, centre.1 + r * sin)
                        })
                        .collect();
                    canvas.fill(&Shape::blob(&points), Ink::Flat(self.marking, 0.92));
                }
            }
            Pattern::Spots => {
                let count = (width * height * 5.0) as u32;
                for _ in 0..count.min(60) {
                    let centre = (dice.between(left, right), dice.between(top, bottom));
                    let (rx, ry) = (dice.between(0.05, 0.14), dice.between(0.05, 0.1));
                    let spot = Shape::ellipse(centre, rx, ry, dice.between(0.0, 90.0));
                    canvas.fill(&spot, Ink::Flat(self.marking, 0.8));
                }
            }
        }
    }

    /// Short hairs outwards along an outline, before it is filled.
    fn hairs(&self, canvas: &mut Canvas, shape: &Shape, colour: Rgb, dice: &mut Dice<'_>) {
        let (left, top, right, bottom) = shape.bounds();
        let middle = (0.5 * (left + right), 0.5 * (top + bottom));
        for &(x, y) in &shape.points {
            let (dx, dy) = (x - middle.0, y - middle.1);
            let length = self.shag * dice.between(0.6, 1.5) / dx.hypot(dy).max(0.2);
            let sideways = dice.between(-0.6, 0.6);
            let tip =
                (x + (dx - dy * sideways) * length, y + (dy + dx * sideways) * length + 0.4 * self.shag);
            let base = 0.12;
            let hair = Shape::polygon(&[(x - base * 0.6, y), tip, (x + base * 0.6, y)]);
            canvas.flat(&hair, colour.darker(dice.between(0.0, 0.2)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipeline_stage::random::Stream;

    #[test]
    fn points_darken_the_limbs_and_leave_the_body_light() {
        let mut random = Stream { seed: 1, purpose: "test", ..Stream::default() }.start();
        let coat = Coat::random(&[Pattern::Points], &mut Dice(&mut random));
        assert!(coat.colour(Part::Limb).brightness() < 0.6 * coat.colour(Part::Body).brightness());
    }
}
