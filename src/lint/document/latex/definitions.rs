//! How a LaTeX paper defines commands and environments of its own.

use super::Reader;
use super::macros::{CONDITIONS, Macro, Parameter, listed, source};
use super::tokens::{Kind, Token};
use std::rc::Rc;

/// Commands that this reader understands better than by what a paper defines them as.
const KEPT: &str = " section subsection subsubsection paragraph subparagraph chapter part caption footnote item begin end par title label \
    ref cref Cref eqref autoref num SI si qty unit SIrange qtyrange numrange ang numlist frac textbf textit emph texttt \
    newcommand renewcommand providecommand def let input include cite citep citet \\ multicolumn multirow url href toprule midrule \
    bottomrule hline cmidrule cline $ % & # _ { } , ; : ! ";

impl Reader<'_, '_> {
    pub(super) fn define(&mut self, name: &[Token], parameters: Vec<Parameter>, body: Vec<Token>) {
        let name = name.iter().find_map(|token| match &token.kind {
            Kind::Command(name) => Some(name),
            _ => None,
        });
        if let Some(name) = name
            && !listed(KEPT, name)
            && !listed(CONDITIONS, name)
        {
            self.macros.commands.insert(name.clone(), Rc::new(Macro { parameters, body }));
        }
    }

    /// `[2][default]`
    fn parameters(&mut self) -> Vec<Parameter> {
        let Some(count) = self.brackets() else { return Vec::new() };
        let count = source(&count).trim().parse::<usize>().unwrap_or(0).min(9);
        let mut parameters = vec![Parameter::Needed; count];
        if let Some(default) = self.brackets()
            && let Some(first) = parameters.first_mut()
        {
            *first = Parameter::Optional(default);
        }
        parameters
    }

    pub(super) fn new_command(&mut self, how: &str) {
        self.star();
        let name = self.argument();
        let parameters = self.parameters();
        let body = self.argument();
        let known = matches!(name.first().map(|token| &token.kind), Some(Kind::Command(name)) if self.macros.commands.contains_key(name));
        if how != "providecommand" || !known {
            self.define(&name, parameters, body);
        }
    }

    pub(super) fn document_command(&mut self) {
        let name = self.argument();
        let written = self.argument();
        let body = self.argument();
        let (mut parameters, mut at) = (Vec::new(), 0);
        let text = source(&written);
        while let Some(one) = text[at..].chars().next() {
            at += one.len_utf8();
            match one {
                'm' | 'r' | 'v' => parameters.push(Parameter::Needed),
                's' => parameters.push(Parameter::Star),
                'o' => parameters.push(Parameter::Optional(Vec::new())),
                'O' => {
                    let default =
                        text[at..].trim_start().strip_prefix('{').and_then(|rest| rest.split('}').next()).unwrap_or("");
                    parameters.push(Parameter::Optional(vec![Token::text(default, self.input.place)]));
                    at += text[at..].find('}').map_or(0, |end| end + 1);
                }
                _ => {}
            }
        }
        self.define(&name, parameters, body);
    }

    pub(super) fn def(&mut self) {
        let (name, mut count, mut plain) = (self.argument(), 0, true);
        while let Some(token) = self.input.next() {
            match token.kind {
                Kind::Param(_) => count += 1,
                Kind::Open => {
                    let body = self.group(token.place);
                    if plain {
                        self.define(&name, vec![Parameter::Needed; count], body);
                    }
                    return;
                }
                Kind::Par => return,
                Kind::Space => {}
                _ => plain = false,
            }
        }
    }

    pub(super) fn alias(&mut self) {
        let name = self.argument();
        let mut target = self.argument();
        if target.first().is_some_and(|token| token.is_text("=")) {
            target = self.argument();
        }
        let same = target.first().map(|token| &token.kind) == name.first().map(|token| &token.kind);
        let Some(Kind::Command(other)) = target.first().map(|token| &token.kind) else {
            return self.define(&name, Vec::new(), target);
        };
        match self.macros.commands.get(other).map(|found| (**found).clone()) {
            Some(found) => self.define(&name, found.parameters, found.body),
            None if !same => self.define(&name, Vec::new(), target),
            None => {}
        }
    }

    pub(super) fn new_environment(&mut self) {
        self.star();
        let name = source(&self.argument());
        let parameters = self.parameters();
        let begin = Macro { parameters, body: self.argument() };
        let end = Macro { parameters: Vec::new(), body: self.argument() };
        self.macros.environments.insert(name.trim().into(), (Rc::new(begin), Rc::new(end)));
    }
}
