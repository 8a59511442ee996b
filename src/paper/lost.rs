//! What a text has that the paper has no place for: a reference to nothing, a picture that is not drawn, HTML. Found in the text as it is
//! made; told by the place in the section that it was written in.

use std::collections::BTreeMap;

use pulldown_cmark::{Event, Tag};

use super::Templates;

/// Something without a place.
#[derive(Debug, thiserror::Error)]
#[error("{what}\nhint: {hint}")]
pub(super) struct Lost {
    pub what: String,
    /// As a section has it.
    pub written: String,
    pub hint: String,
}

impl Lost {
    pub fn new(what: impl Into<String>, written: impl Into<String>, hint: impl Into<String>) -> Self {
        Lost { what: what.into(), written: written.into(), hint: hint.into() }
    }
}

/// The error with its place, where it is one of these and a section has it as it stands.
pub(super) fn placed(error: anyhow::Error, templates: &Templates) -> anyhow::Error {
    let Some(Lost { what, written, hint }) = error.downcast_ref::<Lost>() else { return error };
    let place = templates.sections().into_iter().find_map(|(file, text)| {
        let before = &text[..text.find(written.as_str())?];
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Some(format!("templates/sections/{file}:{}:{column}: ", before.matches('\n').count() + 1))
    });
    anyhow::anyhow!("{}{what}\nhint: {hint}", place.unwrap_or_default())
}

/// Refuses what only some formats would show. `figures` are those that are drawn.
///
/// # Errors
/// HTML, or a picture that is none of the figures.
pub(super) fn check(markdown: &str, figures: &BTreeMap<String, Vec<u8>>) -> Result<(), Lost> {
    for event in super::parse(markdown) {
        match event {
            Event::Html(html) | Event::InlineHtml(html) if !is_anchor(&html) => {
                let html = html.trim();
                let hint = "write it in Markdown, which every format has; a remark is {# ... #}";
                return Err(Lost::new(format!("`{html}`: HTML would be in the page alone"), html, hint));
            }
            Event::Start(Tag::Image { dest_url, .. }) => {
                let id = dest_url.strip_prefix("figures/").and_then(|rest| rest.strip_suffix(".svg"));
                if id.is_some_and(|id| figures.contains_key(id)) {
                    continue;
                }
                let drawn: Vec<&str> = figures.keys().map(String::as_str).collect();
                let hint = format!(
                    "drawn are {}; templates/figures.yaml adds figures of your own, and its `draw` leaves some out",
                    drawn.join(", ")
                );
                return Err(match id {
                    Some(id) => Lost::new(format!("there is no figure `{id}`"), format!("](figure:{id})"), hint),
                    None => {
                        let what = format!("`{dest_url}`: a picture that is no figure of the records");
                        Lost::new(what, dest_url.to_string(), hint)
                    }
                });
            }
            _ => {}
        }
    }
    Ok(())
}

/// What numbering writes.
fn is_anchor(html: &str) -> bool {
    let id = html.strip_prefix("<a id=\"").and_then(|rest| rest.strip_suffix("\">"));
    let ours = |id: &str| ["table-", "figure-", "ref-"].iter().any(|kind| id.starts_with(kind)) && !id.contains('"');
    html == "</a>" || id.is_some_and(ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_not_every_format_has_is_refused() {
        let figures = BTreeMap::from([("fit".to_owned(), Vec::new())]);
        let good =
            "![Figure 1](figures/fit.svg)\n\n<a id=\"figure-fit\"></a>**Figure 1.** a <https://x.y> &lt;b&gt; `<i>`\n";
        check(good, &figures).unwrap();
        for (text, written) in [
            ("a <b>bold</b>", "<b>"),
            ("<script>alert(1)</script>", "<script>alert(1)</script>"),
            ("<!-- a remark -->", "<!-- a remark -->"),
            ("<a id=\"table-x\" onclick=\"y()\">", "<a id=\"table-x\" onclick=\"y()\">"),
            ("![](photo.png)", "photo.png"),
            ("![](figures/none.svg)", "](figure:none)"),
            ("![](https://evil.example/x.svg)", "https://evil.example/x.svg"),
        ] {
            assert_eq!(check(text, &figures).unwrap_err().written, written, "{text}");
        }
    }
}
