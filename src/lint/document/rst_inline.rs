//! reStructuredText's inline markup -> plain text.

use super::flow::{Flow, Lines, Mark};
use super::math;

/// Markup reaches no further than this.
const REACH: usize = 4000;
/// Ends of markup: each is looked for once from where it was last found.
const ENDS: [&str; 6] = ["``", "`", "**", "*", "|", "]_"];

struct Scan<'a> {
    text: &'a str,
    next_end: [usize; ENDS.len()],
    /// Where emphasis that has begun ends.
    ends: [usize; ENDS.len()],
}

pub fn inline(text: &str, lines: &Lines, flow: &mut Flow) {
    let mut scan = Scan { text, next_end: [0; ENDS.len()], ends: [usize::MAX; ENDS.len()] };
    let mut at = 0;
    while let Some(more) = text.get(at..).and_then(|rest| rest.find(['\\', '`', '*', '|', '[', ':', '\n', '_'])) {
        flow.add(&text[at..at + more], lines.at(at));
        at = scan.special(at + more, lines, flow);
    }
    flow.add(text.get(at..).unwrap_or(""), lines.at(at));
}

impl Scan<'_> {
    fn special(&mut self, at: usize, lines: &Lines, flow: &mut Flow) -> usize {
        let rest = &self.text[at..];
        let place = lines.at(at);
        let c = rest.chars().next().unwrap_or(' ');
        match c {
            '\n' => flow.space(),
            '\\' => {
                let escaped = rest[1..].chars().next();
                if let Some(sign) = escaped.filter(|sign| !sign.is_whitespace()) {
                    flow.add(sign.encode_utf8(&mut [0; 4]), place);
                }
                return at + 1 + escaped.map_or(0, char::len_utf8);
            }
            '`' if rest.starts_with("``") => return self.code(at, lines, flow),
            '`' => return self.role(at, at, "", lines, flow),
            ':' => {
                if let Some(name) = role_name(rest) {
                    return self.role(at, at + name.len() + 2, name, lines, flow);
                }
                flow.add(":", place);
            }
            '*' => return self.emphasis(at, lines, flow),
            '|' | '[' => return self.reference(at, lines, flow),
            // `name_` is a link.
            '_' => {
                let before = self.text[..at].chars().next_back().is_some_and(char::is_alphanumeric);
                let after = rest[1..].trim_start_matches('_').chars().next();
                if !before || after.is_some_and(|c| c.is_alphanumeric() || c == '_') {
                    flow.add("_", place);
                }
            }
            _ => flow.add(c.encode_utf8(&mut [0; 4]), place),
        }
        at + c.len_utf8()
    }

    /// Whether markup may begin here: after white space or an opening sign, and right before a word.
    fn opens(&self, at: usize, length: usize) -> bool {
        let before = self.text[..at].chars().next_back();
        let after = self.text[at + length..].chars().next();
        before.is_none_or(|c| c.is_whitespace() || "-–—:/'\"<([{*".contains(c) || self.escaped_before(at))
            && after.is_some_and(|c| !c.is_whitespace())
    }

    fn escaped_before(&self, at: usize) -> bool {
        self.text[..at].ends_with("\\ ")
    }

    /// Where the next end is that follows a word, from an offset on.
    fn end_of(&mut self, index: usize, from: usize) -> Option<usize> {
        let sign = ENDS[index];
        if self.next_end[index] < from {
            let mut at = from;
            self.next_end[index] = loop {
                let Some(more) = self.text.get(at..).and_then(|rest| rest.find(sign)) else {
                    break usize::MAX;
                };
                at += more;
                if !self.text[..at].ends_with(|c: char| c.is_whitespace() || c == '\\') {
                    break at;
                }
                at += sign.len();
            };
        }
        Some(self.next_end[index]).filter(|end| *end < from + REACH)
    }

    fn literally(&self, at: usize, length: usize, lines: &Lines, flow: &mut Flow) -> usize {
        flow.add(&self.text[at..at + length], lines.at(at));
        at + length
    }

    fn code(&mut self, at: usize, lines: &Lines, flow: &mut Flow) -> usize {
        let Some(end) = self.end_of(0, at + 3) else {
            return self.literally(at, 2, lines, flow);
        };
        flow.marked(Mark::Code, &self.text[at + 2..end].replace('\n', " "), lines.at(at));
        end + 2
    }

    /// `:name:`text``, `` `text`_ ``; `tick` is where its text begins.
    fn role(&mut self, at: usize, tick: usize, name: &str, lines: &Lines, flow: &mut Flow) -> usize {
        let Some(end) = self.end_of(1, tick + 2) else {
            return self.literally(at, tick + 1 - at, lines, flow);
        };
        let text = &self.text[tick + 1..end];
        let place = lines.at(tick);
        match name {
            "math" => flow.add(&math::plain(text), place),
            "sup" | "superscript" => flow.marked(Mark::Sup, text, place),
            "sub" | "subscript" => flow.marked(Mark::Sub, text, place),
            "code" | "literal" | "samp" | "kbd" => flow.marked(Mark::Code, text, place),
            "raw" => flow.space(),
            // `text <target>`
            _ => flow.add(
                text.strip_suffix('>').and_then(|text| text.rsplit_once('<')).map_or(text, |(text, _)| text.trim()),
                place,
            ),
        }
        let after = &self.text[end + 1..];
        end + 1 + (after.len() - after.trim_start_matches('_').len()).min(2)
    }

    fn emphasis(&mut self, at: usize, lines: &Lines, flow: &mut Flow) -> usize {
        let index = if self.text[at..].starts_with("**") { 2 } else { 3 };
        let length = ENDS[index].len();
        if self.ends[index] == at {
            return at + length;
        }
        if self.opens(at, length)
            && let Some(end) = self.end_of(index, at + length + 1)
        {
            self.ends[index] = end;
            return at + length;
        }
        self.literally(at, length, lines, flow)
    }

    /// `|substitution|`, `[1]_`
    fn reference(&mut self, at: usize, lines: &Lines, flow: &mut Flow) -> usize {
        let bar = self.text[at..].starts_with('|');
        let end = self.end_of(if bar { 4 } else { 5 }, at + 2).unwrap_or(usize::MAX);
        if end != usize::MAX && (!bar || self.opens(at, 1)) {
            let inner = &self.text[at + 1..end];
            if !inner.contains(['\n', '[']) && (bar || !inner.contains(' ')) {
                flow.space();
                let after = &self.text[end + 1..];
                return end + 1 + (after.len() - after.trim_start_matches('_').len()).min(2);
            }
        }
        self.literally(at, 1, lines, flow)
    }
}

/// The name in `:name:` before a backtick.
fn role_name(rest: &str) -> Option<&str> {
    let name = rest[1..].bytes().take(64).take_while(|b| b.is_ascii_alphanumeric() || b"-+._:".contains(b)).count();
    let name = rest[1..1 + name].strip_suffix(':')?;
    (!name.is_empty() && rest[name.len() + 2..].starts_with('`')).then_some(name)
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
            ("*em* and **strong** 3*4 and 3 * 4", "em and strong 3*4 and 3 * 4"),
            ("``name`` of ``a = 5`` x", "name of x"),
            (":math:`3 \\times 10^{5}` and 10\\ :sup:`5`", "3 × 10^5 and 10^5"),
            ("see `the text <url>`_ and :ref:`x <y>` and name_ max_len", "see the text and x and name max_len"),
            ("a [1]_ b |sub| c [5] P(a | b)", "a b c [5] P(a | b)"),
            ("5\\ ms \\*x*", "5ms *x*"),
            ("at 10:30: 5", "at 10:30: 5"),
        ] {
            assert_eq!(of(text), want);
        }
    }

    #[test]
    fn nothing_explodes() {
        for unit in ["*a ", "**", "*", "``a ", "`", ":a:`", ":", "|a ", "[a ", "[1]_", "\\", "ü*ä*_", "a_", "| ", "|"]
        {
            of(&unit.repeat(200_000));
        }
    }
}
