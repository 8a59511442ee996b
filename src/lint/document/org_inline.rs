//! Org's inline markup -> plain text.

use super::flow::{Flow, Lines, Mark};
use super::masked::{self, Math};
use super::math;

/// Marks of emphasis, and those of code (`=`, `~`) and struck-out text (`+`).
const MARKS: &str = "*/_=~+";
/// Markup reaches no further than this.
const REACH: usize = 4000;

struct Scan<'a> {
    text: &'a str,
    /// For each mark where its next end is; all before it have been looked at.
    next_end: [usize; 6],
    /// Ends of emphasis that has begun, by mark.
    ends: [usize; 6],
    /// Where the next `]` and the next `]]` are.
    bracket: [usize; 2],
}

pub fn inline(text: &str, lines: &Lines, flow: &mut Flow) {
    // A paragraph may be one formula.
    if text.trim_start().starts_with("\\begin{") {
        flow.add(&math::plain(text), lines.at(0));
        return;
    }
    let pieces = if text.contains(['$', '\\']) { masked::math(text) } else { Vec::new() };
    let mut pieces = pieces.iter().peekable();
    let mut scan = Scan { text, next_end: [0; 6], ends: [usize::MAX; 6], bracket: [0; 2] };
    let mut at = 0;
    while let Some(more) =
        text.get(at..).and_then(|rest| rest.find(['\\', '[', '$', '\n', '^', '@', '*', '/', '_', '=', '~', '+']))
    {
        flow.add(&text[at..at + more], lines.at(at));
        at += more;
        while pieces.next_if(|piece| piece.whole.start < at).is_some() {}
        if let Some(Math { whole, tex }) = pieces.next_if(|piece| piece.whole.start == at) {
            flow.add(&math::plain(&text[tex.clone()]), lines.at(at));
            at = whole.end;
        } else {
            at = scan.special(at, lines, flow);
        }
    }
    flow.add(text.get(at..).unwrap_or(""), lines.at(at));
}

impl Scan<'_> {
    /// Reads what begins at a special sign; returns where it ends.
    fn special(&mut self, at: usize, lines: &Lines, flow: &mut Flow) -> usize {
        let text = self.text;
        let place = lines.at(at);
        let c = text[at..].chars().next().unwrap_or(' ');
        if let Some(index) = MARKS.find(c) {
            return self.mark(index, at, lines, flow);
        }
        match c {
            '\n' => flow.space(),
            '\\' => return entity(text, at, lines, flow),
            '[' => return self.link(at, lines, flow),
            '^' if text[at + 1..].starts_with('{') => {
                let end = text[at + 2..].bytes().take(100).position(|b| b == b'}');
                if let Some(end) = end {
                    flow.marked(Mark::Sup, &text[at + 2..at + 2 + end], place);
                    return at + 3 + end;
                }
                flow.add("^", place);
            }
            _ => flow.add(c.encode_utf8(&mut [0; 4]), place),
        }
        at + c.len_utf8()
    }

    fn mark(&mut self, index: usize, at: usize, lines: &Lines, flow: &mut Flow) -> usize {
        let text = self.text;
        let place = lines.at(at);
        let sign = &MARKS[index..=index];
        if self.ends[index] == at {
            return at + 1;
        }
        let before = text[..at].chars().next_back();
        let opens = before.is_none_or(|c| c.is_whitespace() || "-–—('\"{*/_+".contains(c))
            && text[at + 1..].chars().next().is_some_and(|c| !c.is_whitespace());
        let end = if opens { self.end_of(index, at + 2) } else { usize::MAX };
        if end == usize::MAX || end - at > REACH {
            flow.add(sign, place);
            return at + 1;
        }
        match sign {
            "=" | "~" => flow.marked(Mark::Code, &text[at + 1..end], place),
            "+" => {}
            _ => {
                self.ends[index] = end;
                return at + 1;
            }
        }
        end + 1
    }

    /// Where the next end of a mark is, from an offset on.
    fn end_of(&mut self, index: usize, from: usize) -> usize {
        let text = self.text;
        let mark = MARKS.as_bytes()[index];
        let mut at = self.next_end[index];
        if at >= from {
            return at;
        }
        at = from;
        while let Some(more) = text.as_bytes().get(at..).and_then(|rest| rest.iter().position(|b| *b == mark)) {
            at += more;
            let tight = text[..at].chars().next_back().is_some_and(|c| !c.is_whitespace());
            let after = text[at + 1..].chars().next();
            if tight && after.is_none_or(|c| c.is_whitespace() || "-–—.,;:!?'\")}[\\*/_+".contains(c)) {
                self.next_end[index] = at;
                return at;
            }
            at += 1;
        }
        self.next_end[index] = usize::MAX;
        usize::MAX
    }

    /// `[[url][text]]`, `[[url]]`, `[fn:1]`
    fn link(&mut self, at: usize, lines: &Lines, flow: &mut Flow) -> usize {
        let text = self.text;
        let rest = &text[at..];
        if rest.starts_with("[[") {
            let end = self.closing(1, "]]", at + 2);
            if end < at + REACH {
                let inner = &text[at + 2..end];
                match inner.split_once("][") {
                    Some((_, shown)) => flow.add(shown.trim_matches(['*', '/', '=', '~']), lines.at(at)),
                    None => flow.space(),
                }
                return end + 2;
            }
        } else if rest.starts_with("[fn:") {
            let end = self.closing(0, "]", at + 1);
            if end < at + REACH {
                return end + 1;
            }
        }
        flow.add("[", lines.at(at));
        at + 1
    }

    fn closing(&mut self, index: usize, sign: &str, from: usize) -> usize {
        if self.bracket[index] < from {
            self.bracket[index] = self.text[from..].find(sign).map_or(usize::MAX, |more| from + more);
        }
        self.bracket[index]
    }
}

/// `\alpha`, `\times{}`, or `\\` at a line's end.
fn entity(text: &str, at: usize, lines: &Lines, flow: &mut Flow) -> usize {
    let rest = &text[at + 1..];
    if rest.starts_with('\\') {
        flow.space();
        return at + 2;
    }
    let length = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    let name = &text[at..at + 1 + length];
    let shown = match name {
        "\\vert" => "|".to_owned(),
        "\\nbsp" => "\u{a0}".to_owned(),
        "\\thinsp" => "\u{202f}".to_owned(),
        _ if length > 20 => String::new(),
        _ => math::plain(name),
    };
    if length == 0 || shown.is_empty() {
        flow.add("\\", lines.at(at));
        return at + 1;
    }
    flow.add(&shown, lines.at(at));
    at + name.len() + if text[at + name.len()..].starts_with("{}") { 2 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::document::Place;

    fn of(text: &str) -> String {
        let mut flow = Flow::default();
        inline(text, &Lines::fixed(Place::default()), &mut flow);
        flow.take().text
    }

    #[test]
    fn markup_goes() {
        for (text, want) in [
            ("*bold* and /it/ 3*4*5 a/b/c", "bold and it 3*4*5 a/b/c"),
            ("the =name= of =a = 5= ~x~", "the name of x"),
            ("see [[u][the text]] and [[u]] b[fn:1] [5]", "see the text and b [5]"),
            ("5 \\times{} 3 \\pm 1, $10^{5}$, 10^{-3}", "5 × 3 ± 1, 10^5, 10^-3"),
            ("a +5 of 6+ b, +5 % and +6 %", "a b, +5 % and +6 %"),
            ("/*both*/ *a\nb*", "both a b"),
            ("n=5 and m = 6 ~5 and ~6", "n=5 and m = 6 ~5 and ~6"),
        ] {
            assert_eq!(of(text), want);
        }
    }

    #[test]
    fn nothing_explodes() {
        for unit in ["*a ", "*", "=a ", "[[", "[fn:", "\\", "^{", "/ü/", "$a ", "+a+ ", "*a* "] {
            of(&unit.repeat(200_000));
        }
    }
}
