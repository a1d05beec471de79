//! One whole picture: background, things behind, the animal in its pose, things in front, the camera.

use image::RgbImage;
use pipeline_stage::random::Random;

use crate::background::{self, Ground};
use crate::body::{Build, Pose};
use crate::camera::Shot;
use crate::canvas::{Canvas, Ink};
use crate::cat::Cat;
use crate::clutter;
use crate::dice::Dice;
use crate::dog::Dog;
use crate::palette::BLACK;
use crate::shape::{Point, Shape};

/// What is drawn. The label of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Animal {
    /// A cat.
    Cat,
    /// A dog.
    Dog,
}

impl Animal {
    /// Both.
    pub const ALL: [Animal; 2] = [Animal::Cat, Animal::Dog];

    /// Singular, as in file names: `cat`, `dog`.
    pub fn name(self) -> &'static str {
        match self {
            Animal::Cat => "cat",
            Animal::Dog => "dog",
        }
    }

    /// Plural, as in folders and labels: `cats`, `dogs`.
    pub fn label(self) -> &'static str {
        match self {
            Animal::Cat => "cats",
            Animal::Dog => "dogs",
        }
    }
}

/// Draws one animal in random circumstances: `[H, W, 3]`, u8, RGB, sides of 180 to 420 pixels.
///
/// The same stream gives the same pixels.
pub fn draw(animal: Animal, random: &mut Random) -> RgbImage {
    let mut dice = Dice(random);
    let (width, height) = size(&mut dice);
    let Some(mut canvas) = Canvas::new(width, height) else {
        return RgbImage::new(width, height);
    };
    let (w, h) = (width as f32, height as f32);
    let ground = background::draw(&mut canvas, w, h, &mut dice);

    match animal {
        Animal::Cat => {
            let cat = Cat::random(&mut dice);
            let head = |canvas: &mut Canvas, turn: f32, dice: &mut Dice<'_>| cat.head(canvas, turn, dice);
            scene(&mut canvas, (w, h), ground, &cat.build, &cat.coat, head, &mut dice);
        }
        Animal::Dog => {
            let dog = Dog::random(&mut dice);
            let head = |canvas: &mut Canvas, turn: f32, dice: &mut Dice<'_>| dog.head(canvas, turn, dice);
            scene(&mut canvas, (w, h), ground, &dog.build, &dog.coat, head, &mut dice);
        }
    }
    let shot = Shot::random(&mut dice);
    shot.take(canvas.into_image(), &mut dice)
}

/// Sides of 180 to 420 pixels, from 3:4 to 5:3 and a little beyond.
fn size(dice: &mut Dice<'_>) -> (u32, u32) {
    let long = dice.between(240.0, 420.0);
    let short = (long * dice.between(0.6, 1.0)).max(180.0);
    let (long, short) = (long.round() as u32, short.round() as u32);
    if dice.chance(0.6) { (long, short) } else { (short, long) }
}

/// Everything between background and camera.
fn scene(
    canvas: &mut Canvas,
    (width, height): (f32, f32),
    ground: Ground,
    build: &Build,
    coat: &crate::fur::Coat,
    head: impl Fn(&mut Canvas, f32, &mut Dice<'_>),
    dice: &mut Dice<'_>,
) {
    let pose = dice.pick(&[Pose::Portrait, Pose::Portrait, Pose::Sitting, Pose::Sitting, Pose::Standing]);
    let place = place(pose, build, width, height, dice);

    for _ in 0..dice.whole(0, 3) {
        let foot =
            (width * dice.unit(), ground.horizon + (place.foot.1 - ground.horizon).max(4.0) * dice.unit());
        clutter::draw(canvas, foot, height * dice.between(0.08, 0.22), ground, dice);
    }

    if pose != Pose::Portrait {
        let (_, _, _, bottom) = pose.extent(build);
        let reach = if pose == Pose::Standing { 0.5 * build.length + 1.0 } else { 1.5 * build.girth };
        let middle = if pose == Pose::Standing { -0.5 * build.length - 0.7 } else { 0.0 };
        let at = (
            place.origin.0 + place.flip * middle * place.scale,
            place.origin.1 + (bottom - 0.05) * place.scale,
        );
        let shadow = Shape::ellipse(at, reach * place.scale, 0.22 * place.scale, 0.0);
        canvas.fill(&shadow, Ink::Flat(ground.colour.mix(BLACK, 0.7), 0.45));
    }

    // The head is turned, tilted and set a little apart from the body's axis.
    let turn = match pose {
        Pose::Standing => dice.between(0.1, 1.0),
        Pose::Portrait | Pose::Sitting => dice.between(-1.0, 1.0),
    };
    let tilt = dice.between(-14.0, 14.0);
    canvas.within(place.origin, (place.flip * place.scale, place.scale), place.lean, |canvas| {
        build.draw(canvas, pose, coat, dice);
        canvas.within((0.0, 0.0), (1.0, 1.0), tilt, |canvas| head(canvas, turn, dice));
    });

    if dice.chance(0.15) {
        // Something partly hides the animal: its foot is nearer than the animal's.
        let x = place.origin.0 + dice.between(-1.4, 1.4) * place.scale;
        let foot = (x, (place.foot.1 + 0.06 * height).min(height * 1.02));
        let size = (dice.between(1.0, 2.2) * place.scale).min(0.6 * height);
        clutter::draw(canvas, foot, size, ground, dice);
    }
    if ground.outdoors && dice.chance(0.3) {
        clutter::tall_grass(canvas, width, height, dice);
    }
}

/// Where the animal is in the picture, in pixels.
struct Place {
    /// The middle of its head.
    origin: Point,
    /// Pixels for a head radius.
    scale: f32,
    /// -1 when it looks to the left.
    flip: f32,
    /// Rotation of the whole, in degrees.
    lean: f32,
    /// Where it stands.
    foot: Point,
}

fn place(pose: Pose, build: &Build, width: f32, height: f32, dice: &mut Dice<'_>) -> Place {
    let (left, top, right, bottom) = pose.extent(build);
    let fit = (width / (right - left)).min(height / (bottom - top));
    // Usually it fills most of the picture; sometimes it is far away, or too near to be seen whole.
    let fill = match dice.whole(0, 19) {
        0..=1 if pose != Pose::Portrait => dice.between(0.32, 0.5),
        2..=3 => dice.between(1.1, 1.5),
        _ => dice.between(0.6, 1.05),
    };
    let scale = fit * fill;
    let flip = dice.sign();
    let (w, h) = ((right - left) * scale, (bottom - top) * scale);
    let free = (width - w, height - h);
    let down = match pose {
        // The shoulders reach a head radius below the extent: they must leave the picture, not end in it.
        Pose::Portrait => (dice.between(0.3, 0.8) * free.1).max(free.1 - 0.9 * scale),
        // On the ground rather than in the air.
        Pose::Sitting | Pose::Standing => dice.between(0.6, 0.98) * free.1,
    };
    let corner = (0.5 * free.0 + dice.between(-0.3, 0.3) * free.0.abs(), down);
    let from_left = if flip > 0.0 { -left } else { right };
    // An animal too near to be seen whole is cut off at its body, not at its face.
    let origin = (
        (corner.0 + from_left * scale).clamp(0.15 * width, 0.85 * width),
        (corner.1 - top * scale).clamp(0.2 * height, 0.9 * height),
    );
    let lean = dice.between(-8.0, 8.0);
    Place { origin, scale, flip, lean, foot: (origin.0, origin.1 + bottom * scale) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipeline_stage::random::Stream;

    fn stream(seed: u64) -> Random {
        Stream { seed, purpose: "test", ..Stream::default() }.start()
    }

    #[test]
    fn the_same_stream_gives_the_same_pixels_and_another_stream_others() {
        let picture = |animal, seed| draw(animal, &mut stream(seed));
        assert_eq!(picture(Animal::Cat, 1), picture(Animal::Cat, 1));
        assert_ne!(picture(Animal::Cat, 1), picture(Animal::Cat, 2));
        assert_ne!(picture(Animal::Cat, 1), picture(Animal::Dog, 1));
    }

    #[test]
    fn sides_are_180_to_420_pixels_in_both_directions() {
        let sizes: Vec<(u32, u32)> = (0..300).map(|seed| size(&mut Dice(&mut stream(seed)))).collect();
        assert!(
            sizes.iter().all(|&(w, h)| (180..=420).contains(&w) && (180..=420).contains(&h)),
            "{sizes:?}"
        );
        assert!(sizes.iter().any(|(w, h)| w > h) && sizes.iter().any(|(w, h)| w < h));
    }

    #[test]
    fn an_animal_that_fits_stays_inside_the_picture() {
        let cat = Cat::random(&mut Dice(&mut stream(3)));
        let (width, height) = (400.0, 300.0);
        for seed in 0..200 {
            let pose = Pose::Standing;
            let place = place(pose, &cat.build, width, height, &mut Dice(&mut stream(seed)));
            let (left, top, right, bottom) = pose.extent(&cat.build);
            let (w, h) = ((right - left) * place.scale, (bottom - top) * place.scale);
            if w > width || h > height {
                continue;
            }
            let x = [left, right].map(|x| place.origin.0 + place.flip * x * place.scale);
            let y = [top, bottom].map(|y| place.origin.1 + y * place.scale);
            assert!(x.iter().all(|x| (-1.0..=width + 1.0).contains(x)), "x {x:?} with seed {seed}");
            assert!(y.iter().all(|y| (-1.0..=height + 1.0).contains(y)), "y {y:?} with seed {seed}");
        }
    }
}
