//! What begins a safetensors file: a directory of names, types, shapes and places, for files that are written piece by piece.

use std::ops::Range;

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};

/// A tensor that a file will have.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub name: String,
    /// As the format calls it: `F32`, `BF16`, `U32`.
    pub dtype: &'static str,
    pub shape: Vec<usize>,
}

impl Entry {
    /// # Errors
    /// A type of another width than 8, 16 or 32 bits.
    pub fn bytes(&self) -> Result<usize> {
        let bits: usize =
            self.dtype.trim_start_matches(char::is_alphabetic).parse().context("a type without a width")?;
        Ok(self.shape.iter().product::<usize>() * bits / 8)
    }
}

/// The first bytes of a file with these tensors, one after the other as they are listed, and where in it each will lie.
///
/// # Errors
/// A name that is there twice.
pub fn header(entries: &[Entry]) -> Result<(Vec<u8>, Vec<Range<u64>>)> {
    let mut directory = Map::new();
    directory.insert("__metadata__".into(), json!({"format": "mlx"}));
    let (mut places, mut offset) = (Vec::new(), 0);
    for entry in entries {
        let end = offset + entry.bytes()? as u64;
        let Entry { name, dtype, shape } = entry;
        let value = json!({"dtype": dtype, "shape": shape, "data_offsets": [offset, end]});
        ensure!(directory.insert(name.clone(), value).is_none(), "`{name}` is there twice");
        places.push(offset..end);
        offset = end;
    }
    let mut text = serde_json::to_vec(&Value::Object(directory))?;
    text.resize(text.len().div_ceil(8) * 8, b' ');
    let mut header = (text.len() as u64).to_le_bytes().to_vec();
    header.extend(text);
    let begins = header.len() as u64;
    Ok((header, places.into_iter().map(|place| begins + place.start..begins + place.end).collect()))
}
