//! Jinja's filters and tests as Python's Jinja has them, where those at hand differ.

use minijinja::{
    Environment, Error, Value,
    value::{Kwargs, Rest, ValueKind},
};

use super::{
    dumps, format, methods,
    python::{self, bad, text},
};

pub(super) fn add(environment: &mut Environment<'static>) {
    environment.add_filter("tojson", |value: &Value, options: Kwargs| dumps::tojson(value, options));
    environment.add_filter("string", text);
    environment.add_filter("format", format::filter);
    environment.add_filter("pprint", pprint);
    environment.add_filter("attr", attr);
    environment.add_filter("length", length);
    environment.add_filter("count", length);
    environment.add_filter("wordcount", |value: &Value| {
        text(value).split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty()).count()
    });
    environment.add_filter("upper", |value: &Value| text(value).to_uppercase());
    environment.add_filter("lower", |value: &Value| text(value).to_lowercase());
    environment.add_filter("capitalize", |value: &Value| methods::capitalize(&text(value)));
    environment.add_filter("title", |value: &Value| title(&text(value)));
    environment.add_filter("trim", trim);
    environment.add_filter("replace", replace);
    environment.add_filter("center", |value: &Value, width: Option<i64>| {
        methods::padded(&text(value), "center", width.unwrap_or(80), ' ')
    });
    environment.add_filter("indent", indent);
    environment.add_filter("join", join);
    environment.add_filter("sum", sum);
    environment.add_filter("int", int);
    environment.add_filter("float", float);
    environment.add_filter("round", round);
    environment.add_filter("items", |value: &Value| match value.is_undefined() {
        true => Ok(Value::from(Vec::<Value>::new())),
        false => methods::items(value),
    });
    environment.add_filter("dictsort", dictsort);
    for name in ["e", "escape"] {
        environment.add_filter(name, escape);
    }
    environment.add_test("sequence", |value: &Value| {
        matches!(value.kind(), ValueKind::String | ValueKind::Seq | ValueKind::Map | ValueKind::Undefined)
    });
    environment.add_test("iterable", |value: &Value| !value.is_none() && value.try_iter().is_ok());
    environment.add_test("number", |value: &Value| matches!(value.kind(), ValueKind::Number | ValueKind::Bool));
    environment.add_test("callable", |value: &Value| value.kind() == ValueKind::Plain);
    environment.add_test("lower", |value: &Value| cased(&text(value), char::is_lowercase, char::is_uppercase));
    environment.add_test("upper", |value: &Value| cased(&text(value), char::is_uppercase, char::is_lowercase));
}

/// An argument by its place or by its name.
fn or_named<T>(given: Option<T>, kwargs: &Kwargs, name: &str) -> Result<Option<T>, Error>
where
    T: for<'a> minijinja::value::ArgType<'a, Output = T>,
{
    match given {
        Some(value) => Ok(Some(value)),
        None => kwargs.get::<Option<T>>(name),
    }
}

/// Python breaks lines that are longer, which this does not.
fn pprint(value: &Value) -> Result<String, Error> {
    let said = python::repr(value);
    if said.chars().count() > 79 {
        Err(bad("pprint: a value that takes several lines is not known here"))
    } else {
        Ok(said)
    }
}

/// An attribute, never an item: mappings, lists and texts have methods only.
fn attr(value: &Value, name: &str) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::Plain => value.get_attr(name),
        _ => Ok(Value::UNDEFINED),
    }
}

fn cased(text: &str, is: fn(char) -> bool, not: fn(char) -> bool) -> bool {
    text.chars().any(is) && !text.chars().any(not)
}

fn length(value: &Value) -> Result<usize, Error> {
    if value.is_undefined() {
        return Ok(0);
    }
    value.len().ok_or_else(|| bad(format!("{} has no length", value.kind())))
}

/// Jinja's own title: words begin behind spaces and opening brackets, and behind a hyphen.
fn title(text: &str) -> String {
    let mut out = String::new();
    let mut begins = true;
    for c in text.chars() {
        if begins {
            out.extend(c.to_uppercase());
        } else {
            out.extend(c.to_lowercase());
        }
        begins = methods::is_space(c) || matches!(c, '-' | '(' | '{' | '[' | '<');
    }
    out
}

fn trim(value: &Value, chars: Option<&str>) -> String {
    let text = text(value);
    match chars {
        Some(chars) => text.trim_matches(|c| chars.contains(c)),
        None => text.trim_matches(methods::is_space),
    }
    .to_owned()
}

fn replace(value: &Value, old: &Value, new: &Value, count: Option<i64>, kwargs: Kwargs) -> Result<String, Error> {
    let count = or_named(count, &kwargs, "count")?;
    kwargs.assert_all_used()?;
    Ok(methods::replaced(&text(value), &text(old), &text(new), count))
}

/// `indent(width=4, first=False, blank=False)`; the width may be a text.
fn indent(
    value: &Value,
    width: Option<Value>,
    first: Option<bool>,
    blank: Option<bool>,
    kwargs: Kwargs,
) -> Result<String, Error> {
    let width = or_named(width, &kwargs, "width")?.unwrap_or_else(|| Value::from(4));
    let first = or_named(first, &kwargs, "first")?.unwrap_or(false);
    let blank = or_named(blank, &kwargs, "blank")?.unwrap_or(false);
    kwargs.assert_all_used()?;
    let before = match width.as_str() {
        Some(text) => text.to_owned(),
        None => " ".repeat(usize::try_from(width)?),
    };
    // A last, empty line is not lost.
    let text = text(value) + "\n";
    let lines = methods::lines(&text, false);
    let mut out = String::new();
    for (index, line) in lines.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        if if index == 0 { first } else { blank || !line.is_empty() } {
            out += &before;
        }
        out += line;
    }
    Ok(out)
}

fn attribute(item: &Value, path: &Value) -> Result<Value, Error> {
    match path.as_str() {
        Some(path) => path.split('.').try_fold(item.clone(), |value, part| match part.parse::<usize>() {
            Ok(index) => value.get_item(&Value::from(index)),
            Err(_) => value.get_attr(part),
        }),
        None => item.get_item(path),
    }
}

fn items(value: &Value, path: Option<Value>) -> Result<Vec<Value>, Error> {
    match path {
        Some(path) => value.try_iter()?.map(|item| attribute(&item, &path)).collect(),
        None => Ok(value.try_iter()?.collect()),
    }
}

fn join(value: &Value, between: Option<Value>, path: Option<Value>, kwargs: Kwargs) -> Result<String, Error> {
    let between = or_named(between, &kwargs, "d")?.map_or_else(String::new, |between| text(&between));
    let path = or_named(path, &kwargs, "attribute")?;
    kwargs.assert_all_used()?;
    Ok(items(value, path)?.iter().map(text).collect::<Vec<_>>().join(&between))
}

fn sum(value: &Value, path: Option<Value>, start: Option<Value>, kwargs: Kwargs) -> Result<Value, Error> {
    let path = or_named(path, &kwargs, "attribute")?;
    let start = or_named(start, &kwargs, "start")?.unwrap_or_else(|| Value::from(0));
    kwargs.assert_all_used()?;
    let mut all = items(value, path.filter(|path| !path.is_none()))?;
    all.insert(0, start);
    if all.iter().all(|item| item.is_integer() || item.kind() == ValueKind::Bool) {
        let whole: Vec<i64> = all.into_iter().map(i64::try_from).collect::<Result<_, _>>()?;
        return Ok(Value::from(whole.iter().sum::<i64>()));
    }
    let numbers: Vec<f64> = all.into_iter().map(f64::try_from).collect::<Result<_, _>>()?;
    Ok(Value::from(numbers.iter().sum::<f64>()))
}

fn int(value: &Value, default: Option<Value>, base: Option<u32>, kwargs: Kwargs) -> Result<Value, Error> {
    let default = or_named(default, &kwargs, "default")?.unwrap_or_else(|| Value::from(0));
    let base = or_named(base, &kwargs, "base")?.unwrap_or(10);
    kwargs.assert_all_used()?;
    let truncated = |number: f64| number.is_finite().then(|| Value::from(number.trunc() as i64));
    Ok(match value.as_str() {
        Some(text) => {
            let digits = text.trim_matches(methods::is_space).replace('_', "");
            let plain = match base {
                16 => digits.trim_start_matches("0x").trim_start_matches("0X"),
                8 => digits.trim_start_matches("0o"),
                2 => digits.trim_start_matches("0b"),
                _ => &digits,
            };
            let whole = (2..=36).contains(&base).then(|| i64::from_str_radix(plain, base).ok()).flatten();
            whole.map(Value::from).or_else(|| digits.parse().ok().and_then(truncated)).unwrap_or(default)
        }
        None if value.is_integer() => value.clone(),
        None => f64::try_from(value.clone()).ok().and_then(truncated).unwrap_or(default),
    })
}

fn float(value: &Value, default: Option<Value>) -> Value {
    let number = match value.as_str() {
        Some(text) => text.trim_matches(methods::is_space).parse().ok(),
        None => f64::try_from(value.clone()).ok(),
    };
    number.map(Value::from).or(default).unwrap_or_else(|| Value::from(0.0))
}

/// `round(precision=0, method='common')`: half of a digit goes to the even one.
fn round(value: &Value, precision: Option<i32>, method: Option<String>, kwargs: Kwargs) -> Result<Value, Error> {
    let precision = or_named(precision, &kwargs, "precision")?.unwrap_or(0);
    let method = or_named(method, &kwargs, "method")?.unwrap_or_else(|| "common".to_owned());
    kwargs.assert_all_used()?;
    let (number, scale) = (f64::try_from(value.clone())?, 10f64.powi(precision));
    Ok(Value::from(match method.as_str() {
        "ceil" => (number * scale).ceil() / scale,
        "floor" => (number * scale).floor() / scale,
        "common" if precision >= 0 => {
            format!("{number:.*}", precision as usize).parse().map_err(|_| bad("round: no number"))?
        }
        "common" => (number * scale).round_ties_even() / scale,
        other => return Err(bad(format!("round: expected common, ceil or floor, found {other}"))),
    }))
}

fn dictsort(value: &Value, arguments: Rest<Value>) -> Result<Value, Error> {
    let kwargs = match arguments.last() {
        Some(last) if last.is_kwargs() => Kwargs::try_from(last.clone())?,
        _ => Kwargs::from_iter(Vec::<(String, Value)>::new()),
    };
    let place = |index: usize| arguments.get(index).filter(|value| !value.is_kwargs());
    let sensitive = place(0).map(Value::is_true).or(kwargs.get("case_sensitive")?).unwrap_or(false);
    let by: Option<String> = place(1).map(text).or(kwargs.get("by")?);
    let reverse = place(2).map(Value::is_true).or(kwargs.get("reverse")?).unwrap_or(false);
    kwargs.assert_all_used()?;
    let by = usize::from(by.as_deref() == Some("value"));
    let mut pairs: Vec<Value> = methods::items(value)?.try_iter()?.collect();
    let key = |pair: &Value| match pair.get_item(&Value::from(by)) {
        Ok(value) if !sensitive && value.as_str().is_some() => Value::from(text(&value).to_lowercase()),
        Ok(value) => value,
        Err(_) => Value::UNDEFINED,
    };
    pairs.sort_by(|a, b| if reverse { key(b).cmp(&key(a)) } else { key(a).cmp(&key(b)) });
    Ok(Value::from(pairs))
}

fn escape(value: &Value) -> Value {
    if value.is_safe() {
        return value.clone();
    }
    let escapes = [('&', "&amp;"), ('<', "&lt;"), ('>', "&gt;"), ('\'', "&#39;"), ('"', "&#34;")];
    let said = text(value).chars().fold(String::new(), |mut out, c| {
        match escapes.iter().find(|(sign, _)| *sign == c) {
            Some((_, escape)) => out += escape,
            None => out.push(c),
        }
        out
    });
    Value::from_safe_string(said)
}
