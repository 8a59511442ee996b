//! The id of a claim or predicate: what it is about, as a value. It is written once, and nobody takes its text apart.

use std::{borrow::Borrow, fmt, ops::Deref};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::metric::Metric;

/// A dotted path such as `by_length.64.latency.mean`, with what it is made of. Ids are the same, and sorted, by their text.
#[derive(Debug, Clone)]
pub struct Id {
    text: String,
    parts: Vec<Part>,
}

/// A part of an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// One or more words: `cv.within`, `mean`, `by_length`.
    Words(String),
    /// A level of a factor, a cell, a term of an analysis: what differs between members of one family.
    Level(String),
    Metric(Metric),
}

impl Id {
    /// Of words alone.
    pub fn new(words: impl Into<String>) -> Self {
        let text = words.into();
        Id { parts: if text.is_empty() { Vec::new() } else { vec![Part::Words(text.clone())] }, text }
    }

    /// Nothing yet: what is about all runs begins so.
    pub fn root() -> Self {
        Id::new("")
    }

    /// What is about the runs at a level of a factor: `by_FACTOR.LEVEL`.
    pub fn by(factor: &str, level: &str) -> Self {
        Id::new(format!("by_{factor}")).level(level)
    }

    pub fn word(&self, words: &str) -> Self {
        self.with(words, Part::Words(words.to_owned()))
    }

    pub fn level(&self, level: &str) -> Self {
        self.with(level, Part::Level(level.to_owned()))
    }

    pub fn metric(&self, metric: Metric) -> Self {
        self.with(metric.name(), Part::Metric(metric))
    }

    /// The same after `words`: `runs` before `by_length.64`.
    pub fn after(&self, words: &str) -> Self {
        let before = Id::new(words);
        let text = if self.text.is_empty() { before.text } else { format!("{}.{}", before.text, self.text) };
        Id { text, parts: before.parts.into_iter().chain(self.parts.iter().cloned()).collect() }
    }

    fn with(&self, text: &str, part: Part) -> Self {
        let text = if self.text.is_empty() { text.to_owned() } else { format!("{}.{text}", self.text) };
        Id { text, parts: self.parts.iter().cloned().chain([part]).collect() }
    }

    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// What its members share: the id with its levels as `*` and its metric as `METRIC`.
    pub fn family(&self) -> String {
        let word = |part: &Part| match part {
            Part::Words(words) => words.clone(),
            Part::Level(_) => "*".to_owned(),
            Part::Metric(_) => "METRIC".to_owned(),
        };
        self.parts.iter().map(word).collect::<Vec<_>>().join(".")
    }

    /// Metric and statistic, where it is a statistic of a metric over some runs: `[by_….]latency.mean`.
    pub fn statistic(&self) -> Option<(Metric, &str)> {
        let [before @ .., Part::Metric(metric), Part::Words(statistic)] = self.parts.as_slice() else { return None };
        let whole = match before {
            [] => true,
            [Part::Words(by), Part::Level(_)] => by.starts_with("by_"),
            _ => false,
        };
        whole.then_some((*metric, statistic.as_str()))
    }
}

impl Deref for Id {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl Borrow<str> for Id {
    fn borrow(&self) -> &str {
        &self.text
    }
}

impl From<&str> for Id {
    fn from(words: &str) -> Self {
        Id::new(words)
    }
}

impl PartialEq for Id {
    fn eq(&self, other: &Id) -> bool {
        self.text == other.text
    }
}

impl Eq for Id {}

impl PartialOrd for Id {
    fn partial_cmp(&self, other: &Id) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Id {
    fn cmp(&self, other: &Id) -> std::cmp::Ordering {
        self.text.cmp(&other.text)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

/// Of an id that was read no more is known than its words.
impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Id::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_knows_what_it_is_made_of() {
        let id = Id::by("temperature", "0.3").metric(Metric::Latency).word("mean");
        assert_eq!(&*id, "by_temperature.0.3.latency.mean");
        assert_eq!(id.family(), "by_temperature.*.METRIC.mean");
        assert_eq!(id.statistic(), Some((Metric::Latency, "mean")));
        assert_eq!(&*Id::by("length", "64").after("runs"), "runs.by_length.64");
        assert_eq!((&*Id::root().after("runs"), Id::root().after("runs").family().as_str()), ("runs", "runs"));
        assert_eq!(Id::new("cv.within").metric(Metric::Latency).word("sd").statistic(), None);
        let read: Id = serde_json::from_str("\"by_temperature.0.3.latency.mean\"").unwrap();
        assert_eq!((read == id, read.statistic()), (true, None));
    }
}
