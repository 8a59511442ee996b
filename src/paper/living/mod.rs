//! The living edition: the paper as one HTML file whose numbers answer for themselves. Its text stands without a script; the script finds
//! the claims and the records in the page, and computes again. Nothing is loaded from anywhere, which the page's own policy says.

mod body;
mod data;
mod known;

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

use super::{Templates, marks::Ids};
pub(super) use data::Data;
pub use known::{Script, script};

/// The script's files, in the order in which they stand.
const SCRIPTS: [&str; 7] = ["stats.js", "formulas.js", "own.js", "page.js", "card.js", "figures.js", "tables.js"];
const STYLES: [&str; 2] = ["font.css", "living.css"];

/// What a skin is filled with beside what every skin is: raw HTML, made here.
#[derive(Debug, Default)]
pub(super) struct Living {
    pub style: String,
    /// Empty of a page without data.
    pub script: String,
    pub policy: String,
    /// The contents list.
    pub contents: String,
    /// Blocks of data for the script.
    pub data: String,
    pub body: String,
}

/// Does the skin ask for it? Those of before 0.5 do not.
pub(super) fn is_asked(skin: &str) -> bool {
    skin.contains("<< policy >>")
}

/// Fills it. `marked` is the numbered Markdown with its marks; figures are drawings for the page by id.
///
/// # Errors
/// A file of the script's or the style's that the templates lack.
pub(super) fn of(
    templates: &Templates,
    marked: &str,
    ids: Option<&Ids<'_>>,
    figures: &BTreeMap<String, String>,
    data: Option<&Data<'_>>,
) -> Result<Living> {
    let style = joined(templates, &STYLES)?;
    let script = if data.is_some() { joined(templates, &SCRIPTS)? } else { String::new() };
    let (body, contents) = body::of(marked, ids, figures);
    Ok(Living {
        policy: policy(&style, &script),
        data: data.map_or(Ok(String::new()), |data| data.blocks(body.len()))?,
        style,
        script,
        contents,
        body,
    })
}

/// Files one after the other, without what only their authors read: indents, lines that are remarks, empty lines.
fn joined(templates: &Templates, names: &[&str]) -> Result<String> {
    let mut out = String::new();
    for name in names {
        let text = templates.get(&format!("living/{name}")).context("the page's script and style")?;
        let mut in_remark = false;
        for line in text.lines().map(str::trim) {
            in_remark |= line.starts_with("/*");
            if !in_remark && !line.is_empty() && !line.starts_with("//") {
                out += line;
                out.push('\n');
            }
            in_remark &= !line.ends_with("*/");
        }
    }
    Ok(out)
}

/// Nothing is loaded, nothing but this script and this style has a say, and no text becomes HTML.
fn policy(style: &str, script: &str) -> String {
    let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)));
    let script = if script.is_empty() { "'none'".to_owned() } else { hash(script) };
    format!(
        "default-src 'none'; script-src {script}; style-src {}; font-src data:; img-src data:; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
        hash(style)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a reader's browser must read, and a reviewer may want to.
    #[test]
    fn script_and_style_are_small_and_end_no_element() {
        let templates = Templates::built_in();
        let (script, style) = (joined(&templates, &SCRIPTS).unwrap(), joined(&templates, &STYLES).unwrap());
        let font = templates.get("living/font.css").unwrap().len();
        assert!(script.len() <= 80_000, "script: {}", script.len());
        assert!(style.len() - font <= 24 << 10, "style: {}", style.len() - font);
        assert!(font <= 16 << 10, "font, in base64: {font}");
        assert!(!script.contains("</") && !style.contains("</") && !script.contains("<!--"));
        for forbidden in
            ["innerHTML", "outerHTML", "insertAdjacentHTML", "eval(", "document.write", "fetch(", "http://", "https://"]
        {
            let places = script.matches(forbidden).count();
            // The namespace of SVG is an address that nothing is loaded from.
            let allowed = usize::from(forbidden == "http://");
            assert!(places <= allowed, "{forbidden}: {places}");
        }
    }
}
