//! The paper's templates: those of a project, those that came with somebody's records, or this program's own. All are looked at first,
//! because a template is a small program, and maybe a stranger's: it may loop over the design's levels, ask for claims, and no more.

mod sandbox;

use std::{
    collections::BTreeMap,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};

use super::{given, marks, typst};

/// The texts that the paper is made from, by path under `templates/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Templates {
    files: BTreeMap<String, String>,
}

macro_rules! built_in {
    ($folder:literal: $($path:literal),* $(,)?) => {
        [$(($path, include_str!(concat!("../../", $folder, $path)))),*]
    };
}

/// What every paper needs and a project may replace: looks.
const SKINS: [(&str, &str); 13] = built_in!["templates/":
    "living/card.js",
    "living/figures.js",
    "living/font.css",
    "living/formulas.js",
    "living/living.css",
    "living/own.js",
    "living/page.js",
    "living/stats.js",
    "living/tables.js",
    "skins/paper.html",
    "skins/paper.md",
    "skins/paper.tex",
    "skins/paper.typ",
];
/// Those that every paper has. Of before 0.3 there is none for Typst.
const NEEDED: [&str; 5] = [PROSE, REFERENCES, "skins/paper.html", "skins/paper.md", "skins/paper.tex"];

/// The short, neutral paper that a study has which has none of its own.
const STARTER: [(&str, &str); 15] = built_in!["src/project/starter/templates/":
    "claims.yaml",
    "figures.yaml",
    "prose.yaml",
    "references.bib",
    "sections/00-abstract.md",
    "sections/01-introduction.md",
    "sections/02-method.md",
    "sections/03-results.md",
    "sections/04-load.md",
    "sections/05-quality.md",
    "sections/06-energy.md",
    "sections/07-repeatability.md",
    "sections/08-comparison.md",
    "sections/09-discussion.md",
    "sections/10-reproducibility.md",
];

/// The manuscript of the program's own repository.
const MANUSCRIPT: [(&str, &str); 14] = built_in!["templates/":
    "prose.yaml",
    "references.bib",
    "sections/00-abstract.md",
    "sections/01-introduction.md",
    "sections/02-related-work.md",
    "sections/03-method.md",
    "sections/04-results.md",
    "sections/05-baseline.md",
    "sections/05-published.md",
    "sections/06-discussion.md",
    "sections/07-limitations.md",
    "sections/08-reproducibility.md",
    "sections/09-conclusion.md",
    "sections/10-appendix.md",
];

/// The paper of a set: machines and sessions.
const OF_SETS: [(&str, &str); 8] = built_in!["src/set/templates/":
    "prose.yaml",
    "references.bib",
    "sections/00-abstract.md",
    "sections/01-introduction.md",
    "sections/02-method.md",
    "sections/03-results.md",
    "sections/04-limits.md",
    "sections/05-reproducibility.md",
];

/// Numbers and figures of a project's own.
pub const CLAIMS: &str = "claims.yaml";
pub const FIGURES: &str = "figures.yaml";
const PROSE: &str = "prose.yaml";
const REFERENCES: &str = "references.bib";

/// The limits of templates.
const MOST_BYTES: usize = 2 << 20;
const MOST_FILES: usize = 64;

/// A project's templates, and what lies among them that no paper is made from.
#[derive(Debug, Clone)]
pub struct Found {
    pub templates: Templates,
    pub others: Vec<PathBuf>,
}

impl Templates {
    /// This program's own: the neutral paper.
    pub fn built_in() -> Self {
        Templates::of([&STARTER[..], &SKINS[..]])
    }

    /// Those of the manuscript in this program's repository.
    pub fn manuscript() -> Self {
        Templates::of([&MANUSCRIPT[..], &SKINS[..]])
    }

    /// Those of a set's paper.
    pub fn of_sets() -> Self {
        Templates::of([&OF_SETS[..], &SKINS[..]])
    }

    fn of(lists: [&[(&str, &str)]; 2]) -> Self {
        let files = lists.into_iter().flatten().map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
        Templates { files: files.collect() }
    }

    /// Those in a project's `templates/`. Sections stand for themselves: where there is one, none of ours joins them. What else is
    /// missing (rules, looks) is this program's.
    ///
    /// # Errors
    /// A file that cannot be read or is no UTF-8; one that does more than a template of a paper may.
    pub fn in_folder(folder: &Path) -> Result<Found> {
        let (mut files, mut others) = (BTreeMap::new(), Vec::new());
        for inside in ["", "living", "pictures", "sections", "skins"] {
            for name in names(&folder.join(inside))? {
                let path = if inside.is_empty() { name } else { format!("{inside}/{name}") };
                let file = folder.join(&path);
                if file.is_dir() || path.rsplit('/').next().is_some_and(|name| name.starts_with('.')) {
                    continue;
                }
                if !is_template(&path) {
                    let of_venue = [".cls", ".sty", ".bst", ".tex"].iter().any(|ending| path.ends_with(ending));
                    others.extend((!of_venue).then_some(file));
                    continue;
                }
                let text = given::read(folder, &path, MOST_BYTES)?;
                let text =
                    String::from_utf8(text).with_context(|| format!("{}\nhint: save it as UTF-8", file.display()))?;
                files.insert(path, text.strip_prefix('\u{feff}').unwrap_or(&text).replace("\r\n", "\n"));
            }
        }
        let own_sections = files.keys().any(|path| path.starts_with("sections/"));
        for (path, text) in Templates::built_in().files {
            let of_sections = path.starts_with("sections/") || [CLAIMS, FIGURES].contains(&path.as_str());
            let text = match path.as_str() {
                // Sections may cite nothing.
                REFERENCES if own_sections => String::new(),
                PROSE if own_sections => rules_for(&files, &text),
                _ => text,
            };
            if !(own_sections && of_sections) {
                files.entry(path).or_insert(text);
            }
        }
        Ok(Found { templates: Templates::from_files(files)?, others })
    }

    /// Those that came with records.
    ///
    /// # Errors
    /// One that every paper needs is missing; one that does more than a template of a paper may.
    pub fn from_files(files: BTreeMap<String, String>) -> Result<Self> {
        let templates = Templates { files };
        templates.check()?;
        Ok(templates)
    }

    /// By path under `templates/`.
    pub fn files(&self) -> &BTreeMap<String, String> {
        &self.files
    }

    /// The text of `claims.yaml`: numbers of the paper's own.
    pub fn claims(&self) -> Option<&str> {
        self.files.get(CLAIMS).map(String::as_str)
    }

    /// The text of `figures.yaml`: figures of the paper's own.
    pub fn figures(&self) -> Option<&str> {
        self.files.get(FIGURES).map(String::as_str)
    }

    /// The texts of `pictures/NAME.svg`, by name: drawings that no record is in.
    pub fn pictures(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().filter_map(|(path, text)| Some((picture(path)?, text.as_str())))
    }

    pub(super) fn get(&self, path: &str) -> Result<&str> {
        self.files.get(path).map(String::as_str).with_context(|| format!("templates/{path}: there is no such file"))
    }

    /// The sections by file name, in the paper's order.
    pub(super) fn sections(&self) -> Vec<(&str, &str)> {
        self.files.iter().filter_map(|(path, text)| Some((path.strip_prefix("sections/")?, text.as_str()))).collect()
    }

    fn check(&self) -> Result<()> {
        NEEDED.into_iter().try_for_each(|path| self.get(path).map(drop))?;
        let bytes: usize = self.files.values().map(String::len).sum();
        ensure!(
            self.files.len() <= MOST_FILES && bytes <= MOST_BYTES,
            "templates/: expected at most {MOST_FILES} files of {MOST_BYTES} bytes, found {} of {bytes}",
            self.files.len()
        );
        if let Some(skin) = self.files.get(typst::SKIN) {
            typst::check_skin(skin).with_context(|| format!("templates/{}", typst::SKIN))?;
        }
        for (path, text) in &self.files {
            ensure!(
                !text.contains(marks::is_mark),
                "templates/{path}: expected none of the letters U+E000 to U+E004, which mark numbers in the text\nhint: remove them"
            );
        }
        self.files.iter().try_for_each(|(path, text)| sandbox::check(path, text))
    }
}

/// Is a paper made from a file of this path?
fn is_template(path: &str) -> bool {
    match path.split_once('/') {
        None => [PROSE, REFERENCES, CLAIMS, FIGURES].contains(&path),
        // A venue's own is read for what is submitted to it.
        Some(("skins", "venue.tex")) => false,
        Some(("sections", name)) => name.ends_with(".md"),
        Some(("pictures", _)) => picture(path).is_some(),
        Some(("living", name)) => name.ends_with(".js") || name.ends_with(".css"),
        Some((_, name)) => [".html", ".md", ".tex", ".typ"].iter().any(|extension| name.ends_with(extension)),
    }
}

/// Our rules of prose, which name sections of ours, for others.
fn rules_for(sections: &BTreeMap<String, String>, rules: &str) -> String {
    let is_there = |line: &&str| {
        let name = line.trim().strip_prefix("- ").filter(|name| name.ends_with(".md"));
        name.is_none_or(|name| sections.contains_key(&format!("sections/{name}")))
    };
    let kept: String = rules.lines().filter(is_there).flat_map(|line| [line, "\n"]).collect();
    kept.replace("free:\n\n", "free: []\n\n")
}

/// The name of a picture in this file.
fn picture(path: &str) -> Option<&str> {
    path.strip_prefix("pictures/")?.strip_suffix(".svg")
}

/// Names in a folder, sorted; none where there is no such folder.
fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.with_context(|| folder.display().to_string())?,
    };
    let name = |entry: std::io::Result<fs::DirEntry>| Ok(entry?.file_name().to_string_lossy().into_owned());
    let mut names = entries.map(name).collect::<Result<Vec<_>>>().with_context(|| folder.display().to_string())?;
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files_under(folder: &str, inside: &[&str]) -> Vec<String> {
        let all = inside.iter().flat_map(|inside| {
            let of = names(&Path::new(folder).join(inside)).unwrap().into_iter();
            of.map(move |name| if inside.is_empty() { name } else { format!("{inside}/{name}") })
        });
        let mut files: Vec<String> = all.filter(|path| Path::new(folder).join(path).is_file()).collect();
        files.sort();
        files
    }

    #[test]
    fn what_lies_in_the_folders_is_what_is_built_in() {
        let manuscript = Templates::manuscript();
        assert_eq!(
            files_under("templates", &["", "living", "sections", "skins"]),
            manuscript.files().keys().cloned().collect::<Vec<_>>()
        );
        let of_sets: Vec<String> = OF_SETS.iter().map(|(path, _)| (*path).to_owned()).collect();
        assert_eq!(files_under("src/set/templates", &["", "sections"]), of_sets);
        let starter: Vec<String> = STARTER.iter().map(|(path, _)| (*path).to_owned()).collect();
        let found = files_under("src/project/starter/templates", &["", "sections"]);
        assert_eq!(found, starter);
        // The manuscript is a project's like any other.
        let found = Templates::in_folder(Path::new("templates")).unwrap();
        assert_eq!((found.templates, found.others), (manuscript, vec![]));
    }

    /// The rules for templates of others do not refuse what ours do.
    #[test]
    fn our_own_templates_pass_the_check() {
        Templates::built_in().check().unwrap();
        Templates::manuscript().check().unwrap();
        Templates::of_sets().check().unwrap();
    }

    #[test]
    fn a_project_that_has_sections_has_no_others_and_what_it_lacks_is_built_in() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let file = folder.path().join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        };
        // Our rules name sections of ours: of those that are there.
        write("sections/02-method.md", "## Method\n");
        let rules = |found: Found| found.templates.get(PROSE).unwrap().to_owned();
        let some = rules(Templates::in_folder(folder.path()).unwrap());
        assert!(some.contains("free:\n  - 02-method.md\n") && !some.contains("01-introduction"), "{some}");
        fs::rename(folder.path().join("sections/02-method.md"), folder.path().join("sections/1.md")).unwrap();
        let none = rules(Templates::in_folder(folder.path()).unwrap());
        assert!(none.contains("free: []\n") && none.contains("\njudgements:\n"), "{none}");
        fs::remove_dir_all(folder.path().join("sections")).unwrap();
        write("prose.yaml", "judgements: {}\n");
        let only_rules = Templates::in_folder(folder.path()).unwrap().templates;
        assert_eq!(only_rules.sections(), Templates::built_in().sections());
        write("sections/1.md", "\u{feff}## One\r\n");
        write("sections/notes.txt", "x");
        write("skins/mine.sty", "x");
        write("skins/mine.txt", "x");
        write("sections/.1.md.swp", "x");
        let Found { templates, others } = Templates::in_folder(folder.path()).unwrap();
        assert_eq!(templates.sections(), [("1.md", "## One\n")]);
        assert_eq!(
            (templates.get("prose.yaml").unwrap(), templates.get(REFERENCES).unwrap()),
            ("judgements: {}\n", "")
        );
        assert_eq!(templates.get("skins/paper.md").unwrap(), Templates::built_in().get("skins/paper.md").unwrap());
        assert_eq!(others, ["sections/notes.txt", "skins/mine.txt"].map(|path| folder.path().join(path)));
        fs::write(folder.path().join("sections/2.md"), b"caf\xe9").unwrap();
        let error = format!("{:#}", Templates::in_folder(folder.path()).unwrap_err());
        assert!(error.contains("sections/2.md") && error.contains("hint: save it as UTF-8"), "{error}");
    }

    #[test]
    fn a_template_that_could_run_away_is_refused_with_its_place() {
        let hostile = [
            "{% for i in range(end=1000000000) %}{% endfor %}",
            "{% for a in cells %}{% for b in cells %}x{% endfor %}{% endfor %}",
            "{% for beside in cells %}{% for b in beside %}x{% endfor %}{% endfor %}",
            "{% for a in beside %}{% for b in a.absolute %}{% for c in b.x %}x{% endfor %}{% endfor %}{% endfor %}",
            "{% for a in beside %}{% continue %}{% endfor %}",
            "{% set_global a = 1 %}",
            "{% include \"x\" %}",
            "{{ n(id=\"a\") | repeat(n=9) }}",
            "{{ get_env(name=\"HOME\") }}",
            "{{ now() }}",
            "{{ \"{{\" ~ now() }}",
            &"{% set a = a ~ a %}".repeat(11),
            &"(".repeat(100),
            &format!("{{{{ {} }}}}", "a".repeat(1000)),
        ];
        for text in hostile {
            let mut files = Templates::built_in().files().clone();
            files.insert("sections/00-abstract.md".to_owned(), text.to_owned());
            let error = Templates::from_files(files).unwrap_err().to_string();
            assert!(error.starts_with("templates/sections/00-abstract.md:1:"), "{text}: {error}");
        }
        let mut files = Templates::built_in().files().clone();
        files
            .insert("sections/00-abstract.md".to_owned(), "one\ntwo {{ m(id=\"a\") }} {{ hold(id=\"b\") }}".to_owned());
        let error = Templates::from_files(files.clone()).unwrap_err().to_string();
        assert!(
            error.starts_with("templates/sections/00-abstract.md:2:7: `m(id=\"a\")`: `m` is no function"),
            "{error}"
        );
        files.insert("sections/00-abstract.md".to_owned(), "{{ hold(id=\"b\") }}".to_owned());
        let error = Templates::from_files(files.clone()).unwrap_err().to_string();
        assert!(error.contains("the most similar is `holds`\nhint: "), "{error}");
        files.remove("skins/paper.md");
        assert!(Templates::from_files(files).unwrap_err().to_string().contains("skins/paper.md"));
    }
}
