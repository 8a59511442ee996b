//! What a header says of its column.

use std::collections::BTreeSet;

use crate::lint::words::words as list;

/// What a header says of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hint {
    pub(super) ratio: bool,
    pub(super) change: bool,
    pub(super) difference: bool,
    pub(super) sum: bool,
    pub(super) mean: bool,
    pub(super) share: bool,
    pub(super) rate: bool,
}

impl Hint {
    pub(super) fn read(lower: &str) -> Self {
        let words: BTreeSet<&str> = lower.split(|c: char| !(c.is_alphanumeric() || "%×δσ".contains(c))).collect();
        let any = |names: &'static str| {
            list(names).any(|word| words.contains(word) || word.len() > 4 && lower.contains(word))
        };
        let compares = any("vs|versus|relative|over|compared|gegen|gegenüber|对比|相比|rel");
        Hint {
            ratio: compares
                || any(
                    "speedup|speed-up|speed up|ratio|x|×|faster|slower|factor|improvement|gain|gains|compression|normalized|normalised|scaling|efficiency|faktor|beschleunigung|加速比|加速|倍|savings|reduction|boost|advantage",
                ),
            change: compares
                || any(
                    "change|δ|delta|diff|difference|improvement|reduction|overhead|increase|decrease|saving|savings|saved|gain|%|speedup|speed-up|growth|loss|degradation|drop|änderung|变化|提升|降低|降幅|增幅|涨幅|slowdown|improve|gap|penalty",
                ),
            difference: any(
                "diff|difference|delta|δ|gap|change|improvement|gain|loss|overhead|saved|drop|differenz|increase|decrease|reduction|margin|差",
            ),
            sum: any("total|sum|overall|all|combined|end-to-end|end to end|e2e|σ|gesamt|summe|合计|总计|total:"),
            mean: any("mean|average|avg|overall|mittel|mittelwert|durchschnitt|平均|ø"),
            share: any("share|%|percent|percentage|proportion|fraction|anteil|占比|比例"),
            rate: any("throughput|rate|speed|bandwidth|ops|qps|rps|durchsatz|吞吐")
                || lower.contains("/s")
                || lower.contains("per "),
        }
    }
}
