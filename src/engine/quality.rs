//! A text in windows -> how well a model predicts it, and how far it is from a reference: perplexity as llama.cpp's `llama-perplexity`
//! has it, Kullback-Leibler divergence, same top token. Two models are read in turn, window by window, so that no file of logits is
//! needed.

use std::{path::Path, thread};

use anyhow::{Context, Result, bail, ensure};

use super::{Engine, mlx::Mlx, tokenizer::Tokenizer};
use crate::{
    digest,
    model::{Checkpoint, kernels::Kernels},
    quality::{Against, FIRST, QUALITY_SCHEMA, QualityRow, SCORED, WINDOW},
};

/// Positions whose logits are held at a time.
const SLICE: usize = 64;

/// The windows of a text, as llama.cpp cuts them: one after the other, none over another, and, where the tokenizer begins a text with
/// a token of its own, each window begun with that instead of its first.
///
/// # Errors
/// A text with fewer tokens than the windows need.
pub fn windows(tokenizer: &Tokenizer, text: &str, count: usize) -> Result<Vec<Vec<u32>>> {
    let ids = tokenizer.encode(text)?;
    ensure!(
        ids.len() >= count * WINDOW,
        "the text has {} tokens, and {count} windows need {}\nhint: ask for {} windows, or give a longer text",
        ids.len(),
        count * WINDOW,
        ids.len() / WINDOW
    );
    let begins = tokenizer.begins_with();
    let window = |ids: &[u32]| {
        let mut ids = ids.to_vec();
        ids[0] = begins.unwrap_or(ids[0]);
        ids
    };
    Ok(ids.chunks_exact(WINDOW).take(count).map(window).collect())
}

/// A model that reads windows.
#[derive(Debug)]
pub struct Reader {
    engine: Mlx,
    tokenizer: Tokenizer,
    /// Of `tokenizer.json`.
    vocabulary: String,
}

impl Reader {
    /// Loads the checkpoint in a folder. `kernels`: `None` as the environment says.
    ///
    /// # Errors
    /// A checkpoint that does not open or load.
    pub fn open(folder: &Path, kernels: Option<Kernels>) -> Result<Reader> {
        let checkpoint = Checkpoint::open(folder)?;
        let tokenizer = Tokenizer::open(folder, checkpoint.config.vocab_size)?;
        let file = folder.join("tokenizer.json");
        let vocabulary = digest::sha256_file(&file).with_context(|| format!("{}", file.display()))?;
        let mut engine = Mlx::new(folder.to_owned());
        if let Some(kernels) = kernels {
            engine = engine.with(kernels);
        }
        engine.load()?;
        Ok(Reader { engine, tokenizer, vocabulary })
    }

    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// What computes, as records carry it.
    pub fn backend(&self) -> String {
        self.engine.backend()
    }

    /// May the two be held against each other?
    ///
    /// # Errors
    /// Their tokenizers are not the same file.
    pub fn same_vocabulary(&self, base: &Reader) -> Result<()> {
        ensure!(
            self.vocabulary == base.vocabulary,
            "the reference has another tokenizer.json, and what is predicted are its tokens\nhint: choose a reference of the same model"
        );
        Ok(())
    }

    /// Reads one window; what is said of it, and against `base` (its level's name, and the model) where one is given. `model` and
    /// `quantization` are still to be filled in.
    ///
    /// # Errors
    /// MLX's own; logits that are not finite.
    pub fn read(&self, window: u32, ids: &[u32], base: Option<(&str, &Reader)>) -> Result<QualityRow> {
        let bytes: Vec<u8> = ids.iter().flat_map(|id| id.to_le_bytes()).collect();
        let mut row = QualityRow {
            schema: QUALITY_SCHEMA.to_owned(),
            model: String::new(),
            quantization: None,
            window,
            ids_sha256: digest::sha256_hex(&bytes),
            nll: Vec::with_capacity(SCORED),
            against: base.map(|(name, _)| Against {
                base: name.to_owned(),
                mean_nll: 0.0,
                kl: Vec::with_capacity(SCORED),
                same_top: String::with_capacity(SCORED),
            }),
        };
        let mut past = self.engine.read(&ids[..FIRST], WINDOW)?;
        let mut of_base = base.map(|(_, base)| base.engine.read(&ids[..FIRST], WINDOW)).transpose()?;
        // The last position predicts what lies in the next window.
        let positions: Vec<usize> = (FIRST..WINDOW - 1).collect();
        for slice in positions.chunks(SLICE) {
            let range = slice[0]..slice[0] + slice.len();
            let logits = self.engine.step(&ids[range.clone()], &mut past)?;
            let reference = match (&base, &mut of_base) {
                (Some((_, base)), Some(past)) => Some(base.engine.step(&ids[range.clone()], past)?),
                _ => None,
            };
            let targets = &ids[range.start + 1..=range.end];
            let width = logits.len() / slice.len();
            for found in scored(&logits, reference.as_deref(), targets, width)? {
                row.nll.push(found.nll as f32);
                if let Some(against) = &mut row.against {
                    against.mean_nll += found.base_nll / SCORED as f64;
                    against.kl.push(found.kl as f32);
                    against.same_top.push(if found.same_top { '1' } else { '0' });
                }
            }
        }
        Ok(row)
    }
}

/// What is said of one position.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Scored {
    nll: f64,
    base_nll: f64,
    kl: f64,
    same_top: bool,
}

/// Positions by as many threads as there are, in order.
fn scored(logits: &[f32], base: Option<&[f32]>, targets: &[u32], width: usize) -> Result<Vec<Scored>> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(targets.len());
    let share = targets.len().div_ceil(threads);
    let parts = thread::scope(|scope| {
        let parts: Vec<_> = (0..targets.len())
            .step_by(share)
            .map(|start| {
                scope.spawn(move || {
                    let rows = start..targets.len().min(start + share);
                    let of = |row: usize| row * width..(row + 1) * width;
                    rows.map(|row| position(&logits[of(row)], base.map(|base| &base[of(row)]), targets[row] as usize))
                        .collect::<Result<Vec<_>>>()
                })
            })
            .collect();
        parts
            .into_iter()
            .map(|part| part.join().unwrap_or_else(|_| bail!("a thread ended")))
            .collect::<Result<Vec<_>>>()
    })?;
    Ok(parts.concat())
}

fn position(logits: &[f32], base: Option<&[f32]>, target: usize) -> Result<Scored> {
    let (own_top, own_sum) = normaliser(logits)?;
    let nll = own_sum - f64::from(logits[target]);
    let Some(base) = base else { return Ok(Scored { nll: nll.max(0.0), base_nll: 0.0, kl: 0.0, same_top: true }) };
    let (base_top, base_sum) = normaliser(base)?;
    let both = base.iter().zip(logits);
    let kl: f64 = both
        .map(|(base, own)| {
            let (p, q) = (f64::from(*base) - base_sum, f64::from(*own) - own_sum);
            p.exp() * (p - q)
        })
        .sum();
    let base_nll = (base_sum - f64::from(base[target])).max(0.0);
    Ok(Scored { nll: nll.max(0.0), base_nll, kl, same_top: own_top == base_top })
}

/// The likeliest token, and the logarithm of the sum of exponentials.
fn normaliser(logits: &[f32]) -> Result<(usize, f64)> {
    let mut top = 0;
    for (place, value) in logits.iter().enumerate() {
        ensure!(
            value.is_finite(),
            "a logit is {value}: the model's numbers overflow\nhint: it is broken for this text; choose another level of quantization or another type"
        );
        if *value > logits[top] {
            top = place;
        }
    }
    let largest = f64::from(logits[top]);
    let sum: f64 = logits.iter().map(|value| (f64::from(*value) - largest).exp()).sum();
    Ok((top, largest + sum.ln()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three tokens, p = (0.5, 0.25, 0.25) against q = (0.25, 0.5, 0.25): KL = 0.5 ln 2 - 0.25 ln 2.
    #[test]
    fn a_position_by_hand() {
        let log = |p: f64| p.ln() as f32 + 7.0;
        let (base, own) = ([log(0.5), log(0.25), log(0.25)], [log(0.25), log(0.5), log(0.25)]);
        let found = position(&own, Some(&base), 2).unwrap();
        assert!((found.nll - 4f64.ln()).abs() < 1e-6 && (found.kl - 0.25 * 2f64.ln()).abs() < 1e-6, "{found:?}");
        assert!(!found.same_top);
        let same = position(&own, Some(&own), 0).unwrap();
        assert!(same.kl.abs() < 1e-12 && same.same_top);
        let error = position(&[1.0, f32::INFINITY], None, 0).unwrap_err().to_string();
        assert!(error.contains("overflow") && error.contains("hint:"), "{error}");
    }
}
