//! Names and model output that want to be code: in every format they are text, and the real TeX sets them as such.

use pulldown_cmark::{Event, Options, Parser};

use super::*;

/// What each format could take for its own, and what hides.
const HOSTILE: [&str; 14] = [
    "\\input{/etc/passwd}",
    "\\write18{touch pwned}",
    "$x$ $$y$$ \\(z\\)",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "{{ 7*7 }} {% raw %} << title >> <% if real %>",
    "\u{1b}[31m\u{0}\u{7}\u{9b}",
    "\u{202e}desrever\u{202c} \u{2066}x\u{2069}\u{200f}\u{feff}\u{e000}1\u{e001}",
    "| a | b |",
    "` `` ``` ~~~",
    "[x](javascript:alert(1)) ![y](figure:latency) [@mlx] @table:machine [references]",
    "% # & _ ^ ~ ^^M ^^5c \\ { } \\end{document} \\catcode`\\%=12",
    "&lt;b&gt; &#x3c; --> <!-- ]]> */",
    "語 🦤 naïve e\u{301} ﬁ Ω ≤ √",
    "---\n# Title\n\n- a\n1. b\n***\n\\\\[1em] *",
];

/// A study whose every free text is hostile, executed, its rows and its machine made hostile too.
fn hostile(folder: &Path) -> PathBuf {
    let all = HOSTILE.join(" ");
    let seen: String = all.chars().filter(|c| !c.is_control()).collect();
    // YAML allows few characters as they are, and every one as a number.
    let quoted =
        |text: &str| format!("\"{}\"", text.chars().map(|c| format!("\\U{:08x}", c as u32)).collect::<String>());
    let yaml = format!(
        "study:\n  name: fake\n  title: {title}\n  authors: [{title}]\n  keywords: [{title}]\n\
         models:\n  - {{id: fake, name: {title}, source: fake}}\n\
         prompts:\n  - {prompt}\n  - \"another\"\n\
         benchmark_settings: {{max_tokens: [8, 16], temperatures: [0.3, 0.7], num_runs: 2}}\n",
        title = quoted(&seen),
        prompt = quoted(&all),
    );
    let run = run(folder, &yaml);
    let rows = fs::read_to_string(run.join("runs.jsonl")).unwrap();
    let mut changed = String::new();
    for (index, line) in rows.lines().enumerate() {
        let mut row: serde_json::Value = serde_json::from_str(line).unwrap();
        row["output_text"] = format!("{} {}", HOSTILE[index % HOSTILE.len()], all).into();
        row["backend"] = all.as_str().into();
        changed += &format!("{row}\n");
    }
    fs::write(run.join("runs.jsonl"), changed).unwrap();
    let file = run.join("environment.json");
    let mut environment: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    for field in ["chip", "os", "gpu", "machine_model"] {
        environment[field] = serde_json::json!({ "value": all });
    }
    environment["rustc"] = all.as_str().into();
    fs::write(&file, environment.to_string()).unwrap();
    // The folder's name stands in a comment of every format.
    let renamed = run.with_file_name("x--> $y$ ^^M % \\input{z}");
    fs::rename(run, &renamed).unwrap();
    renamed
}

#[test]
fn hostile_text_is_text_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let paper = report(folder.path(), &hostile(folder.path()));
    let read = |name: &str| fs::read_to_string(paper.join(name)).unwrap();
    let (markdown, html, latex, typst) = (read("paper.md"), read("paper.html"), read("paper.tex"), read("paper.typ"));

    for (format, text) in [("md", &markdown), ("html", &html), ("tex", &latex), ("typ", &typst)] {
        let hidden: Vec<char> = text
            .chars()
            .filter(|c| (c.is_control() && *c != '\n') || "\u{202e}\u{2066}\u{200f}\u{feff}\u{e000}".contains(*c))
            .collect();
        assert_eq!(hidden, Vec::<char>::new(), "paper.{format} has characters that nobody sees");
    }

    // What looks like a template stands there as it was written.
    for (text, written) in [
        (&markdown, "\\{\\{ 7\\*7 \\}\\} \\{% raw %\\}"),
        (&html, "{{ 7*7 }} {% raw %}"),
        (&latex, "\\{\\{ 7{*}7 \\}\\} \\{\\% raw \\%\\}"),
        (&typst, "{{ 7*7 }} {% raw %}"),
    ] {
        assert!(text.matches(written).count() >= 3, "{written} is not there");
    }

    // Markdown: no HTML but our own anchors and comment, no link but to our own places and to references, no code but ours.
    for event in Parser::new_ext(&markdown, Options::all()) {
        match event {
            Event::Html(tag) | Event::InlineHtml(tag) => {
                assert!(
                    tag.starts_with("<a id=\"") || tag.trim() == "</a>" || tag.starts_with("<!-- GENERATED"),
                    "{tag}"
                );
            }
            Event::Start(pulldown_cmark::Tag::Link { dest_url, .. }) => {
                assert!(dest_url.starts_with('#') || dest_url.starts_with("https://"), "{dest_url}");
            }
            Event::Start(pulldown_cmark::Tag::Image { dest_url, .. }) => {
                assert!(dest_url.starts_with("figures/"), "{dest_url}")
            }
            Event::InlineMath(text) | Event::DisplayMath(text) => panic!("a formula: {text}"),
            _ => {}
        }
    }
    let rows = |text: &str| {
        text.lines()
            .filter(|line| line.starts_with('|'))
            .map(|line| line.replace("\\|", "").matches('|').count())
            .collect::<Vec<_>>()
    };
    let table = markdown.split("id=\"table-machine\"").nth(1).unwrap().split("\n\n").nth(1).unwrap();
    assert!(rows(table).iter().all(|bars| *bars == 3), "a bar in a value opened a column:\n{table}");

    // HTML: only the tags that the skin and Markdown make, none with a handler.
    let known = [
        "!--",
        "!doctype",
        "a",
        "p",
        "div",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "h1",
        "h2",
        "h3",
        "ol",
        "ul",
        "li",
        "em",
        "strong",
        "code",
        "pre",
        "figure",
        "figcaption",
        "img",
        "html",
        "head",
        "body",
        "main",
        "meta",
        "title",
        "style",
        "br",
        "span",
        "header",
        "nav",
        "footer",
        "details",
        "summary",
        "svg",
        "g",
        "path",
        "rect",
        "circle",
        "text",
        "script",
    ];
    // What stands inside of the program's own script is no tag; a block of data has none.
    let script = html.split("<script>").nth(1).unwrap().split("</script>").next().unwrap();
    assert_eq!(offprint::paper::script(&html), offprint::paper::Script::Known);
    for tag in html.replace(script, "").split('<').skip(1) {
        let name: String = tag
            .trim_start_matches('/')
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || "!-".contains(*c))
            .collect();
        let inside = tag.split('>').next().unwrap();
        assert!(known.contains(&name.to_lowercase().as_str()), "<{inside}>");
        assert!(!inside.contains(" on") && !inside.contains("javascript:"), "<{inside}>");
    }

    // LaTeX: the words stand there, none as a command.
    for command in ["\\input", "\\write18", "\\catcode", "$x$", "^^"] {
        assert!(!latex.contains(command), "paper.tex has {command}");
    }
    assert_eq!(latex.matches("\\end{document}").count(), 1);
    assert!(latex.contains("\\textbackslash{}"));

    // Typst has set it, which it does where all is in order, and has read nothing.
    let pdf = fs::read(paper.join("paper.pdf")).unwrap();
    assert!(pdf.starts_with(b"%PDF-1.7") && !pdf.windows(7).any(|window| window == b"root:x:"));
    if let Some(folder) = std::env::var_os("OFFPRINT_SHOW") {
        fs::write(Path::new(&folder).join("hostile-typst.pdf"), &pdf).unwrap();
    }
    if typeset::latexmk() {
        let log = typeset::log(&paper);
        // A file that TeX reads stands in the log after a bracket; a line that it complains of is quoted there.
        assert!(!log.contains("(/etc/passwd") && !log.contains("root:x:") && !paper.join("pwned").exists());
        if let Some(folder) = std::env::var_os("OFFPRINT_SHOW") {
            fs::copy(paper.join("paper.pdf"), Path::new(&folder).join("hostile.pdf")).unwrap();
            fs::write(Path::new(&folder).join("hostile.log"), &log).unwrap();
        }
        // Chains of signs without a space may stick out; anything else would be a command that came through.
        let complaints = typeset::complaints(&log).into_iter().filter(|line| !line.starts_with("Overfull"));
        assert_eq!(complaints.collect::<Vec<_>>(), [""; 0]);
    }
}

/// The claims of a paper are found again although model output contains the marks that the search uses.
#[test]
fn hostile_text_hides_no_number_from_explain() {
    let folder = tempfile::tempdir().unwrap();
    let run = hostile(folder.path());
    let output = offprint(&["explain", "latency.mean", "--json", "--run", run.to_str().unwrap()]);
    assert!(output.status.success(), "{}", said(&output));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let places = found[0]["places"].as_array().unwrap();
    assert!(places.len() >= 3, "{places:?}");
    let paper = fs::read_to_string(report(folder.path(), &run).join("paper.md")).unwrap();
    let lines: Vec<&str> = paper.lines().collect();
    for place in places {
        assert_eq!(lines[place["line"].as_u64().unwrap() as usize - 1], place["text"].as_str().unwrap());
    }
}
