//! What lies behind the animal: a studio's gradient, a room, a meadow, or coloured lights out of focus.

use crate::canvas::{Canvas, Ink};
use crate::dice::Dice;
use crate::palette::{FLOORS, GRASS, Rgb, TOYS, WALLS, WHITE};
use crate::shape::Shape;

/// Where the ground begins and what colour it has, for what stands on it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ground {
    /// Where wall or sky ends, in pixels from the top.
    pub(crate) horizon: f32,
    /// Colour of the ground.
    pub(crate) colour: Rgb,
    /// Whether it is outdoors: then plants, not boxes, are likely.
    pub(crate) outdoors: bool,
}

/// Fills a picture of `width` x `height` pixels.
pub(crate) fn draw(canvas: &mut Canvas, width: f32, height: f32, dice: &mut Dice<'_>) -> Ground {
    let ground = match dice.whole(0, 9) {
        0..=1 => studio(canvas, width, height, dice),
        2..=5 => room(canvas, width, height, dice),
        6..=8 => meadow(canvas, width, height, dice),
        _ => lights(canvas, width, height, dice),
    };
    if dice.chance(0.6) {
        canvas.defocus(dice.between(1.5, 6.0));
    }
    ground
}

fn all(width: f32, height: f32) -> Shape {
    Shape::rect((0.0, 0.0), (width, height))
}

fn studio(canvas: &mut Canvas, width: f32, height: f32, dice: &mut Dice<'_>) -> Ground {
    let colour = dice.pick(&WALLS).varied(0.06, dice);
    let corner = (dice.between(0.0, width), 0.0);
    canvas.fill(
        &all(width, height),
        Ink::Between((corner, colour.lighter(0.2)), ((width * 0.5, height), colour.darker(0.35))),
    );
    Ground { horizon: height * 0.75, colour: colour.darker(0.25), outdoors: false }
}

fn room(canvas: &mut Canvas, width: f32, height: f32, dice: &mut Dice<'_>) -> Ground {
    let wall = dice.pick(&WALLS).varied(0.06, dice);
    let floor = dice.pick(&FLOORS).varied(0.05, dice);
    let horizon = height * dice.between(0.5, 0.82);
    canvas.fill(
        &all(width, height),
        Ink::Between(((0.0, 0.0), wall.lighter(0.1)), ((width, horizon), wall.darker(0.12))),
    );

    match dice.whole(0, 3) {
        0 => {
            let step = width * dice.between(0.06, 0.18);
            let mut x = 0.0;
            while x < width {
                canvas.fill(
                    &Shape::rect((x, 0.0), (x + 0.5 * step, horizon)),
                    Ink::Flat(wall.darker(0.15), 0.6),
                );
                x += step;
            }
        }
        1 => window(canvas, width, horizon, dice),
        2 => frame(canvas, width, horizon, dice),
        _ => {}
    }

    let ground = Shape::rect((0.0, horizon), (width, height));
    canvas.fill(
        &ground,
        Ink::Between(((0.0, horizon), floor.darker(0.15)), ((0.0, height), floor.lighter(0.1))),
    );
    canvas.flat(&Shape::rect((0.0, horizon - 0.02 * height), (width, horizon)), wall.lighter(0.4));
    if dice.chance(0.5) {
        let vanishing = (width * dice.between(0.2, 0.8), horizon - height * 0.5);
        canvas.inside(&ground, |canvas| {
            for i in -6..=16 {
                let x = width * i as f32 / 10.0;
                let board = Shape::curve(&[vanishing, (x + (x - vanishing.0) * 0.8, height * 1.1)]);
                canvas.line(&board, false, 0.004 * width, floor.darker(0.4), 0.7);
            }
        });
    } else if dice.chance(0.5) {
        let rug = dice.pick(&TOYS).mix(floor, 0.3);
        let centre = (width * dice.between(0.3, 0.7), 0.5 * (horizon + height));
        canvas.flat(&Shape::ellipse(centre, width * 0.45, (height - horizon) * 0.42, 0.0), rug.darker(0.2));
        canvas.flat(&Shape::ellipse(centre, width * 0.4, (height - horizon) * 0.36, 0.0), rug);
    }
    Ground { horizon, colour: floor, outdoors: false }
}

fn window(canvas: &mut Canvas, width: f32, horizon: f32, dice: &mut Dice<'_>) {
    let (left, top) = (width * dice.between(0.0, 0.6), horizon * dice.between(0.05, 0.2));
    let (right, bottom) = (left + width * dice.between(0.25, 0.5), horizon * dice.between(0.6, 0.85));
    let sky = Rgb::hex(0xbcd9ee).varied(0.08, dice);
    canvas.flat(&Shape::rect((left - 6.0, top - 6.0), (right + 6.0, bottom + 6.0)), WHITE.darker(0.08));
    canvas.fill(
        &Shape::rect((left, top), (right, bottom)),
        Ink::Between(((left, top), sky), ((left, bottom), sky.lighter(0.5))),
    );
    let middle = 0.5 * (left + right);
    canvas.flat(&Shape::rect((middle - 2.0, top), (middle + 2.0, bottom)), WHITE.darker(0.08));
}

fn frame(canvas: &mut Canvas, width: f32, horizon: f32, dice: &mut Dice<'_>) {
    for _ in 0..dice.whole(1, 3) {
        let from = (width * dice.between(0.0, 0.85), horizon * dice.between(0.05, 0.4));
        let to = (from.0 + width * dice.between(0.1, 0.25), from.1 + horizon * dice.between(0.15, 0.4));
        canvas.flat(&Shape::rect(from, to), Rgb::hex(0x4a3526));
        let inner = Shape::rect((from.0 + 4.0, from.1 + 4.0), (to.0 - 4.0, to.1 - 4.0));
        let (a, b) = (dice.pick(&TOYS), dice.pick(&WALLS));
        canvas.fill(&inner, Ink::Between((from, a.lighter(0.3)), (to, b)));
    }
}

fn meadow(canvas: &mut Canvas, width: f32, height: f32, dice: &mut Dice<'_>) -> Ground {
    let sky = Rgb::hex(0xa9cbe6).varied(0.1, dice);
    let grass = dice.pick(&GRASS).varied(0.05, dice);
    let horizon = height * dice.between(0.25, 0.65);
    canvas.fill(&all(width, height), Ink::Between(((0.0, 0.0), sky), ((0.0, horizon), sky.lighter(0.55))));
    for _ in 0..dice.whole(0, 9) {
        let tree = grass.darker(dice.between(0.1, 0.45)).varied(0.05, dice);
        let centre = (width * dice.unit(), horizon - height * dice.between(0.0, 0.08));
        let radius = height * dice.between(0.06, 0.2);
        canvas.flat(&Shape::ellipse(centre, radius * dice.between(0.7, 1.3), radius, 0.0), tree);
    }
    let ground = Shape::rect((0.0, horizon), (width, height));
    canvas.fill(
        &ground,
        Ink::Between(((0.0, horizon), grass.lighter(0.2)), ((0.0, height), grass.darker(0.2))),
    );
    for _ in 0..(width * 0.9) as u32 {
        let near = dice.unit();
        let at = (width * dice.unit(), horizon + (height - horizon) * near);
        let tall = height * (0.01 + 0.04 * near);
        let blade = Shape::curve(&[at, (at.0 + dice.between(-0.5, 0.5) * tall, at.1 - tall)]);
        let colour = if dice.chance(0.5) { grass.lighter(0.2) } else { grass.darker(0.25) };
        canvas.line(&blade, false, 1.0 + 1.5 * near, colour, 0.7);
    }
    for _ in 0..dice.whole(0, 12) {
        let near = dice.between(0.2, 1.0);
        let at = (width * dice.unit(), horizon + (height - horizon) * near);
        canvas.flat(&Shape::circle(at, 0.012 * height * near), dice.pick(&TOYS).lighter(0.4));
    }
    Ground { horizon, colour: grass, outdoors: true }
}

fn lights(canvas: &mut Canvas, width: f32, height: f32, dice: &mut Dice<'_>) -> Ground {
    let colour = dice.pick(&WALLS).darker(dice.between(0.2, 0.6));
    canvas.flat(&all(width, height), colour);
    for _ in 0..dice.whole(10, 30) {
        let centre = (width * dice.unit(), height * dice.unit());
        let light = dice.pick(&TOYS).lighter(dice.between(0.2, 0.7));
        canvas.fill(
            &Shape::circle(centre, height * dice.between(0.03, 0.12)),
            Ink::Flat(light, dice.between(0.15, 0.5)),
        );
    }
    Ground { horizon: height * 0.8, colour: colour.darker(0.2), outdoors: false }
}
