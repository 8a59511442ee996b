//! `tests/data/architectures.json` -> configurations, and cases with mlx-lm's answers. `tests/oracles/architectures.py` writes it.

use std::collections::BTreeMap;

use safetensors::Dtype;
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Deserialize)]
pub struct Golden {
    /// The prompt.
    pub ids: Vec<u32>,
    /// Lists of tensors by the first configuration that has them; others have the same.
    tensors: BTreeMap<String, Vec<String>>,
    configurations: BTreeMap<String, Configuration>,
    pub cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Configuration {
    config: Map<String, Value>,
    tensors: String,
}

/// A checkpoint and what mlx-lm makes of it.
#[derive(Deserialize)]
pub struct Case {
    pub name: String,
    /// How matrices are stored, in a word: `plain`, `affine4`, `mixed_3_6`, ...
    pub mode: String,
    dtype: String,
    /// Of all tensors' names, types, shapes and bytes, as mlx-lm saved them.
    pub sha256: String,
    quantization: Option<Map<String, Value>>,
    /// Modules that are stored otherwise than `quantization` says; `None`: not quantised.
    #[serde(default)]
    stored_otherwise: BTreeMap<String, Option<Format>>,
    /// At the prompt's first and last position.
    pub logits: [Vec<f32>; 2],
    /// Greedy.
    pub tokens: Vec<u32>,
    /// The least distance between the best logit and the second best, over all tokens.
    pub margin: f32,
}

/// How a matrix is stored: group, bits, mode.
#[derive(Deserialize, Clone, Debug, PartialEq)]
pub struct Format(pub usize, pub usize, pub String);

/// A tensor before it is quantised.
pub struct Parameter<'a> {
    pub name: &'a str,
    pub shape: Vec<usize>,
    pub dtype: Dtype,
    pub format: Option<Format>,
}

impl Golden {
    /// Every configuration, as config.json has it.
    pub fn configs(&self) -> impl Iterator<Item = Value> {
        self.configurations.values().map(|configuration| Value::Object(configuration.config.clone()))
    }

    pub fn read() -> Self {
        serde_json::from_str(include_str!("../data/architectures.json")).unwrap()
    }

    /// `config.json`, as mlx-lm saves it: what is quantised is said twice.
    pub fn config(&self, case: &Case) -> Value {
        let mut config = self.configurations[&case.name].config.clone();
        if let Some(quantization) = &case.quantization {
            config.insert("quantization".to_owned(), quantization.clone().into());
            config.insert("quantization_config".to_owned(), quantization.clone().into());
        }
        config.into()
    }

    /// Every tensor of the case's checkpoint: lines of `name shape`, with `q` where a matrix may be quantised and `F32` where
    /// the type is not the case's.
    pub fn parameters(&self, case: &Case) -> impl Iterator<Item = Parameter<'_>> {
        self.tensors[&self.configurations[&case.name].tensors].iter().map(|line| {
            let mut words = line.split(' ');
            let name = words.next().unwrap();
            let shape = words.next().unwrap().split('x').map(|size| size.parse().unwrap()).collect();
            let (mut dtype, mut format) = (case.dtype(), None);
            for word in words {
                match word {
                    "q" => format = case.format(name.strip_suffix(".weight").unwrap()),
                    "F32" => dtype = Dtype::F32,
                    other => panic!("{line}: {other}"),
                }
            }
            Parameter { name, shape, dtype, format }
        })
    }
}

impl Case {
    /// `qwen3 affine4`, and the type where it is not bfloat16.
    pub fn title(&self) -> String {
        match self.dtype() {
            Dtype::BF16 => format!("{} {}", self.name, self.mode),
            other => format!("{} {} {other:?}", self.name, self.mode),
        }
    }

    fn dtype(&self) -> Dtype {
        match self.dtype.as_str() {
            "BF16" => Dtype::BF16,
            "F16" => Dtype::F16,
            "F32" => Dtype::F32,
            other => panic!("{other}"),
        }
    }

    /// How a module's matrix is stored. An entry without a mode is affine, whatever the default's mode is.
    fn format(&self, path: &str) -> Option<Format> {
        let quantization = self.quantization.as_ref()?;
        if let Some(otherwise) = self.stored_otherwise.get(path) {
            return otherwise.clone();
        }
        let entry = match quantization.get(path) {
            Some(Value::Bool(false)) => return None,
            Some(Value::Object(own)) => own,
            _ => quantization,
        };
        let number = |key: &str| entry[key].as_u64().unwrap() as usize;
        let mode = entry.get("mode").map_or("affine", |mode| mode.as_str().unwrap());
        Some(Format(number("group_size"), number("bits"), mode.to_owned()))
    }
}
