//! The numbered Markdown with its marks -> the page's text: marks become elements that name a claim, headings have anchors and a list of
//! contents, captions belong to their figures and tables.

use std::collections::{BTreeMap, BTreeSet};

use pulldown_cmark::{Alignment, CowStr, Event, HeadingLevel, Tag, TagEnd, html};

use crate::paper::{
    html::escape,
    marks::{self, Ids, Of, Piece},
    numbering,
};

/// The text, and the list of contents.
pub(super) fn of(marked: &str, ids: Option<&Ids<'_>>, figures: &BTreeMap<String, String>) -> (String, String) {
    let mut writer = Writer {
        ids,
        figures,
        events: Vec::new(),
        inside: Inside::Nothing,
        caption: None,
        anchors: BTreeSet::new(),
        contents: Vec::new(),
    };
    for event in crate::paper::parse(marked) {
        writer.event(event);
    }
    let mut out = String::new();
    html::push_html(&mut out, writer.events.into_iter());
    let contents = writer.contents.into_iter().map(|Entry { level, anchor, title }| {
        format!("<li class=\"l{level}\"><a href=\"#{anchor}\">{}</a></li>\n", escape(&title))
    });
    (out, contents.collect())
}

struct Writer<'a, 'e> {
    ids: Option<&'a Ids<'a>>,
    figures: &'a BTreeMap<String, String>,
    events: Vec<Event<'e>>,
    inside: Inside,
    /// The anchor of the caption that was read, until its table comes.
    caption: Option<String>,
    anchors: BTreeSet<String>,
    contents: Vec<Entry>,
}

struct Entry {
    level: u8,
    anchor: String,
    title: String,
}

enum Inside {
    Nothing,
    /// An image's own text says nothing: the figure is set where its caption stands.
    Image,
    /// The caption of a figure.
    Figure,
    /// Where the heading's event stands, and its title so far.
    Heading(usize, u8, String),
    /// The columns' alignments, the column that comes, and whether it is the head.
    Table(Vec<Alignment>, usize, bool),
}

impl<'e> Writer<'_, 'e> {
    fn event(&mut self, event: Event<'e>) {
        match (&mut self.inside, event) {
            (Inside::Image, Event::End(TagEnd::Image)) => self.inside = Inside::Nothing,
            (Inside::Image, _) => {}
            (_, Event::Start(Tag::Image { .. })) => self.inside = Inside::Image,
            (_, Event::InlineHtml(html)) => self.anchor(&html),
            (Inside::Figure, Event::End(TagEnd::Paragraph)) => {
                self.inside = Inside::Nothing;
                self.raw("</figcaption></figure>\n");
            }
            // A caption stays open until its table ends.
            (Inside::Nothing, Event::End(TagEnd::Paragraph)) if self.caption.is_some() => self.raw("</figcaption>"),
            // What held nothing but an image is gone.
            (_, Event::End(TagEnd::Paragraph)) if self.events.last() == Some(&Event::Start(Tag::Paragraph)) => {
                self.events.pop();
            }
            (_, Event::Start(Tag::Heading { level, .. })) => {
                self.inside = Inside::Heading(self.events.len(), depth(level), String::new());
                self.raw("");
            }
            (Inside::Heading(at, level, title), Event::End(TagEnd::Heading(_))) => {
                let (at, level, title) = (*at, *level, std::mem::take(title));
                let anchor = numbering::anchor(unnumbered(&title), &mut self.anchors);
                self.events[at] = html_of(format!("<h{level} id=\"{anchor}\">"));
                self.raw(&format!("</h{level}>\n"));
                self.contents.push(Entry { level, anchor, title });
                self.inside = Inside::Nothing;
            }
            (_, Event::Start(Tag::Table(alignments))) => self.table(alignments),
            (Inside::Table(_, column, head), Event::Start(Tag::TableHead)) => {
                (*column, *head) = (0, true);
                self.raw("<thead><tr>");
            }
            (Inside::Table(_, _, head), Event::End(TagEnd::TableHead)) => {
                *head = false;
                self.raw("</tr></thead><tbody>\n");
            }
            (Inside::Table(_, column, _), Event::Start(Tag::TableRow)) => {
                *column = 0;
                self.raw("<tr>");
            }
            (Inside::Table(..), Event::End(TagEnd::TableRow)) => self.raw("</tr>\n"),
            (Inside::Table(alignments, column, head), Event::Start(Tag::TableCell)) => {
                let right = matches!(alignments.get(*column), Some(Alignment::Right)).then_some(" class=\"r\"");
                let name = if *head { "th scope=\"col\"" } else { "td" };
                let tag = format!("<{name}{}>", right.unwrap_or_default());
                *column += 1;
                self.raw(&tag);
            }
            (Inside::Table(_, _, head), Event::End(TagEnd::TableCell)) => {
                let end = if *head { "</th>" } else { "</td>" };
                self.raw(end);
            }
            (_, Event::End(TagEnd::Table)) => {
                self.raw("</tbody></table></div></figure>\n");
                self.inside = Inside::Nothing;
            }
            (_, Event::Start(Tag::Link { link_type, dest_url, title, id })) => {
                let [dest_url, title] = [dest_url, title].map(|text| CowStr::from(marks::strip(&text)));
                self.events.push(Event::Start(Tag::Link { link_type, dest_url, title, id }));
            }
            // It may be wider than the page, and is then scrolled by keys, too.
            (_, Event::Start(Tag::CodeBlock(_))) => self.raw("<pre tabindex=\"0\"><code>"),
            (_, Event::End(TagEnd::CodeBlock)) => self.raw("</code></pre>\n"),
            (_, Event::Text(text)) => self.text(&text),
            (_, Event::Code(code)) => self.code(&code),
            (_, other) => self.events.push(other),
        }
    }

    fn raw(&mut self, html: &str) {
        self.events.push(html_of(html.to_owned()));
    }

    /// `<a id="figure-x">` begins a figure's caption, `<a id="table-x">` a table's; others stand as they are.
    fn anchor(&mut self, html: &str) {
        let html = marks::strip(html);
        let id = html.strip_prefix("<a id=\"").and_then(|rest| rest.strip_suffix("\">"));
        let figure = id.and_then(|id| id.strip_prefix("figure-"));
        if let Some(id) = figure {
            let drawing = self.figures.get(id).map_or("", String::as_str);
            self.events.pop_if(|event| *event == Event::Start(Tag::Paragraph));
            self.events.push(html_of(format!(
                "<figure class=\"f\" id=\"figure-{id}\"><div class=\"plot\">{drawing}</div><figcaption><a>"
            )));
            self.inside = Inside::Figure;
        } else if let Some(id) = id.filter(|id| id.starts_with("table-")) {
            self.events.pop_if(|event| *event == Event::Start(Tag::Paragraph));
            self.events.push(html_of(format!("<figure class=\"t\" id=\"{id}\"><figcaption id=\"{id}-caption\"><a>")));
            self.caption = Some(id.to_owned());
        } else {
            self.events.push(html_of(html));
        }
    }

    fn table(&mut self, alignments: Vec<Alignment>) {
        let named = match self.caption.take() {
            Some(id) => format!(" aria-labelledby=\"{id}-caption\""),
            None => {
                self.raw("<figure class=\"t\">");
                " aria-label=\"Table\"".to_owned()
            }
        };
        self.raw(&format!("<div class=\"table\" tabindex=\"0\" role=\"region\"{named}><table>"));
        self.inside = Inside::Table(alignments, 0, false);
    }

    fn text(&mut self, text: &str) {
        if let Inside::Heading(_, _, title) = &mut self.inside {
            title.push_str(&marks::strip(text));
        }
        for piece in marks::pieces(text) {
            match piece {
                Piece::Text(text) => self.events.push(Event::Text(CowStr::from(text.to_owned()))),
                Piece::Begin(of, place) => self.begin(of, place),
                Piece::End(_) => self.raw("</span>"),
            }
        }
    }

    fn begin(&mut self, of: Of, place: usize) {
        let id = self.ids.and_then(|ids| ids.get(of, place)).map_or("", |id| &**id);
        let (class, data) = if of == Of::Claim { ("n", "c") } else { ("p", "p") };
        self.raw(&format!("<span class=\"{class}\" data-{data}=\"{}\">", escape(id)));
    }

    /// A span of code with its marks around it.
    fn code(&mut self, code: &str) {
        let (mut ends, mut plain) = (0, String::new());
        for piece in marks::pieces(code) {
            match piece {
                Piece::Text(text) => plain += text,
                Piece::Begin(of, place) => {
                    self.begin(of, place);
                    ends += 1;
                }
                Piece::End(_) => {}
            }
        }
        if let Inside::Heading(_, _, title) = &mut self.inside {
            title.push_str(&plain);
        }
        self.events.push(Event::Code(CowStr::from(plain)));
        (0..ends).for_each(|_| self.raw("</span>"));
    }
}

fn html_of(html: String) -> Event<'static> {
    Event::InlineHtml(CowStr::from(html))
}

fn depth(level: HeadingLevel) -> u8 {
    level as u8
}

/// `2.1 Runs` -> `Runs`.
fn unnumbered(title: &str) -> &str {
    title.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').trim_start()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::Id;

    fn written(text: &str) -> (String, String) {
        let [one, two, says] = ["latency.mean", "a<b", "it.holds"].map(Id::from);
        let ids = Ids { claims: vec![&one, &two], predicates: vec![&says] };
        of(text, Some(&ids), &BTreeMap::from([("x".to_owned(), "<svg></svg>".to_owned())]))
    }

    #[test]
    fn marks_become_elements_that_name_their_claim() {
        let (one, two) = (marks::claim(0, "1.2"), marks::claim(1, "\\<3\\>"));
        let (body, _) = written(&format!("A {one}, **{two}** `x {one}` {}", marks::sentence(0, &format!("So {one}."))));
        assert_eq!(
            body,
            "<p>A <span class=\"n\" data-c=\"latency.mean\">1.2</span>, <strong><span class=\"n\" data-c=\"a&lt;b\">&lt;3&gt;</span></strong> \
             <span class=\"n\" data-c=\"latency.mean\"><code>x 1.2</code></span> \
             <span class=\"p\" data-p=\"it.holds\">So <span class=\"n\" data-c=\"latency.mean\">1.2</span>.</span></p>\n"
        );
    }

    #[test]
    fn headings_have_anchors_and_are_listed() {
        let (body, contents) = written("## Abstract\n\n## 1 Method & more\n\n### 1.1 Runs\n\n## 2 Runs\n");
        assert!(body.contains("<h2 id=\"section-method-more\">1 Method &amp; more</h2>"), "{body}");
        assert!(
            body.contains("<h3 id=\"section-runs\">1.1 Runs</h3>")
                && body.contains("<h2 id=\"section-runs-2\">2 Runs</h2>")
        );
        assert!(contents.contains("<li class=\"l3\"><a href=\"#section-runs\">1.1 Runs</a></li>"), "{contents}");
    }

    #[test]
    fn captions_belong_to_what_they_are_of() {
        let table = format!(
            "<a id=\"table-t\"></a>**Table 1.** Some.\n\n| a | b |\n|:--|--:|\n| x | {} |\n\nText.",
            marks::claim(0, "2")
        );
        let (body, _) = written(&table);
        assert_eq!(
            body,
            "<figure class=\"t\" id=\"table-t\"><figcaption id=\"table-t-caption\"><a></a><strong>Table 1.</strong> Some.</figcaption>\
             <div class=\"table\" tabindex=\"0\" role=\"region\" aria-labelledby=\"table-t-caption\"><table><thead><tr><th scope=\"col\">a</th>\
             <th scope=\"col\" class=\"r\">b</th></tr></thead><tbody>\n<tr><td>x</td><td class=\"r\"><span class=\"n\" data-c=\"latency.mean\">2</span></td></tr>\n\
             </tbody></table></div></figure>\n<p>Text.</p>\n"
        );
        let (body, _) = written("![Figure 1](figures/x.svg)\n\n<a id=\"figure-x\"></a>**Figure 1.** A.\n");
        assert_eq!(
            body,
            "<figure class=\"f\" id=\"figure-x\"><div class=\"plot\"><svg></svg></div><figcaption><a></a><strong>Figure 1.</strong> A.</figcaption></figure>\n"
        );
    }
}
