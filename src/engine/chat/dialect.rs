//! A template as transformers reads it -> the same template in the words of the Jinja that is at hand, which knows no Python: its
//! operators print, format and cut otherwise, and a few tags are transformers' own. What is not understood stays as it is, for
//! the template's own error.

use super::lexer::{self, Token};

/// `str(a) + str(b) + ...`
pub(super) const CONCAT: &str = "python_concat";
/// Python's `%`, of numbers and of texts.
pub(super) const MODULO: &str = "python_modulo";
/// `x[a:b:c]`
pub(super) const SLICE: &str = "python_slice";
pub(super) const TUPLE: &str = "python_tuple";

/// The template's source, rewritten.
pub(super) fn spoken(template: &str) -> String {
    // Jinja takes every end of a line for `\n`, in texts too.
    let template = template.replace("\r\n", "\n").replace('\r', "\n");
    let mut rest = template.as_str();
    let mut out = String::with_capacity(rest.len());
    while let Some(at) = rest.find('{').filter(|at| at + 1 < rest.len()) {
        let (before, from) = rest.split_at(at);
        out += before;
        let taken = match &from[..from.len().min(2)] {
            "{#" => from.find("#}").map(|end| (from[..end + 2].to_owned(), &from[end + 2..])),
            "{{" => tag(from, "}}", |tokens| Parser::of(tokens).all(Parser::tuple_or_one)),
            "{%" => raw(from).or_else(|| tag(from, "%}", |tokens| Parser::of(tokens).all(Parser::statement))),
            _ => None,
        };
        let (said, after) = taken.unwrap_or_else(|| {
            let brace = from.chars().nth(1).filter(|_| from.starts_with("{{") || from.starts_with("{%"));
            let length = 1 + brace.map_or(0, char::len_utf8);
            (from[..length].to_owned(), &from[length..])
        });
        out += &said;
        rest = after;
    }
    out + rest
}

/// A tag, its inside rewritten, and what follows it.
fn tag<'a>(from: &'a str, close: &str, say: impl FnOnce(&[Token]) -> Option<String>) -> Option<(String, &'a str)> {
    // `{{-1}}` takes spaces away and says 1; `{{+1}}` says a number.
    let marks: &[char] = if close == "%}" { &['-', '+'] } else { &['-'] };
    let inside = from[2..].strip_prefix(marks).unwrap_or(&from[2..]);
    let mark = &from[2..from.len() - inside.len()];
    let (tokens, end) = lexer::tag(inside, close)?;
    let after = &end[end.find(close)? + close.len()..];
    let said = match say(&tokens) {
        Some(said) => format!("{}{mark} {said} {}", &from[..2], &end[..end.len() - after.len()]),
        None => from[..from.len() - after.len()].to_owned(),
    };
    Some((said, after))
}

/// `{% raw %} ... {% endraw %}`, as it stands.
fn raw(from: &str) -> Option<(String, &str)> {
    let word = |text: &str, word: &str| -> Option<usize> {
        let inside = text.strip_prefix("{%")?;
        let inside = inside.strip_prefix(['-', '+']).unwrap_or(inside).trim_start();
        let after = inside.strip_prefix(word)?.trim_start();
        let after = after.strip_prefix(['-', '+']).unwrap_or(after).strip_prefix("%}")?;
        Some(text.len() - after.len())
    };
    let begin = word(from, "raw")?;
    let end = from[begin..]
        .match_indices("{%")
        .find_map(|(at, _)| Some(begin + at + word(&from[begin + at..], "endraw")?))?;
    Some((from[..end].to_owned(), &from[end..]))
}

/// Jinja's grammar, each part of which gives the words that it is to be said in.
struct Parser<'a> {
    tokens: &'a [Token],
    depth: usize,
}

/// A template whose brackets are deeper is not rewritten.
const DEEPEST: usize = 64;

impl<'a> Parser<'a> {
    fn of(tokens: &'a [Token]) -> Self {
        Parser { tokens, depth: 0 }
    }

    /// What `part` says, where it takes every token.
    fn all(mut self, part: impl FnOnce(&mut Self) -> Option<String>) -> Option<String> {
        let said = part(&mut self)?;
        self.tokens.is_empty().then_some(said)
    }

    fn statement(&mut self) -> Option<String> {
        let Token::Name(word) = self.next()? else { return None };
        Some(match word.as_str() {
            "generation" => "with".to_owned(),
            "endgeneration" => "endwith".to_owned(),
            "if" | "elif" => format!("{word} {}", self.tuple(Self::or)?),
            "for" => {
                let targets = self.targets()?;
                self.name("in")?;
                let mut said = format!("for {targets} in {}", self.tuple(Self::or)?);
                if self.name("if").is_some() {
                    said += &format!(" if {}", self.expression()?);
                }
                if self.name("recursive").is_some() {
                    said += " recursive";
                }
                said
            }
            "set" => {
                let targets = self.targets()?;
                match self.sign("=") {
                    Some(()) => format!("set {targets} = {}", self.tuple_or_one()?),
                    None => format!("set {targets}{}", self.filters(String::new())?),
                }
            }
            "macro" => format!("macro {}{}", self.any_name()?, self.arguments()?),
            "call" => {
                let arguments = if self.is("(") { self.arguments()? } else { String::new() };
                format!("call{arguments} {}", self.expression()?)
            }
            "filter" => {
                let first = self.any_name()?;
                let arguments = if self.is("(") { self.arguments()? } else { String::new() };
                format!("filter {}", self.filters(format!("{first}{arguments}"))?)
            }
            "with" => {
                let mut all = Vec::new();
                while !self.tokens.is_empty() {
                    let name = self.any_name()?;
                    self.sign("=")?;
                    all.push(format!("{name} = {}", self.expression()?));
                    if self.sign(",").is_none() {
                        break;
                    }
                }
                format!("with {}", all.join(", "))
            }
            _ => return None,
        })
    }

    /// Names that are assigned to: `a`, `a.b`, `a, b`, `(a, b)`.
    fn targets(&mut self) -> Option<String> {
        let mut said = String::new();
        loop {
            match self.tokens.first()? {
                Token::Name(name) if name != "in" => {
                    said += name;
                    if self.tokens.get(1) == Some(&Token::Sign(".")) {
                        let Some(Token::Name(attribute)) = self.tokens.get(2) else { return None };
                        said += &format!(".{attribute}");
                        self.tokens = &self.tokens[2..];
                    }
                }
                Token::Sign(sign @ ("," | "(" | ")")) => said += sign,
                _ => break,
            }
            self.tokens = &self.tokens[1..];
            if self.tokens.is_empty() {
                break;
            }
        }
        (!said.is_empty()).then_some(said)
    }

    fn tuple_or_one(&mut self) -> Option<String> {
        self.tuple(Self::expression)
    }

    /// One, or several with commas between or behind them, which are a tuple.
    fn tuple(&mut self, part: fn(&mut Self) -> Option<String>) -> Option<String> {
        let first = part(self)?;
        if !self.is(",") {
            return Some(first);
        }
        let mut all = vec![first];
        while self.sign(",").is_some() {
            let end = self.tokens.is_empty() || self.is(")") || self.names("if") || self.names("recursive");
            if end {
                break;
            }
            all.push(part(self)?);
        }
        Some(format!("{TUPLE}({})", all.join(", ")))
    }

    fn expression(&mut self) -> Option<String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return None;
        }
        let mut said = self.or()?;
        while self.name("if").is_some() {
            said += &format!(" if {}", self.or()?);
            if self.name("else").is_some() {
                said += &format!(" else {}", self.expression()?);
                break;
            }
        }
        self.depth -= 1;
        Some(said)
    }

    fn or(&mut self) -> Option<String> {
        let mut said = self.and()?;
        while self.name("or").is_some() {
            said += &format!(" or {}", self.and()?);
        }
        Some(said)
    }

    fn and(&mut self) -> Option<String> {
        let mut said = self.not()?;
        while self.name("and").is_some() {
            said += &format!(" and {}", self.not()?);
        }
        Some(said)
    }

    fn not(&mut self) -> Option<String> {
        let mut nots = String::new();
        while self.name("not").is_some() {
            nots += "not ";
        }
        Some(nots + &self.compare()?)
    }

    fn compare(&mut self) -> Option<String> {
        let mut said = self.sum()?;
        loop {
            if let Some(sign) = self.one_of(&["==", "!=", "<=", ">=", "<", ">"]) {
                said += &format!(" {sign} {}", self.sum()?);
            } else if self.name("in").is_some() {
                said += &format!(" in {}", self.sum()?);
            } else if self.names("not") && matches!(self.tokens.get(1), Some(Token::Name(name)) if name == "in") {
                self.tokens = &self.tokens[2..];
                said += &format!(" not in {}", self.sum()?);
            } else {
                return Some(said);
            }
        }
    }

    fn sum(&mut self) -> Option<String> {
        let mut said = self.concat()?;
        while let Some(sign) = self.one_of(&["+", "-"]) {
            said += &format!(" {sign} {}", self.concat()?);
        }
        Some(said)
    }

    fn concat(&mut self) -> Option<String> {
        let first = self.product()?;
        if !self.is("~") {
            return Some(first);
        }
        let mut all = vec![first];
        while self.sign("~").is_some() {
            all.push(self.product()?);
        }
        Some(format!("{CONCAT}({})", all.join(", ")))
    }

    fn product(&mut self) -> Option<String> {
        let mut said = self.power()?;
        while let Some(sign) = self.one_of(&["*", "//", "/", "%"]) {
            let right = self.power()?;
            said = match sign {
                "%" => format!("{MODULO}({said}, {right})"),
                _ => format!("{said} {sign} {right}"),
            };
        }
        Some(said)
    }

    fn power(&mut self) -> Option<String> {
        let mut said = self.unary(true)?;
        while self.sign("**").is_some() {
            said += &format!(" ** {}", self.unary(true)?);
        }
        Some(said)
    }

    fn unary(&mut self, with_filters: bool) -> Option<String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return None;
        }
        let said = match self.one_of(&["-", "+"]) {
            Some("-") => format!("-{}", self.unary(false)?),
            Some(_) => self.unary(false)?,
            None => self.primary()?,
        };
        let said = self.behind(said)?;
        self.depth -= 1;
        if with_filters { self.filters(said) } else { Some(said) }
    }

    fn primary(&mut self) -> Option<String> {
        match self.next()? {
            Token::Name(name) => Some(name.clone()),
            Token::Number(number) => Some(number.clone()),
            Token::Text(text) => {
                let mut whole = text.clone();
                // Texts that stand side by side are one.
                while let Some(Token::Text(text)) = self.tokens.first() {
                    whole += text;
                    self.tokens = &self.tokens[1..];
                }
                Some(quoted(&whole))
            }
            Token::Sign("(") => {
                if self.sign(")").is_some() {
                    return Some(format!("{TUPLE}()"));
                }
                let said = self.tuple_or_one()?;
                self.sign(")")?;
                Some(format!("({said})"))
            }
            Token::Sign("[") => Some(format!("[{}]", self.list("]", Self::expression)?)),
            Token::Sign("{") => {
                let pair = |parser: &mut Self| {
                    let key = parser.expression()?;
                    parser.sign(":")?;
                    Some(format!("{key}: {}", parser.expression()?))
                };
                // A space, lest `{{` be a tag's.
                Some(format!("{{ {} }}", self.list("}", pair)?))
            }
            Token::Sign(_) => None,
        }
    }

    /// `.name`, `[...]`, `(...)`.
    fn behind(&mut self, mut said: String) -> Option<String> {
        loop {
            if self.sign(".").is_some() {
                match self.next()? {
                    Token::Name(name) => said += &format!(".{name}"),
                    Token::Number(number) => said += &format!("[{number}]"),
                    _ => return None,
                }
            } else if self.is("(") {
                said += &self.arguments()?;
            } else if self.sign("[").is_some() {
                said = self.subscript(said)?;
            } else {
                return Some(said);
            }
        }
    }

    fn subscript(&mut self, of: String) -> Option<String> {
        let mut parts = vec![None];
        loop {
            if self.sign(":").is_some() {
                parts.push(None);
            } else if self.sign("]").is_some() {
                break;
            } else {
                let part = self.expression()?;
                if parts.last_mut()?.replace(part).is_some() {
                    return None;
                }
            }
        }
        match parts.as_mut_slice() {
            [Some(one)] => Some(format!("{of}[{one}]")),
            [_, _] | [_, _, _] => {
                let part = |at: usize| parts.get(at).cloned().flatten().unwrap_or_else(|| "none".to_owned());
                Some(format!("{SLICE}({of}, {}, {}, {})", part(0), part(1), part(2)))
            }
            _ => None,
        }
    }

    /// `| filter`, `is test`, and calls of what they give.
    fn filters(&mut self, mut said: String) -> Option<String> {
        loop {
            if self.sign("|").is_some() {
                said += &format!(" | {}", self.any_name()?);
                if self.is("(") {
                    said += &self.arguments()?;
                }
            } else if self.name("is").is_some() {
                let not = if self.name("not").is_some() { "not " } else { "" };
                said += &format!(" is {not}{}{}", self.any_name()?, self.argument_of_test()?);
            } else if self.is("(") {
                said += &self.arguments()?;
            } else {
                return Some(said);
            }
        }
    }

    /// In brackets, or one without.
    fn argument_of_test(&mut self) -> Option<String> {
        let begins = match self.tokens.first() {
            Some(Token::Sign("(")) => return self.arguments(),
            Some(Token::Name(name)) => !["else", "or", "and", "is", "if", "in", "not"].contains(&name.as_str()),
            Some(Token::Number(_) | Token::Text(_) | Token::Sign("[" | "{")) => true,
            _ => false,
        };
        if !begins {
            return Some(String::new());
        }
        let argument = self.primary()?;
        Some(format!("({})", self.behind(argument)?))
    }

    /// `(a, b=c, *d, **e)`
    fn arguments(&mut self) -> Option<String> {
        self.sign("(")?;
        let argument = |parser: &mut Self| {
            let stars = parser.one_of(&["**", "*"]).unwrap_or_default();
            if let [Token::Name(name), Token::Sign("="), ..] = parser.tokens {
                parser.tokens = &parser.tokens[2..];
                return Some(format!("{name}={}", parser.expression()?));
            }
            Some(format!("{stars}{}", parser.expression()?))
        };
        Some(format!("({})", self.list(")", argument)?))
    }

    fn list(&mut self, close: &str, mut part: impl FnMut(&mut Self) -> Option<String>) -> Option<String> {
        let mut all = Vec::new();
        while self.sign(close).is_none() {
            all.push(part(self)?);
            if self.sign(",").is_none() {
                self.sign(close)?;
                break;
            }
        }
        Some(all.join(", "))
    }

    fn next(&mut self) -> Option<&'a Token> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first)
    }

    fn any_name(&mut self) -> Option<&'a str> {
        match self.next()? {
            Token::Name(name) => Some(name),
            _ => None,
        }
    }

    fn names(&self, wanted: &str) -> bool {
        matches!(self.tokens.first(), Some(Token::Name(name)) if name == wanted)
    }

    fn name(&mut self, wanted: &str) -> Option<()> {
        self.names(wanted).then(|| self.tokens = &self.tokens[1..])
    }

    fn is(&self, wanted: &str) -> bool {
        matches!(self.tokens.first(), Some(Token::Sign(sign)) if *sign == wanted)
    }

    fn sign(&mut self, wanted: &str) -> Option<()> {
        self.is(wanted).then(|| self.tokens = &self.tokens[1..])
    }

    fn one_of(&mut self, wanted: &[&'static str]) -> Option<&'static str> {
        let found = wanted.iter().find(|sign| self.is(sign))?;
        self.tokens = &self.tokens[1..];
        Some(found)
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}
