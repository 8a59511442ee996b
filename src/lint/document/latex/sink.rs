//! The text that is being written: pieces with their places -> one text in which whitespace is one space.

use super::super::{Place, Text};

#[derive(Debug, Default)]
pub(in super::super) struct Sink {
    text: Text,
}

impl Sink {
    pub(in super::super) fn item() -> Self {
        Self { text: Text { item: true, ..Text::default() } }
    }

    pub(in super::super) fn len(&self) -> usize {
        self.text.text.len()
    }

    pub(in super::super) fn ends_blank(&self) -> bool {
        self.text.text.is_empty() || self.text.text.ends_with(' ')
    }

    pub(in super::super) fn add(&mut self, text: &str, place: Place) {
        let text = if self.ends_blank() { text.trim_start_matches(' ') } else { text };
        if text.is_empty() {
            return;
        }
        while self.text.places.last().is_some_and(|(offset, _)| *offset >= self.text.text.len()) {
            self.text.places.pop();
        }
        if self.text.places.last().is_none_or(|(_, last)| *last != place) {
            self.text.places.push((self.len(), place));
        }
        self.text.text += text;
    }

    /// What was written since; where the text has been ended meanwhile, all of it or nothing.
    pub(in super::super) fn since(&self, start: usize) -> &str {
        self.text.text.get(start..).unwrap_or("")
    }

    /// Writes something else instead of what was written since.
    pub(in super::super) fn replace(&mut self, start: usize, text: &str, place: Place) {
        if start > self.len() || !self.text.text.is_char_boundary(start) {
            return self.add(text, place);
        }
        let first = self.text.places.partition_point(|(offset, _)| *offset < start);
        let place = self.text.places.get(first).map_or(place, |(_, place)| *place);
        self.text.places.truncate(first);
        self.text.text.truncate(start);
        self.add(text, place);
    }

    /// Without a space at the end, as far as it was written since.
    pub(in super::super) fn trim_end(&mut self, start: usize) {
        while self.len() > start && self.text.text.ends_with(' ') {
            self.text.text.pop();
        }
    }

    /// Ends the line of math before; with a full stop, if it is to be a sentence and has no mark of its own.
    pub(in super::super) fn end_sentence(&mut self, stop: bool, place: Place) {
        self.trim_end(0);
        if stop && !self.text.text.is_empty() && !self.text.text.ends_with(['.', '!', '?', ',', ';', ':']) {
            self.text.text.push('.');
        }
        self.add(" ", place);
    }

    pub(in super::super) fn finish(mut self) -> Text {
        let length = self.text.text.trim_end().len();
        self.text.text.truncate(length);
        self.text.places.retain(|(offset, _)| *offset < length);
        self.text
    }
}
