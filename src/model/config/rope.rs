//! `rope_theta`, `rope_scaling` and, since transformers 5, `rope_parameters` -> the base of the rotation and its scaling.
//!
//! mlx-lm 0.32.2 reads `rope_parameters` of no Llama and takes its default base instead; transformers, which writes it, does.

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value};

/// Where a file does not say: Llama's first.
const DEFAULT_THETA: f64 = 10_000.0;

const HINT: &str = "hint: choose another checkpoint";

/// How frequencies are changed for a longer context.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RopeScaling {
    /// Positions are divided by `factor`.
    Linear { factor: f32 },
    /// Slow frequencies are stretched by `factor`.
    Llama3 { factor: f32, low_freq_factor: f32, high_freq_factor: f32, original_max_position_embeddings: f32 },
}

/// The base, and the scaling if there is any. What is there and not used goes to `notes`.
pub(super) fn read(config: &Map<String, Value>, notes: &mut Vec<String>) -> Result<(f32, Option<RopeScaling>)> {
    let mut thetas = Vec::new();
    if let Some(theta) = said(config, "rope_theta") {
        thetas.push(("rope_theta".to_owned(), number("rope_theta", theta)?));
    }
    let mut kinds = Vec::new();
    for name in ["rope_parameters", "rope_scaling"] {
        let Some(value) = said(config, name) else { continue };
        let entries =
            value.as_object().with_context(|| format!("{name}: expected an object, found {value}\n{HINT}"))?;
        if let Some(theta) = said(entries, "rope_theta") {
            let key = format!("{name}.rope_theta");
            thetas.push((key.clone(), number(&key, theta)?));
        }
        kinds.push((name, scaling(name, entries, notes)?));
    }
    for pair in thetas.windows(2) {
        let [(one, here), (other, there)] = pair else { continue };
        ensure!(here == there, "{one} = {here} contradicts {other} = {there}\nhint: correct config.json");
    }
    if let [(one, here), (other, there)] = &kinds[..] {
        ensure!(here == there, "{one} and {other} say different things\nhint: correct config.json");
    }
    let theta = thetas.first().map_or(DEFAULT_THETA, |(_, theta)| *theta);
    Ok((theta as f32, kinds.first().and_then(|(_, scaling)| *scaling)))
}

fn scaling(name: &str, entries: &Map<String, Value>, notes: &mut Vec<String>) -> Result<Option<RopeScaling>> {
    let nested: Vec<&str> =
        entries.iter().filter(|(_, value)| value.is_object()).map(|(key, _)| key.as_str()).collect();
    ensure!(nested.is_empty(), "{name}: a rotation of its own for {} is not known\n{HINT}", nested.join(", "));
    if let Some(share) = said(entries, "partial_rotary_factor") {
        ensure!(share.as_f64() == Some(1.0), "{name}.partial_rotary_factor = {share} is not honoured\n{HINT}");
    }
    // Where there are both spellings mlx-lm reads `type`, and without any it takes the default kind.
    let kind = said(entries, "type").or_else(|| said(entries, "rope_type"));
    let kind = match kind {
        Some(value) => {
            value.as_str().with_context(|| format!("{name}.rope_type: expected a name, found {value}\n{HINT}"))?
        }
        None => "default",
    };
    let key = |part: &str| format!("{name}.{part}");
    let needed = |part: &str| -> Result<f32> {
        let value =
            said(entries, part).with_context(|| format!("{}: missing, and `{kind}` needs it\n{HINT}", key(part)))?;
        number(&key(part), value).map(|n| n as f32)
    };
    let or = |part: &str, default: f32| match said(entries, part) {
        Some(value) => number(&key(part), value).map(|n| n as f32),
        None => Ok(default),
    };
    let (found, used): (_, &[&str]) = match kind {
        "default" => (None, &[]),
        "linear" => (Some(RopeScaling::Linear { factor: needed("factor")? }), &["factor"]),
        "llama3" => {
            let scaling = RopeScaling::Llama3 {
                factor: needed("factor")?,
                low_freq_factor: or("low_freq_factor", 1.0)?,
                high_freq_factor: or("high_freq_factor", 4.0)?,
                original_max_position_embeddings: or("original_max_position_embeddings", 8192.0)?,
            };
            (Some(scaling), &["factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"])
        }
        other => bail!("{name}: `{other}` is not known; `default`, `linear` and `llama3` are\n{HINT}"),
    };
    let known = ["type", "rope_type", "rope_theta", "partial_rotary_factor"];
    let unused: Vec<String> = entries
        .iter()
        .filter(|(part, value)| !value.is_null() && !known.contains(&part.as_str()) && !used.contains(&part.as_str()))
        // Neutral, and what the default kind's authors like to leave behind.
        .filter(|(part, value)| !(part.as_str() == "factor" && value.as_f64() == Some(1.0)))
        .filter(|(part, _)| part.as_str() != "original_max_position_embeddings")
        .map(|(part, value)| format!("`{part}` = {}", super::keys::short(value)))
        .collect();
    if !unused.is_empty() {
        notes.push(format!("config.json: {name} is of the kind `{kind}`, which uses no {}", unused.join(", ")));
    }
    Ok(found)
}

/// The value of a key that is there and not `null`.
fn said<'a>(entries: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    entries.get(key).filter(|value| !value.is_null())
}

fn number(key: &str, value: &Value) -> Result<f64> {
    let found = value.as_f64().filter(|n| n.is_finite() && *n > 0.0);
    found.with_context(|| format!("{key}: expected a number above 0, found {value}\n{HINT}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(config: &Value) -> Result<(f32, Option<RopeScaling>, Vec<String>)> {
        let mut notes = Vec::new();
        let (theta, scaling) = read(config.as_object().unwrap(), &mut notes)?;
        Ok((theta, scaling, notes))
    }

    /// The same said as transformers 4 says it and as transformers 5 does.
    #[test]
    fn both_spellings_mean_the_same() {
        let llama3 = json!({"rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4, "original_max_position_embeddings": 32});
        let mut inside = llama3.clone();
        inside["rope_theta"] = json!(5e5);
        let scaled = RopeScaling::Llama3 {
            factor: 8.0,
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_max_position_embeddings: 32.0,
        };
        let cases = [
            (json!({}), 1e4, None),
            (json!({"rope_theta": 500_000, "rope_scaling": null}), 5e5, None),
            (json!({"rope_parameters": {"rope_theta": 5e5, "rope_type": "default"}}), 5e5, None),
            (json!({"rope_theta": 5e5, "rope_scaling": llama3}), 5e5, Some(scaled)),
            (json!({"rope_parameters": inside}), 5e5, Some(scaled)),
            (json!({"rope_theta": 5e5, "rope_parameters": inside, "rope_scaling": llama3}), 5e5, Some(scaled)),
            (
                json!({"rope_scaling": {"type": "linear", "rope_type": "llama3", "factor": 2}}),
                1e4,
                Some(RopeScaling::Linear { factor: 2.0 }),
            ),
            (json!({"rope_scaling": {"rope_type": "default", "rope_theta": 3e4}}), 3e4, None),
        ];
        for (config, theta, scaling) in cases {
            let (found_theta, found, _) = of(&config).unwrap();
            assert_eq!((found_theta, found), (theta, scaling), "{config}");
        }
    }

    #[test]
    fn what_is_not_known_is_refused_by_name_and_what_is_not_used_is_told() {
        let refused = [
            (json!({"rope_scaling": {"type": "yarn", "factor": 4}}), "rope_scaling: `yarn` is not known"),
            (
                json!({"rope_parameters": {"rope_type": "dynamic", "factor": 2}}),
                "rope_parameters: `dynamic` is not known",
            ),
            (json!({"rope_scaling": {"type": "longrope", "long_factor": [1, 1]}}), "`longrope` is not known"),
            (json!({"rope_scaling": {"type": "linear"}}), "rope_scaling.factor: missing"),
            (
                json!({"rope_scaling": {"type": "linear", "factor": 0}}),
                "rope_scaling.factor: expected a number above 0",
            ),
            (json!({"rope_scaling": "linear"}), "rope_scaling: expected an object"),
            (
                json!({"rope_theta": 1e4, "rope_parameters": {"rope_theta": 5e5}}),
                "rope_theta = 10000 contradicts rope_parameters.rope_theta = 500000",
            ),
            (
                json!({"rope_parameters": {"rope_type": "default"}, "rope_scaling": {"type": "linear", "factor": 2}}),
                "say different things",
            ),
            (
                json!({"rope_parameters": {"full_attention": {"rope_theta": 1e6}}}),
                "a rotation of its own for full_attention",
            ),
            (
                json!({"rope_parameters": {"rope_theta": 1e4, "partial_rotary_factor": 0.5}}),
                "partial_rotary_factor = 0.5",
            ),
        ];
        for (config, words) in refused {
            let error = of(&config).unwrap_err().to_string();
            assert!(error.contains(words) && error.lines().last().unwrap().starts_with("hint: "), "{config}: {error}");
        }
        let (theta, scaling, notes) = of(&json!({"rope_scaling": {"factor": 8.0}})).unwrap();
        assert_eq!((theta, scaling), (1e4, None));
        assert_eq!(notes, ["config.json: rope_scaling is of the kind `default`, which uses no `factor` = 8.0"]);
        assert_eq!(
            of(&json!({"rope_scaling": {"rope_type": "default", "factor": 1.0}})).unwrap().2,
            Vec::<String>::new()
        );
    }
}
