//! The lists of architectures in the documents are the readers'. `UPDATE_DOCUMENTS=1` writes them.

use std::{fmt::Write, fs};

use offprint::model::{
    config::Config,
    readers::READERS,
    step::{cuda, fused},
};

use crate::golden::Golden;

/// The table of docs/MODELS.md: of each architecture what our kernels are not made for, by the configurations that mlx-lm answered for.
fn table() -> String {
    let golden = Golden::read();
    let mut table = "| `model_type` | models | step | CUDA |\n|---|---|---|---|\n".to_owned();
    for reader in READERS {
        let of_type = golden.configs().filter(|config| config["model_type"] == reader.model_type);
        let specs: Vec<_> = of_type.map(|config| Config::of(&config).unwrap().spec).collect();
        assert!(
            !specs.is_empty(),
            "{}: no configuration of tests/data/architectures.json is of this type",
            reader.model_type
        );
        let told = |unfit: &dyn Fn(&_) -> Option<String>| {
            let reasons: Vec<Option<String>> = specs.iter().map(unfit).collect();
            match reasons.iter().find_map(|reason| reason.clone()) {
                None => "ours".to_owned(),
                Some(reason) if reasons.iter().all(Option::is_some) => format!("MLX's: {reason}"),
                Some(reason) => format!("ours but for {reason}"),
            }
        };
        let (step, cuda) = (told(&fused::unfit), told(&cuda::unfit));
        writeln!(table, "| `{}` | {} | {step} | {cuda} |", reader.model_type, reader.models).unwrap();
    }
    table
}

/// The names of README.md, a line break where one is due.
fn list() -> String {
    let mut lines = vec![String::new()];
    for (index, reader) in READERS.iter().enumerate() {
        let word = format!("{}{}", reader.models, if index + 1 == READERS.len() { "." } else { ";" });
        for word in word.split(' ') {
            let line = lines.last_mut().unwrap();
            if line.is_empty() {
                line.push_str(word);
            } else if line.chars().count() + word.chars().count() < 135 {
                write!(line, " {word}").unwrap();
            } else {
                lines.push(word.to_owned());
            }
        }
    }
    lines.join("\n") + "\n"
}

fn held(file: &str, made: &str) {
    let text = fs::read_to_string(file).unwrap();
    let (before, rest) = text.split_once("<!-- models -->\n").unwrap();
    let (found, after) = rest.split_once("<!-- end models -->").unwrap();
    let expected = format!("\n{made}\n");
    if std::env::var_os("UPDATE_DOCUMENTS").is_some() {
        fs::write(file, format!("{before}<!-- models -->\n{expected}<!-- end models -->{after}")).unwrap();
    } else {
        assert_eq!(found, expected, "{file}: UPDATE_DOCUMENTS=1 writes it");
    }
}

#[test]
fn documents_list_the_architectures_that_are_read() {
    held("docs/MODELS.md", &table());
    held("README.md", &list());
}
