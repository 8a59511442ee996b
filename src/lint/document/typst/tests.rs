//! What is printed of the constructions that papers use.

use super::*;

fn document(source: &str) -> Document {
    let mut into = Document::default();
    read(source, 0, &mut into);
    into
}

fn texts(source: &str) -> Vec<String> {
    let shown = document(source).blocks.into_iter().map(|block| match block {
        Block::Heading(text) => format!("# {}", text.text),
        Block::Prose(text) if text.item => format!("* {}", text.text),
        Block::Prose(text) => text.text,
        Block::Table(table) => {
            format!(
                "{:?} {:?} {:?}",
                table.caption.text,
                table.header,
                table.rows.iter().map(|row| &row.cells).collect::<Vec<_>>()
            )
        }
    });
    shown.collect()
}

#[test]
fn parts_of_a_paper() {
    let source = "= One <a>\nA *bold* _word_ `code` \\# 2--3~s.#footnote[Note.] // no\nNext line.\n\nTwo @ref.\n- item\n+ second\n";
    assert_eq!(
        texts(source),
        ["# One", "A bold word # 2–3\u{a0}s. Next line.", "Note.", "Two .", "* item", "* second"]
    );
    let source = "#let x = 1.2\n#let name = [the *best*]\n#set page(width: 2cm)\nIt is #x s, #name. #strike[old] #text(fill: red)[new]";
    assert_eq!(texts(source), ["It is 1.2 s, the best. new"]);
}

#[test]
fn math_is_plain_text() {
    let source =
        "$3 times 3 = 9$, $10^(-3)$, $a/b$, $frac(12, 48)$, $plus.minus 2$, $x_1 <= 2$, $4.2 times$, $mu$, $(a + b)/2$";
    assert_eq!(texts(source), ["3 × 3 = 9, 10^-3, a/b, 12/48, ± 2, x_1 ≤ 2, 4.2 ×, µ, (a + b)/2"]);
    assert_eq!(texts("So $ a &= 2 \\ b &= 3. $ End"), ["So a = 2. b = 3. End"]);
    assert_eq!(texts("#qty(\"2.68\", \"s\") #num(\"1e5\")"), ["2.68 s 1 × 10^5"]);
}

#[test]
fn tables() {
    let source = "#figure(table(columns: (auto, 1fr, 1fr),\n table.header([A], table.cell(colspan: 2)[B]), table.hline(),\n table.cell(rowspan: 2)[x], [1], [2],\n [3], $4$), caption: [Cap])";
    assert_eq!(texts(source), ["\"Cap\" [\"A\", \"B\", \"B\"] [[\"x\", \"1\", \"2\"], [\"x\", \"3\", \"4\"]]", "Cap"]);
    assert_eq!(texts("#table(columns: 2, [A], [B], [1], \"2\")"), ["\"\" [\"A\", \"B\"] [[\"1\", \"2\"]]"]);
}

#[test]
fn what_is_not_read_is_said() {
    let read = document(
        "// offprint-lint: ignore sum rounded\n#include \"a.typ\"\n#import \"@preview/x:1.0.0\": y\n#if x [no]",
    );
    assert_eq!(read.silenced[0].rule, "sum");
    assert_eq!(read.left_out.len(), 2);
    assert_eq!(read.left_out[0].place.line, 2);
}

#[test]
fn odd_sources_are_harmless() {
    let long = 20_000;
    let deep = [
        "#(".to_owned() + &"1+".repeat(long),
        "#".to_owned() + &"(".repeat(long),
        "$".to_owned() + &"a_".repeat(long),
        "#x".to_owned() + &".a".repeat(long),
        "#[".repeat(long),
        "$".to_owned() + &"a/".repeat(long),
        "*_".repeat(long),
        "$".to_owned() + &"f(".repeat(long),
    ];
    for source in deep.iter().map(String::as_str).chain([
        "#",
        "#table(",
        "#table(columns: 0, [a])",
        "#figure()",
        "#let",
        "$",
        "\\",
        "\u{feff}= é",
    ]) {
        document(source);
    }
}
