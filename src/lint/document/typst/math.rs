//! Typst's math -> the plain text that a reader sees; lines of an equation stay lines.

use super::string;
use typst_syntax::{SyntaxKind, SyntaxNode};

pub(super) fn plain(node: &SyntaxNode, depth: usize) -> String {
    let mut text = String::new();
    write(node, depth, &mut text);
    text
}

fn write(node: &SyntaxNode, depth: usize, into: &mut String) {
    if depth > super::DEPTH {
        return;
    }
    let leaf = node.leaf_text().as_str();
    match node.kind() {
        SyntaxKind::Space => into.push(' '),
        SyntaxKind::Linebreak => into.push('\n'),
        SyntaxKind::Str => *into += &string(leaf),
        SyntaxKind::Escape => *into += &super::escaped(leaf),
        SyntaxKind::MathIdent | SyntaxKind::Ident => *into += symbol(leaf),
        SyntaxKind::MathShorthand | SyntaxKind::Shorthand => *into += short(leaf),
        SyntaxKind::MathFieldAccess | SyntaxKind::FieldAccess => {
            let name: String = node.children().map(|part| part.leaf_text().as_str()).collect();
            *into += symbol(&name);
        }
        SyntaxKind::MathFrac => {
            for part in node.children().filter(|part| !part.kind().is_trivia()) {
                if part.kind() == SyntaxKind::Slash { into.push('/') } else { *into += &operand(part, depth) }
            }
        }
        SyntaxKind::MathAttach => attach(node, depth, into),
        SyntaxKind::MathRoot => {
            *into += "√";
            node.children().skip(1).for_each(|part| write(part, depth + 1, into));
        }
        SyntaxKind::MathCall | SyntaxKind::FuncCall => call(node, depth, into),
        SyntaxKind::Dollar | SyntaxKind::MathAlignPoint | SyntaxKind::Hash => {}
        kind if kind.is_trivia() => {}
        _ if node.children().len() > 0 => node.children().for_each(|part| write(part, depth + 1, into)),
        _ => *into += leaf,
    }
}

fn attach(node: &SyntaxNode, depth: usize, into: &mut String) {
    let mut raised = false;
    for part in node.children().filter(|part| !part.kind().is_trivia()) {
        match part.kind() {
            SyntaxKind::Hat => raised = true,
            SyntaxKind::Underscore => into.push('_'),
            _ if raised => {
                let text = operand(part, depth);
                if text != "°" {
                    into.push('^');
                }
                *into += &text;
                raised = false;
            }
            _ if into.ends_with('_') => *into += &operand(part, depth),
            _ => write(part, depth + 1, into),
        }
    }
}

/// Without the parentheses that only group, but with those that are needed.
fn operand(node: &SyntaxNode, depth: usize) -> String {
    let text = plain(node, depth + 1);
    let text = text.trim();
    let inner = text.strip_prefix('(').and_then(|text| text.strip_suffix(')')).map_or(text, str::trim);
    let bare = inner.strip_prefix(['-', '−', '+']).unwrap_or(inner);
    if bare.chars().all(|one| one.is_alphanumeric() || "._°%".contains(one)) {
        inner.replace('−', "-")
    } else if inner.len() < text.len() || !inner.contains([' ', '+', '-', '−']) {
        text.to_owned()
    } else {
        format!("({text})")
    }
}

fn call(node: &SyntaxNode, depth: usize, into: &mut String) {
    let mut parts = node.children();
    let name = parts.next().map(|name| name.leaf_text().as_str()).unwrap_or_default();
    let arguments: Vec<Vec<&SyntaxNode>> = parts
        .filter(|part| matches!(part.kind(), SyntaxKind::MathArgs | SyntaxKind::Args))
        .flat_map(|part| part.children())
        .filter(|one| !matches!(one.kind(), SyntaxKind::LeftParen | SyntaxKind::RightParen))
        .collect::<Vec<_>>()
        .split(|one| matches!(one.kind(), SyntaxKind::Comma | SyntaxKind::Semicolon))
        .map(<[_]>::to_vec)
        .collect();
    let texts: Vec<String> = arguments
        .iter()
        .map(|one| {
            one.iter().map(|part| operand_or_text(part, depth, name == "frac")).collect::<String>().trim().to_owned()
        })
        .collect();
    match name {
        "frac" => *into += &texts.join("/"),
        "sqrt" => *into += &format!("√({})", texts.join("")),
        "abs" => *into += &format!("|{}|", texts.join("")),
        "text" | "upright" | "bold" | "italic" | "op" | "overline" | "underline" | "hat" | "tilde" | "macron"
        | "sans" | "mono" => {
            *into += &texts.join(" ");
        }
        "cancel" => {}
        "vec" | "mat" | "cases" => *into += &texts.join(" "),
        _ => *into += &format!("{}({})", symbol(name), texts.join(", ")),
    }
}

fn operand_or_text(node: &SyntaxNode, depth: usize, operand_only: bool) -> String {
    if operand_only { operand(node, depth + 1) } else { plain(node, depth + 1) }
}

fn short(written: &str) -> &str {
    match written {
        "->" | "-->" => "→",
        "<-" => "←",
        "=>" | "==>" => "⇒",
        "<=>" => "⇔",
        "<=" => "≤",
        ">=" => "≥",
        "!=" => "≠",
        "<<" => "≪",
        ">>" => "≫",
        "~" => "~",
        "..." => "…",
        "*" => "×",
        ":=" => "≔",
        other => other,
    }
}

fn symbol(name: &str) -> &str {
    match name {
        "times" | "dot" | "dot.op" | "dot.c" | "ast" | "ast.op" => "×",
        "plus.minus" => "±",
        "minus.plus" => "∓",
        "div" => "÷",
        "approx" => "≈",
        "sim" | "tilde" | "tilde.op" => "~",
        "lt.eq" => "≤",
        "gt.eq" => "≥",
        "eq.not" => "≠",
        "lt.double" | "lt.lt" => "≪",
        "gt.double" | "gt.gt" => "≫",
        "arrow.r" | "arrow" | "arrow.r.long" => "→",
        "arrow.l" => "←",
        "degree" => "°",
        "percent" => "%",
        "thin" => "\u{202f}",
        "med" | "thick" | "quad" | "wide" | "space" => " ",
        "infinity" | "oo" => "∞",
        "dots" | "dots.h" | "dots.c" => "…",
        "prop" => "∝",
        "in" => "∈",
        "sum" => "∑",
        "product" => "∏",
        other => super::super::latex::greek(other).unwrap_or(other),
    }
}
