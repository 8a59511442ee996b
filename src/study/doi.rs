//! A DOI as people write it -> prefix and suffix, without what stands before them.

use super::error::Problem;

/// `10.5281/zenodo.1234567`, from that or from its address. Of a suffix, the characters that Crossref and DataCite recommend.
///
/// # Errors
/// Another form.
pub(super) fn checked(key: &str, written: &str) -> Result<String, Problem> {
    const LONGEST: usize = 200;
    let doi = written.trim();
    let lower = doi.to_ascii_lowercase();
    let before =
        ["https://doi.org/", "http://doi.org/", "https://dx.doi.org/", "http://dx.doi.org/", "doi.org/", "doi:"];
    let start = before.iter().find(|address| lower.starts_with(*address)).map_or(0, |address| address.len());
    let doi = doi.get(start..).unwrap_or_default().trim_start();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._;()/:".contains(c);
    let number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let fits = doi.split_once('/').is_some_and(|(prefix, suffix)| {
        let registrant = prefix.strip_prefix("10.").unwrap_or_default();
        let parts: Vec<&str> = registrant.split('.').collect();
        (4..=9).contains(&parts[0].len())
            && parts.iter().all(|part| number(part))
            && !suffix.is_empty()
            && suffix.chars().all(plain)
            && suffix.chars().any(|c| c.is_ascii_alphanumeric())
    });
    if !fits || doi.len() > LONGEST {
        let what = format!("expected a DOI such as 10.5281/zenodo.1234567, found {written:?}");
        return Err(Problem::new(
            key,
            what,
            "copy it from where it was reserved (Zenodo: \"Reserve DOI\"), or leave `doi` out",
        ));
    }
    Ok(doi.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_one_is_that_one() {
        for written in [
            "10.5281/zenodo.12",
            " doi:10.5281/zenodo.12",
            "https://doi.org/10.5281/zenodo.12",
            "http://dx.doi.org/10.5281/zenodo.12",
        ] {
            assert_eq!(checked("k", written).map_err(|problem| problem.what), Ok("10.5281/zenodo.12".to_owned()));
        }
        for real in
            ["10.1145/3600006.3613165", "10.48550/arXiv.2407.21783", "10.1002/(SICI)1097-0258(19980815/30)17:15;1-Z"]
        {
            assert_eq!(checked("k", real).map_err(|problem| problem.what), Ok(real.to_owned()));
        }
    }

    #[test]
    fn other_texts_are_refused_with_a_way_out() {
        for written in [
            "",
            "zenodo.12",
            "10.5281",
            "10.5281/",
            "10.52/x",
            "11.5281/x",
            "10.5281/a b",
            "10.5281/é",
            "10.5281/{x}",
            "doi",
            "é",
        ] {
            let problem = checked("study.doi", written).unwrap_err();
            assert_eq!(problem.key, "study.doi");
            assert!(problem.what.contains(&format!("found {written:?}")) && problem.hint.contains("leave `doi` out"));
        }
    }
}
