//! A letter beyond ASCII -> how pdfLaTeX sets it with fonts in T1 encoding: as it is where they have it, else built of what they
//! have. Known: Latin-1, Latin Extended-A, Vietnamese and whatever else is a letter with marks that TeX has; some punctuation and
//! Greek of formulas.

use unicode_normalization::UnicodeNormalization;

/// A letter with its marks, in composed form. `None` where neither the fonts nor their accents suffice.
pub(super) fn set(cluster: &str) -> Option<String> {
    let mut chars = cluster.chars();
    if let (Some(c), None) = (chars.next(), chars.next()) {
        if is_input(c) {
            return Some(c.to_string());
        }
        if let Some(built) = built(c).or_else(|| sign(c)) {
            return Some(built);
        }
    }
    accented(cluster)
}

/// What inputenc knows in T1 and TS1 since 2018.
fn is_input(c: char) -> bool {
    match c {
        '\u{ad}' | 'Ħ' | 'ħ' | 'ĵ' | 'ĸ' | 'Ŋ' | 'ŋ' | 'Ŀ' | 'ŀ' | 'ŉ' | 'Ŧ' | 'ŧ' | 'ſ' => false,
        '¡'..='ÿ' | 'Ā'..='ž' | 'Ș'..='ț' | 'ẞ' => true,
        _ => false,
    }
}

/// What T1 has as one piece, so that an accent may stand on it.
fn is_piece(c: char) -> bool {
    c.is_ascii_alphabetic()
        || ('À'..='ÿ').contains(&c)
        || "ĂăĄąĆćČčĎďĐđĘęĚěĞğİıŁłĽľĹĺŃńŇňŐőŒœŔŕŘřŚśŠšŞşŤťŢţŮůŰűŸŹźŽžŻż".contains(c)
}

/// Letters of Latin Extended-A that T1 lacks. What a PDF's own title says is the letter itself.
fn built(c: char) -> Option<String> {
    let bar =
        |letter: &str, bar: &str| format!("\\leavevmode{{\\ooalign{{{letter}\\cr\\hidewidth{bar}\\hidewidth\\cr}}}}");
    let tex = match c {
        'Ħ' => bar("H", "\\raisebox{.55ex}{\\textendash}"),
        'ħ' => "\\leavevmode{\\ooalign{h\\cr\\raisebox{.62ex}{\\scalebox{.7}[1]{-}}\\hidewidth\\cr}}".to_owned(),
        'Ŧ' => bar("T", "\\scalebox{.8}[1]{-}"),
        'ŧ' => bar("t", "\\scalebox{.8}[1]{-}"),
        'ĸ' => "\\scalebox{.8}{K}".to_owned(),
        'Ŀ' => "L\\kern-.3em\\textperiodcentered{}".to_owned(),
        'ŀ' => "l\\kern-.1em\\textperiodcentered{}".to_owned(),
        'ŉ' => "'n".to_owned(),
        'ſ' => "\\ensuremath{\\smallint}".to_owned(),
        'Ŋ' | 'ŋ' => complete(&c.to_string()),
        'ﬀ' => return Some("ff".to_owned()),
        'ﬁ' => return Some("fi".to_owned()),
        'ﬂ' => return Some("fl".to_owned()),
        'ﬃ' => return Some("ffi".to_owned()),
        'ﬄ' => return Some("ffl".to_owned()),
        _ => return None,
    };
    Some(format!("\\texorpdfstring{{{tex}}}{{{c}}}"))
}

/// In the one family that has all of T1: Charter, whose gaps are black boxes, lacks these.
fn complete(tex: &str) -> String {
    format!("{{\\fontfamily{{cmr}}\\selectfont {tex}}}")
}

/// A letter and its marks: first those above, from the letter outwards, then those below, then a horn at its side.
fn accented(cluster: &str) -> Option<String> {
    let parts: Vec<char> = cluster.nfd().collect();
    let (base, marks) = parts.split_first().filter(|(_, marks)| !marks.is_empty())?;
    // Marks that make a letter of their own of it, as in ǿ.
    let mut here = base.to_string();
    if !is_piece(*base) {
        return None;
    }
    let above: Vec<char> = marks.iter().copied().filter(|mark| on_top(*mark).is_some() || *mark == HOOK).collect();
    let below: Vec<char> = marks.iter().copied().filter(|mark| below(*mark).is_some()).collect();
    let horns = marks.iter().filter(|mark| **mark == HORN).count();
    if above.len() + below.len() + horns != marks.len() || horns > 1 {
        return None;
    }
    let mut tex = match (base, above.is_empty()) {
        ('i', false) => "\\i".to_owned(),
        ('j', false) => "\\j ".to_owned(),
        _ => here.clone(),
    };
    for mark in above {
        // An accent sits on one piece of a font only.
        let mut composed = here.nfc();
        if !(composed.next().is_some_and(is_piece) && composed.next().is_none()) {
            return None;
        }
        tex = match on_top(mark) {
            Some(command) => format!("{command}{{{tex}}}"),
            None => hook(&tex, base.is_uppercase()),
        };
        here.push(mark);
    }
    if *base == 'j' && !marks.is_empty() {
        tex = complete(&tex);
    }
    for mark in below {
        tex = format!("{}{{{tex}}}", self::below(mark)?);
    }
    if horns == 1 {
        let raise = if base.is_uppercase() { ".2ex" } else { ".1ex" };
        tex += &format!("\\kern-.14em\\raisebox{{{raise}}}{{\\textquoteright}}\\kern-.06em{{}}");
    }
    let composed: String = cluster.nfc().collect();
    let simple = marks.len() == 1 && *marks != [HOOK] && *marks != [HORN];
    Some(if simple { tex } else { format!("\\texorpdfstring{{{tex}}}{{{composed}}}") })
}

const HOOK: char = '\u{309}';
const HORN: char = '\u{31b}';

fn hook(letter: &str, capital: bool) -> String {
    let raise = if capital { "1.6ex" } else { "1.05ex" };
    let hook = format!("\\raisebox{{{raise}}}{{\\scalebox{{.6}}{{\\textquoteright}}}}");
    format!("\\leavevmode{{\\ooalign{{{letter}\\cr\\hidewidth{hook}\\hidewidth\\cr}}}}")
}

/// TeX's accent for a mark above.
fn on_top(mark: char) -> Option<&'static str> {
    Some(match mark {
        '\u{300}' => "\\`",
        '\u{301}' => "\\'",
        '\u{302}' => "\\^",
        '\u{303}' => "\\~",
        '\u{304}' => "\\=",
        '\u{306}' => "\\u",
        '\u{307}' => "\\.",
        '\u{308}' => "\\\"",
        '\u{30a}' => "\\r",
        '\u{30b}' => "\\H",
        '\u{30c}' => "\\v",
        _ => return None,
    })
}

/// ... and below.
fn below(mark: char) -> Option<&'static str> {
    Some(match mark {
        '\u{323}' => "\\d",
        '\u{326}' => "\\textcommabelow",
        '\u{327}' => "\\c",
        '\u{328}' => "\\k",
        '\u{331}' => "\\b",
        _ => return None,
    })
}

/// Punctuation, arrows and the Greek of formulas.
fn sign(c: char) -> Option<String> {
    if let Some(digit) = "⁰¹²³⁴⁵⁶⁷⁸⁹".chars().position(|raised| raised == c) {
        return Some(format!("\\textsuperscript{{{digit}}}"));
    }
    if let Some(digit) = "₀₁₂₃₄₅₆₇₈₉".chars().position(|lowered| lowered == c) {
        return Some(format!("\\textsubscript{{{digit}}}"));
    }
    let text = match c {
        '‘' => "`{}",
        '‚' => "\\quotesinglbase{}",
        '„' => "\\quotedblbase{}",
        '‹' => "\\guilsinglleft{}",
        '›' => "\\guilsinglright{}",
        '•' => "\\textbullet{}",
        '†' => "\\textdagger{}",
        '‡' => "\\textdaggerdbl{}",
        '‰' => "\\textperthousand{}",
        '€' => "\\texteuro{}",
        '™' => "\\texttrademark{}",
        '⁻' => "\\textsuperscript{\\textminus}",
        '\u{2009}' | '\u{200a}' | '\u{202f}' => "\\,",
        '\u{2002}'..='\u{2008}' | '\u{3000}' => " ",
        '\u{2010}' => "-",
        '\u{2011}' => "\\mbox{-}",
        _ => {
            let math = match c {
                'α' => "\\alpha",
                'β' => "\\beta",
                'γ' => "\\gamma",
                'δ' => "\\delta",
                'ε' => "\\varepsilon",
                'η' => "\\eta",
                'θ' => "\\theta",
                'κ' => "\\kappa",
                'λ' => "\\lambda",
                'μ' => "\\mu",
                'π' => "\\pi",
                'ρ' => "\\rho",
                'σ' => "\\sigma",
                'τ' => "\\tau",
                'φ' => "\\varphi",
                'χ' => "\\chi",
                'ψ' => "\\psi",
                'ω' => "\\omega",
                'Γ' => "\\Gamma",
                'Δ' => "\\Delta",
                'Θ' => "\\Theta",
                'Λ' => "\\Lambda",
                'Π' => "\\Pi",
                'Σ' | '∑' => "\\Sigma",
                'Φ' => "\\Phi",
                'Ω' => "\\Omega",
                '≤' => "\\le",
                '≥' => "\\ge",
                '≈' => "\\approx",
                '≠' => "\\neq",
                '→' => "\\rightarrow",
                '←' => "\\leftarrow",
                '↔' => "\\leftrightarrow",
                '⇒' => "\\Rightarrow",
                '∞' => "\\infty",
                '√' => "\\surd",
                '∈' => "\\in",
                '′' => "{}'",
                _ => return None,
            };
            return Some(format!("\\ensuremath{{{math}}}"));
        }
    };
    Some(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_t1_has_stands_as_it_is() {
        for c in "éßÿÐþčćłőşğœžıĳşŸİđÐŢțș§©½¿«»".chars() {
            assert_eq!(set(&c.to_string()), Some(c.to_string()), "{c}");
        }
    }

    #[test]
    fn what_it_lacks_is_built() {
        for (letter, tex) in [
            ("ḍ", "\\d{d}"),
            ("ẽ", "\\~{e}"),
            ("ǎ", "\\v{a}"),
            ("ǐ", "\\v{\\i}"),
            ("ǿ", "\\'{ø}"),
            ("ế", "\\texorpdfstring{\\'{\\^{e}}}{ế}"),
            ("ậ", "\\texorpdfstring{\\d{\\^{a}}}{ậ}"),
            ("ŉ", "\\texorpdfstring{'n}{ŉ}"),
            ("ĵ", "{\\fontfamily{cmr}\\selectfont \\^{\\j }}"),
            ("x\u{30c}", "\\v{x}"),
        ] {
            assert_eq!(set(letter).as_deref(), Some(tex), "{letter}");
        }
        assert!(set("ợ").is_some_and(|tex| tex.contains("\\d{o}\\kern") && tex.ends_with("}{ợ}")));
        assert!(set("ủ").is_some_and(|tex| tex.contains("\\ooalign{u\\cr")));
    }

    #[test]
    fn every_letter_of_the_latin_blocks_is_set_and_vietnamese_whole() {
        for c in ('\u{a1}'..='\u{17f}').filter(|c| *c != '\u{ad}') {
            assert!(set(&c.to_string()).is_some(), "{c}");
        }
        for c in 'Ạ'..='ỹ' {
            assert!(set(&c.to_string()).is_some(), "{c}");
        }
    }

    #[test]
    fn what_cannot_be_set_is_told() {
        for text in ["語", "Ж", "\u{ad}", "ǖ\u{304}", "ə", "\u{301}", "🦤"] {
            assert_eq!(set(text), None, "{text}");
        }
    }
}
