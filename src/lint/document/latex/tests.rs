//! What is printed of the constructions that papers use.

use super::*;

fn document(source: &str) -> Document {
    let mut into = Document { files: vec!["paper.tex".to_owned()], ..Document::default() };
    read(source, 0, &mut |name| Err(format!("no {name}")), &mut into);
    into
}

/// Headings after `#`, items after `*`.
fn texts(source: &str) -> Vec<String> {
    let shown = document(source).blocks.into_iter().map(|block| match block {
        Block::Heading(text) => format!("# {}", text.text),
        Block::Prose(text) if text.item => format!("* {}", text.text),
        Block::Prose(text) => text.text,
        Block::Table(table) => {
            format!("{:?} {:?}", table.header, table.rows.iter().map(|row| &row.cells).collect::<Vec<_>>())
        }
    });
    shown.collect()
}

fn prose(source: &str) -> String {
    texts(source).join("|")
}

fn table(rows: &str) -> Table {
    let source = format!("\\begin{{tabular}}{{lrr}}\n{rows}\n\\end{{tabular}}");
    let table = document(&source).blocks.into_iter().find_map(|block| match block {
        Block::Table(table) => Some(table),
        _ => None,
    });
    table.unwrap_or_default()
}

fn cells(table: &Table) -> Vec<Vec<&str>> {
    table.rows.iter().map(|row| row.cells.iter().map(String::as_str).collect()).collect()
}

#[test]
fn numbers_and_units() {
    assert_eq!(
        prose("\\SI{2.68}{\\second} \\qty{80}{\\percent}, \\qty[x=y]{51.9}{tok/s}."),
        "2.68 s 80 %, 51.9 tok/s."
    );
    assert_eq!(prose("\\num{1200} \\num{1e5} \\SI{3}{\\kibi\\byte\\per\\second}"), "1200 1 × 10^5 3 KiB/s");
    assert_eq!(
        prose("\\SIrange{1}{2}{\\milli\\second}, \\numrange{3}{4} \\ang{45} \\si{\\watt}"),
        "1 to 2 ms, 3 to 4 45° W"
    );
    assert_eq!(prose("$\\SI{5}{\\micro\\second}$ and \\SI{12}{\\token\\per\\second}"), "5 µs and 12 tok/s");
}

#[test]
fn math_is_plain_text() {
    assert_eq!(prose("$4.2\\times$ at $\\sim$5 or $\\sim 5$, $\\pm 2$."), "4.2× at ~5 or ~5, ±2.");
    assert_eq!(prose("$1\\,200 + 800 = 2\\,000$, $1{,}200$"), "1\u{202f}200 + 800 = 2\u{202f}000, 1,200");
    assert_eq!(prose("$3 \\times 3$ $3\\times3$ $3\\times 3$"), "3 × 3 3×3 3 × 3");
    assert_eq!(
        prose("$\\frac{12}{48}$ $\\frac12$ $\\frac{a+b}{2}$ $10^{-3}$ $10^5$ $5^{th}$ $90^\\circ$"),
        "12/48 1/2 (a+b)/2 10^-3 10^5 5th 90°"
    );
    assert_eq!(prose("$n_{\\text{runs}} = 3$ $x_1 \\le 2$ $a \\to b$ $\\log n$"), "n_runs = 3 x_1 ≤ 2 a → b log n");
    assert_eq!(prose("\\(2 \\approx 3\\) \\ensuremath{\\pm}2 $\\left. x \\right|$"), "2 ≈ 3 ±2 x |");
    assert_eq!(prose("So\n\\[ a = 2 \\]\nand $$b = 3.$$ End"), "So a = 2. and b = 3. End");
    assert_eq!(
        prose("\\begin{align}\n n &= 3 \\times 3 \\\\\n &= 9 \\\\ m &= 2 \n\\end{align}"),
        "n = 3 × 3 = 9. m = 2."
    );
}

#[test]
fn commands_of_text() {
    assert_eq!(
        prose("\\textbf{a} \\textcolor{red}{b} {\\color{blue}c} \\href{http://x%20y}{d} \\url{http://2+2=5}e"),
        "a b c d e"
    );
    assert_eq!(
        prose("See~\\cite[p.~3]{x} \\ref{2+2=5}.\\label{y} 5\\,\\% \\& \\_ \\# \\$ --- a--b ``q''"),
        "See\u{a0} . 5\u{202f}% & _ # $ — a–b “q”"
    );
    assert_eq!(prose("Gr\\\"o\\ss e \\'{e} \\c{c} na\\\"{\\i}ve \\~n"), "Größe é ç naïve ñ");
    assert_eq!(
        prose("a\\\\b\\\\[2pt]c \\unknown{kept} \\verb|2 + 2 = 5| \\lstinline{x = 3}d \\ldots"),
        "a b c kept d …"
    );
    assert_eq!(
        prose("10\\textsuperscript{5} note\\textsuperscript{a} \\sout{old} \\texorpdfstring{new}{x}"),
        "10^5 notea new"
    );
}

#[test]
fn parts_of_a_paper() {
    let source = "\\section*[s]{One}\\label{x} Text.\\footnote{Note.} More.\n\nNext \\emph{one}.\\par Last.\n\\begin{itemize}\\item A\n\\item[B] b\\end{itemize} End";
    assert_eq!(texts(source), ["# One", "Text. More.", "Note.", "Next one.", "Last.", "* A", "* B b", "End"]);
    let source =
        "\\newcommand{\\x}{2}\\title{T}\nnot this\\begin{document}\\maketitle A \\x{} b.\\end{document} nor this";
    assert_eq!(texts(source), ["# T", "A 2 b."]);
}

#[test]
fn what_is_no_text() {
    let source = "a\\iffalse x \\ifx\\a\\b y \\else z \\fi \\fi b % c\n\\begin{verbatim}\n3 = 4\n\\end{verbatim}\nc\\begin{tikzpicture}x\\end{tikzpicture}";
    let read = document(source);
    assert_eq!(prose(source), "ab c");
    assert_eq!(read.left_out[0].why, "a drawing (tikzpicture)");
    assert_eq!(
        prose("\\newif\\ifdraft \\ifdraft no\\else yes\\fi{} \\drafttrue \\ifdraft yes\\else no\\fi"),
        "yes yes"
    );
}

#[test]
fn commands_of_the_papers_own() {
    assert_eq!(
        prose("\\newcommand\\a[2][x]{#1-#2}\\a{1} \\a[y]{2} \\def\\b#1{<#1>}\\b{3} \\let\\c=\\b \\c4"),
        "x-1 y-2 <3> <4>"
    );
    assert_eq!(
        prose("\\newcommand{\\ours}{Ours\\xspace}\\ours is \\ours. \\providecommand\\ours{x}\\ours"),
        "Ours is Ours. Ours"
    );
    assert_eq!(prose("\\newenvironment{box}[1]{(#1) }{ end}\\begin{box}{T}in\\end{box}"), "(T) in end");
    assert_eq!(prose("\\NewDocumentCommand{\\z}{O{5} m}{#1/#2}\\z{6} \\z[7]{8}"), "5/6 7/8");
}

#[test]
fn commands_that_stand_for_themselves_end() {
    for source in ["\\def\\a{\\a}\\a", "\\def\\a{\\a\\a}\\a", "\\def\\a{x\\a x}\\a", "\\def\\a#1{\\a{#1#1}}\\a{xyz}"] {
        assert!(document(source).left_out.iter().any(|left| left.why.contains("stand for too much")), "{source}");
    }
}

#[test]
fn files_are_taken_in() {
    let mut into = Document { files: vec!["m".to_owned()], ..Document::default() };
    let mut include = |name: &str| match name {
        "a" => Ok(("a.tex".to_owned(), "in\nside \\input d/b.tex ".to_owned())),
        "s" => Ok(("s.tex".to_owned(), "no\\begin{document}sub\\end{document}no".to_owned())),
        _ => Err("it is missing".to_owned()),
    };
    read("x \\input{a} y \\subfile{s} z\n", 0, &mut include, &mut into);
    let Block::Prose(text) = &into.blocks[0] else { panic!("no paragraph") };
    assert_eq!(text.text, "x in side y");
    assert_eq!(text.place(5), Place { file: 1, line: 2 });
    assert_eq!(
        into.left_out[0],
        LeftOut { place: Place { file: 1, line: 2 }, why: "\\input{d/b.tex}: it is missing".to_owned() }
    );
    assert_eq!(into.files, ["m", "a.tex", "s.tex"]);
}

#[test]
fn rows_end_however_they_are_ended() {
    let read = table(
        "\\toprule\nA & B \\\\\\midrule\na & 1 \\\\[2pt]\nb\n & 2 \\\\ % c\nc & 3 \\tabularnewline \\addlinespace[1pt]\n\\rowcolor{gray} d & \\num{4} \\\\ \\cmidrule(lr){1-2} e & {5} \\cr \\bottomrule",
    );
    assert_eq!(read.header, ["A", "B"]);
    assert_eq!(cells(&read), [["a", "1"], ["b", "2"], ["c", "3"], ["d", "4"], ["e", "5"]]);
    assert_eq!(read.rows.iter().map(|row| row.ruled).collect::<Vec<_>>(), [true, false, false, false, true]);
    assert_eq!(read.rows[1].place.line, 5);
}

#[test]
fn cells_span_columns_and_rows() {
    let read = table(
        "& \\multicolumn{2}{c}{Time} \\\\ \\cmidrule(lr){2-3} \\multirow{2}{*}{M} & Mean & SD \\\\ & (s) & (s) \\\\ \\midrule \\multirow{2}{*}{A} & 1 & 2 \\\\ & 3 & 4 \\\\ \\hline \\multicolumn{2}{l}{x} & 5 \\\\",
    );
    assert_eq!(read.header, ["M", "Time Mean (s)", "Time SD (s)"]);
    assert_eq!(cells(&read), [["A", "1", "2"], ["A", "3", "4"], ["x", "", "5"]]);
}

#[test]
fn tables_have_captions_and_may_be_within_others() {
    let source = "\\begin{table}\\caption[s]{Cap}\\resizebox{\\textwidth}{!}{\\begin{tabular}{ll} \\begin{tabular}{c}a\\\\b\\end{tabular} & \\makecell{c\\\\d} \\\\ \\hline 1 & 2\\\\\\end{tabular}}\\end{table}";
    assert_eq!(texts(source), ["Cap", "[\"a b\", \"c d\"] [[\"1\", \"2\"]]"]);
    let read = document(source);
    assert!(matches!(&read.blocks[1], Block::Table(table) if table.caption.text == "Cap"));
    let source = "\\begin{longtable}{ll}\\caption{L}\\\\ A & B\\\\\\hline\\endfirsthead A & B\\\\ \\endhead next & \\\\ \\endfoot 1 & 2\\\\ \\end{longtable}";
    assert_eq!(texts(source), ["L", "[\"A\", \"B\"] [[\"1\", \"2\"]]"]);
    assert_eq!(texts("$\\begin{array}{c}x\\end{array}$ y"), ["x y"]);
}

#[test]
fn odd_sources_are_harmless() {
    for source in [
        "}",
        "\\end{x}",
        "\\begin{tabular}",
        "\\begin{tabular}{l}a&\\\\",
        "$a",
        "{$x}",
        "\\caption",
        "\\SI",
        "\\SI{1}",
        "\\frac",
        "\\frac1",
        "\\[",
        "\\]",
        "\\begin{align}a",
        "\\\"",
        "^",
        "$^",
        "$_{",
        "\\item",
        "\\item[",
        "\\verb",
        "\\verb|x",
        "\\begin{verbatim}é",
        "\\newcommand",
        "\\def\\x",
        "\\def\\x#1",
        "\\fi\\else",
        "\\iffalse",
        "\\if",
        "\\begin{document}",
        "\\end{document}\\end{document}",
        "\\input",
        "\\url{",
        "\\url",
        "\\multicolumn",
        "\\multirow{99}{*}{x}",
        "\\begin{tabular}{l}\\multirow{-9}{*}{x}&\\multicolumn{99999999999}{c}{y}\\end{tabular}",
        "$\\sqrt\n\n$",
        "a\\footnote{\\section{x}\n\ny",
        "\\begin{table}\\end{table}\\end{table}",
        "\\ensuremath",
        "\\NewDocumentCommand\\x{O{é",
        "$é^é_é\\,é$",
    ] {
        document(source);
    }
}
