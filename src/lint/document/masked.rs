//! Markdown -> the same bytes, with each piece of math replaced by as many letters, and where the pieces are. So the Markdown parser
//! sees no stars, bars or escapes in math, and all offsets stay.
//!
//! A dollar is often money, so a pair of them is math only if the first opens a word and the second closes one.

use std::borrow::Cow;
use std::ops::Range;

/// A piece of math in the source.
pub struct Math {
    pub whole: Range<usize>,
    /// Without its marks.
    pub tex: Range<usize>,
}

/// Runs of backticks longer than this are not looked for.
const TICKS: usize = 8;

pub struct Masked<'a> {
    pub text: Cow<'a, str>,
    pub math: Vec<Math>,
}

/// The pieces of math in a text, in order.
pub fn math(source: &str) -> Vec<Math> {
    let mut math = Vec::new();
    for part in paragraphs(source) {
        let text = &source[part.clone()];
        if text.contains('$') || text.contains("\\(") || text.contains("\\[") {
            Scan { text, base: part.start, table: has_table(text), ..Scan::default() }.run(&mut math);
        }
    }
    math
}

pub fn mask(source: &str) -> Masked<'_> {
    let mut math = math(source);
    let front = front_matter(source);
    math.retain(|piece| piece.whole.start >= front);
    if math.is_empty() && front == 0 {
        return Masked { text: source.into(), math };
    }
    let mut text = String::with_capacity(source.len());
    text.extend(source[..front].bytes().map(|b| if b == b'\n' { '\n' } else { ' ' }));
    let mut at = front;
    for piece in &math {
        text += &source[at..piece.whole.start];
        cover(&source[piece.whole.clone()], &mut text);
        at = piece.whole.end;
    }
    text += &source[at..];
    Masked { text: text.into(), math }
}

/// Letters for math; the marks of a quote at a line's beginning stay.
fn cover(math: &str, out: &mut String) {
    let mut margin = false;
    for b in math.bytes() {
        margin = b == b'\n' || (margin && matches!(b, b' ' | b'\t' | b'>'));
        out.push(if margin || b == b'\r' { char::from(b) } else { 'x' });
    }
}

/// The bytes of the YAML or TOML block that a file begins with.
fn front_matter(source: &str) -> usize {
    let mut lines = source.split_inclusive('\n');
    let Some(first) = lines.next() else { return 0 };
    let mark = first.trim_end();
    if mark != "---" && mark != "+++" {
        return 0;
    }
    let mut end = first.len();
    for (index, line) in lines.enumerate() {
        end += line.len();
        let text = line.trim_end();
        if text == mark || (mark == "---" && text == "...") {
            return end;
        }
        // A rule over the first paragraph is no front matter.
        let keyed = text.contains(':') || text.starts_with(['#', '-', '{', '[']);
        if index == 0 && mark == "---" && !keyed {
            return 0;
        }
    }
    0
}

/// Runs of lines that are neither blank nor in a fence.
fn paragraphs(source: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut fence: Option<(char, usize)> = None;
    let (mut start, mut at) = (0, 0);
    for line in source.split_inclusive('\n') {
        let text = line.trim_start_matches([' ', '\t', '>']);
        let bare = text.trim_start_matches(|c: char| c.is_ascii_digit() || ".)-*+ \t".contains(c));
        let mark = bare.chars().next().filter(|c| matches!(c, '`' | '~'));
        let length = mark.map_or(0, |mark| bare.chars().take_while(|c| *c == mark).count());
        let closes = fence.is_some_and(|(open, least)| mark == Some(open) && length >= least);
        let opens = fence.is_none() && length >= 3 && !(mark == Some('`') && bare[length..].contains('`'));
        if fence.is_some() || opens || text.trim().is_empty() {
            if at > start {
                found.push(start..at);
            }
            start = at + line.len();
        }
        if closes && bare[length..].trim().is_empty() {
            fence = None;
        } else if opens {
            fence = mark.map(|mark| (mark, length));
        }
        at += line.len();
    }
    if at > start {
        found.push(start..at);
    }
    found
}

fn has_table(text: &str) -> bool {
    text.lines().any(|line| {
        line.contains('-')
            && line.contains('|')
            && line.chars().all(|c| matches!(c, '|' | '-' | ':' | ' ' | '\t' | '>'))
    })
}

#[derive(Default)]
struct Scan<'a> {
    text: &'a str,
    base: usize,
    /// Math cannot reach out of a cell.
    table: bool,
    /// Runs of backticks, and ends of math, that do not come any more.
    no_ticks: [bool; TICKS + 1],
    no_paren: bool,
    no_bracket: bool,
    no_double: bool,
}

impl Scan<'_> {
    fn run(mut self, found: &mut Vec<Math>) {
        let bytes = self.text.as_bytes();
        let mut at = 0;
        while let Some(next) = self.text.get(at..).and_then(|rest| rest.find(['`', '\\', '$'])) {
            at += next;
            let piece = match bytes[at] {
                b'`' => {
                    at = self.after_code(at);
                    continue;
                }
                b'\\' => self.escaped(at),
                _ => self.dollar(at),
            };
            match piece {
                Ok((tex, end)) => {
                    let whole = self.base + at..self.base + end;
                    found.push(Math { whole, tex: self.base + tex.start..self.base + tex.end });
                    at = end;
                }
                Err(next) => at = next,
            }
        }
    }

    /// Past a code span, or past its backticks if it has no end.
    fn after_code(&mut self, at: usize) -> usize {
        let run = |at: usize| self.text[at..].bytes().take_while(|b| *b == b'`').count();
        let length = run(at);
        let mut next = at + length;
        if length > TICKS || self.no_ticks[length] {
            return next;
        }
        while let Some(more) = self.text[next..].find('`') {
            next += more;
            let other = run(next);
            next += other;
            if other == length {
                return next;
            }
        }
        self.no_ticks[length] = true;
        at + length
    }

    /// `\(...\)`, and `\[...\]` over lines of its own; else where to go on.
    fn escaped(&mut self, at: usize) -> Result<(Range<usize>, usize), usize> {
        let (close, gone) = match self.text.as_bytes().get(at + 1) {
            Some(b'(') => ("\\)", &mut self.no_paren),
            Some(b'[') if self.text[at + 2..].starts_with(['\n', '\r']) => ("\\]", &mut self.no_bracket),
            Some(b) if b.is_ascii() => return Err(at + 2),
            _ => return Err(at + 1),
        };
        if *gone {
            return Err(at + 2);
        }
        let Some(length) = self.text[at + 2..].find(close) else {
            *gone = true;
            return Err(at + 2);
        };
        let tex = at + 2..at + 2 + length;
        if self.leaves_cell(&tex) { Err(at + 2) } else { Ok((tex, at + 4 + length)) }
    }

    fn dollar(&mut self, at: usize) -> Result<(Range<usize>, usize), usize> {
        let run = self.text[at..].bytes().take_while(|b| *b == b'$').count();
        match run {
            1 => self.single(at),
            2 if !self.no_double => {
                let Some(length) = self.text[at + 2..].find("$$") else {
                    self.no_double = true;
                    return Err(at + 2);
                };
                let tex = at + 2..at + 2 + length;
                if length == 0 || self.leaves_cell(&tex) { Err(at + 2) } else { Ok((tex, at + 4 + length)) }
            }
            _ => Err(at + run),
        }
    }

    fn single(&self, at: usize) -> Result<(Range<usize>, usize), usize> {
        let mut end = at + 1;
        // Only the next dollar can close it, so each is looked at once or twice.
        loop {
            let Some(more) = self.text[end..].find(['$', '\\', '`']) else {
                return Err(at + 1);
            };
            end += more;
            match self.text.as_bytes()[end] {
                b'\\' => end += 1 + self.text[end + 1..].chars().next().map_or(0, char::len_utf8),
                b'`' => return Err(at + 1),
                _ => break,
            }
        }
        let before = self.text[..at].chars().next_back();
        let after = self.text[end + 1..].chars().next();
        let tex = at + 1..end;
        if is_math(&self.text[tex.clone()], before, after) && !self.leaves_cell(&tex) {
            Ok((tex, end + 1))
        } else {
            Err(at + 1)
        }
    }

    fn leaves_cell(&self, tex: &Range<usize>) -> bool {
        let text = &self.text[tex.clone()];
        self.table && (text.contains('\n') || text.replace("\\|", "").contains('|'))
    }
}

/// Whether what stands between two dollars is math and the dollars are not money.
fn is_math(tex: &str, before: Option<char>, after: Option<char>) -> bool {
    let tight = !tex.is_empty() && !tex.starts_with(char::is_whitespace) && !tex.ends_with(char::is_whitespace);
    if !tight || before.is_some_and(char::is_alphanumeric) || after.is_some_and(|c| c.is_ascii_digit() || c == '$') {
        return false;
    }
    let wordy = has_word(tex);
    if after.is_some_and(char::is_alphabetic) && wordy {
        return false;
    }
    // `$5 to $`, `$0.50, or 3 cents$`
    !(tex.starts_with(|c: char| c.is_ascii_digit() || c == '.') && wordy && !tex.contains('\\'))
}

/// Two letters side by side that are no command, and not in a group as `x_{max}` is.
fn has_word(tex: &str) -> bool {
    let (mut letters, mut command, mut depth) = (0, false, 0i32);
    for c in tex.chars() {
        match c {
            '\\' => command = true,
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if c.is_alphabetic() {
            letters += usize::from(!command && depth <= 0);
        } else {
            command = c == '\\';
            letters = 0;
        }
        if letters >= 2 {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn math_of(source: &str) -> Vec<&str> {
        let masked = mask(source);
        assert_eq!(masked.text.len(), source.len());
        masked.math.iter().map(|math| &source[math.tex.clone()]).collect()
    }

    #[test]
    fn math_is_found() {
        assert_eq!(math_of("so $x_1 + 2 = 5$, $10^5$ and $5$."), ["x_1 + 2 = 5", "10^5", "5"]);
        assert_eq!(math_of(r"a \(3 \times 4\) b $5 \text{ to } 6$"), [r"3 \times 4", r"5 \text{ to } 6"]);
        assert_eq!(math_of("$$\nx = 5\n$$\n\n\\[\ny\n\\]"), ["\nx = 5\n", "\ny\n"]);
        assert_eq!(math_of("the $k$-th of $n$"), ["k", "n"]);
    }

    #[test]
    fn money_is_not_math() {
        for text in [
            "from $5 to $10",
            "costs $0.50 or US$6 and US$7",
            "$5/$6",
            "$5-$10",
            "**$5** and **$6**",
            "($5 ($60))",
            "`$a` $HOME/x:$PATH",
            r"\$5$ and \$6$",
            "$$$ and $$$",
            "$5 a month, or 3$ x",
            "| $5 | 6$ |\n|---|---|",
            "$1.2M–$3M",
            "5$ and 6$",
        ] {
            assert_eq!(math_of(text), Vec::<&str>::new(), "{text}");
        }
    }

    #[test]
    fn code_hides_math() {
        assert_eq!(math_of("```\n$x$\n```\n`$y$` and $z$\n\n~~~ a\n$u$\n~~~\n"), ["z"]);
    }

    #[test]
    fn front_matter_is_blanked() {
        assert_eq!(mask("---\ntitle: x\n---\n# A").text.trim(), "# A");
        assert_eq!(mask("+++\na = 1\n+++\nb").text.trim(), "b");
        assert_eq!(mask("---\nA text\n---\n").text.trim(), "---\nA text\n---");
    }

    #[test]
    fn nothing_explodes() {
        for unit in ["$", "$a ", "$$a ", "\\(", "`", "`a ``b ", "\\", "$\\", "$ü", "```\n", "$a\n", "|-|\n$a|"] {
            mask(&unit.repeat(200_000));
        }
        mask(&(1..3000).map(|n| "`".repeat(n) + "$a").collect::<String>());
    }
}
