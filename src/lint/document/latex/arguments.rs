//! LaTeX's commands: what each prints, and what is done with its arguments.

use super::super::Place;
use super::macros::source;
use super::sink::Sink;
use super::tokens::{Kind, Token};
use super::{End, Own, Reader, units, words};

/// Tables that another program writes when the paper is set.
const FROM_FILES: &[&str] =
    &["csvautotabular", "csvautobooktabular", "csvreader", "pgfplotstabletypeset", "pgfplotstableread", "DTLdisplaydb"];

impl Reader<'_, '_> {
    pub(super) fn command(&mut self, name: &str, spaced: bool, place: Place) {
        if self.units > 0
            && let Some(unit) = units::unit(name)
        {
            return self.emit(unit, place);
        }
        if self.expand(name, place) || self.structure(name, place) || self.table_command(name) {
            return;
        }
        if self.inline(name, place) || self.number(name) || self.code(name) {
            return;
        }
        if let Some(sign) = words::operator(name) {
            self.operator(sign, spaced, place);
        } else if let Some(sign) = words::symbol(name) {
            self.emit(sign, place);
            if spaced && self.math > 0 && sign != "~" && !sign.trim().is_empty() {
                self.space(place);
            }
        } else if words::is_length(name) {
            self.length();
        } else if let Some(pattern) = words::silent(name) {
            self.skip(pattern);
        } else if !spaced && self.math == 0 && name.chars().all(|one| one.is_ascii_alphabetic()) {
            self.brackets();
        }
    }

    /// Parts of the paper.
    fn structure(&mut self, name: &str, place: Place) -> bool {
        match name {
            "begin" => self.begin(place),
            "end" => self.end(place),
            "par" | "endgraf" => self.par(place),
            "\\" | "tabularnewline" | "cr" => self.line_end(place),
            "part" | "chapter" | "section" | "subsection" | "subsubsection" | "paragraph" | "subparagraph"
            | "title" | "addsec" | "addchap" | "minisec" | "frametitle" => {
                self.skip("*[");
                if self.sinks.len() == 1 {
                    self.flush();
                }
                self.open_own(Own::Heading);
            }
            "caption" | "captionof" | "subcaption" => {
                self.skip(if name == "captionof" { "*{[" } else { "*[" });
                self.open_own(Own::Caption);
            }
            "footnote" | "footnotetext" | "endnote" | "tablefootnote" | "sidenote" => {
                self.skip("[");
                self.open_own(Own::Note);
            }
            "item" => {
                if self.sinks.len() == 1 {
                    self.flush();
                    self.sinks[0] = Sink::item();
                }
                if let Some(mut label) = self.brackets() {
                    label.push(Token::new(Kind::Space, place));
                    self.input.put_back_all(label);
                }
            }
            "input" | "include" | "subfile" | "import" | "subimport" | "subfileinclude" | "loadfile" => {
                self.take_in(name, place)
            }
            name if FROM_FILES.contains(&name) => {
                self.skip("*[{");
                self.left_out(place, "a table that is read from a file when the paper is set");
            }
            _ => return false,
        }
        true
    }

    /// What stands between the cells of a table.
    fn table_command(&mut self, name: &str) -> bool {
        let (pattern, line) = match name {
            "midrule" | "hline" | "hdashline" | "Hline" | "Midrule" => ("[", Some(true)),
            "toprule" | "bottomrule" => ("[", Some(false)),
            "specialrule" => ("{{{", Some(true)),
            "Xhline" => ("{", Some(true)),
            "cmidrule" | "cline" | "cdashline" => ("[({", Some(false)),
            "addlinespace" | "dashline" => ("[", None),
            "arrayrulecolor" | "doublerulesepcolor" => ("[{", None),
            "morecmidrules" | "arraybackslash" => ("", None),
            "endhead" | "endfirsthead" | "endfoot" | "endlastfoot" => {
                if let Some(table) = self.tables.last_mut() {
                    table.page_mark(name);
                }
                return true;
            }
            "multicolumn" => {
                let columns = source(&self.argument()).trim().parse().unwrap_or(1);
                self.argument();
                if let Some(table) = self.tables.last_mut() {
                    table.columns = columns;
                }
                return true;
            }
            "multirow" => {
                self.skip("[");
                let rows = source(&self.argument()).trim().parse().unwrap_or(1);
                self.skip("[{[");
                if let Some(table) = self.tables.last_mut() {
                    table.spans_rows = rows;
                }
                return true;
            }
            _ => return false,
        };
        for part in pattern.split_inclusive(|_| true) {
            if part == "(" { self.parentheses() } else { self.skip(part) }
        }
        if let (Some(whole), Some(table)) = (line, self.tables.last_mut()) {
            table.rule(whole);
        }
        true
    }

    fn parentheses(&mut self) {
        let Some(token) = self.next_word() else { return };
        if !matches!(&token.kind, Kind::Text(text) if text.starts_with('(')) {
            return self.input.put_back(token);
        }
        let mut token = Some(token);
        for _ in 0..10 {
            match token {
                Some(token) if !matches!(&token.kind, Kind::Text(text) if text.ends_with(')')) => {}
                _ => return,
            }
            token = self.input.next();
        }
    }

    /// Within a sentence.
    fn inline(&mut self, name: &str, place: Place) -> bool {
        let start = self.at();
        match name {
            "(" => self.open_math(),
            ")" => self.close_math(),
            "[" => self.open_display(place),
            "]" => self.close_display(),
            "ensuremath" => {
                if self.open_argument(|_| End::Math(start)) {
                    self.math += 1;
                }
            }
            "frac" | "dfrac" | "tfrac" | "cfrac" | "nicefrac" | "sfrac" | "flatfrac" => {
                self.skip("[");
                self.open_argument(|_| End::Above(start));
            }
            "sqrt" => {
                self.skip("[");
                self.emit("√", place);
                let start = self.at();
                self.open_argument(|_| End::Root(start));
            }
            "textsuperscript" => drop(self.open_argument(|_| End::Raised(start))),
            "href" | "url" | "path" | "nolinkurl" => self.address(),
            "xspace" => self.xspace(place),
            "left" | "right" | "middle" | "bigl" | "bigr" => self.delimiter(),
            "texorpdfstring" | "iftoggle" => drop(self.open_argument(|_| End::Either)),
            "ifthenelse" => {
                self.argument();
                self.open_argument(|_| End::Either);
            }
            _ if self.math == 0 || name == "c" => match words::accent(name) {
                Some(mark) => drop(self.open_argument(|_| End::Accent(mark, start))),
                None => return false,
            },
            _ => return false,
        }
        true
    }

    pub(super) fn open_math(&mut self) {
        let start = self.at();
        self.math += 1;
        self.ends.push(End::Math(start));
    }

    pub(super) fn dollar(&mut self) {
        if matches!(self.ends.last(), Some(End::Math(_))) { self.close_math() } else { self.open_math() }
    }

    pub(super) fn dollars(&mut self, place: Place) {
        if matches!(self.ends.last(), Some(End::Display(_))) { self.close_display() } else { self.open_display(place) }
    }

    fn close_math(&mut self) {
        if matches!(self.ends.last(), Some(End::Math(_))) {
            self.close_one();
        }
    }

    fn close_display(&mut self) {
        if matches!(self.ends.last(), Some(End::Display(_))) {
            self.close_one();
        }
    }

    /// `\left.` prints nothing.
    fn delimiter(&mut self) {
        let Some(token) = self.next_word() else { return };
        match &token.kind {
            Kind::Text(text) if text.starts_with('.') => {
                if text.len() > 1 {
                    self.input.put_back(Token::text(&text[1..], token.place));
                }
            }
            _ => self.input.put_back(token),
        }
    }

    /// A space, unless a mark follows that belongs to the word before.
    fn xspace(&mut self, place: Place) {
        let Some(token) = self.input.next() else { return };
        let joined = match &token.kind {
            Kind::Text(text) => text.starts_with(['.', ',', ';', ':', '!', '?', '\'', ')', '-', '/', ']', '\u{a0}']),
            Kind::Command(name) => ["/", ",", " ", "%", "footnote", "xspace"].contains(&&**name),
            Kind::Open | Kind::Close | Kind::Par | Kind::Space | Kind::Align => true,
            _ => false,
        };
        if !joined {
            self.space(place);
        }
        self.input.put_back(token);
    }

    /// `\kern-2pt`, `\parskip=1em`
    fn length(&mut self) {
        let Some(token) = self.input.next() else { return };
        if let Kind::Text(text) = &token.kind {
            let rest = text.trim_start_matches(['=', '-', '+']);
            let number = rest.trim_start_matches(|one: char| one.is_ascii_digit() || one == '.');
            let written = rest.len() != number.len() || rest.len() != text.len();
            let rest = if written { number.trim_start_matches(|one: char| one.is_ascii_lowercase()) } else { text };
            if !rest.is_empty() {
                self.input.put_back(Token::text(rest, token.place));
            }
        } else {
            self.input.put_back(token);
        }
    }

    /// `\verb|..|` and the like.
    fn code(&mut self, name: &str) -> bool {
        match name {
            "verb" | "Verb" => self.raw_argument(false),
            "lstinline" => self.raw_argument(true),
            "mintinline" => {
                self.skip("[{");
                self.raw_argument(true);
            }
            _ => return false,
        }
        true
    }

    fn address(&mut self) {
        self.raw_argument(true);
    }

    /// An argument in which no character is special: up to the second of the same kind, or in braces.
    fn raw_argument(&mut self, braces: bool) {
        let Some(raw) = self.input.raw() else { return self.skip("[{") };
        let length = raw_length(raw, braces);
        self.input.jump(length);
    }
}

fn raw_length(raw: &str, braces: bool) -> usize {
    let mut at = raw.len() - raw.trim_start_matches([' ', '\t', '\n', '\r']).len();
    if raw[at..].starts_with('*') {
        at += 1;
    }
    if braces && raw[at..].starts_with('[') {
        at += raw[at..].find(']').map_or(0, |end| end + 1);
    }
    let Some(open) = raw[at..].chars().next() else { return at };
    if !braces || open != '{' {
        if braces && (open.is_alphanumeric() || open == '\\') {
            return 0;
        }
        let begin = at + open.len_utf8();
        let line = raw[begin..].split('\n').next().unwrap_or("");
        return line.find(open).map_or(begin, |end| begin + end + open.len_utf8());
    }
    let mut depth = 0_usize;
    let mut escaped = false;
    for (offset, byte) in raw.as_bytes()[at..].iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'{' => depth += 1,
            b'}' if depth == 1 => return at + offset + 1,
            b'}' => depth -= 1,
            _ => {}
        }
    }
    raw.len()
}
