//! The factors of a design, as data: what may vary, over which levels, and what the paper does with it. Knows no study and no engine;
//! analysis, claims, tables, figures and prose loop over what stands here and know no factor by its name.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// What the levels of a factor are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Numbers with distances: a line may be fitted to them.
    Numeric,
    /// An order without distances.
    Ordered,
    /// Names.
    Named,
}

/// What a paper does with a factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Averaged over; may turn out to be negligible.
    Crossed,
    /// The paper is about its levels: each is set against the first.
    Compared,
}

/// A value of a factor as rows carry it: a JSON number or a text.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Number(f64),
    Text(String),
}

impl Value {
    /// `None` of a text.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Value::Number(number) => Some(*number),
            Value::Text(_) => None,
        }
    }

    /// As claim ids, tables and people write it: `64`, `0.3`, `mlx`.
    pub fn key(&self) -> Cow<'_, str> {
        match self {
            Value::Number(number) => Cow::Owned(number.to_string()),
            Value::Text(text) => Cow::Borrowed(text),
        }
    }
}

/// A [`Value`] that lies elsewhere.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ValueRef<'a> {
    Number(f64),
    Text(&'a str),
}

impl<'a> From<&'a Value> for ValueRef<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Number(number) => ValueRef::Number(*number),
            Value::Text(text) => ValueRef::Text(text),
        }
    }
}

impl From<ValueRef<'_>> for Value {
    fn from(value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Number(number) => Value::Number(number),
            ValueRef::Text(text) => Value::Text(text.to_owned()),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.key())
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const EXACT: f64 = (1u64 << 53) as f64;
        match self {
            Value::Number(number) if number.trunc() == *number && number.abs() < EXACT => {
                serializer.serialize_i64(*number as i64)
            }
            Value::Number(number) => serializer.serialize_f64(*number),
            Value::Text(text) => serializer.serialize_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberOrText;
        impl de::Visitor<'_> for NumberOrText {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a number or a text")
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Value, E> {
                Ok(Value::Number(number as f64))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Value, E> {
                Ok(Value::Number(number as f64))
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Value, E> {
                Ok(Value::Number(number))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
                Ok(Value::Text(text.to_owned()))
            }
        }
        deserializer.deserialize_any(NumberOrText)
    }
}

/// One level of a factor.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Level {
    pub value: Value,
    /// What prose calls it; the value unless it has a name of its own.
    pub label: String,
}

impl Level {
    pub fn number(number: f64) -> Self {
        Level { value: Value::Number(number), label: number.to_string() }
    }

    pub fn text(text: &str) -> Self {
        Level { value: Value::Text(text.to_owned()), label: text.to_owned() }
    }

    /// As claim ids write it.
    pub fn key(&self) -> Cow<'_, str> {
        self.value.key()
    }

    /// `None` of a text.
    pub fn as_number(&self) -> Option<f64> {
        self.value.as_number()
    }
}

/// A factor of a design, with the levels that the design has.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Factor {
    /// As it stands in claim ids (`by_NAME.…`), rows and tables.
    pub name: String,
    /// What prose and figures call it.
    pub label: String,
    /// Of its levels; empty for names and for bare numbers.
    pub unit: String,
    /// A level as people say it, `{}` for what it is called: `{} tokens`, `temperature {}`.
    pub said: String,
    pub kind: Kind,
    pub role: Role,
    /// The first is the reference.
    pub levels: Vec<Level>,
}

impl Factor {
    /// Has the design more than one level of it? One that does not vary leaves no trace in a paper.
    pub fn varies(&self) -> bool {
        self.levels.len() > 1
    }

    /// Is it an amount (of tokens, of requests), so that more of it is more work, and rates may rise with it?
    pub fn is_amount(&self) -> bool {
        self.kind == Kind::Numeric && !self.unit.is_empty()
    }

    /// `output length (tokens)`: what an axis says.
    pub fn axis(&self) -> String {
        if self.unit.is_empty() { self.label.clone() } else { format!("{} ({})", self.label, self.unit) }
    }

    /// `64 tokens`, `temperature 0.3`, `1 thread`, `MLX`: a level as people say it.
    pub fn say(&self, level: &Level) -> String {
        let one = level.as_number() == Some(1.0);
        // `1 threads` is nobody's English.
        let said = if one { self.said.replacen("{} requests", "{} request", 1) } else { self.said.clone() };
        let said = if one { said.strip_suffix('s').unwrap_or(&said) } else { &said };
        said.replace("{}", &level.label)
    }
}

/// A factor that the program knows: it has a place where it acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    pub name: &'static str,
    pub label: &'static str,
    pub unit: &'static str,
    pub said: &'static str,
    pub kind: Kind,
    pub role: Role,
    /// Where a study lists its levels.
    pub listed: &'static str,
    /// Smallest and largest level that a study may list under `factors`; none where its levels are no numbers or stand elsewhere.
    pub range: Option<(u32, u32)>,
    /// Are its levels whole numbers?
    pub whole: bool,
}

pub const LENGTH: &str = "length";
pub const TEMPERATURE: &str = "temperature";
pub const PROMPT: &str = "prompt";
pub const MODEL: &str = "model";
pub const ENGINE: &str = "engine";
pub const QUANTIZATION: &str = "quantization";
pub const THREADS: &str = "threads";
/// The variable by which a worker is told how many threads compute.
pub const THREADS_VARIABLE: &str = "OFFPRINT_THREADS";
pub const CONTEXT: &str = "context";
pub const BATCH: &str = "batch";
/// Requests at once of a closed loop.
pub const AT_ONCE: &str = "at_once";
/// Requests a second of an open loop.
pub const PER_SECOND: &str = "per_second";
/// Who proposes tokens.
pub const DRAFT: &str = "draft";

/// Every factor that acts somewhere, in the order in which they enter an analysis.
pub const KNOWN: [Known; 12] = {
    use Kind::{Named, Numeric};
    use Role::{Compared, Crossed};
    const fn known(name: &'static str, label: &'static str, unit: &'static str, said: &'static str) -> Known {
        Known { name, label, unit, said, kind: Numeric, role: Compared, listed: "factors", range: None, whole: true }
    }
    [
        Known {
            role: Crossed,
            listed: "benchmark_settings.max_tokens",
            ..known(LENGTH, "output length", "tokens", "{} tokens")
        },
        Known {
            role: Crossed,
            listed: "benchmark_settings.temperatures",
            ..known(TEMPERATURE, "temperature", "", "temperature {}")
        },
        Known { role: Crossed, kind: Named, listed: "prompts", ..known(PROMPT, "prompt", "", "prompt {}") },
        Known { kind: Named, listed: "models", ..known(MODEL, "model", "", "{}") },
        Known { kind: Named, listed: "models[].engine", ..known(ENGINE, "engine", "", "{}") },
        Known { kind: Named, ..known(QUANTIZATION, "quantization", "", "{}") },
        Known { range: Some((1, 256)), ..known(THREADS, "threads", "", "{} threads") },
        Known { range: Some((0, 1_000_000)), ..known(CONTEXT, "context", "tokens", "a context of {} tokens") },
        Known { range: Some((1, 4096)), ..known(BATCH, "batch size", "requests", "batches of {} requests") },
        Known { range: Some((1, 1024)), ..known(AT_ONCE, "requests at once", "requests", "{} requests at once") },
        Known {
            range: Some((0, 1000)),
            whole: false,
            ..known(PER_SECOND, "arrival rate", "requests a second", "{} requests a second")
        },
        Known { kind: Named, ..known(DRAFT, "draft", "", "{}") },
    ]
};

impl Known {
    /// Does a study list its levels under `factors`?
    pub fn is_listed_there(&self) -> bool {
        self.listed == "factors"
    }

    pub fn named(name: &str) -> Option<&'static Known> {
        KNOWN.iter().find(|known| known.name == name)
    }

    /// The factor with these levels.
    pub fn with(&self, levels: Vec<Level>) -> Factor {
        let Known { name, label, unit, said, kind, role, .. } = *self;
        let [name, label, unit, said] = [name, label, unit, said].map(str::to_owned);
        Factor { name, label, unit, said, kind, role, levels }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_people_write_them_and_read_back() {
        for (value, json, key) in [
            (Value::Number(64.0), "64", "64"),
            (Value::Number(0.3), "0.3", "0.3"),
            (Value::Number(1e20), "1e+20", "100000000000000000000"),
            (Value::Text("mlx".to_owned()), "\"mlx\"", "mlx"),
            (Value::Text("64".to_owned()), "\"64\"", "64"),
        ] {
            assert_eq!(serde_json::to_string(&value).unwrap(), json);
            assert_eq!(serde_json::from_str::<Value>(json).unwrap(), value);
            assert_eq!(value.key(), key);
        }
        assert!(serde_json::from_str::<Value>("true").is_err() && serde_json::from_str::<Value>("null").is_err());
    }

    #[test]
    fn a_level_is_said_as_people_say_it() {
        let say = |name: &str, level: Level| Known::named(name).unwrap().with(vec![level.clone()]).say(&level);
        assert_eq!(say(LENGTH, Level::number(64.0)), "64 tokens");
        assert_eq!(say(TEMPERATURE, Level::number(0.3)), "temperature 0.3");
        assert_eq!(say(PROMPT, Level::text("1")), "prompt 1");
        assert_eq!(say(ENGINE, Level::text("mlx")), "mlx");
        assert_eq!(say(CONTEXT, Level::number(512.0)), "a context of 512 tokens");
        assert_eq!(say(THREADS, Level::number(1.0)), "1 thread");
        assert_eq!(say(AT_ONCE, Level::number(1.0)), "1 request at once");
        assert_eq!(say(PER_SECOND, Level::number(0.5)), "0.5 requests a second");
    }
}
