//! What the page's script computes with: claims, the run's rows and its baseline's, as blocks of JSON in the page. All of it is text that a
//! person can read, and from which the files come out again byte for byte.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::{Value, json};

use crate::{
    claims::{self, Claims},
    store::{PageRows, Run},
};

/// The schema of the block of claims.
const PAGE_SCHEMA: &str = "offprint.page/1";
/// A larger page carries claims alone, as does one with a row that would not come out again.
const MOST_BYTES: usize = 8 << 20;

/// A paper's claims and records.
#[derive(Debug)]
pub(in crate::paper) struct Data<'a> {
    pub claims: &'a Claims,
    pub run: &'a Run,
}

impl Data<'_> {
    /// The blocks, for a page whose text has so many bytes.
    ///
    /// # Errors
    /// None that a value here can cause.
    pub(super) fn blocks(&self, text: usize) -> Result<String> {
        let claims = block("o-claims", &self.claims()?);
        let rows = records(&self.run.page_rows, self.run.baseline.as_deref().map(|baseline| &baseline.page_rows));
        Ok(match rows {
            Some(rows) if claims.len() + rows.len() + text <= MOST_BYTES => claims + &rows,
            _ => claims,
        })
    }

    /// Texts that many claims share are told once; values are the literals that claims.json has.
    fn claims(&self) -> Result<String> {
        let Claims { schema, source, claims, predicates } = self.claims;
        let (mut units, mut formulas, mut roundings, mut runs) = <[Told; 4]>::default().into();
        let mut rows = Vec::new();
        for (id, claim) in claims {
            let literal = serde_json::to_string(&claim.value)?;
            // Of a text the two literals are one.
            let text = if serde_json::to_string(&claim.text)? == literal { json!(0) } else { json!(claim.text) };
            let mut row = vec![
                json!(&**id),
                json!(literal),
                text,
                json!(units.place(&claim.unit)),
                json!(formulas.place(&claim.formula)),
                json!(roundings.place(&claim.rounding)),
                json!(runs.place(&claim.runs.to_string())),
                json!(claim.n),
            ];
            if claim.baseline_runs != claims::Runs::default() {
                row.push(json!(runs.place(&claim.baseline_runs.to_string())));
            }
            rows.push(Value::Array(row));
        }
        let whole = serde_json::to_string_pretty(&BTreeMap::from([("predicates", predicates)]))?;
        // As it stands in claims.json, which begins and ends otherwise.
        let predicates = whole.trim_start_matches("{\n  \"predicates\": ").trim_end_matches("\n}").to_owned();
        let rows: Vec<String> = rows.iter().map(Value::to_string).collect();
        Ok(format!(
            "{{\"schema\":{},\"claims_schema\":{},\"source\":{},\n\"unit\":{},\n\"formula\":{},\n\"rounding\":{},\n\"runs\":{},\n\"claims\":[\n{}\n],\n\"predicates\":{}}}",
            json!(PAGE_SCHEMA),
            json!(schema),
            json!({"run_id": source.run_id, "sha256": source.sha256}),
            units.list(),
            formulas.list(),
            roundings.list(),
            runs.list(),
            rows.join(",\n"),
            json!(predicates)
        ))
    }
}

/// The rows of a run and of its baseline, both or none: a run without its baseline would be compared with nothing, in silence.
fn records(run: &PageRows, baseline: Option<&PageRows>) -> Option<String> {
    std::iter::once(("o-runs", run))
        .chain(baseline.map(|rows| ("o-baseline", rows)))
        .map(|(id, rows)| match rows {
            PageRows::Text(text) | PageRows::Columns(text) if carried(text) => Some(block(id, text)),
            _ => None,
        })
        .collect()
}

/// Texts, each once, by place.
#[derive(Debug, Default)]
struct Told {
    places: BTreeMap<String, usize>,
    texts: Vec<String>,
}

impl Told {
    fn place(&mut self, text: &str) -> usize {
        if let Some(place) = self.places.get(text) {
            return *place;
        }
        self.places.insert(text.to_owned(), self.texts.len());
        self.texts.push(text.to_owned());
        self.texts.len() - 1
    }

    fn list(&self) -> String {
        json!(self.texts).to_string()
    }
}

/// Would the text come out again as it went in? What has the escape itself would not.
fn carried(text: &str) -> bool {
    restored(&escaped(text)) == text
}

/// No element ends inside, and nothing hides from who looks at the source: what JSON itself leaves as it is.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_escaped(c) { out += &format!("\\u{:04x}", c as u32) } else { out.push(c) }
    }
    out
}

/// The page's script has the same list.
fn is_escaped(c: char) -> bool {
    matches!(c, '<' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{e000}'..='\u{f8ff}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// As the page's script does it: an escaped backslash is none of ours.
fn restored(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out += &rest[..at];
        let tail = &rest[at..];
        let code = tail.strip_prefix("\\u").and_then(|code| u32::from_str_radix(code.get(..4)?, 16).ok());
        // As it is written there: in small letters.
        let ours = code
            .and_then(char::from_u32)
            .filter(|c| is_escaped(*c) && tail.starts_with(&format!("\\u{:04x}", *c as u32)));
        let length = match ours {
            Some(c) => {
                out.push(c);
                6
            }
            None => {
                let length = if tail.starts_with("\\\\") { 2 } else { 1 };
                out += &tail[..length];
                length
            }
        };
        rest = &rest[at + length..];
    }
    out + rest
}

fn block(id: &str, text: &str) -> String {
    format!("<script type=\"application/json\" id=\"{id}\">{}</script>\n", escaped(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_out_as_they_went_in() {
        for text in [
            "{\"a\":\"</script><b>\"}\n",
            "\u{202e}\u{feff}\u{e000}é\u{7f}",
            "{\"a\":\"\\\\u003c\"}",
            "{\"a\":\"\\n\\\"\"}",
            "",
        ] {
            assert!(carried(text), "{text}");
            assert!(!escaped(text).contains('<'));
        }
        assert!(!carried("{\"a\":\"\\u003c\"}"), "an escape that we would take for ours");
        assert!(carried("{\"a\":\"\\u001b\\u003C\"}"), "one that we would not");
        assert_eq!(escaped("<\u{202e}"), "\\u003c\\u202e");
    }

    #[test]
    fn a_run_stands_with_its_baseline_or_not_at_all() {
        let text = |text: &str| PageRows::Text(text.into());
        let both = records(&text("{}"), Some(&text("{}"))).unwrap();
        assert!(both.contains("o-runs") && both.contains("o-baseline"));
        assert!(!records(&text("{}"), None).unwrap().contains("o-baseline"));
        for lost in [PageRows::None, text("{\"a\":\"\\u003c\"}")] {
            assert_eq!(records(&text("{}"), Some(&lost)), None);
            assert_eq!(records(&lost, None), None);
        }
    }
}
