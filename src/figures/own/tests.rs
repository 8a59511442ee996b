//! Figures of one's own as a whole: every mark, on plain and on odd data; what is wrong with a file, and where.

use resvg::usvg::{Options, Tree};

use super::{
    super::{
        fixture::{Design, labels},
        page::TICK_SIZE,
        scene::{Arrange, Key, Mark as Drawn},
        tests::{assert_lies_within, inside},
        *,
    },
    *,
};
use crate::analysis::RunMetrics;

/// Every mark in every form, for a design with several lengths, temperatures and prompts.
const ALL: &str = r#"
figures:
  dots: {mark: points, x: prompt, y: latency}
  dots-coloured: {mark: points, x: prompt, y: latency, colour: length, facet: temperature}
  dots-lying: {mark: points, x: throughput, y: prompt, colour: temperature}
  dots-spaced: {mark: points, x: length, y: latency, colour: prompt, scale: {x: linear}}
  dots-log: {mark: points, x: length, y: latency, scale: {x: log, y: log}}
  cloud: {mark: points, x: ttft, y: warm_latency, colour: length, scale: {x: log, y: log}}
  cloud-faceted: {mark: points, x: latency, y: throughput, colour: temperature, facet: length}
  bars: {mark: bars, x: prompt, y: latency}
  bars-coloured: {mark: bars, x: prompt, y: latency, colour: temperature, where: "temperature < 0.8, length >= 8"}
  bars-lying: {mark: bars, x: throughput, y: prompt}
  line: {mark: line, x: length, y: latency, colour: prompt}
  line-log: {mark: line, x: length, y: latency, colour: prompt, facet: temperature, scale: {x: log, y: log}}
  box: {mark: box, x: length, y: throughput}
  box-lying: {mark: box, x: latency, y: prompt, scale: {x: log}}
  ecdf: {mark: ecdf, x: latency, colour: length}
  ecdf-faceted: {mark: ecdf, x: latency, facet: length, scale: {x: log}}
  heat: {mark: heat, x: length, y: prompt, colour: latency}
  heat-faceted: {mark: heat, x: length, y: prompt, colour: throughput, facet: temperature, scale: {colour: log}}
  forest: {mark: forest, x: latency, y: prompt}
  forest-faceted: {mark: forest, x: latency, y: temperature, facet: length, scale: {x: log}}
  pareto: {mark: pareto, x: latency, y: throughput, colour: length}
  dots-twelve: {mark: points, x: prompt, y: latency, facet: length}
  bars-twelve: {mark: bars, x: latency, y: prompt, facet: length}
  pareto-faceted: {mark: pareto, x: ttft, y: latency, facet: prompt}
"#;

fn own(text: &str) -> Own {
    Own::read("figures.yaml", text).unwrap()
}

fn drawn(design: &Design, text: &str) -> Result<Vec<(String, Scene)>> {
    own(text).scenes(&design.summary(), &labels(), &Font::open()?)
}

/// Those figures of a text that a design has the levels for.
fn fitting(design: &Design, text: &str) -> Vec<(String, Scene)> {
    let entries = text.lines().filter(|line| line.starts_with("  "));
    entries.flat_map(|entry| drawn(design, &format!("figures:\n{entry}\n")).unwrap_or_default()).collect()
}

fn message(design: &Design, text: &str) -> String {
    let error = drawn(design, text).unwrap_err();
    crate::complaint::Complaint::from(&error).to_string()
}

fn three_prompts() -> Design {
    Design { temperatures: vec![0.3, 0.4, 0.7], ..Design::default() }
}

fn odd() -> Vec<(&'static str, Design)> {
    let two = || vec!["1".to_owned(), "2".to_owned()];
    let hostile = [
        "<a href=\"x\"> & 'b' \u{1}]]>",
        "语言模型",
        "数学问题",
        "שלום עולם",
        "a rather long name that goes on and on and on",
    ];
    vec![
        ("plain", three_prompts()),
        ("one run a cell", Design { repeats: 1, ..three_prompts() }),
        (
            "two runs",
            Design { lengths: vec![64], temperatures: vec![0.0], prompts: two(), repeats: 1, ..Design::default() },
        ),
        ("same", Design { spread: 0.0, per_token: 0.0, ..three_prompts() }),
        ("tiny", Design { start: 2e-6, per_token: 1e-8, ..three_prompts() }),
        ("huge", Design { start: 2e5, per_token: 1e4, ..three_prompts() }),
        ("hostile", Design { prompts: hostile.map(str::to_owned).to_vec(), ..three_prompts() }),
        (
            "many",
            Design {
                lengths: (0..10).map(|i| 8 << i).collect(),
                temperatures: vec![0.0, 0.3, 0.7, 1.0],
                prompts: (1..=40).map(|i| format!("prompt-number-{i}")).collect(),
                repeats: 1,
                ..Design::default()
            },
        ),
        (
            "twelve",
            Design {
                lengths: (1..=12).map(|i| 16 * i).collect(),
                prompts: (1..=40).map(|i| format!("p{i}")).collect(),
                repeats: 1,
                ..Design::default()
            },
        ),
        ("thinned", Design { repeats: 700, temperatures: vec![0.3, 0.7], ..Design::default() }),
    ]
}

/// `OFFPRINT_SHOW=folder` writes the pictures there, to be looked at.
#[test]
fn every_mark_stands_odd_data() {
    let folder = std::env::var_os("OFFPRINT_SHOW").map(std::path::PathBuf::from);
    let font = Font::open().unwrap();
    for (name, design) in odd() {
        let scenes = fitting(&design, ALL);
        let least = match name {
            "two runs" => 6,
            "many" => 15,
            "twelve" => 18,
            "same" => 16,
            _ => ALL.lines().count() - 2,
        };
        assert!(scenes.len() >= least, "{name}: {:?}", scenes.iter().map(|(id, _)| id).collect::<Vec<_>>());
        for (id, scene) in scenes {
            let about = format!("{name}, {id}");
            assert_lies_within(&scene, &about);
            let layout = layout::lay_out(&scene, &font);
            for (panel, frame) in scene.panels.iter().zip(&layout.frames) {
                let ups: Vec<f64> = panel.y.ticks.iter().map(|tick| frame.at((0.0, tick.at)).1).collect();
                let apart = ups.windows(2).all(|pair| (pair[0] - pair[1]).abs() >= TICK_SIZE - 0.5);
                assert!(apart, "{about}: texts beside the axis touch: {ups:?}");
                let texts = panel.x.ticks.iter().zip(&frame.x_texts.ticks).filter(|(_, text)| !text.is_empty());
                let ends: Vec<(f64, f64)> = texts
                    .map(|(tick, text)| {
                        let upright = frame.x_texts.upright;
                        let width = if upright { TICK_SIZE } else { font.width(text, TICK_SIZE) };
                        (frame.at((tick.at, 0.0)).0 - width / 2.0, frame.at((tick.at, 0.0)).0 + width / 2.0)
                    })
                    .collect();
                let apart = ends.windows(2).all(|pair| pair[0].1 <= pair[1].0 + 0.5);
                assert!(apart, "{about}: texts below the axis touch: {ends:?}");
            }
            let source = render::render(&scene, &font).unwrap();
            assert!(!source.contains("NaN") && !source.contains("inf"), "{about}");
            let output::Files { svg, png, .. } = output::files(&source, &scene.title).unwrap();
            let svg = String::from_utf8(svg).unwrap();
            let tree = Tree::from_str(&svg, &Options::default()).unwrap();
            // A page of A4 with its margins, in points of the screen.
            assert!(tree.size().height() * 0.75 < 700.0, "{about}: {}", tree.size().height());
            inside(tree.root(), tree.size().width(), tree.size().height(), &about);
            if let Some(folder) = &folder {
                std::fs::write(folder.join(format!("{}-{id}.png", name.replace(' ', "-"))), png).unwrap();
            }
        }
    }
}

#[test]
fn the_same_input_gives_the_same_bytes_and_the_notice_is_there() {
    let fake = Labels { not_a_measurement: Some("made by the fake engine".into()), ..labels() };
    let text =
        "draw: [fit, prompt]\nfigures:\n  b: {mark: bars, x: prompt, y: latency}\n  a: {mark: ecdf, x: latency}\n";
    let summary = Design::default().summary();
    let first = super::super::draw(&summary, &fake, Some(&own(text))).unwrap();
    let ids: Vec<&str> = first.iter().map(|figure| figure.id.as_str()).collect();
    assert_eq!(ids, ["fit", "prompt", "b", "a"]);
    assert!(first.iter().all(|figure| String::from_utf8_lossy(&figure.svg).contains("#b03a00")));
    assert!(super::super::draw(&summary, &fake, Some(&own(text))).unwrap() == first);
    let none = own("# nothing yet\n");
    assert_eq!(super::super::draw(&summary, &fake, Some(&none)).unwrap().len(), 8);
    assert_eq!(super::super::draw(&summary, &fake, Some(&own("draw: []"))).unwrap().len(), 0);
}

/// What stands in a figure is what the summary says of the same runs, to the last bit.
#[test]
fn means_and_intervals_are_the_summary_s() {
    let design = three_prompts();
    let summary = design.summary();
    let text = "figures: {a: {mark: points, x: prompt, y: latency}, b: {mark: bars, x: length, y: throughput}}";
    let scenes = drawn(&design, text).unwrap();
    let means: Vec<(f64, Option<(f64, f64)>)> = scenes[0].1.panels[0]
        .marks
        .iter()
        .filter_map(|mark| if let Drawn::Mean { mean, interval, .. } = mark { Some((*mean, *interval)) } else { None })
        .collect();
    let expected: Vec<_> = summary.by[2].iter().map(|group| group.metrics[&Metric::Latency]).collect();
    assert_eq!(means, expected.iter().map(|stats| (stats.mean, stats.interval)).collect::<Vec<_>>());
    let bars: Vec<f64> = scenes[1].1.panels[0]
        .marks
        .iter()
        .filter_map(|mark| if let Drawn::Bar { to, .. } = mark { Some(to.1) } else { None })
        .collect();
    assert_eq!(bars, summary.by[0].iter().map(|g| g.metrics[&Metric::Throughput].mean).collect::<Vec<_>>());
}

#[test]
fn conditions_choose_runs_and_thinning_is_said() {
    let text = "figures: {a: {mark: points, x: prompt, y: latency, where: 'length = 64, temperature != 0.7'}}";
    let dots = |scene: &Scene| -> usize {
        let of = |mark: &Drawn| if let Drawn::Swarm { dots, .. } = mark { dots.len() } else { 0 };
        scene.panels.iter().flat_map(|panel| &panel.marks).map(of).sum()
    };
    let has = |keys: &[Key], text: &str| keys.iter().any(|key| key.text == text);
    let scene = drawn(&three_prompts(), text).unwrap().remove(0).1;
    assert_eq!(dots(&scene), 3 * 2 * 3);
    assert!(!has(&scene.keys, "200 runs a group, evenly by rank"));
    let scene = drawn(&Design { repeats: 300, ..three_prompts() }, text).unwrap().remove(0).1;
    assert_eq!(dots(&scene), 3 * 200);
    assert!(has(&scene.keys, "200 runs a group, evenly by rank"));
}

#[test]
fn runs_without_the_metric_are_left_out_and_counted() {
    let mut summary = three_prompts().summary();
    summary.runs.iter_mut().take(5).for_each(|run| run.values[Metric::Ttft as usize] = f64::NAN);
    let of = |summary: &Summary, text| own(text).scenes(summary, &labels(), &Font::open().unwrap());
    let text = "figures: {a: {mark: ecdf, x: ttft}}";
    let scene = of(&summary, text).unwrap().remove(0).1;
    assert!(scene.keys.iter().any(|key| key.text == "5 runs lack time to first token"), "{:?}", scene.keys);
    let clear = |run: &mut RunMetrics| run.values[Metric::Ttft as usize] = f64::NAN;
    summary.runs.iter_mut().for_each(clear);
    let error = of(&summary, text).unwrap_err().to_string();
    assert!(error.contains("none of the 81 runs has `ttft`"), "{error}");
}

#[test]
fn panels_stand_in_a_grid_with_their_axes_once() {
    let scene = fitting(&three_prompts(), ALL).into_iter().find(|(id, _)| id == "pareto-faceted").unwrap().1;
    let Arrange::Grid { columns, x, y } = &scene.arrange else { panic!("{:?}", scene.arrange) };
    assert_eq!((*columns, x.as_str()), (3, "time to first token (ms), less is better"));
    assert!(y.starts_with("latency (s)"));
    let layout = layout::lay_out(&scene, &Font::open().unwrap());
    assert!(layout.frames.windows(2).all(|pair| pair[0].right < pair[1].left && pair[0].top == pair[1].top));
    assert_eq!(layout.titles.len(), 2);
    assert_eq!(
        scene.panels.iter().map(|panel| panel.heading.as_str()).collect::<Vec<_>>(),
        ["prompt 1", "prompt 2", "prompt 3"]
    );
}

#[test]
fn the_title_is_the_author_s_and_is_text() {
    let text =
        "figures: {a: {mark: ecdf, x: latency, title: 'a < b & \"c\"'}, b: {mark: ecdf, x: latency, colour: length}}";
    let figures = super::super::draw(&Design::default().summary(), &labels(), Some(&own(text))).unwrap();
    let svg = |index: usize| String::from_utf8(figures[index].svg.clone()).unwrap();
    assert!(svg(8).contains("<title>a &lt; b &amp; \"c\"</title>"));
    assert!(svg(9).contains("<title>Distribution of latency, by output length</title>"));
}

/// A file whose form is wrong, with the place of it.
#[test]
fn a_broken_file_has_a_place_and_a_way_out() {
    let read = |text: &str| Own::read("f.yaml", text).unwrap_err().to_string();
    for (text, expected) in [
        ("figures: {a: {mark: pionts}}", "f.yaml:1:21: figures.a.mark: expected points or bars"),
        ("figures: {a: {mark: points, colr: x}}", "f.yaml:1:29: figures.a.colr: unknown key\nhint: did you mean `colo"),
        (
            "figures: {a: {x: latency}}",
            "f.yaml:1:14: figures.a.mark: expected the key `mark`, found none\nhint: a mark is",
        ),
        ("figures: {a: {mark: ecdf, x: [a]}}", "f.yaml:1:30: figures.a.x: expected text, found sequence"),
        ("figures:\n  a: {mark: ecdf}\n  a: {mark: ecdf}\n", "f.yaml:3:3: figures.a: expected the key once"),
        ("figures: {A: {mark: ecdf}}", "f.yaml:1:14: figures.A: expected a name of at most 40 small letters"),
        ("figures: {con: {mark: ecdf}}", "f.yaml:1:16: figures.con: no file may be called `con` on Windows"),
        ("figures: {com1: {mark: ecdf}}", "f.yaml:1:17: figures.com1: no file may"),
        ("figures: {fit: {mark: ecdf}}", "f.yaml:1:16: figures.fit: `fit` is a figure of the program's own"),
        ("figures: {engine: {mark: ecdf}}", "f.yaml:1:19: figures.engine: `engine` is a figure of the program's own"),
        ("figures: {a: {mark: ecdf, title: ''}}", "f.yaml:1:34: figures.a.title: expected one line of text"),
        (
            "figures: {a: {mark: ecdf, scale: {x: ln}}}",
            "f.yaml:1:38: figures.a.scale.x: expected linear or log, found `ln`",
        ),
        ("draw: fit", "f.yaml:1:7: draw: expected a list, found string"),
        ("draw: [fit, fit]", "f.yaml:1:13: draw[1]: expected each figure once"),
        ("figures: [a]", "f.yaml:1:10: figures: expected figures by name, found sequence"),
        ("figures: {a: {mark: ecdf", "f.yaml:"),
        ("drwa: []", "f.yaml:1:1: drwa: unknown key\nhint: did you mean `draw`?"),
        ("draw: *x", "f.yaml:1:7: unknown anchor"),
    ] {
        let found = read(text);
        assert!(found.starts_with(expected) && found.contains("\nhint: "), "{text}:\n{found}\nfor {expected}");
    }
}

#[test]
fn a_file_is_bounded() {
    let refused = |text: &str, what: &str| {
        let found = Own::read("f.yaml", text).unwrap_err().to_string();
        assert!(found.contains(what), "{found}");
    };
    refused(&"#".repeat(70_000), "expected at most 65536 bytes");
    let many: String = (0..51).map(|i| format!("  f{i}: {{mark: ecdf, x: latency}}\n")).collect();
    refused(&format!("figures:\n{many}"), "expected at most 50 figures");
    refused(
        &format!("draw: [{}]", (0..60).map(|i| format!("a{i}")).collect::<Vec<_>>().join(", ")),
        "at most 50 names",
    );
    refused(&format!("figures: {{a: {{mark: ecdf, title: {}}}}}", "x".repeat(500)), "expected at most 400 characters");
    // A billion laughs, deep nesting, a long text repeated.
    let laughs: String =
        (1..10).map(|i| format!("a{i}: &a{i} [{}]\n", vec![format!("*a{}", i - 1); 9].join(", "))).collect();
    refused(&format!("a0: &a0 [ha]\n{laughs}"), "hint: ");
    refused(&"[".repeat(60_000), "hint: ");
    let long = format!("draw: [&l {}{}]", "x".repeat(30_000), ", *l".repeat(8_000));
    refused(&long, "expected at most 400 characters");
}

/// What a study has not, and what a mark wants, with the place and a way out.
#[test]
fn what_does_not_fit_the_study_is_told() {
    let design = three_prompts();
    for (entry, expected) in [
        (
            "mark: bars, x: promt, y: latency",
            "f.yaml:2:22: figures.a.x: expected a factor or a metric, found `promt`\nhint: did you mean `prompt`?",
        ),
        (
            "mark: bars, x: prompt, y: latncy",
            "figures.a.y: expected a factor or a metric, found `latncy`\nhint: did you mean `latency`?",
        ),
        (
            "mark: bars, x: engine, y: latency",
            "expected a factor of the study, which has no `engine`\nhint: levels of it stand in the study under `models[].engine`",
        ),
        ("mark: bars, x: prompt", "`bars` wants a metric as `y`, found none\nhint: add `y:`"),
        ("mark: bars, y: latency", "`bars` wants a factor as `x`, found none"),
        ("mark: bars, x: latency, y: latency", "wants a factor on one axis and a metric on the other"),
        (
            "mark: bars, x: prompt, y: latency, scale: {y: log}",
            "figures.a.scale: bars stand side by side and begin at zero",
        ),
        (
            "mark: bars, x: prompt, y: latency, unit: {y: tok/s}",
            "figures.a.unit.y: expected a unit of latency, found `tok/s`",
        ),
        ("mark: bars, x: prompt, y: latency, unit: {x: s}", "figures.a.unit.x: a factor is shown in its own unit"),
        ("mark: bars, x: prompt, y: latency, facet: prompt", "figures.a.facet: expected another factor than that of x"),
        (
            "mark: bars, x: prompt, y: latency, colour: ttft",
            "figures.a.colour: expected a factor, found the metric `ttft`",
        ),
        ("mark: line, x: prompt, y: latency", "the levels of `prompt` are names, which no line joins"),
        ("mark: points, x: prompt, y: latency, scale: {x: log}", "figures.a.scale.x: `prompt` has names as levels"),
        ("mark: ecdf, x: latency, y: prompt", "figures.a.y: `ecdf` has the share of runs on y"),
        ("mark: ecdf, x: latency, where: 'length = 65'", "figures.a.where: expected a level of `length`, found `65`"),
        ("mark: ecdf, x: latency, where: 'length < 64'", "no run meets `length < 64`, of 81 that ended well"),
        (
            "mark: ecdf, x: latency, colour: length, where: 'length = 64'",
            "`length` does not vary in the runs that `where` leaves",
        ),
        ("mark: heat, x: length, y: prompt", "`heat` wants a metric as `colour`"),
        ("mark: heat, x: length, y: prompt, colour: temperature", "`heat` shades cells by a metric"),
        ("mark: heat, x: length, y: length, colour: latency", "figures.a.y: expected another factor than that of x"),
        ("mark: forest, x: prompt, y: latency", "`forest` wants the metric on x and the factor on y"),
        ("mark: forest, x: latency, y: prompt, colour: length", "the colours of `forest` say"),
        ("mark: pareto, x: latency, y: latency", "`pareto` wants two different metrics"),
        ("mark: pareto, x: latency, y: prompt", "`pareto` wants two different metrics"),
        ("mark: pareto, x: latency, y: peak_memory", "none of the 81 runs has `peak_memory`"),
        ("mark: ecdf, x: latency, unit: {y: s}", "figures.a.unit.y: the figure has nothing there to measure"),
    ] {
        let text = format!("figures:\n  a: {{{entry}}}\n");
        let error = Own::read("f.yaml", &text).unwrap().scenes(&design.summary(), &labels(), &Font::open().unwrap());
        let found = crate::complaint::Complaint::from(&error.unwrap_err()).to_string();
        assert!(
            found.contains(expected) && found.contains("\nhint: ") && found.starts_with("f.yaml:2:"),
            "{entry}:\n{found}"
        );
    }
    let one = Design { prompts: vec!["1".into()], ..three_prompts() };
    let found = message(&one, "figures: {a: {mark: ecdf, x: latency, colour: prompt}}");
    assert!(found.contains("`prompt` does not vary in this study"), "{found}");
    let many = Design { prompts: (0..40).map(|i| i.to_string()).collect(), repeats: 1, ..three_prompts() };
    for (text, expected) in [
        (
            "mark: ecdf, x: latency, facet: prompt",
            "expected at most 12 levels, which can be told apart; `prompt` has 40",
        ),
        ("mark: ecdf, x: latency, colour: prompt", "expected at most 35 levels"),
        ("mark: bars, x: length, y: latency, colour: prompt", "expected at most 7 levels"),
        ("mark: box, x: length, y: latency, colour: prompt, where: 'prompt != 0'", "expected at most 35"),
    ] {
        let found = message(&many, &format!("figures: {{a: {{{text}}}}}"));
        assert!(found.contains(expected), "{found}");
    }
}

#[test]
fn the_program_s_figures_are_chosen_by_name() {
    let summary = Design { lengths: vec![64], ..Design::default() }.summary();
    let error = |text: &str| {
        let error = super::super::draw(&summary, &labels(), Some(&own(text))).unwrap_err();
        crate::complaint::Complaint::from(&error).to_string()
    };
    assert!(
        error("draw: [latncy]").contains("figures.yaml:1:8: draw[0]: expected a figure of the program, found `latncy`")
    );
    assert!(error("draw: [latncy]").ends_with("hint: did you mean `latency`?"));
    let of_file = "draw: [a]\nfigures: {a: {mark: ecdf, x: latency}}";
    assert!(error(of_file).contains("`a` is a figure of this file"));
}

/// The reference's examples are files that can be read, and each mark has one.
#[test]
fn the_examples_of_the_reference_are_read() {
    let reference = include_str!("../../../docs/FIGURES.md");
    let examples: Vec<&str> =
        reference.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let marks: Vec<Mark> = examples.iter().flat_map(|text| own(text).figures).map(|(_, entry)| entry.mark).collect();
    for mark in [Mark::Points, Mark::Bars, Mark::Line, Mark::Box, Mark::Ecdf, Mark::Heat, Mark::Forest, Mark::Pareto] {
        assert!(marks.contains(&mark) && reference.contains(&format!("### `{}`", mark.name())), "{}", mark.name());
    }
    let conditions = reference.split("```text\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    assert_eq!(condition::parse(conditions).unwrap().len(), 4);
}
