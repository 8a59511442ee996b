//! Arithmetic that a sentence writes out: `3 prompts × 3 lengths × 2 temperatures × 3 runs = 54 runs`, `12 of 48 (25 %)`.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::{Finding, Paper};
use crate::lint::{
    Sure,
    number::{self, Interval, Stated, show},
};

/// Factors with up to four words after each, and the result.
static PRODUCT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let factor = r"\d[\d,]*(?:\.\d+)?(?:\s+[A-Za-z()\-]+){0,4}";
    Regex::new(&format!(
        r"(?P<left>{factor}(?:\s*[×*·]\s*{factor})+)\s*(?:=|≈|equals|gives|makes)\s*(?P<right>~?\d[\d,]*(?:\.\d+)?)"
    ))
    .ok()
});
static SUM: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let term = r"\d[\d,]*(?:\.\d+)?%?(?:\s+[A-Za-z%()\-]+){0,3}";
    Regex::new(&format!(r"(?P<left>{term}(?:\s+\+\s+{term})+)\s*(?:=|≈)\s*(?P<right>~?\d[\d,]*(?:\.\d+)?)")).ok()
});
/// `12 of 48 runs (25 %)`, `12/48 (25 %)`, `25 % (12 of 48)`.
static PART: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let count = r"\d[\d,]*";
    Regex::new(&format!(
        r"(?i)(?:(?P<k>{count})\s*(?:of|out of|/)\s*(?:the |all )?(?P<n>{count})(?:\s+[A-Za-z\-]+){{0,4}}\s*\(\s*(?P<p>[~≈]?\d+(?:\.\d+)?)\s*%\s*\)|(?P<p2>[~≈]?\d+(?:\.\d+)?)\s*%\s*\(\s*(?P<k2>{count})\s*(?:of|out of|/)\s*(?P<n2>{count})\s*\))"
    ))
    .ok()
});

/// Is there a product with its result: the plan of a crossed design?
pub fn is_design(text: &str) -> bool {
    PRODUCT.as_ref().is_some_and(|pattern| pattern.is_match(text))
}

pub fn check(paper: &Paper<'_>, findings: &mut Vec<Finding>) {
    for paragraph in &paper.document.paragraphs {
        let mut push = |captures: &Captures<'_>, rule, follows: String, why: &str| {
            let start = captures.get(0).map_or(0, |whole| whole.start());
            let stated = captures[0].trim().to_owned();
            findings.push(Finding {
                line: paragraph.line(start),
                rule,
                sure: Sure::Error,
                stated,
                follows,
                why: why.into(),
            });
        };
        for captures in PRODUCT.iter().flat_map(|pattern| pattern.captures_iter(&paragraph.text)) {
            let factors = values(&captures["left"]);
            let product = factors.iter().map(|f| exact(*f)).reduce(Interval::times);
            if let (Some(product), Some(right)) = (product, values(&captures["right"]).first())
                && !product.meets(exact(*right))
            {
                let value = factors.iter().map(|f| f.value).product::<f64>();
                push(&captures, "product", show(value), "the product of the factors");
            }
        }
        for captures in SUM.iter().flat_map(|pattern| pattern.captures_iter(&paragraph.text)) {
            let terms = values(&captures["left"]);
            let (low, high) =
                terms.iter().fold((0.0, 0.0), |(low, high), t| (low + exact(*t).low, high + exact(*t).high));
            if values(&captures["right"]).first().is_some_and(|right| !Interval { low, high }.meets(exact(*right))) {
                let value = terms.iter().map(|t| t.value).sum::<f64>();
                push(&captures, "sum", show(value), "the sum of the terms");
            }
        }
        for captures in PART.iter().flat_map(|pattern| pattern.captures_iter(&paragraph.text)) {
            let get = |a, b| captures.name(a).or(captures.name(b)).and_then(|m| values(m.as_str()).first().copied());
            let (Some(k), Some(n), Some(p)) = (get("k", "k2"), get("n", "n2"), get("p", "p2")) else { continue };
            let share = 100.0 * k.value / n.value;
            if n.value > 0.0 && k.value <= n.value && !(Interval { low: share, high: share }).meets(Interval::of(p)) {
                push(
                    &captures,
                    "share",
                    format!("{} / {} = {} %", show(k.value), show(n.value), show(share)),
                    "the part divided by the whole",
                );
            }
        }
    }
}

fn values(text: &str) -> Vec<Stated> {
    number::all(text).into_iter().map(|(_, stated)| stated).collect()
}

/// Whole numbers are counts, which are not rounded.
fn exact(stated: Stated) -> Interval {
    let half = if stated.half == 0.5 && stated.value.abs() < 1e5 { 0.0 } else { stated.half };
    Interval::of(Stated { half, ..stated })
}
