//! The factor `draft` of a study file: who proposes tokens that a model then checks several of at once. It acts where one request is
//! served at a time, and on engines of this program that check tokens before they count.

use super::{
    EngineKind, ModelSpec,
    demand::{Checked, distinct, ensure},
    error::Problem,
};
use crate::{
    draft,
    factor::{AT_ONCE, BATCH, DRAFT, Factor, Level, PER_SECOND, Value},
};

const KEY: &str = "factors.draft";

/// Its levels, each written out.
///
/// # Errors
/// A level that is none, or one twice; an engine that drafts nothing.
pub(super) fn levels(levels: &[Value], models: &[ModelSpec]) -> Checked<Vec<Level>> {
    let level = |(place, level): (usize, &Value)| {
        let hint = "none, lookup, or lookup-K for up to K tokens a round";
        level.key().parse::<draft::Level>().map_err(|why| Problem::new(format!("{KEY}[{place}]"), why, hint))
    };
    let levels = levels.iter().enumerate().map(level).collect::<Checked<Vec<_>>>()?;
    distinct(KEY, &levels, draft::Level::to_string, "")?;
    for model in models {
        let drafts = matches!(model.engine.built_in(), Some(EngineKind::Mlx | EngineKind::Fake));
        let found = format!("the engine {}, of which this program asks no drafts", model.engine);
        ensure(drafts, KEY, "the engine mlx", &found, "take `draft` out, or this engine")?;
    }
    Ok(levels.into_iter().map(|level| Level { label: level.words(), ..Level::text(&level.to_string()) }).collect())
}

/// Beside factors that have several requests served at once there are no drafts: a step that continues several sequences is as wide as
/// one that checks several tokens, and only the first is made of tokens that are wanted.
pub(super) fn alone(factors: &[Factor]) -> Checked<()> {
    let has = |name: &str| factors.iter().any(|factor| factor.name == name);
    let beside = [BATCH, AT_ONCE, PER_SECOND].into_iter().find(|name| has(name));
    match beside.filter(|_| has(DRAFT)) {
        None => Ok(()),
        Some(other) => {
            let found = format!("`{other}` beside it");
            let hint = "write two studies: drafts are checked for one request at a time";
            ensure(false, KEY, "one request at a time", &found, hint)
        }
    }
}
