//! What Typst itself makes of texts and of programs that want more than a paper does.

use super::*;
use crate::{
    paper::{bodies, escape, written},
    random::SplitMix64,
};

/// Part of our skin: what the body calls, without what stands on a page.
fn calls() -> &'static str {
    let skin = include_str!("../../templates/skins/paper.typ");
    let from = skin.find("#let ink").unwrap();
    &skin[from..skin.find("#set page(").unwrap()]
}

fn typesetter() -> Typesetter {
    Typesetter::obtain().unwrap()
}

fn document(body: &str) -> BTreeMap<String, Vec<u8>> {
    let head = "#set document(title: \"t\", date: none)\n#set text(lang: \"en\")\n#title()\n";
    BTreeMap::from([(SOURCE.to_owned(), format!("{head}{}{body}", calls()).into_bytes())])
}

fn set(body: &str) -> Result<Vec<u8>, Fault> {
    typesetter().set(&document(body))
}

/// The Markdown of an inserted text, for Typst.
fn typst(markdown: &str) -> String {
    let [body, _] = bodies([markdown, ""], &BTreeMap::new());
    body.trim().to_owned()
}

/// Texts of what Typst could take for its own, of what hides, and of all writings.
fn hostile(count: usize) -> Vec<String> {
    const PIECES: [&str; 64] = [
        "#",
        "$",
        "`",
        "```",
        "*",
        "_",
        "\\",
        "\\u{41}",
        "\"",
        "'",
        "<a>",
        "@ref",
        "[",
        "]",
        "//",
        "/*",
        "*/",
        "---",
        "-?",
        "...",
        "~",
        "=",
        "== ",
        "- ",
        "+ ",
        "1. ",
        "/ a: b",
        "http://x.y/z?q=1",
        "#import \"x\"",
        "#include \"/etc/passwd\"",
        "#read(\"/etc/passwd\")",
        "#eval(\"1\")",
        "$x$",
        "a",
        "b",
        " ",
        "  ",
        ".",
        "!",
        "(",
        ")",
        "{",
        "}",
        ";",
        ":",
        "&",
        "|",
        "^",
        "%",
        ",",
        "é",
        "e\u{301}",
        "\u{a0}",
        "\u{2028}",
        "\u{200b}",
        "\u{202e}",
        "\u{200f}",
        "\0",
        "\u{1b}",
        "\u{7f}",
        "\u{feff}",
        "李",
        "😀",
        "abcdefghijklmnopqrstuvwxyz0123456789",
    ];
    let mut random = SplitMix64(7);
    let mut text = || {
        let mut text = String::new();
        for _ in 0..=random.below(13) {
            if random.below(8) == 0 {
                text.extend(char::from_u32(u32::try_from(random.below(0x3_0000)).unwrap()));
            } else {
                text += PIECES[usize::try_from(random.below(64)).unwrap()];
            }
        }
        text
    };
    (0..count).map(|_| text()).collect()
}

/// A string of Typst's that has no character in it but escapes.
fn escapes(text: &str) -> String {
    format!("\"{}\"", text.chars().map(|c| format!("\\u{{{:x}}}", c as u32)).collect::<String>())
}

const OK: &str = "#let plain(c) = if type(c) == str { c } else if c.has(\"text\") { c.text } else if c.has(\"children\") { \
    c.children.map(plain).join(\"\") } else if c.has(\"child\") { plain(c.child) } else if c.has(\"body\") { plain(c.body) } else if \
    repr(c.func()) == \"h\" { \"\" } else { \"<\" + repr(c.func()) + \">\" }\n\
    #let ok(number, found, expected) = { if plain(found) != expected { panic(\"text\", number, plain(found), expected) }; found; parbreak() }\n";

#[test]
fn hostile_text_comes_out_as_it_went_in() {
    let texts = hostile(2_500);
    let call = |number: usize, markdown: &str, text: &str| {
        // As the paper has it: what nobody sees is U+FFFD already, and what the fonts lack is a code point.
        let seen: String = text.chars().map(crate::paper::seen).collect();
        format!("#ok({number}, [{}], {})\n", typst(markdown), escapes(&written(&format!("x{seen}x"))))
    };
    let calls: Vec<String> =
        texts.iter().enumerate().map(|(number, text)| call(number, &format!("x{}x", escape(text)), text)).collect();
    // In one document, so that none may change what comes after it.
    let said = set(&format!("{OK}{}", calls.concat())).map(|pdf| pdf.len());
    assert!(said.is_ok(), "{said:?}");
    // Raw, as an author's own prose may have it: whatever Markdown makes of that, it is set.
    let raw: String =
        texts.iter().map(|text| typst(&format!("x{}x", text.replace('\u{2028}', "\n\n"))) + "\n\n").collect();
    let said = set(&raw).map(|pdf| pdf.len());
    assert!(said.is_ok(), "{said:?}");
    // The comparison sees a difference.
    let wrong = set(&format!("{OK}{}", call(0, "xa bx", "a  b"))).map(|pdf| pdf.len()).unwrap_err();
    assert!(matches!(&wrong, Fault::Source(said) if said.contains("panicked")), "{wrong}");
}

#[test]
fn a_cell_of_thirty_thousand_characters_is_whole() {
    let words = "several words of a long answer, ".repeat(1_000);
    for long in [words, "x".repeat(30_000), "李".repeat(6_000)] {
        let table = format!(
            "<a id=\"table-x\"></a>**Table 1.** Of it.\n\n| a | b | c |\n|---|--:|---|\n| 1 | 2 | {long}[end](#end) |\n"
        );
        let [body, _] = bodies([&format!("{table}\n\n<a id=\"end\"></a>\n"), ""], &BTreeMap::new());
        // Where the last word stands: many pages on, and on the page.
        let check = "#show link: it => [#it#metadata(none)<last>]\n#set page(height: 20cm, width: 16cm, margin: 2cm)\n";
        let place = "#context { let last = locate(<last>).position(); assert(last.page > 5 and last.y < 18cm and last.x < 14cm, \
                     message: repr(last)) }\n";
        let said = set(&format!("#show figure: set block(breakable: true)\n{check}{body}{place}")).map(|pdf| pdf.len());
        assert!(said.is_ok(), "{said:?}");
    }
}

#[test]
fn the_pdf_says_of_which_file_it_is() {
    let files = document("#set document(description: \"OffprintSource \" + sys.inputs.at(\"source\"))\nx");
    let pdf = typesetter().set(&files).unwrap();
    let said = format!("/Subject(OffprintSource {})", digest::sha256_hex(&files[SOURCE]));
    assert!(pdf.windows(said.len()).any(|window| window == said.as_bytes()));
}

#[test]
fn nothing_outside_of_its_folder_is_read_or_fetched() {
    for program in [
        "#read(\"/etc/passwd\")",
        "#read(\"../../../../../etc/passwd\")",
        "#read(\"paper.md\")",
        "#import \"@preview/cetz:0.4.0\": canvas",
        "#import \"@local/x:0.1.0\": y",
    ] {
        let mut files = document(program);
        files.insert("paper.md".to_owned(), b"x".to_vec());
        let said = typesetter().set(&files).map(|pdf| pdf.len()).unwrap_err();
        assert!(matches!(said, Fault::Source(_)), "{program}: {said}");
    }
}

#[test]
fn a_program_that_runs_away_is_ended() {
    let endless =
        document("#let f(n, s) = if n == 0 { 1 } else { f(n - 1, s + \"a\") + f(n - 1, s + \"b\") }\n#f(40, \"\")");
    let said = typesetter().set_within(&endless, Duration::from_secs(2)).map(|pdf| pdf.len()).unwrap_err();
    assert!(matches!(&said, Fault::Limit(said) if said.contains("after 2 s")), "{said}");
    #[cfg(target_os = "linux")]
    {
        let greedy = "#let s = \"0123456789\" * 100000000\n#range(40).map(n => s + str(n)).join(\"\").len()";
        let said = set(greedy).map(|pdf| pdf.len()).unwrap_err();
        assert!(matches!(&said, Fault::Limit(said) if said.contains("for want of memory")), "{said}");
    }
}

/// Names of temporary folders are of this process alone, and nothing is left in them.
#[test]
fn no_folder_is_left_behind() {
    let folder = Scratch::new().unwrap();
    let path = folder.path().to_owned();
    folder.write("figures/x.svg", b"<svg/>").unwrap();
    assert!(path.join("figures/x.svg").is_file() && Scratch::new().unwrap().path() != path);
    drop(folder);
    assert!(!path.exists());
}
