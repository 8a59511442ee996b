//! Whose script a page has: this program's, or a stranger's. A page can print any green tick; who verifies a bundle is told.

use std::collections::BTreeSet;

use html5gum::{
    Span, Tokenizer,
    emitters::callback::{CallbackEmitter, CallbackEvent},
};

use super::{SCRIPTS, joined};
use crate::{digest, paper::Templates};

/// SHA-256 of the scripts of released versions, a line each: version, digest.
const RELEASED: &str = include_str!("released.txt");

/// What scripts a page has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Script {
    /// None, as pages of before 0.5.
    None,
    /// This version's, or that of a released one.
    Known,
    /// Something else: it may show anything.
    Foreign,
}

/// Looks at a page's source, as a browser reads it, for whatever would run.
pub fn script(html: &str) -> Script {
    let mut look =
        Look { known: known(), found: Script::None, tag: String::new(), attributes: Vec::new(), script: None };
    let mut emitter = CallbackEmitter::new(|event: CallbackEvent<'_>, _: Span<()>| -> Option<()> {
        look.event(&event);
        None
    });
    emitter.naively_switch_states(true);
    Tokenizer::new_with_emitter(html, emitter).for_each(drop);
    look.close();
    look.found
}

struct Look {
    known: BTreeSet<String>,
    found: Script,
    tag: String,
    attributes: Vec<(String, String)>,
    /// The text of the script that is open, and whether it is a block of data.
    script: Option<(String, bool)>,
}

impl Look {
    fn event(&mut self, event: &CallbackEvent<'_>) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match event {
            CallbackEvent::OpenStartTag { name } => {
                (self.tag, self.attributes) = (text(name).to_ascii_lowercase(), Vec::new());
            }
            CallbackEvent::AttributeName { name } => {
                self.attributes.push((text(name).to_ascii_lowercase(), String::new()));
            }
            CallbackEvent::AttributeValue { value } => {
                if let Some((_, last)) = self.attributes.last_mut() {
                    last.push_str(&text(value));
                }
            }
            CallbackEvent::CloseStartTag { .. } => self.start(),
            CallbackEvent::String { value } => {
                if let Some((script, _)) = &mut self.script {
                    script.push_str(&text(value));
                }
            }
            CallbackEvent::EndTag { .. } => self.close(),
            _ => {}
        }
    }

    fn start(&mut self) {
        self.close();
        let is = |name: &str, value: &str| self.attributes.iter().any(|(n, v)| n == name && v == value);
        let runs = |(name, value): &(String, String)| {
            let value: String = value.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect();
            name.starts_with("on") || name == "srcdoc" || value.to_ascii_lowercase().starts_with("javascript:")
        };
        let refresh = |(name, value): &(String, String)| name == "http-equiv" && value.eq_ignore_ascii_case("refresh");
        let others = ["iframe", "frame", "object", "embed", "base", "link", "applet", "portal"];
        if self.attributes.iter().any(|each| runs(each) || refresh(each)) || others.contains(&self.tag.as_str()) {
            self.found = Script::Foreign;
        }
        if self.tag == "script" {
            let data = self.attributes.len() == 2 && is("type", "application/json");
            let plain = data && self.attributes.iter().any(|(name, value)| name == "id" && value.starts_with("o-"));
            if !plain && !self.attributes.is_empty() {
                self.found = Script::Foreign;
            }
            self.script = Some((String::new(), plain));
        }
    }

    /// Whatever was open ends.
    fn close(&mut self) {
        // A skin has a place for the script, and nothing that runs.
        let Some((script, false)) = self.script.take().filter(|(script, _)| script != "<< script >>") else { return };
        let known = self.known.contains(&digest::sha256_hex(script.as_bytes()));
        self.found = match self.found {
            Script::Foreign => Script::Foreign,
            _ if known => Script::Known,
            _ => Script::Foreign,
        };
    }
}

fn known() -> BTreeSet<String> {
    let mut known: BTreeSet<String> = RELEASED
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(' ').nth(1))
        .map(str::to_owned)
        .collect();
    known.extend(joined(&Templates::built_in(), &SCRIPTS).map(|script| digest::sha256_hex(script.as_bytes())));
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_s_scripts_are_known_or_foreign() {
        let own = joined(&Templates::built_in(), &SCRIPTS).unwrap();
        let data = "<script type=\"application/json\" id=\"o-runs\">{\"x\": \"<b onclick=1\"}</script>";
        assert_eq!(script("<p>online = &lt;img onerror=1&gt; javascript:x <a href=\"#x\">1</a></p>"), Script::None);
        assert_eq!(script(data), Script::None);
        assert_eq!(script(Templates::built_in().get("skins/paper.html").unwrap()), Script::None);
        assert_eq!(script(&format!("{data}<script>{own}</script>")), Script::Known);
        for foreign in [
            "<script>alert(1)</script>".to_owned(),
            format!("<script>{own} </script>"),
            format!("<script>{own}</script><SCRIPT src=x></SCRIPT>"),
            "<script type=\"application/json\" id=\"o-x\" src=\"x\"></script>".to_owned(),
            "<script type=\"module\">1</script>".to_owned(),
            "<img src=x onerror=alert(1)>".to_owned(),
            "<img/onerror=alert(1) src=x>".to_owned(),
            "<a title=\">\" onclick=alert(1)>x</a>".to_owned(),
            "<a href=\" java\nscript:alert(1)\">x</a>".to_owned(),
            "<meta http-equiv=Refresh content=\"0;url=x\">".to_owned(),
            "<svg><script>1</script></svg>".to_owned(),
            "<a href=\"javascript:alert(1)\">x</a>".to_owned(),
            "<iframe srcdoc=x></iframe>".to_owned(),
            "<base href=\"https://x\">".to_owned(),
            "<script>1".to_owned(),
        ] {
            assert_eq!(script(&foreign), Script::Foreign, "{foreign}");
        }
    }
}
