//! A PDF -> its paragraphs as plain text; a place is a page. Lines are joined again and hyphens at their ends undone. Tables stay
//! lines of text.

use super::{Block, Document, LeftOut, Place, Text};

/// For a file that nests what it should not.
const STACK: usize = 256 << 20;

pub fn read(bytes: &[u8], file: usize, into: &mut Document) -> Result<(), String> {
    let pages = pages(bytes)?;
    if pages.iter().all(|page| page.trim().is_empty()) {
        return Err("no text: a scan?".to_owned());
    }
    into.left_out
        .push(LeftOut { place: Place { file, line: 1 }, why: "tables of a PDF are read as text only".to_owned() });
    let mut writer = Writer { paragraph: Text::default(), references: false, amid: false, into };
    for (at, page) in pages.iter().enumerate() {
        writer.page(page, Place { file, line: at + 1 });
    }
    writer.end();
    Ok(())
}

/// The text of each page. The crate may panic on files that break the rules: in a thread of its own that is an error.
fn pages(bytes: &[u8]) -> Result<Vec<String>, String> {
    let encrypted = bytes.windows(8).any(|eight| eight == b"/Encrypt");
    let read = || pdf_extract::extract_text_from_mem_by_pages(bytes).map_err(|error| error.to_string());
    let result = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("pdf".to_owned()).stack_size(STACK).spawn_scoped(scope, read);
        match thread {
            Ok(thread) => thread.join().unwrap_or_else(|_| Err("it breaks the rules of PDF".to_owned())),
            Err(error) => Err(error.to_string()),
        }
    });
    result.map_err(|why| if encrypted { "it is encrypted".to_owned() } else { why })
}

struct Writer<'a> {
    paragraph: Text,
    /// Behind the heading of the references, which are no text of the paper's.
    references: bool,
    /// The line before was full and no row of a table.
    amid: bool,
    into: &'a mut Document,
}

impl Writer<'_> {
    fn page(&mut self, page: &str, place: Place) {
        let lines: Vec<&str> = page.lines().map(str::trim).collect();
        let is_number = |line: &str| !line.is_empty() && line.chars().all(|one| one.is_ascii_digit());
        // The first or the last line may be the page's number.
        let numbers = [lines.iter().position(|line| !line.is_empty()), lines.iter().rposition(|line| !line.is_empty())];
        let is_page = |at: usize, line: &str| numbers.contains(&Some(at)) && is_number(line);
        let end = (0..lines.len())
            .rev()
            .find(|at| !lines[*at].is_empty() && !is_page(*at, lines[*at]))
            .map_or(0, |at| at + 1);
        let width = lines.iter().map(|line| line.len()).max().unwrap_or(0);
        let mut goes_on = self.goes_on();
        for (at, line) in lines.iter().enumerate().take(end) {
            if is_page(at, line) {
                continue;
            }
            if goes_on && !line.is_empty() && !line.starts_with(char::is_lowercase) {
                self.end();
            }
            if line.is_empty() {
                if !goes_on {
                    self.end();
                }
                continue;
            }
            goes_on = false;
            self.line(line, place, width);
        }
        if !self.goes_on() {
            self.end();
        }
    }

    /// Whether the paragraph is not over, although its page is.
    fn goes_on(&self) -> bool {
        self.paragraph.text.ends_with(|one: char| one.is_alphabetic() || one == ',' || one == '-')
    }

    fn line(&mut self, line: &str, place: Place, width: usize) {
        let line =
            line.replace('ﬁ', "fi").replace('ﬂ', "fl").replace('ﬀ', "ff").replace('ﬃ', "ffi").replace('ﬄ', "ffl");
        let bare = line.trim_start_matches(|one: char| one.is_ascii_digit() || one == '.' || one == ' ').to_lowercase();
        if ["references", "bibliography", "appendix", "appendices"].contains(&bare.as_str())
            || bare.starts_with("appendix a")
        {
            self.end();
            self.references = !bare.starts_with("append");
        }
        if self.references {
            return;
        }
        let row = is_row(&line) && !self.amid;
        let item = line.starts_with('•');
        if row || item {
            self.end();
        }
        self.paragraph.item |= item;
        self.join(line.trim_start_matches(['•', ' ']), place);
        let short = line.len() * 4 < width * 3;
        self.amid = !row && !short;
        if row || (short && line.ends_with(['.', '!', '?', ':'])) {
            self.end();
        }
    }

    fn join(&mut self, line: &str, place: Place) {
        let text = &mut self.paragraph.text;
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        let before = text.strip_suffix('-').and_then(|text| text.chars().next_back());
        if before.is_some_and(char::is_alphabetic) && line.starts_with(char::is_lowercase) {
            text.pop();
            return self.glue(&line, place);
        }
        if before.is_some_and(|before| before.is_ascii_digit()) {
            return self.glue(&line, place);
        }
        // A raised exponent stands on a line of its own height.
        let exponent = line.strip_prefix(['−', '-', '–']).unwrap_or(&line);
        let digits = exponent.chars().take_while(char::is_ascii_digit).count();
        let power = text.ends_with(" 10") || *text == "10";
        if power && (1..=2).contains(&digits) && (exponent.len() < line.len() || text.ends_with("× 10")) {
            let sign = if exponent.len() < line.len() { "-" } else { "" };
            return self.glue(&format!("^{sign}{exponent}"), place);
        }
        self.paragraph.push(&line, place);
    }

    fn glue(&mut self, line: &str, place: Place) {
        if self.paragraph.places.last().is_none_or(|(_, last)| *last != place) {
            self.paragraph.places.push((self.paragraph.text.len(), place));
        }
        self.paragraph.text += line;
    }

    fn end(&mut self) {
        self.amid = false;
        let text = std::mem::take(&mut self.paragraph);
        if text.text.is_empty() {
            return;
        }
        self.into.blocks.push(if is_heading(&text.text) { Block::Heading(text) } else { Block::Prose(text) });
    }
}

/// A row of a table: half of its words are numbers, and it is no sentence.
fn is_row(line: &str) -> bool {
    let (mut words, mut numbers) = (0, 0);
    for word in line.split_whitespace() {
        words += 1;
        numbers +=
            usize::from(word.trim_start_matches(['-', '−', '(', '±']).starts_with(|one: char| one.is_ascii_digit()));
    }
    words > 1 && numbers * 2 >= words && !line.ends_with(['.', ','])
}

/// `3.2 Model`
fn is_heading(text: &str) -> bool {
    let Some((number, title)) = text.split_once(' ') else { return false };
    let numbered = number.split('.').all(|part| part.len() < 3 && part.chars().all(|one| one.is_ascii_digit()));
    numbered
        && text.len() < 80
        && title.starts_with(char::is_uppercase)
        && !title.ends_with(['.', ',', ';', '?', ')'])
        && !title.contains(char::is_numeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(pages: &[&str]) -> Vec<String> {
        let mut into = Document::default();
        let mut writer = Writer { paragraph: Text::default(), references: false, amid: false, into: &mut into };
        for (at, page) in pages.iter().enumerate() {
            writer.page(page, Place { file: 0, line: at + 1 });
        }
        writer.end();
        let shown = into.blocks.into_iter().map(|block| match block {
            Block::Heading(text) => format!("# {}", text.text),
            Block::Prose(text) => text.text,
            Block::Table(_) => "table".to_owned(),
        });
        shown.collect()
    }

    #[test]
    fn lines_are_joined() {
        let page = "1 Introduction\n\nEfficient com-\nputations of 4-\nbit weights took 3 × 10\n−3 s, or 2 hours\nin all of the runs.\n7";
        assert_eq!(
            texts(&[page]),
            [
                "# 1 Introduction",
                "Efficient computations of 4-bit weights took 3 × 10^-3 s, or 2 hours in all of the runs."
            ]
        );
        assert_eq!(
            texts(&["It goes\non and\n\n3", "on the next page.\n\nReferences\n[1] x 3"]),
            ["It goes on and on the next page."]
        );
        assert_eq!(
            texts(&["It is a line of full length.\n\nPart Time\nload 1.20\nrun 2.80"])[1..],
            ["Part Time", "load 1.20", "run 2.80"]
        );
    }

    #[test]
    fn what_is_no_pdf_is_said() {
        for bytes in [&b""[..], b"%PDF-1.4", b"not a pdf", b"%PDF-1.5\n1 0 obj\n<<>>\nendobj\ntrailer<</Root 1 0 R>>"] {
            assert!(read(bytes, 0, &mut Document::default()).is_err());
        }
        assert_eq!(read(b"%PDF-1.4 /Encrypt", 0, &mut Document::default()), Err("it is encrypted".to_owned()));
    }
}
