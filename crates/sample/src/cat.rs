//! [`Cat`]: pointed ears, a short muzzle, whiskers, upright pupils, a long thin tail.

use crate::body::{Build, Tail};
use crate::canvas::{Canvas, Ink};
use crate::dice::Dice;
use crate::face::Eyes;
use crate::fur::{Coat, Part, Pattern};
use crate::palette::{BRIGHT_EYES, DARK_EYES, INK, PINK, Rgb, WHITE};
use crate::shape::Shape;

/// One cat.
#[derive(Debug)]
pub(crate) struct Cat {
    pub(crate) coat: Coat,
    pub(crate) build: Build,
    eyes: Eyes,
    ears: Ears,
    nose: Rgb,
    /// Opacity of the whiskers; 0 where light or distance hide them.
    whiskers: f32,
    /// How far the muzzle stands out: 1 is usual, more hints at a dog.
    muzzle: f32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ears {
    Pointed,
    /// As in Scottish Folds: small, bent forward. A hard case.
    Folded,
}

impl Cat {
    /// Draws the lot.
    pub(crate) fn random(dice: &mut Dice<'_>) -> Cat {
        use Pattern::{Patches, Plain, Points, Spots, Stripes};
        let coat =
            Coat::random(&[Plain, Plain, Stripes, Stripes, Stripes, Patches, Patches, Points, Spots], dice);
        let round_pupils = dice.chance(0.3);
        let iris = if dice.chance(0.85) { dice.pick(&BRIGHT_EYES) } else { dice.pick(&DARK_EYES) };
        let eyes = Eyes {
            iris: iris.varied(0.05, dice),
            rx: dice.between(0.2, 0.27),
            ry: dice.between(0.18, 0.26),
            slant: dice.between(4.0, 16.0),
            pupil_width: if round_pupils { 0.6 } else { dice.between(0.18, 0.34) },
            pupil_height: if round_pupils { 0.75 } else { 0.92 },
            apart: dice.between(0.38, 0.46),
            y: dice.between(-0.16, -0.02),
            closed: if dice.chance(0.08) { 1.0 } else { dice.between(0.0, 0.2) },
        };
        Cat {
            coat,
            build: Build {
                length: dice.between(2.2, 3.2),
                depth: dice.between(1.15, 1.6),
                legs: dice.between(0.8, 1.25),
                leg_width: dice.between(0.36, 0.46),
                neck: dice.between(0.2, 0.7),
                sitting_height: dice.between(2.9, 3.7),
                girth: dice.between(0.95, 1.3),
                tail: Tail {
                    length: dice.between(2.0, 3.0),
                    root: dice.between(0.26, 0.38),
                    tip: dice.between(0.16, 0.28),
                    lift: dice.between(0.25, 1.0),
                    curl: dice.between(-0.8, 0.9),
                },
            },
            eyes,
            ears: if dice.chance(0.08) { Ears::Folded } else { Ears::Pointed },
            nose: if dice.chance(0.65) { PINK.varied(0.06, dice) } else { INK },
            whiskers: if dice.chance(0.8) { dice.between(0.5, 0.9) } else { dice.between(0.0, 0.25) },
            muzzle: dice.between(0.85, 1.25),
        }
    }

    /// Draws the head around the origin, its radius 1. `turn` is -1 to 1, to the right when positive.
    pub(crate) fn head(&self, canvas: &mut Canvas, turn: f32, dice: &mut Dice<'_>) {
        self.draw_ears(canvas, turn, dice);
        let head = Shape::mirrored(&[
            (0.0, -0.84),
            (0.52, -0.76),
            (0.9, -0.3),
            (1.02, 0.18),
            (0.78, 0.62),
            (0.35, 0.84),
            (0.0, 0.88),
        ]);
        self.coat.paint(canvas, &head, Part::Head, dice);
        canvas.inside(&head, |canvas| self.markings(canvas, turn));

        let (x, m) = (turn * 0.34, self.muzzle);
        for side in [-1.0, 1.0] {
            let pad = Shape::ellipse((x + side * 0.17 * m, 0.42), 0.23 * m, 0.19 * m, side * 12.0);
            let pale = self.coat.pale;
            canvas
                .fill(&pad, Ink::Between(((0.0, 0.2), pale.lighter(0.15)), ((0.0, 0.65), pale.darker(0.1))));
        }
        canvas.fill(&Shape::ellipse((x, 0.62), 0.15 * m, 0.12 * m, 0.0), Ink::Flat(self.coat.pale, 0.9));
        self.eyes.draw(canvas, turn, self.coat.base);

        let nose = Shape::blob(&[
            (x - 0.11, 0.2),
            (x, 0.18),
            (x + 0.11, 0.2),
            (x + 0.05, 0.29),
            (x, 0.32),
            (x - 0.05, 0.29),
        ]);
        canvas.flat(&nose, self.nose);
        canvas.line(&nose, true, 0.03, self.nose.darker(0.5), 0.7);
        canvas.line(&Shape::curve(&[(x, 0.32), (x, 0.42)]), false, 0.04, INK, 0.8);
        for side in [-1.0, 1.0] {
            let mouth = Shape::curve(&[(x, 0.42), (x + side * 0.09, 0.5), (x + side * 0.2, 0.47)]);
            canvas.line(&mouth, false, 0.04, INK, 0.8);
        }
        self.draw_whiskers(canvas, x, dice);
    }

    fn draw_ears(&self, canvas: &mut Canvas, turn: f32, dice: &mut Dice<'_>) {
        for side in [-1.0, 1.0] {
            let away = 1.0 - 0.18 * (side * turn).max(0.0);
            let x = |x: f32| side * x * away - turn * 0.06;
            match self.ears {
                Ears::Pointed => {
                    let (tip, spread) = (dice.between(-1.5, -1.25), dice.between(0.68, 0.86));
                    let ear = Shape::polygon(
                        &Shape::curve(&[
                            (x(0.18), -0.7),
                            (x(0.38), -1.08),
                            (x(spread), tip),
                            (x(0.92), -0.85),
                            (x(0.96), -0.2),
                        ])
                        .points,
                    );
                    self.coat.paint(canvas, &ear, Part::Limb, dice);
                    let inner =
                        Shape::polygon(&[(x(0.38), -0.8), (x(spread - 0.03), tip + 0.22), (x(0.84), -0.5)]);
                    let inside = PINK.mix(self.coat.base, 0.3);
                    canvas
                        .fill(&inner, Ink::Between(((0.0, tip), inside.darker(0.25)), ((0.0, -0.5), inside)));
                }
                Ears::Folded => {
                    let ear = Shape::blob(&[
                        (x(0.3), -0.82),
                        (x(0.62), -1.0),
                        (x(0.9), -0.72),
                        (x(0.84), -0.42),
                        (x(0.5), -0.62),
                    ]);
                    self.coat.paint(canvas, &ear, Part::Limb, dice);
                }
            }
        }
    }

    /// The lines on a tabby's forehead and cheeks, the mask of a colourpoint.
    fn markings(&self, canvas: &mut Canvas, turn: f32) {
        let x = turn * 0.28;
        match self.coat.pattern {
            Pattern::Stripes => {
                for at in [-0.28, 0.0, 0.28] {
                    let line = Shape::limb(&[(x + at * 0.75, -0.9), (x + at * 1.15, -0.42)], 0.13, 0.05);
                    canvas.fill(&line, Ink::Flat(self.coat.marking, 0.8));
                }
                for side in [-1.0, 1.0] {
                    for y in [0.1, 0.32] {
                        let line =
                            Shape::limb(&[(side * 1.05, y), (side * 0.68 + x * 0.5, y + 0.08)], 0.11, 0.03);
                        canvas.fill(&line, Ink::Flat(self.coat.marking, 0.8));
                    }
                }
            }
            Pattern::Points => {
                canvas
                    .fill(&Shape::circle((x, 0.2), 0.95), Ink::Glow((x, 0.2), 0.95, self.coat.marking, 0.95));
            }
            Pattern::Plain | Pattern::Patches | Pattern::Spots => {}
        }
    }

    fn draw_whiskers(&self, canvas: &mut Canvas, x: f32, dice: &mut Dice<'_>) {
        let colour = if self.coat.base.brightness() > 0.75 { Rgb(0.45, 0.42, 0.4) } else { WHITE };
        for side in [-1.0, 1.0] {
            for (from, to) in [(0.36, 0.12), (0.42, 0.4), (0.48, 0.68)] {
                let droop = dice.between(-0.06, 0.1);
                let whisker = Shape::curve(&[
                    (x + side * 0.25, from),
                    (x + side * 0.75, 0.5 * (from + to) - 0.05),
                    (x + side * 1.3, to + droop),
                ]);
                canvas.line(&whisker, false, 0.025, colour, self.whiskers);
            }
        }
    }
}
