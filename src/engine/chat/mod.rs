//! A chat template (Jinja, as `transformers` renders it) and one user message -> the prompt's text.

mod dialect;
mod dumps;
mod filters;
mod format;
mod lexer;
mod methods;
mod python;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, Result};
use jiff::civil::{Date, DateTime, date};
use minijinja::{
    AutoEscape, Environment, Error, Value, context,
    value::{Object, Rest},
};

use crate::study::Told;

/// The day that it is for every template unless the study names another, so that a prompt is the same every day: the one that
/// Llama 3's own templates name where no clock is offered.
pub const TODAY: Date = date(2024, 7, 26);

/// A checkpoint's template, with the special tokens that it may write.
#[derive(Debug, Clone, Copy, Default)]
pub struct Template<'a> {
    pub text: &'a str,
    /// `bos_token` and its like, each with its text; one that is not here is undefined in the template.
    pub tokens: &'a [(&'static str, &'a str)],
}

/// A prompt as a template makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    pub text: String,
    /// The day that the template was told, where it asked for one.
    pub day: Option<Date>,
    /// What it was told and did not look at, by the study's keys.
    pub overlooked: Vec<&'static str>,
}

/// The variables of a template, and which of them it has asked for.
#[derive(Debug)]
struct Variables {
    values: BTreeMap<&'static str, Value>,
    asked: Mutex<BTreeSet<String>>,
}

impl Variables {
    fn note(&self, name: &str) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
    }

    fn asked(&self, name: &str) -> bool {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).contains(name)
    }
}

impl Object for Variables {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?;
        self.note(name);
        self.values.get(name).cloned()
    }
}

impl Template<'_> {
    /// The prompt as a user's message, with `add_generation_prompt`, and what the study tells the template.
    ///
    /// # Errors
    /// A template that is none, or that refuses.
    pub fn render(&self, prompt: &str, told: &Told) -> Result<Rendered> {
        let mut values = BTreeMap::from([
            ("messages", Value::from(vec![context! { role => "user", content => prompt }])),
            ("add_generation_prompt", Value::from(true)),
            ("tools", Value::from(())),
            ("documents", Value::from(())),
        ]);
        values.extend(self.tokens.iter().map(|(name, text)| (*name, Value::from(*text))));
        values.extend(told.enable_thinking.map(|yes| ("enable_thinking", Value::from(yes))));
        values.extend(told.reasoning_effort.map(|effort| ("reasoning_effort", Value::from(effort.word()))));
        let variables = Arc::new(Variables { values, asked: Mutex::default() });
        let today = told.date.map_or(TODAY, |day| day.0);
        let environment = environment(today, &variables);
        let text = environment
            .render_str(&dialect::spoken(self.text), Value::from_dyn_object(Arc::clone(&variables)))
            .context("the chat template fails\nhint: set `chat_template: false` in the study to send prompts raw")?;
        let day = variables.asked(STRFTIME).then_some(today);
        let looked_at = |key: &str| if key == "date" { day.is_some() } else { variables.asked(key) };
        let overlooked = told.given().map(|(key, _)| key).filter(|key| !looked_at(key)).collect();
        Ok(Rendered { text, day, overlooked })
    }
}

/// What is noted where a template asks for the day; no variable has this name.
const STRFTIME: &str = "strftime_now()";

/// Jinja as transformers sets it up.
fn environment(today: Date, variables: &Arc<Variables>) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.set_unknown_method_callback(methods::call);
    environment.set_formatter(|out, state, value| match state.auto_escape() {
        AutoEscape::None => Ok(out.write_str(&python::text(value))?),
        _ => Err(python::bad("autoescape is not known here")),
    });
    filters::add(&mut environment);
    environment.add_function(dialect::CONCAT, python::concat);
    environment.add_function(dialect::MODULO, |a: &Value, b: &Value| format::modulo(a, b));
    environment.add_function(dialect::SLICE, python::slice);
    environment.add_function(dialect::TUPLE, |items: Rest<Value>| python::tuple(items.0));
    environment.add_function("raise_exception", |reason: String| -> Result<String, Error> { Err(python::bad(reason)) });
    let variables = Arc::clone(variables);
    environment.add_function("strftime_now", move |format: &str| {
        variables.note(STRFTIME);
        strftime(format, today.at(0, 0, 0, 0))
    });
    environment
}

/// Python's `strftime` of a time without a zone.
fn strftime(format: &str, now: DateTime) -> Result<String, Error> {
    let mut plain = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            plain.push(c);
            continue;
        }
        match chars.next() {
            // A time without a zone has nothing to say of it.
            Some('Z' | 'z') => {}
            Some('c') => plain += "%a %b %e %H:%M:%S %Y",
            Some('x') => plain += "%m/%d/%y",
            Some('X') => plain += "%H:%M:%S",
            Some(other) => plain.extend(['%', other]),
            None => plain.push('%'),
        }
    }
    jiff::fmt::strtime::format(&plain, now).map_err(|error| python::bad(format!("strftime_now: {error}")))
}
