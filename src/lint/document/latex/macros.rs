//! A paper's own commands: their definitions, what they stand for, and TeX's conditions. Everything is bounded, so that a command
//! that stands for itself twice cannot hang the reader.

use super::super::Place;
use super::Reader;
use super::tokens::{Kind, Token};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// How often commands may be replaced by what they stand for, besides once for every three bytes that are read; and how much that
/// may be in all.
const EXPANSIONS: usize = 100_000;
const EXPANDED: usize = 64 << 20;
/// How far the end of an argument in brackets is looked for; and how much is looked through in vain before that becomes little.
const BRACKETS: usize = 2000;
const IN_VAIN: usize = 1_000_000;

#[derive(Debug, Clone)]
pub(super) enum Parameter {
    Needed,
    Optional(Vec<Token>),
    Star,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Macro {
    pub parameters: Vec<Parameter>,
    pub body: Vec<Token>,
}

#[derive(Default)]
pub(super) struct Macros {
    pub commands: HashMap<Box<str>, Rc<Macro>>,
    pub environments: HashMap<Box<str>, (Rc<Macro>, Rc<Macro>)>,
    flags: HashMap<Box<str>, bool>,
    said: HashSet<&'static str>,
    count: usize,
    size: usize,
    in_vain: usize,
    /// The bytes of all files.
    pub read: usize,
}

/// TeX's own conditions.
pub(super) const CONDITIONS: &str = " if ifx ifnum ifdim ifodd ifcat ifcase ifvmode ifhmode ifmmode ifinner ifvoid ifhbox ifvbox ifeof iftrue iffalse \
    ifdefined ifcsname iffontchar ifpdf ifxetex ifluatex ifPDFTeX ifXeTeX ifLuaTeX iftutex ";

pub(super) fn listed(list: &str, name: &str) -> bool {
    list.split_ascii_whitespace().any(|own| own == name)
}

/// The tokens as they would be written.
pub(super) fn source(tokens: &[Token]) -> String {
    let mut text = String::new();
    for token in tokens {
        match &token.kind {
            Kind::Command(name) => {
                text.push('\\');
                text += name;
            }
            Kind::Text(own) => text += own,
            Kind::Space | Kind::Par => text.push(' '),
            Kind::Open => text.push('{'),
            Kind::Close => text.push('}'),
            Kind::Align => text.push('&'),
            Kind::Math | Kind::Display => text.push('$'),
            Kind::Up => text.push('^'),
            Kind::Down => text.push('_'),
            Kind::Param(number) => text += &format!("#{number}"),
        }
    }
    text
}

impl Reader<'_, '_> {
    /// The next token that is no space.
    pub(super) fn next_word(&mut self) -> Option<Token> {
        loop {
            let token = self.input.next()?;
            if token.kind != Kind::Space {
                return Some(token);
            }
        }
    }

    /// Takes a star where one stands.
    pub(super) fn star(&mut self) -> bool {
        let Some(token) = self.input.next() else { return false };
        if let Kind::Text(text) = &token.kind
            && let Some(rest) = text.strip_prefix('*')
        {
            if !rest.is_empty() {
                self.input.put_back(Token::text(rest, token.place));
            }
            return true;
        }
        self.input.put_back(token);
        false
    }

    /// An argument: a group without its braces, or one token.
    pub(super) fn argument(&mut self) -> Vec<Token> {
        let Some(token) = self.next_word() else { return Vec::new() };
        match &token.kind {
            Kind::Open => self.group(token.place),
            Kind::Text(text) => {
                let first = text.chars().next().map_or(0, char::len_utf8);
                let (first, rest) = text.split_at(first);
                if !rest.is_empty() {
                    self.input.put_back(Token::text(rest, token.place));
                }
                vec![Token::text(first, token.place)]
            }
            Kind::Par | Kind::Close | Kind::Align => {
                self.input.put_back(token);
                Vec::new()
            }
            _ => vec![token],
        }
    }

    /// What stands up to the brace that closes the group.
    pub(super) fn group(&mut self, place: Place) -> Vec<Token> {
        let (mut depth, mut tokens) = (0_usize, Vec::new());
        while let Some(token) = self.input.next() {
            match token.kind {
                Kind::Open => depth += 1,
                Kind::Close if depth == 0 => return tokens,
                Kind::Close => depth -= 1,
                _ => {}
            }
            tokens.push(token);
        }
        self.left_out(place, "all that follows a brace without its end");
        tokens
    }

    /// An argument in brackets, if one stands next.
    pub(super) fn brackets(&mut self) -> Option<Vec<Token>> {
        let mut space = None;
        let open = loop {
            let token = self.input.next();
            match token {
                Some(token) if token.kind == Kind::Space => space = Some(token),
                token => break token,
            }
        };
        let limit = if self.macros.in_vain > IN_VAIN { 20 } else { BRACKETS };
        let (mut depth, mut tokens) = (0_usize, Vec::new());
        if open.as_ref().is_some_and(|open| open.is_text("[")) {
            while tokens.len() < limit {
                let Some(token) = self.input.next() else { break };
                match token.kind {
                    Kind::Open => depth += 1,
                    Kind::Close if depth == 0 => {
                        self.input.put_back(token);
                        break;
                    }
                    Kind::Close => depth -= 1,
                    Kind::Par => {
                        tokens.push(token);
                        break;
                    }
                    _ if depth == 0 && token.is_text("]") => return Some(tokens),
                    _ => {}
                }
                tokens.push(token);
            }
            self.macros.in_vain += tokens.len();
        }
        let back = space.into_iter().chain(open).chain(tokens).collect();
        self.input.put_back_all(back);
        None
    }

    /// Takes the arguments that a command does not print.
    pub(super) fn skip(&mut self, pattern: &str) {
        for one in pattern.chars() {
            match one {
                '*' => drop(self.star()),
                '[' => while self.brackets().is_some() {},
                _ => drop(self.argument()),
            }
        }
    }

    /// Defines, expands or decides, if the command is one for that.
    pub(super) fn expand(&mut self, name: &str, place: Place) -> bool {
        if let Some(found) = self.macros.commands.get(name) {
            let found = Rc::clone(found);
            self.replace(&found, place);
            return true;
        }
        match name {
            "newcommand" | "renewcommand" | "providecommand" | "DeclareRobustCommand" => self.new_command(name),
            "NewDocumentCommand" | "RenewDocumentCommand" | "ProvideDocumentCommand" | "DeclareDocumentCommand" => {
                self.document_command();
            }
            "def" | "gdef" | "edef" | "xdef" => self.def(),
            "let" => self.alias(),
            "DeclareMathOperator" | "DeclareSIUnit" => {
                self.star();
                while self.brackets().is_some() {}
                let name = self.argument();
                let body = self.argument();
                self.define(&name, Vec::new(), body);
            }
            "newenvironment" | "renewenvironment" => self.new_environment(),
            "newif" => {
                let name = source(&self.argument());
                self.macros.flags.insert(name.trim_start_matches('\\').trim_start_matches("if").into(), false);
            }
            _ => return self.condition(name, place),
        }
        true
    }

    /// Puts what the macro stands for before the reader.
    fn replace(&mut self, found: &Macro, place: Place) {
        let mut arguments = Vec::new();
        for parameter in &found.parameters {
            arguments.push(match parameter {
                Parameter::Needed => self.argument(),
                Parameter::Optional(default) => self.brackets().unwrap_or_else(|| default.clone()),
                Parameter::Star => {
                    if self.star() {
                        vec![Token::text("*", place)]
                    } else {
                        Vec::new()
                    }
                }
            });
        }
        let mut tokens = Vec::new();
        for token in &found.body {
            let argument = match token.kind {
                Kind::Param(number) => arguments.get(number - 1).map_or(&[][..], Vec::as_slice),
                _ => std::slice::from_ref(token),
            };
            for one in argument {
                self.macros.size += one.size();
                if self.macros.size > EXPANDED {
                    break;
                }
                let place = if matches!(token.kind, Kind::Param(_)) { one.place } else { place };
                tokens.push(Token { place, ..one.clone() });
            }
        }
        self.macros.count += 1;
        if self.macros.count > EXPANSIONS + self.macros.read / 3 || self.macros.size > EXPANDED {
            self.once(place, "commands of the paper's own that stand for too much");
        } else {
            self.input.put_back_all(tokens);
        }
    }

    pub(super) fn once(&mut self, place: Place, why: &'static str) {
        if self.macros.said.insert(why) {
            self.left_out(place, why);
        }
    }

    /// Puts what `\begin` or `\end` of an environment of the paper's own stands for before the reader.
    pub(super) fn own_environment(&mut self, name: &str, end: bool, place: Place) -> bool {
        let Some(found) = self.macros.environments.get(name) else { return false };
        let found = Rc::clone(if end { &found.1 } else { &found.0 });
        self.replace(&found, place);
        true
    }

    fn condition(&mut self, name: &str, place: Place) -> bool {
        match name {
            "fi" | "or" | "iftrue" => {}
            "else" => self.skip_branch(false, place),
            "iffalse" => self.skip_branch(true, place),
            "ifx" => {
                self.argument();
                self.argument();
            }
            "ifdefined" => drop(self.argument()),
            "ifnum" | "ifdim" | "ifodd" | "ifcase" => {
                for _ in 0..20 {
                    match self.input.next() {
                        Some(token) if token.kind != Kind::Space && !token.spaced => {}
                        _ => break,
                    }
                }
            }
            _ => return self.flag(name, place) || (name.starts_with("if") && listed(CONDITIONS, name)),
        }
        true
    }

    /// `\iffinal`, `\finaltrue`, `\finalfalse` after `\newif\iffinal`.
    fn flag(&mut self, name: &str, place: Place) -> bool {
        let asked = name.strip_prefix("if").and_then(|flag| self.macros.flags.get(flag).copied());
        if let Some(set) = asked {
            if !set {
                self.skip_branch(true, place);
            }
            return true;
        }
        for (end, value) in [("true", true), ("false", false)] {
            if let Some(flag) = name.strip_suffix(end).and_then(|flag| self.macros.flags.get_mut(flag)) {
                *flag = value;
                return true;
            }
        }
        false
    }

    /// Goes behind the `\fi`, or the `\else` if that may stand before it.
    fn skip_branch(&mut self, or_else: bool, place: Place) {
        let mut depth = 0_usize;
        while let Some(token) = self.input.next() {
            let Kind::Command(name) = &token.kind else { continue };
            match &**name {
                "fi" if depth == 0 => return,
                "else" if depth == 0 && or_else => return,
                "fi" => depth -= 1,
                name if name.starts_with("if") => {
                    let known = name.strip_prefix("if").is_some_and(|flag| self.macros.flags.contains_key(flag));
                    depth += usize::from(known || listed(CONDITIONS, name));
                }
                _ => {}
            }
        }
        self.left_out(place, "all that follows a condition without its \\fi");
    }
}
