//! Reported tests: a statistic with its degrees of freedom gives its p value (as statcheck does: Nuijten et al. 2016).

use std::sync::LazyLock;

use regex::Regex;
use statrs::distribution::{ChiSquared, ContinuousCDF, FisherSnedecor, Normal, StudentsT};

use super::Paper;
use crate::lint::{
    number::{Bound, Stated, show},
    report::{Out, Sure},
    words::words as list,
};

/// `t(28) = 2.20, p = .035`, `F(2, 36) = 5.1, p < 0.01`, `χ²(2, N = 90) = 7.8, p = .02`, `r(38) = .15, p = .356`, `z = 1.96`; an
/// interval or an effect size may stand between.
static TEST: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?P<name>\bt|\bF|\bz|\br|χ2|χ²|χ\^2|\bchi2|\bX2|\bX²)\s*(?:\(\s*(?P<a>\d+(?:\.\d+)?)\s*(?:,\s*(?P<b>(?:N\s*=\s*)?\d+(?:\.\d+)?))?\s*\))?\s*=\s*(?P<value>[-−–]?\s?\d*\.?\d+)\s*[,;]\s*(?:(?:95\s*%\s*CI|d|g|η²|η\^2|ηp²|[A-Za-zηω²_]{1,12})\s*[=:]?\s*\[?[-−\d., ]+\]?\s*[,;]\s*)?p\s*(?P<sign>[=<>])\s*(?P<p>0?\.\d+|\d(?:\.\d+)?\s*(?:e|[×x]\s*10\^?)\s*[-−–]\s*\d+)",
    )
    .ok()
});

/// What makes of a p value another one than its statistic's.
const CORRECTED: &str =
    "holm|bonferroni|corrected|adjusted|fdr|benjamini|tukey|welch|permutation|bootstrap|greenhouse|huynh|šidák|sidak";

pub fn check(paper: &Paper<'_>, out: &mut Out<'_>) {
    for paragraph in &paper.paragraphs {
        let lower = paragraph.text.text.to_lowercase();
        if !lower.contains('p') || list(CORRECTED).any(|word| lower.contains(word)) {
            continue;
        }
        for captures in TEST.iter().flat_map(|pattern| pattern.captures_iter(&paragraph.text.text)) {
            let Some(p) = captures.name("p").and_then(|p| stated(p.as_str())) else { continue };
            let Some(value) = captures.name("value").and_then(|value| stated(value.as_str())) else { continue };
            let degrees = |name: &str| {
                captures
                    .name(name)
                    .and_then(|m| stated(m.as_str().trim_start_matches(|c: char| !c.is_ascii_digit())))
                    .map(|s| s.value)
            };
            let sample = captures.name("b").is_some_and(|b| b.as_str().starts_with('N'));
            let (a, b) = (degrees("a"), degrees("b").filter(|_| !sample));
            let of = |value: f64| p_value(&captures["name"], value, a, b);
            let size = Stated { value: value.value.abs(), ..value };
            let (Some(most), Some(least), Some(exact)) = (of(size.low().max(0.0)), of(size.high()), of(size.value))
            else {
                continue;
            };
            // A one-sided test halves it.
            let sides = if matches!(&captures["name"], "t" | "z" | "r") { &[1.0, 0.5][..] } else { &[1.0][..] };
            let fits = |side: &f64| match &captures["sign"] {
                "=" => least * side <= p.high() + 1e-12 && p.low() <= most * side + 1e-12,
                "<" => least * side < p.value * (1.0 + 1e-9),
                _ => most * side > p.value * (1.0 - 1e-9),
            };
            let place = paragraph.text.place(captures.get(0).map_or(0, |whole| whole.start()));
            if sides.iter().any(fits) {
                out.fits(place, "p-value", captures[0].to_owned());
            } else {
                let why = "the p value of that statistic, from its distribution".to_owned();
                out.wrong(place, "p-value", Sure::Error, [captures[0].to_owned(), format!("p = {}", show(exact)), why]);
            }
        }
    }
}

/// `-.22`, `1.6e-5`, `1.6 × 10−5`.
fn stated(text: &str) -> Option<Stated> {
    let plain = text.replace(['−', '–'], "-").replace(' ', "");
    let (mantissa, power) = match plain.find(['e', '×', 'x']) {
        Some(at) => (&plain[..at], plain[at..].rsplit('-').next()?.parse::<i32>().ok()?),
        None => (plain.as_str(), 0),
    };
    let negative = mantissa.starts_with('-');
    let digits = mantissa.trim_start_matches('-');
    let decimals = digits.split_once('.').map_or(0, |(_, fraction)| fraction.len() as i32);
    let value: f64 = if digits.starts_with('.') { format!("0{digits}") } else { digits.to_owned() }.parse().ok()?;
    let unit = 10f64.powi(-decimals - power);
    let value = value * 10f64.powi(-power);
    Some(Stated { value: if negative { -value } else { value }, half: unit / 2.0, bound: Bound::Value })
}

/// Two-sided for t, z and r, upper tail for F and chi squared.
fn p_value(name: &str, value: f64, a: Option<f64>, b: Option<f64>) -> Option<f64> {
    Some(match (name, a, b) {
        ("t", Some(df), None) => 2.0 * StudentsT::new(0.0, 1.0, df).ok()?.sf(value),
        ("r", Some(df), None) if value < 1.0 => {
            2.0 * StudentsT::new(0.0, 1.0, df).ok()?.sf(value * (df / (1.0 - value * value)).sqrt())
        }
        ("z", None, None) => 2.0 * Normal::standard().sf(value),
        ("F", Some(a), Some(b)) => FisherSnedecor::new(a, b).ok()?.sf(value),
        ("χ2" | "χ²" | "χ^2" | "chi2" | "X2" | "X²", Some(df), None) => ChiSquared::new(df).ok()?.sf(value),
        _ => return None,
    })
}
