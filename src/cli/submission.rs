//! `offprint submission`: a run -> the archive that a venue takes, tried with the TeX that is installed.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail, ensure};

use super::{
    compile::{self, Tried},
    prose::{self, or_of_project},
    report,
};
use crate::{
    bundle::archive,
    evidence::Evidence,
    paper::{
        self, given,
        submission::{self, Order, Secrets, Venue, pack},
    },
    project,
};

#[derive(Debug, clap::Args)]
pub struct SubmissionArgs {
    /// Who is to have it: arxiv, acm, ieee, llncs (Springer), elsevier, or own (the project's templates/skins/venue.tex)
    #[arg(long, value_name = "VENUE", value_parser = venue)]
    venue: Venue,
    /// The run folder; else the run that the paper in paper/ names, else the newest complete run
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// The archive, .tar.gz or .zip; submission-VENUE with the ending that the venue takes unless given
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Without anything that tells who wrote it, and checked for that
    #[arg(long)]
    anonymous: bool,
    /// A word of the authors' that may stay, as it is somebody else's, too (with --anonymous; may be repeated)
    #[arg(long, value_name = "WORD", requires = "anonymous")]
    allow: Vec<String>,
    /// What the paper is made from; else as `report` chooses it
    #[arg(long, value_name = "DIR")]
    templates: Option<PathBuf>,
    /// Where run folders are looked for; the project's results/ unless given
    #[arg(long, value_name = "DIR")]
    results: Option<PathBuf>,
}

fn venue(name: &str) -> Result<Venue, String> {
    let all = Venue::ALL.map(Venue::name).join(", ");
    Venue::ALL.into_iter().find(|venue| venue.name() == name).ok_or_else(|| format!("expected one of {all}"))
}

/// Exit code 1 when the archive does not compile here.
pub fn run(args: SubmissionArgs) -> Result<ExitCode> {
    let SubmissionArgs { venue, anonymous, .. } = args;
    let out = args.out.unwrap_or_else(|| PathBuf::from(format!("submission-{}.{}", venue.name(), venue.extension())));
    let packed_as = Packed::of(&out)?;
    let folder = match args.run {
        Some(folder) => folder,
        None => report::choose(&or_of_project(None, "paper"), &or_of_project(args.results, "results"))?,
    };
    let chosen = project::templates(&folder, args.templates.as_deref())?;
    let templates = &chosen.templates;
    let (skin, styles) = skin(venue, &project::templates_folder(&folder, args.templates.as_deref()))?;
    let Evidence { run, summary, claims } = Evidence::open(&folder, templates.claims())?;
    let levels = paper::levels(&run.study, &summary, &claims, templates)?;
    let order = Order {
        run: &run,
        summary: &summary,
        claims: &claims,
        levels: &levels,
        templates,
        venue,
        skin: &skin,
        styles: &styles,
        anonymous,
    };
    let made = submission::make(&order)?;
    prose::tell_of(&chosen);
    if anonymous {
        for removed in &made.removed {
            tell!("taken out: {removed}");
        }
        // Letters of pictures are outlines by now.
        let shown = |id: &str| made.files.contains_key(&format!("figures/{id}.pdf"));
        let letters = paper::figures_of(templates)?.into_iter().flat_map(|own| own.letters());
        let letters = letters.filter(|(id, _)| shown(id));
        let letters = letters.map(|(id, text)| (format!("templates/pictures/{id}.svg"), text.into_bytes()));
        let looked = made.files.clone().into_iter().chain(letters).collect();
        Secrets::of(&run, &machine(), &args.allow).check(&looked).context("nothing was written")?;
    }
    if !made.lacks.is_empty() {
        tell!("{} asks for what the study does not say:", venue.name());
        made.lacks.iter().for_each(|lacks| tell!("  {lacks}"));
    }
    let bytes = packed_as.bytes(&made.files)?;
    fs::write(&out, bytes).with_context(|| format!("{}\nhint: is the folder writable?", out.display()))?;
    let compiles = tell_of(&compile::files(&made.files)?);
    say!("{}", out.display());
    Ok(if compiles { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Says how it went; may the archive go out?
fn tell_of(tried: &Tried) -> bool {
    match tried {
        Tried::Not(reason) => tell!("not compiled here: {reason}"),
        Tried::Failed(errors) => {
            tell!("it does not compile here: {}", errors.join("; "));
            tell!("hint: unpack it in an empty folder and run pdflatex paper.tex there to see more");
            return false;
        }
        Tried::Well { pages, wide, undefined } => {
            tell!("compiled here in an empty folder: {pages} pages");
            wide.iter().for_each(|line| tell!("wider than its line: {line}"));
            undefined.iter().for_each(|line| tell!("{line}"));
        }
    }
    true
}

/// Classes, styles and logos are smaller.
const LARGEST_STYLE: usize = 16 << 20;

/// A link that leads nowhere is there, too.
fn is_there(file: &Path) -> bool {
    fs::symlink_metadata(file).is_ok()
}

/// The venue's skin, and the files that it names and that lie beside it, in the order of the search: the project's, this program's.
fn skin(venue: Venue, templates: &Path) -> Result<(String, BTreeMap<String, Vec<u8>>)> {
    let path = format!("skins/{}", venue.skin());
    let file = templates.join(&path);
    let of_project = if is_there(&file) {
        let bytes = given::read(templates, &path, LARGEST_STYLE)?;
        Some(String::from_utf8(bytes).with_context(|| format!("{}\nhint: save it as UTF-8", file.display()))?)
    } else {
        None
    };
    let Some(skin) = submission::skin(venue, of_project.as_deref()) else {
        bail!(
            "{}: there is no such file\nhint: put the venue's template there, with << title >>, << body >> and << rest >> where they go; \
             docs/SUBMISSION.md shows one",
            file.display()
        )
    };
    let mut styles = BTreeMap::new();
    let mut unread = vec![skin.clone()];
    while let Some(text) = unread.pop() {
        for name in submission::named(&text) {
            let places = [format!("skins/{name}"), format!("skins/venues/{name}"), name.clone()];
            let is_here = |place: &&String| is_there(&templates.join(place)) && !templates.join(place).is_dir();
            let Some(place) = places.iter().find(is_here) else { continue };
            if let Entry::Vacant(entry) = styles.entry(name) {
                let bytes = given::read(templates, place, LARGEST_STYLE)?;
                // A class names packages of its own.
                unread.extend(String::from_utf8(bytes.clone()).ok());
                entry.insert(bytes);
            }
        }
    }
    ensure!(!styles.contains_key("paper.tex"), "{}: it names paper.tex, which is the paper itself", file.display());
    Ok((skin, styles))
}

/// What this machine could have left in a file.
fn machine() -> Vec<String> {
    const SHORTEST: usize = 4;
    let home = std::env::home_dir().map(|home| home.display().to_string());
    let name = fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = name.or_else(|| std::env::var("HOSTNAME").ok()).or_else(|| std::env::var("COMPUTERNAME").ok());
    let all = home.into_iter().chain(name).map(|text| text.trim().to_owned());
    all.filter(|text| text.len() >= SHORTEST && text != "localhost").collect()
}

/// How files are packed.
#[derive(Debug, Clone, Copy)]
enum Packed {
    TarGz,
    Zip,
}

impl Packed {
    fn of(out: &Path) -> Result<Self> {
        let name = out.to_string_lossy();
        if name.ends_with(".zip") {
            return Ok(Packed::Zip);
        }
        ensure!(
            name.ends_with(".tar.gz") || name.ends_with(".tgz"),
            "--out {name}: expected a file that ends in .tar.gz or .zip\nhint: --out paper.tar.gz"
        );
        Ok(Packed::TarGz)
    }

    fn bytes(self, files: &BTreeMap<String, Vec<u8>>) -> Result<Vec<u8>> {
        match self {
            Packed::TarGz => pack::tar_gz(files),
            Packed::Zip => {
                let mut bytes = Vec::new();
                let inputs = files.iter().map(|(path, bytes)| (path.clone(), bytes.clone().into())).collect();
                archive::write(&mut bytes, &inputs)?;
                Ok(bytes)
            }
        }
    }
}
