//! Safetensors shards -> arrays by name, taken out strictly: a missing, unexpected or misshapen tensor is an error
//! that names it. (mlx-rs' own module loading skips unknown keys in silence.)

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use mlx_rs::{Array, Dtype};
use thiserror::Error;

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
        "tensor `{name}`: expected {expected}, found {found:?}\nhint: this version reads affine-quantised and floating-point checkpoints"
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

/// The arrays not yet taken.
#[derive(Debug)]
pub struct Weights {
    left: BTreeMap<String, Array>,
    /// Floating-point tensors are cast to this on the way out.
    dtype: Option<Dtype>,
    /// ... but scales and biases of packed ones are left as they are stored.
    as_stored: bool,
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
        Ok(Weights { left, dtype, as_stored: false })
    }

    /// From now on scales and biases of packed tensors are not cast: for kernels that read every type.
    pub fn keep_scales(&mut self) {
        self.as_stored = true;
    }

    /// Casts floating-point tensors of several types to float32, which MLX's own promotion computes in with them, for kernels
    /// that know one type a model.
    pub fn unify(&mut self) {
        let mut types = self.left.values().map(Array::dtype).filter(|dtype| *dtype != Dtype::Uint32);
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

    /// Takes scales and biases of this shape, of one type.
    pub fn scales(&mut self, scales: &str, biases: &str, shape: &[i32]) -> Result<[Array; 2], WeightError> {
        let stored = |name| self.left.get(name).map(Array::dtype);
        let alike = self.as_stored && stored(scales) == stored(biases);
        let dtype = self.dtype.filter(|_| !alike);
        Ok([self.float_as(dtype, scales, shape)?, self.float_as(dtype, biases, shape)?])
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
        let array = self.take(name, shape)?;
        match array.dtype() {
            Dtype::Uint32 => Ok(array),
            found => {
                Err(WeightError::Mistyped { name: name.to_owned(), expected: "packed unsigned 32-bit words", found })
            }
        }
    }

    fn take(&mut self, name: &str, shape: &[i32]) -> Result<Array, WeightError> {
        let array = self.left.remove(name).ok_or_else(|| WeightError::Missing { name: name.to_owned() })?;
        if array.shape() != shape {
            let (expected, found) = (shape.to_vec(), array.shape().to_vec());
            return Err(WeightError::Misshapen { name: name.to_owned(), expected, found });
        }
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
