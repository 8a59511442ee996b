//! A value, the name of a Python method and its arguments -> what Python answers. Positions count characters.

use minijinja::{
    Error, ErrorKind, State, Value,
    value::{Kwargs, ValueKind, from_args},
};

use super::{
    format,
    python::{bad, repr, tuple},
};

/// The method of a text, a list or a mapping.
///
/// # Errors
/// No such method, other arguments than it takes.
pub(super) fn call(_: &State<'_, '_>, value: &Value, method: &str, arguments: &[Value]) -> Result<Value, Error> {
    match (value.as_str(), value.kind()) {
        (Some(text), _) => of_text(text, method, arguments),
        (_, ValueKind::Map) => of_map(value, method, arguments),
        (_, ValueKind::Seq) => of_list(value, method, arguments),
        _ => Err(unknown()),
    }
}

fn unknown() -> Error {
    Error::from(ErrorKind::UnknownMethod)
}

fn of_list(value: &Value, method: &str, arguments: &[Value]) -> Result<Value, Error> {
    match method {
        "count" => {
            let (wanted,): (&Value,) = from_args(arguments)?;
            Ok(Value::from(value.try_iter()?.filter(|item| item == wanted).count()))
        }
        "index" => {
            let (wanted,): (&Value,) = from_args(arguments)?;
            let at = value.try_iter()?.position(|item| item == *wanted);
            at.map(Value::from).ok_or_else(|| bad(format!("{} is not in the list", repr(wanted))))
        }
        "copy" => Ok(value.try_iter()?.collect()),
        _ => Err(unknown()),
    }
}

/// The pairs of a mapping, as tuples.
pub(super) fn items(value: &Value) -> Result<Value, Error> {
    value.try_iter()?.map(|key| Ok(tuple(vec![key.clone(), value.get_item(&key)?]))).collect()
}

fn of_map(value: &Value, method: &str, arguments: &[Value]) -> Result<Value, Error> {
    let pairs = || -> Result<Vec<(Value, Value)>, Error> {
        value.try_iter()?.map(|key| Ok((key.clone(), value.get_item(&key)?))).collect()
    };
    match method {
        "get" => {
            let (key, default): (&Value, Option<Value>) = from_args(arguments)?;
            let found = value.get_item(key)?;
            Ok(if found.is_undefined() { default.unwrap_or_else(|| Value::from(())) } else { found })
        }
        "keys" => Ok(value.try_iter()?.collect()),
        "values" => Ok(pairs()?.into_iter().map(|(_, item)| item).collect()),
        "items" => items(value),
        "copy" => Ok(pairs()?.into_iter().collect()),
        _ => Err(unknown()),
    }
}

/// What Python takes for space, which is four separators more than Unicode's.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

fn strip<'a>(text: &'a str, chars: Option<&str>, [left, right]: [bool; 2]) -> &'a str {
    let cut = |c: char| chars.map_or_else(|| is_space(c), |chars| chars.contains(c));
    let text = if left { text.trim_start_matches(cut) } else { text };
    if right { text.trim_end_matches(cut) } else { text }
}

fn of_text(s: &str, method: &str, arguments: &[Value]) -> Result<Value, Error> {
    let none = || from_args::<()>(arguments);
    let chars = || from_args::<(Option<&str>,)>(arguments).map(|(chars,)| chars);
    // Is it so of every letter that has a case, and is there one?
    let cased = |is: fn(char) -> bool, not: fn(char) -> bool| s.chars().any(is) && !s.chars().any(not);
    let every = |is: fn(char) -> bool| !s.is_empty() && s.chars().all(is);
    Ok(match method {
        "upper" => none().map(|()| Value::from(s.to_uppercase()))?,
        "lower" => none().map(|()| Value::from(s.to_lowercase()))?,
        "title" => none().map(|()| Value::from(title(s)))?,
        "capitalize" => none().map(|()| Value::from(capitalize(s)))?,
        "islower" => none().map(|()| Value::from(cased(char::is_lowercase, char::is_uppercase)))?,
        "isupper" => none().map(|()| Value::from(cased(char::is_uppercase, char::is_lowercase)))?,
        "isspace" => none().map(|()| Value::from(every(is_space)))?,
        "isalpha" => none().map(|()| Value::from(every(is_letter)))?,
        "isalnum" => none().map(|()| Value::from(every(|c| is_letter(c) || c.is_numeric())))?,
        "isdecimal" => none().map(|()| Value::from(every(is_decimal)))?,
        "isdigit" => none().map(|()| Value::from(every(|c| is_decimal(c) || is_raised(c))))?,
        "isnumeric" => none().map(|()| Value::from(every(char::is_numeric)))?,
        "isascii" => none().map(|()| Value::from(s.is_ascii()))?,
        "strip" => Value::from(strip(s, chars()?, [true, true])),
        "lstrip" => Value::from(strip(s, chars()?, [true, false])),
        "rstrip" => Value::from(strip(s, chars()?, [false, true])),
        "removeprefix" => from_args(arguments).map(|(p,): (&str,)| Value::from(s.strip_prefix(p).unwrap_or(s)))?,
        "removesuffix" => from_args(arguments).map(|(p,): (&str,)| Value::from(s.strip_suffix(p).unwrap_or(s)))?,
        "replace" => replace(s, arguments)?,
        "split" | "rsplit" => split(s, method == "rsplit", arguments)?,
        "splitlines" => {
            let (keep, kwargs): (Option<bool>, Kwargs) = from_args(arguments)?;
            let named: Option<bool> = kwargs.get("keepends")?;
            lines(s, keep.or(named).unwrap_or(false)).into_iter().map(Value::from).collect()
        }
        "partition" | "rpartition" => {
            let (by,): (&str,) = from_args(arguments)?;
            let parts = if method == "partition" { s.split_once(by) } else { s.rsplit_once(by) };
            let parts = match parts {
                Some((before, after)) => [before, by, after],
                None if method == "partition" => [s, "", ""],
                None => ["", "", s],
            };
            tuple(parts.into_iter().map(Value::from).collect())
        }
        "count" => {
            let (wanted, start, end): (&str, Option<i64>, Option<i64>) = from_args(arguments)?;
            let (_, part) = part(s, start, end);
            Value::from(if wanted.is_empty() { part.chars().count() + 1 } else { part.matches(wanted).count() })
        }
        "find" | "rfind" | "index" | "rindex" => {
            let (wanted, start, end): (&str, Option<i64>, Option<i64>) = from_args(arguments)?;
            let (before, part) = part(s, start, end);
            let at = if method.starts_with('r') { part.rfind(wanted) } else { part.find(wanted) };
            match at.map(|at| before + part[..at].chars().count()) {
                Some(at) => Value::from(at),
                None if method.ends_with("find") => Value::from(-1),
                None => return Err(bad("substring not found")),
            }
        }
        "startswith" | "endswith" => {
            let (wanted, start, end): (&Value, Option<i64>, Option<i64>) = from_args(arguments)?;
            let (_, part) = part(s, start, end);
            let is =
                |wanted: &str| if method == "startswith" { part.starts_with(wanted) } else { part.ends_with(wanted) };
            let all = match wanted.as_str() {
                Some(one) => return Ok(Value::from(is(one))),
                None => wanted.try_iter()?.collect::<Vec<_>>(),
            };
            let texts: Option<Vec<&str>> = all.iter().map(Value::as_str).collect();
            let texts = texts.ok_or_else(|| bad(format!("{method}: expected a text or a tuple of texts")))?;
            Value::from(texts.into_iter().any(is))
        }
        "join" => {
            let (values,): (&Value,) = from_args(arguments)?;
            let values: Vec<Value> = values.try_iter()?.collect();
            let texts: Option<Vec<&str>> = values.iter().map(Value::as_str).collect();
            Value::from(texts.ok_or_else(|| bad("join: expected texts"))?.join(s))
        }
        "format" => Value::from(format::braces(s, arguments)?),
        "ljust" | "rjust" | "center" => {
            let (width, fill): (i64, Option<char>) = from_args(arguments)?;
            Value::from(padded(s, method, width, fill.unwrap_or(' ')))
        }
        "zfill" => {
            let (width,): (i64,) = from_args(arguments)?;
            let sign = if s.starts_with(['-', '+']) { &s[..1] } else { "" };
            let rest = padded(&s[sign.len()..], "rjust", width - sign.len() as i64, '0');
            Value::from(format!("{sign}{rest}"))
        }
        "expandtabs" => {
            let (size,): (Option<i64>,) = from_args(arguments)?;
            Value::from(expanded(s, size.unwrap_or(8)))
        }
        _ => return Err(unknown()),
    })
}

/// `s[start:end]`, and the characters before it.
fn part(s: &str, start: Option<i64>, end: Option<i64>) -> (usize, &str) {
    let length = s.chars().count() as i64;
    let place = |at: i64| (if at < 0 { at + length } else { at }).clamp(0, length) as usize;
    let (start, end) = (start.map_or(0, place), end.map_or(length as usize, place));
    let byte = |at: usize| s.char_indices().nth(at).map_or(s.len(), |(byte, _)| byte);
    (start, if start < end { &s[byte(start)..byte(end)] } else { "" })
}

fn replace(s: &str, arguments: &[Value]) -> Result<Value, Error> {
    let (old, new, count, kwargs): (&str, &str, Option<i64>, Kwargs) = from_args(arguments)?;
    let count = count.or(kwargs.get("count")?);
    kwargs.assert_all_used()?;
    Ok(Value::from(replaced(s, old, new, count)))
}

/// As often as `count` says, or everywhere.
pub(super) fn replaced(s: &str, old: &str, new: &str, count: Option<i64>) -> String {
    match count.and_then(|count| usize::try_from(count).ok()) {
        Some(count) => s.replacen(old, new, count),
        None => s.replace(old, new),
    }
}

fn split(s: &str, from_right: bool, arguments: &[Value]) -> Result<Value, Error> {
    let (by, most, kwargs): (Option<Value>, Option<i64>, Kwargs) = from_args(arguments)?;
    let by: Option<String> = match by.filter(|by| !by.is_none()).or(kwargs.get("sep")?) {
        Some(by) if by.is_none() => None,
        Some(by) => Some(by.as_str().ok_or_else(|| bad("split: expected a text to split by"))?.to_owned()),
        None => None,
    };
    let most = most.or(kwargs.get("maxsplit")?).and_then(|most| usize::try_from(most).ok());
    kwargs.assert_all_used()?;
    let parts: Vec<&str> = match &by {
        Some(by) if by.is_empty() => return Err(bad("split: empty separator")),
        Some(by) => match (most, from_right) {
            (None, _) => s.split(by.as_str()).collect(),
            (Some(most), false) => s.splitn(most + 1, by.as_str()).collect(),
            (Some(most), true) => {
                let mut parts: Vec<&str> = s.rsplitn(most + 1, by.as_str()).collect();
                parts.reverse();
                parts
            }
        },
        None => words(s, most.unwrap_or(usize::MAX), from_right),
    };
    Ok(parts.into_iter().map(Value::from).collect())
}

/// By runs of spaces, at most so many times.
fn words(s: &str, most: usize, from_right: bool) -> Vec<&str> {
    let mut parts = Vec::new();
    if from_right {
        let mut rest = s.trim_end_matches(is_space);
        while !rest.is_empty() {
            let at = rest.char_indices().rfind(|(_, c)| is_space(*c)).filter(|_| parts.len() < most);
            parts.push(at.map_or(rest, |(at, c)| &rest[at + c.len_utf8()..]));
            rest = at.map_or("", |(at, _)| rest[..at].trim_end_matches(is_space));
        }
        parts.reverse();
        return parts;
    }
    let mut rest = s.trim_start_matches(is_space);
    while !rest.is_empty() {
        let end = rest.find(is_space).filter(|_| parts.len() < most).unwrap_or(rest.len());
        parts.push(&rest[..end]);
        rest = rest[end..].trim_start_matches(is_space);
    }
    parts
}

/// Lines by Python's dozen of ends.
pub(super) fn lines(s: &str, keep: bool) -> Vec<&str> {
    let is_end = |c: char| {
        matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}')
    };
    let (mut all, mut rest) = (Vec::new(), s);
    while !rest.is_empty() {
        let at = rest.find(is_end).unwrap_or(rest.len());
        let end = if rest[at..].starts_with("\r\n") { 2 } else { rest[at..].chars().next().map_or(0, char::len_utf8) };
        all.push(&rest[..if keep { at + end } else { at }]);
        rest = &rest[at + end..];
    }
    all
}

fn is_letter(c: char) -> bool {
    // Rust's alphabetic includes marks and letter numbers, which are no letters to Python.
    c.is_alphabetic() && is_of(c, r"^\p{L}$")
}

fn is_decimal(c: char) -> bool {
    c.is_ascii_digit() || (c.is_numeric() && is_of(c, r"^\p{Nd}$"))
}

fn is_raised(c: char) -> bool {
    matches!(c, '²' | '³' | '¹' | '⁰' | '⁴'..='⁹' | '₀'..='₉' | '①'..='⑨' | '⑴'..='⑼' | '⒈'..='⒐' | '❶'..='❾')
}

fn is_of(c: char, class: &str) -> bool {
    regex::Regex::new(class).is_ok_and(|class| class.is_match(c.encode_utf8(&mut [0; 4])))
}

/// A letter as a title begins; the four digraphs have a case of their own.
fn begun(c: char) -> String {
    match c {
        'Ǆ'..='ǆ' => "ǅ".to_owned(),
        'Ǉ'..='ǉ' => "ǈ".to_owned(),
        'Ǌ'..='ǌ' => "ǋ".to_owned(),
        'Ǳ'..='ǳ' => "ǲ".to_owned(),
        'ß' => "Ss".to_owned(),
        'ﬁ' => "Fi".to_owned(),
        'ﬂ' => "Fl".to_owned(),
        c => c.to_uppercase().collect(),
    }
}

fn title(s: &str) -> String {
    let is_cased = |c: char| c.is_lowercase() || c.is_uppercase() || matches!(c, 'ǅ' | 'ǈ' | 'ǋ' | 'ǲ');
    let (mut out, mut rest) = (String::new(), s);
    while let Some(first) = rest.chars().next() {
        if !is_cased(first) {
            out.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let (word, after) = rest.split_at(rest.find(|c| !is_cased(c)).unwrap_or(rest.len()));
        // In one piece, for the last letter of a Greek word.
        out += &begun(first);
        out.extend(word.to_lowercase().chars().skip(first.to_lowercase().count()));
        rest = after;
    }
    out
}

pub(super) fn capitalize(s: &str) -> String {
    let Some(first) = s.chars().next() else { return String::new() };
    let lower = s.to_lowercase();
    begun(first) + &lower.chars().skip(first.to_lowercase().count()).collect::<String>()
}

/// Of an odd rest `center` puts one more to the left where the width is odd, as CPython does.
pub(super) fn padded(s: &str, method: &str, width: i64, fill: char) -> String {
    let missing = (width - s.chars().count() as i64).max(0);
    let left = match method {
        "ljust" => 0,
        "rjust" => missing,
        _ => missing / 2 + (missing & width & 1),
    };
    let fill = |n: i64| fill.to_string().repeat(n as usize);
    format!("{}{s}{}", fill(left), fill(missing - left))
}

fn expanded(s: &str, size: i64) -> String {
    let (mut out, mut column) = (String::new(), 0i64);
    for c in s.chars() {
        if c == '\t' {
            let spaces = if size > 0 { size - column % size } else { 0 };
            out += &" ".repeat(spaces as usize);
            column += spaces;
        } else {
            out.push(c);
            column = if c == '\n' || c == '\r' { 0 } else { column + 1 };
        }
    }
    out
}
