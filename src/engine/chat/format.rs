//! Python's two ways of formatting, `format % arguments` and `format.format(arguments)`. Widths count characters.

use std::sync::LazyLock;

use minijinja::{
    Error, FormatStyle, Value, format_filter,
    value::{Kwargs, Rest, ValueKind},
};
use regex::{Captures, Regex};

use super::python::{Tuple, bad, is_float, repr, text};

/// The filter `format`, which is `%`.
pub(super) fn filter(format: &str, arguments: Rest<Value>) -> Result<String, Error> {
    match arguments.first() {
        Some(one) if one.is_kwargs() => printf(format, &[named(one)?]),
        _ => printf(format, &arguments),
    }
}

fn named(kwargs: &Value) -> Result<Value, Error> {
    let kwargs = Kwargs::try_from(kwargs.clone())?;
    kwargs.args().map(|key| Ok((key, kwargs.get::<Value>(key)?))).collect()
}

/// `format % arguments`
pub(super) fn printf(format: &str, arguments: &[Value]) -> Result<String, Error> {
    static PLACE: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"%(?:\((\w+)\))?([-+ #0]*)(\d*)(?:\.(\d+))?(.)").ok());
    let map = arguments.first().filter(|one| one.kind() == ValueKind::Map);
    let mut next = arguments.iter();
    let mut out = String::new();
    let mut end = 0;
    for place in PLACE.iter().flat_map(|place| place.captures_iter(format)) {
        let (whole, kind) = (place.get_match(), &place[5]);
        out += &format[end..whole.start()];
        end = whole.end();
        if kind == "%" {
            out.push('%');
            continue;
        }
        let value = match (place.get(1), map) {
            (Some(key), Some(map)) => map.get_item(&Value::from(key.as_str()))?,
            _ => next.next().cloned().ok_or_else(|| bad("not enough arguments for format string"))?,
        };
        let text = match kind {
            "s" => text(&value),
            "r" => repr(&value),
            _ => {
                let whole = matches!(kind, "d" | "i") && is_float(&value);
                let value = if whole { Value::from(f64::try_from(value)?.trunc() as i64) } else { value };
                let spec = format!("%{}{}{}{kind}", &place[2], &place[3], precision(&place));
                out += &format_filter(FormatStyle::Printf, &spec, &[value])?;
                continue;
            }
        };
        let align = if place[2].contains('-') { '<' } else { '>' };
        out += &set(&text, ' ', align, place[3].parse().ok(), place.get(4).and_then(|n| n.as_str().parse().ok()));
    }
    if format[end..].contains('%') {
        return Err(bad("incomplete format"));
    }
    if map.is_none() && next.next().is_some() {
        return Err(bad("not all arguments converted during string formatting"));
    }
    Ok(out + &format[end..])
}

/// `a % b`: of a text a format, of numbers the rest that has the divisor's sign.
pub(super) fn modulo(left: &Value, right: &Value) -> Result<Value, Error> {
    if let Some(format) = left.as_str() {
        let arguments = match right.kind() {
            ValueKind::Seq if right.downcast_object_ref::<Tuple>().is_some() => right.try_iter()?.collect(),
            _ => vec![right.clone()],
        };
        return printf(format, &arguments).map(Value::from);
    }
    let number = |value: &Value| matches!(value.kind(), ValueKind::Number | ValueKind::Bool);
    if !number(left) || !number(right) {
        return Err(bad(format!("% of {} and {}", left.kind(), right.kind())));
    }
    if let (Ok(a), Ok(b)) = (i128::try_from(left.clone()), i128::try_from(right.clone()))
        && !(is_float(left) || is_float(right))
    {
        let rest = a.checked_rem(b).ok_or_else(|| bad("division by zero"))?;
        return Ok(Value::from(if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest }));
    }
    let (a, b) = (f64::try_from(left.clone())?, f64::try_from(right.clone())?);
    if b == 0.0 {
        return Err(bad("division by zero"));
    }
    let rest = a % b;
    Ok(Value::from(if rest != 0.0 && (rest < 0.0) != (b < 0.0) { rest + b } else { rest }))
}

fn precision(place: &Captures<'_>) -> String {
    place.get(4).map_or_else(String::new, |digits| format!(".{}", digits.as_str()))
}

/// A text cut to `most` characters and padded to `width`.
fn set(text: &str, fill: char, align: char, width: Option<usize>, most: Option<usize>) -> String {
    let cut: String = text.chars().take(most.unwrap_or(usize::MAX)).collect();
    let missing = width.unwrap_or(0).saturating_sub(cut.chars().count());
    let left = match align {
        '<' => 0,
        '^' => missing / 2,
        _ => missing,
    };
    let fill = |n: usize| fill.to_string().repeat(n);
    format!("{}{cut}{}", fill(left), fill(missing - left))
}

/// `format.format(arguments)`
pub(super) fn braces(format: &str, arguments: &[Value]) -> Result<String, Error> {
    let kwargs = arguments.last().filter(|last| last.is_kwargs()).map(named).transpose()?;
    let places = arguments.len() - usize::from(kwargs.is_some());
    let mut fields = Fields { places: &arguments[..places], kwargs, next: 0 };
    fields.fill(format, 0)
}

struct Fields<'a> {
    places: &'a [Value],
    kwargs: Option<Value>,
    /// The place of the next field that names none.
    next: usize,
}

impl Fields<'_> {
    fn fill(&mut self, format: &str, depth: usize) -> Result<String, Error> {
        let mut out = String::new();
        let mut rest = format;
        while let Some(at) = rest.find(['{', '}']) {
            out += &rest[..at];
            let brace = &rest[at..at + 1];
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix(brace) {
                out += brace;
                rest = after;
            } else if brace == "{" && depth < 2 {
                let end = closing(rest).ok_or_else(|| bad("expected '}' before end of string"))?;
                out += &self.field(&rest[..end], depth)?;
                rest = &rest[end + 1..];
            } else {
                return Err(bad("single brace in format string"));
            }
        }
        Ok(out + rest)
    }

    /// `name!r:spec`
    fn field(&mut self, field: &str, depth: usize) -> Result<String, Error> {
        let (name, spec) = field.split_once(':').unwrap_or((field, ""));
        let (name, conversion) = name.split_once('!').unwrap_or((name, ""));
        let value = self.value(name)?;
        let spec = self.fill(spec, depth + 1)?;
        let value = match conversion {
            "" => value,
            "r" => Value::from(repr(&value)),
            "s" => Value::from(text(&value)),
            other => return Err(bad(format!("unknown conversion {other}"))),
        };
        if value.kind() == ValueKind::Number && !spec.is_empty() {
            return format_filter(FormatStyle::StrFormat, &format!("{{:{spec}}}"), &[value]);
        }
        let said = text(&value);
        if spec.is_empty() {
            return Ok(said);
        }
        static SPEC: LazyLock<Option<Regex>> =
            LazyLock::new(|| Regex::new(r"^(?:(.)?([<>^]))?(\d*)(?:\.(\d+))?s?$").ok());
        let found = SPEC.as_ref().and_then(|form| form.captures(&spec)).filter(|_| value.as_str().is_some());
        let found = found.ok_or_else(|| bad(format!("format `{spec}` of {}", value.kind())))?;
        let one = |index: usize| found.get(index).and_then(|one| one.as_str().chars().next());
        let most = found.get(4).and_then(|most| most.as_str().parse().ok());
        Ok(set(&said, one(1).unwrap_or(' '), one(2).unwrap_or('<'), found[3].parse().ok(), most))
    }

    /// `0`, `name`, nothing, each with `.attribute` and `[item]` behind it.
    fn value(&mut self, name: &str) -> Result<Value, Error> {
        let (first, path) = name.split_at(name.find(['.', '[']).unwrap_or(name.len()));
        let place = match first.parse::<usize>() {
            _ if first.is_empty() => {
                self.next += 1;
                self.places.get(self.next - 1).cloned()
            }
            Ok(index) => self.places.get(index).cloned(),
            Err(_) => self.kwargs.as_ref().map(|kwargs| kwargs.get_attr(first)).transpose()?,
        };
        let mut value = place.ok_or_else(|| bad(format!("no argument for {{{name}}}")))?;
        let mut rest = path;
        while !rest.is_empty() {
            let item = rest.strip_prefix('[').and_then(|rest| rest.split_once(']'));
            let (next, after) = match (item, rest.strip_prefix('.')) {
                (Some((key, after)), _) => {
                    let key = key.parse::<usize>().map_or_else(|_| Value::from(key), Value::from);
                    (value.get_item(&key)?, after)
                }
                (None, Some(attribute)) => {
                    let (key, after) = attribute.split_at(attribute.find(['.', '[']).unwrap_or(attribute.len()));
                    (value.get_attr(key)?, after)
                }
                (None, None) => return Err(bad(format!("no argument for {{{name}}}"))),
            };
            (value, rest) = (next, after);
        }
        Ok(value)
    }
}

/// Where the field that a text begins with ends, fields inside it passed over.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}
