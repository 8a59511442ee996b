//! What a chat template is told beside the message, where the study says it. What it does not say is undefined in the template.

use std::fmt;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// The study's own words to a chat template.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// Does the model think before it answers (Qwen3, SmolLM3, Gemma 4)?
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable_thinking: Option<bool>,
    /// How much it thinks (gpt-oss).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_effort: Option<Effort>,
    /// What day it is for `strftime_now`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<Day>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effort {
    Low,
    Medium,
    High,
}

/// A day, written as 2026-11-27.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Day(pub Date);

impl Told {
    /// Each that is given: its key and its value.
    pub fn given(&self) -> impl Iterator<Item = (&'static str, String)> {
        [
            ("enable_thinking", self.enable_thinking.map(|yes| yes.to_string())),
            ("reasoning_effort", self.reasoning_effort.map(|effort| effort.word().to_owned())),
            ("date", self.date.map(|day| day.to_string())),
        ]
        .into_iter()
        .filter_map(|(key, value)| Some((key, value?)))
    }
}

impl Effort {
    /// As the study and the template have it.
    pub fn word(self) -> &'static str {
        match self {
            Effort::Low => "low",
            Effort::Medium => "medium",
            Effort::High => "high",
        }
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<Day> for String {
    fn from(day: Day) -> String {
        day.to_string()
    }
}

impl TryFrom<String> for Day {
    type Error = String;

    /// One way of writing a day, of the many that there are.
    fn try_from(text: String) -> Result<Self, String> {
        let day = text.parse::<Date>().ok().filter(|day| day.to_string() == text);
        day.map(Day).ok_or_else(|| format!("expected a day such as 2026-11-27, found {text:?}"))
    }
}
