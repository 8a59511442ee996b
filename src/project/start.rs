//! What a new project begins with: a study that runs at once, a short paper in nobody's voice, and what makes and checks it; or the
//! study and the manuscript of this program's own repository.

use std::collections::BTreeMap;

use crate::paper::Templates;

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Start {
    /// A short, neutral paper
    #[default]
    Starter,
    /// The study of 54 runs and its paper
    Manuscript,
}

macro_rules! starter {
    ($($path:literal),* $(,)?) => {
        [$(($path, include_str!(concat!("starter/", $path)))),*]
    };
}

/// Beside study and templates.
const AROUND: [(&str, &str); 4] = starter!["Makefile", "README.md", "gitignore", "workflows/paper.yml"];
const STUDY: [(&str, &str); 1] = starter!["config/study.yaml"];

/// The files of a new project, by path.
pub fn files(start: Start) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut put = |path: &str, text: &str| drop(files.insert(path.to_owned(), text.to_owned()));
    for (path, text) in AROUND {
        // Under these names they would be this repository's own.
        match path {
            "gitignore" => put(".gitignore", text),
            "workflows/paper.yml" => put(".github/workflows/paper.yml", text),
            path => put(path, text),
        }
    }
    let templates = match start {
        Start::Starter => {
            STUDY.iter().for_each(|(path, text)| put(path, text));
            Templates::built_in()
        }
        Start::Manuscript => {
            put("config/study.yaml", include_str!("../../config/smollm2.yaml"));
            put("config/published/v1.yaml", include_str!("../../config/published/v1.yaml"));
            Templates::manuscript()
        }
    };
    // Looks are this program's until somebody wants others.
    for (path, text) in
        templates.files().iter().filter(|(path, _)| !["skins/", "living/"].iter().any(|looks| path.starts_with(looks)))
    {
        put(&format!("templates/{path}"), text);
    }
    files
}
