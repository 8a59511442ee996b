//! Safetensors shards -> arrays by name, taken out strictly: a missing, unexpected or misshapen tensor is an error
//! that names it. (mlx-rs' own module loading skips unknown keys in silence.)

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use mlx_rs::{Array, Dtype};
use thiserror::Error;

use crate::model::config::{Mode, Packing, Quantization};

/// What can be wrong with a checkpoint's tensors.
#[derive(Debug, Error)]
pub enum WeightError {
    #[error("{file}: {reason}\nhint: the file is truncated or damaged; fetch the checkpoint again")]
    Unreadable { file: PathBuf, reason: String },
    #[error("tensor `{name}` is missing\nhint: the checkpoint is incomplete, or config.json belongs to another model")]
    Missing { name: String },
    #[error("tensors without a place in the model: {}\nhint: config.json belongs to another model, or the model is of a kind not known here", names.join(", "))]
    Unexpected { names: Vec<String> },
    #[error(
        "tensor `{name}`: expected shape {expected:?}, found {found:?}\nhint: config.json belongs to another model"
    )]
    Misshapen { name: String, expected: Vec<i32>, found: Vec<i32> },
    #[error(
        "tensor `{name}`: expected {expected}, found {found:?}\nhint: floating-point checkpoints and those that were quantised for MLX are read"
    )]
    Mistyped { name: String, expected: &'static str, found: Dtype },
    #[error("tensor `{name}` is in two files: {first} and {second}\nhint: remove the file that does not belong here")]
    Twice { name: String, first: PathBuf, second: PathBuf },
    #[error(transparent)]
    Mlx(#[from] mlx_rs::error::Exception),
}

/// Why a model could not be loaded.
#[derive(Debug, Error)]
pub enum LoadError {
    #[error(transparent)]
    Weights(#[from] WeightError),
    #[error("{0}")]
    Config(String),
}

impl From<String> for LoadError {
    fn from(reason: String) -> Self {
        LoadError::Config(reason)
    }
}

impl From<mlx_rs::error::Exception> for LoadError {
    fn from(error: mlx_rs::error::Exception) -> Self {
        LoadError::Weights(error.into())
    }
}

pub type Loaded<T> = std::result::Result<T, LoadError>;

/// What modules are loaded from: the tensors, and what the configuration says of their packing.
#[derive(Debug)]
pub struct Source<'a> {
    pub weights: Weights,
    pub quantization: Option<&'a Quantization>,
    /// Modules that the configuration does not name and whose shapes say another packing than its default.
    otherwise: BTreeMap<String, Vec<String>>,
    /// Of the modules loaded so far.
    pub parameters: Parameters,
    /// Every matrix asked for so far.
    pub matrices: Vec<Stored>,
}

/// A matrix as a checkpoint has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// Its module: `model.layers.0.mlp.up_proj`.
    pub path: String,
    /// Rows, columns; experts before them.
    pub shape: Vec<usize>,
    /// `None`: numbers in floating point.
    pub packing: Option<Packing>,
}

/// Numbers in matrices, norms and biases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Parameters {
    pub all: u64,
    /// Of experts that a token does not use.
    pub idle: u64,
    /// Bytes that a token does not need: of those experts, and of tables of which it reads a row.
    pub unread: u64,
    /// Bytes that a token needs; of a whole model.
    pub read: u64,
}

impl<'a> Source<'a> {
    pub fn new(weights: Weights, quantization: Option<&'a Quantization>) -> Self {
        Source {
            weights,
            quantization,
            otherwise: BTreeMap::new(),
            parameters: Parameters::default(),
            matrices: Vec::new(),
        }
    }

    /// A module whose packing is what its shapes say.
    pub fn took(&mut self, path: &str, packing: Packing) {
        if self.quantization.is_some_and(|quantization| quantization.default != packing) {
            self.otherwise.entry(packing.to_string()).or_default().push(path.to_owned());
        }
    }

    /// Every tensor must have been taken. What is odd, in words.
    ///
    /// # Errors
    /// Tensors that no module asked for.
    pub fn finish(self) -> std::result::Result<Vec<String>, WeightError> {
        self.weights.finish()?;
        let told = self.otherwise.into_iter().map(|(packing, paths)| {
            let more = if paths.len() > 1 { format!(" and {} more", paths.len() - 1) } else { String::new() };
            format!(
                "config.json: {}{more} packed otherwise than `quantization` says: {packing}, as the shapes have it",
                paths[0]
            )
        });
        Ok(told.collect())
    }
}

/// The arrays not yet taken.
#[derive(Debug)]
pub struct Weights {
    left: BTreeMap<String, Array>,
    /// Floating-point tensors are cast to this on the way out.
    dtype: Option<Dtype>,
    /// ... but matrices, and scales and biases of packed ones, are left as they are stored.
    as_stored: bool,
    /// Bytes of those taken so far, as they are stored.
    pub bytes: u64,
}

impl Weights {
    /// Opens the shards lazily. `dtype`: cast floating-point tensors (MLX's x86 kernels want float32; float16 casts exactly).
    ///
    /// # Errors
    /// A file that MLX cannot read, a name in two files.
    pub fn open(shards: &[PathBuf], dtype: Option<Dtype>) -> Result<Self, WeightError> {
        let mut left = BTreeMap::new();
        let mut places: BTreeMap<String, &Path> = BTreeMap::new();
        for shard in shards {
            let arrays = Array::load_safetensors(shard)
                .map_err(|error| WeightError::Unreadable { file: shard.clone(), reason: error.to_string() })?;
            for (name, array) in arrays.into_iter().collect::<BTreeMap<_, _>>() {
                // As mlx-lm's `sanitize`: a table that the model computes itself.
                if name.ends_with("rotary_emb.inv_freq") {
                    continue;
                }
                if let Some(first) = places.insert(name.clone(), shard) {
                    return Err(WeightError::Twice { name, first: first.to_owned(), second: shard.clone() });
                }
                left.insert(name, array);
            }
        }
        Ok(Weights { left, dtype, as_stored: false, bytes: 0 })
    }

    /// From now on matrices, and scales and biases of packed ones, are not cast: for kernels that read every type.
    pub fn keep_matrices(&mut self) {
        self.as_stored = true;
    }

    /// Casts floating-point tensors of several types to float32, which MLX's own promotion computes in with them, for kernels
    /// that know one type a model.
    pub fn unify(&mut self) {
        let packed = [Dtype::Uint32, Dtype::Uint8];
        let mut types = self.left.values().map(Array::dtype).filter(|dtype| !packed.contains(dtype));
        let first = types.next();
        if types.any(|dtype| Some(dtype) != first) {
            self.dtype = Some(Dtype::Float32);
        }
    }

    /// Is there a tensor of this name?
    pub fn has(&self, name: &str) -> bool {
        self.left.contains_key(name)
    }

    /// Drops every tensor whose name begins so (mlx-lm drops `lm_head` of a tied model).
    pub fn discard(&mut self, prefix: &str) {
        self.left.retain(|name, _| !name.starts_with(prefix));
    }

    /// Takes scales of this shape and, in the affine mode, biases of one type with them; in the others scales are bytes.
    pub fn scales(
        &mut self,
        mode: Mode,
        scales: &str,
        biases: &str,
        shape: &[i32],
    ) -> Result<(Array, Option<Array>), WeightError> {
        if mode != Mode::Affine {
            return Ok((self.of_type(Dtype::Uint8, "bytes, as scales of this mode are", scales, shape)?, None));
        }
        let stored = |name| self.left.get(name).map(Array::dtype);
        let alike = self.as_stored && stored(scales) == stored(biases);
        let dtype = self.dtype.filter(|_| !alike);
        Ok((self.float_as(dtype, scales, shape)?, Some(self.float_as(dtype, biases, shape)?)))
    }

    /// Takes a matrix of floating-point numbers.
    pub fn matrix(&mut self, name: &str, shape: &[i32]) -> Result<Array, WeightError> {
        let dtype = self.dtype.filter(|_| !self.as_stored);
        self.float_as(dtype, name, shape)
    }

    /// Takes a floating-point tensor of this shape.
    pub fn float(&mut self, name: &str, shape: &[i32]) -> Result<Array, WeightError> {
        self.float_as(self.dtype, name, shape)
    }

    fn float_as(&mut self, dtype: Option<Dtype>, name: &str, shape: &[i32]) -> Result<Array, WeightError> {
        let array = self.take(name, shape)?;
        if ![Dtype::Float32, Dtype::Float16, Dtype::Bfloat16].contains(&array.dtype()) {
            return Err(WeightError::Mistyped {
                name: name.to_owned(),
                expected: "floating point",
                found: array.dtype(),
            });
        }
        Ok(match dtype {
            Some(dtype) if dtype != array.dtype() => array.as_dtype(dtype)?,
            _ => array,
        })
    }

    /// Takes a tensor of packed quantised weights of this shape.
    pub fn packed(&mut self, name: &str, shape: &[i32]) -> Result<Array, WeightError> {
        self.of_type(Dtype::Uint32, "packed unsigned 32-bit words", name, shape)
    }

    fn of_type(
        &mut self,
        dtype: Dtype,
        expected: &'static str,
        name: &str,
        shape: &[i32],
    ) -> Result<Array, WeightError> {
        let array = self.take(name, shape)?;
        match array.dtype() {
            found if found == dtype => Ok(array),
            found => Err(WeightError::Mistyped { name: name.to_owned(), expected, found }),
        }
    }

    /// # Errors
    /// A tensor that is not there.
    pub fn must_have(&self, name: &str) -> Result<(), WeightError> {
        if self.has(name) { Ok(()) } else { Err(WeightError::Missing { name: name.to_owned() }) }
    }

    /// The length of a tensor's last axis; 0: it is not there.
    pub fn last_axis(&self, name: &str) -> usize {
        self.left.get(name).and_then(|array| array.shape().last()).map_or(0, |size| *size as usize)
    }

    pub fn is_bytes(&self, name: &str) -> bool {
        self.left.get(name).is_some_and(|array| array.dtype() == Dtype::Uint8)
    }

    /// Names and shapes of what is left.
    pub fn names(&self) -> Vec<String> {
        self.left.keys().cloned().collect()
    }

    /// Takes a tensor out, whatever it is.
    pub fn remove(&mut self, name: &str) -> Option<Array> {
        self.left.remove(name)
    }

    /// Puts one in.
    pub fn insert(&mut self, name: String, array: Array) {
        self.left.insert(name, array);
    }

    pub fn get(&self, name: &str) -> Option<&Array> {
        self.left.get(name)
    }

    fn take(&mut self, name: &str, shape: &[i32]) -> Result<Array, WeightError> {
        let array = self.left.remove(name).ok_or_else(|| WeightError::Missing { name: name.to_owned() })?;
        if array.shape() != shape {
            let (expected, found) = (shape.to_vec(), array.shape().to_vec());
            return Err(WeightError::Misshapen { name: name.to_owned(), expected, found });
        }
        self.bytes += array.nbytes() as u64;
        Ok(array)
    }

    /// Every tensor must have been taken.
    pub fn finish(self) -> Result<(), WeightError> {
        let mut names: Vec<String> = self.left.into_keys().collect();
        if names.is_empty() {
            return Ok(());
        }
        let more = names.len().saturating_sub(5);
        names.truncate(5);
        if more > 0 {
            names.push(format!("and {more} more"));
        }
        Err(WeightError::Unexpected { names })
    }
}

#[cfg(test)]
mod tests {
    use safetensors::{Dtype as Stored, serialize_to_file, tensor::TensorView};

    use super::*;

    #[test]
    fn several_types_become_float32_and_one_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("model.safetensors");
        for (other, expected) in
            [(Stored::F16, Dtype::Float16), (Stored::BF16, Dtype::Float32), (Stored::F32, Dtype::Float32)]
        {
            let zeros = [0; 8];
            let view = |dtype, bytes| TensorView::new(dtype, vec![2], &zeros[..bytes]).unwrap();
            let bytes = if other == Stored::F32 { 8 } else { 4 };
            let views =
                [("scales", view(Stored::F16, 4)), ("norm", view(other, bytes)), ("packed", view(Stored::U32, 8))];
            serialize_to_file(views, None, &file).unwrap();
            let mut weights = Weights::open(std::slice::from_ref(&file), None).unwrap();
            weights.unify();
            assert_eq!(weights.float("scales", &[2]).unwrap().dtype(), expected, "beside {other:?}");
            assert_eq!(weights.float("norm", &[2]).unwrap().dtype(), expected);
            assert_eq!(weights.packed("packed", &[2]).unwrap().dtype(), Dtype::Uint32);
        }
    }
}
