//! [`Dog`]: hanging or round ears, a long muzzle with a big nose, a tongue, a stronger tail.

use crate::body::{Build, Tail};
use crate::canvas::{Canvas, Ink};
use crate::dice::Dice;
use crate::face::Eyes;
use crate::fur::{Coat, Part, Pattern};
use crate::palette::{BRIGHT_EYES, DARK_EYES, INK, PINK, Rgb, TONGUE, WHITE};
use crate::shape::Shape;

/// One dog.
#[derive(Debug)]
pub(crate) struct Dog {
    pub(crate) coat: Coat,
    pub(crate) build: Build,
    eyes: Eyes,
    ears: Ears,
    /// The ears' own colour: often darker than the head.
    ear_coat: Coat,
    nose: Rgb,
    /// Width and height of the muzzle: 1 is usual, less hints at a cat (as in pugs).
    muzzle: f32,
    tongue: bool,
    brows: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ears {
    Hanging,
    Round,
    /// Upright with the tip bent over.
    Tipped,
    /// As in shepherds: close to a cat's. A hard case.
    Upright,
}

impl Dog {
    /// Draws the lot.
    pub(crate) fn random(dice: &mut Dice<'_>) -> Dog {
        use Ears::{Hanging, Round, Tipped, Upright};
        use Pattern::{Patches, Plain, Points, Spots, Stripes};
        let coat =
            Coat::random(&[Plain, Plain, Plain, Patches, Patches, Patches, Spots, Stripes, Points], dice);
        let ears = dice.pick(&[Hanging, Hanging, Hanging, Hanging, Round, Tipped, Tipped, Upright]);
        let mut ear_coat = coat;
        if dice.chance(0.4) {
            ear_coat.base = coat.marking;
        }
        let iris = if dice.chance(0.85) { dice.pick(&DARK_EYES) } else { dice.pick(&BRIGHT_EYES) };
        let size = dice.between(0.13, 0.22);
        let short = dice.chance(0.2);
        Dog {
            coat,
            build: Build {
                length: dice.between(2.0, 3.2),
                depth: dice.between(1.3, 1.9),
                legs: dice.between(0.9, 1.8),
                leg_width: dice.between(0.4, 0.56),
                neck: dice.between(0.3, 1.0),
                sitting_height: dice.between(3.0, 4.1),
                girth: dice.between(0.95, 1.35),
                tail: Tail {
                    length: dice.between(0.9, 2.2),
                    root: dice.between(0.36, 0.55),
                    tip: dice.between(0.12, 0.4),
                    lift: dice.between(0.3, 1.0),
                    curl: dice.between(0.0, 1.0),
                },
            },
            eyes: Eyes {
                iris: iris.varied(0.04, dice),
                rx: size,
                ry: size * dice.between(0.9, 1.1),
                slant: dice.between(-6.0, 6.0),
                pupil_width: dice.between(0.55, 0.7),
                pupil_height: dice.between(0.55, 0.7),
                apart: dice.between(0.34, 0.42),
                y: dice.between(-0.26, -0.12),
                closed: if dice.chance(0.06) { 1.0 } else { dice.between(0.0, 0.25) },
            },
            ears,
            ear_coat,
            nose: if dice.chance(0.85) { INK } else { PINK.darker(0.3) },
            muzzle: if short { dice.between(0.68, 0.85) } else { dice.between(0.9, 1.2) },
            tongue: dice.chance(0.45),
            brows: dice.chance(0.25),
        }
    }

    /// Draws the head around the origin, its radius 1. `turn` is -1 to 1, to the right when positive.
    pub(crate) fn head(&self, canvas: &mut Canvas, turn: f32, dice: &mut Dice<'_>) {
        if self.ears != Ears::Hanging {
            self.draw_ears(canvas, turn, dice);
        }
        let head = Shape::mirrored(&[
            (0.0, -0.9),
            (0.5, -0.82),
            (0.82, -0.4),
            (0.8, 0.1),
            (0.62, 0.6),
            (0.35, 0.95),
            (0.0, 1.02),
        ]);
        self.coat.paint(canvas, &head, Part::Head, dice);
        let x = turn * 0.28;
        canvas.inside(&head, |canvas| self.markings(canvas, x));
        if self.ears == Ears::Hanging {
            self.draw_ears(canvas, turn, dice);
        }
        self.eyes.draw(canvas, turn, self.coat.base);
        if self.brows {
            for side in [-1.0, 1.0] {
                let brow =
                    Shape::ellipse((x + side * self.eyes.apart, self.eyes.y - 0.3), 0.12, 0.07, side * 15.0);
                canvas.fill(&brow, Ink::Flat(self.coat.pale, 0.85));
            }
        }
        self.draw_muzzle(canvas, turn, dice);
    }

    fn draw_muzzle(&self, canvas: &mut Canvas, turn: f32, dice: &mut Dice<'_>) {
        let (m, x) = (self.muzzle, turn * 0.5);
        if self.tongue {
            let long = dice.between(0.3, 0.55) * m;
            let tip = (x + dice.between(-0.08, 0.08), 0.88 + long);
            let tongue = Shape::limb(&[(x, 0.62), (x, 0.9), tip], 0.3 * m, 0.26 * m);
            let jaw = Shape::ellipse((x * 0.9, 0.85), 0.34 * m, 0.26 * m, 0.0);
            canvas.flat(&jaw, self.coat.pale.darker(0.3));
            canvas.flat(&Shape::ellipse((x, 0.8), 0.26 * m, 0.17 * m, 0.0), Rgb(0.25, 0.08, 0.08));
            canvas.fill(&tongue, Ink::Between(((0.0, 0.6), TONGUE.darker(0.25)), ((0.0, 1.2), TONGUE)));
            canvas.line(&tongue, true, 0.03, TONGUE.darker(0.5), 0.6);
            canvas.line(&Shape::curve(&[(x, 0.8), tip]), false, 0.03, TONGUE.darker(0.4), 0.7);
        }
        // The muzzle points to where the head is turned: its far end is moved further than its root.
        let muzzle = Shape::blob(&[
            (x * 0.5 - 0.3 * m, 0.02),
            (x * 0.5 + 0.3 * m, 0.02),
            (x + 0.46 * m, 0.42),
            (x + 0.36 * m, 0.76),
            (x, 0.66 + 0.12 * m),
            (x - 0.36 * m, 0.76),
            (x - 0.46 * m, 0.42),
        ]);
        let pale = self.coat.pale;
        canvas
            .fill(&muzzle, Ink::Between(((0.0, 0.0), pale.lighter(0.12)), ((0.0, 0.85), pale.darker(0.14))));
        canvas.line(&muzzle, true, 0.03, pale.darker(0.55), 0.35);

        let y = 0.26 + 0.06 * (1.0 - m);
        let (w, h) = (0.23 * m.max(0.8), 0.17 * m.max(0.8));
        let nose = Shape::blob(&[
            (x - 0.7 * w, y - h),
            (x + 0.7 * w, y - h),
            (x + w, y - 0.1 * h),
            (x + 0.35 * w, y + 0.9 * h),
            (x - 0.35 * w, y + 0.9 * h),
            (x - w, y - 0.1 * h),
        ]);
        canvas.flat(&nose, self.nose);
        canvas.fill(
            &Shape::ellipse((x - 0.3 * w, y - 0.5 * h), 0.3 * w, 0.2 * h, -10.0),
            Ink::Flat(WHITE, 0.5),
        );
        canvas.line(&Shape::curve(&[(x, y + h), (x, 0.56)]), false, 0.045, INK, 0.85);
        for side in [-1.0, 1.0] {
            let mouth = Shape::curve(&[(x, 0.56), (x + side * 0.18 * m, 0.67), (x + side * 0.36 * m, 0.56)]);
            canvas.line(&mouth, false, 0.045, INK, 0.85);
        }
    }

    fn draw_ears(&self, canvas: &mut Canvas, turn: f32, dice: &mut Dice<'_>) {
        let low = dice.between(0.25, 0.75);
        for side in [-1.0, 1.0] {
            let away = 1.0 - 0.2 * (side * turn).max(0.0);
            let x = |x: f32| side * x * away - turn * 0.08;
            let ear = match self.ears {
                Ears::Hanging => Shape::blob(&[
                    (x(0.42), -0.82),
                    (x(0.82), -0.78),
                    (x(1.12), -0.25),
                    (x(1.14), low),
                    (x(0.9), low + 0.12),
                    (x(0.74), -0.1),
                ]),
                Ears::Round => Shape::circle((x(0.72), -0.72), 0.36),
                Ears::Tipped => Shape::blob(&[
                    (x(0.25), -0.72),
                    (x(0.48), -1.12),
                    (x(0.72), -1.2),
                    (x(0.96), -0.86),
                    (x(0.8), -0.42),
                ]),
                Ears::Upright => Shape::blob(&[
                    (x(0.22), -0.7),
                    (x(0.42), -1.15),
                    (x(0.6), -1.42),
                    (x(0.8), -1.05),
                    (x(0.82), -0.4),
                ]),
            };
            self.ear_coat.paint(canvas, &ear, Part::Limb, dice);
            match self.ears {
                Ears::Tipped => {
                    let flap =
                        Shape::blob(&[(x(0.42), -1.08), (x(0.75), -1.2), (x(0.98), -0.84), (x(0.72), -0.78)]);
                    self.ear_coat.paint(canvas, &flap, Part::Limb, dice);
                }
                Ears::Upright => {
                    let inner = Shape::blob(&[(x(0.4), -0.8), (x(0.58), -1.2), (x(0.7), -0.7)]);
                    canvas.fill(&inner, Ink::Flat(PINK.mix(self.coat.base, 0.5).darker(0.2), 0.9));
                }
                Ears::Hanging | Ears::Round => {}
            }
        }
    }

    /// A blaze on the forehead, or a dark mask.
    fn markings(&self, canvas: &mut Canvas, x: f32) {
        match self.coat.pattern {
            Pattern::Patches => {
                let blaze =
                    Shape::blob(&[(x - 0.1, -1.0), (x + 0.1, -1.0), (x + 0.16, 0.1), (x - 0.16, 0.1)]);
                canvas.fill(&blaze, Ink::Flat(self.coat.pale, 0.95));
            }
            Pattern::Points => {
                canvas.fill(
                    &Shape::circle((x, 0.35), 0.95),
                    Ink::Glow((x, 0.35), 0.95, self.coat.marking, 0.9),
                );
            }
            Pattern::Plain | Pattern::Stripes | Pattern::Spots => {}
        }
    }
}
