//! The block `energy` of a study file: are joules measured, in windows of their own or around each run, and of what.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::{
    ModelSpec,
    demand::{Checked, ensure, in_range},
};
use crate::energy::Domain;

/// What is measured of energy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Energy {
    /// Seconds of a window of its own after each run, in which the run's request is asked again and again; `None`: each run is its window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_s: Option<f64>,
    /// Seconds for which the idle machine is measured before each block.
    pub idle_s: f64,
    /// What the paper's joules are of; `None`: the first of system, board, gpu, package and cpu that there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<Domain>,
}

/// `true`, `false` or a mapping.
#[derive(Debug, Default)]
pub(super) struct EnergyEntry {
    off: bool,
    given: Given,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Given {
    window_s: Option<f64>,
    idle_s: Option<f64>,
    domain: Option<Domain>,
}

const IDLE_S: f64 = 10.0;

impl<'de> Deserialize<'de> for EnergyEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = EnergyEntry;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("true, false or a mapping with the keys window_s, idle_s and domain")
            }

            fn visit_bool<E>(self, on: bool) -> Result<EnergyEntry, E> {
                Ok(EnergyEntry { off: !on, given: Given::default() })
            }

            fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<EnergyEntry, A::Error> {
                let given = Given::deserialize(MapAccessDeserializer::new(entries))?;
                Ok(EnergyEntry { off: false, given })
            }
        }
        deserializer.deserialize_any(Either)
    }
}

pub(super) fn check(entry: Option<EnergyEntry>, models: &[ModelSpec]) -> Checked<Option<Energy>> {
    let Some(EnergyEntry { given: Given { window_s, idle_s, domain }, .. }) = entry.filter(|entry| !entry.off) else {
        return Ok(None);
    };
    if let Some(window_s) = &window_s {
        let hint = "seconds; 30 is usual: the longer, the less it matters when a counter is fresh";
        in_range("energy.window_s", window_s, &1.0, &600.0, hint)?;
    }
    let idle_s = idle_s.unwrap_or(IDLE_S);
    in_range("energy.idle_s", &idle_s, &1.0, &600.0, "seconds; 10 is the default")?;
    for (place, model) in models.iter().enumerate() {
        let remote = model.engine.http().is_some_and(|http| http.remote);
        let hint = "meters read the machine that they are in: measure where the server runs, or take `energy` out";
        let key = format!("models[{place}].engine");
        ensure(!remote, &key, "engines on this machine", "a remote one, in a study with `energy`", hint)?;
    }
    Ok(Some(Energy { window_s, idle_s, domain }))
}

#[cfg(test)]
mod tests {
    use crate::{energy::Domain, study::Study};

    fn read(energy: &str) -> Result<Study, String> {
        let text = format!(
            "models: [{{id: a, name: A, source: fake}}]\nprompts: [p]\nbenchmark_settings: {{max_tokens: [3], temperatures: [0], num_runs: 1}}\n{energy}"
        );
        Study::from_str("s.yaml", &text).map_err(|error| error.to_string())
    }

    #[test]
    fn the_forms_of_the_block() {
        let of = |energy: &str| read(energy).unwrap().energy;
        assert_eq!((of(""), of("energy: false")), (None, None));
        let plain = of("energy: true").unwrap();
        assert_eq!((plain.window_s, plain.idle_s, plain.domain), (None, 10.0, None));
        let full = of("energy: {window_s: 30, idle_s: 5, domain: board}").unwrap();
        assert_eq!((full.window_s, full.idle_s, full.domain), (Some(30.0), 5.0, Some(Domain::Board)));
        assert_eq!(of("energy: {}"), Some(plain));
    }

    #[test]
    fn what_is_none_is_said_by_its_key() {
        for (energy, expected) in [
            ("energy: {window_s: 0.5}", "energy.window_s: expected 1 to 600, found 0.5"),
            ("energy: {idle_s: .nan}", "energy.idle_s: expected 1 to 600, found NaN"),
            ("energy: {domain: socket}", "energy.domain: expected system or board or gpu"),
            ("energy: {window: 3}", "window"),
            ("energy: 30", "true, false or a mapping"),
        ] {
            let found = read(energy).unwrap_err();
            assert!(found.contains(expected), "{expected}: {found}");
        }
    }
}
