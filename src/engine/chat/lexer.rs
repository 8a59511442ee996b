//! What stands between `{{` and `}}`, or `{%` and `%}` -> tokens, as Jinja cuts them. Texts are read with Python's escapes.

/// A token; operators, brackets and commas are `Sign`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    Name(String),
    Number(String),
    /// What the text says, escapes resolved.
    Text(String),
    Sign(&'static str),
}

/// Longest first.
const SIGNS: [&str; 27] = [
    "**", "//", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "<", ">", "=", "|", ".", ",", ":", "(", ")", "[",
    "]", "{", "}", ";", "!",
];

/// The tokens of a tag, and what is left from its closing `%}` or `}}` on; a `-` or `+` before that is the tag's. `None`: no
/// tokens of Jinja, or no end.
pub(super) fn tag<'a>(mut rest: &'a str, close: &str) -> Option<(Vec<Token>, &'a str)> {
    let mut tokens = Vec::new();
    let mut depth = 0usize;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '\u{b}');
        if depth == 0 && rest.strip_prefix(['-', '+']).unwrap_or(rest).starts_with(close) {
            return Some((tokens, rest));
        }
        let first = rest.chars().next()?;
        if first == '"' || first == '\'' {
            let (text, after) = text(&rest[1..], first)?;
            tokens.push(Token::Text(text));
            rest = after;
        } else if first.is_ascii_digit() {
            let (number, after) = rest.split_at(number(rest, tokens.last() == Some(&Token::Sign("."))));
            tokens.push(Token::Number(number.to_owned()));
            rest = after;
        } else if first.is_alphabetic() || first == '_' {
            let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
            tokens.push(Token::Name(rest[..end].to_owned()));
            rest = &rest[end..];
        } else {
            let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign))?;
            match *sign {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth = depth.checked_sub(1)?,
                _ => {}
            }
            tokens.push(Token::Sign(sign));
            rest = &rest[sign.len()..];
        }
    }
}

/// Bytes of the number that a text begins with; behind a dot (`x.0.y`) it is a whole one.
fn number(rest: &str, whole: bool) -> usize {
    let digits = |text: &str, is: fn(char) -> bool| text.find(|c: char| !is(c) && c != '_').unwrap_or(text.len());
    let decimal = |c: char| c.is_ascii_digit();
    for (mark, is) in [("0x", (|c| c.is_ascii_hexdigit()) as fn(char) -> bool), ("0b", decimal), ("0o", decimal)] {
        if rest.to_ascii_lowercase().starts_with(mark) {
            return 2 + digits(&rest[2..], is);
        }
    }
    let mut end = digits(rest, decimal);
    if whole {
        return end;
    }
    if rest[end..].starts_with('.') && rest[end + 1..].starts_with(decimal) {
        end += 1 + digits(&rest[end + 1..], decimal);
    }
    let exponent = rest[end..].strip_prefix(['e', 'E']).map(|after| after.strip_prefix(['-', '+']).unwrap_or(after));
    match exponent {
        Some(after) if after.starts_with(decimal) => rest.len() - after.len() + digits(after, decimal),
        _ => end,
    }
}

/// A text up to its closing quote, and what follows.
fn text(rest: &str, quote: char) -> Option<(String, &str)> {
    let mut out = String::new();
    let mut chars = rest.char_indices();
    while let Some((at, c)) = chars.next() {
        if c == quote {
            return Some((out, &rest[at + 1..]));
        }
        if c != '\\' {
            out.push(c);
            continue;
        }
        let (_, escaped) = chars.next()?;
        match escaped {
            '\n' => {}
            '\\' | '\'' | '"' => out.push(escaped),
            'a' => out.push('\u{7}'),
            'b' => out.push('\u{8}'),
            'f' => out.push('\u{c}'),
            'n' => out.push('\n'),
            'r' => out.push('\r'),
            't' => out.push('\t'),
            'v' => out.push('\u{b}'),
            'x' => out.push(code(&mut chars, 2, 16)?),
            'u' => out.push(pair(&mut chars)?),
            'U' => out.push(code(&mut chars, 8, 16)?),
            '0'..='7' => {
                let digits = chars.as_str().chars().take(2).take_while(|c| c.is_digit(8)).count();
                let rest: u32 = if digits == 0 { 0 } else { code(&mut chars, digits, 8)?.into() };
                out.push(char::from_u32(escaped.to_digit(8)? * 8u32.pow(digits as u32) + rest)?);
            }
            other => out.extend(['\\', other]),
        }
    }
    None
}

/// The character of so many digits.
fn code(chars: &mut std::str::CharIndices<'_>, digits: usize, radix: u32) -> Option<char> {
    char::from_u32(number_of(chars, digits, radix)?)
}

fn number_of(chars: &mut std::str::CharIndices<'_>, digits: usize, radix: u32) -> Option<u32> {
    let mut value = 0u32;
    for _ in 0..digits {
        value = value.checked_mul(radix)?.checked_add(chars.next()?.1.to_digit(radix)?)?;
    }
    Some(value)
}

/// `\uXXXX`, where two of them may be the halves of one character.
fn pair(chars: &mut std::str::CharIndices<'_>) -> Option<char> {
    let high = number_of(chars, 4, 16)?;
    if !(0xd800..0xdc00).contains(&high) {
        return char::from_u32(high);
    }
    let both = chars.next()?.1 == '\\' && chars.next()?.1 == 'u';
    let low = both.then(|| number_of(chars, 4, 16)).flatten()?;
    char::decode_utf16([high as u16, low as u16]).next()?.ok()
}
