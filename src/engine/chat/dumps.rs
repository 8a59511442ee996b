//! A value -> JSON as Python's `json.dumps` writes it, which is what templates' `tojson` is in transformers: no HTML escapes, a
//! space behind separators.

use minijinja::{
    Error, ErrorKind, Value,
    value::{Kwargs, ValueKind},
};

use super::python;

/// `tojson(ensure_ascii=False, indent=None, separators=None, sort_keys=False)`. Mappings are in their own order, as in Python.
///
/// # Errors
/// Another argument, a value that is no JSON.
pub(super) fn tojson(value: &Value, options: Kwargs) -> Result<String, Error> {
    let separators: Option<Vec<String>> = options.get("separators")?;
    let indent: Option<usize> = options.get("indent")?;
    let ensure_ascii = options.get::<Option<bool>>("ensure_ascii")?.unwrap_or(false);
    let sorted = options.get::<Option<bool>>("sort_keys")?.unwrap_or(false);
    options.assert_all_used()?;
    let [between, behind_key] = match separators.as_deref() {
        Some([between, behind_key]) => [between.clone(), behind_key.clone()],
        Some(_) => return Err(Error::new(ErrorKind::InvalidOperation, "tojson: separators: expected two")),
        None => [if indent.is_some() { "," } else { ", " }.to_owned(), ": ".to_owned()],
    };
    let mut dump = Dump { out: String::new(), indent, ensure_ascii, sorted, between, behind_key };
    dump.value(value, 1)?;
    Ok(dump.out)
}

struct Dump {
    out: String,
    indent: Option<usize>,
    ensure_ascii: bool,
    sorted: bool,
    between: String,
    behind_key: String,
}

impl Dump {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        match value.kind() {
            ValueKind::None => self.out += "null",
            ValueKind::Bool => self.out += if value.is_true() { "true" } else { "false" },
            ValueKind::Number if value.is_integer() => self.out += &value.to_string(),
            ValueKind::Number => match f64::try_from(value.clone()) {
                Ok(f64::INFINITY) => self.out += "Infinity",
                Ok(f64::NEG_INFINITY) => self.out += "-Infinity",
                Ok(number) if number.is_nan() => self.out += "NaN",
                Ok(number) => self.out += &python::float(number),
                Err(error) => return Err(error),
            },
            ValueKind::String => self.text(value.as_str().unwrap_or_default()),
            ValueKind::Seq | ValueKind::Iterable => {
                let items: Vec<(Option<Value>, Value)> = value.try_iter()?.map(|item| (None, item)).collect();
                self.all(['[', ']'], &items, depth)?;
            }
            ValueKind::Map => {
                let keys = value.try_iter()?;
                let items = keys.map(|key| Ok((Some(key.clone()), value.get_item(&key)?)));
                let mut items = items.collect::<Result<Vec<_>, Error>>()?;
                if self.sorted {
                    items.sort_by(|a, b| a.0.cmp(&b.0));
                }
                self.all(['{', '}'], &items, depth)?;
            }
            other => return Err(Error::new(ErrorKind::InvalidOperation, format!("tojson: {other} is no JSON"))),
        }
        Ok(())
    }

    fn all(&mut self, [open, close]: [char; 2], items: &[(Option<Value>, Value)], depth: usize) -> Result<(), Error> {
        self.out.push(open);
        for (index, (key, item)) in items.iter().enumerate() {
            if index > 0 {
                self.out += &self.between;
            }
            self.line(depth);
            if let Some(key) = key {
                match key.kind() {
                    ValueKind::None => self.text("null"),
                    ValueKind::Bool => self.text(if key.is_true() { "true" } else { "false" }),
                    _ => self.text(&python::text(key)),
                }
                self.out += &self.behind_key;
            }
            self.value(item, depth + 1)?;
        }
        if !items.is_empty() {
            self.line(depth - 1);
        }
        self.out.push(close);
        Ok(())
    }

    fn line(&mut self, depth: usize) {
        if let Some(indent) = self.indent {
            self.out.push('\n');
            self.out += &" ".repeat(indent * depth);
        }
    }

    fn text(&mut self, text: &str) {
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' => self.out += "\\\"",
                '\\' => self.out += "\\\\",
                '\n' => self.out += "\\n",
                '\r' => self.out += "\\r",
                '\t' => self.out += "\\t",
                '\u{8}' => self.out += "\\b",
                '\u{c}' => self.out += "\\f",
                c if c < ' ' || (self.ensure_ascii && !c.is_ascii()) => {
                    let mut units = [0; 2];
                    for unit in c.encode_utf16(&mut units) {
                        self.out += &format!("\\u{unit:04x}");
                    }
                }
                c => self.out.push(c),
            }
        }
        self.out.push('"');
    }
}
