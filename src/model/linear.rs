//! Matrices as checkpoints hold them, float or packed, and the linear maps of a model: alone, or several of one input joined.

use mlx_rs::{Array, error::Result, ops};

#[cfg(target_os = "linux")]
use crate::model::fused::Part;
use crate::model::{
    config::{Affine, Config},
    weights::{LoadError, Weights},
};

type Loaded<T> = std::result::Result<T, LoadError>;

/// A matrix, quantised or not: `[outputs, inputs]`.
#[derive(Debug)]
pub enum Matrix {
    Plain { weight: Array },
    Quantized { weight: Array, scales: Array, biases: Array, affine: Affine },
}

impl Matrix {
    pub fn load(weights: &mut Weights, config: &Config, path: &str, rows: usize, columns: usize) -> Loaded<Self> {
        let name = |part: &str| format!("{path}.{part}");
        let (rows, columns) = (rows as i32, columns as i32);
        // mlx-lm's rule: a module is quantised where its scales are.
        let Some(affine) = config.quantization_of(path).filter(|_| weights.has(&name("scales"))) else {
            return Ok(Matrix::Plain { weight: weights.float(&name("weight"), &[rows, columns])? });
        };
        let (group, bits) = (affine.group_size as i32, affine.bits as i32);
        if columns % group != 0 {
            return Err(format!(
                "`{path}`: {columns} columns are no whole groups of {group}\nhint: config.json belongs to another model"
            )
            .into());
        }
        let weight = weights.packed(&name("weight"), &[rows, columns * bits / 32])?;
        let [scales, biases] = weights.scales(&name("scales"), &name("biases"), &[rows, columns / group])?;
        Ok(Matrix::Quantized { weight, scales, biases, affine })
    }

    /// `x @ weight.T`: `[..., inputs]` to `[..., outputs]`.
    pub fn apply(&self, x: &Array) -> Result<Array> {
        match self {
            Matrix::Plain { weight } => ops::matmul(x, weight.transpose_axes(&[1, 0])?),
            Matrix::Quantized { weight, scales, biases, affine } => {
                ops::quantized_matmul(x, weight, scales, biases, true, affine.group_size as i32, affine.bits as i32)
            }
        }
    }

    /// Rows `ids` as vectors: `[n]` to `[n, inputs]`.
    pub fn rows(&self, ids: &Array) -> Result<Array> {
        match self {
            Matrix::Plain { weight } => weight.take_axis(ids, 0),
            Matrix::Quantized { weight, scales, biases, affine } => ops::dequantize(
                weight.take_axis(ids, 0)?,
                scales.take_axis(ids, 0)?,
                &biases.take_axis(ids, 0)?,
                affine.group_size as i32,
                affine.bits as i32,
            ),
        }
    }

    /// As the fused step takes it.
    #[cfg(target_os = "linux")]
    pub fn part<'a>(&'a self, bias: Option<&'a Array>) -> Part<'a> {
        let (weight, affine, columns) = match self {
            Matrix::Plain { weight } => (weight, None, weight.dim(1) as usize),
            Matrix::Quantized { weight, scales, biases, affine: Affine { group_size, bits } } => {
                let columns = weight.dim(1) as usize * 32 / bits;
                (weight, Some((scales, biases, *group_size, *bits)), columns)
            }
        };
        Part { weight, affine, bias, rows: weight.dim(0) as usize, columns }
    }

    /// Rows of all the matrices, in their order; `None` if they are of different kinds.
    fn stack(parts: &[&Matrix]) -> Result<Option<Self>> {
        let [first, ..] = parts else { return Ok(None) };
        let kind = |matrix: &Matrix| match matrix {
            Matrix::Plain { .. } => None,
            Matrix::Quantized { affine, .. } => Some((affine.group_size, affine.bits)),
        };
        if parts.iter().any(|part| kind(part) != kind(first)) {
            return Ok(None);
        }
        let arrays: Vec<Vec<&Array>> = parts.iter().map(|part| part.arrays()).collect();
        let joined = |index: usize| {
            let rows: Vec<&Array> = arrays.iter().map(|arrays| arrays[index]).collect();
            ops::concatenate(&rows, 0)
        };
        Ok(Some(match first {
            Matrix::Plain { .. } => Matrix::Plain { weight: joined(0)? },
            Matrix::Quantized { affine, .. } => {
                Matrix::Quantized { weight: joined(0)?, scales: joined(1)?, biases: joined(2)?, affine: *affine }
            }
        }))
    }

    /// The reverse: views of so many rows each, in the memory of the whole.
    fn split(&self, rows: &[i32]) -> Result<Vec<Self>> {
        let ends: Vec<i32> = rows
            .iter()
            .scan(0, |end, rows| {
                *end += rows;
                Some(*end)
            })
            .collect();
        let cuts = &ends[..ends.len().saturating_sub(1)];
        let arrays: Vec<Vec<Array>> =
            self.arrays().into_iter().map(|array| array.split_at_indices(cuts, 0)).collect::<Result<_>>()?;
        let part = |index: usize| {
            let of = |array: usize| arrays[array][index].clone();
            match self {
                Matrix::Plain { .. } => Matrix::Plain { weight: of(0) },
                Matrix::Quantized { affine, .. } => {
                    Matrix::Quantized { weight: of(0), scales: of(1), biases: of(2), affine: *affine }
                }
            }
        };
        Ok((0..rows.len()).map(part).collect())
    }

    fn height(&self) -> i32 {
        self.arrays().first().map_or(0, |weight| weight.dim(0))
    }

    pub fn arrays(&self) -> Vec<&Array> {
        match self {
            Matrix::Plain { weight } => vec![weight],
            Matrix::Quantized { weight, scales, biases, .. } => vec![weight, scales, biases],
        }
    }
}

/// A matrix and, in the rare checkpoint that has one, its bias.
#[derive(Debug)]
pub struct Linear {
    pub matrix: Matrix,
    pub bias: Option<Array>,
}

impl Linear {
    pub fn load(weights: &mut Weights, config: &Config, path: &str, shape: [usize; 2], bias: bool) -> Loaded<Self> {
        let matrix = Matrix::load(weights, config, path, shape[0], shape[1])?;
        let bias = bias.then(|| weights.float(&format!("{path}.bias"), &[shape[0] as i32])).transpose()?;
        Ok(Linear { matrix, bias })
    }

    pub fn apply(&self, x: &Array) -> Result<Array> {
        let y = self.matrix.apply(x)?;
        match &self.bias {
            Some(bias) => ops::add(y, bias),
            None => Ok(y),
        }
    }

    pub fn arrays(&self) -> Vec<&Array> {
        self.matrix.arrays().into_iter().chain(&self.bias).collect()
    }

    #[cfg(target_os = "linux")]
    pub fn part(&self) -> Part<'_> {
        self.matrix.part(self.bias.as_ref())
    }
}

/// Several maps of one input: each apart and, if asked for, all by one matrix whose outputs stand side by side. The joined
/// one is for single positions, whose cost is that of calls; a prompt costs what it computes, and MLX's CUDA kernels go
/// wrong on some joined shapes of many rows. Both lie in the same memory.
#[derive(Debug)]
pub struct Projections {
    pub parts: Vec<Linear>,
    /// `None`, too, for matrices of different kinds and for those with biases.
    pub joined: Option<Linear>,
}

impl Projections {
    pub fn new(parts: Vec<Linear>, join: bool) -> Loaded<Self> {
        let matrices: Vec<&Matrix> = parts.iter().map(|part| &part.matrix).collect();
        let joined =
            if join && parts.iter().all(|part| part.bias.is_none()) { Matrix::stack(&matrices)? } else { None };
        let Some(matrix) = joined else { return Ok(Projections { parts, joined: None }) };
        // Evaluated here, so that the parts' own memory is free before the next layer is read.
        mlx_rs::transforms::eval(matrix.arrays())?;
        let rows: Vec<i32> = matrices.iter().map(|part| part.height()).collect();
        let parts = matrix.split(&rows)?.into_iter().map(|matrix| Linear { matrix, bias: None }).collect();
        Ok(Projections { parts, joined: Some(Linear { matrix, bias: None }) })
    }
}
