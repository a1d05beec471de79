//! [`Rgb`], and the colours of coats, eyes, rooms and toys. Cats and dogs share the colours of coats
//! nearly all, so that colour alone says little.

use crate::dice::Dice;

/// A colour: red, green, blue in 0 to 1, as stored in a JPEG (sRGB).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rgb(pub(crate) f32, pub(crate) f32, pub(crate) f32);

pub(crate) const WHITE: Rgb = Rgb(1.0, 1.0, 1.0);
pub(crate) const BLACK: Rgb = Rgb(0.0, 0.0, 0.0);
pub(crate) const INK: Rgb = Rgb(0.13, 0.10, 0.09);
pub(crate) const PINK: Rgb = Rgb(0.91, 0.62, 0.62);
pub(crate) const TONGUE: Rgb = Rgb(0.89, 0.45, 0.48);

impl Rgb {
    /// From `0xRRGGBB`.
    pub(crate) const fn hex(rgb: u32) -> Rgb {
        Rgb(((rgb >> 16) & 255) as f32 / 255.0, ((rgb >> 8) & 255) as f32 / 255.0, (rgb & 255) as f32 / 255.0)
    }

    /// The colour at `t` (0 to 1) of the way to `other`.
    pub(crate) fn mix(self, other: Rgb, t: f32) -> Rgb {
        let mix = |a: f32, b: f32| a + (b - a) * t;
        Rgb(mix(self.0, other.0), mix(self.1, other.1), mix(self.2, other.2))
    }

    /// Towards white.
    pub(crate) fn lighter(self, t: f32) -> Rgb {
        self.mix(WHITE, t)
    }

    /// Towards black.
    pub(crate) fn darker(self, t: f32) -> Rgb {
        self.mix(BLACK, t)
    }

    /// Brightness in 0 to 1 (Rec. 601 weights).
    pub(crate) fn brightness(self) -> f32 {
        0.299 * self.0 + 0.587 * self.1 + 0.114 * self.2
    }

    /// Each channel moved by at most `amount`, within 0 to 1.
    pub(crate) fn varied(self, amount: f32, dice: &mut Dice<'_>) -> Rgb {
        let mut vary = |c: f32| (c + dice.between(-amount, amount)).clamp(0.0, 1.0);
        Rgb(vary(self.0), vary(self.1), vary(self.2))
    }
}

/// Coats that cats and dogs both have: white, cream, sand, ginger, fawn, brown, chocolate, grey, slate, black.
pub(crate) const COATS: [Rgb; 10] = [
    Rgb::hex(0xefebe4),
    Rgb::hex(0xe9d7b5),
    Rgb::hex(0xd9b384),
    Rgb::hex(0xd08a45),
    Rgb::hex(0xb98e66),
    Rgb::hex(0x8a5f3d),
    Rgb::hex(0x5d4031),
    Rgb::hex(0x9c9a99),
    Rgb::hex(0x6c7079),
    Rgb::hex(0x3a3638),
];

/// Eyes seen more in cats.
pub(crate) const BRIGHT_EYES: [Rgb; 6] = [
    Rgb::hex(0x9bb04a),
    Rgb::hex(0x6fa05c),
    Rgb::hex(0xd8a93a),
    Rgb::hex(0xc98a2c),
    Rgb::hex(0x6fa6c9),
    Rgb::hex(0xb7b45e),
];

/// Eyes seen more in dogs.
pub(crate) const DARK_EYES: [Rgb; 4] =
    [Rgb::hex(0x4a2f20), Rgb::hex(0x6b4427), Rgb::hex(0x3a2a22), Rgb::hex(0x8a5a2c)];

/// Toys, boxes, cushions, collars.
pub(crate) const TOYS: [Rgb; 9] = [
    Rgb::hex(0xc8463c),
    Rgb::hex(0x3f78b5),
    Rgb::hex(0xe2b33c),
    Rgb::hex(0x4f9a63),
    Rgb::hex(0x8e5aa6),
    Rgb::hex(0xe07f4a),
    Rgb::hex(0x4cb0ae),
    Rgb::hex(0xd977a0),
    Rgb::hex(0x8d7a63),
];

/// Walls, skies out of focus, curtains.
pub(crate) const WALLS: [Rgb; 10] = [
    Rgb::hex(0xd9d2c5),
    Rgb::hex(0xb9c7cf),
    Rgb::hex(0xcfd8c0),
    Rgb::hex(0xe2c9b8),
    Rgb::hex(0x9fb0a8),
    Rgb::hex(0xa79cb5),
    Rgb::hex(0x7f8c99),
    Rgb::hex(0xc7a77f),
    Rgb::hex(0x5f6d66),
    Rgb::hex(0x8c6f63),
];

/// Wooden floors, carpets, tiles.
pub(crate) const FLOORS: [Rgb; 7] = [
    Rgb::hex(0xa9825a),
    Rgb::hex(0x7c5a3e),
    Rgb::hex(0xc8ae8c),
    Rgb::hex(0x8b8680),
    Rgb::hex(0x9b4f45),
    Rgb::hex(0x4f5f78),
    Rgb::hex(0xbfb9ad),
];

/// Grass, from dry to deep.
pub(crate) const GRASS: [Rgb; 4] =
    [Rgb::hex(0x7c9a4a), Rgb::hex(0x5b8a3f), Rgb::hex(0x9aa05a), Rgb::hex(0x44703a)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hexadecimal_colour_is_red_green_blue() {
        assert_eq!(Rgb::hex(0xff0033), Rgb(1.0, 0.0, 0.2));
    }

    #[test]
    fn mixing_goes_from_one_colour_to_the_other() {
        let (a, b) = (Rgb(0.0, 0.5, 1.0), Rgb(1.0, 0.5, 0.0));
        assert_eq!(a.mix(b, 0.0), a);
        assert_eq!(a.mix(b, 1.0), b);
        assert_eq!(a.mix(b, 0.25), Rgb(0.25, 0.5, 0.75));
    }

    #[test]
    fn white_is_brighter_than_any_coat() {
        assert!(COATS.iter().all(|c| c.brightness() < WHITE.brightness()));
    }
}
