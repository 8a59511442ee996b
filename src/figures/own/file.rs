//! YAML text -> the figures that it describes, as they are written. Bounded: the file is somebody else's. Knows no study.

use std::fmt;

use anyhow::Result;
use serde::{
    Deserialize, Deserializer,
    de::{self, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::fault::{Source, did_you_mean};
use crate::study::{locate, read::of_later};

/// The bound also bounds the parser's time on hostile nesting and repetition.
const MOST_BYTES: usize = 64 * 1024;
const MOST_FIGURES: usize = 50;
const MOST_CHARACTERS: usize = 400;

/// A file of figures.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// The program's own figures that are drawn; absent: all.
    #[serde(default)]
    pub draw: Option<Names>,
    #[serde(default)]
    pub figures: Option<Figures>,
}

/// A short list of texts.
#[derive(Debug, Clone)]
pub struct Names(pub Vec<String>);

/// In the order of the file.
#[derive(Debug, Clone)]
pub struct Figures(pub Vec<(String, Entry)>);

/// A figure as it is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub mark: Mark,
    #[serde(default)]
    pub x: Option<Words>,
    #[serde(default)]
    pub y: Option<Words>,
    #[serde(default, alias = "color")]
    pub colour: Option<Words>,
    #[serde(default)]
    pub facet: Option<Words>,
    #[serde(default, rename = "where")]
    pub condition: Option<Words>,
    #[serde(default)]
    pub unit: Channels<Words>,
    #[serde(default)]
    pub scale: Channels<Scale>,
    #[serde(default)]
    pub title: Option<Words>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mark {
    Points,
    Bars,
    Line,
    Box,
    Ecdf,
    Heat,
    Forest,
    Pareto,
}

impl Mark {
    pub fn name(self) -> &'static str {
        match self {
            Mark::Points => "points",
            Mark::Bars => "bars",
            Mark::Line => "line",
            Mark::Box => "box",
            Mark::Ecdf => "ecdf",
            Mark::Heat => "heat",
            Mark::Forest => "forest",
            Mark::Pareto => "pareto",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    Linear,
    Log,
}

/// What is said of x, y and colour.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Channels<T> {
    #[serde(default = "none")]
    pub x: Option<T>,
    #[serde(default = "none")]
    pub y: Option<T>,
    #[serde(default = "none", alias = "color")]
    pub colour: Option<T>,
}

fn none<T>() -> Option<T> {
    None
}

impl<T> Default for Channels<T> {
    fn default() -> Self {
        Channels { x: None, y: None, colour: None }
    }
}

/// One line of text.
#[derive(Debug, Clone)]
pub struct Words(pub String);

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Line;
        impl Visitor<'_> for Line {
            type Value = Words;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Words, E> {
                let line = text.trim();
                let length = line.chars().count();
                if line.is_empty() || line.contains(char::is_control) {
                    return Err(E::custom("expected one line of text, found none or several"));
                }
                if length > MOST_CHARACTERS {
                    let what = format!("expected at most {MOST_CHARACTERS} characters, found {length}");
                    return Err(E::custom(what));
                }
                Ok(Words(line.to_owned()))
            }
        }
        deserializer.deserialize_str(Line)
    }
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Names;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a sequence")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Names, A::Error> {
                let mut names = Vec::new();
                while let Some(Words(name)) = items.next_element()? {
                    if names.len() == MOST_FIGURES {
                        return Err(de::Error::custom(format!("expected at most {MOST_FIGURES} names, found more")));
                    }
                    names.push(name);
                }
                Ok(Names(names))
            }
        }
        deserializer.deserialize_seq(List)
    }
}

impl<'de> Deserialize<'de> for Figures {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = Figures;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Figures, A::Error> {
                let mut figures: Vec<(String, Entry)> = Vec::new();
                while let Some(id) = entries.next_key::<String>()? {
                    if figures.len() == MOST_FIGURES {
                        return Err(de::Error::custom(format!("expected at most {MOST_FIGURES} figures, found more")));
                    }
                    if figures.iter().any(|(known, _)| *known == id) {
                        return Err(de::Error::custom(format!("duplicate field `{id}`")));
                    }
                    figures.push((id, entries.next_value()?));
                }
                Ok(Figures(figures))
            }
        }
        deserializer.deserialize_map(Map)
    }
}

/// Reads the file's text.
///
/// # Errors
/// It is too large, no YAML, or not of this form.
pub fn read(source: &Source) -> Result<File> {
    let text = &source.text;
    if text.len() > MOST_BYTES {
        let what = format!("expected at most {MOST_BYTES} bytes, found {}", text.len());
        return Err(source.fault_at(None, "", what, "is this a file of figures? docs/FIGURES.md shows one"));
    }
    let is_nothing = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
    if text.lines().all(is_nothing) {
        return Ok(File::default());
    }
    // Syntax first: otherwise half a file is judged, and a lost bracket reads like a wrong type.
    serde_yaml::from_str::<IgnoredAny>(text)
        .and_then(|_| serde_yaml::from_str(text))
        .map_err(|error| reword(source, &error))
}

/// serde's message in the words of this file.
fn reword(source: &Source, error: &serde_yaml::Error) -> anyhow::Error {
    let place = locate::of_error(error);
    let message = error.to_string();
    let message = place
        .and_then(|at| message.strip_suffix(&format!(" at line {} column {}", at.line, at.column)))
        .unwrap_or(&message);
    // serde_yaml puts the path of the value before its message.
    let is_path = |c: char| c.is_alphanumeric() || "_-.[]?".contains(c);
    let (key, message) = match message.split_once(": ") {
        Some((path, rest)) if !path.is_empty() && path.chars().all(is_path) => (path, rest),
        _ => ("", message),
    };
    let mut names = message.split('`').skip(1).step_by(2);
    let named = |name: &str| if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") };
    if message.starts_with("unknown field ") {
        let found = names.next().unwrap_or_default();
        return source.fault_at(
            place,
            &named(found),
            "unknown key",
            of_later(found).unwrap_or_else(|| did_you_mean(found, names)),
        );
    }
    if message.starts_with("unknown variant ") {
        let found = names.next().unwrap_or_default();
        let known: Vec<&str> = names.collect();
        let what = format!("expected {}, found `{found}`", known.join(" or "));
        return source.fault_at(place, key, what, did_you_mean(found, known));
    }
    if message.starts_with("missing field ") {
        let missing = names.next().unwrap_or_default();
        let hint = if missing == "mark" {
            "a mark is one of points, bars, line, box, ecdf, heat, forest, pareto".to_owned()
        } else {
            format!("add `{missing}:` to `{key}`")
        };
        return source.fault_at(place, &named(missing), format!("expected the key `{missing}`, found none"), hint);
    }
    if message.starts_with("duplicate field ") {
        let repeated = names.next().unwrap_or_default();
        let place = locate::repeated_key(&source.text, key, repeated).or(place);
        return source.fault_at(
            place,
            &named(repeated),
            "expected the key once, found it twice",
            "keep one of the two",
        );
    }
    if let Some((found, expected)) =
        message.strip_prefix("invalid type: ").and_then(|rest| rest.rsplit_once(", expected "))
    {
        let (expected, hint) = match expected {
            "a string" => ("text", "set it in double quotes"),
            "a sequence" => ("a list", "write it as [a, b], or one `- item` a line"),
            "a map" => ("figures by name", "write `name: {mark: points, x: ..., y: ...}`"),
            other if other.starts_with("struct ") => ("a mapping of keys to values", "docs/FIGURES.md shows one"),
            other => (other, "docs/FIGURES.md lists every key"),
        };
        return source.fault_at(place, key, format!("expected {expected}, found {found}"), hint);
    }
    let hint = match message {
        "unknown anchor" => "a text that begins with `*` needs quotes",
        _ if message.starts_with("recursion limit") || message.starts_with("repetition limit") => {
            "a file of figures needs no anchors and no depth; write the values out"
        }
        _ if message.starts_with("expected ") => "docs/FIGURES.md lists every key",
        _ => "check indentation, quotes and brackets near this place; a text with `: ` or `#` needs quotes",
    };
    source.fault_at(place, key, message, hint)
}
