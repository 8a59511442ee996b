//! Matrices as checkpoints hold them, float or packed, one or one an expert, and the linear maps of a model: alone, or several of
//! one input joined.

use mlx_rs::{
    Array, Dtype,
    error::{Exception, Result},
    ops,
};

use crate::model::{
    calls::Packed,
    config::{Mode, Packing, inferred},
    weights::{Loaded, Source, Stored},
};

/// A matrix, quantised or not: `[outputs, inputs]`, or `[experts, outputs, inputs]`.
#[derive(Debug)]
pub enum Matrix {
    Plain { weight: Array },
    Packed { weight: Array, scales: Array, biases: Option<Array>, packing: Packing },
}

impl Matrix {
    pub fn load(source: &mut Source<'_>, path: &str, shape: &[usize]) -> Loaded<Self> {
        let name = |part: &str| format!("{path}.{part}");
        let (weight, scales, biases) = (name("weight"), name("scales"), name("biases"));
        let Some((&columns, rows)) = shape.split_last() else { return Err(format!("`{path}`: no shape").into()) };
        let of = |last: usize| rows.iter().chain([&last]).map(|size| *size as i32).collect::<Vec<_>>();
        // mlx-lm's rule: a module is quantised where its scales are, unless the file says that it is not.
        source.parameters.all += shape.iter().map(|size| *size as u64).product::<u64>();
        let named = source.quantization.and_then(|quantization| quantization.named.get(path)).copied();
        let quantised = source.quantization.is_some() && source.weights.has(&scales) && named != Some(None);
        let stored = |packing| Stored { path: path.to_owned(), shape: shape.to_vec(), packing };
        if !quantised {
            source.matrices.push(stored(None));
            return Ok(Matrix::Plain { weight: source.weights.matrix(&weight, &of(columns))? });
        }
        let packing = match named.flatten() {
            Some(packing) => {
                let bytes = source.weights.is_bytes(&scales);
                if (packing.mode == Mode::Affine) == bytes {
                    let (mode, kind) = (packing.mode.name(), if bytes { "bytes" } else { "no bytes" });
                    return Err(format!(
                        "config.json: quantization.{path}.mode is `{mode}`, and the scales are {kind}\nhint: config.json belongs to another conversion; fetch the checkpoint again"
                    )
                    .into());
                }
                packing
            }
            None => {
                source.weights.must_have(&weight)?;
                let [words, groups] = [&weight, &scales].map(|name| source.weights.last_axis(name));
                let found = inferred(columns, words, groups, source.weights.is_bytes(&scales));
                let found = found.ok_or_else(|| {
                    format!("`{path}`: {words} words and {groups} scales a row of {columns} columns are no packing of MLX's\nhint: config.json belongs to another model")
                })?;
                let default = source.quantization.map(|quantization| quantization.default.mode);
                if let (Mode::Affine, Some(mode), false) = (found.mode, default, source.weights.has(&biases))
                    && mode != Mode::Affine
                {
                    return Err(format!(
                        "config.json: quantization.mode is `{}`, and the scales of `{path}` are no bytes; affine weights would have biases\nhint: config.json belongs to another conversion; fetch the checkpoint again",
                        mode.name()
                    )
                    .into());
                }
                source.took(path, found);
                found
            }
        };
        let (group, bits) = (packing.group_size, packing.bits);
        if columns % group != 0 {
            return Err(format!(
                "`{path}`: {columns} columns are no whole groups of {group}\nhint: config.json belongs to another model"
            )
            .into());
        }
        source.matrices.push(stored(Some(packing)));
        let weight = source.weights.packed(&weight, &of(columns * bits / 32))?;
        let (scales, biases) = source.weights.scales(packing.mode, &scales, &biases, &of(columns / group))?;
        Ok(Matrix::Packed { weight, scales, biases, packing })
    }

    /// `x @ weight.T`: `[..., inputs]` to `[..., outputs]`.
    pub fn apply(&self, x: &Array) -> Result<Array> {
        match self.packed() {
            Some(packed) => packed.matmul(x),
            None => ops::matmul(x, self.weight().transpose_axes(&[1, 0])?),
        }
    }

    /// `x[..., 1, inputs]` by the matrix of an expert an index.
    fn gather(&self, x: &Array, experts: &Array, sorted: bool) -> Result<Array> {
        match self.packed() {
            Some(packed) => packed.gather(x, experts, sorted),
            None => ops::gather_mm(x, self.weight().transpose_axes(&[0, 2, 1])?, None, experts, sorted),
        }
    }

    /// Rows `ids` as vectors: `[n]` to `[n, inputs]`, in `dtype` or as they are.
    pub fn rows(&self, ids: &Array, dtype: Option<Dtype>) -> Result<Array> {
        match self {
            Matrix::Plain { weight } => weight.take_axis(ids, 0),
            Matrix::Packed { weight, scales, biases, packing } => {
                let of = |array: &Array| array.take_axis(ids, 0);
                let (weight, scales, biases) = (of(weight)?, of(scales)?, biases.as_ref().map(of).transpose()?);
                Packed { weight: &weight, scales: &scales, biases: biases.as_ref(), packing: *packing }.unpacked(dtype)
            }
        }
    }

    fn weight(&self) -> &Array {
        match self {
            Matrix::Plain { weight } | Matrix::Packed { weight, .. } => weight,
        }
    }

    fn packed(&self) -> Option<Packed<'_>> {
        match self {
            Matrix::Plain { .. } => None,
            Matrix::Packed { weight, scales, biases, packing } => {
                Some(Packed { weight, scales, biases: biases.as_ref(), packing: *packing })
            }
        }
    }

    fn packing(&self) -> Option<Packing> {
        self.packed().map(|packed| packed.packing)
    }

    /// Rows of all the matrices, in their order; `None` if they are of different kinds.
    fn stack(parts: &[&Matrix]) -> Result<Option<Self>> {
        let [first, ..] = parts else { return Ok(None) };
        if parts.iter().any(|part| part.packing() != first.packing()) {
            return Ok(None);
        }
        let arrays: Vec<Vec<&Array>> = parts.iter().map(|part| part.arrays()).collect();
        first
            .each(|index, _| {
                let rows: Vec<&Array> = arrays.iter().map(|arrays| arrays[index]).collect();
                ops::concatenate(&rows, 0)
            })
            .map(Some)
    }

    /// The reverse: views of so many rows each, in the memory of the whole.
    fn split(&self, rows: &[i32]) -> Result<Vec<Self>> {
        let cuts = cuts(rows);
        let views: Vec<Vec<Array>> =
            self.arrays().into_iter().map(|array| array.split_at_indices(&cuts, 0)).collect::<Result<_>>()?;
        (0..rows.len()).map(|part| self.each(|array, _| Ok(views[array][part].clone()))).collect()
    }

    /// A matrix of the same kind whose arrays are those that `make` gives for each of [`Matrix::arrays`].
    fn each(&self, make: impl Fn(usize, &Array) -> Result<Array>) -> Result<Self> {
        Ok(match self {
            Matrix::Plain { weight } => Matrix::Plain { weight: make(0, weight)? },
            Matrix::Packed { weight, scales, biases, packing } => Matrix::Packed {
                weight: make(0, weight)?,
                scales: make(1, scales)?,
                biases: biases.as_ref().map(|biases| make(2, biases)).transpose()?,
                packing: *packing,
            },
        })
    }

    fn height(&self) -> i32 {
        self.weight().dim(0)
    }

    pub fn arrays(&self) -> Vec<&Array> {
        match self {
            Matrix::Plain { weight } => vec![weight],
            Matrix::Packed { weight, scales, biases, .. } => [weight, scales].into_iter().chain(biases).collect(),
        }
    }
}

/// Where parts of so many rows each are cut.
fn cuts(rows: &[i32]) -> Vec<i32> {
    let ends = rows.iter().scan(0, |end, rows| {
        *end += rows;
        Some(*end)
    });
    ends.take(rows.len().saturating_sub(1)).collect()
}

/// A matrix and its bias, if it has one.
#[derive(Debug)]
pub struct Linear {
    pub matrix: Matrix,
    pub bias: Option<Array>,
}

impl Linear {
    /// `shape`: outputs, inputs; experts before them, where it is one of each.
    pub fn load(source: &mut Source<'_>, path: &str, shape: &[usize], bias: bool) -> Loaded<Self> {
        let matrix = Matrix::load(source, path, shape)?;
        let rows: Vec<i32> = shape[..shape.len().saturating_sub(1)].iter().map(|size| *size as i32).collect();
        if bias {
            source.parameters.all += rows.iter().map(|size| *size as u64).product::<u64>();
        }
        let bias = bias.then(|| source.weights.float(&format!("{path}.bias"), &rows)).transpose()?;
        Ok(Linear { matrix, bias })
    }

    pub fn apply(&self, x: &Array) -> Result<Array> {
        let y = self.matrix.apply(x)?;
        match &self.bias {
            Some(bias) => ops::add(y, bias),
            None => Ok(y),
        }
    }

    /// `x[..., 1, inputs]` by the map of an expert an index.
    pub fn gather(&self, x: &Array, experts: &Array, sorted: bool) -> Result<Array> {
        let y = self.matrix.gather(x, experts, sorted)?;
        match &self.bias {
            Some(bias) => ops::add(y, bias.take_axis(experts, 0)?.expand_dims(-2)?),
            None => Ok(y),
        }
    }

    pub fn arrays(&self) -> Vec<&Array> {
        self.matrix.arrays().into_iter().chain(&self.bias).collect()
    }
}

/// Several maps of one input: each apart and, if asked for or stored so, all by one matrix whose outputs stand side by side. The
/// joined one is for single positions, whose cost is that of calls; a prompt costs what it computes, and MLX's CUDA kernels go
/// wrong on some joined shapes of many rows. Both lie in the same memory.
#[derive(Debug)]
pub struct Projections {
    pub parts: Vec<Linear>,
    /// `None`, too, for matrices of different kinds.
    pub joined: Option<Linear>,
    /// Outputs of each.
    heights: Vec<i32>,
}

impl Projections {
    pub fn new(parts: Vec<Linear>, join: bool) -> Loaded<Self> {
        let heights: Vec<i32> = parts.iter().map(|part| part.matrix.height()).collect();
        let matrices: Vec<&Matrix> = parts.iter().map(|part| &part.matrix).collect();
        let biases: Vec<&Array> = parts.iter().filter_map(|part| part.bias.as_ref()).collect();
        let alike = biases.is_empty() || biases.len() == parts.len();
        let joined = if join && alike && parts.len() > 1 { Matrix::stack(&matrices)? } else { None };
        let Some(matrix) = joined else { return Ok(Projections { parts, joined: None, heights }) };
        let bias = if biases.is_empty() { None } else { Some(ops::concatenate(&biases, 0)?) };
        let joined = Linear { matrix, bias };
        // Evaluated here, so that the parts' own memory is free before the next layer is read.
        mlx_rs::transforms::eval(joined.arrays())?;
        Self::views(joined, &heights)
    }

    /// Maps that the checkpoint stores as one.
    pub fn stored(whole: Linear, heights: &[usize]) -> Loaded<Self> {
        let heights: Vec<i32> = heights.iter().map(|height| *height as i32).collect();
        Self::views(whole, &heights)
    }

    fn views(joined: Linear, heights: &[i32]) -> Loaded<Self> {
        let cuts = cuts(heights);
        let biases = joined.bias.as_ref().map(|bias| bias.split_at_indices(&cuts, 0)).transpose()?;
        let parts = joined.matrix.split(heights)?.into_iter().enumerate();
        let parts = parts.map(|(index, matrix)| {
            let bias = biases.as_ref().and_then(|biases| biases.get(index)).cloned();
            Linear { matrix, bias }
        });
        Ok(Projections { parts: parts.collect(), joined: Some(joined), heights: heights.to_vec() })
    }

    /// What all give of `[1, n, inputs]`: one array by the joined matrix, or one each.
    pub fn apply(&self, x: &Array) -> Result<Vec<Array>> {
        match &self.joined {
            Some(joined) if x.dim(1) == 1 => Ok(vec![joined.apply(x)?]),
            _ => self.parts.iter().map(|part| part.apply(x)).collect(),
        }
    }

    /// One array each of what [`Projections::apply`] gave.
    pub fn apart(&self, given: Vec<Array>) -> Result<Vec<Array>> {
        match &given[..] {
            [all] if self.heights.len() > 1 => all.split_at_indices(&cuts(&self.heights), 2),
            _ => Ok(given),
        }
    }

    /// Those that have memory of their own.
    pub fn arrays(&self) -> Vec<&Array> {
        self.parts.iter().chain(&self.joined).flat_map(Linear::arrays).collect()
    }
}

/// The part before `at` of an axis, and the rest.
pub fn halves(x: &Array, at: i32, axis: i32) -> Result<[Array; 2]> {
    let parts = x.split_at_indices(&[at], axis)?;
    parts.try_into().map_err(|_| Exception::custom("parts of another number than their kind has"))
}
