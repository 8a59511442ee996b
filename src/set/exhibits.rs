//! A set's tables and figures, made from its claims alone: whoever has these gets the same bytes.

use std::collections::BTreeMap;

use anyhow::Result;

use super::{
    Set,
    claims::{RELATIVE, TOLD, by, effect, member, vs},
};
use crate::{
    claims::{Claims, Id, Value, words::percentage},
    figures::{Figure, Forest, ForestPanel, ForestRow, Look, forest},
    metric::Metric,
    store::not_a_measurement,
};

/// The number of a claim, in full.
fn number(claims: &Claims, id: &Id) -> Option<f64> {
    match claims.claims.get(id)?.value {
        Value::Number(number) => Some(number),
        Value::Integer(count) => Some(count as f64),
        Value::Text(_) => None,
    }
}

fn cell(claims: &Claims, id: &Id) -> String {
    let claim = claims.claims.get(id);
    claim.map_or_else(String::new, |claim| match &claim.value {
        Value::Number(number) => number.to_string(),
        Value::Integer(count) => count.to_string(),
        Value::Text(text) => format!("\"{}\"", text.replace('"', "\"\"")),
    })
}

/// By name: every metric of every machine, of every session, and of every effect.
pub(super) fn tables(set: &Set, claims: &Claims) -> BTreeMap<String, String> {
    let of = |id: Id| cell(claims, &id);
    let known = |metric: &Metric| claims.claims.contains_key(&by(set.reference()).metric(*metric).word("mean"));
    let metrics: Vec<Metric> = Metric::ALL.into_iter().filter(known).collect();
    let mut machines = String::from(
        "machine,metric,unit,sessions,mean,ci_low,ci_high,session_sd_percent,ratio,ratio_low,ratio_high,verdict,letters\n",
    );
    for (label, members) in set.machines() {
        for metric in &metrics {
            let (id, vs) = (by(label).metric(*metric), vs(label).metric(*metric));
            let numbers = ["mean", "ci.low", "ci.high", "session_sd"].map(|word| of(id.word(word)));
            let ratios = ["ratio", "ratio.low", "ratio.high", "verdict"].map(|word| of(vs.word(word)));
            let letters = of(Id::new("letters").metric(*metric).level(label));
            let (name, unit) = (metric.name(), metric.about().told);
            machines += &format!(
                "{label},{name},{unit},{},{},{},{letters}\n",
                members.len(),
                numbers.join(","),
                ratios.join(",")
            );
        }
    }
    let mut sessions = String::from("machine,session,run,metric,unit,runs,mean,error_percent\n");
    for (place, one) in set.members().iter().enumerate() {
        for metric in &metrics {
            let id = member(place).metric(*metric);
            let (name, unit) = (metric.name(), metric.about().told);
            let (mean, error) = (of(id.word("mean")), of(id.word("error")));
            let (label, session, run, runs) = (&one.machine, one.session, &one.run.run_id, one.summary.runs.len());
            sessions += &format!("{label},{session},{run},{name},{unit},{runs},{mean},{error}\n");
        }
    }
    let mut tables = BTreeMap::from([("machines.csv".to_owned(), machines), ("sessions.csv".to_owned(), sessions)]);
    let mut effects = String::new();
    let summary = &set.first().summary;
    for place in summary.varying() {
        let factor = &summary.factors[place];
        for label in set.labels().into_iter().skip(1) {
            for (level, metric) in (0..factor.levels.len()).flat_map(|level| RELATIVE.map(|metric| (level, metric))) {
                let id = effect(label, factor, level, metric);
                if claims.predicates.contains_key(&id) {
                    let ratios = ["ratio", "ratio.low", "ratio.high", "verdict"].map(|word| of(id.word(word)));
                    let key = factor.levels[level].key().replace('"', "\"\"");
                    effects += &format!("{label},{},\"{key}\",{},{}\n", factor.name, metric.name(), ratios.join(","));
                }
            }
        }
    }
    if !effects.is_empty() {
        let head = "machine,factor,level,metric,ratio,ratio_low,ratio_high,verdict\n";
        tables.insert("effects.csv".to_owned(), format!("{head}{effects}"));
    }
    tables
}

pub(super) fn has_machines(set: &Set, claims: &Claims) -> bool {
    !machine_panels(set, claims).is_empty()
}

pub(super) fn has_sessions(set: &Set, claims: &Claims) -> bool {
    !session_panels(set, claims).is_empty()
}

/// `machines`: each against the reference; `sessions`: each against its machine's mean.
///
/// # Errors
/// A drawing library fails.
pub(super) fn figures(set: &Set, claims: &Claims) -> Result<Vec<Figure>> {
    let first = &set.first().run;
    let notice = not_a_measurement(&first.study, &first.environment).map(str::to_owned);
    let statistics = &first.study.statistics;
    let margins = [Metric::Latency, Metric::JoulesAToken].map(|metric| percentage(statistics.margin(metric)));
    let margin = match claims.claims.contains_key(&by(set.reference()).metric(Metric::JoulesAToken).word("mean")) {
        true => format!("±{} % margin, of energy ±{} %", margins[0], margins[1]),
        false => format!("±{} % margin", margins[0]),
    };
    let mut drawn = Vec::new();
    let panels = machine_panels(set, claims);
    if !panels.is_empty() {
        let keys = [(Look::Good, "equivalent"), (Look::Open, "inconclusive"), (Look::Bad, "different")];
        drawn.push(forest(&Forest {
            id: "machines",
            title: "Each machine against the reference, with its interval from session means",
            panels,
            keys: keys.map(|(look, text)| (look, text.to_owned())).to_vec(),
            interval: format!("ratio, {} % interval", percentage(2.0 * statistics.confidence - 1.0)),
            margin: margin.clone(),
            notice: notice.clone(),
        })?);
    }
    let panels = session_panels(set, claims);
    if !panels.is_empty() {
        drawn.push(forest(&Forest {
            id: "sessions",
            title: "Each session against the mean of its machine",
            panels,
            keys: vec![(Look::Open, "session".to_owned())],
            interval: "two standard errors of its runs".to_owned(),
            margin,
            notice,
        })?);
    }
    Ok(drawn)
}

/// The ends of a metric's margin in per cent: the same ratio up and down.
fn margin(set: &Set, metric: Metric) -> (f64, f64) {
    let margin = set.first().run.study.statistics.margin(metric);
    (-100.0 * margin / (1.0 + margin), 100.0 * margin)
}

fn machine_panels(set: &Set, claims: &Claims) -> Vec<ForestPanel> {
    let row = |label: &str, metric: Metric| {
        let id = vs(label).metric(metric);
        let [ratio, low, high] =
            ["ratio", "ratio.low", "ratio.high"].map(|word| number(claims, &id.word(word)).map(|r| 100.0 * (r - 1.0)));
        let look = match claims.predicates.get(&id)?.holds {
            Some(true) => Look::Bad,
            Some(false) => Look::Good,
            None => Look::Open,
        };
        Some(ForestRow { name: label.to_owned(), value: ratio?, interval: (low?, high?), look })
    };
    let panel = |metric: Metric| ForestPanel {
        heading: metric.about().label,
        label: format!("against {} (%)", set.reference()),
        margin: margin(set, metric),
        rows: set.labels().into_iter().skip(1).filter_map(|label| row(label, metric)).collect(),
    };
    TOLD.into_iter().map(panel).filter(|panel| !panel.rows.is_empty()).collect()
}

fn session_panels(set: &Set, claims: &Claims) -> Vec<ForestPanel> {
    let row = |place: usize, metric: Metric| {
        let one = &set.members()[place];
        let centre = number(claims, &by(&one.machine).metric(metric).word("mean"))?;
        let id = member(place).metric(metric);
        let (mean, error) =
            (number(claims, &id.word("mean"))?, number(claims, &id.word("error")).unwrap_or(0.0) / 100.0);
        let at = |factor: f64| 100.0 * (mean * factor / centre - 1.0);
        let interval = (at(1.0 - 2.0 * error), at(1.0 + 2.0 * error));
        Some(ForestRow { name: one.name(), value: at(1.0), interval, look: Look::Open })
    };
    let several = |label: &str| set.machines().any(|(own, members)| own == label && members.len() > 1);
    let panel = |metric: Metric| ForestPanel {
        heading: metric.about().label,
        label: "against the machine's mean (%)".to_owned(),
        margin: margin(set, metric),
        rows: (0..set.members().len())
            .filter(|place| several(&set.members()[*place].machine))
            .filter_map(|place| row(place, metric))
            .collect(),
    };
    let shown = [Metric::Latency, Metric::Decode, Metric::OutputRate].into_iter();
    shown.map(panel).filter(|panel| !panel.rows.is_empty()).collect()
}

/// A machine's number against the reference's.
#[derive(Debug, Clone, Copy)]
pub struct Against<'a> {
    pub metric: Metric,
    pub ratio: f64,
    pub interval: Option<(f64, f64)>,
    /// `different`, `equivalent`, `inconclusive`, ...
    pub verdict: &'a str,
    pub says: &'a str,
}

/// What the claims say of a machine against the reference, of the metrics that the paper tells of.
pub fn of_machine<'a>(claims: &'a Claims, label: &str) -> impl Iterator<Item = Against<'a>> {
    let of = move |metric: Metric, label: &str| {
        let id = vs(label).metric(metric);
        let at = |word: &str| number(claims, &id.word(word));
        Some(Against {
            metric,
            ratio: at("ratio")?,
            interval: at("ratio.low").zip(at("ratio.high")),
            verdict: &claims.claims.get(&id.word("verdict"))?.text,
            says: &claims.predicates.get(&id)?.text,
        })
    };
    let found: Vec<Against<'a>> = TOLD.into_iter().filter_map(|metric| of(metric, label)).collect();
    found.into_iter()
}
