//! Colours and shapes. A level's number in, its look out: colour, shape and lightness each tell levels apart,
//! so that a figure also reads in grey and with any kind of colour vision.

use plotters::style::RGBColor;

pub const INK: RGBColor = RGBColor(0x1a, 0x1a, 0x1a);
pub const AXIS: RGBColor = RGBColor(0x55, 0x55, 0x55);
pub const GRID: RGBColor = RGBColor(0xe4, 0xe4, 0xe4);
pub const BAND: RGBColor = RGBColor(0xee, 0xee, 0xee);
pub const PAPER: RGBColor = RGBColor(0xff, 0xff, 0xff);
pub const WARNING: RGBColor = RGBColor(0xb0, 0x3a, 0x00);

/// Okabe & Ito, "Color Universal Design" (2008), without yellow, which is too light for small marks on white.
/// The order keeps neighbours at least eight steps of CIE lightness apart.
const OKABE_ITO: [RGBColor; 7] = [
    RGBColor(0x00, 0x72, 0xb2), // blue, L* 46
    RGBColor(0xe6, 0x9f, 0x00), // orange, 71
    RGBColor(0x00, 0x9e, 0x73), // bluish green, 58
    RGBColor(0x00, 0x00, 0x00), // black, 0
    RGBColor(0xd5, 0x5e, 0x00), // vermillion, 54
    RGBColor(0x56, 0xb4, 0xe9), // sky blue, 70
    RGBColor(0xcc, 0x79, 0xa7), // reddish purple, 61
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Circle,
    Triangle,
    Square,
    Diamond,
    Wedge,
}

/// How a level of a factor is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Look {
    pub color: RGBColor,
    pub shape: Shape,
    pub hollow: bool,
}

/// The look of the `level`-th level. The first 35 are all different.
pub fn look(level: usize) -> Look {
    const SHAPES: [Shape; 5] = [Shape::Circle, Shape::Triangle, Shape::Square, Shape::Diamond, Shape::Wedge];
    Look {
        color: OKABE_ITO[level % OKABE_ITO.len()],
        shape: SHAPES[level % SHAPES.len()],
        hollow: level / SHAPES.len() % 2 == 1,
    }
}

/// What the paper's page calls a colour, and may show otherwise in the dark; a shade has no name.
pub fn class(color: RGBColor) -> Option<&'static str> {
    const LEVELS: [&str; 7] = ["c0", "c1", "c2", "c3", "c4", "c5", "c6"];
    let named = [(INK, "ink"), (AXIS, "axis"), (GRID, "grid"), (BAND, "band"), (PAPER, "paper"), (WARNING, "warn")];
    let levels = OKABE_ITO.into_iter().zip(LEVELS);
    named.into_iter().chain(levels).find(|(known, _)| *known == color).map(|(_, name)| name)
}

/// A sequence of one hue from near paper to dark, which reads the same in grey: 0 is the least.
pub fn shade(shade: u8) -> RGBColor {
    const ENDS: [[u8; 3]; 2] = [[0xed, 0xf3, 0xf8], [0x08, 0x3d, 0x6b]];
    let mix = |from: u8, to: u8| {
        let (from, to, share) = (u32::from(from), u32::from(to), u32::from(shade));
        u8::try_from((from * (255 - share) + to * share + 127) / 255).unwrap_or(u8::MAX)
    };
    let [from, to] = ENDS;
    RGBColor(mix(from[0], to[0]), mix(from[1], to[1]), mix(from[2], to[2]))
}

/// What a text on that shade is written in.
pub fn on_shade(shade: u8) -> RGBColor {
    if shade < 144 { INK } else { PAPER }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CIE L* of an sRGB colour.
    #[expect(clippy::disallowed_methods, reason = "a test against steps of eight")]
    fn lightness(RGBColor(r, g, b): RGBColor) -> f64 {
        let linear = |c: u8| {
            let c = f64::from(c) / 255.0;
            if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        };
        116.0 * (0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)).cbrt() - 16.0
    }

    #[test]
    fn neighbours_differ_in_grey_and_all_stand_out_from_paper() {
        for level in 0..OKABE_ITO.len() {
            let (here, next) = (lightness(look(level).color), lightness(look(level + 1).color));
            assert!((here - next).abs() >= 8.0, "levels {level} and {}: {here:.0}, {next:.0}", level + 1);
            assert!(here < 75.0, "level {level} is too light: {here:.0}");
        }
    }

    #[test]
    fn shades_darken_and_texts_on_them_are_read() {
        for at in 0..=255 {
            let here = lightness(shade(at));
            assert!(at == 255 || here >= lightness(shade(at + 1)), "{at}");
            assert!((here - lightness(on_shade(at))).abs() > 40.0, "{at}: {here:.0}");
        }
    }

    #[test]
    fn thirty_five_levels_look_different() {
        let key = |level| (look(level).color.0, look(level).color.1, look(level).shape, look(level).hollow);
        for a in 0..35 {
            for b in 0..a {
                assert!(key(a) != key(b), "{a} and {b}");
            }
        }
    }
}
