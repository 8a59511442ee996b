//! Factors are data: one that the program does not know is found in claims, tables, figures and prose, and one with a single level
//! leaves no trace in them. And designs of every shape, from one run to hundreds of cells and to models that fail, have a paper
//! whose every sentence is one.
#![allow(clippy::unwrap_used)] // a test may: it fails where it should

mod made;

use std::{collections::BTreeMap, path::Path};

use offprint::{
    analysis,
    claims::{self, Claims},
    factor::{AT_ONCE, BATCH, Factor, KNOWN, Kind, Known, Level, PER_SECOND, Role},
    lint,
    machine::Environment,
    paper::{self, Templates},
    record::RunRecord,
    store::Run,
    study::{Plan, PlannedRun, Study},
};

/// A design and how its runs come out.
struct Design {
    models: &'static str,
    prompts: String,
    lengths: &'static str,
    temperatures: &'static str,
    repeats: u32,
    /// Further keys of the study.
    extra: &'static str,
    /// Factors that no study file can have.
    factors: Vec<Factor>,
    /// Seconds from prompt to text.
    e2e: fn(&Study, &PlannedRun) -> f64,
    fails: fn(&PlannedRun) -> bool,
}

const ONE: &str = "[{id: m, name: M, source: \"path:m\"}]";
const TWO: &str = "[{id: m, name: M, source: \"path:m\"}, {id: other, name: Other, source: \"path:other\"}]";

impl Design {
    fn plain() -> Design {
        Design {
            models: ONE,
            prompts: "[a, b]".to_owned(),
            lengths: "[64, 128, 256]",
            temperatures: "[0.3, 0.7]",
            repeats: 2,
            extra: "",
            factors: Vec::new(),
            e2e: |study, run| seconds(run) * shade(study, run),
            fails: |_| false,
        }
    }

    fn with(factor: Factor) -> Design {
        Design { factors: vec![factor], ..Design::plain() }
    }

    fn run(&self) -> Run {
        let Design { models, prompts, lengths, temperatures, repeats, extra, .. } = self;
        let yaml = format!(
            "models: {models}\nprompts: {prompts}\nbenchmark_settings: {{max_tokens: {lengths}, temperatures: {temperatures}, num_runs: {repeats}}}\n{extra}"
        );
        let mut study = Study::from_str("design.yaml", &yaml).unwrap();
        study.factors.extend(self.factors.iter().cloned());
        let records: Vec<RunRecord> = Plan::of(&study).runs.iter().map(|run| self.record(&study, run)).collect();
        let text = std::fs::read_to_string(Path::new("tests/data/fake_run/environment.json")).unwrap();
        Run {
            folder: "design".into(),
            run_id: "design".into(),
            environment: Environment::from_json("environment.json", &text).unwrap(),
            measured: records.len(),
            study,
            records,
            runs_sha256: "0".repeat(64),
            page_rows: offprint::store::PageRows::None,
            published: None,
            quality: Vec::new(),
            baseline: None,
        }
    }

    fn record(&self, study: &Study, run: &PlannedRun) -> RunRecord {
        let row = made::row(study, run, run.max_tokens, (self.e2e)(study, run), (self.fails)(run));
        RunRecord { load_ns: row.load_ns.map(|_| 1000), tokenize_ns: row.tokenize_ns.map(|_| 1000), ..row }
    }

    fn paper(&self) -> Paper {
        let run = self.run();
        let summary = analysis::summarise(&run.study, &run.records).unwrap();
        let claims = claims::build(&run, &summary).unwrap();
        let files = paper::files(&run, &summary, &claims, &Templates::manuscript()).unwrap();
        Paper { claims, files }
    }
}

struct Paper {
    claims: Claims,
    files: BTreeMap<String, Vec<u8>>,
}

impl Paper {
    fn text(&self, file: &str) -> String {
        String::from_utf8(self.files.get(file).unwrap_or_else(|| panic!("no {file}")).clone()).unwrap()
    }

    fn value(&self, id: &str) -> f64 {
        match self.claims.claims.get(id).unwrap_or_else(|| panic!("no claim {id}")).value {
            claims::Value::Number(number) => number,
            ref other => panic!("{id} is {other:?}"),
        }
    }

    fn holds(&self, id: &str) -> Option<bool> {
        self.claims.predicates.get(id).unwrap_or_else(|| panic!("no predicate {id}")).holds
    }

    /// Heading, table, figure and a sentence about the factor, in each format of the paper.
    fn has_section(&self, title: &str, name: &str, sentence: &str) {
        let heading = |line: &str| line.starts_with("### ") && line.ends_with(title);
        let markdown = self.text("paper.md");
        assert!(markdown.lines().any(heading), "no heading {title}");
        let in_latex = |line: &str| line.starts_with(&format!("\\subsection{{{title}}}\\label{{"));
        assert!(self.text("paper.tex").lines().any(in_latex), "no heading {title} in LaTeX");
        let html = self.text("paper.html");
        assert!(html.lines().any(|line| line.contains("<h3") && line.contains(title)), "no heading {title} in HTML");
        for format in ["paper.md", "paper.tex", "paper.html"] {
            let text = self.text(format);
            for wanted in [format!("By {name}, over everything else that varies."), sentence.to_owned()] {
                assert!(text.contains(&wanted), "{format} lacks `{wanted}`");
            }
        }
        assert!(markdown.contains(&format!("(figures/{name}.")), "the figure is shown");
        assert!(self.files[&format!("figures/{name}.svg")].starts_with(b"<"));
    }

    /// The table by level, and the column in the table of runs.
    fn has_tables(&self, name: &str, levels: &[&str]) {
        let by = self.text(&format!("tables/by_{name}.csv"));
        assert_eq!(by.split(',').next(), Some(name));
        for level in levels {
            assert!(by.lines().any(|line| line.starts_with(&format!("{level},latency,"))), "{level}: {by}");
        }
        let runs = self.text("tables/runs.csv");
        let column = runs.lines().next().unwrap().split(',').position(|column| column == name).unwrap();
        for level in levels {
            assert!(runs.lines().any(|line| line.split(',').nth(column) == Some(level)), "{level}: {runs}");
        }
    }
}

/// Half a per cent of scatter by run, of no pattern; a second for every answer and a tenth for each token.
fn seconds(run: &PlannedRun) -> f64 {
    let scatter = f64::from(run.run.wrapping_mul(2_654_435_761) >> 16) / 65536.0;
    (1.0 + 0.1 * f64::from(run.max_tokens)) * (1.0 + 0.005 * (scatter - 0.5))
}

/// What the further factor's level does: half as much again for `dark`, a level's own number of hundredths.
fn shade(study: &Study, run: &PlannedRun) -> f64 {
    let level = |(factor, level): (&Factor, &usize)| match &factor.levels[*level] {
        level if &*level.key() == "dark" => 1.5,
        level => 1.0 + level.as_number().unwrap_or(0.0) / 100.0,
    };
    study.factors.iter().zip(&run.levels).map(level).product()
}

fn factor(name: &str, said: &str, kind: Kind, role: Role, levels: Vec<Level>) -> Factor {
    let text = str::to_owned;
    Factor { name: text(name), label: text(name), unit: String::new(), said: text(said), kind, role, levels }
}

fn shades(role: Role) -> Factor {
    factor("shade", "the {} shade", Kind::Named, role, vec![Level::text("light"), Level::text("dark")])
}

#[test]
fn an_unknown_factor_that_is_compared_is_in_the_whole_paper() {
    let paper = Design::with(shades(Role::Compared)).paper();
    assert!(paper.value("by_shade.dark.latency.mean") > 1.4 * paper.value("by_shade.light.latency.mean"));
    assert!((paper.value("vs.shade.dark.latency.ratio") - 1.5).abs() < 0.01);
    assert_eq!(paper.holds("vs.shade.dark.latency"), Some(true));
    assert_eq!(paper.holds("levels.shade.complete"), Some(true));
    paper.has_tables("shade", &["light", "dark"]);
    paper.has_section("Shade", "shade", "Decode rate with the dark shade is 0.6");
    assert!(paper.text("paper.md").contains("Each level of shade against the light shade"));
    assert!(paper.text("paper.md").contains("| shade |"), "a row of the analysis of variance");
    assert_eq!(faults("compared", &paper), Vec::<String>::new());
}

#[test]
fn an_unknown_factor_that_is_crossed_is_in_the_whole_paper() {
    let paper = Design::with(shades(Role::Crossed)).paper();
    assert!(paper.value("by_shade.dark.latency.mean") > 1.4 * paper.value("by_shade.light.latency.mean"));
    assert_eq!(paper.holds("shade.negligible"), Some(false));
    paper.has_tables("shade", &["light", "dark"]);
    paper.has_section("Shade", "shade", "The effect of shade is not negligible");
    assert!(paper.text("paper.md").contains("| the dark shade |"), "the table of all cells tells its rows apart");
    assert_eq!(faults("crossed", &paper), Vec::<String>::new());
}

#[test]
fn an_unknown_factor_of_numbers_has_a_line() {
    let levels = [0.0, 10.0, 40.0].map(Level::number).to_vec();
    let depth = factor("depth", "depth {}", Kind::Numeric, Role::Compared, levels);
    let paper = Design::with(depth).paper();
    assert!((paper.value("vs.depth.40.latency.ratio") - 1.4).abs() < 0.01);
    assert!((paper.value("fit.depth.latency.slope") - 0.01 * mean_seconds()).abs() < 0.01);
    assert_eq!(paper.holds("fit.depth.decode"), Some(false), "rates of times on a line are not on one");
    assert!(paper.claims.predicates.contains_key("fit.depth.latency"));
    paper.has_tables("depth", &["0", "10", "40"]);
    paper.has_section("Depth", "depth", "least-squares line changes latency by ");
    assert_eq!(faults("numeric", &paper), Vec::<String>::new());
}

/// Of the plain design.
fn mean_seconds() -> f64 {
    [64.0, 128.0, 256.0].iter().map(|tokens| 1.0 + 0.1 * tokens).sum::<f64>() / 3.0
}

#[test]
fn a_factor_of_one_level_leaves_no_trace() {
    let plain = || Design { lengths: "[64]", temperatures: "[0.7]", prompts: "[a]".to_owned(), ..Design::plain() };
    let none = plain().paper();
    let paths = |paper: &Paper| paper.files.keys().cloned().collect::<Vec<_>>();
    // Whatever the levels, runs of several requests are said to be that, and have a table of their own.
    let is_load = |known: &&Known| [AT_ONCE, BATCH, PER_SECOND].contains(&known.name);
    let further = KNOWN
        .iter()
        .filter(|known| known.range.is_some() && !is_load(known))
        .map(|known| known.with(vec![Level::number(1.0)]));
    for mut factor in further.chain([shades(Role::Compared), shades(Role::Crossed)]) {
        factor.levels.truncate(1);
        let name = factor.name.clone();
        let paper = Design { factors: vec![factor], e2e: |_, run| seconds(run), ..plain() }.paper();
        assert_eq!(paths(&paper), paths(&none), "{name}");
        // The page's data say how many cells the design has, by its factors.
        let read = |paper: &Paper, file: &str| paper.text(file).split("</main>").next().unwrap().to_owned();
        for file in ["paper.md", "paper.tex", "paper.html"] {
            assert_eq!(read(&paper, file), read(&none, file), "{name}: {file}");
        }
    }
    let text = none.text("paper.md");
    for known in &KNOWN {
        let (by, vs) = (format!("by_{}.", known.name), format!("vs.{}.", known.name));
        let of = |id: &&claims::Id| {
            (id.starts_with(&by) && !id.ends_with("prompt") && !id.contains("excerpt")) || id.starts_with(&vs)
        };
        let found: Vec<_> = none.claims.claims.keys().filter(of).collect();
        assert!(found.is_empty(), "{found:?}");
        let title = claims::words::sentence(known.label);
        // The section `Model` of the method describes the model.
        let headings = text.lines().filter(|line| line.starts_with("### ") && line.ends_with(&title)).count();
        assert_eq!(headings, usize::from(title == "Model"), "{title}");
        assert!(!none.files.contains_key(&format!("tables/by_{}.csv", known.name)), "{title}");
        assert!(!none.files.contains_key(&format!("figures/{}.svg", known.name)), "{title}");
        assert!(!text.contains(&format!("By {}, over everything", known.label)), "{title}");
    }
}

fn designs() -> Vec<(&'static str, Design)> {
    let many: Vec<String> = (1..=40).map(|n| format!("text {n}")).collect();
    let one = || Design { prompts: "[a]".to_owned(), lengths: "[64]", temperatures: "[0.7]", ..Design::plain() };
    let threads = |levels: &'static str| Design { extra: levels, ..Design::plain() };
    vec![
        ("plain", Design::plain()),
        ("one run", Design { repeats: 1, ..one() }),
        ("one level of everything", one()),
        ("one level of everything, five times", Design { repeats: 5, ..one() }),
        ("one token", Design { lengths: "[1]", ..Design::plain() }),
        ("one token, one run", Design { lengths: "[1]", repeats: 1, ..one() }),
        ("one and two tokens", Design { lengths: "[1, 2]", ..Design::plain() }),
        ("one prompt", Design { prompts: "[a]".to_owned(), ..Design::plain() }),
        ("one replicate", Design { repeats: 1, ..Design::plain() }),
        (
            "many of everything",
            Design {
                prompts: format!("[{}]", many.join(", ")),
                lengths: "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]",
                temperatures: "[0, 0.3, 0.7, 1]",
                repeats: 1,
                ..Design::plain()
            },
        ),
        ("two models", Design { models: TWO, ..Design::plain() }),
        ("two models, else one run", Design { models: TWO, repeats: 1, ..one() }),
        ("the first model fails", Design { models: TWO, fails: |run| run.model == 0, ..Design::plain() }),
        ("the second model fails", Design { models: TWO, fails: |run| run.model == 1, ..Design::plain() }),
        ("all but one run failed", Design { models: TWO, fails: |run| run.run != 7, ..Design::plain() }),
        ("one run failed", Design { fails: |run| run.run == 1, ..Design::plain() }),
        ("threads", threads("factors: {threads: [1, 2, 4]}")),
        ("contexts", threads("factors: {context: [1, 512]}")),
        ("threads and contexts", threads("factors: {threads: [1, 2], context: [0, 1, 512]}")),
        (
            "batches",
            Design { factors: vec![KNOWN[7].with(vec![Level::number(1.0), Level::number(4.0)])], ..Design::plain() },
        ),
    ]
}

#[test]
fn every_design_has_a_paper_of_whole_sentences() {
    let found: Vec<String> = designs().iter().flat_map(|(name, design)| faults(name, &design.paper())).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// What no paper may have: a count of one in the plural, a gap where a number should stand, a contradiction with itself.
fn faults(name: &str, paper: &Paper) -> Vec<String> {
    let text = paper.text("paper.md");
    let mut found = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let mut put = |what: &str| found.push(format!("{number}: {what}: {line}"));
        plurals(line).iter().for_each(|what| put(what));
        let references = line.contains("<a id=\"ref-");
        if !line.starts_with('|') && !references && (line.contains('–') || line.contains("NaN")) {
            put("a gap");
        }
        if line.contains("NaN") || line.contains(" inf ") {
            put("no number");
        }
        for doubled in ["  .", " .", " ,", "..", ",,", "( ", " )", "()"] {
            if !line.starts_with('|') && !line.starts_with("    ") && line.contains(doubled) {
                put("a hole in the text");
            }
        }
    }
    found.extend(lint::markdown(&text).findings.iter().map(|finding| format!("{finding:?}")));
    found.into_iter().map(|fault| format!("{name}: {fault}")).collect()
}

/// `1 runs`, and `21 run` as little.
fn plurals(line: &str) -> Vec<String> {
    const COUNTED: [&str; 16] = [
        "prompt",
        "run",
        "cell",
        "replicate",
        "thread",
        "token",
        "request",
        "level",
        "length",
        "temperature",
        "model",
        "engine",
        "pair",
        "gap",
        "factor",
        "row",
    ];
    let words: Vec<&str> = line.split([' ', '(', '|']).collect();
    let wrong = |pair: &&[&str]| {
        let word = pair[1].trim_end_matches(['.', ',', ';', ':', ')']);
        pair[0] == "1" && COUNTED.iter().any(|counted| word.strip_suffix('s') == Some(counted))
    };
    words.windows(2).filter(wrong).map(|pair| pair.join(" ")).collect()
}

#[test]
fn a_wrong_plural_is_found() {
    assert_eq!(plurals("In all 1 runs (1 cells), 11 runs and 0.1 tokens; 1 run."), ["1 runs", "1 cells),"]);
}
