//! The factor `quantization` of a study file: each model on each of its engines at every level. It acts where weights are made ready,
//! before any engine starts, and so on engines that open a checkpoint.

use super::{
    ModelSpec,
    demand::{Checked, distinct, ensure, not_empty},
    error::Problem,
    file::Factors,
};
use crate::{
    factor::QUANTIZATION,
    packing::{RECIPES, Recipe},
};

const KEY: &str = "factors.quantization";

/// Its levels, and the other factors. None where the study does not have it.
///
/// # Errors
/// A level that no checkpoint can have; one twice.
pub(super) fn apart(Factors(entries): Factors) -> Checked<(Vec<Recipe>, Factors)> {
    let (own, others): (Vec<_>, Vec<_>) = entries.into_iter().partition(|(name, _)| name == QUANTIZATION);
    let Some((_, levels)) = own.into_iter().next() else { return Ok((Vec::new(), Factors(others))) };
    not_empty(KEY, &levels, "list its levels, the reference first, e.g. [none, 8, 4]")?;
    let recipe = |(place, level): (usize, &crate::factor::Value)| {
        let hint = format!("a level is {RECIPES}");
        level.key().parse::<Recipe>().map_err(|why| Problem::new(format!("{KEY}[{place}]"), why, hint))
    };
    let levels = levels.iter().enumerate().map(recipe).collect::<Checked<Vec<_>>>()?;
    distinct(KEY, &levels, Recipe::to_string, "")?;
    Ok((levels, Factors(others)))
}

/// The models at every level.
///
/// # Errors
/// An engine that opens no checkpoint.
pub(super) fn applied(levels: &[Recipe], models: Vec<ModelSpec>) -> Checked<Vec<ModelSpec>> {
    if levels.is_empty() {
        return Ok(models);
    }
    for model in &models {
        let opens = model.engine.built_in() == Some(super::EngineKind::Fake)
            || (model.engine.opens_files() && !model.engine.opens_gguf());
        let found = format!("the engine {}", model.engine);
        let hint = "take `quantization` out, or the engine: weights are packed for MLX";
        ensure(opens, KEY, "engines that open a checkpoint's folder", &found, hint)?;
    }
    let at = |model: &ModelSpec, recipe: &Recipe| ModelSpec { quantization: Some(recipe.to_string()), ..model.clone() };
    Ok(models.iter().flat_map(|model| levels.iter().map(move |recipe| at(model, recipe))).collect())
}
