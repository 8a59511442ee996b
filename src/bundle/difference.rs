//! Where two contents first differ, for people.

/// `line 3: found ..., expected ...`; sizes where the content is no text.
pub fn first(found: &[u8], expected: &[u8]) -> String {
    let (Ok(found), Ok(expected)) = (std::str::from_utf8(found), std::str::from_utf8(expected)) else {
        return format!("{} bytes, expected {} others", found.len(), expected.len());
    };
    let (mut a, mut b) = (found.lines(), expected.lines());
    for number in 1.. {
        match (a.next(), b.next()) {
            (None, None) => break,
            (a, b) if a != b => {
                let (a, b) = around(a, b);
                return format!("line {number}: found {a}, the records give {b}");
            }
            _ => {}
        }
    }
    "differs in its line ends".to_owned()
}

/// Both lines from a little before the place where they part.
fn around(found: Option<&str>, expected: Option<&str>) -> (String, String) {
    let same = |(a, b): (&str, &str)| a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
    let start = found.zip(expected).map_or(0, same).saturating_sub(40);
    let short = |line: Option<&str>| match line {
        Some(line) => {
            let before = if start > 0 { "…" } else { "" };
            format!("`{before}{}`", line.chars().skip(start).take(100).collect::<String>())
        }
        None => "the end of the file".to_owned(),
    };
    (short(found), short(expected))
}
