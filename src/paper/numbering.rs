//! Numbers for sections, tables, figures and citations, given once in the Markdown text, so every format has the same.
//!
//! The prose writes `## Title` (`## Title {-}` without a number), `[table:ID] Caption` on a line before its table,
//! `![Caption](figure:ID)` on a line of its own, `@table:ID` and `@figure:ID` where it speaks of them, and `[@key; @key]`.

use std::collections::BTreeMap;

use anyhow::{Result, bail, ensure};

use super::references::References;

/// Numbers everything and puts the references at the line `[references]`.
///
/// # Errors
/// A reference to nothing, a table or figure that nothing speaks of, a citation without entry or an entry without one.
pub fn number(text: &str, references: &References) -> Result<String> {
    let numbers = labels(text)?;
    let mut spoken_of = BTreeMap::new();
    let mut cited: Vec<String> = Vec::new();
    let mut sections = [0u32; 2];
    let mut out = String::new();
    for line in text.lines() {
        if line == "[references]" {
            out += &references.list(&cited)?;
        } else if let Some((depth, title)) = heading(line) {
            out += &numbered(depth, title, &mut sections);
        } else if let Some((id, caption)) = table(line) {
            let caption = inline(caption, &numbers, &mut spoken_of, &mut cited)?;
            out += &format!("<a id=\"table-{id}\"></a>**Table {}.** {caption}\n", numbers[&format!("table:{id}")]);
        } else if let Some((caption, id)) = figure(line) {
            let caption = inline(caption, &numbers, &mut spoken_of, &mut cited)?;
            let number = numbers[&format!("figure:{id}")];
            out += &format!(
                "![Figure {number}](figures/{id}.svg)\n\n<a id=\"figure-{id}\"></a>**Figure {number}.** {caption}\n"
            );
        } else {
            out += &inline(line, &numbers, &mut spoken_of, &mut cited)?;
            out.push('\n');
        }
    }
    for label in numbers.keys() {
        ensure!(spoken_of.contains_key(label), "the text never speaks of `@{label}`");
    }
    Ok(out)
}

/// Table and figure labels with their numbers, in order of appearance.
fn labels(text: &str) -> Result<BTreeMap<String, u32>> {
    let (mut tables, mut figures, mut numbers) = (0, 0, BTreeMap::new());
    for line in text.lines() {
        let (label, number) = if let Some((id, _)) = table(line) {
            tables += 1;
            (format!("table:{id}"), tables)
        } else if let Some((_, id)) = figure(line) {
            figures += 1;
            (format!("figure:{id}"), figures)
        } else {
            continue;
        };
        ensure!(numbers.insert(label.clone(), number).is_none(), "`{label}` is there twice");
    }
    Ok(numbers)
}

fn heading(line: &str) -> Option<(usize, &str)> {
    let depth = line.bytes().take_while(|b| *b == b'#').count();
    (2..=3).contains(&depth).then(|| (depth, line[depth..].trim()))
}

fn numbered(depth: usize, title: &str, sections: &mut [u32; 2]) -> String {
    let hashes = "#".repeat(depth);
    if let Some(title) = title.strip_suffix("{-}") {
        return format!("{hashes} {}\n", title.trim_end());
    }
    sections[depth - 2] += 1;
    if depth == 2 {
        sections[1] = 0;
        format!("{hashes} {} {title}\n", sections[0])
    } else {
        format!("{hashes} {}.{} {title}\n", sections[0], sections[1])
    }
}

fn table(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix("[table:")?.split_once("] ")
}

fn figure(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix("![")?.strip_suffix(')')?.rsplit_once("](figure:")
}

/// A line with its citations and references resolved.
fn inline(
    line: &str,
    numbers: &BTreeMap<String, u32>,
    spoken_of: &mut BTreeMap<String, ()>,
    cited: &mut Vec<String>,
) -> Result<String> {
    let (mut out, mut rest) = (String::new(), line);
    while let Some(at) = rest.find('@') {
        let (before, after) = rest.split_at(at);
        // An escaped @ is somebody's text.
        if before.ends_with('\\') {
            out += &rest[..=at];
            rest = &rest[at + 1..];
        } else if let Some(before) = before.strip_suffix('[') {
            let Some((inside, tail)) = after.split_once(']') else { bail!("`{line}`: a citation lacks its `]`") };
            out += before;
            out += &citation(inside, cited);
            rest = tail;
        } else {
            let word = |c: char| c.is_alphanumeric() || "_-:".contains(c);
            let label: String = after[1..].chars().take_while(|c| word(*c)).collect();
            let label = label.trim_end_matches(':');
            let Some(number) = numbers.get(label) else { bail!("`{line}`: there is no table or figure `@{label}`") };
            spoken_of.insert(label.to_owned(), ());
            let kind = if label.starts_with("table:") { "Table" } else { "Figure" };
            out += &format!("{before}[{kind} {number}](#{})", label.replace(':', "-"));
            rest = &after[1 + label.len()..];
        }
    }
    Ok(out + rest)
}

/// `@a; @b` to `[1](#ref-a), [2](#ref-b)` in brackets.
fn citation(inside: &str, cited: &mut Vec<String>) -> String {
    let links: Vec<String> = inside
        .split(';')
        .map(|key| key.trim().trim_start_matches('@').to_owned())
        .map(|key| {
            let place = cited.iter().position(|known| *known == key).unwrap_or_else(|| {
                cited.push(key.clone());
                cited.len() - 1
            });
            format!("[{}](#ref-{key})", place + 1)
        })
        .collect();
    format!("\\[{}\\]", links.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(text: &str) -> Result<String> {
        let numbers = labels(text)?;
        let (mut spoken_of, mut cited) = (BTreeMap::new(), vec![]);
        text.lines()
            .map(|line| inline(line, &numbers, &mut spoken_of, &mut cited))
            .collect::<Result<Vec<_>>>()
            .map(|l| l.join("\n"))
    }

    #[test]
    fn citations_count_from_their_first_appearance() {
        assert_eq!(resolve("x [@b; @a], y [@a]").unwrap(), "x \\[[1](#ref-b), [2](#ref-a)\\], y \\[[2](#ref-a)\\]");
    }

    #[test]
    fn labels_resolve_and_others_are_refused() {
        let text = "[table:one] A\n![B](figure:two)\nsee @table:one: and @figure:two.";
        assert!(resolve(text).unwrap().ends_with("see [Table 1](#table-one): and [Figure 1](#figure-two)."));
        assert!(resolve("see @table:none").unwrap_err().to_string().contains("no table or figure `@table:none`"));
        assert_eq!(resolve("a\\@b").unwrap(), "a\\@b");
    }

    #[test]
    fn sections_are_numbered_unless_told_not_to_be() {
        let mut sections = [0; 2];
        let mut title = |line: &str| heading(line).map(|(depth, title)| numbered(depth, title, &mut sections)).unwrap();
        assert_eq!(title("## Abstract {-}"), "## Abstract\n");
        assert_eq!(title("## Method"), "## 1 Method\n");
        assert_eq!(title("### Runs"), "### 1.1 Runs\n");
        assert_eq!(title("## Results"), "## 2 Results\n");
        assert_eq!(title("### All"), "### 2.1 All\n");
    }
}
