//! A GGUF file of a known architecture -> an MLX checkpoint folder. Lossless: every weight is the number that the file says.
//! What MLX's affine format can hold is packed anew, what it cannot becomes numbers in float32, and what neither can hold is
//! refused, not rounded.

mod architecture;
mod blocks;
mod tensors;

use std::{
    fs::{self, File},
    path::Path,
};

use anyhow::{Context, Result, ensure};
use architecture::{ARCHITECTURES, Architecture, Sizes};
use serde_json::{Map, Value, json};
use tensors::Placed;

use crate::model::{
    checkpoint,
    gguf::{Header, Value as Meta},
    terms::Terms,
    vocabulary,
};

/// Writes `model.safetensors`, `config.json`, `generation_config.json`, `tokenizer.json`, `tokenizer_config.json` and the
/// checksums of these files, as `sha256sum` has them, into `folder`, which must exist.
///
/// # Errors
/// Not a GGUF file of a known architecture, a tensor without a place in the model, a full disk.
pub fn import(gguf: &Path, folder: &Path) -> Result<()> {
    import_under(gguf, folder, None)
}

/// The same for weights under terms that somebody accepted: `config.json` and `offprint.json` name them, and their text,
/// from the folder of the second part, lies beside.
///
/// # Errors
/// As [`import`]; terms without their text.
pub fn import_under(gguf: &Path, folder: &Path, terms: Option<(&Terms, &Path)>) -> Result<()> {
    let names: Vec<&str> = ARCHITECTURES.iter().map(|known| known.name).collect();
    let hint = format!(
        "hint: a whole GGUF file of the architecture {} is what can be imported, with weights in F32, F16, BF16, Q4_0, Q4_1, \
         Q5_0, Q5_1, Q8_0, Q4_K, Q5_K or Q6_K; an MLX checkpoint needs no import (path:FOLDER)",
        names.join(" or ")
    );
    written(gguf, folder, terms).with_context(|| format!("{}\n{hint}", gguf.display()))
}

fn written(gguf: &Path, folder: &Path, terms: Option<(&Terms, &Path)>) -> Result<()> {
    let file = File::open(gguf)?;
    // SAFETY: the file is ours alone while it is imported; were it changed, the checksums of the result would differ.
    let bytes = unsafe { memmap2::Mmap::map(&file) }?;
    let header = Header::parse(&bytes)?;
    let architecture = Architecture::of(&header)?;
    let sizes = Sizes::of(&header, architecture)?;
    let tensors =
        header.tensors.iter().map(|tensor| Placed::of(tensor, architecture, &sizes)).collect::<Result<Vec<_>>>()?;
    let mut config = config(&header, architecture, &sizes, &tensors)?;

    tensors::write_safetensors(&bytes, &tensors, &folder.join("model.safetensors"))?;
    let write = |name: &str, text: String| -> Result<()> {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("{}", path.display()))
    };
    let pretty = |value: &Value| Ok::<_, anyhow::Error>(serde_json::to_string_pretty(value)? + "\n");
    if let Some((terms, from)) = terms {
        config.insert("offprint_licence".into(), terms.record());
        terms.write_text(from, folder)?;
        write("offprint.json", pretty(&json!({"licence": terms.record()}))?)?;
    }
    write("config.json", pretty(&Value::Object(config))?)?;
    write("generation_config.json", pretty(&vocabulary::generation_config(&header)?)?)?;
    write("tokenizer.json", vocabulary::tokenizer_json(&header)?)?;
    write("tokenizer_config.json", pretty(&vocabulary::tokenizer_config(&header)?)?)?;
    checkpoint::write_checksums(folder)
}

/// `config.json`: the model's sizes, how each module is quantised where it differs from most, and what was assumed.
fn config(
    header: &Header,
    architecture: &Architecture,
    sizes: &Sizes<'_>,
    tensors: &[Placed<'_>],
) -> Result<Map<String, Value>> {
    let embedding =
        tensors.iter().find(|t| t.module == "model.embed_tokens").context("tensor `token_embd.weight`: missing")?;
    let tokens = header.list("tokenizer.ggml.tokens")?.len() as u64;
    ensure!(
        tokens <= embedding.info.shape[0],
        "tensor `token_embd.weight`: {} rows for {tokens} tokens",
        embedding.info.shape[0]
    );
    let mut notes = Vec::new();
    let mut config = architecture.config(sizes, &mut notes)?;
    notes.extend(tensors::spread(tensors));
    notes.extend(vocabulary::unread(header));
    let id = |role: &str| header.integer(&format!("tokenizer.ggml.{role}_token_id")).ok();
    let name = match header.metadata.get("general.name") {
        Some(Meta::Text(name)) => name.as_str(),
        _ => "a GGUF file",
    };
    for (key, value) in [
        ("vocab_size", json!(embedding.info.shape[0])),
        ("tie_word_embeddings", json!(!tensors.iter().any(|t| t.module == "lm_head"))),
        ("bos_token_id", json!(id("bos"))),
        ("eos_token_id", json!(id("eos"))),
        ("quantization", tensors::quantization(tensors)),
        ("offprint_imported_from", json!(name)),
    ] {
        config.insert(key.to_owned(), value);
    }
    if !notes.is_empty() {
        config.insert("offprint_notes".into(), json!(notes));
    }
    Ok(config)
}
