//! Checkpoints packed here: every tensor of every architecture as mlx-lm's `quantize_model` makes it, bit by bit.

use std::{collections::BTreeMap, fs, path::Path};

use offprint::{
    model::{Checkpoint, Source, fetch, quantize},
    packing::Recipe,
};
use safetensors::SafeTensors;
use tempfile::TempDir;

use crate::{
    checkpoint::{Tensor, Tensors},
    golden::{Case, Golden},
    mlx, tiny, values,
};

/// The recipe that `tests/oracles/architectures.py` means.
fn recipe(mode: &str) -> Option<Recipe> {
    let recipe = match mode {
        "affine2" => "2-g32",
        "affine3" => "3",
        "affine4" => "4",
        "affine5" => "5-g32",
        "affine6" => "6",
        "affine8" => "8-g128",
        "mxfp4" | "mxfp8" | "nvfp4" | "mixed_3_6" | "mixed_4_6" => mode,
        _ => return None,
    };
    Some(recipe.parse().unwrap())
}

/// The case's checkpoint before it was quantised.
fn plain(golden: &Golden, case: &Case) -> TempDir {
    let tensor = |name: &str, shape: &[usize], dtype| (name.to_owned(), values::tensor(name, shape, dtype));
    let tensors: Tensors = golden.parameters(case).map(|of| tensor(of.name, &of.shape, of.dtype)).collect();
    let folder = tiny::folder(golden, case, &tensors);
    let file = folder.path().join("config.json");
    let mut config: serde_json::Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    for key in ["quantization", "quantization_config"] {
        config.as_object_mut().unwrap().remove(key);
    }
    fs::write(file, config.to_string()).unwrap();
    folder
}

fn stored(folder: &Path) -> Tensors {
    let bytes = fs::read(folder.join("model.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensor = |name: &str| {
        let view = file.tensor(name).unwrap();
        Tensor { dtype: view.dtype(), shape: view.shape().to_vec(), bytes: view.data().to_vec() }
    };
    file.names().into_iter().map(|name| (name.to_owned(), tensor(name))).collect()
}

/// Beginnings of what conversions carry beside the text, and mlx-lm's `sanitize` drops; keys of a layer that shares another's.
const BESIDE: [&str; 7] = [
    "vision_tower.",
    "multi_modal_projector.",
    "audio_tower.",
    "embed_",
    "mtp.",
    "language_model.model.layers.5.self_attn.k_",
    "language_model.model.layers.5.self_attn.v_",
];

/// The digest is of all that the source has; where a part of that is dropped, the rest is held to the tensors.
fn is_mlx_lms(golden: &Golden, case: &Case, found: &Tensors) -> bool {
    if tiny::digest(found) == case.sha256 {
        return true;
    }
    let mut expected = tiny::tensors(golden, case);
    assert_eq!(tiny::digest(&expected), case.sha256);
    let all = expected.len();
    expected.retain(|name, _| found.contains_key(name) || !BESIDE.iter().any(|begins| name.starts_with(begins)));
    expected.len() < all && tiny::digest(found) == tiny::digest(&expected)
}

#[test]
fn every_tensor_is_mlx_lms() {
    let _alone = mlx();
    let golden = Golden::read();
    let mut wrong = Vec::new();
    let mut modes: BTreeMap<&str, u32> = BTreeMap::new();
    for case in &golden.cases {
        let Some(recipe) = recipe(&case.mode) else { continue };
        *modes.entry(&case.mode).or_default() += 1;
        let (source, made) = (plain(&golden, case), tempfile::tempdir().unwrap());
        let checkpoint = Checkpoint::open(source.path()).unwrap();
        match quantize::quantize(&checkpoint, recipe, "path:tiny", made.path()) {
            // And it opens, as what it says it is.
            Ok(()) if is_mlx_lms(&golden, case, &stored(made.path())) => drop(Checkpoint::open(made.path()).unwrap()),
            Ok(()) => wrong.push(case.title()),
            Err(error) => wrong.push(format!("{}: {error:#}", case.title())),
        }
    }
    assert!(wrong.is_empty(), "{} of them: {wrong:?}", wrong.len());
    assert_eq!(modes.len(), 11, "{modes:?}");
}

/// What is packed, unpacked and packed again as it was is what it was; what a matrix cannot have is said.
#[test]
fn packed_sources_are_unpacked_first() {
    let _alone = mlx();
    let golden = Golden::read();
    let case = golden.cases.iter().find(|case| case.title() == "llama affine4").unwrap();
    let tensors = tiny::tensors(&golden, case);
    let folder = tiny::folder(&golden, case, &tensors);
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    let none = tempfile::tempdir().unwrap();
    quantize::quantize(&checkpoint, Recipe::None, "path:tiny", none.path()).unwrap();
    let numbers = stored(none.path());
    assert!(!numbers.keys().any(|name| name.ends_with(".scales")));
    assert!(Checkpoint::open(none.path()).unwrap().config.quantization.is_none());
    // 4 bits of 16 values each are exact in any 8 bits: the same numbers come back.
    let again = tempfile::tempdir().unwrap();
    quantize::quantize(&checkpoint, "8-g32".parse().unwrap(), "path:tiny", again.path()).unwrap();
    let opened = Checkpoint::open(again.path()).unwrap();
    assert_eq!(opened.config.quantization.as_ref().unwrap().words(), "8-bit affine, group 32");

    let cache = tempfile::tempdir().unwrap();
    let source: Source = format!("quantized:mxfp4:path:{}", folder.path().display()).parse().unwrap();
    let (first, named) = fetch(&source, cache.path(), &mut |_| {}).unwrap();
    assert!(named.starts_with("quantized:mxfp4:path:"), "{named}");
    assert!(first.folder.join("SHA256SUMS").is_file() && first.folder.join("tokenizer.json").is_file());
    let made = fs::metadata(first.folder.join("model.safetensors")).unwrap().modified().unwrap();
    let (second, _) = fetch(&source, cache.path(), &mut |_| panic!("made twice")).unwrap();
    assert_eq!(fs::metadata(second.folder.join("model.safetensors")).unwrap().modified().unwrap(), made);
    // Other weights in the same folder are other weights.
    let mut changed = tensors.clone();
    changed.get_mut("model.norm.weight").unwrap().bytes[0] ^= 1;
    crate::checkpoint::write(folder.path(), &golden.config(case), &changed, 1);
    let (third, _) = fetch(&source, cache.path(), &mut |_| {}).unwrap();
    assert_ne!(third.folder, first.folder);
}

#[test]
fn matrices_that_cannot_be_packed_are_told() {
    let _alone = mlx();
    let golden = Golden::read();
    // A hidden state of 128 and heads of 64 in all: groups of 128 fit some matrices.
    let case = golden.cases.iter().find(|case| case.title() == "gemma3_text affine4").unwrap();
    let (source, made) = (plain(&golden, case), tempfile::tempdir().unwrap());
    let checkpoint = Checkpoint::open(source.path()).unwrap();
    quantize::quantize(&checkpoint, "4-g128".parse().unwrap(), "path:tiny", made.path()).unwrap();
    let notes = Checkpoint::open(made.path()).unwrap().notes;
    let left = golden.parameters(case).filter(|of| of.shape.len() == 2 && of.shape[1] % 128 != 0).count();
    let expected = (left > 0).then(|| format!("{left} of "));
    let found = notes.iter().find(|note| note.contains("are not packed, as mlx-lm leaves them"));
    assert_eq!(found.map(|note| note[..expected.as_ref().map_or(0, String::len)].to_owned()), expected, "{notes:?}");
}
