//! [`Build`]: the proportions of a body, and how it sits and stands. The same for cats and dogs; what
//! tells them apart is the numbers, the tail, and the head, which its own file draws.
//!
//! Unit: the radius of the head. Origin: the middle of the head. The animal looks to the right.

use crate::canvas::{Canvas, Ink};
use crate::dice::Dice;
use crate::fur::{Coat, Part};
use crate::palette::{Rgb, TOYS};
use crate::shape::{Point, Shape};

/// How the animal holds itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pose {
    /// Only head and shoulders are in the picture.
    Portrait,
    /// Sitting, seen from the front.
    Sitting,
    /// Standing, seen from the side.
    Standing,
}

impl Pose {
    /// What the animal takes up, ears and tail included: left, top, right, bottom in head radii.
    pub(crate) fn extent(self, build: &Build) -> (f32, f32, f32, f32) {
        match self {
            Pose::Portrait => (-1.3, -1.5, 1.3, 1.5),
            Pose::Sitting => (-1.9, -1.5, 1.9, build.sitting_height + 0.3),
            Pose::Standing => (-build.length - 2.3, -1.5, 1.3, build.ground()),
        }
    }
}

/// Proportions, in head radii.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Build {
    /// From shoulder to rump, standing.
    pub(crate) length: f32,
    /// Of the chest, standing.
    pub(crate) depth: f32,
    /// Below the chest, standing.
    pub(crate) legs: f32,
    /// Width of a leg.
    pub(crate) leg_width: f32,
    /// How far the shoulders are behind and below the head, standing.
    pub(crate) neck: f32,
    /// From the middle of the head to the ground, sitting.
    pub(crate) sitting_height: f32,
    /// Half the width of the body, sitting.
    pub(crate) girth: f32,
    /// The tail.
    pub(crate) tail: Tail,
}

/// A tail.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tail {
    /// From root to tip.
    pub(crate) length: f32,
    /// Width at the root.
    pub(crate) root: f32,
    /// Width at the tip.
    pub(crate) tip: f32,
    /// How far up it points: 0 hangs, 1 stands.
    pub(crate) lift: f32,
    /// How much it bends back at the end.
    pub(crate) curl: f32,
}

impl Build {
    /// The ground, standing.
    pub(crate) fn ground(&self) -> f32 {
        self.shoulder().1 + 0.6 * self.depth + self.legs
    }

    fn shoulder(&self) -> Point {
        (-0.55 - 0.4 * self.neck, 0.55 + 0.5 * self.neck)
    }

    /// Draws everything but the head.
    pub(crate) fn draw(&self, canvas: &mut Canvas, pose: Pose, coat: &Coat, dice: &mut Dice<'_>) {
        match pose {
            Pose::Portrait => self.shoulders(canvas, coat, dice),
            Pose::Sitting => self.sitting(canvas, coat, dice),
            Pose::Standing => self.standing(canvas, coat, dice),
        }
        if dice.chance(0.3) {
            collar(canvas, pose, dice);
        }
    }

    fn shoulders(&self, canvas: &mut Canvas, coat: &Coat, dice: &mut Dice<'_>) {
        let g = self.girth;
        let body = Shape::mirrored(&[(0.0, 0.1), (0.55, 0.35), (g * 0.85, 1.3), (g * 1.15, 2.6), (0.0, 3.2)]);
        coat.paint(canvas, &body, Part::Body, dice);
        bib(canvas, coat, (0.0, 1.3), 0.45 * g, 0.8);
    }

    fn sitting(&self, canvas: &mut Canvas, coat: &Coat, dice: &mut Dice<'_>) {
        let (g, h) = (self.girth, self.sitting_height);
        let side = dice.sign();
        self.tail.draw(canvas, (side * 0.75 * g, h - 0.35), side, coat, dice);
        let body = Shape::mirrored(&[
            (0.0, 0.3),
            (0.5, 0.5),
            (0.78 * g, 0.35 * h),
            (0.95 * g, 0.65 * h),
            (1.02 * g, 0.9 * h),
            (0.5 * g, h),
            (0.0, h),
        ]);
        coat.paint(canvas, &body, Part::Body, dice);
        bib(canvas, coat, (0.0, 0.42 * h), 0.42 * g, 0.2 * h);
        for side in [-1.0, 1.0] {
            let haunch = Shape::ellipse((side * 0.82 * g, h - 0.52), 0.45 * g, 0.58, side * -18.0);
            coat.paint(canvas, &haunch, Part::Limb, dice);
            self.paw(canvas, (side * 0.95 * g, h - 0.08), 1.25, coat, dice);
        }
        for side in [-1.0, 1.0] {
            let x = side * 0.36 * g;
            let leg = Shape::limb(
                &[(x * 1.15, 0.5 * h), (x * 1.05, 0.75 * h), (x, h - 0.1)],
                self.leg_width * 1.15,
                self.leg_width,
            );
            coat.paint(canvas, &leg, Part::Limb, dice);
            self.paw(canvas, (x, h), 1.0, coat, dice);
        }
    }

    fn standing(&self, canvas: &mut Canvas, coat: &Coat, dice: &mut Dice<'_>) {
        let (sx, sy) = self.shoulder();
        let (l, d, ground) = (self.length, self.depth, self.ground());
        let rump = sx - l;
        let stride = dice.between(-0.35, 0.35);

        self.leg(canvas, (sx - 0.35, sy + 0.3 * d), stride, ground - 0.12, Part::Far, coat, dice);
        self.leg(canvas, (rump + 0.35, sy + 0.25 * d), -stride, ground - 0.12, Part::Far, coat, dice);
        self.tail.draw(canvas, (rump - 0.05, sy - 0.15 * d), -1.0, coat, dice);

        let tuck = dice.between(0.0, 0.2) * d;
        // From under the chin over the nape and along the back, then along the belly to the chest.
        let body = Shape::blob(&[
            (0.45, 0.5),
            (-0.45, -0.35),
            (0.5 * sx - 0.45, 0.5 * sy - 0.35 * d),
            (sx - 0.4, sy - 0.46 * d),
            (sx - 0.55 * l, sy - 0.38 * d),
            (rump + 0.2, sy - 0.42 * d),
            (rump - 0.28, sy + 0.05 * d),
            (rump + 0.1, sy + 0.45 * d),
            (sx - 0.55 * l, sy + 0.58 * d - tuck),
            (sx - 0.1, sy + 0.62 * d),
            (sx + 0.48, sy + 0.15 * d),
        ]);
        coat.paint(canvas, &body, Part::Body, dice);

        self.leg(canvas, (rump + 0.2, sy + 0.2 * d), stride, ground, Part::Limb, coat, dice);
        self.leg(canvas, (sx - 0.15, sy + 0.3 * d), -stride, ground, Part::Limb, coat, dice);
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "a leg is where it starts, where it ends and how it is painted"
    )]
    fn leg(
        &self,
        canvas: &mut Canvas,
        hip: Point,
        stride: f32,
        ground: f32,
        part: Part,
        coat: &Coat,
        dice: &mut Dice<'_>,
    ) {
        let foot = (hip.0 + stride, ground - 0.12);
        let knee = (hip.0 + 0.35 * stride - 0.08, 0.55 * hip.1 + 0.45 * foot.1);
        let leg = Shape::limb(&[hip, knee, foot], self.leg_width * 1.5, self.leg_width * 0.85);
        coat.paint(canvas, &leg, part, dice);
        if part != Part::Far {
            self.paw(canvas, (foot.0 + 0.1, ground - 0.08), 0.95, coat, dice);
        }
    }

    fn paw(&self, canvas: &mut Canvas, at: Point, size: f32, coat: &Coat, dice: &mut Dice<'_>) {
        let (rx, ry) = (0.72 * self.leg_width * size, 0.4 * self.leg_width * size);
        let colour =
            if coat.pale.brightness() > 0.6 { coat.pale } else { coat.colour(Part::Limb).lighter(0.08) };
        let paw = Shape::ellipse(at, rx, ry, dice.between(-4.0, 4.0));
        canvas.fill(&paw, Ink::Between(((0.0, at.1 - ry), colour), ((0.0, at.1 + ry), colour.darker(0.3))));
        canvas.line(&paw, true, 0.035, colour.darker(0.6), 0.55);
        for x in [-0.3, 0.3] {
            let toe =
                Shape::curve(&[(at.0 + x * rx, at.1 + 0.1 * ry), (at.0 + x * rx * 1.1, at.1 + 0.8 * ry)]);
            canvas.line(&toe, false, 0.035, colour.darker(0.6), 0.7);
        }
    }
}

impl Tail {
    /// From its root towards `side` (1 right, -1 left).
    fn draw(&self, canvas: &mut Canvas, root: Point, side: f32, coat: &Coat, dice: &mut Dice<'_>) {
        let sway = dice.between(-0.15, 0.15);
        let angle = (self.lift + sway) * 1.9 - 0.6;
        let (sin, cos) = angle.sin_cos();
        let at = |along: f32, aside: f32| {
            let (x, y) = (along * cos + aside * sin, -along * sin + aside * cos);
            (root.0 + side * x * self.length, root.1 + y * self.length)
        };
        let c = self.curl;
        let tail = Shape::limb(
            &[at(0.0, 0.0), at(0.32, 0.12), at(0.62, 0.02), at(0.85, -0.3 * c), at(0.85 - 0.2 * c, -0.6 * c)],
            self.root,
            self.tip,
        );
        coat.paint(canvas, &tail, Part::Limb, dice);
    }
}

/// Pale fur on the chest.
fn bib(canvas: &mut Canvas, coat: &Coat, at: Point, rx: f32, ry: f32) {
    let (x, y) = at;
    let bib = Shape::blob(&[
        (x - rx, y - ry),
        (x + rx, y - ry),
        (x + 0.8 * rx, y + 0.3 * ry),
        (x, y + ry * 1.2),
        (x - 0.8 * rx, y + 0.3 * ry),
    ]);
    canvas.fill(&bib, Ink::Flat(coat.pale, 0.8));
}

fn collar(canvas: &mut Canvas, pose: Pose, dice: &mut Dice<'_>) {
    let colour: Rgb = dice.pick(&TOYS);
    let (from, middle, to) = match pose {
        Pose::Portrait | Pose::Sitting => ((-0.66, 0.72), (0.0, 1.1), (0.66, 0.72)),
        Pose::Standing => ((-0.95, 0.35), (-0.5, 0.95), (0.1, 1.05)),
    };
    canvas.line(&Shape::curve(&[from, middle, to]), false, 0.2, colour.darker(0.35), 1.0);
    canvas.line(&Shape::curve(&[from, middle, to]), false, 0.14, colour, 1.0);
    canvas.flat(&Shape::circle((middle.0, middle.1 + 0.14), 0.12), Rgb::hex(0xd9b64a));
}
