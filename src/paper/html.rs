//! The numbered Markdown -> the body of an HTML page, figures inside it.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use pulldown_cmark::{CowStr, Event, Tag, TagEnd, html};

/// The body; `figures` are SVG bytes by id, and become part of the page.
pub fn body(markdown: &str, figures: &BTreeMap<String, Vec<u8>>) -> String {
    let mut events: Vec<Event<'_>> = Vec::new();
    let (mut in_image, mut in_figure) = (false, false);
    for event in super::parse(markdown) {
        match event {
            // An image's own text says nothing: the figure is set where its caption stands.
            Event::Start(Tag::Image { .. }) => in_image = true,
            Event::End(TagEnd::Image) => in_image = false,
            _ if in_image => {}
            Event::InlineHtml(html) if html.starts_with("<a id=\"figure-") => {
                let id = html.trim_start_matches("<a id=\"figure-").trim_end_matches("\">").to_owned();
                let svg = figures.get(&id).map(|svg| STANDARD.encode(svg)).unwrap_or_default();
                events.pop_if(|event| *event == Event::Start(Tag::Paragraph));
                in_figure = true;
                events.push(raw(format!(
                    "<figure id=\"figure-{id}\"><img alt=\"\" src=\"data:image/svg+xml;base64,{svg}\"><figcaption><a>"
                )));
            }
            Event::End(TagEnd::Paragraph) if in_figure => {
                in_figure = false;
                events.push(raw("</figcaption></figure>\n".to_owned()));
            }
            // What held nothing but an image is gone.
            Event::End(TagEnd::Paragraph) if events.last() == Some(&Event::Start(Tag::Paragraph)) => {
                events.pop();
            }
            // A wide table scrolls in its own box, not the page.
            Event::Start(Tag::Table(alignment)) => {
                events.push(raw("<div class=\"table\">".to_owned()));
                events.push(Event::Start(Tag::Table(alignment)));
            }
            Event::End(TagEnd::Table) => events.extend([Event::End(TagEnd::Table), raw("</div>\n".to_owned())]),
            other => events.push(other),
        }
    }
    let mut out = String::new();
    html::push_html(&mut out, events.into_iter());
    out
}

fn raw(html: String) -> Event<'static> {
    Event::InlineHtml(CowStr::from(html))
}

/// Text for HTML.
pub fn escape(text: &str) -> String {
    let text: String = text.chars().map(super::prose::seen).collect();
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
