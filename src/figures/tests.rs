//! The figures as a whole: what is on them, that it stands where it should, and that odd data does not break them.

use resvg::usvg::{Group as Branch, Node, Options, Tree};

use super::{
    fixture::{Design, labels},
    font::Font,
    layout::{TICK_SIZE, lay_out},
    scene::{Mark, Scene},
    *,
};

fn sources(design: &Design, labels: &Labels) -> Vec<(String, String)> {
    let font = Font::open().unwrap();
    let scenes = scenes(&design.summary(), labels).unwrap();
    scenes.into_iter().map(|(id, scene)| (id, render::render(&scene, &font).unwrap())).collect()
}

fn source(design: &Design, labels: &Labels, id: &str) -> String {
    sources(design, labels).into_iter().find(|(found, _)| *found == id).unwrap().1
}

/// Designs that have broken plots elsewhere.
fn odd() -> Vec<(&'static str, Design)> {
    let one = || Design { lengths: vec![64], temperatures: vec![0.0], prompts: vec!["1".into()], ..Design::default() };
    let hostile = "<a href=\"x\"> & 'b' \u{1}]]> a rather long name 语言 \\input{x}";
    vec![
        ("one", Design { repeats: 1, ..one() }),
        ("two", Design { repeats: 2, ..one() }),
        ("same", Design { spread: 0.0, prompts: vec!["1".into()], ..Design::default() }),
        ("tiny", Design { start: 2e-6, per_token: 1e-8, ..Design::default() }),
        ("huge", Design { start: 2e5, per_token: 1e4, ..Design::default() }),
        (
            "many",
            Design {
                lengths: (0..10).map(|i| 16 << i).collect(),
                temperatures: (0..10).map(|i| f64::from(i) / 10.0).collect(),
                prompts: (0..10).map(|i| format!("{i} {hostile}")).collect(),
                repeats: 1,
                ..Design::default()
            },
        ),
        (
            "more",
            Design {
                lengths: vec![8, 16, 24],
                prompts: (1..=120).map(|prompt| format!("prompt-{prompt}")).collect(),
                repeats: 1,
                ..Design::default()
            },
        ),
    ]
}

fn attribute<'a>(tag: &'a str, name: &str) -> &'a str {
    tag.split_once(&format!(" {name}=\"")).unwrap().1.split_once('"').unwrap().0
}

/// Vertical centre of the tick text `text`, in drawing units.
fn y_of_text(source: &str, text: &str) -> f64 {
    let lines: Vec<&str> = source.lines().collect();
    let found = lines.windows(2).find(|pair| pair[1] == text && pair[0].starts_with("<text"));
    let line = found.unwrap_or_else(|| panic!("no text `{text}`"))[0];
    attribute(line, "y").parse().unwrap()
}

/// Every polyline's points.
fn polylines(source: &str) -> Vec<Vec<(f64, f64)>> {
    let points = |tag: &str| {
        let pairs = attribute(tag, "points").split_whitespace().map(|pair| pair.split_once(',').unwrap());
        pairs.map(|(x, y)| (x.parse().unwrap(), y.parse().unwrap())).collect()
    };
    source.lines().filter(|line| line.starts_with("<polyline")).map(points).collect()
}

#[test]
fn every_run_is_a_dot() {
    let design = Design::default();
    let summary = design.summary();
    for (id, scene) in scenes(&summary, &labels()).unwrap() {
        let dots = |mark: &Mark| match mark {
            Mark::Swarm { dots, .. } => dots.len(),
            Mark::Dots { dots, .. } => dots.len(),
            _ => 0,
        };
        let drawn: usize = scene.panels.iter().flat_map(|panel| &panel.marks).map(dots).sum();
        let times = match id.as_str() {
            "latency" | "throughput" => 3,
            "temperature" | "prompt" => 2,
            "decomposition" => 0,
            _ => 1,
        };
        assert_eq!(drawn, times * 54, "{id}");
        if id != "distribution" && id != "decomposition" {
            let source = source(&design, &labels(), &id);
            let colored =
                ["#0072B2", "#E69F00", "#009E73"].map(|color| source.matches(&format!("fill=\"{color}\"")).count());
            assert_eq!(colored, [times * 18 + 1; 3], "{id}: dots of each level, and its key");
        }
    }
}

#[test]
fn intervals_stand_at_the_group_s_numbers() {
    let design = Design { spread: 0.2, ..Design::default() };
    let summary = design.summary();
    for (id, scene) in scenes(&summary, &labels()).unwrap().into_iter().take(2) {
        let source = source(&design, &labels(), &id);
        let ticks = &scene.panels[0].y.ticks;
        let (first, last) = (&ticks[0], &ticks[ticks.len() - 1]);
        let lines = polylines(&source);
        // A text is centred a hair below its tick.
        let level = |text: f64| {
            lines
                .iter()
                .filter(|line| line[0].1 == line[1].1)
                .map(|line| line[0].1)
                .min_by(|a, b| (a - text).abs().total_cmp(&(b - text).abs()))
        };
        let (from, to) =
            (level(y_of_text(&source, &first.text)).unwrap(), level(y_of_text(&source, &last.text)).unwrap());
        for group in summary.by.iter().flatten() {
            let stats = group.metrics[&Metric::named(&id).unwrap()];
            let y = |value: f64| from + (to - from) * (value - first.at) / (last.at - first.at);
            let (low, up) = stats.interval.unwrap();
            let at = |line: &&Vec<(f64, f64)>| {
                line.len() == 2
                    && line[0].0 == line[1].0
                    && (line[0].1 - y(low)).abs() <= 1.5
                    && (line[1].1 - y(up)).abs() <= 1.5
            };
            let x = lines.iter().find(at).unwrap_or_else(|| panic!("{id}: no interval for {}", group.key))[0].0;
            let bar = |line: &&Vec<(f64, f64)>| {
                line[0].1 == line[1].1 && (line[0].1 - y(stats.mean)).abs() <= 1.5 && (line[0].0 + line[1].0) / 2.0 == x
            };
            assert!(lines.iter().any(|line| bar(&line)), "{id}: no mean for {}", group.key);
        }
    }
}

#[test]
fn axes_say_what_and_in_which_unit() {
    let wanted = |design: &Design, id: &str, texts: &[&str]| {
        let source = source(design, &labels(), id);
        for text in texts {
            assert!(source.contains(&format!("\n{text}\n")), "{id} lacks `{text}`");
        }
    };
    let plain = Design::default();
    wanted(
        &plain,
        "latency",
        &["latency (s)", "output length (tokens)", "temperature", "prompt", "mean, 95 % interval"],
    );
    wanted(&plain, "throughput", &["throughput (tok/s)"]);
    wanted(&plain, "fit", &["latency (s)", "output length (tokens)", "64", "128", "256", "0"]);
    wanted(&plain, "temperature", &["relative to temperature 0.3 (%)", "±2 % margin", "−2", "latency", "throughput"]);
    wanted(&plain, "distribution", &["latency (s)", "runs", "mean"]);
    wanted(&Design { start: 0.01, per_token: 0.001, ..Design::default() }, "latency", &["latency (ms)"]);
    wanted(&odd().remove(4).1, "latency", &["latency (10⁶ s)"]);
}

#[test]
fn what_is_no_measurement_says_so_inside_each_figure() {
    let fake = Labels { not_a_measurement: Some("made by the fake engine".into()), ..labels() };
    for ((id, marked), (_, plain)) in
        sources(&Design::default(), &fake).into_iter().zip(sources(&Design::default(), &labels()))
    {
        assert!(marked.contains("NOT A MEASUREMENT: made by the fake engine"), "{id}");
        assert!(!plain.contains("MEASUREMENT"), "{id}");
    }
    for figure in draw(&Design::default().summary(), &fake, None).unwrap() {
        assert!(String::from_utf8(figure.svg).unwrap().contains("#b03a00"), "{}", figure.id);
    }
}

/// `OFFPRINT_SHOW=folder` writes the pictures there, to be looked at.
#[test]
fn odd_data_gives_three_whole_files_and_clips_nothing() {
    let folder = std::env::var_os("OFFPRINT_SHOW").map(std::path::PathBuf::from);
    for (name, design) in odd().into_iter().chain([("plain", Design::default())]) {
        let reason = (name == "many").then(|| "made by the fake engine".to_owned());
        for figure in draw(&design.summary(), &Labels { not_a_measurement: reason, ..labels() }, None).unwrap() {
            let about = format!("{name}, {}", figure.id);
            if let Some(folder) = &folder {
                for (end, bytes) in [("svg", &figure.svg), ("pdf", &figure.pdf), ("png", &figure.png)] {
                    std::fs::write(folder.join(format!("{name}-{}.{end}", figure.id)), bytes).unwrap();
                }
            }
            let svg = std::str::from_utf8(&figure.svg).unwrap();
            assert!(svg.contains("width=\"288pt\"") && svg.contains("<title>") && !svg.contains("<text"), "{about}");
            let tree = Tree::from_str(svg, &Options::default()).unwrap();
            inside(tree.root(), tree.size().width(), tree.size().height(), &about);

            assert!(figure.pdf.starts_with(b"%PDF-") && figure.pdf.trim_ascii_end().ends_with(b"%%EOF"), "{about}");
            assert!(!figure.pdf.windows(5).any(|bytes| bytes == b"/Font"), "{about}: texts are outlines");

            let picture = png::Decoder::new(figure.png.as_slice()).read_info().unwrap();
            let ratio = tree.size().height() / tree.size().width();
            let size = (1200, (1200.0 * ratio).round() as u32);
            assert_eq!((picture.info().width, picture.info().height), size, "{about}");
        }
    }
}

/// Every outline lies within the page.
pub(super) fn inside(branch: &Branch, width: f32, height: f32, about: &str) {
    for node in branch.children() {
        if let Node::Group(branch) = node {
            inside(branch, width, height, about);
        }
        let b = node.abs_stroke_bounding_box();
        let slack = 0.1;
        assert!(
            b.left() >= -slack && b.top() >= -slack && b.right() <= width + slack && b.bottom() <= height + slack,
            "{about}: {b:?}"
        );
    }
}

#[test]
fn tick_texts_and_keys_do_not_touch_and_the_legend_stays_off_the_data() {
    let font = Font::open().unwrap();
    for (name, design) in odd().into_iter().chain([("plain", Design::default())]) {
        for (id, scene) in scenes(&design.summary(), &labels()).unwrap() {
            let layout = lay_out(&scene, &font);
            for (panel, frame) in scene.panels.iter().zip(&layout.frames) {
                assert!(layout.keys.iter().all(|key| key.1 < frame.top), "{name}, {id}: a key lies over a panel");
                let texts = &frame.x_texts;
                let width = |text: &String| if texts.upright { TICK_SIZE } else { font.width(text, TICK_SIZE) };
                let widths = texts.ticks.iter().map(width);
                let ends: Vec<(f64, f64)> = panel
                    .x
                    .ticks
                    .iter()
                    .zip(widths)
                    .zip(&texts.ticks)
                    .filter(|(_, text)| !text.is_empty())
                    .map(|((tick, width), _)| {
                        let x = frame.at((tick.at, 0.0)).0;
                        (x - width / 2.0, x + width / 2.0)
                    })
                    .collect();
                assert!(ends.windows(2).all(|pair| pair[0].1 <= pair[1].0 + 0.5), "{name}, {id}: {ends:?}");
            }
        }
    }
}

#[test]
fn every_mark_lies_in_its_panel() {
    for (name, design) in odd().into_iter().chain([("plain", Design::default())]) {
        for (id, scene) in scenes(&design.summary(), &labels()).unwrap() {
            assert_lies_within(&scene, &format!("{name}, {id}"));
        }
    }
}

/// No mark leaves its panel, but for intervals, whose ends are drawn as arrows there.
pub(super) fn assert_lies_within(scene: &Scene, about: &str) {
    for panel in &scene.panels {
        let x = |v: f64| v >= panel.x.range.0 - 1e-9 && v <= panel.x.range.1 + 1e-9;
        let y = |v: f64| v >= panel.y.range.0 - 1e-9 && v <= panel.y.range.1 + 1e-9;
        let place = |along: &scene::Along, at: f64, value: f64| match along {
            scene::Along::Y => x(at) && y(value),
            scene::Along::X => y(at) && x(value),
        };
        let within = |mark: &Mark| match mark {
            Mark::Swarm { along, lane, dots } => {
                dots.iter().all(|dot| place(along, lane.0, dot.value) && place(along, lane.1, dot.value))
            }
            Mark::Mean { along, at, mean, .. } => place(along, *at, *mean),
            Mark::Dots { dots, .. } => dots.iter().all(|dot| x(dot.0) && y(dot.1)),
            Mark::Line { points, .. } => points.iter().all(|(a, b)| x(*a) && y(*b)),
            Mark::Band { lower, upper } => lower.iter().chain(upper).all(|(a, b)| x(*a) && y(*b)),
            Mark::Bar { from, to, .. } | Mark::Cell { from, to, .. } => x(from.0) && x(to.0) && y(from.1) && y(to.1),
            Mark::Interval { along, at, reach, .. } => {
                let middle = if *along == scene::Along::Y { panel.y.range } else { panel.x.range };
                place(along, at - reach, middle.0) && place(along, at + reach, middle.1)
            }
            Mark::Quartiles { along, at, reach, of, whiskers, .. } => {
                let values = of.iter().chain([&whiskers.0, &whiskers.1]);
                values.into_iter().all(|value| place(along, at - reach, *value) && place(along, at + reach, *value))
            }
        };
        let outside: Vec<_> = panel.marks.iter().filter(|mark| !within(mark)).collect();
        assert!(outside.is_empty(), "{about}: {outside:?} leave x {:?}, y {:?}", panel.x.range, panel.y.range);
    }
}

/// The interval of two runs is 12.7 standard errors wide: the axis does not follow it, arrows say that it goes on.
#[test]
fn a_vast_interval_is_cut_with_arrows() {
    let design = Design {
        lengths: vec![64],
        temperatures: vec![0.0],
        prompts: vec!["1".into(), "2".into()],
        repeats: 2,
        spread: 0.1,
        ..Design::default()
    };
    let latency = scenes(&design.summary(), &labels()).unwrap().remove(0).1;
    let range = latency.panels[0].y.range;
    for prompt in &design.summary().by[2] {
        let interval = prompt.metrics[&Metric::Latency].interval.unwrap();
        assert!(interval.0 < range.0 && interval.1 > range.1, "{interval:?} in {range:?}");
    }
    let ink = source(&design, &labels(), "latency")
        .lines()
        .filter(|line| line.starts_with("<polygon") && line.contains("#1A1A1A"))
        .count();
    assert_eq!(ink, 4, "two arrow heads at each prompt");
}

#[test]
fn a_level_with_one_run_has_a_mean_and_no_interval() {
    let scenes = scenes(&odd().remove(0).1.summary(), &labels()).unwrap();
    let means: Vec<&Mark> = scenes
        .iter()
        .flat_map(|(_, scene)| &scene.panels)
        .flat_map(|panel| &panel.marks)
        .filter(|mark| matches!(mark, Mark::Mean { .. }))
        .collect();
    assert_eq!(
        means.len(),
        2,
        "what does not vary has no figure of its own: one of the distribution, one of the parts"
    );
    assert!(means.iter().all(|mark| matches!(mark, Mark::Mean { interval: None, .. })));
}

#[test]
fn the_same_summary_gives_the_same_bytes() {
    let first = draw(&Design::default().summary(), &labels(), None).unwrap();
    assert_eq!(
        first.iter().map(|figure| figure.id.as_str()).collect::<Vec<_>>(),
        ["latency", "throughput", "fit", "temperature", "prompt", "distribution", "decomposition", "order"]
    );
    for _ in 0..3 {
        assert!(draw(&Design::default().summary(), &labels(), None).unwrap() == first);
    }
}

#[test]
fn prompt_names_are_text_and_never_markup() {
    let source = source(&odd().remove(5).1, &labels(), "latency");
    assert!(source.contains("&lt;a href=&quot;") && !source.contains("<a ") && !source.contains('\u{1}'));
}

#[test]
fn many_runs_are_thinned_and_the_legend_says_so() {
    let design = Design { repeats: 200, ..Design::default() };
    let scenes: Vec<(String, Scene)> = scenes(&design.summary(), &labels()).unwrap();
    for (id, scene) in scenes {
        for mark in scene.panels.iter().flat_map(|panel| &panel.marks) {
            match mark {
                Mark::Swarm { dots, .. } => assert_eq!(dots.len(), data::MOST_DOTS, "{id}"),
                Mark::Dots { dots, .. } => assert_eq!(dots.len(), order::MOST, "{id}"),
                _ => {}
            }
        }
        let said = match id.as_str() {
            "decomposition" => continue,
            "order" => "1000 runs, evenly in time",
            _ => "200 runs a group, evenly by rank",
        };
        assert!(scene.keys.iter().any(|key| key.text == said), "{id}");
    }
}

#[test]
fn nothing_to_draw_and_broken_numbers_are_errors() {
    let mut summary = Design::default().summary();
    summary.runs[6].values[Metric::Latency as usize] = f64::NAN;
    let message = draw(&summary, &labels(), None).unwrap_err().to_string();
    assert_eq!(message, "figures: run 7: latency is NaN, expected a finite number");
    summary.runs.clear();
    let message = draw(&summary, &labels(), None).unwrap_err().to_string();
    assert!(message.starts_with("figures: none of the 54 planned runs ended well\nhint: "), "{message}");
}
