//! A drawing that the authors have made elsewhere: an SVG beside the paper's templates -> a figure like all others. No number of it comes
//! from records, which its caption says.
//!
//! An SVG is a stranger's program, too: it may name files, other drawings and itself. So it is held to shapes and texts, to what they cost
//! when they are drawn, and to the letters that figures have.

use std::{collections::BTreeMap, fmt::Display};

use anyhow::{Context, Result, anyhow, bail, ensure};
use quick_xml::{Reader, events::Event};
use resvg::usvg::{
    Group, Node as Shape,
    roxmltree::{Attribute, Document, Node, ParsingOptions},
};

use crate::{
    figures::{Figure, font::Font, output},
    seen::seen,
};

/// Elements, with those that are drawn again through a reference.
const MOST_DRAWN: u64 = 10_000;
/// Of elements in elements.
const DEEPEST: usize = 32;
/// Of lines in a drawing together.
const MOST_DASHES: f64 = 100_000.0;
/// Height of a picture that fits on a page, in widths; and of one that can be read.
const SHAPES: std::ops::RangeInclusive<f32> = 0.05..=1.5;

/// What is drawn, what it is drawn with, and what says something of a drawing.
const DRAWN: [&str; 25] = [
    "circle",
    "clipPath",
    "defs",
    "desc",
    "ellipse",
    "g",
    "line",
    "linearGradient",
    "marker",
    "metadata",
    "path",
    "pattern",
    "polygon",
    "polyline",
    "radialGradient",
    "rect",
    "stop",
    "style",
    "svg",
    "switch",
    "symbol",
    "text",
    "title",
    "tspan",
    "use",
];
const SVG: &str = "http://www.w3.org/2000/svg";
const PLAIN: &str = "hint: save it as plain SVG, as UTF-8 and unpacked";
const XLINK: &str = "http://www.w3.org/1999/xlink";

/// Draws `templates/pictures/ID.svg`.
///
/// # Errors
/// It is no SVG, it asks for more than shapes and texts, it is too much to draw, or its letters are not in the font of figures; with the
/// line.
pub fn figure(id: &str, text: &str, font: &Font) -> Result<Figure> {
    drawn(id, text, font).map_err(|error| anyhow!("templates/pictures/{id}.svg: {error:#}"))
}

fn parsed(text: &str) -> Result<Document<'_>> {
    shallow(text)?;
    let options = ParsingOptions { allow_dtd: true, nodes_limit: 20 * MOST_DRAWN as u32 };
    Document::parse_with_options(text, options).map_err(|error| anyhow!("expected an SVG: {error}\n{PLAIN}"))
}

/// The parser below goes down with its elements, so they are looked at before, and an entity may bring none in.
fn shallow(text: &str) -> Result<()> {
    for (at, mark) in text.match_indices("<!ENTITY") {
        let declared = text[at + mark.len()..].split_once(['"', '\'']).map_or("", |(_, rest)| rest);
        let value = declared.split(['"', '\'']).next().unwrap_or("");
        ensure!(
            !value.contains(['<', '&']),
            "an entity with elements or entities in it: {}\nhint: save it as plain SVG",
            value.chars().take(40).collect::<String>()
        );
    }
    let (mut reader, mut depth) = (Reader::from_str(text), 0usize);
    loop {
        match reader.read_event().map_err(|error| anyhow!("expected an SVG: {error}\n{PLAIN}"))? {
            Event::Start(_) => depth += 1,
            Event::End(_) => depth = depth.saturating_sub(1),
            Event::Eof => break,
            _ => {}
        }
        if depth > DEEPEST {
            let line = 1 + text[..reader.buffer_position() as usize].matches('\n').count();
            bail!("line {line}: expected elements at most {DEEPEST} deep\nhint: take groups apart");
        }
    }
    Ok(())
}

fn drawn(id: &str, text: &str, font: &Font) -> Result<Figure> {
    let document = parsed(text)?;
    let root = document.root_element();
    if !root.has_tag_name((SVG, "svg")) {
        let found = root.tag_name().name();
        bail!("expected an SVG, found the element `{found}`\nhint: it begins with <svg xmlns=\"{SVG}\" ...>");
    }
    let names = names(&document)?;
    for node in root.descendants().filter(Node::is_element) {
        check(&node, &names, font)?;
    }
    let cost = Costs { names: &names, known: BTreeMap::new() }.of_node(root, 0)?;
    ensure!(
        cost <= MOST_DRAWN,
        "expected at most {MOST_DRAWN} shapes to be drawn, found {cost}\nhint: leave some out, or join them into paths"
    );
    let tree = output::read(&document).context("the drawing has no size or cannot be read\nhint: give it a viewBox")?;
    ensure!(tree.root().has_children(), "nothing is drawn in it\nhint: are its shapes of any size and colour?");
    let shape = tree.size().height() / tree.size().width();
    ensure!(
        SHAPES.contains(&shape),
        "expected a height of {} to {} widths, found {shape:.2}\nhint: it is set as wide as a column; change its viewBox",
        SHAPES.start(),
        SHAPES.end()
    );
    let dashes = dashes(tree.root());
    ensure!(
        dashes <= MOST_DASHES,
        "expected at most {MOST_DASHES} dashes, found about {dashes:.0}\nhint: take longer dashes"
    );
    let title = root.children().find(|node| node.has_tag_name((SVG, "title"))).and_then(|node| node.text());
    let (output::Files { svg, pdf, png }, page) = output::picture(&tree, id, title.unwrap_or(id))?;
    Ok(Figure { id: id.to_owned(), svg, pdf, png, page })
}

/// The texts in a picture, its title among them, each on a line.
pub fn letters(text: &str) -> String {
    let Ok(document) = parsed(text) else { return String::new() };
    let texts =
        document.descendants().filter(|node| node.has_tag_name((SVG, "text")) || node.has_tag_name((SVG, "title")));
    let of = |node: Node<'_, '_>| {
        node.descendants().filter(Node::is_text).filter_map(|node| node.text().map(str::to_owned)).collect()
    };
    texts.map(of).collect::<Vec<String>>().join("\n")
}

fn refused(node: &Node<'_, '_>, what: impl Display, hint: &str) -> anyhow::Error {
    anyhow!("line {}: {what}\nhint: {hint}", node.document().text_pos_at(node.range().start).row)
}

/// Elements by their names, each of which one has.
type Names<'a, 'i> = BTreeMap<&'a str, Node<'a, 'i>>;

fn names<'a, 'i>(document: &'a Document<'i>) -> Result<Names<'a, 'i>> {
    let mut names = Names::new();
    for node in document.descendants() {
        let Some(name) = node.attribute("id") else { continue };
        if names.insert(name, node).is_some() {
            return Err(refused(&node, format!("`{name}` is the id of two elements"), "give each its own"));
        }
    }
    Ok(names)
}

/// May this element stand in a picture?
fn check(node: &Node<'_, '_>, names: &Names<'_, '_>, font: &Font) -> Result<()> {
    let name = node.tag_name().name();
    if node.tag_name().namespace() != Some(SVG) {
        // Programs' notes for themselves.
        return Ok(());
    }
    let refused = |what: String, hint: &str| Err(refused(node, what, hint));
    if !DRAWN.contains(&name) {
        let hint = "save it as plain SVG, without pictures of points, effects, scripts and HTML";
        return refused(format!("expected shapes and texts, found the element `{name}`"), hint);
    }
    for (name, value) in properties(node) {
        if ["filter", "mask", "mask-image"].contains(&name) {
            return refused(format!("effects (`{name}`) are not drawn"), "take them out");
        }
        for place in references(name, value) {
            let Some(id) = place.strip_prefix('#') else {
                let what = format!("`{place}`: a picture names nothing outside of itself");
                return refused(what, "put it into the drawing");
            };
            if !names.contains_key(id) {
                return refused(format!("`{place}`: no element has this id"), "put it there, or take this out");
            }
        }
    }
    if name == "style" {
        let text: String = node.descendants().filter_map(|node| node.text()).collect();
        let plain = !["@import", "@font-face", "filter", "mask"].iter().any(|word| text.contains(word));
        let gradients = references("style", &text).iter().all(|place| {
            let target = place.strip_prefix('#').and_then(|id| names.get(id));
            target.is_some_and(|target| target.tag_name().name().ends_with("Gradient"))
        });
        if !(plain && gradients) {
            let what = "a style sheet may set colours, lines, letters and gradients of the drawing".to_owned();
            return refused(what, "set the rest at the elements themselves; effects are not drawn");
        }
    }
    if ["text", "tspan"].contains(&name) {
        let texts = node.children().filter(|child| child.is_text()).filter_map(|child| child.text());
        if let Some(lacking) = texts.flat_map(str::chars).find(|c| !c.is_whitespace() && !font.has(*c)) {
            let (letter, code) = (seen(lacking), lacking as u32);
            let what = format!("the letter `{letter}` (U+{code:04X}) is not in the font of figures");
            return refused(what, "save the drawing's texts as paths");
        }
    }
    Ok(())
}

/// Attributes of SVG's own, those that stand in `style` among them.
fn properties<'a>(node: &Node<'a, '_>) -> Vec<(&'a str, &'a str)> {
    let own = node.attributes().filter(|attribute| attribute.namespace().is_none_or(|space| space == XLINK));
    let split = |attribute: Attribute<'a, '_>| -> Vec<(&'a str, &'a str)> {
        match attribute.name() {
            "style" => {
                let declarations = attribute.value().split(';').filter_map(|one| one.split_once(':'));
                declarations.map(|(name, value)| (name.trim(), value.trim())).collect()
            }
            name => vec![(name, attribute.value())],
        }
    };
    own.flat_map(split).collect()
}

/// What a property refers to: `#id`, or something elsewhere.
fn references<'a>(name: &str, value: &'a str) -> Vec<&'a str> {
    if name == "href" {
        return vec![value.trim()];
    }
    let inside = value.split("url(").skip(1).filter_map(|rest| rest.split(')').next());
    inside.map(|place| place.trim().trim_matches(['"', '\'']).trim()).collect()
}

/// How many shapes an element stands for, those of its references counted each time.
struct Costs<'n, 'a, 'i> {
    names: &'n Names<'a, 'i>,
    known: BTreeMap<usize, u64>,
}

impl<'a, 'i> Costs<'_, 'a, 'i> {
    fn of_node(&mut self, node: Node<'a, 'i>, depth: usize) -> Result<u64> {
        if let Some(cost) = self.known.get(&node.id().get_usize()) {
            return Ok(*cost);
        }
        if depth > 2 * DEEPEST {
            let what = format!("expected references at most {DEEPEST} deep, and none to itself");
            return Err(refused(&node, what, "draw it once, without references in it"));
        }
        let mut inside = 1u64;
        for child in node.children().filter(Node::is_element) {
            inside = inside.saturating_add(self.of_node(child, depth + 1)?);
        }
        // What paints a group paints each of its shapes; a mark stands at each corner, or at both ends.
        let (mut painted, mut marks) = (1u64, 0u64);
        for (name, value) in properties(&node) {
            for place in references(name, value) {
                let Some(target) = place.strip_prefix('#').and_then(|id| self.names.get(id).copied()) else { continue };
                let cost = self.of_node(target, depth + 1)?;
                let times = match name {
                    "marker-start" | "marker-end" => inside,
                    "marker-mid" | "marker" => corners(&node),
                    _ => {
                        painted = painted.saturating_add(cost);
                        continue;
                    }
                };
                marks = marks.saturating_add(cost.saturating_mul(times));
            }
        }
        let cost = inside.saturating_mul(painted).saturating_add(marks);
        self.known.insert(node.id().get_usize(), cost);
        Ok(cost)
    }
}

/// Corners of the paths in an element, from above: a number each.
fn corners(node: &Node<'_, '_>) -> u64 {
    let numbers =
        |text: &str| text.split(|c: char| !(c.is_ascii_digit() || c == '.')).filter(|one| !one.is_empty()).count();
    let paths = node.descendants().flat_map(|node| [node.attribute("d"), node.attribute("points")]);
    1 + paths.flatten().map(numbers).sum::<usize>() as u64
}

/// Dashes of all lines, from above.
fn dashes(group: &Group) -> f64 {
    let of = |shape: &Shape| match shape {
        Shape::Group(group) => dashes(group),
        Shape::Path(path) => {
            let Some(array) = path.stroke().and_then(|stroke| stroke.dasharray()) else { return 0.0 };
            let period = f64::from(array.iter().sum::<f32>()) / array.len().max(1) as f64;
            let points = path.data().points();
            let length: f64 = points.windows(2).map(|pair| f64::from(pair[0].distance(pair[1]))).sum();
            if period > 0.0 { length / period } else { 0.0 }
        }
        Shape::Image(_) | Shape::Text(_) => 0.0,
    };
    group.children().iter().map(of).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(inside: &str) -> Result<Figure> {
        let text = format!(
            "<?xml version=\"1.0\"?>\n<!DOCTYPE svg PUBLIC \"-//W3C//DTD SVG 1.1//EN\" \"http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd\">\n<svg xmlns=\"{SVG}\" xmlns:xlink=\"http://www.w3.org/1999/xlink\" xmlns:i=\"urn:other\" width=\"40\" height=\"20\">{inside}</svg>"
        );
        figure("a", &text, &Font::open().unwrap())
    }

    #[test]
    fn shapes_texts_gradients_and_marks_are_drawn_at_any_size() {
        let figure = of("<title>Two &lt;boxes&gt;</title><i:note><i:b/></i:note><metadata><x xmlns=\"urn:rdf\"/></metadata><style>.c { fill: url(#g); font-family: Arial }</style>\
                         <defs><linearGradient id=\"g\"><stop offset=\"0\" stop-color=\"#123\"/><stop offset=\"1\"/></linearGradient>\
                         <marker id=\"m\" viewBox=\"0 0 2 2\" markerWidth=\"2\"><path d=\"M0 0L2 1L0 2z\"/></marker></defs>\
                         <rect class=\"c\" x=\"1.25\" y=\"1\" width=\"9.5\" height=\"8\"/><use xlink:href=\"#r\"/><text id=\"r\" x=\"12\" y=\"9\" font-size=\"6\">Käse</text>\
                         <path d=\"M1 15L30 15\" stroke=\"#000\" stroke-dasharray=\"1 2\" marker-end=\"url(#m)\"/>")
            .unwrap();
        let svg = String::from_utf8(figure.svg).unwrap();
        assert!(svg.contains("<title>Two &lt;boxes&gt;</title>") && svg.contains("viewBox=\"0 0 40 20\""), "{svg}");
        assert!(svg.contains("1.25") && svg.contains("id=\"picture-a-") && !svg.contains("<text"), "{svg}");
        assert!(
            figure.page.starts_with("<svg viewBox=\"0 0 40 20\"") && figure.page.contains("picture-a-"),
            "{}",
            figure.page
        );
        // Letters are drawn, whatever font was named.
        let without = of("<rect x=\"1\" y=\"1\" width=\"9\" height=\"8\"/>").unwrap();
        assert!(svg.matches("<path").count() > 3 + String::from_utf8(without.svg).unwrap().matches("<path").count());
        assert!(figure.png.len() > 500 && figure.pdf.starts_with(b"%PDF"));
    }

    #[test]
    fn what_is_no_picture_is_refused_with_its_line() {
        let nested = |depth: usize| format!("{}{}", "<g>".repeat(depth), "</g>".repeat(depth));
        let (deep, deeper) = (nested(40), nested(200_000));
        for (inside, told) in [
            (
                "\n<image href=\"data:image/png;base64,AA\"/>",
                "line 4: expected shapes and texts, found the element `image`",
            ),
            ("<foreignObject/>", "found the element `foreignObject`"),
            ("<script>1</script>", "found the element `script`"),
            ("<g filter=\"url(#f)\"/>", "effects"),
            ("<g style=\"opacity:1; mask : url(#f)\"/>", "effects (`mask`)"),
            ("<g style=\"filter: blur(2px)\"/>", "effects (`filter`)"),
            ("<rect fill=\"url(#none)\" width=\"1\" height=\"1\"/>", "`#none`: no element has this id"),
            ("<use href=\"#none\"/>", "`#none`: no element has this id"),
            ("<g id=\"a\"/><rect id=\"a\"/>", "`a` is the id of two elements"),
            ("<use href=\"/etc/passwd\"/>", "a picture names nothing outside of itself"),
            (
                "<rect fill=\"url(http://x/y#z)\" width=\"1\" height=\"1\"/>",
                "a picture names nothing outside of itself",
            ),
            ("<style>@import 'x'</style>", "a style sheet may set"),
            ("<style>.a{fill:url(#p)}</style><pattern id=\"p\"/>", "a style sheet may set"),
            ("<text>a漢</text>", "the letter `漢` (U+6F22) is not in the font of figures"),
            (&deep, "line 3: expected elements at most 32 deep"),
            (&deeper, "at most 32 deep"),
            ("", "nothing is drawn in it"),
            ("<rect width=\"0\" height=\"1\"/>", "nothing is drawn in it"),
            ("<g id=\"a\"><use href=\"#a\"/></g>", "none to itself"),
            ("<path d=\"M0 0L40000 0\" stroke=\"#000\" stroke-dasharray=\".1\"/>", "dashes"),
        ] {
            let error = format!("{:#}", of(inside).map(|figure| figure.id).unwrap_err());
            assert!(error.starts_with("templates/pictures/a.svg: ") && error.contains(told), "{inside}: {error}");
            assert!(error.contains("\nhint: "), "{error}");
        }
        let bare = "<svg width=\"9\" height=\"9\"/>";
        for (text, told) in [
            ("", "expected an SVG"),
            ("<html/>", "the element `html`"),
            ("no", "expected an SVG"),
            (bare, "<svg xmlns="),
        ] {
            let error = format!("{:#}", figure("a", text, &Font::open().unwrap()).map(|figure| figure.id).unwrap_err());
            assert!(error.contains(told), "{error}");
        }
        let entity = format!("<!DOCTYPE svg [<!ENTITY a \"{}\">]><svg xmlns=\"{SVG}\">&a;</svg>", nested(90_000));
        let error = format!("{:#}", figure("a", &entity, &Font::open().unwrap()).map(|figure| figure.id).unwrap_err());
        assert!(error.contains("an entity with elements") && error.contains("hint: "), "{error}");
        let thin = format!("<svg xmlns=\"{SVG}\" width=\"1\" height=\"9\"><rect width=\"1\" height=\"1\"/></svg>");
        assert!(
            format!("{:#}", figure("a", &thin, &Font::open().unwrap()).map(|figure| figure.id).unwrap_err())
                .contains("widths")
        );
    }

    /// Ten lines that would be ten thousand million shapes.
    #[test]
    fn what_is_drawn_again_through_references_is_counted() {
        let ten = |of: usize, reference: &dyn Fn(usize) -> String| -> String {
            (0..of).map(|level| format!("<g id=\"l{level}\">{}</g>", reference(level + 1).repeat(10))).collect()
        };
        let uses = ten(10, &|next| format!("<use href=\"#l{next}\"/>")) + "<rect id=\"l10\" width=\"1\" height=\"1\"/>";
        let pattern = |level: usize| {
            format!(
                "<pattern id=\"p{level}\" width=\"1\" height=\"1\">{}</pattern>",
                format!("<rect fill=\"url(#p{})\" width=\"1\" height=\"1\"/>", level + 1).repeat(10)
            )
        };
        let patterns: String = (0..10).map(pattern).collect::<String>()
            + "<rect id=\"p10\"/><rect fill=\"url(#p0)\" width=\"9\" height=\"9\"/>";
        let marks = "<marker id=\"m\">".to_owned()
            + &"<rect/>".repeat(90)
            + "</marker><path marker-mid=\"url(#m)\" d=\""
            + &"L1 1".repeat(90)
            + "\"/>";
        // A long line with an arrow at its end is a line and an arrow.
        let line = "L1 1".repeat(20_000);
        let arrow = "<marker id=\"m\"><rect/></marker><path marker-end=\"url(#m)\" stroke=\"#000\" d=\"M0 0";
        of(&format!("{arrow}{line}L40 20\"/>")).unwrap();
        for inside in [uses, patterns, marks] {
            let error = format!("{:#}", of(&inside).map(|figure| figure.id).unwrap_err());
            assert!(error.contains("shapes to be drawn"), "{error}");
        }
    }
}
