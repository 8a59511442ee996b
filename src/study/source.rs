//! Where a model of a study file comes from, as far as its text says: whether it can be had is found out when it is fetched.

/// Does it say where weights are, or that the fake engine needs none?
pub(super) fn is_source(source: &str) -> bool {
    match source.split_once(':') {
        Some(("hf", rest)) => {
            let (repository, revision) = rest.split_once('@').unwrap_or((rest, "main"));
            repository.split('/').count() == 2 && repository.split('/').chain(revision.split('/')).all(plain)
        }
        Some(("pypi", package)) => {
            package.split_once("==").is_some_and(|(name, version)| plain(name) && plain(version))
        }
        Some(("path", folder)) => !folder.is_empty() && !folder.contains(char::is_control),
        _ => (source == "fake" || source.starts_with("fake:")) && !source.contains(char::is_control),
    }
}

/// A part of a repository's or package's name; a leading dot would lead out of the cache.
pub(super) fn plain(part: &str) -> bool {
    !part.starts_with('.') && !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}
