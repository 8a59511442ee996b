//! A GGUF file's header: metadata and the directory of tensors. Reads bytes that a stranger may have made:
//! every length is checked before it is believed. Knows nothing of what the tensors mean.
//! Format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>

use std::{collections::BTreeMap, ops::Range};

use anyhow::{Context, Result, bail, ensure};

/// One metadata value. Integers of every width are `Integer`.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Integer(i64),
    Float(f64),
    Bool(bool),
    Text(String),
    List(Vec<Value>),
}

impl Value {
    /// Nothing, no, none: what an exporter writes for a part that the model has not.
    pub fn says_nothing(&self) -> bool {
        match self {
            Value::Integer(n) => *n == 0,
            Value::Float(x) => *x == 0.0,
            Value::Bool(truth) => !truth,
            Value::Text(text) => text.is_empty(),
            Value::List(list) => list.is_empty(),
        }
    }
}

/// How a tensor's numbers are stored, by ggml's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub enum Storage {
    F32,
    F16,
    BF16,
    /// Blocks of 32: float16 scale, then 16 bytes of nibbles, each 8 too high.
    Q4_0,
    /// Blocks of 32: float16 scale and minimum, then 16 bytes of nibbles.
    Q4_1,
    /// Blocks of 32: float16 scale, 32 fifth bits, then 16 bytes of nibbles, each with its fifth bit 16 too high.
    Q5_0,
    /// Blocks of 32: float16 scale and minimum, 32 fifth bits, then 16 bytes of nibbles.
    Q5_1,
    /// Blocks of 32: float16 scale, then 32 signed bytes.
    Q8_0,
    /// Blocks of 256: float16 scale of scales and of minimums, 8 of each in 6 bits, then 128 bytes of nibbles.
    Q4_K,
    /// As `Q4_K`, with 256 fifth bits before the nibbles.
    Q5_K,
    /// Blocks of 256: 128 bytes of nibbles, 64 of upper bits, 16 signed scales, float16 scale of scales.
    Q6_K,
}

/// Number in the file, storage, values a block, bytes a block.
const STORAGES: [(u32, Storage, u64, u64); 11] = [
    (0, Storage::F32, 1, 4),
    (1, Storage::F16, 1, 2),
    (30, Storage::BF16, 1, 2),
    (2, Storage::Q4_0, 32, 18),
    (3, Storage::Q4_1, 32, 20),
    (6, Storage::Q5_0, 32, 22),
    (7, Storage::Q5_1, 32, 24),
    (8, Storage::Q8_0, 32, 34),
    (12, Storage::Q4_K, 256, 144),
    (13, Storage::Q5_K, 256, 176),
    (14, Storage::Q6_K, 256, 210),
];

/// Names of ggml's other types that files of models have, for a refusal that says more than a number.
const OTHERS: [(u32, &str); 15] = [
    (10, "Q2_K"),
    (11, "Q3_K"),
    (16, "IQ2_XXS"),
    (17, "IQ2_XS"),
    (18, "IQ3_XXS"),
    (19, "IQ1_S"),
    (20, "IQ4_NL"),
    (21, "IQ3_S"),
    (22, "IQ2_S"),
    (23, "IQ4_XS"),
    (28, "F64"),
    (29, "IQ1_M"),
    (34, "TQ1_0"),
    (35, "TQ2_0"),
    (39, "MXFP4"),
];

impl Storage {
    fn from_code(code: u32) -> Result<Self> {
        if let Some((_, storage, ..)) = STORAGES.iter().find(|(known, ..)| *known == code) {
            return Ok(*storage);
        }
        let name = OTHERS.iter().find(|(known, _)| *known == code).map_or("", |(_, name)| *name);
        let named = if name.is_empty() { format!("type {code}") } else { format!("type {code} ({name})") };
        let known: Vec<String> = STORAGES.iter().map(|(_, storage, ..)| format!("{storage:?}")).collect();
        bail!("tensor {named} cannot be imported without loss; {} can", known.join(", "))
    }

    /// Values and bytes of one block.
    pub fn block(self) -> (u64, u64) {
        STORAGES.iter().find(|(_, known, ..)| *known == self).map_or((1, 1), |(_, _, values, bytes)| (*values, *bytes))
    }
}

/// One entry of the directory.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorInfo {
    pub name: String,
    /// Outermost dimension first, as everywhere but in GGUF itself: `[rows, columns]`.
    pub shape: Vec<u64>,
    pub storage: Storage,
    /// Where its bytes lie in the file.
    pub bytes: Range<usize>,
}

/// The parsed header.
#[derive(Debug, Clone)]
pub struct Header {
    pub metadata: BTreeMap<String, Value>,
    pub tensors: Vec<TensorInfo>,
}

impl Header {
    /// Reads the header of a whole file.
    ///
    /// # Errors
    /// Not GGUF version 2 or 3, a length that the file cannot hold, an unknown type, a tensor outside the file.
    pub fn parse(file: &[u8]) -> Result<Self> {
        let mut reader = Reader { file, at: 0 };
        ensure!(reader.take(4)? == b"GGUF", "this is not a GGUF file");
        let version = reader.u32()?;
        ensure!((2..=3).contains(&version), "GGUF version {version}; 2 and 3 are known");
        let n_tensors = reader.count(24)?;
        let n_values = reader.count(12)?;
        let mut metadata = BTreeMap::new();
        for _ in 0..n_values {
            let key = reader.text()?;
            let kind = reader.u32()?;
            let value = reader.value(kind, 0).with_context(|| format!("metadata key `{key}`"))?;
            metadata.insert(key, value);
        }
        let mut tensors = Vec::new();
        for _ in 0..n_tensors {
            tensors.push(reader.tensor_info()?);
        }
        let alignment = match metadata.get("general.alignment") {
            None => 32,
            Some(Value::Integer(n)) if (1..=1 << 20).contains(n) => *n as usize,
            Some(other) => bail!("general.alignment is {other:?}"),
        };
        let data = reader.at.div_ceil(alignment) * alignment;
        for tensor in &mut tensors {
            let end = tensor.bytes.end.checked_add(data).filter(|end| *end <= file.len());
            let Some(end) = end else { bail!("tensor `{}` reaches past the end: the file is truncated", tensor.name) };
            tensor.bytes = tensor.bytes.start + data..end;
        }
        Ok(Header { metadata, tensors })
    }

    /// The integer at `key`.
    pub fn integer(&self, key: &str) -> Result<i64> {
        match self.metadata.get(key) {
            Some(Value::Integer(n)) => Ok(*n),
            other => bail!("metadata key `{key}`: expected an integer, found {}", found(other)),
        }
    }

    /// The number at `key`.
    pub fn number(&self, key: &str) -> Result<f64> {
        match self.metadata.get(key) {
            Some(Value::Float(x)) => Ok(*x),
            other => bail!("metadata key `{key}`: expected a number, found {}", found(other)),
        }
    }

    /// The text at `key`.
    pub fn text(&self, key: &str) -> Result<&str> {
        match self.metadata.get(key) {
            Some(Value::Text(text)) => Ok(text),
            other => bail!("metadata key `{key}`: expected text, found {}", found(other)),
        }
    }

    /// The truth value at `key`, or `default` where there is no such key.
    pub fn truth(&self, key: &str, default: bool) -> Result<bool> {
        match self.metadata.get(key) {
            None => Ok(default),
            Some(Value::Bool(truth)) => Ok(*truth),
            other => bail!("metadata key `{key}`: expected a truth value, found {}", found(other)),
        }
    }

    /// The list at `key`.
    pub fn list(&self, key: &str) -> Result<&[Value]> {
        match self.metadata.get(key) {
            Some(Value::List(list)) => Ok(list),
            other => bail!("metadata key `{key}`: expected a list, found {}", found(other)),
        }
    }
}

fn found(value: Option<&Value>) -> &'static str {
    match value {
        None => "nothing",
        Some(Value::Integer(_)) => "an integer",
        Some(Value::Float(_)) => "a number",
        Some(Value::Bool(_)) => "a truth value",
        Some(Value::Text(_)) => "text",
        Some(Value::List(_)) => "a list",
    }
}

struct Reader<'a> {
    file: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        let end = self.at.checked_add(n).filter(|end| *end <= self.file.len());
        let Some(end) = end else { bail!("the header ends at byte {}: the file is truncated", self.file.len()) };
        let bytes = &self.file[self.at..end];
        self.at = end;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.take(N)?);
        Ok(bytes)
    }

    fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A count of items that take at least `least` bytes each, so that no count outgrows the file.
    fn count(&mut self, least: usize) -> Result<usize> {
        let n = self.u64()?;
        let room = (self.file.len() - self.at) / least;
        ensure!(n <= room as u64, "a count of {n} at byte {} does not fit the file", self.at - 8);
        Ok(n as usize)
    }

    fn text(&mut self) -> Result<String> {
        let n = self.count(1)?;
        Ok(String::from_utf8_lossy(self.take(n)?).into_owned())
    }

    fn value(&mut self, kind: u32, depth: usize) -> Result<Value> {
        Ok(match kind {
            0 => Value::Integer(self.array::<1>()?[0].into()),
            1 => Value::Integer(i8::from_le_bytes(self.array()?).into()),
            2 => Value::Integer(u16::from_le_bytes(self.array()?).into()),
            3 => Value::Integer(i16::from_le_bytes(self.array()?).into()),
            4 => Value::Integer(self.u32()?.into()),
            5 => Value::Integer(i32::from_le_bytes(self.array()?).into()),
            6 => Value::Float(f32::from_le_bytes(self.array()?).into()),
            7 => Value::Bool(self.array::<1>()?[0] != 0),
            8 => Value::Text(self.text()?),
            9 => {
                ensure!(depth < 4, "lists nested too deep");
                let inner = self.u32()?;
                let n = self.count(1)?;
                Value::List((0..n).map(|_| self.value(inner, depth + 1)).collect::<Result<_>>()?)
            }
            10 => {
                let n = self.u64()?;
                Value::Integer(i64::try_from(n).with_context(|| format!("the integer {n} is too large"))?)
            }
            11 => Value::Integer(i64::from_le_bytes(self.array()?)),
            12 => Value::Float(f64::from_le_bytes(self.array()?)),
            _ => bail!("unknown value type {kind}"),
        })
    }

    /// `bytes` is relative to the data section until the caller knows where that begins.
    fn tensor_info(&mut self) -> Result<TensorInfo> {
        let name = self.text()?;
        let n_dims = self.u32()?;
        ensure!((1..=4).contains(&n_dims), "tensor `{name}` has {n_dims} dimensions");
        let mut shape = (0..n_dims).map(|_| self.u64()).collect::<Result<Vec<_>>>()?;
        shape.reverse();
        // Rows of no columns would cost nothing to claim and for ever to walk.
        ensure!(!shape.contains(&0), "tensor `{name}` has a dimension of 0");
        let storage = Storage::from_code(self.u32()?).with_context(|| format!("tensor `{name}`"))?;
        let offset = self.u64()?;
        let (values, bytes) = storage.block();
        let columns = shape[shape.len() - 1];
        ensure!(columns % values == 0, "tensor `{name}`: {columns} columns are no whole blocks of {values}");
        let size = shape.iter().try_fold(1u64, |n, d| n.checked_mul(*d)).and_then(|n| (n / values).checked_mul(bytes));
        let end = size.and_then(|size| size.checked_add(offset)).and_then(|end| usize::try_from(end).ok());
        let Some(end) = end else { bail!("tensor `{name}`: its size overflows") };
        Ok(TensorInfo { name, shape, storage, bytes: offset as usize..end })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(s: &str) -> Vec<u8> {
        [&(s.len() as u64).to_le_bytes()[..], s.as_bytes()].concat()
    }

    /// One integer, one list, one Q8_0 tensor of 1 x 32.
    fn small() -> Vec<u8> {
        let mut file = b"GGUF\x03\0\0\0".to_vec();
        file.extend(1u64.to_le_bytes());
        file.extend(2u64.to_le_bytes());
        file.extend(text("a.count"));
        file.extend(4u32.to_le_bytes());
        file.extend(7u32.to_le_bytes());
        file.extend(text("a.list"));
        file.extend([9u32.to_le_bytes(), 8u32.to_le_bytes()].concat());
        file.extend(2u64.to_le_bytes());
        file.extend([text("x"), text("yz")].concat());
        file.extend(text("w"));
        file.extend(2u32.to_le_bytes());
        file.extend([32u64.to_le_bytes(), 1u64.to_le_bytes()].concat());
        file.extend(8u32.to_le_bytes());
        file.extend(0u64.to_le_bytes());
        file.resize(file.len().div_ceil(32) * 32, 0);
        file.extend([1u8; 34]);
        file
    }

    #[test]
    fn a_small_file_reads_back() {
        let file = small();
        let header = Header::parse(&file).unwrap();
        assert_eq!(header.integer("a.count").unwrap(), 7);
        assert_eq!(header.list("a.list").unwrap(), [Value::Text("x".into()), Value::Text("yz".into())]);
        assert_eq!(header.tensors[0].shape, [1, 32]);
        assert_eq!(header.tensors[0].bytes, file.len() - 34..file.len());
        assert!(header.text("a.count").unwrap_err().to_string().contains("expected text, found an integer"));
    }

    #[test]
    fn every_truncation_is_an_error_and_never_a_panic() {
        let file = small();
        for n in 0..file.len() {
            assert!(Header::parse(&file[..n]).is_err(), "cut at {n}");
        }
    }

    #[test]
    fn a_flipped_byte_never_panics() {
        let file = small();
        for at in 0..file.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut bad = file.clone();
                bad[at] = value;
                let _ = Header::parse(&bad);
            }
        }
    }
}
