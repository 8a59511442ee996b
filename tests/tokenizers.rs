//! Published tokenizers against mlx-lm's ids, plain and as chats. `OFFPRINT_TEST_TOKENIZERS` is a folder with the packages that
//! tests/oracles/tokenizer_packages.py names, unpacked; without it nothing is tried.
#![cfg(feature = "mlx")]
#![allow(clippy::unwrap_used)]

use std::{collections::BTreeMap, path::PathBuf};

use offprint::{digest::sha256_hex, engine::tokenizer::Tokenizer, study::Told};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    packages: BTreeMap<String, Package>,
}

/// Of each answer the beginning of its SHA-256.
#[derive(Deserialize)]
struct Package {
    plain: Vec<String>,
    chats: Vec<Chat>,
    eos: Vec<u32>,
}

#[derive(Deserialize)]
struct Chat {
    told: Told,
    ids: Vec<String>,
}

#[test]
fn ids_are_those_of_mlx_lm() {
    let Some(folder) = std::env::var_os("OFFPRINT_TEST_TOKENIZERS").map(PathBuf::from) else {
        eprintln!("not tried: OFFPRINT_TEST_TOKENIZERS names no folder");
        return;
    };
    let golden: Golden = serde_json::from_str(include_str!("data/tokenizer_packages.json")).unwrap();
    let texts: Vec<(String, Vec<u32>)> = serde_json::from_str(include_str!("data/tokenizer_ids.json")).unwrap();
    assert!(golden.packages.len() == 4 && texts.len() >= 240);
    let mut differ = Vec::new();
    for (name, package) in &golden.packages {
        let tokenizer = Tokenizer::open(&folder.join(name).join("package/models"), usize::MAX).unwrap();
        assert_eq!(tokenizer.eos().into_iter().collect::<Vec<_>>(), package.eos, "{name}");
        let chats = package.chats.iter().map(|chat| (Some(&chat.told), &chat.ids));
        for (told, expected) in std::iter::once((None, &package.plain)).chain(chats) {
            assert_eq!(expected.len(), texts.len());
            for ((text, _), expected) in texts.iter().zip(expected) {
                let ids: Vec<String> = tokenizer.prompt(text, told).unwrap().iter().map(u32::to_string).collect();
                if !sha256_hex(ids.join(" ").as_bytes()).starts_with(expected) {
                    differ.push(format!("{name} {told:?} {text:?}: {}", ids.join(" ")));
                }
            }
        }
    }
    assert!(differ.is_empty(), "{} differ:\n{}", differ.len(), differ.join("\n"));
}
