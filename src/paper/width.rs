//! How wide a text will be, in ems, before any program sets it: enough to choose a table's letters by. The numbers are those of wide
//! faces, so that what fits here fits on the page.

/// Widths of a text.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Width {
    /// On one line.
    pub(super) line: f64,
    /// Of its widest part that cannot break.
    pub(super) word: f64,
}

impl Width {
    /// Of text in the document's face. A word of more than `long` characters may break anywhere.
    pub(super) fn of(text: &str, long: usize) -> Self {
        Width::by(text, long, letter)
    }

    /// Of code, whose letters are all as wide, and which may break after these signs.
    pub(super) fn of_code(text: &str, long: usize) -> Self {
        let of_code = |c: char| if c.is_ascii() { 0.6 } else { letter(c).max(0.6) };
        let whole = Width::by(text, long, of_code);
        let parts = text.split([' ', '/', '_', '=']).map(|part| Width::by(part, long, of_code).word);
        Width { word: parts.fold(0.0, f64::max) + 0.6, ..whole }
    }

    fn by(text: &str, long: usize, letter: fn(char) -> f64) -> Self {
        let width = |word: &str| word.chars().map(letter).sum::<f64>();
        let part = |word: &str| {
            let whole = width(word);
            // Pieces of a few letters; a column should hold some of them.
            if word.chars().count() > long { whole.min(8.0) } else { whole }
        };
        Width { line: width(text), word: text.split_whitespace().map(part).fold(0.0, f64::max) }
    }

    /// Of two texts side by side.
    pub(super) fn beside(self, other: Width) -> Self {
        Width { line: self.line + other.line, word: self.word.max(other.word) }
    }
}

fn letter(c: char) -> f64 {
    match c {
        ' ' | 'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' => 0.3,
        'f' | 't' | 'r' | '(' | ')' | '[' | ']' | '/' | '-' | '`' | 'I' => 0.4,
        'm' | 'w' | 'M' | 'W' | '@' | '%' | '—' | '…' => 0.88,
        'a'..='z' => 0.52,
        '0'..='9' => 0.56,
        'A'..='Z' => 0.68,
        '+' | '<' | '=' | '>' | '~' | '×' | '−' | '±' => 0.75,
        '\u{a1}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' => 0.75,
        c if c.is_ascii() => 0.56,
        '\u{370}'..='\u{3ff}' | '\u{2010}'..='\u{2bff}' => 0.9,
        // `U+65E5`
        _ => 3.9,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_lines_have_widths() {
        let Width { line, word } = Width::of("a ab", 28);
        assert!((line - 3.0 * 0.52 - 0.3).abs() < 1e-9 && (word - 1.04).abs() < 1e-9);
        assert!(Width::of(&"x".repeat(1000), 28).word <= 8.0, "it may break anywhere");
        assert!(Width::of_code("a/b_c", 28).word < 1.3);
        assert_eq!(Width::of("", 28), Width::default());
    }
}
