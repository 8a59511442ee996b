//! Which characters Typst's own fonts have: a table that was made by asking it (`tests/oracles/typst_fonts.py`). What they lack it would
//! draw as a box, or refuse to set; so that is written as its code point, `U+674E`.

use std::sync::LazyLock;

use unicode_normalization::char::is_combining_mark;

const TABLE: &str = include_str!("glyphs.txt");

/// First and last of each range, in order.
static RANGES: LazyLock<Vec<(u32, u32)>> = LazyLock::new(|| TABLE.lines().filter_map(range).collect());

fn range(line: &str) -> Option<(u32, u32)> {
    let (first, last) = line.split_once('-').unwrap_or((line, line));
    Some((u32::from_str_radix(first, 16).ok()?, u32::from_str_radix(last, 16).ok()?))
}

/// Is there a letter for it in every font?
fn has(c: char) -> bool {
    let code = c as u32;
    let after = RANGES.partition_point(|(first, _)| *first <= code);
    after.checked_sub(1).and_then(|at| RANGES.get(at)).is_some_and(|(_, last)| code <= *last)
}

/// What parts words or lines is a space to a text.
fn is_space(c: char) -> bool {
    matches!(c, '\t'..='\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// A text on one line, in the characters that there are. A mark stands on a letter of one font with it.
pub fn written(text: &str) -> String {
    counted(text).0
}

/// The same, and how many characters of it are written as code points.
pub fn counted(text: &str) -> (String, usize) {
    let (mut out, mut lacking) = (String::with_capacity(text.len()), 0);
    let mut letter = None;
    for c in text.chars() {
        let mark = is_combining_mark(c);
        if is_space(c) {
            out.push(' ');
        } else if has(c) && (!mark || letter.is_some_and(|letter| carries(letter, c))) {
            out.push(c);
        } else {
            out += &format!("U+{:04X}", c as u32);
            lacking += 1;
        }
        if !mark {
            letter = Some(c).filter(|c| has(*c));
        }
    }
    (out, lacking)
}

/// Is the mark for all letters, or of the letter's own writing? Letters of formulas, from U+2000 on, are of another font.
fn carries(letter: char, mark: char) -> bool {
    let block = |c: char| c as u32 >> 7;
    letter.is_alphabetic()
        && letter < '\u{2000}'
        && (('\u{300}'..='\u{36f}').contains(&mark) || block(letter) == block(mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_whole() {
        let lines = TABLE.lines().filter(|line| !line.starts_with('#')).count();
        assert!(lines == RANGES.len() && lines > 100, "{lines}");
        assert!(
            RANGES.windows(2).all(|pair| pair[0].1 < pair[1].0) && RANGES.iter().all(|(first, last)| first <= last)
        );
    }

    #[test]
    fn what_fonts_lack_is_written_as_its_code_point() {
        for c in "aZ09 éßčłőşğžışțẽếợЖΩλ≤√→–“×·−±\u{a0}".chars() {
            assert!(has(c), "{c}");
        }
        for c in "李ไລ🦤\u{0}\u{1b}\u{200b}\u{202e}\u{ad}\u{e000}".chars() {
            assert!(!has(c), "{c}");
        }
        assert_eq!(counted("a李\u{0}b"), ("aU+674EU+0000b".to_owned(), 2));
        assert_eq!(written("e\u{301} \u{301}x\u{20}\u{2028}y"), "e\u{301} U+0301x  y");
        // A mark without its letter would stand on another.
        assert_eq!(written("हि रि 李\u{301} 1\u{301}"), "हि रि U+674EU+0301 1U+0301");
    }
}
