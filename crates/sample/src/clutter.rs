//! Things around the animal, behind it or in front: balls, boxes, plants, cushions, bowls, grass.

use crate::background::Ground;
use crate::canvas::{Canvas, Ink};
use crate::dice::Dice;
use crate::palette::{BLACK, GRASS, Rgb, TOYS, WHITE};
use crate::shape::{Point, Shape};

/// Draws one thing that stands at `foot` (the middle of its lower edge, in pixels) and is about `size`
/// pixels high.
pub(crate) fn draw(canvas: &mut Canvas, foot: Point, size: f32, ground: Ground, dice: &mut Dice<'_>) {
    let shadow = Shape::ellipse(foot, 0.6 * size, 0.12 * size, 0.0);
    canvas.fill(&shadow, Ink::Flat(BLACK, 0.25));
    let kind = if ground.outdoors { dice.whole(2, 5) } else { dice.whole(0, 4) };
    canvas.within(foot, (size, size), 0.0, |canvas| match kind {
        0 => box_(canvas, dice),
        1 => cushion(canvas, dice),
        2 => ball(canvas, dice),
        3 => plant(canvas, dice),
        4 => bowl(canvas, dice),
        _ => stone(canvas, dice),
    });
}

/// Blades of grass along the lower edge of the picture, in front of everything.
pub(crate) fn tall_grass(canvas: &mut Canvas, width: f32, height: f32, dice: &mut Dice<'_>) {
    let grass = dice.pick(&GRASS);
    let tall = height * dice.between(0.08, 0.3);
    for _ in 0..(width * 0.5) as u32 {
        let x = dice.between(-0.05, 1.05) * width;
        let up = tall * dice.between(0.4, 1.2);
        let bend = up * dice.between(-0.4, 0.4);
        let blade = Shape::limb(
            &[(x, height + 2.0), (x + 0.3 * bend, height - 0.6 * up), (x + bend, height - up)],
            4.0,
            0.6,
        );
        canvas.flat(&blade, grass.mix(BLACK, dice.between(0.0, 0.35)).varied(0.04, dice));
    }
}

fn ball(canvas: &mut Canvas, dice: &mut Dice<'_>) {
    let colour = dice.pick(&TOYS);
    let ball = Shape::circle((0.0, -0.5), 0.5);
    canvas.fill(&ball, Ink::Between(((-0.2, -1.0), colour.lighter(0.25)), ((0.2, 0.0), colour.darker(0.4))));
    canvas.inside(&ball, |canvas| {
        let band = Shape::curve(&[(-0.5, -0.7), (0.0, -0.45), (0.5, -0.6)]);
        canvas.line(&band, false, 0.14, WHITE, 0.8);
    });
    canvas.fill(&Shape::circle((-0.18, -0.72), 0.09), Ink::Flat(WHITE, 0.7));
}

fn box_(canvas: &mut Canvas, dice: &mut Dice<'_>) {
    let colour = Rgb::hex(0xb98d5a).mix(dice.pick(&TOYS), dice.between(0.0, 0.5));
    let wide = dice.between(0.5, 0.8);
    canvas.flat(&Shape::rect((-wide, -1.0), (wide, 0.0)), colour);
    canvas.flat(
        &Shape::polygon(&[(-wide, -1.0), (-wide + 0.2, -1.2), (wide + 0.2, -1.2), (wide, -1.0)]),
        colour.lighter(0.2),
    );
    canvas.flat(
        &Shape::polygon(&[(wide, -1.0), (wide + 0.2, -1.2), (wide + 0.2, -0.2), (wide, 0.0)]),
        colour.darker(0.3),
    );
    canvas.fill(&Shape::rect((-0.08, -1.0), (0.08, 0.0)), Ink::Flat(colour.darker(0.15), 0.8));
}

fn cushion(canvas: &mut Canvas, dice: &mut Dice<'_>) {
    let colour = dice.pick(&TOYS).lighter(0.15);
    let cushion = Shape::blob(&[
        (-0.9, -0.05),
        (-0.75, -0.4),
        (-0.85, -0.75),
        (0.0, -0.68),
        (0.85, -0.75),
        (0.75, -0.4),
        (0.9, -0.05),
        (0.0, 0.0),
    ]);
    canvas.fill(&cushion, Ink::Between(((0.0, -0.8), colour.lighter(0.2)), ((0.0, 0.0), colour.darker(0.3))));
    canvas.line(&cushion, true, 0.03, colour.darker(0.5), 0.6);
}

fn plant(canvas: &mut Canvas, dice: &mut Dice<'_>) {
    let leaf = dice.pick(&GRASS);
    for _ in 0..dice.whole(6, 12) {
        let lean = dice.between(-0.7, 0.7);
        let tip = (lean, -0.6 - dice.between(0.2, 0.7));
        let blade = Shape::limb(&[(0.0, -0.35), (0.4 * lean, -0.8), tip], 0.16, 0.03);
        canvas.flat(&blade, leaf.varied(0.08, dice));
    }
    let pot = Rgb::hex(0xa9603f).varied(0.1, dice);
    let shape = Shape::polygon(&[(-0.32, -0.45), (0.32, -0.45), (0.24, 0.0), (-0.24, 0.0)]);
    canvas.fill(&shape, Ink::Between(((-0.3, 0.0), pot.lighter(0.15)), ((0.3, 0.0), pot.darker(0.3))));
}

fn bowl(canvas: &mut Canvas, dice: &mut Dice<'_>) {
    let colour = dice.pick(&TOYS);
    canvas.flat(&Shape::polygon(&[(-0.6, -0.35), (0.6, -0.35), (0.75, 0.0), (-0.75, 0.0)]), colour);
    canvas.flat(&Shape::ellipse((0.0, -0.35), 0.6, 0.14, 0.0), colour.darker(0.35));
    canvas.flat(&Shape::ellipse((0.0, -0.37), 0.5, 0.11, 0.0), Rgb::hex(0x7a5236));
}

fn stone(canvas: &mut Canvas, dice: &mut Dice<'_>) {
    let colour = Rgb::hex(0x8b8a86).varied(0.08, dice);
    let mut side = |x: f32, y: f32| (x + dice.between(-0.1, 0.1), y + dice.between(-0.1, 0.1));
    let stone = Shape::blob(&[
        side(-0.7, -0.05),
        side(-0.55, -0.5),
        side(0.0, -0.7),
        side(0.6, -0.45),
        side(0.7, -0.05),
    ]);
    canvas.fill(&stone, Ink::Between(((0.0, -0.7), colour.lighter(0.25)), ((0.0, 0.0), colour.darker(0.35))));
}
