//! `data/.zenodo.json`: what Zenodo's record of the bundle is to say, in the fields of its deposit metadata
//! (developers.zenodo.org, "Deposit metadata"; one licence, creators as `Family, Given`, descriptions in HTML).

use anyhow::Result;

use super::{
    dates,
    json::{Json, list, object, text},
    label::Label,
    readme::licences,
};
use crate::{
    store::{Run, not_a_measurement},
    study::{Author, Name, Person, parted},
};

/// The file's bytes.
///
/// # Errors
/// The environment's time is none.
pub fn metadata(label: &Label, run: &Run) -> Result<Vec<u8>> {
    let study = &run.study;
    let mut fields = vec![
        ("title", text(&study.title)),
        ("upload_type", text("dataset")),
        ("publication_date", text(dates::date(run)?)),
        ("creators", creators(label, run)),
        ("description", text(description(label, run))),
        ("access_right", text("open")),
        ("version", text(&label.version)),
        ("language", text("eng")),
    ];
    let mut known = licences(label);
    fields.extend(known.next().map(|licence| ("license", text(licence))));
    if known.next().is_some() {
        fields.push(("notes", text(format!("Licence: {}, as the reader chooses.", label.licence))));
    }
    if !study.keywords.is_empty() {
        fields.push(("keywords", list(study.keywords.iter().map(text))));
    }
    fields.extend(study.doi.as_ref().map(|doi| ("doi", text(doi))));
    let related = related(run);
    if !related.is_empty() {
        fields.push(("related_identifiers", Json::List(related)));
    }
    object(fields).bytes()
}

/// Zenodo wants one at least.
fn creators(label: &Label, run: &Run) -> Json {
    let authors = &run.study.authors;
    if authors.is_empty() {
        return list([object([("name", text(format!("The authors of the study {}", label.study)))])]);
    }
    list(authors.iter().map(creator))
}

fn creator(author: &Author) -> Json {
    let mut fields = vec![("name", text(family_first(&author.name)))];
    fields.extend(author.affiliation.as_ref().map(|place| ("affiliation", text(place))));
    fields.extend(author.orcid.as_ref().map(|orcid| ("orcid", text(orcid))));
    object(fields)
}

/// `van der Berg, Ludwig`; a name that has no parts stays whole.
fn family_first(name: &str) -> String {
    let joined = |words: [&str; 2]| words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    match parted(name) {
        Name::Whole(name) => name,
        Name::Person(Person { family, given, particle, suffix }) => {
            let (family, given) = (joined([&particle, &family]), joined([&given, &suffix]));
            if given.is_empty() { family } else { format!("{family}, {given}") }
        }
    }
}

fn description(label: &Label, run: &Run) -> String {
    let html = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let warning = not_a_measurement(&run.study, &run.environment)
        .map_or_else(String::new, |why| format!("<p><strong>Not a measurement: {}.</strong></p>", html(why)));
    format!(
        "{warning}<p>{}</p><p>Records of the study {}, and the paper made from them: every number of it is computed from the rows, and \
         <code>offprint verify</code> computes it again. A BagIt bag whose payload is an RO-Crate.</p>",
        html(&run.study.title),
        html(&label.study)
    )
}

/// The document that the paper compares its values with, and the checkpoints.
fn related(run: &Run) -> Vec<Json> {
    let address = |text: &str| {
        let plain = |c: char| c.is_ascii_graphic() && !"<>\"".contains(c);
        (text.starts_with("https://") || text.starts_with("http://")) && text.chars().all(plain)
    };
    let hub = |source: &str| {
        let (name, _) = source.strip_prefix("hf:")?.split_once('@').unwrap_or((source.strip_prefix("hf:")?, ""));
        Some(format!("https://huggingface.co/{name}"))
    };
    let published = run.published.iter().map(|published| (published.url.clone(), "references"));
    // What is packed here is of the same repository.
    let unpacked = |source: &str| match source.strip_prefix("quantized:").and_then(|rest| rest.split_once(':')) {
        Some((_, of)) => hub(of),
        None => hub(source),
    };
    let models = run.study.sources().into_iter().filter_map(|source| Some((unpacked(source)?, "requires")));
    let mut all: Vec<(String, &str)> = published.chain(models).filter(|(url, _)| address(url)).collect();
    all.dedup();
    all.into_iter().map(|(url, relation)| object([("identifier", text(url)), ("relation", text(relation))])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_family_s_name_comes_first() {
        for (name, shown) in [
            ("Ada Lovelace", "Lovelace, Ada"),
            ("Ludwig van der Berg", "van der Berg, Ludwig"),
            ("O'Neil, Jr., John", "O'Neil, John Jr."),
            ("李小龙", "李, 小龙"),
            ("The Offprint Authors", "The Offprint Authors"),
        ] {
            assert_eq!(family_first(name), shown);
        }
    }
}
