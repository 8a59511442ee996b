//! LaTeX's environments: what begins and ends with them, and those that are no text.

use super::super::{Block, Place};
use super::macros::source;
use super::sink::Sink;
use super::tables::RawTable;
use super::tokens::Kind;
use super::{End, Float, Reader, words};

/// Within a sentence.
const INLINE: &[&str] =
    &["adjustbox", "minipage", "aligned", "split", "gathered", "cases", "small", "footnotesize", "array"];
const FLOATS: &[&str] = &[
    "table",
    "table*",
    "figure",
    "figure*",
    "wraptable",
    "wrapfigure",
    "sidewaystable",
    "subtable",
    "subfigure",
    "threeparttable",
];

impl Reader<'_, '_> {
    pub(super) fn begin(&mut self, place: Place) {
        let name = source(&self.argument()).trim().to_owned();
        if name == "document" {
            self.preamble = false;
            if let Some(paragraph) = self.sinks.first_mut() {
                *paragraph = Sink::default();
            }
            self.notes.clear();
        } else if words::is_code(&name) {
            self.skip_code(&name, place);
        } else if words::is_drawing(&name) {
            self.left_out(place, &format!("a drawing ({name})"));
            self.skip_code(&name, place);
        } else if self.own_environment(&name, false, place) {
        } else if words::is_table(&name) {
            self.begin_table(&name, place);
        } else if words::is_math(&name) {
            self.skip(words::silent_begin(&name).unwrap_or(""));
            self.begin_display(&name, place);
        } else {
            self.begin_other(&name);
        }
    }

    fn begin_other(&mut self, name: &str) {
        let inline = self.math > 0 || INLINE.contains(&name);
        if !inline && self.sinks.len() == 1 {
            self.flush();
        }
        if self.math == 0 || words::silent_begin(name).is_some() {
            self.skip(words::silent_begin(name).unwrap_or("["));
        }
        if FLOATS.contains(&name) {
            self.floats.push(Float { first: self.into.blocks.len(), ..Float::default() });
        }
        self.opened(name);
        self.ends.push(End::Environment(name.into()));
    }

    fn opened(&mut self, name: &str) {
        *self.open.entry(name.into()).or_default() += 1;
    }

    pub(super) fn environment_closed(&mut self, name: &str) {
        if let Some(count) = self.open.get_mut(name) {
            *count = count.saturating_sub(1);
        }
    }

    fn begin_display(&mut self, name: &str, place: Place) {
        self.opened(name);
        self.ends.push(End::Environment(name.into()));
        self.open_display(place);
    }

    pub(super) fn open_display(&mut self, place: Place) {
        self.sink().add(" ", place);
        self.math += 1;
        self.line_over = false;
        let start = self.at();
        self.ends.push(End::Display(start));
    }

    pub(super) fn end_display(&mut self, start: usize) {
        self.math = self.math.saturating_sub(1);
        self.line_over = false;
        let place = self.input.place;
        let written = !self.sink().since(start).trim().is_empty();
        self.sink().end_sentence(written, place);
    }

    pub(super) fn end(&mut self, place: Place) {
        let name = source(&self.argument()).trim().to_owned();
        if name == "document" {
            return self.document_over();
        }
        if self.own_environment(&name, true, place) {
            return;
        }
        if self.open.get(&*name).copied().unwrap_or(0) == 0 {
            return;
        }
        loop {
            let found = matches!(self.ends.last(), Some(End::Environment(own) | End::Table(own)) if **own == *name);
            if !self.close_one() || found {
                return;
            }
        }
    }

    /// An environment that is no table has ended.
    pub(super) fn environment_over(&mut self, name: &str) {
        self.environment_closed(name);
        if self.math > 0 || INLINE.contains(&name) || words::is_math(name) {
            return;
        }
        if self.sinks.len() == 1 {
            self.flush();
        }
        if FLOATS.contains(&name)
            && let Some(float) = self.floats.pop()
        {
            // A caption may stand above or below; a hundred tables in one float are no float.
            for block in self.into.blocks.iter_mut().skip(float.first).take(200) {
                if let Block::Table(table) = block
                    && table.caption.text.is_empty()
                {
                    table.caption = float.caption.clone();
                }
            }
        }
    }

    fn begin_table(&mut self, name: &str, place: Place) {
        self.table_arguments(name);
        if !self.tables.is_empty() {
            // A table within a cell only breaks its lines.
            self.opened(name);
            return self.ends.push(End::Environment(name.into()));
        }
        if self.sinks.len() == 1 && name != "array" {
            self.flush();
        }
        self.opened(name);
        self.tables.push(RawTable::new(place));
        self.ends.push(End::Table(name.into()));
        self.sinks.push(Sink::default());
    }

    fn table_arguments(&mut self, name: &str) {
        let pattern = match name {
            "tabular*" | "tabularx" | "tabulary" | "xltabular" | "NiceTabular*" | "NiceTabularX" => "{[{[",
            "tabu" | "longtabu" => {
                for _ in 0..20 {
                    match self.input.next() {
                        Some(token) if token.kind == Kind::Open => {
                            self.input.put_back(token);
                            break;
                        }
                        Some(_) => {}
                        None => return,
                    }
                }
                "{"
            }
            _ => "[{[",
        };
        self.skip(pattern);
    }

    /// Goes behind the end of an environment that is no text.
    fn skip_code(&mut self, name: &str, place: Place) {
        let end = format!("\\end{{{name}}}");
        if let Some(raw) = self.input.raw() {
            let found = raw.find(&end);
            let length = found.map_or(raw.len(), |at| at + end.len());
            self.input.jump(length);
            if found.is_none() {
                self.left_out(place, &format!("all that follows {name} without its end"));
            }
            return;
        }
        while let Some(token) = self.input.next() {
            if token.kind == Kind::Command("end".into()) && source(&self.argument()).trim() == name {
                return;
            }
        }
    }
}
