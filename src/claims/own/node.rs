//! YAML text -> a tree of keys and scalars, in the file's order, with keys that stand twice. Its size is bounded: what aliases multiply
//! is counted as if it were written out.

use std::{cell::Cell, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// What stands behind a key.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Text(String),
    Number(f64),
    Truth(bool),
    Nothing,
    List(Vec<Node>),
    Keys(Vec<(String, Node)>),
}

/// 2,000 claims with all their keys are fewer.
const MOST_NODES: usize = 40_000;
/// And all their texts together are shorter.
const MOST_TEXT: usize = 4 << 20;

impl Node {
    /// # Errors
    /// Text that is not YAML, or too much of it.
    pub fn read(text: &str) -> Result<Node, serde_yaml::Error> {
        let left = Left { nodes: Cell::new(MOST_NODES), text: Cell::new(MOST_TEXT) };
        Seed(&left).deserialize(serde_yaml::Deserializer::from_str(text))
    }

    /// The text behind the keys of a path.
    pub fn text(&self, path: &str) -> Option<&str> {
        let found = path.split('.').try_fold(self, |node, key| match node {
            Node::Keys(keys) => keys.iter().find(|(other, _)| other == key).map(|(_, node)| node),
            _ => None,
        });
        found.and_then(|node| if let Node::Text(text) = node { Some(text.as_str()) } else { None })
    }

    /// For people: what it is.
    pub fn told(&self) -> String {
        match self {
            Node::Text(text) if text.chars().count() <= 40 => format!("the text {text:?}"),
            Node::Text(_) => "a text".to_owned(),
            Node::Number(number) => format!("the number {number}"),
            Node::Truth(truth) => format!("`{truth}`"),
            Node::Nothing => "nothing".to_owned(),
            Node::List(_) => "a list".to_owned(),
            Node::Keys(_) => "keys and values".to_owned(),
        }
    }
}

struct Left {
    nodes: Cell<usize>,
    text: Cell<usize>,
}

impl Left {
    fn take<E: Error>(&self, text: usize) -> Result<(), E> {
        let nodes = self.nodes.get().checked_sub(1).filter(|nodes| *nodes > 0);
        let text = self.text.get().checked_sub(text);
        let Some((nodes, text)) = nodes.zip(text) else {
            return Err(E::custom("more keys and values than claims need, written out or by aliases"));
        };
        self.nodes.set(nodes);
        self.text.set(text);
        Ok(())
    }
}

#[derive(Clone, Copy)]
struct Seed<'a>(&'a Left);

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Node;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("keys and values")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Node, E> {
        self.0.take(text.len())?;
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Node, E> {
        self.0.take(0)?;
        Ok(Node::Number(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Node, E> {
        self.visit_f64(number as f64)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Node, E> {
        self.visit_f64(number as f64)
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<Node, E> {
        self.0.take(0)?;
        Ok(Node::Truth(truth))
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        self.0.take(0)?;
        Ok(Node::Nothing)
    }

    /// An empty file.
    fn visit_none<E: Error>(self) -> Result<Node, E> {
        self.visit_unit()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        self.0.take(0)?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        self.0.take(0)?;
        let mut keys = Vec::new();
        while let Some(key) = entries.next_key::<String>()? {
            self.0.take(key.len())?;
            keys.push((key, entries.next_value_seed(self)?));
        }
        Ok(Node::Keys(keys))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_their_order_and_stand_twice() {
        let read = Node::read("b: 1\na: [x, 2.5, true, ~]\nb: {c: y}\n").unwrap();
        let list = Node::List(vec![Node::Text("x".into()), Node::Number(2.5), Node::Truth(true), Node::Nothing]);
        let inner = Node::Keys(vec![("c".into(), Node::Text("y".into()))]);
        assert_eq!(read, Node::Keys(vec![("b".into(), Node::Number(1.0)), ("a".into(), list), ("b".into(), inner)]));
    }

    #[test]
    fn bombs_are_refused() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for i in 1..9 {
            let before = vec![format!("*a{}", i - 1); 10].join(", ");
            bomb += &format!("a{i}: &a{i} [{before}]\n");
        }
        assert!(Node::read(&bomb).is_err());
        assert!(Node::read(&format!("a: {}{}", "[".repeat(10_000), "]".repeat(10_000))).is_err());
        let wide = format!("a: &a \"{}\"\nb: [{}]\n", "x".repeat(100_000), vec!["*a"; 100].join(", "));
        assert!(Node::read(&wide).unwrap_err().to_string().contains("by aliases"));
    }
}
