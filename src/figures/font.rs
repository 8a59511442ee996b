//! The one font of every figure, embedded. Text in, widths out. System fonts are never looked at: they differ between machines.

use anyhow::{Context, Result};
use ttf_parser::Face;

/// The family's name inside the font file.
pub const FAMILY: &str = "Source Sans 3";
/// Source Sans 3 Regular, SIL Open Font License 1.1 (`fonts/LICENSE.txt`).
pub static BYTES: &[u8] = include_bytes!("fonts/SourceSans3-Regular.ttf");

/// Reads the embedded font's tables.
pub struct Font {
    face: Face<'static>,
}

impl Font {
    pub fn open() -> Result<Self> {
        Ok(Font { face: Face::parse(BYTES, 0).context("figure: the embedded font does not parse")? })
    }

    /// The width of `text` in points at `size` points, without kerning (which only ever makes it narrower by a hair).
    pub fn width(&self, text: &str, size: f64) -> f64 {
        let advance = |c| self.face.glyph_index(c).and_then(|glyph| self.face.glyph_hor_advance(glyph));
        let units: f64 = self.drawable(text).chars().map(|c| f64::from(advance(c).unwrap_or(500))).sum();
        units / f64::from(self.face.units_per_em()) * size
    }

    /// `text` cut to `width` points, with an ellipsis where something was cut.
    pub fn shorten(&self, text: &str, size: f64, width: f64) -> String {
        if self.width(text, size) <= width {
            return text.to_owned();
        }
        let mut kept: Vec<char> = text.chars().collect();
        while kept.pop().is_some() {
            let short = kept.iter().collect::<String>().trim_end().to_owned() + "…";
            if self.width(&short, size) <= width {
                return short;
            }
        }
        "…".to_owned()
    }

    /// Has it a letter for this character?
    pub fn has(&self, c: char) -> bool {
        self.face.glyph_index(c).is_some()
    }

    /// `text` with every character that cannot be drawn (a control character, a script the font lacks) shown as `?`,
    /// so that a label never makes the SVG ill-formed and never vanishes.
    pub fn drawable(&self, text: &str) -> String {
        text.chars().map(|c| if c.is_control() || !self.has(c) { '?' } else { c }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_half_an_em_wide() {
        let font = Font::open().unwrap();
        assert!((font.width("0123", 10.0) - 4.0 * 4.97).abs() < 1e-9);
    }

    #[test]
    fn a_long_label_is_cut_to_its_room() {
        let font = Font::open().unwrap();
        let cut = font.shorten("a prompt with a very long name indeed", 7.0, 40.0);
        assert!(cut.ends_with('…') && font.width(&cut, 7.0) <= 40.0, "{cut}");
        assert_eq!(font.shorten("short", 7.0, 40.0), "short");
        assert_eq!(font.shorten("short", 7.0, 0.0), "…");
    }

    #[test]
    fn what_cannot_be_drawn_is_a_question_mark() {
        assert_eq!(Font::open().unwrap().drawable("a\u{0}b\n−µ²语"), "a?b?−µ²?");
    }
}
