//! A chat template (Jinja, as `transformers` renders it) and one user message -> the prompt's text.

use anyhow::{Context, Result};
use minijinja::{Environment, Error, ErrorKind, context};

/// Renders with `add_generation_prompt`. No clock is offered (`strftime_now` stays undefined), so a template that prints
/// today's date falls back to its fixed one and the prompt is the same every day.
pub fn render(template: &str, prompt: &str, bos: Option<&str>, eos: Option<&str>) -> Result<String> {
    let mut environment = Environment::new();
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.add_function("raise_exception", |reason: String| -> Result<String, Error> {
        Err(Error::new(ErrorKind::InvalidOperation, reason))
    });
    let values = context! {
        messages => [context! { role => "user", content => prompt }],
        add_generation_prompt => true,
        bos_token => bos.unwrap_or_default(),
        eos_token => eos.unwrap_or_default(),
    };
    environment
        .render_str(template, values)
        .context("the chat template fails\nhint: set `chat_template: false` in the study to send prompts raw")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_template_sees_the_message_and_the_generation_prompt() {
        let template = "{% for m in messages %}<{{ m['role'] }}>{{ m.content.strip() }}{% endfor %}{% if add_generation_prompt %}<a>{% endif %}";
        assert_eq!(render(template, " hi <b> ", None, None).unwrap(), "<user>hi <b><a>");
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
            let text = render(&case["template"], &case["prompt"], Some(&golden.bos), Some(&golden.eos)).unwrap();
            assert_eq!(text, case["text"], "{}", case["template"]);
        }
    }

    #[test]
    fn a_template_that_refuses_says_why() {
        let error = render("{{ raise_exception('no') }}", "x", None, None).unwrap_err();
        assert!(format!("{error:#}").contains("no"));
    }
}
