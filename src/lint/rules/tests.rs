//! Reported tests: a statistic with its degrees of freedom gives its p value (as statcheck does: Nuijten et al. 2016).

use std::sync::LazyLock;

use regex::Regex;
use statrs::distribution::{ChiSquared, ContinuousCDF, FisherSnedecor, Normal, StudentsT};

use super::{Finding, Paper};
use crate::lint::{
    Sure,
    number::{self, Stated, show},
};

/// `t(28) = 2.20, p = .035`, `F(2, 36) = 5.1, p < 0.01`, `χ²(3) = 7.8, p = .05`, `z = 1.96, p = .05`.
static TEST: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?P<name>\bt|\bF|\bz|χ2|χ²|\bchi2)\s*(?:\(\s*(?P<a>\d+(?:\.\d+)?)\s*(?:,\s*(?P<b>\d+(?:\.\d+)?))?\s*\))?\s*=\s*(?P<value>[-−]?\d*\.?\d+)\s*[,;]\s*p\s*(?P<sign>[=<>])\s*(?P<p>0?\.\d+)",
    )
    .ok()
});

pub fn check(paper: &Paper<'_>, findings: &mut Vec<Finding>) {
    for paragraph in &paper.document.paragraphs {
        for captures in TEST.iter().flat_map(|pattern| pattern.captures_iter(&paragraph.text)) {
            let number = |name: &str| {
                let text = captures.name(name)?.as_str().replace('−', "-");
                let text = text.replacen("-.", "-0.", 1);
                let text = if text.starts_with('.') { format!("0{text}") } else { text };
                number::all(&text).into_iter().next().map(|(_, stated)| stated)
            };
            let (Some(value), Some(p)) = (number("value"), number("p")) else { continue };
            let of = |value: f64| p_value(&captures["name"], value, number("a"), number("b"));
            let size = Stated { value: value.value.abs(), ..value };
            let (Some(most), Some(least), Some(exact)) = (of(size.low().max(0.0)), of(size.high()), of(size.value))
            else {
                continue;
            };
            // A one-sided test halves it.
            let sides = if matches!(&captures["name"], "t" | "z") { &[1.0, 0.5][..] } else { &[1.0][..] };
            let fits = |side: &f64| match &captures["sign"] {
                "=" => least * side <= p.high() + 1e-12 && p.low() <= most * side + 1e-12,
                "<" => least * side < p.value,
                _ => most * side > p.value,
            };
            if !sides.iter().any(fits) {
                findings.push(Finding {
                    line: paragraph.line(captures.get(0).map_or(0, |whole| whole.start())),
                    rule: "p-value",
                    sure: Sure::Error,
                    stated: captures[0].to_owned(),
                    follows: format!("p = {}", show(exact)),
                    why: "the p value of that statistic, from its distribution".into(),
                });
            }
        }
    }
}

/// Two-sided for t and z, upper tail for F and chi squared.
fn p_value(name: &str, value: f64, a: Option<Stated>, b: Option<Stated>) -> Option<f64> {
    let (a, b) = (a.map(|a| a.value), b.map(|b| b.value));
    Some(match (name, a, b) {
        ("t", Some(df), None) => 2.0 * StudentsT::new(0.0, 1.0, df).ok()?.sf(value),
        ("z", None, None) => 2.0 * Normal::standard().sf(value),
        ("F", Some(a), Some(b)) => FisherSnedecor::new(a, b).ok()?.sf(value),
        ("χ2" | "χ²" | "chi2", Some(df), None) => ChiSquared::new(df).ok()?.sf(value),
        _ => return None,
    })
}
