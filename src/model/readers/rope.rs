//! `rope_theta`, `rope_scaling` and, since transformers 5, `rope_parameters` -> a rotation, as mlx-lm computes it
//! (`mlx_lm/models/rope_utils.py`), in float32 as there.
//!
//! mlx-lm 0.32.2 reads `rope_parameters` in some families only and takes a default base in the others; transformers, which writes
//! it, does not, and neither does this program.

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value};

use super::keys::{Keys, short};
use crate::model::spec::{Angles, Rope};

const HINT: &str = "hint: choose another checkpoint";
/// Where the kind of a rotation is said, and its base and share.
const COMMON: [&str; 4] = ["type", "rope_type", "rope_theta", "partial_rotary_factor"];

/// What a family does where the file says nothing.
#[derive(Debug, Clone, Copy)]
pub struct Family {
    pub head_dim: usize,
    /// The base; `None`: the file has to say it.
    pub theta: Option<f64>,
    /// Share of a head that is rotated; `None`: all of it, whatever.
    pub share: Option<f64>,
    pub interleaved: bool,
    /// Kinds that mlx-lm computes for this family; empty: all.
    pub kinds: &'static [&'static str],
}

impl Family {
    /// Whole heads, in halves.
    pub fn whole(head_dim: usize, theta: Option<f64>) -> Self {
        Family { head_dim, theta, share: None, interleaved: false, kinds: &[] }
    }
}

/// The rotation of a model that has one.
pub fn read(keys: &Keys<'_>, family: Family) -> Result<Rope> {
    let mut thetas = Vec::new();
    if let Some(theta) = keys.optional_number("rope_theta")? {
        thetas.push((keys.name("rope_theta"), theta));
    }
    let mut said = Vec::new();
    for key in ["rope_parameters", "rope_scaling"] {
        let Some(value) = keys.said(key) else { continue };
        let name = keys.name(key);
        let entries =
            value.as_object().with_context(|| format!("{name}: expected an object, found {value}\n{HINT}"))?;
        let nested: Vec<&str> =
            entries.iter().filter(|(_, value)| value.is_object()).map(|(key, _)| key.as_str()).collect();
        ensure!(nested.is_empty(), "{name}: a rotation of its own for {} is not known\n{HINT}", nested.join(", "));
        if let Some(theta) = entries.get("rope_theta").filter(|value| !value.is_null()) {
            thetas.push((format!("{name}.rope_theta"), number(&format!("{name}.rope_theta"), theta)?));
        }
        said.push(Entries { name, map: entries });
    }
    for pair in thetas.windows(2) {
        let [(one, here), (other, there)] = pair else { continue };
        ensure!(here == there, "{one} = {here} contradicts {other} = {there}\nhint: correct config.json");
    }
    let theta = thetas.first().map(|(_, theta)| *theta).or(family.theta);
    let theta = theta.with_context(|| keys.missing("rope_theta"))?;
    let dims = rotated(keys, &said, family)?;
    let most = keys.optional_size("max_position_embeddings")?;
    let ropes: Vec<Rope> =
        said.iter().map(|entries| entries.rope(keys, theta, dims, family, most)).collect::<Result<_>>()?;
    match &ropes[..] {
        [] => Ok(plain(dims, theta, family.interleaved)),
        [one] => Ok(one.clone()),
        [one, other, ..] => {
            ensure!(one == other, "rope_parameters and rope_scaling say different things\nhint: correct config.json");
            Ok(one.clone())
        }
    }
}

/// The rotation of one kind of layer (`full_attention`) where `rope_parameters` has one for each; `None`: it has not.
pub fn of_kind(keys: &Keys<'_>, kind: &str, family: Family) -> Result<Option<Rope>> {
    let Some(value) = keys.said("rope_parameters") else { return Ok(None) };
    let Some(entries) = value.get(kind).and_then(Value::as_object) else { return Ok(None) };
    let entries = Entries { name: format!("{}.{kind}", keys.name("rope_parameters")), map: entries };
    let theta = entries.number("rope_theta")?.or(family.theta);
    let theta = theta.with_context(|| keys.missing(&format!("rope_parameters.{kind}.rope_theta")))?;
    let most = keys.optional_size("max_position_embeddings")?;
    let dims = match entries.said("rope_type").or_else(|| entries.said("type")) {
        // All of the head, some of it by no angle.
        Some(name) if name == "proportional" => family.head_dim,
        _ => share(family, entries.number("partial_rotary_factor")?.or(family.share))?,
    };
    entries.rope(keys, theta, dims, family, most).map(Some)
}

/// A rotation without anything special.
pub fn plain(dims: usize, theta: f64, interleaved: bool) -> Rope {
    Rope { dims, interleaved, angles: Angles::Base(theta as f32), scale: 1.0, gain: 1.0 }
}

/// All of the head, whose slow pairs, all but a share, turn by no angle.
pub fn proportional(dims: usize, theta: f64, share: f64, interleaved: bool) -> Rope {
    let turning = (dims as f64 * share) as usize / 2;
    let period = |i: usize| if i < turning { (theta as f32).powf(2.0 * i as f32 / dims as f32) } else { f32::INFINITY };
    let angles = Angles::Periods((0..dims / 2).map(period).collect());
    Rope { angles, ..plain(dims, theta, interleaved) }
}

/// Dimensions that are rotated.
fn rotated(keys: &Keys<'_>, said: &[Entries<'_>], family: Family) -> Result<usize> {
    let mut shares = Vec::new();
    for entries in said {
        shares.extend(entries.number("partial_rotary_factor")?);
    }
    let Some(default) = family.share else {
        // At the top it is refused with what else is not honoured.
        if let Some(found) = shares.iter().find(|share| **share != 1.0) {
            bail!("{}.partial_rotary_factor = {found} is not honoured\n{HINT}", said[0].name);
        }
        return Ok(family.head_dim);
    };
    shares.extend(keys.optional_number("partial_rotary_factor")?);
    ensure!(
        shares.windows(2).all(|pair| pair[0] == pair[1]),
        "partial_rotary_factor: said twice, and differently\nhint: correct config.json"
    );
    share(family, Some(shares.first().copied().unwrap_or(default)))
}

fn share(family: Family, share: Option<f64>) -> Result<usize> {
    let dims = (family.head_dim as f64 * share.unwrap_or(1.0)) as usize;
    let fits = dims > 0 && dims.is_multiple_of(2) && dims <= family.head_dim;
    ensure!(fits, "partial_rotary_factor: {dims} of {} dimensions cannot be rotated\n{HINT}", family.head_dim);
    Ok(dims)
}

/// What an object says of a rotation.
struct Entries<'a> {
    name: String,
    map: &'a Map<String, Value>,
}

impl Entries<'_> {
    fn said(&self, key: &str) -> Option<&Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    fn number(&self, key: &str) -> Result<Option<f64>> {
        self.said(key).map(|value| number(&format!("{}.{key}", self.name), value)).transpose()
    }

    fn or(&self, key: &str, default: f64) -> Result<f64> {
        Ok(self.number(key)?.unwrap_or(default))
    }

    fn needed(&self, key: &str, kind: &str) -> Result<f64> {
        self.number(key)?.with_context(|| format!("{}.{key}: missing, and `{kind}` needs it\n{HINT}", self.name))
    }

    fn numbers(&self, key: &str, kind: &str, length: usize) -> Result<Vec<f64>> {
        let name = format!("{}.{key}", self.name);
        let value = self.said(key).with_context(|| format!("{name}: missing, and `{kind}` needs it\n{HINT}"))?;
        let list: Vec<f64> = match value {
            Value::Array(list) => list.iter().map(|value| number(&name, value)).collect::<Result<_>>()?,
            one => vec![number(&name, one)?; length],
        };
        ensure!(list.len() == length, "{name}: expected {length} factors, found {}\n{HINT}", list.len());
        Ok(list)
    }

    fn rope(
        &self,
        keys: &Keys<'_>,
        theta: f64,
        dims: usize,
        family: Family,
        most_positions: Option<usize>,
    ) -> Result<Rope> {
        // Where there are both spellings mlx-lm reads `type`, and without any it takes the default kind.
        let kind = match self.said("type").or_else(|| self.said("rope_type")) {
            Some(value) => value
                .as_str()
                .with_context(|| format!("{}.rope_type: expected a name, found {value}\n{HINT}", self.name))?,
            None => "default",
        };
        ensure!(
            family.kinds.is_empty() || family.kinds.contains(&kind),
            "{}: `{kind}` is not known for this family\n{HINT}",
            self.name
        );
        let plain = plain(dims, theta, family.interleaved);
        let theta = theta as f32;
        let original = "original_max_position_embeddings";
        let (rope, used): (Rope, &[&str]) = match kind {
            "default" => (plain, &[]),
            // Sections of a head for pictures' rows and columns; in a text all three positions are the same.
            "mrope" => (plain, &["mrope_section", "mrope_interleaved"]),
            "linear" => {
                let factor = self.needed("factor", kind)?;
                (Rope { scale: 1.0 / factor as f32, ..plain }, &["factor"])
            }
            "dynamic" => {
                let positions = most_positions.with_context(|| keys.missing("max_position_embeddings"))?;
                let factor = self.needed("factor", kind)? as f32;
                (Rope { angles: Angles::Growing { base: theta, factor, positions }, ..plain }, &["factor"])
            }
            "llama3" => {
                let [factor, low, high] =
                    [self.needed("factor", kind)?, self.or("low_freq_factor", 1.0)?, self.or("high_freq_factor", 4.0)?];
                let periods =
                    llama3(dims, theta, (factor as f32, low as f32, high as f32), self.or(original, 8192.0)? as f32);
                (Rope { angles: Angles::Periods(periods), ..plain }, &["factor", "low_freq_factor", "high_freq_factor"])
            }
            "yarn" => {
                let factor = self.needed("factor", kind)?;
                let gain = |scale: &str, default: f64| -> Result<f64> {
                    let weight = self.map.get(scale).and_then(Value::as_f64).unwrap_or(default);
                    Ok(if factor <= 1.0 { 1.0 } else { 0.1 * weight * ln(factor) + 1.0 })
                };
                let gain = gain("mscale", 1.0)? / gain("mscale_all_dim", 0.0)?;
                let betas = (self.or("beta_fast", 32.0)?, self.or("beta_slow", 1.0)?);
                let periods = yarn(dims, theta, factor, self.or(original, 4096.0)?, betas);
                if self.said("truncate") == Some(&Value::Bool(false)) {
                    keys.note(format!(
                        "config.json: {}.truncate = false is not honoured, as in mlx-lm, which rounds the bounds of yarn's ramp",
                        self.name
                    ));
                }
                let used: &[&str] = &[
                    "factor",
                    "beta_fast",
                    "beta_slow",
                    "mscale",
                    "mscale_all_dim",
                    "truncate",
                    "llama_4_scaling_beta",
                ];
                (Rope { angles: Angles::Periods(periods), gain: gain as f32, ..plain }, used)
            }
            "longrope" | "su" => {
                let old = match self.number(original)? {
                    Some(old) => old,
                    None => keys.number(original)?,
                };
                let most = most_positions.with_context(|| keys.missing("max_position_embeddings"))? as f64;
                let factors = self.numbers("long_factor", kind, dims / 2)?;
                let periods = factors
                    .iter()
                    .enumerate()
                    .map(|(i, factor)| *factor as f32 * theta.powf(2.0 * i as f32 / dims as f32));
                let gain = if most <= old { 1.0 } else { (1.0 + ln(most / old) / ln(old)).sqrt() };
                let used: &[&str] = &["long_factor", "short_factor", "factor", "attention_factor"];
                (Rope { angles: Angles::Periods(periods.collect()), gain: gain as f32, ..plain }, used)
            }
            "proportional" => {
                let factor = self.or("factor", 1.0)?;
                let share = self.or("partial_rotary_factor", 1.0)?;
                let rope = proportional(dims, f64::from(theta), share, family.interleaved);
                (Rope { scale: 1.0 / factor as f32, ..rope }, &["factor"])
            }
            other => bail!(
                "{}: `{other}` is not known; `default`, `linear`, `dynamic`, `llama3`, `yarn`, `longrope`, `proportional` and `mrope` are\n{HINT}",
                self.name
            ),
        };
        self.tell_unused(keys, kind, used);
        Ok(rope)
    }

    fn tell_unused(&self, keys: &Keys<'_>, kind: &str, used: &[&str]) {
        let unused = |(part, value): &(&String, &Value)| {
            let part = part.as_str();
            // Neutral, and what the default kind's authors like to leave behind.
            let left = part == "original_max_position_embeddings" || part.starts_with("mrope");
            let neutral = part == "factor" && value.as_f64() == Some(1.0);
            !value.is_null() && !COMMON.contains(&part) && !used.contains(&part) && !neutral && !left
        };
        let unused: Vec<String> =
            self.map.iter().filter(unused).map(|(part, value)| format!("`{part}` = {}", short(value))).collect();
        if !unused.is_empty() {
            let (name, list) = (&self.name, unused.join(", "));
            keys.note(format!("config.json: {name} is of the kind `{kind}`, which uses no {list}"));
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "mlx-lm computes these constants so; nothing published is compared by their bytes"
)]
fn ln(x: f64) -> f64 {
    x.ln()
}

fn number(key: &str, value: &Value) -> Result<f64> {
    let found = value.as_f64().filter(|n| n.is_finite() && *n > 0.0);
    found.with_context(|| format!("{key}: expected a number above 0, found {value}\n{HINT}"))
}

/// Llama 3's wavelengths over 2π (MLX divides positions by them): long ones are stretched by `factor`, short ones kept,
/// and those between are blended. Source: mlx-lm's `Llama3RoPE`.
fn llama3(dims: usize, theta: f32, (factor, low, high): (f32, f32, f32), old: f32) -> Vec<f32> {
    (0..dims / 2)
        .map(|i| {
            let freq = theta.powf(2.0 * i as f32 / dims as f32);
            let wavelength = 2.0 * std::f32::consts::PI * freq;
            if wavelength > old / low {
                freq * factor
            } else if wavelength > old / high {
                let smooth = (old / wavelength - low) / (high - low);
                freq / ((1.0 - smooth) / factor + smooth)
            } else {
                freq
            }
        })
        .collect()
}

/// Yarn's: between two dimensions, whose number of turns in the old context is `fast` and `slow`, a ramp from kept to stretched.
/// Source: mlx-lm's `YarnRoPE`.
fn yarn(dims: usize, theta: f32, factor: f64, old: f64, (fast, slow): (f64, f64)) -> Vec<f32> {
    let dimension =
        |turns: f64| dims as f64 * ln(old / (turns * 2.0 * std::f64::consts::PI)) / (2.0 * ln(f64::from(theta)));
    let low = dimension(fast).floor().max(0.0) as f32;
    let high = dimension(slow).ceil().min(dims as f64 - 1.0) as f32;
    let high = if low == high { high + 0.001 } else { high };
    (0..dims / 2)
        .map(|i| {
            let kept = theta.powf(2.0 * i as f32 / dims as f32);
            let stretched = factor as f32 * kept;
            let mask = 1.0 - ((i as f32 - low) / (high - low)).clamp(0.0, 1.0);
            stretched * kept / (stretched * mask + kept * (1.0 - mask))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(config: &Value) -> Result<(Rope, Vec<String>)> {
        let keys = Keys::new(config.as_object().unwrap(), "");
        let rope = read(&keys, Family::whole(64, Some(1e4)))?;
        Ok((rope, keys.finish(64)?))
    }

    /// The same said as transformers 4 says it and as transformers 5 does.
    #[test]
    fn both_spellings_mean_the_same() {
        let llama3 = json!({"rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4, "original_max_position_embeddings": 32});
        let mut inside = llama3.clone();
        inside["rope_theta"] = json!(5e5);
        let scaled = of(&json!({"rope_theta": 5e5, "rope_scaling": llama3})).unwrap().0;
        assert!(matches!(scaled.angles, Angles::Periods(_)));
        let linear = Rope { scale: 0.5, ..plain(64, 1e4, false) };
        let cases = [
            (json!({}), plain(64, 1e4, false)),
            (json!({"rope_theta": 500_000, "rope_scaling": null}), plain(64, 5e5, false)),
            (json!({"rope_parameters": {"rope_theta": 5e5, "rope_type": "default"}}), plain(64, 5e5, false)),
            (json!({"rope_parameters": inside}), scaled.clone()),
            (json!({"rope_theta": 5e5, "rope_parameters": inside, "rope_scaling": llama3}), scaled),
            (json!({"rope_scaling": {"type": "linear", "rope_type": "llama3", "factor": 2}}), linear),
            (json!({"rope_scaling": {"rope_type": "default", "rope_theta": 3e4}}), plain(64, 3e4, false)),
        ];
        for (config, expected) in cases {
            assert_eq!(of(&config).unwrap(), (expected, vec![]), "{config}");
        }
    }

    #[test]
    fn what_is_not_known_is_refused_by_name_and_what_is_not_used_is_told() {
        let refused = [
            (json!({"rope_scaling": {"type": "spiral", "factor": 4}}), "rope_scaling: `spiral` is not known"),
            (json!({"rope_parameters": {"rope_type": "dynamic", "factor": 2}}), "max_position_embeddings: missing"),
            (
                json!({"max_position_embeddings": 64, "rope_scaling": {"type": "longrope", "original_max_position_embeddings": 16, "long_factor": [1, 1]}}),
                "rope_scaling.long_factor: expected 32 factors, found 2",
            ),
            (json!({"rope_scaling": {"type": "linear"}}), "rope_scaling.factor: missing"),
            (json!({"rope_scaling": {"type": "yarn"}}), "rope_scaling.factor: missing"),
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
        let (rope, notes) = of(&json!({"rope_scaling": {"factor": 8.0}})).unwrap();
        assert_eq!(rope, plain(64, 1e4, false));
        assert_eq!(notes, ["config.json: rope_scaling is of the kind `default`, which uses no `factor` = 8.0"]);
        let neutral = json!({"rope_scaling": {"rope_type": "default", "factor": 1.0}});
        assert_eq!(of(&neutral).unwrap().1, Vec::<String>::new());
    }

    /// Llama 3.2: the fastest frequency is kept, the slowest stretched 32 times.
    #[test]
    fn llama3_keeps_fast_and_stretches_slow() {
        let periods = llama3(64, 500_000.0, (32.0, 1.0, 4.0), 8192.0);
        assert_eq!(periods[0], 1.0);
        let slowest = 500_000f32.powf(62.0 / 64.0) * 32.0;
        assert!((periods[31] / slowest - 1.0).abs() < 1e-6);
        assert!(periods.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
