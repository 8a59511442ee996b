//! A value of a template -> the text that Python's `str` and `repr` make of it; tuples, slices, `%`.

use std::{fmt::Write, sync::Arc, sync::LazyLock};

use minijinja::{
    Error, ErrorKind, Value,
    value::{Enumerator, Object, ObjectRepr, Rest, ValueKind},
};
use regex::Regex;

/// A tuple: a sequence that is written with round brackets.
#[derive(Debug)]
pub(super) struct Tuple(Vec<Value>);

impl Object for Tuple {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.0.get(key.as_usize()?).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.0.len())
    }
}

pub(super) fn tuple(items: Vec<Value>) -> Value {
    Value::from_object(Tuple(items))
}

pub(super) fn bad(what: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, what)
}

/// `str(value)`
pub(super) fn text(value: &Value) -> String {
    match value.as_str() {
        Some(text) => text.to_owned(),
        None if value.is_undefined() => String::new(),
        None => repr(value),
    }
}

/// `repr(value)`
pub(super) fn repr(value: &Value) -> String {
    let mut out = String::new();
    write_repr(&mut out, value);
    out
}

fn write_repr(out: &mut String, value: &Value) {
    let list = |out: &mut String, items: &mut dyn Iterator<Item = Value>| {
        for (index, item) in items.enumerate() {
            *out += if index > 0 { ", " } else { "" };
            write_repr(out, &item);
        }
    };
    match value.kind() {
        ValueKind::Undefined => *out += "Undefined",
        ValueKind::None => *out += "None",
        ValueKind::Bool => *out += if value.is_true() { "True" } else { "False" },
        ValueKind::Number if value.is_integer() => *out += &value.to_string(),
        ValueKind::Number => *out += &f64::try_from(value.clone()).map_or_else(|_| value.to_string(), float),
        ValueKind::String => quote(out, value.as_str().unwrap_or_default()),
        ValueKind::Seq | ValueKind::Iterable => {
            let is_tuple = value.downcast_object_ref::<Tuple>().is_some();
            out.push(if is_tuple { '(' } else { '[' });
            if let Ok(mut items) = value.try_iter() {
                list(out, &mut items);
            }
            *out += if is_tuple && value.len() == Some(1) { "," } else { "" };
            out.push(if is_tuple { ')' } else { ']' });
        }
        ValueKind::Map => {
            out.push('{');
            for (index, key) in value.try_iter().into_iter().flatten().enumerate() {
                *out += if index > 0 { ", " } else { "" };
                write_repr(out, &key);
                *out += ": ";
                write_repr(out, &value.get_item(&key).unwrap_or_default());
            }
            out.push('}');
        }
        _ => *out += &value.to_string(),
    }
}

/// The shortest digits that read back, with an exponent where it is below -4 or above 15.
pub(super) fn float(value: f64) -> String {
    if !value.is_finite() {
        return if value.is_nan() {
            "nan"
        } else if value > 0.0 {
            "inf"
        } else {
            "-inf"
        }
        .to_owned();
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>() {
        Ok(n) if value != 0.0 && !(-4..16).contains(&n) => {
            format!("{digits}e{}{:02}", if n < 0 { '-' } else { '+' }, n.abs())
        }
        _ => format!("{value:?}"),
    }
}

/// A text in the quotes and with the escapes of Python.
fn quote(out: &mut String, text: &str) {
    static HIDDEN: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^[\p{C}\p{Z}--\x20]$").ok());
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\n' => *out += "\\n",
            '\r' => *out += "\\r",
            '\t' => *out += "\\t",
            '\\' => *out += "\\\\",
            c if c == quote => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            c if HIDDEN.as_ref().is_some_and(|hidden| hidden.is_match(c.encode_utf8(&mut [0; 4]))) => {
                // Writing to a text does not fail.
                let _ = match c as u32 {
                    n @ ..=0xff => write!(out, "\\x{n:02x}"),
                    n @ ..=0xffff => write!(out, "\\u{n:04x}"),
                    n => write!(out, "\\U{n:08x}"),
                };
            }
            c => out.push(c),
        }
    }
    out.push(quote);
}

/// `str(a) + str(b) + ...`
pub(super) fn concat(parts: Rest<Value>) -> String {
    parts.iter().map(text).collect()
}

pub(super) fn is_float(value: &Value) -> bool {
    value.kind() == ValueKind::Number && !value.is_integer()
}

/// `value[start:stop:step]`, each end `none` where it is left out.
pub(super) fn slice(value: &Value, start: Option<i64>, stop: Option<i64>, step: Option<i64>) -> Result<Value, Error> {
    let step = step.unwrap_or(1);
    if step == 0 {
        return Err(bad("slice step cannot be zero"));
    }
    let pick = |length: usize| -> Vec<usize> {
        let length = length as i64;
        // Where a forward slice may begin and end, and a backward one.
        let (low, high) = if step > 0 { (0, length) } else { (-1, length - 1) };
        let place = |at: i64| (if at < 0 { at.saturating_add(length) } else { at }).clamp(low, high);
        let (first, last) = if step > 0 { (0, length) } else { (length - 1, -1) };
        let (mut at, end) = (start.map_or(first, place), stop.map_or(last, place));
        let mut places = Vec::new();
        while if step > 0 { at < end } else { at > end } {
            places.push(at as usize);
            at = at.saturating_add(step);
        }
        places
    };
    if let Some(text) = value.as_str() {
        let chars: Vec<char> = text.chars().collect();
        return Ok(Value::from(pick(chars.len()).into_iter().map(|at| chars[at]).collect::<String>()));
    }
    if value.is_undefined() {
        return Ok(Value::UNDEFINED);
    }
    if !matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable) {
        return Err(bad(format!("{} cannot be cut", value.kind())));
    }
    let items: Vec<Value> = value.try_iter()?.collect();
    let some: Vec<Value> = pick(items.len()).into_iter().map(|at| items[at].clone()).collect();
    Ok(if value.downcast_object_ref::<Tuple>().is_some() { tuple(some) } else { Value::from(some) })
}
