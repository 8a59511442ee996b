//! A Jupyter notebook (.ipynb) -> the blocks of its Markdown cells, each with the number of its cell as its line. Code cells and what
//! they put out are left out.

use serde_json::Value;

use super::flow::{self, Flow, Lines};
use super::{Block, Document, LeftOut, Place, markdown};

pub fn read(source: &str, file: usize, into: &mut Document) -> Result<(), String> {
    let notebook: Value = serde_json::from_str(source).map_err(|error| format!("not a notebook: {error}"))?;
    let cells = cells(&notebook).ok_or("not a notebook: it has no cells")?;
    let (mut code, mut tables, mut first) = (0usize, 0usize, None);
    for (cell, line) in cells.into_iter().zip(1..) {
        let place = Place { file, line };
        match cell.get("cell_type").and_then(Value::as_str) {
            Some("markdown") => markdown::read_with(&text(cell.get("source")), &Lines::fixed(place), into),
            // Of the format before 2014.
            Some("heading") => {
                let mut flow = Flow::default();
                flow.add(&text(cell.get("source")), place);
                flow.end(&mut into.blocks, Block::Heading);
            }
            Some("code") => {
                code += 1;
                tables += html_tables(cell);
                first.get_or_insert(place);
            }
            _ => {}
        }
    }
    if let Some(place) = first {
        let what = flow::counted(code, "code cell and its outputs", "code cells and their outputs");
        into.left_out.push(LeftOut { place, why: what });
        if tables > 0 {
            let why =
                flow::counted(tables, "table in the outputs of code cells", "tables in the outputs of code cells");
            into.left_out.push(LeftOut { place, why });
        }
    }
    Ok(())
}

fn cells(notebook: &Value) -> Option<Vec<&Value>> {
    if let Some(cells) = notebook.get("cells").and_then(Value::as_array) {
        return Some(cells.iter().collect());
    }
    let sheets = notebook.get("worksheets")?.as_array()?;
    Some(sheets.iter().filter_map(|sheet| sheet.get("cells")?.as_array()).flatten().collect())
}

/// A string, or its lines.
fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(lines)) => lines.iter().filter_map(Value::as_str).collect(),
        _ => String::new(),
    }
}

fn html_tables(cell: &Value) -> usize {
    let outputs = cell.get("outputs").and_then(Value::as_array);
    let tables = outputs.into_iter().flatten().filter_map(|output| output.get("data")?.get("text/html"));
    tables.map(|html| text(Some(html)).matches("<table").count()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::document::flow::shown;

    #[test]
    fn cells_are_read() {
        let source = r##"{"cells": [
            {"cell_type": "markdown", "source": ["# A\n", "\n", "b $3 \\times 4$"]},
            {"cell_type": "code", "source": "1 + 1", "outputs": [{"data": {"text/html": ["<table>", "</table>"]}}]},
            {"cell_type": "markdown", "source": "|a|b|\n|-|-|\n|1|2|\n\n<p>c</p>"}]}"##;
        let mut document = Document::default();
        assert_eq!(read(source, 0, &mut document), Ok(()));
        assert_eq!(shown(&document), "H1 A\nP1 b 3 × 4\nT a | b\n3 1 | 2\nP3 c\n");
        let why: Vec<_> = document.left_out.iter().map(|left| left.why.as_str()).collect();
        assert_eq!(why, ["1 code cell and its outputs", "1 table in the outputs of code cells"]);
    }

    #[test]
    fn no_notebook() {
        for source in ["", "{", "[]", "{}", "5", &"[".repeat(100_000)] {
            assert!(read(source, 0, &mut Document::default()).is_err());
        }
    }
}
