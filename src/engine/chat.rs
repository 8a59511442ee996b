//! A chat template (Jinja, as `transformers` renders it) and one user message -> the prompt's text.

use std::{
    borrow::Cow,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::{Context, Result};
use jiff::civil::{Date, date};
use minijinja::{Environment, Error, ErrorKind, Value, context, value::Kwargs};
use regex::Regex;

use crate::engine::dumps;

/// The day that it is for every template, so that a prompt is the same every day: the one that Llama 3's own templates name
/// where no clock is offered.
pub const TODAY: Date = date(2024, 7, 26);

/// A checkpoint's template, with the special tokens that it may write.
#[derive(Debug, Clone, Copy, Default)]
pub struct Template<'a> {
    pub text: &'a str,
    pub bos: Option<&'a str>,
    pub eos: Option<&'a str>,
    pub unk: Option<&'a str>,
    pub pad: Option<&'a str>,
}

/// A prompt as a template makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    pub text: String,
    /// The template asked what day it is, and was told [`TODAY`].
    pub dated: bool,
}

impl Template<'_> {
    /// The prompt as a user's message, with `add_generation_prompt`.
    ///
    /// # Errors
    /// A template that is none, or that refuses.
    pub fn render(&self, prompt: &str) -> Result<Rendered> {
        let mut environment = Environment::new();
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", |reason: String| -> Result<String, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, reason))
        });
        environment.add_filter("tojson", |value: &Value, options: Kwargs| dumps::tojson(value, options));
        let asked = Arc::new(AtomicBool::new(false));
        let dated = Arc::clone(&asked);
        environment.add_function("strftime_now", move |format: &str| -> Result<String, Error> {
            dated.store(true, Ordering::Relaxed);
            jiff::fmt::strtime::format(format, TODAY.at(0, 0, 0, 0))
                .map_err(|error| Error::new(ErrorKind::InvalidOperation, format!("strftime_now: {error}")))
        });
        let values = context! {
            messages => [context! { role => "user", content => prompt }],
            add_generation_prompt => true,
            tools => (),
            documents => (),
            bos_token => self.bos.unwrap_or_default(),
            eos_token => self.eos.unwrap_or_default(),
            unk_token => self.unk,
            pad_token => self.pad,
        };
        let text = environment
            .render_str(&spoken(self.text), values)
            .context("the chat template fails\nhint: set `chat_template: false` in the study to send prompts raw")?;
        Ok(Rendered { text, dated: asked.load(Ordering::Relaxed) })
    }
}

/// Without what only transformers' dialect has: `{% generation %}` marks what is trained on, and changes nothing.
fn spoken(template: &str) -> Cow<'_, str> {
    static MARK: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"(\{%[-+]?\s*)(end)?generation(\s*[-+]?%\})").ok());
    let Some(mark) = MARK.as_ref() else { return Cow::Borrowed(template) };
    mark.replace_all(template, |found: &regex::Captures<'_>| {
        let word = if found.get(2).is_some() { "endif" } else { "if true" };
        format!("{}{word}{}", &found[1], &found[3])
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn render(text: &str, prompt: &str) -> Result<Rendered> {
        Template { text, ..Template::default() }.render(prompt)
    }

    #[test]
    fn a_template_sees_the_message_and_the_generation_prompt() {
        let template = "{% for m in messages %}<{{ m['role'] }}>{{ m.content.strip() }}{% endfor %}{% if add_generation_prompt %}<a>{% endif %}";
        let rendered = render(template, " hi <b> ").unwrap();
        assert_eq!((rendered.text.as_str(), rendered.dated), ("<user>hi <b><a>", false));
    }

    /// SmolLM2's own template, and others with what published ones use, on prompts that look like templates themselves.
    #[test]
    fn templates_render_as_transformers_renders_them() {
        #[derive(serde::Deserialize)]
        struct Golden {
            bos: String,
            eos: String,
            cases: Vec<BTreeMap<String, String>>,
        }
        let golden: Golden = serde_json::from_str(include_str!("../../tests/data/chat_templates.json")).unwrap();
        assert_eq!(golden.cases.len(), 16);
        for case in &golden.cases {
            let (bos, eos) = (Some(golden.bos.as_str()), Some(golden.eos.as_str()));
            let template = Template { text: &case["template"], bos, eos, ..Template::default() };
            assert_eq!(template.render(&case["prompt"]).unwrap().text, case["text"], "{}", case["template"]);
        }
    }

    /// What transformers adds to Jinja.
    #[test]
    fn the_dialect_of_transformers_is_understood() {
        let cases = [
            ("a{% generation %}b{% endgeneration %}c", "abc"),
            ("a {%- generation -%} b {%- endgeneration +%}c", "abc"),
            ("{%generation%}{{ 'generation' }}{%endgeneration%}", "generation"),
            (
                "{% for i in range(9) %}{% if i == 1 %}{% continue %}{% endif %}{% if i == 3 %}{% break %}{% endif %}{{ i }}{% endfor %}",
                "02",
            ),
            ("{% if tools is none and documents is defined %}none{% endif %}{% if tools %}some{% endif %}", "none"),
        ];
        for (template, text) in cases {
            assert_eq!(render(template, "x").unwrap().text, text, "{template}");
        }
    }

    /// Answers of Python's `json.dumps(x, ensure_ascii=False, ...)`.
    #[test]
    fn json_is_written_as_python_writes_it() {
        let value = "{'a': [1, 2.5, true, none], 'b': {}, 'c': [], 'd': 'é<&>\"\\\\ 😀\\n'}";
        let cases = [
            ("", r##"{"a": [1, 2.5, true, null], "b": {}, "c": [], "d": "é<&>\"\\ 😀\n"}"##),
            (
                "ensure_ascii=true",
                r##"{"a": [1, 2.5, true, null], "b": {}, "c": [], "d": "\u00e9<&>\"\\ \ud83d\ude00\n"}"##,
            ),
            ("separators=(',', ':')", r##"{"a":[1,2.5,true,null],"b":{},"c":[],"d":"é<&>\"\\ 😀\n"}"##),
            (
                "indent=2",
                r##"{
  "a": [
    1,
    2.5,
    true,
    null
  ],
  "b": {},
  "c": [],
  "d": "é<&>\"\\ 😀\n"
}"##,
            ),
        ];
        for (options, text) in cases {
            let template = format!("{{{{ {value} | tojson({options}) }}}}");
            assert_eq!(render(&template, "x").unwrap().text, text, "{template}");
        }
    }

    #[test]
    fn it_is_always_the_same_day_and_that_is_said() {
        let rendered = render("{{ strftime_now('%d %B %Y') }}, {{ strftime_now('%Y-%m-%d') }}", "x").unwrap();
        assert_eq!((rendered.text.as_str(), rendered.dated), ("26 July 2024, 2024-07-26", true));
        let asks = "{% if strftime_now is defined %}{{ strftime_now('%d %b %Y') }}{% else %}26 Jul 2024{% endif %}";
        assert_eq!(render(asks, "x").unwrap().text, "26 Jul 2024");
        assert!(format!("{:#}", render("{{ strftime_now('%') }}", "x").unwrap_err()).contains("strftime_now: "));
    }

    #[test]
    fn a_template_that_refuses_says_why() {
        let error = render("{{ raise_exception('no') }}", "x").unwrap_err();
        assert!(format!("{error:#}").contains("no"));
    }
}
