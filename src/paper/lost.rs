//! What a text has that the paper has no place for: a reference to nothing, a picture that is not drawn, HTML, a heading too deep, a table
//! without a caption. Found in the text as it is made; told by the place in the section that it was written in.

use std::collections::BTreeMap;

use pulldown_cmark::{Event, HeadingLevel, Tag};

use super::Templates;

/// LaTeX's.
const MOST_LISTS: usize = 4;
const MOST_BLOCKS: usize = 6;
/// Of everything that is in something else; Typst gives up at some dozens.
const MOST: usize = 24;

/// What is open, by how it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Other,
    Quote,
    List,
}

impl Level {
    fn of(tag: &Tag<'_>) -> Self {
        match tag {
            Tag::List(_) => Level::List,
            Tag::BlockQuote(_) => Level::Quote,
            _ => Level::Other,
        }
    }
}

/// Something without a place.
#[derive(Debug, thiserror::Error)]
#[error("{what}\nhint: {hint}")]
pub(super) struct Lost {
    pub what: String,
    /// As a section has it.
    pub written: String,
    /// The same with what stands before it, where that is known.
    pub near: Option<String>,
    pub hint: String,
}

impl Lost {
    pub fn new(what: impl Into<String>, written: impl Into<String>, hint: impl Into<String>) -> Self {
        Lost { what: what.into(), written: written.into(), near: None, hint: hint.into() }
    }

    pub fn near(self, near: String) -> Self {
        Lost { near: Some(near), ..self }
    }
}

/// The error with its place, where it is one of these and a section has it as it stands.
pub(super) fn placed(error: anyhow::Error, templates: &Templates) -> anyhow::Error {
    let Some(Lost { what, written, near, hint }) = error.downcast_ref::<Lost>() else { return error };
    let sections = templates.sections();
    let first = |find: &dyn Fn(&str) -> Option<usize>| {
        sections.iter().find_map(|(file, text)| Some((*file, *text, find(text)?)))
    };
    // What stands before it may have been put in.
    let behind = |near: &str| if near.ends_with(written.as_str()) { near.len() - written.len() } else { 0 };
    let place = first(&|text| near.as_deref().and_then(|near| Some(text.find(near)? + behind(near))));
    let place = place.or_else(|| first(&|text| text.find(written.as_str()))).map(|(file, text, at)| {
        let before = &text[..at];
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        format!("templates/sections/{file}:{}:{column}: ", before.matches('\n').count() + 1)
    });
    anyhow::anyhow!("{}{what}\nhint: {hint}", place.unwrap_or_default())
}

/// Refuses what only some formats would show, or each in a way of its own. `figures` are those that are drawn.
///
/// # Errors
/// HTML, a picture that is none of the figures, a heading of another depth than sections and subsections have, a table without its
/// caption, a caption without its table.
pub(super) fn check(markdown: &str, figures: &BTreeMap<String, Vec<u8>>) -> Result<(), Lost> {
    let of_caption = "a table has `[table:ID] Caption` on the line before it";
    // The table whose caption was read, until it comes.
    let mut caption: Option<String> = None;
    let mut open = Vec::new();
    let mut events = super::parse(markdown).peekable();
    while let Some(event) = events.next() {
        match &event {
            Event::Start(tag) => open.push(Level::of(tag)),
            Event::End(_) => drop(open.pop()),
            _ => {}
        }
        let depth = |least: Level| open.iter().filter(|level| **level >= least).count();
        if depth(Level::List) > MOST_LISTS || depth(Level::Quote) > MOST_BLOCKS || open.len() > MOST {
            let text = |event| if let Event::Text(text) = event { Some(text.to_string()) } else { None };
            let inside = events.by_ref().find_map(text).unwrap_or_default();
            let what = format!(
                "`{inside}`: expected at most {MOST_LISTS} lists in each other, {MOST_BLOCKS} with quotations, found more"
            );
            let mark = if open.contains(&Level::List) { "-" } else { ">" };
            let near = format!("{mark} {inside}");
            return Err(Lost::new(what, inside, "write it less deep: LaTeX has no more levels").near(near));
        }
        let begins_other = matches!(&event, Event::Start(tag) if !matches!(tag, Tag::Table(_)) && is_block(tag));
        if let Some(id) = caption.take_if(|_| begins_other) {
            let what = format!("the caption of `table:{id}` has no table after it");
            return Err(Lost::new(what, format!("[table:{id}]"), of_caption));
        }
        match event {
            Event::InlineHtml(html) if is_anchor(&html) => {
                caption = html
                    .strip_prefix("<a id=\"table-")
                    .and_then(|rest| rest.strip_suffix("\">"))
                    .map(str::to_owned)
                    .or(caption);
            }
            Event::Start(Tag::Table(_)) => {
                if caption.take().is_some() {
                    continue;
                }
                let text = |event| if let Event::Text(text) = event { Some(text.to_string()) } else { None };
                let head = events.by_ref().find_map(text).unwrap_or_default();
                let what = format!("the table that begins with `{head}` has no caption");
                return Err(Lost::new(what, format!("| {head}"), of_caption));
            }
            Event::Start(Tag::Heading { level, .. }) if !matches!(level, HeadingLevel::H2 | HeadingLevel::H3) => {
                let title = events.next_if(|event| matches!(event, Event::Text(_)));
                let title = if let Some(Event::Text(title)) = title { title.to_string() } else { String::new() };
                let what = format!("`{title}`: a heading of depth {}", level as usize);
                return Err(Lost::new(what, title, "a section is `## Title`, a part of one `### Title`"));
            }
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
                return Err(match id.and_then(|id| undrawn(id, figures)) {
                    Some(lost) => lost,
                    None => {
                        let what = format!("`{dest_url}`: a picture that is no figure of the records");
                        Lost::new(what, dest_url.to_string(), of_figures(figures))
                    }
                });
            }
            _ => {}
        }
    }
    match caption {
        None => Ok(()),
        Some(id) => {
            let what = format!("the caption of `table:{id}` has no table after it");
            Err(Lost::new(what, format!("[table:{id}]"), of_caption))
        }
    }
}

/// A figure that the text has and nobody draws.
pub(super) fn undrawn(id: &str, figures: &BTreeMap<String, Vec<u8>>) -> Option<Lost> {
    let lost = || {
        Lost::new(format!("there is no figure `{id}`"), format!("](figure:{id})"), of_figures(figures))
            .near(format!("](figures/{id}.svg"))
    };
    (!figures.contains_key(id)).then(lost)
}

/// What may stand there.
fn of_figures(figures: &BTreeMap<String, Vec<u8>>) -> String {
    let drawn: Vec<&str> = figures.keys().map(String::as_str).collect();
    let drawn =
        if drawn.is_empty() { "nothing is drawn".to_owned() } else { format!("drawn are {}", drawn.join(", ")) };
    format!(
        "{drawn}; templates/figures.yaml adds figures of your own, templates/pictures/NAME.svg drawings, and `draw` leaves some out"
    )
}

/// Does something of its own begin, other than words in a line?
fn is_block(tag: &Tag<'_>) -> bool {
    matches!(tag, Tag::Paragraph | Tag::Heading { .. } | Tag::List(_) | Tag::CodeBlock(_) | Tag::BlockQuote(_))
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
        check("<a id=\"table-x\"></a>**Table 1.** One.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n### Next\n", &figures)
            .unwrap();
        for (text, written) in [
            ("a <b>bold</b>", "<b>"),
            ("<script>alert(1)</script>", "<script>alert(1)</script>"),
            ("<!-- a remark -->", "<!-- a remark -->"),
            ("<a id=\"table-x\" onclick=\"y()\">", "<a id=\"table-x\" onclick=\"y()\">"),
            ("![](photo.png)", "photo.png"),
            ("# Big\n\ntext", "Big"),
            ("#### Small", "Small"),
            ("| a | b |\n|---|---|\n| 1 | 2 |\n", "| a"),
            ("<a id=\"table-x\"></a>**Table 1.** One.\n\nwords\n\n| a |\n|---|\n| 1 |\n", "[table:x]"),
            ("![](figures/none.svg)", "](figure:none)"),
            (&format!("{}deep", "> ".repeat(7)), "deep"),
            ("- a\n  - b\n    - c\n      - d\n        - e\n", "e"),
            ("![](https://evil.example/x.svg)", "https://evil.example/x.svg"),
        ] {
            assert_eq!(check(text, &figures).unwrap_err().written, written, "{text}");
        }
    }
}
