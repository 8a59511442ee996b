//! Templates and what comes of them.

use std::collections::BTreeMap;

use jiff::civil::date;

use super::*;
use crate::study::{Day, Effort};

fn render(text: &str, prompt: &str) -> Result<Rendered> {
    told(text, prompt, &Told::default())
}

fn told(text: &str, prompt: &str, told: &Told) -> Result<Rendered> {
    Template { text, tokens: &[("bos_token", "<s>"), ("eos_token", "</s>")] }.render(prompt, told)
}

#[test]
fn a_template_sees_the_message_and_the_generation_prompt() {
    let template = "{% for m in messages %}<{{ m['role'] }}>{{ m.content.strip() }}{% endfor %}{% if add_generation_prompt %}<a>{% endif %}";
    let rendered = render(template, " hi <b> ").unwrap();
    assert_eq!((rendered.text.as_str(), rendered.day), ("<user>hi <b><a>", None));
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
    let golden: Golden = serde_json::from_str(include_str!("../../../tests/data/chat_templates.json")).unwrap();
    assert_eq!(golden.cases.len(), 16);
    for case in &golden.cases {
        let tokens = [("bos_token", golden.bos.as_str()), ("eos_token", golden.eos.as_str())];
        let rendered = Template { text: &case["template"], tokens: &tokens }.render(&case["prompt"], &Told::default());
        assert_eq!(rendered.unwrap().text, case["text"], "{}", case["template"]);
    }
}

/// Every construct, each on prompts that look like templates, are empty, or have letters that few look at.
#[test]
fn templates_are_read_as_transformers_reads_them() {
    #[derive(serde::Deserialize)]
    struct Golden {
        prompts: Vec<String>,
        cases: Vec<(String, Vec<Option<String>>)>,
    }
    let golden: Golden = serde_json::from_str(include_str!("../../../tests/data/jinja_dialect.json")).unwrap();
    assert!(golden.cases.len() > 800);
    let mut differ = Vec::new();
    for (template, texts) in &golden.cases {
        for (prompt, text) in golden.prompts.iter().zip(texts) {
            let ours = render(template, prompt).ok().map(|rendered| rendered.text);
            if ours != *text {
                differ.push(format!("{template:?} of {prompt:?}: expected {text:?}, found {ours:?}"));
            }
        }
    }
    assert!(differ.is_empty(), "{} differ:\n{}", differ.len(), differ.join("\n"));
}

/// What the study says is a variable, what it does not say is undefined, and what the template passes over is known.
#[test]
fn a_template_is_told_what_the_study_says() {
    let template = "{% if enable_thinking is defined %}{{ enable_thinking }}{% if enable_thinking is false %}!{% endif %}{% endif %}{{ bos_token }}";
    let thinking = |yes| Told { enable_thinking: Some(yes), ..Told::default() };
    let said = |told_: &Told| {
        let rendered = told(template, "x", told_).unwrap();
        (rendered.text, rendered.overlooked)
    };
    assert_eq!(said(&Told::default()), ("<s>".to_owned(), vec![]));
    assert_eq!(said(&thinking(false)), ("False!<s>".to_owned(), vec![]));
    assert_eq!(said(&thinking(true)), ("True<s>".to_owned(), vec![]));
    let effort = Told { reasoning_effort: Some(Effort::Low), date: Some(Day(TODAY)), ..thinking(true) };
    assert_eq!(said(&effort), ("True<s>".to_owned(), vec!["reasoning_effort", "date"]));
    let rendered = told("{{ reasoning_effort }} {{ strftime_now('%Y') }}", "x", &effort).unwrap();
    assert_eq!((rendered.text.as_str(), rendered.overlooked), ("low 2024", vec!["enable_thinking"]));
    // Special tokens that a checkpoint has not are undefined, too.
    assert_eq!(render("{{ pad_token is defined }}{{ bos_token is defined }}", "x").unwrap().text, "FalseTrue");
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
    assert_eq!((rendered.text.as_str(), rendered.day), ("26 July 2024, 2024-07-26", Some(TODAY)));
    let day = Told { date: Some(Day(date(2026, 11, 27))), ..Told::default() };
    assert_eq!(told("{{ strftime_now('%A, %-d %b %Y%z') }}", "x", &day).unwrap().text, "Friday, 27 Nov 2026");
    let asks = "{% if strftime_now is defined %}{{ strftime_now('%d %b %Y') }}{% else %}26 Jul 2024{% endif %}";
    assert_eq!(render(asks, "x").unwrap().text, "26 Jul 2024");
    assert!(format!("{:#}", render("{{ strftime_now('%') }}", "x").unwrap_err()).contains("strftime_now: "));
}

#[test]
fn a_template_that_refuses_says_why() {
    let error = render("{{ raise_exception('no') }}", "x").unwrap_err();
    assert!(format!("{error:#}").contains("no"));
}
