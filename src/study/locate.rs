//! The line and column of a key in a YAML text. Enters: text and a path such as `models[0].id`; leaves: a place.
//!
//! serde_yaml says where something stands only when it fails there, so this reads the text again and fails on
//! purpose at the wanted node: the position is the parser's own, not the guess of a second parser.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::error::Place;

/// Where the value at `path` starts; where there is no such value, the nearest thing around it.
pub(crate) fn value(text: &str, path: &str) -> Option<Place> {
    fail_at(text, &steps(path))
}

/// Where `key` stands for the second time in the mapping at `path`.
pub(crate) fn repeated_key(text: &str, path: &str, key: &str) -> Option<Place> {
    let mut steps = steps(path);
    steps.push(Step::Again(key));
    fail_at(text, &steps)
}

/// Where the second document of a file starts.
pub(super) fn second_document(text: &str) -> Option<Place> {
    let document = serde_yaml::Deserializer::from_str(text).nth(1)?;
    of_error(&Walk(&[]).deserialize(document).err()?)
}

/// The place that a serde_yaml error carries.
pub(crate) fn of_error(error: &serde_yaml::Error) -> Option<Place> {
    error.location().map(|at| Place { line: at.line(), column: at.column() })
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Key(&'a str),
    Index(usize),
    Again(&'a str),
}

fn steps(path: &str) -> Vec<Step<'_>> {
    path.split(['.', '[', ']'])
        .filter(|part| !part.is_empty())
        .map(|part| part.parse().map_or(Step::Key(part), Step::Index))
        .collect()
}

fn fail_at(text: &str, steps: &[Step]) -> Option<Place> {
    let error = Walk(steps).deserialize(serde_yaml::Deserializer::from_str(text)).err()?;
    of_error(&error)
}

/// Follows the steps, then fails.
#[derive(Clone, Copy)]
struct Walk<'a>(&'a [Step<'a>]);

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("the wanted node")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Some((Step::Index(index), rest)) = self.0.split_first() else { return Err(A::Error::custom("here")) };
        for _ in 0..*index {
            items.next_element::<IgnoredAny>()?;
        }
        items.next_element_seed(Walk(rest))?;
        Err(A::Error::custom("no such element"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let mut seen = false;
        let Some((step, rest)) = self.0.split_first() else { return Err(A::Error::custom("here")) };
        while let Some(wanted) = entries.next_key_seed(Key { step: *step, seen: &mut seen })? {
            if wanted {
                entries.next_value_seed(Walk(rest))?;
            } else {
                entries.next_value::<IgnoredAny>()?;
            }
        }
        Err(A::Error::custom("no such key"))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Err(A::Error::custom("here"))
    }
}

/// Is this key the wanted one? Fails at a key that stands for the second time, where that is what is wanted.
struct Key<'a> {
    step: Step<'a>,
    seen: &'a mut bool,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<bool, E> {
        match self.step {
            Step::Again(wanted) if wanted == key && std::mem::replace(self.seen, true) => Err(E::custom("here")),
            Step::Key(wanted) => Ok(wanted == key),
            _ => Ok(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "a: 1\nlist:\n  - x\n  - k: {deep: [1, 2]}\n\"quoted\" : 2\na: 3\n";

    #[test]
    fn nodes_are_found_where_they_stand() {
        let at = |path| value(TEXT, path).map(|place| (place.line, place.column));
        assert_eq!(at("a"), Some((1, 4)));
        assert_eq!(at("list"), Some((3, 3)));
        assert_eq!(at("list[0]"), Some((3, 5)));
        assert_eq!(at("list[1].k.deep[1]"), Some((4, 19)));
        assert_eq!(at("quoted"), Some((5, 12)));
    }

    #[test]
    fn a_repeated_key_is_found_at_its_second_place() {
        assert_eq!(repeated_key(TEXT, "", "a"), Some(Place { line: 6, column: 1 }));
    }

    #[test]
    fn an_alias_is_followed_to_its_anchor() {
        assert_eq!(value("a: &x\n  b: 7\nc: *x\n", "c.b"), Some(Place { line: 2, column: 6 }));
    }
}
