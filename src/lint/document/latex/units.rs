//! What siunitx prints: numbers and units.

/// The symbol of a unit's macro.
pub(super) fn unit(name: &str) -> Option<&'static str> {
    prefix(name).or_else(|| short(name)).or_else(|| {
        Some(match name {
            "second" | "s" => "s",
            "minute" => "min",
            "hour" => "h",
            "day" => "d",
            "year" => "a",
            "metre" | "meter" => "m",
            "gram" => "g",
            "kilogram" | "kg" => "kg",
            "tonne" => "t",
            "ampere" => "A",
            "volt" => "V",
            "watt" => "W",
            "joule" => "J",
            "hertz" => "Hz",
            "kelvin" => "K",
            "celsius" | "degreeCelsius" => "°C",
            "degree" => "°",
            "arcminute" => "′",
            "arcsecond" => "″",
            "percent" | "%" => "%",
            "permille" => "‰",
            "byte" => "B",
            "bit" => "bit",
            "token" | "tok" | "tokens" => "tok",
            "sample" => "sample",
            "flop" => "FLOP",
            "pascal" => "Pa",
            "bar" => "bar",
            "newton" => "N",
            "ohm" => "Ω",
            "farad" => "F",
            "coulomb" => "C",
            "tesla" => "T",
            "henry" => "H",
            "mole" => "mol",
            "litre" | "liter" => "l",
            "candela" => "cd",
            "lumen" => "lm",
            "lux" => "lx",
            "decibel" | "dB" => "dB",
            "electronvolt" => "eV",
            "radian" => "rad",
            "per" => "/",
            "squared" => "^2",
            "cubed" => "^3",
            "square" | "cubic" | "of" | "raiseto" => "",
            "tothe" => "^",
            _ => return None,
        })
    })
}

fn short(name: &str) -> Option<&'static str> {
    Some(match name {
        "ms" => "ms",
        "us" => "µs",
        "ns" => "ns",
        "kWh" => "kWh",
        "GB" => "GB",
        "MB" => "MB",
        "GiB" => "GiB",
        "MiB" => "MiB",
        "GHz" => "GHz",
        "MHz" => "MHz",
        "kHz" => "kHz",
        _ => return None,
    })
}

fn prefix(name: &str) -> Option<&'static str> {
    Some(match name {
        "pico" => "p",
        "nano" => "n",
        "micro" => "µ",
        "milli" => "m",
        "centi" => "c",
        "deci" => "d",
        "kilo" => "k",
        "mega" => "M",
        "giga" => "G",
        "tera" => "T",
        "peta" => "P",
        "exa" => "E",
        "kibi" => "Ki",
        "mebi" => "Mi",
        "gibi" => "Gi",
        "tebi" => "Ti",
        _ => return None,
    })
}

/// A number as siunitx prints it: `1,5e-3` -> `1.5 × 10^-3`; a comma is a decimal mark there, and spaces are nothing.
pub(in super::super) fn number(written: &str) -> String {
    let bare: String = written.chars().filter(|one| !one.is_whitespace() && *one != '\u{202f}').collect();
    let list: Vec<String> = bare.split(';').map(one_number).collect();
    list.join(", ")
}

fn one_number(bare: &str) -> String {
    if !bare.starts_with(|one: char| one.is_ascii_digit() || "+-−.,<>~≈≤≥".contains(one)) {
        return bare.to_owned();
    }
    let text = bare.replace(',', ".").replace("+-", " ± ").replace('±', " ± ").replace('x', " × ");
    let text = match text.find(['e', 'E', 'd', 'D']) {
        Some(at) => format!("{} × 10^{}", &text[..at], text[at + 1..].trim_start_matches('+')),
        None => text,
    };
    text.split(' ').filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// An angle: `1;2;3` -> `1°2′3″`.
pub(super) fn angle(written: &str) -> String {
    let parts = written.split(';').zip(["°", "′", "″"]);
    parts.filter(|(part, _)| !part.trim().is_empty()).map(|(part, sign)| format!("{}{sign}", part.trim())).collect()
}

/// A unit that was written out: `m.s^{-1}` or `tok/s`.
pub(super) fn written(unit: &str) -> String {
    unit.trim().replace("\u{a0}", " ").replace("//", "/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_printed_as_by_siunitx() {
        assert_eq!(number("1200"), "1200");
        assert_eq!(number("1 200"), "1200");
        assert_eq!(number("1.5e-3"), "1.5 × 10^-3");
        assert_eq!(number("1,5"), "1.5");
        assert_eq!(number("2.0+-0.1"), "2.0 ± 0.1");
        assert_eq!(number("2.0 ± 0.1"), "2.0 ± 0.1");
        assert_eq!(number("3x4"), "3 × 4");
        assert_eq!(number("1;2;3"), "1, 2, 3");
        assert_eq!(number(""), "");
        assert_eq!(angle("45"), "45°");
        assert_eq!(angle("1;2;3"), "1°2′3″");
    }
}
