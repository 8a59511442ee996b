//! An ORCID iD as people write it -> its sixteen characters in groups of four, its check digit verified.

use super::error::Problem;

/// `0000-0002-1825-0097`, from that or from its address at orcid.org.
///
/// # Errors
/// Another form, or a last character that the others do not give (ISO/IEC 7064, MOD 11-2).
pub(super) fn checked(key: &str, written: &str) -> Result<String, Problem> {
    let hint = "it stands in your record at https://orcid.org; e.g. 0000-0002-1825-0097";
    let id = written.trim();
    let id = ["https://orcid.org/", "http://orcid.org/", "orcid.org/"]
        .iter()
        .find_map(|address| id.strip_prefix(address))
        .unwrap_or(id);
    let id = id.trim_end_matches('/').to_ascii_uppercase();
    let groups: Vec<&str> = id.split('-').collect();
    let digits: Vec<u8> = id.bytes().filter(|byte| *byte != b'-').collect();
    let (last, first) = digits.split_last().unwrap_or((&0, &[]));
    let fits = groups.len() == 4
        && groups.iter().all(|group| group.len() == 4)
        && first.iter().all(u8::is_ascii_digit)
        && (last.is_ascii_digit() || *last == b'X');
    if !fits {
        let what = format!("expected four groups of four digits, found {written:?}");
        return Err(Problem::new(key, what, hint));
    }
    let expected = check_digit(first);
    if expected != *last {
        let what = format!(
            "expected an ORCID iD, whose first fifteen digits here give {} as the last, found {written:?}",
            char::from(expected)
        );
        return Err(Problem::new(key, what, format!("a digit is wrong: {hint}")));
    }
    Ok(id)
}

/// The last character after these digits, by ISO/IEC 7064, MOD 11-2; `X` is ten.
fn check_digit(digits: &[u8]) -> u8 {
    let total = digits.iter().fold(0_u32, |total, digit| (total + u32::from(digit - b'0')) * 2 % 11);
    match (12 - total) % 11 {
        10 => b'X',
        digit => b'0' + digit as u8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of <https://support.orcid.org>, "Structure of the ORCID Identifier", and a published one that ends in X.
    #[test]
    fn real_ones_pass_in_every_form() {
        for id in ["0000-0002-1825-0097", "0000-0001-5109-3700", "0000-0002-1694-233X"] {
            for written in
                [id.to_owned(), format!("https://orcid.org/{id}"), format!("orcid.org/{id}/"), id.to_lowercase()]
            {
                assert_eq!(checked("k", &written).map_err(|problem| problem.what), Ok(id.to_owned()));
            }
        }
    }

    #[test]
    fn every_slip_of_one_digit_and_every_swap_is_found() {
        let id = b"0000-0002-1825-0097";
        for place in (0..id.len()).filter(|place| id[*place] != b'-') {
            for digit in b'0'..=b'9' {
                let mut wrong = *id;
                wrong[place] = digit;
                let found = checked("k", std::str::from_utf8(&wrong).unwrap());
                assert_eq!(found.is_ok(), wrong == *id, "{}", String::from_utf8_lossy(&wrong));
            }
        }
        let problem = checked("study.authors[0].orcid", "0000-0002-8125-0097").unwrap_err();
        assert_eq!(problem.key, "study.authors[0].orcid");
        assert!(problem.what.contains("found \"0000-0002-8125-0097\"") && !problem.hint.is_empty(), "{}", problem.what);
    }

    #[test]
    fn other_forms_are_refused() {
        for written in [
            "",
            "0000",
            "0000-0002-1825-00977",
            "0000-0002-1825",
            "00000002-1825-0097",
            "0000-0X02-1825-0097",
            "é000-0002-1825-009",
        ] {
            assert!(
                checked("k", written).is_err_and(|problem| problem.what.contains("four groups of four")),
                "{written}"
            );
        }
    }
}
