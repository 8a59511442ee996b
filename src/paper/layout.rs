//! How much room a skin of LaTeX's gives: the first comment of the skin says it, since no more than the class knows it.
//! `<# layout: column=241 page=506 height=626 small=8 footnotesize=7 scriptsize=6 description=yes #>`
//!
//! Numbers are points. `column` is the width of a line, `page` that of what spans all columns, `height` that of a page's text; then the
//! sizes of letters that tables may have, and `face=1.1` where they are that much wider than most. `description=yes` puts a
//! `\Description` beside each figure, as ACM's class wants.

use anyhow::{Context, Result, bail, ensure};

/// No letter is set smaller, in points: below it readers give up.
const SMALLEST: f64 = 6.9;
/// Of a page that an author uses.
const POINTS: std::ops::RangeInclusive<f64> = 1.0..=5000.0;

const FACES: std::ops::RangeInclusive<f64> = 0.5..=2.0;

/// The room for tables and figures.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layout {
    /// Width of a line.
    pub(super) column: f64,
    /// Width over all columns.
    pub(super) page: f64,
    pub(super) height: f64,
    /// How wide the face is, against most.
    pub(super) face: f64,
    /// Sizes for tables, the largest first; never empty.
    pub(super) sizes: Vec<Size>,
    /// Does each figure have a `\Description`?
    pub(super) description: bool,
}

/// A size of letters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Size {
    /// `\small`
    pub(super) command: &'static str,
    pub(super) points: f64,
}

impl Layout {
    /// What the skin says; of a skin that says nothing, LaTeX's own article in ten points, which is narrow.
    ///
    /// # Errors
    /// A word of the line that is none.
    pub(super) fn of(skin: &str) -> Result<Self> {
        let mut layout =
            Layout { column: 345.0, page: 345.0, height: 550.0, face: 1.13, sizes: Vec::new(), description: false };
        let mut sizes = [("\\small", 9.0), ("\\footnotesize", 8.0), ("\\scriptsize", 7.0)];
        let line = skin.split("<#").nth(1).and_then(|rest| rest.split("#>").next()).unwrap_or_default();
        let words = line.trim().strip_prefix("layout:").unwrap_or_default();
        if !words.is_empty() {
            layout.face = 1.0;
        }
        for word in words.split_whitespace() {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            let points = || -> Result<f64> {
                let points: f64 = value.parse().with_context(|| format!("layout: `{word}`: expected a number"))?;
                ensure!(POINTS.contains(&points), "layout: `{word}`: expected points of a page");
                Ok(points)
            };
            match key {
                "column" => layout.column = points()?,
                "page" => layout.page = points()?,
                "height" => layout.height = points()?,
                "face" => {
                    layout.face = value
                        .parse()
                        .ok()
                        .filter(|face| FACES.contains(face))
                        .with_context(|| format!("layout: `{word}`: expected a number such as 1.1"))?
                }
                "small" => sizes[0].1 = points()?,
                "footnotesize" => sizes[1].1 = points()?,
                "scriptsize" => sizes[2].1 = points()?,
                "description" => layout.description = value == "yes",
                _ => bail!(
                    "layout: `{word}`\nhint: column, page, height, small, footnotesize, scriptsize (points), face (a factor), description=yes"
                ),
            }
        }
        layout.page = layout.page.max(layout.column);
        let readable = |(place, (_, points)): &(usize, &(&str, f64))| *place == 0 || *points >= SMALLEST;
        let kept = sizes.iter().enumerate().filter(readable);
        layout.sizes = kept.map(|(_, (command, points))| Size { command, points: *points }).collect();
        Ok(layout)
    }

    /// Has a page several columns?
    pub(super) fn is_columns(&self) -> bool {
        self.page > self.column
    }

    /// A word of more characters may break anywhere: it is longer than any of prose, or than a narrow column bears.
    pub(super) fn long_word(&self) -> usize {
        if self.is_columns() { 20 } else { 28 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skin_says_its_room_and_letters_have_a_floor() {
        let skin = "<# layout: column=241 page=506 height=626 small=8 footnotesize=7 scriptsize=6 description=yes #>\n\\documentclass";
        let layout = Layout::of(skin).unwrap();
        assert!(layout.is_columns() && layout.description && layout.page == 506.0);
        let sizes: Vec<f64> = layout.sizes.iter().map(|size| size.points).collect();
        assert_eq!(sizes, [8.0, 7.0]);
        let plain = Layout::of("\\documentclass{article} <# a remark #>").unwrap();
        assert!(!plain.is_columns() && plain.column == 345.0 && plain.sizes.len() == 3);
    }

    #[test]
    fn a_slip_in_it_is_told() {
        for (line, part) in [
            ("colum=3", "`colum=3`"),
            ("column=wide", "expected a number"),
            ("page=1e9", "points of a page"),
            ("face=9", "such as 1.1"),
        ] {
            let error = format!("{:#}", Layout::of(&format!("<# layout: {line} #>")).unwrap_err());
            assert!(error.contains(part), "{error}");
        }
    }
}
