//! Numbers for sections, tables, figures and citations, given once, so that every format has the same: in a text in which they are printed,
//! and in one that names what is meant (labels and keys) for formats that number by themselves, as LaTeX's classes do.
//!
//! The prose writes `## Title` (`## Title {-}` without a number), `[table:ID] Caption` on a line before its table,
//! `![Caption](figure:ID)` on a line of its own, `@table:ID` and `@figure:ID` where it speaks of them, and `[@key; @key]`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use super::{lost::Lost, marks::strip, references::References};

/// A text in two forms, both Markdown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Numbered {
    /// Every number stands in the text: `## 2 Method`, `**Table 1.** ...`, `[Table 1](#table-x)`, `\[[3](#ref-key)\]`.
    pub printed: String,
    /// None does: `## <a id="section-method"></a>Method` (a heading without an anchor has no number), `<a id="table-x"></a>...` before a
    /// caption, `[Table](#table-x)`, `[](<cite:key,key>)`, and `<a id="references"></a>` before the list of references.
    pub symbolic: String,
}

impl Numbered {
    /// The same in both.
    fn both(&mut self, text: &str) {
        self.printed += text;
        self.symbolic += text;
    }

    fn each(&mut self, printed: &str, symbolic: &str) {
        self.printed += printed;
        self.symbolic += symbolic;
    }

    /// What comes is no part of the table before it.
    fn apart(&mut self) {
        for text in [&mut self.printed, &mut self.symbolic] {
            if !text.is_empty() && !text.ends_with("\n\n") {
                text.push('\n');
            }
        }
    }
}

/// What the caption of a picture says beside its author's words.
const DRAWN_ELSEWHERE: &str = "Drawn by the authors; not made from the records.";

/// Numbers everything and puts the references at the line `[references]`. The figures in `pictures` are none of records.
///
/// # Errors
/// A reference to nothing, a table or figure that nothing speaks of, a citation without entry or an entry without one.
pub fn number(text: &str, references: &References, pictures: &[&str]) -> Result<Numbered> {
    let text = &with_plain_labels(text);
    let mut known = Known { numbers: labels(text)?, references: Some(references), ..Known::default() };
    let mut sections = Sections::default();
    let (mut out, mut listed) = (Numbered::default(), false);
    for (line, is_code) in lines(text) {
        if is_code {
            out.both(line);
            out.both("\n");
        } else if line == "[references]" {
            let list = references.list(&known.cited)?;
            listed = true;
            out.each(&list, &format!("<a id=\"references\"></a>\n\n{list}"));
        } else if let Some((depth, title)) = heading(line) {
            if let Some(written) = reference_in(title) {
                let hint = "contents and anchors take a heading as it stands: write it in the text below; `\\@` is the sign itself";
                return Err(
                    Lost::new(format!("`{title}`: a heading has no reference, found `{written}`"), line, hint).into()
                );
            }
            let title = sections.next(depth, title);
            out.each(&title.printed, &title.symbolic);
        } else if let Some((id, caption)) = table(line) {
            let caption = inline(caption, &mut known)?;
            let (anchor, number) = (format!("<a id=\"table-{id}\"></a>"), known.numbers[&format!("table:{id}")]);
            out.each(
                &format!("{anchor}**Table {number}.** {}\n", caption.printed),
                &format!("{anchor}{}\n", caption.symbolic),
            );
        } else if let Some((caption, id)) = figure(line) {
            let mut caption = inline(caption, &mut known)?;
            if pictures.contains(&id) {
                let ends = caption.printed.trim_end().ends_with(['.', '!', '?', '。']);
                caption.both(if ends { " " } else { ". " });
                caption.both(DRAWN_ELSEWHERE);
            }
            let number = known.numbers[&format!("figure:{id}")];
            let (file, anchor) = (format!("figures/{id}.svg"), format!("<a id=\"figure-{id}\"></a>"));
            out.apart();
            out.each(
                &format!("![Figure {number}]({file})\n\n{anchor}**Figure {number}.** {}\n", caption.printed),
                &format!("![]({file})\n\n{anchor}{}\n", caption.symbolic),
            );
        } else {
            let line = inline(line, &mut known)?;
            out.each(&line.printed, &line.symbolic);
            out.both("\n");
        }
    }
    for label in known.numbers.keys() {
        if !known.spoken_of.contains(label) {
            let (kind, id) = label.split_once(':').unwrap_or(("table", label));
            let written = if kind == "table" { format!("[table:{id}]") } else { format!("](figure:{id})") };
            let hint = format!("say in the text what it shows: ... (@{label})");
            return Err(Lost::new(format!("the text never speaks of `@{label}`"), written, hint).into());
        }
    }
    if let Some(key) = known.cited.first().filter(|_| !listed) {
        let hint = "put [references] on a line of its own where the list is to be";
        return Err(Lost::new(format!("`@{key}` is cited, and there is no list"), format!("@{key}"), hint).into());
    }
    Ok(out)
}

/// The figures that a text shows, by id.
pub(super) fn figures(text: &str) -> Vec<String> {
    let text = with_plain_labels(text);
    lines(&text).filter(|(_, is_code)| !is_code).filter_map(|(line, _)| Some(figure(line)?.1.to_owned())).collect()
}

/// A value of a template has its signs escaped, which a label (`table:at\_once`) must not have.
fn with_plain_labels(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = ["table:", "figure:"].iter().filter_map(|kind| Some(rest.find(kind)? + kind.len())).min() {
        let end =
            rest[at..].find(|c: char| !(c.is_alphanumeric() || "_-\\".contains(c))).map_or(rest.len(), |end| at + end);
        out += &rest[..at];
        out += &rest[at..end].replace("\\_", "_");
        rest = &rest[end..];
    }
    out + rest
}

/// So many characters before a sign tell it from others like it.
const NEAR: usize = 12;

/// What a text refers to, and has referred to so far.
#[derive(Default)]
struct Known<'a> {
    references: Option<&'a References>,
    /// Of tables and figures.
    numbers: BTreeMap<String, u32>,
    spoken_of: BTreeSet<String>,
    /// Keys, the first citation first.
    cited: Vec<String>,
}

/// Table and figure labels with their numbers, in order of appearance.
fn labels(text: &str) -> Result<BTreeMap<String, u32>> {
    let (mut tables, mut figures, mut numbers) = (0, 0, BTreeMap::new());
    for line in lines(text).filter_map(|(line, is_code)| (!is_code).then_some(line)) {
        let (label, number) = if let Some((id, _)) = table(line) {
            tables += 1;
            (format!("table:{id}"), tables)
        } else if let Some((_, id)) = figure(line) {
            figures += 1;
            (format!("figure:{id}"), figures)
        } else {
            continue;
        };
        if numbers.insert(label.clone(), number).is_some() {
            return Err(Lost::new(format!("`{label}` is there twice"), label, "give each a name of its own").into());
        }
    }
    Ok(numbers)
}

/// The lines of a text, and whether each is code: in a block between fences nothing is a heading, a label or a reference.
fn lines(text: &str) -> impl Iterator<Item = (&str, bool)> {
    let mut fence: Option<&str> = None;
    text.lines().map(move |line| {
        let begins = line.trim_start();
        let length = |sign: char| begins.chars().take_while(|c| *c == sign).count();
        let mark = ['`', '~'].into_iter().map(length).find(|length| *length >= 3).map(|length| &begins[..length]);
        match (fence, mark) {
            (None, Some(mark)) => fence = Some(mark),
            (Some(open), Some(mark)) if mark.starts_with(open) && begins.trim_end() == mark => fence = None,
            (Some(_), _) => {}
            (None, None) => return (line, false),
        }
        (line, true)
    })
}

/// Where a span of code ends that begins at the start of the text, if it ends.
fn code_span(text: &str) -> Option<usize> {
    let marks = &text[..text.bytes().take_while(|byte| *byte == b'`').count()];
    let mut rest = marks.len();
    loop {
        rest += text[rest..].find(marks)?;
        let run = text[rest..].bytes().take_while(|byte| *byte == b'`').count();
        rest += run;
        if run == marks.len() {
            return Some(rest);
        }
    }
}

/// `@key` or `@table:x` outside of code.
fn reference_in(title: &str) -> Option<&str> {
    let mut at = 0;
    while let Some(next) = title[at..].find(['@', '`', '\\']).map(|next| at + next) {
        let rest = &title[next..];
        at = next
            + match rest.as_bytes()[0] {
                b'`' => code_span(rest).unwrap_or(1),
                b'\\' => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
                _ => {
                    let end = rest.find(|c: char| c.is_whitespace() || "];,)".contains(c)).unwrap_or(rest.len());
                    return Some(&rest[..end]);
                }
            };
    }
    None
}

fn heading(line: &str) -> Option<(usize, &str)> {
    let depth = line.bytes().take_while(|b| *b == b'#').count();
    (2..=3).contains(&depth).then(|| (depth, line[depth..].trim()))
}

/// Headings so far.
#[derive(Default)]
struct Sections {
    numbers: [u32; 2],
    labels: BTreeSet<String>,
}

/// `section-machine-and-software`, and the next of that title `section-machine-and-software-2`.
pub(super) fn anchor(title: &str, taken: &mut BTreeSet<String>) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { ' ' };
    let words: String = title.chars().map(plain).take(60).collect();
    let label = std::iter::once("section").chain(words.split_whitespace()).collect::<Vec<_>>().join("-");
    let others = (2..).map(|n| format!("{label}-{n}"));
    let free = std::iter::once(label.clone()).chain(others).find(|label| !taken.contains(label));
    let free = free.unwrap_or(label);
    taken.insert(free.clone());
    free
}

impl Sections {
    fn next(&mut self, depth: usize, title: &str) -> Numbered {
        let hashes = "#".repeat(depth);
        // An abstract has no number in any paper, whether its author thought of that or not.
        if let Some(title) = title.strip_suffix("{-}").or_else(|| Some(title).filter(|title| *title == "Abstract")) {
            let line = format!("{hashes} {}\n", title.trim_end());
            return Numbered { printed: line.clone(), symbolic: line };
        }
        let [section, subsection] = &mut self.numbers;
        let number = if depth == 2 {
            (*section, *subsection) = (*section + 1, 0);
            section.to_string()
        } else {
            *subsection += 1;
            format!("{section}.{subsection}")
        };
        Numbered {
            printed: format!("{hashes} {number} {title}\n"),
            symbolic: format!("{hashes} <a id=\"{}\"></a>{title}\n", anchor(&strip(title), &mut self.labels)),
        }
    }
}

fn table(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix("[table:")?.split_once("] ")
}

fn figure(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix("![")?.strip_suffix(')')?.rsplit_once("](figure:")
}

/// A line with its citations and references resolved.
fn inline(line: &str, known: &mut Known<'_>) -> Result<Numbered> {
    let (mut out, mut rest) = (Numbered::default(), line);
    while let Some(at) = rest.find('@') {
        if let Some(code) = rest[..at].find('`') {
            // A span of code stands as it is; a sign that is escaped, or that opens nothing, is a sign.
            let is_span = !rest[..code].ends_with('\\');
            let end = code_span(&rest[code..]).filter(|_| is_span).map_or(code + 1, |end| code + end);
            out.both(&rest[..end]);
            rest = &rest[end..];
            continue;
        }
        let (before, after) = rest.split_at(at);
        // An escaped @ is somebody's text.
        if before.ends_with('\\') {
            out.both(&rest[..=at]);
            rest = &rest[at + 1..];
        } else if let Some(before) = before.strip_suffix('[') {
            let Some((inside, tail)) = after.split_once(']') else {
                let written = format!("[{after}");
                return Err(Lost::new(format!("`{line}`: a citation lacks its `]`"), written, "[@key; @other]").into());
            };
            let keys: Vec<&str> = inside.split(';').map(|key| key.trim().trim_start_matches('@')).collect();
            out.both(before);
            out.each(&citation(&keys, &mut known.cited), &format!("[](<cite:{}>)", keys.join(",")));
            rest = tail;
        } else {
            let word = |c: char| c.is_alphanumeric() || "_-:".contains(c);
            let label: String = after[1..].chars().take_while(|c| word(*c)).collect();
            let label = label.trim_end_matches(':');
            let Some(number) = known.numbers.get(label) else {
                // With what stands before it: the same sign may be right elsewhere.
                let near = before.char_indices().rev().nth(NEAR - 1).map_or(0, |(at, _)| at);
                let near = format!("{}@{label}", &before[near..]);
                let key = label.trim_end_matches(|c: char| !c.is_alphanumeric());
                if known.references.is_some_and(|references| references.has(key)) {
                    let what = format!("`@{key}`: an entry is cited in brackets that have keys alone");
                    let hint = format!("[@{key}], or [@{key}; @other]; a name or a page stands in the text beside it");
                    return Err(Lost::new(what, format!("@{label}"), hint).near(near).into());
                }
                let known: Vec<String> = known.numbers.keys().map(|label| format!("@{label}")).collect();
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                let hint = format!("there are {known}; `\\@` is the sign itself");
                let what = format!("there is no table or figure `@{label}`");
                return Err(Lost::new(what, format!("@{label}"), hint).near(near).into());
            };
            known.spoken_of.insert(label.to_owned());
            let kind = if label.starts_with("table:") { "Table" } else { "Figure" };
            let target = label.replace(':', "-");
            out.both(before);
            out.each(&format!("[{kind} {number}](#{target})"), &format!("[{kind}](#{target})"));
            rest = &after[1 + label.len()..];
        }
    }
    out.both(rest);
    Ok(out)
}

/// `a`, `b` to `[1](#ref-a), [2](#ref-b)` in brackets.
fn citation(keys: &[&str], cited: &mut Vec<String>) -> String {
    let link = |key: &&str| {
        let place = cited.iter().position(|known| known == key).unwrap_or_else(|| {
            cited.push((*key).to_owned());
            cited.len() - 1
        });
        format!("[{}](#ref-{key})", place + 1)
    };
    let links: Vec<String> = keys.iter().map(link).collect();
    format!("\\[{}\\]", links.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(text: &str) -> Result<Numbered> {
        let mut known = Known { numbers: labels(text)?, ..Known::default() };
        let lines = text.lines().map(|line| inline(line, &mut known)).collect::<Result<Vec<_>>>()?;
        let join = |form: fn(&Numbered) -> &str| lines.iter().map(form).collect::<Vec<_>>().join("\n");
        Ok(Numbered { printed: join(|line| &line.printed), symbolic: join(|line| &line.symbolic) })
    }

    #[test]
    fn a_picture_s_caption_says_that_no_record_is_in_it() {
        let text = "@figure:a @figure:b\n![A box](figure:a)\n![B](figure:b)\n";
        let found = number(text, &References::new("").unwrap(), &["a"]).unwrap();
        for text in [&found.printed, &found.symbolic] {
            assert!(text.contains("A box. Drawn by the authors; not made from the records.\n"), "{text}");
            assert_eq!(text.matches("Drawn by").count(), 1, "{text}");
        }
    }

    #[test]
    fn citations_count_from_their_first_appearance() {
        let found = resolve("x [@b; @a], y [@a]").unwrap();
        assert_eq!(found.printed, "x \\[[1](#ref-b), [2](#ref-a)\\], y \\[[2](#ref-a)\\]");
        assert_eq!(found.symbolic, "x [](<cite:b,a>), y [](<cite:a>)");
    }

    #[test]
    fn labels_resolve_and_others_are_refused() {
        let text = "[table:one] A\n![B](figure:two)\nsee @table:one: and @figure:two.";
        let found = resolve(text).unwrap();
        assert!(found.printed.ends_with("see [Table 1](#table-one): and [Figure 1](#figure-two)."));
        assert!(found.symbolic.ends_with("see [Table](#table-one): and [Figure](#figure-two)."));
        let refused = resolve("see @table:none").unwrap_err().to_string();
        assert!(refused.contains("no table or figure `@table:none`"));
        assert_eq!(resolve("a\\@b").unwrap(), Numbered { printed: "a\\@b".into(), symbolic: "a\\@b".into() });
    }

    #[test]
    fn a_label_may_have_an_underscore_that_a_value_has_escaped() {
        let text = "see @table:at\\_once\n\n[table:at\\_once] By a\\_b\n";
        let found = number(text, &References::new("").unwrap(), &[]).unwrap();
        assert!(
            found.printed.contains("[Table 1](#table-at_once)") && found.printed.contains("By a\\_b"),
            "{}",
            found.printed
        );
    }

    #[test]
    fn code_is_left_alone() {
        let same = |text: &str| {
            let found = resolve(text).unwrap();
            assert_eq!((found.printed.as_str(), found.symbolic.as_str()), (text, text));
        };
        same("`ssh ada@host` and ``a`@b`` and `x`, a \\` sign` \\@");
        assert!(resolve("`never closed @host").is_err() && resolve("\\`a@b\\`").is_err());
        let text = "```sh\n## no heading\nssh ada@host # [@key]\n[table:x] no table\n```\n## A\n~~~~\n~~~\n@b\n~~~~\n";
        let found = number(text, &References::new("").unwrap(), &[]).unwrap();
        assert_eq!(found.printed, text.replace("## A", "## 1 A"));
    }

    #[test]
    fn sections_are_numbered_unless_told_not_to_be() {
        let mut sections = Sections::default();
        let mut title = |line: &str| heading(line).map(|(depth, title)| sections.next(depth, title)).unwrap();
        let mut is = |line: &str, printed: &str, symbolic: &str| {
            assert_eq!(title(line), Numbered { printed: format!("{printed}\n"), symbolic: format!("{symbolic}\n") });
        };
        is("## Abstract {-}", "## Abstract", "## Abstract");
        is("## Abstract", "## Abstract", "## Abstract");
        is("## Method", "## 1 Method", "## <a id=\"section-method\"></a>Method");
        is("### Runs, too", "### 1.1 Runs, too", "### <a id=\"section-runs-too\"></a>Runs, too");
        is("## Results", "## 2 Results", "## <a id=\"section-results\"></a>Results");
        is("### Method", "### 2.1 Method", "### <a id=\"section-method-2\"></a>Method");
        is("## 語", "## 3 語", "## <a id=\"section\"></a>語");
    }

    #[test]
    fn a_heading_has_no_reference() {
        let none = References::new("").unwrap();
        for title in ["### Sub [@nokey] x", "## After @figure:nope", "## A \\` and @b`"] {
            let error = number(title, &none, &[]).unwrap_err().to_string();
            assert!(error.contains("a heading has no reference"), "{title}: {error}");
        }
        for title in ["## The `a@b` host", "## a\\@b"] {
            number(title, &none, &[]).unwrap();
        }
    }

    #[test]
    fn a_figure_is_no_row_of_the_table_before_it() {
        let text = "@table:a @figure:f\n[table:a] A\n\n| x |\n|---|\n| 1 |\n![B](figure:f)\n";
        let found = number(text, &References::new("").unwrap(), &[]).unwrap();
        assert!(found.printed.contains("| 1 |\n\n![Figure 1](figures/f.svg)\n"), "{}", found.printed);
        assert!(
            found.symbolic.contains("| 1 |\n\n![](figures/f.svg)\n\n<a id=\"figure-f\"></a>B\n"),
            "{}",
            found.symbolic
        );
    }
}
