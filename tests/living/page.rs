//! The page as a file: small, made of its parts alone, deterministic, and nobody else's.

use std::{collections::BTreeSet, fs, path::Path};

use offprint::paper::{Script, script};

use super::committed;

/// Limits of a page that is read on a telephone; figures and numbers are in it.
#[test]
fn committed_pages_are_small_and_whole() {
    for published in committed() {
        let page = fs::read_to_string(published.paper.join("paper.html")).unwrap();
        let name = published.paper.display();
        assert!(page.len() <= 1_310_720, "{name}: {} bytes", page.len());
        assert_eq!(script(&page), Script::Known, "{name}");
        assert!(!page.contains(|c: char| ('\u{e000}'..='\u{e004}').contains(&c)), "{name}: a mark");
        let claims = published.claims();
        let named = |attribute: &str| {
            page.split(&format!(" {attribute}=\""))
                .skip(1)
                .filter_map(|rest| rest.split('"').next())
                .map(str::to_owned)
                .collect::<BTreeSet<String>>()
        };
        let numbers = named("data-c");
        assert!(numbers.len() > 20, "{name}: {}", numbers.len());
        for id in &numbers {
            assert!(claims["claims"].get(id).is_some(), "{name}: there is no claim `{id}`");
        }
        for id in named("data-p") {
            assert!(claims["predicates"].get(&id).is_some(), "{name}: there is no predicate `{id}`");
        }
        // Every link inside leads somewhere.
        let anchors = named("id");
        for link in named("href").iter().filter_map(|link| link.strip_prefix('#')) {
            assert!(anchors.contains(link), "{name}: #{link}");
        }
        // Nothing is loaded: addresses are links that a reader may follow.
        let loaded: Vec<&str> =
            page.split('<').filter(|tag| ["img", "link", "iframe"].iter().any(|name| tag.starts_with(name))).collect();
        assert_eq!(loaded, [""; 0], "{name}");
    }
}

/// The text of the page is the paper's: what stands in paper.md without its marks.
#[test]
fn the_page_says_what_the_paper_says() {
    let numbers = |text: &str| -> Vec<String> {
        let words = text.split(|c: char| !c.is_ascii_digit() && c != '.').map(|word| word.trim_matches('.').to_owned());
        words.filter(|word| word.contains('.') && word.len() > 3).collect()
    };
    let page = fs::read_to_string("paper/paper.html").unwrap();
    let main = page.split("<main").nth(1).unwrap().split("</main>").next().unwrap();
    let drawn = main
        .split("<svg")
        .enumerate()
        .map(|(at, part)| if at == 0 { part } else { part.split_once("</svg>").unwrap().1 });
    let text: String = drawn
        .collect::<String>()
        .split('<')
        .map(|part| part.split_once('>').map_or(part, |(_, text)| text))
        .collect::<Vec<_>>()
        .join(" ");
    let markdown = fs::read_to_string(Path::new("paper/paper.md")).unwrap();
    let body = markdown.split_once("## Abstract").unwrap().1;
    let (said, written): (BTreeSet<String>, BTreeSet<String>) =
        (numbers(&text).into_iter().collect(), numbers(body).into_iter().collect());
    let links: BTreeSet<String> =
        numbers(&body.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect::<Vec<_>>().join(" "))
            .into_iter()
            .collect();
    let missing: Vec<&String> = written.difference(&said).filter(|number| !links.contains(*number)).collect();
    assert!(said.len() > 300 && missing.is_empty(), "{} {missing:?}", said.len());
}
