//! The files that a LaTeX paper takes in, and which part of a file is the paper.

use super::super::Place;
use super::Reader;
use super::macros::source;
use super::tokens::Kind;
use std::borrow::Cow;

const DEPTH: usize = 20;
const FILES: usize = 1000;

/// Whether the text has a `\begin{document}` that is no comment: then what stands before it is not printed.
pub(super) fn has_begin(text: &str) -> bool {
    text.split('\n').any(|line| {
        let before = line.find("\\begin{document}").map(|at| line[..at].replace("\\%", ""));
        before.is_some_and(|before| !before.contains('%'))
    })
}

impl Reader<'_, '_> {
    /// `\input` and the like.
    pub(super) fn take_in(&mut self, command: &str, place: Place) {
        let folder = if command.ends_with("import") { source(&self.argument()) } else { String::new() };
        let name = self.file_name();
        let name = if folder.is_empty() { name } else { format!("{}/{name}", folder.trim().trim_end_matches('/')) };
        let why = if self.input.depth() > DEPTH {
            Err(format!("more than {DEPTH} files within each other"))
        } else if self.included >= FILES {
            Err(format!("more than {FILES} files"))
        } else {
            (self.include)(&name)
        };
        match why {
            Ok((file, text)) => {
                self.included += 1;
                self.macros.read += text.len();
                if has_begin(&text) {
                    self.flush();
                    self.preamble = true;
                }
                self.into.files.push(file);
                self.input.open(Cow::Owned(text), self.into.files.len() - 1);
            }
            Err(why) => self.left_out(place, &format!("\\{command}{{{name}}}: {why}")),
        }
    }

    /// In braces, or as TeX itself has it: up to a space.
    fn file_name(&mut self) -> String {
        let Some(token) = self.next_word() else { return String::new() };
        if token.kind == Kind::Open {
            self.input.put_back(token);
            return source(&self.argument()).trim().to_owned();
        }
        let mut tokens = vec![token];
        while let Some(token) = self.input.next() {
            if !matches!(token.kind, Kind::Text(_) | Kind::Down) {
                self.input.put_back(token);
                break;
            }
            tokens.push(token);
        }
        source(&tokens).trim().to_owned()
    }

    /// `\end{document}`: the file is over, and all that is open in it.
    pub(super) fn document_over(&mut self) {
        if self.input.depth() <= 1 {
            while self.close_one() {}
        }
        self.flush();
        self.input.leave();
    }
}
