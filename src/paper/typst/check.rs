//! A skin of somebody else is somebody else's program: it may choose looks, and reads nothing but figures. Typst's own parser tells what
//! it calls; whatever is not known to be harmless is refused. What it needs in time and memory is bounded where it runs
//! (`typesetter`), and there it finds no file but the paper's own.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use typst_syntax::{
    SyntaxKind, SyntaxNode,
    ast::{self, Expr},
};

/// What a skin may call, of what Typst defines: nothing that reads a file, runs a text as a program, or asks for the day.
const KNOWN: &str = "bool int float str label bytes content array dictionary function arguments type regex selector datetime decimal \
    duration repr panic assert calc document par parbreak strong emph list enum terms link title heading divider figure quote footnote \
    outline ref table numbering text linebreak smartquote sub super underline overline strike highlight smallcaps raw lower upper length \
    angle ratio relative fraction direction alignment page pagebreak v h box block stack grid columns colbreak place align pad move scale \
    rotate skew hide measure layout color gradient tiling stroke line rect square ellipse circle polygon curve counter state metadata here \
    emoji sym black gray silver white navy blue aqua teal eastern purple fuchsia maroon red orange yellow olive green lime luma oklab \
    oklch rgb cmyk ltr rtl ttb btt start left center right end top horizon bottom";

/// No word of a skin, whatever it means there: Typst's readers and what leads to them.
const REFUSED: &str = "read csv json toml yaml cbor xml plugin eval bibliography cite std pdf html math path query locate today syntaxes \
    theme range repeat lorem";

/// Looks through a document as Typst will read it.
///
/// # Errors
/// What it may not do, with the line.
pub(in crate::paper) fn check(source: &str) -> Result<()> {
    let root = typst_syntax::parse(source);
    let mut known: BTreeSet<&str> = KNOWN.split_whitespace().collect();
    let refused: BTreeSet<&str> = REFUSED.split_whitespace().collect();
    let nodes = nodes(&root);
    for (_, node, _) in &nodes {
        known.extend(defined(node));
    }
    for (at, node, parent) in nodes {
        if let Some(found) = fault(node, parent, &known, &refused) {
            let line = source.get(..at).map_or(0, |before| before.matches('\n').count() + 1);
            bail!("line {line}: {found}\nhint: a skin chooses looks; docs/FORMAT.md says what it may use");
        }
    }
    Ok(())
}

/// The same of a skin that is not filled yet, as far as that can be seen: what it says without its tags.
///
/// # Errors
/// As [`check`].
pub(in crate::paper) fn check_skin(template: &str) -> Result<()> {
    let (mut source, mut rest) = (String::with_capacity(template.len()), template);
    let tags = [("<%", "%>"), ("<<", ">>"), ("<#", "#>")];
    let first = |text: &str| tags.iter().filter_map(|(open, close)| Some((text.find(open)?, *close))).min();
    while let Some((at, close)) = first(rest) {
        let end = rest[at..].find(close).map_or(rest.len(), |length| at + length + close.len());
        source += &rest[..at];
        // So that lines keep their numbers.
        source.extend(rest[at..end].chars().filter(|c| *c == '\n'));
        rest = &rest[end..];
    }
    check(&(source + rest))
}

/// All nodes with their places and parents, without calling itself: text may nest deeper than a stack is.
fn nodes(root: &SyntaxNode) -> Vec<(usize, &SyntaxNode, Option<&SyntaxNode>)> {
    let (mut open, mut found) = (vec![(0, root, None)], Vec::new());
    while let Some((at, node, parent)) = open.pop() {
        found.push((at, node, parent));
        let mut offset = at;
        for child in node.children() {
            open.push((offset, child, Some(node)));
            offset += child.len();
        }
    }
    found
}

/// The names that a node gives.
fn defined(node: &SyntaxNode) -> Vec<&str> {
    let mut found = Vec::new();
    if let Some(binding) = node.cast::<ast::LetBinding<'_>>() {
        found.extend(binding.kind().bindings());
    }
    if let Some(each) = node.cast::<ast::ForLoop<'_>>() {
        found.extend(each.pattern().bindings());
    }
    if let Some(closure) = node.cast::<ast::Closure<'_>>() {
        for parameter in closure.params().children() {
            match parameter {
                ast::Param::Pos(pattern) => found.extend(pattern.bindings()),
                ast::Param::Named(named) => found.push(named.name()),
                ast::Param::Spread(spread) => found.extend(spread.sink_ident()),
            }
        }
    }
    found.into_iter().map(ast::Ident::as_str).collect()
}

fn fault(
    node: &SyntaxNode,
    parent: Option<&SyntaxNode>,
    known: &BTreeSet<&str>,
    refused: &BTreeSet<&str>,
) -> Option<String> {
    match node.kind() {
        SyntaxKind::ModuleImport => Some("`import`: a skin is one file".to_owned()),
        SyntaxKind::ModuleInclude => Some("`include`: a skin is one file".to_owned()),
        SyntaxKind::WhileLoop => Some("`while`: a skin's loops end".to_owned()),
        SyntaxKind::Equation | SyntaxKind::MathIdent => Some("a formula: its words are Typst's own".to_owned()),
        SyntaxKind::Ident => {
            let name = node.leaf_text().as_str();
            let parent_kind = parent.map(SyntaxNode::kind);
            let is_first =
                parent.and_then(|parent| parent.children().next()).is_some_and(|first| std::ptr::eq(first, node));
            let is_field = parent_kind == Some(SyntaxKind::FieldAccess) && !is_first;
            let is_key = parent_kind == Some(SyntaxKind::Named) && is_first;
            let is_read = match name {
                "image" => !parent.is_some_and(sets_a_figure),
                "sys" => !parent.is_some_and(asks_for_inputs),
                _ => refused.contains(name) || !(is_field || is_key || known.contains(name)),
            };
            is_read.then(|| match name {
                "image" => "`image`: it may set `\"figures/…\"` alone".to_owned(),
                _ => format!("`{name}` is nothing that a skin may use"),
            })
        }
        _ => None,
    }
}

/// `image("figures/…")`, or what begins with that text.
fn sets_a_figure(parent: &SyntaxNode) -> bool {
    let Some(call) = parent.cast::<ast::FuncCall<'_>>() else { return false };
    if !matches!(call.callee(), Expr::Ident(_)) {
        return false;
    }
    let path = call.args().items().find_map(|argument| match argument {
        ast::Arg::Pos(path) => Some(path),
        ast::Arg::Named(_) | ast::Arg::Spread(_) => None,
    });
    let Some(mut path) = path else { return false };
    while let Expr::Binary(sum) = path {
        path = sum.lhs();
    }
    let spread = call.args().items().any(|argument| matches!(argument, ast::Arg::Spread(_)));
    matches!(path, Expr::Str(text) if text.get().starts_with("figures/") && !text.get().contains("..")) && !spread
}

/// `sys.inputs`, which says of which file the PDF is.
fn asks_for_inputs(parent: &SyntaxNode) -> bool {
    parent.cast::<ast::FieldAccess<'_>>().is_some_and(|access| access.field().as_str() == "inputs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_a_skin_s_and_files_are_not() {
        let harmless = [
            "#set page(margin: 2cm)\n#let f(a, ..b, c: 1) = [#a #b.pos().join() #c]\n#f(1)",
            "#let picture(name) = image(\"figures/\" + name + \".svg\", alt: \"x\")",
            "#sys.inputs.at(\"source\", default: \"\") #(1, 2).map(x => x + 1) #for (k, v) in (a: 1) [#k]",
            "#show heading.where(level: 1): it => block(it.body) // read(\"x\")",
            "#\"read eval import\" `read(\"x\")` #text(fill: navy)[read]",
        ];
        for source in harmless {
            check(source).unwrap();
        }
        let hostile = [
            "#read(\"/etc/passwd\")",
            "#let r = read\n#r(\"x\")",
            "#let f(read) = read\n#read(\"x\")",
            "#std.read(\"x\")",
            "#(std.read)(\"x\")",
            "#let s = std",
            "#dictionary(std).at(\"read\")",
            "#import \"@preview/x:1.0.0\": *",
            "#import std: *",
            "#include \"x.typ\"",
            "#eval(\"1\")",
            "#plugin(\"x.wasm\")",
            "#json(\"x\") ",
            "#image(\"paper.svg\")",
            "#image(\"figures/../../x\")",
            "#image(name)",
            "#let i = image\n#i(\"x\")",
            "#image(..(\"x\",))",
            "#image(source: \"x\")",
            "#show image: it => it",
            "#while true {}",
            "$ read(\"x\") $",
            "#[#{ let x = { [#(() => csv(\"x\"))()] } }]",
            "#bibliography(\"x.bib\")",
            "#cite(<x>, style: \"x.csl\")",
            "#set raw(theme: \"x\")",
            "#datetime.today()",
            "#sys.version",
            "#let s = sys",
            "#pdf.attach(\"x\")",
            "#unknown(1)",
            "#\"a\".len(read)",
            "#read",
            "#(read: 1).read",
            "#path(\"x\")",
        ];
        for source in hostile {
            let error = check(source).unwrap_err().to_string();
            assert!(error.starts_with("line ") && error.contains("\nhint: "), "{source}: {error}");
        }
        assert!(check("a\n\n#read(\"x\")").unwrap_err().to_string().starts_with("line 3: `read`"));
    }

    #[test]
    fn a_skin_is_looked_at_before_it_is_filled_and_after() {
        check_skin(include_str!("../../../templates/skins/paper.typ")).unwrap();
        for skin in ["#let a = << title >>\n#re<# #>ad(\"x\")", "<% if real %>\n#read(\"x\")<% endif %>"] {
            assert!(check_skin(skin).unwrap_err().to_string().starts_with("line 2: `read`"));
        }
        // What only some values bring to light.
        let hidden = "<% if not real %>/*<% endif %>#read(\"x\")<% if not real %>*/<% endif %>";
        let templates = |skin: &str| {
            let mut files = crate::paper::Templates::built_in().files().clone();
            files.insert(super::super::SKIN.to_owned(), skin.to_owned());
            crate::paper::Templates::from_files(files)
        };
        assert!(templates("#read(\"x\")").unwrap_err().to_string().contains("skins/paper.typ"));
        let front = crate::paper::Front {
            title: String::new(),
            authors: String::new(),
            people: crate::paper::People::default(),
            keywords: String::new(),
            date: String::new(),
            doi: String::new(),
            source: String::new(),
            records: String::new(),
            command: String::new(),
            real: true,
            warning: String::new(),
            venues: None,
        };
        let said = crate::paper::typst(&templates(hidden).unwrap(), &front, ["", ""], &Default::default());
        assert!(format!("{:#}", said.unwrap_err()).contains("`read`"));
        let none =
            crate::paper::typst(&templates("#text[<< rest >>]").unwrap(), &front, ["", "x"], &Default::default());
        assert_eq!(none.unwrap().unwrap().trim(), "#text[#\"x\";\n\n]");
    }

    #[test]
    fn hostile_depth_ends() {
        for piece in ["[", "#[", "#(", "$", "#{", "/*", "\"", "#let f(x) = ", "- "] {
            let _ = check(&piece.repeat(20_000));
        }
    }
}
