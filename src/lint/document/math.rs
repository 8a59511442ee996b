//! TeX math (without its dollars) -> the plain text that a reader sees: `3 \times 10^{5}` -> `3 × 10^5`.
//!
//! No recursion: groups lie on a stack of bounded depth, so neither the stack nor the time explodes.

/// Braces nested deeper than this are dropped without being a group, because each level copies its text once.
const DEEPEST: usize = 64;

/// What becomes of the next atom (a sign, a command's text or a group).
enum Want {
    Sup,
    Sub,
    Root,
    Numerator,
    Denominator(String),
    Number,
    Unit,
    Drop,
}

#[derive(Default)]
struct Frame {
    out: String,
    wants: Vec<Want>,
}

/// What TeX math shows.
pub fn plain(tex: &str) -> String {
    let mut frames = vec![Frame::default()];
    let mut too_deep = 0usize;
    let mut rest = tex;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\\' => rest = command(rest, &mut frames),
            '{' if frames.len() <= DEEPEST => frames.push(Frame::default()),
            '{' => too_deep += 1,
            '}' if too_deep > 0 => too_deep -= 1,
            '}' => close(&mut frames),
            '^' => want(&mut frames, Want::Sup),
            '_' => want(&mut frames, Want::Sub),
            '&' | '$' => {}
            '~' => raw(&mut frames, "\u{a0}"),
            '\n' | '\r' | '\t' | ' ' => space(&mut frames),
            _ => atom(&mut frames, c.encode_utf8(&mut [0; 4])),
        }
    }
    while frames.len() > 1 {
        close(&mut frames);
    }
    frames.pop().map(finish).unwrap_or_default().trim_matches([' ', '\n']).to_owned()
}

/// A frame's text; what an argument that never came had kept back is not lost.
fn finish(mut frame: Frame) -> String {
    for want in frame.wants.drain(..) {
        if let Want::Denominator(top) = want {
            frame.out += &top;
        }
    }
    frame.out
}

fn close(frames: &mut Vec<Frame>) {
    if frames.len() > 1 {
        let text = frames.pop().map(finish).unwrap_or_default();
        atom(frames, &text);
    }
}

fn want(frames: &mut [Frame], want: Want) {
    if let Some(frame) = frames.last_mut() {
        // A command that waits for more than this is no formula; the bound keeps memory small.
        if frame.wants.len() < DEEPEST {
            frame.wants.push(want);
        }
    }
}

/// Space does not end a command's wait for its argument.
fn space(frames: &mut [Frame]) {
    if let Some(frame) = frames.last_mut()
        && frame.wants.is_empty()
        && !frame.out.ends_with(' ')
    {
        frame.out.push(' ');
    }
}

fn raw(frames: &mut [Frame], text: &str) {
    if let Some(frame) = frames.last_mut()
        && frame.wants.is_empty()
    {
        frame.out += text;
    }
}

/// Hands an atom to what waits for it.
fn atom(frames: &mut [Frame], text: &str) {
    let Some(frame) = frames.last_mut() else { return };
    let mut text = std::borrow::Cow::Borrowed(text);
    while let Some(want) = frame.wants.pop() {
        match want {
            Want::Drop => return,
            Want::Number => {}
            Want::Numerator => {
                frame.wants.push(Want::Denominator(text.into_owned()));
                return;
            }
            Want::Denominator(top) => text = format!("{}/{}", factor(&top), factor(&text)).into(),
            Want::Root => text = format!("√{}", factor(&text)).into(),
            Want::Unit => {
                frame.out.push('\u{202f}');
                frame.out += &text;
                return;
            }
            Want::Sup => {
                power(&mut frame.out, &text);
                return;
            }
            Want::Sub => {
                frame.out.push('_');
                frame.out += &factor(&text);
                return;
            }
        }
        if matches!(want_kept(frame), Some(true)) {
            break;
        }
    }
    frame.out += &text;
}

/// `\SI{5}{ms}`: the number stands before the unit that is still to come.
fn want_kept(frame: &Frame) -> Option<bool> {
    frame.wants.last().map(|want| matches!(want, Want::Unit))
}

/// `^5`; an ordinal's ending, a degree and a dagger are no power.
fn power(out: &mut String, text: &str) {
    let text = text.trim();
    let mark = !text.is_empty() && text.chars().all(|c| !c.is_alphanumeric() && !"()+-−/".contains(c));
    let ordinal = matches!(text, "th" | "st" | "nd" | "rd") && out.ends_with(|c: char| c.is_ascii_alphanumeric());
    if !mark && !ordinal && !text.is_empty() {
        out.push('^');
        *out += &factor(text);
    } else {
        *out += text;
    }
}

/// In parentheses, unless it is one number, name or pair of parentheses.
pub(super) fn factor(text: &str) -> String {
    let text = text.trim();
    let body = text.strip_prefix(['-', '−', '+']).unwrap_or(text);
    let number = body.starts_with(|c: char| c.is_ascii_digit())
        && body.chars().all(|c| c.is_alphanumeric() || ".,%^\u{a0}\u{202f}".contains(c));
    let simple = |c: char| c.is_alphanumeric() || "._%^'′*∞".contains(c);
    if number || body.chars().all(simple) || enclosed(body) { text.to_owned() } else { format!("({text})") }
}

fn enclosed(text: &str) -> bool {
    let mut depth = 0i64;
    for (at, c) in text.char_indices() {
        depth += i64::from(c == '(') - i64::from(c == ')');
        if depth == 0 {
            return at > 0 && at + 1 == text.len();
        }
    }
    false
}

/// What stands after a backslash; returns the rest.
fn command<'a>(rest: &'a str, frames: &mut [Frame]) -> &'a str {
    let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    if end == 0 {
        let Some(c) = rest.chars().next() else { return rest };
        sign(c, frames);
        return &rest[c.len_utf8()..];
    }
    let (name, mut rest) = rest.split_at(end);
    rest = rest.strip_prefix('*').filter(|_| name == "operatorname").unwrap_or(rest);
    match name {
        "frac" | "dfrac" | "tfrac" | "cfrac" | "nicefrac" | "sfrac" => want(frames, Want::Numerator),
        "sqrt" => want(frames, Want::Root),
        "SI" | "qty" => {
            want(frames, Want::Unit);
            want(frames, Want::Number);
        }
        "label" | "tag" | "ref" | "eqref" | "cite" | "color" | "hspace" | "vspace" | "begin" | "end" | "phantom"
        | "hphantom" | "vphantom" | "sout" | "cancel" => want(frames, Want::Drop),
        "quad" | "qquad" | "space" | "enspace" | "newline" => space(frames),
        "thinspace" => raw(frames, "\u{202f}"),
        "nobreakspace" => raw(frames, "\u{a0}"),
        "left" | "right" | "middle" => rest = rest.strip_prefix('.').unwrap_or(rest),
        _ => {
            if let Some(text) = symbol(name) {
                atom(frames, text);
                // `\mu s` shows `µs`, whereas `\sigma = 3` had better keep its space.
                let next = rest.trim_start();
                if text.chars().all(char::is_alphabetic) && next.starts_with(char::is_alphabetic) && text.len() < 4 {
                    return next;
                }
                return rest;
            }
        }
    }
    // TeX eats the space after a command's name.
    if rest.starts_with([' ', '\n']) && rest.trim_start().starts_with('{') { rest.trim_start() } else { rest }
}

/// A backslash and one sign.
fn sign(c: char, frames: &mut [Frame]) {
    match c {
        ',' | ';' | ':' | '>' => raw(frames, "\u{202f}"),
        '!' | '-' | '/' | '(' | ')' | '[' | ']' => {}
        ' ' | '\n' | '\r' | '\t' | '\\' => space(frames),
        '|' => atom(frames, "|"),
        _ => atom(frames, c.encode_utf8(&mut [0; 4])),
    }
}

fn symbol(name: &str) -> Option<&'static str> {
    operator(name).or_else(|| greek(name)).or_else(|| function(name))
}

fn operator(name: &str) -> Option<&'static str> {
    Some(match name {
        "times" | "cdot" | "ast" | "texttimes" => "×",
        "pm" | "textpm" => "±",
        "mp" => "∓",
        "div" => "÷",
        "approx" | "simeq" | "cong" => "≈",
        "sim" | "textasciitilde" => "~",
        "le" | "leq" | "leqslant" | "lesssim" => "≤",
        "ge" | "geq" | "geqslant" | "gtrsim" => "≥",
        "lt" => "<",
        "gt" => ">",
        "ll" => "≪",
        "gg" => "≫",
        "ne" | "neq" => "≠",
        "equiv" => "≡",
        "propto" => "∝",
        "to" | "rightarrow" | "longrightarrow" | "textrightarrow" => "→",
        "leftarrow" | "gets" => "←",
        "Rightarrow" | "implies" => "⇒",
        "mapsto" => "↦",
        "uparrow" => "↑",
        "downarrow" => "↓",
        "ldots" | "dots" | "cdots" | "dotsc" | "textellipsis" => "…",
        "infty" => "∞",
        "circ" | "degree" | "textdegree" => "°",
        "prime" => "′",
        "sum" => "∑",
        "prod" => "∏",
        "int" => "∫",
        "partial" => "∂",
        "nabla" => "∇",
        "in" => "∈",
        "cap" => "∩",
        "cup" => "∪",
        "setminus" => "∖",
        "dagger" => "†",
        "ddagger" => "‡",
        "star" => "*",
        "mid" | "vert" | "lvert" | "rvert" => "|",
        "langle" => "⟨",
        "rangle" => "⟩",
        "lfloor" => "⌊",
        "rfloor" => "⌋",
        "lceil" => "⌈",
        "rceil" => "⌉",
        "lbrace" => "{",
        "rbrace" => "}",
        "ell" => "ℓ",
        "colon" => ":",
        "bullet" => "•",
        "checkmark" => "✓",
        _ => return None,
    })
}

fn greek(name: &str) -> Option<&'static str> {
    Some(match name {
        "alpha" => "α",
        "beta" => "β",
        "gamma" => "γ",
        "delta" => "δ",
        "epsilon" | "varepsilon" => "ε",
        "zeta" => "ζ",
        "eta" => "η",
        "theta" | "vartheta" => "θ",
        "iota" => "ι",
        "kappa" => "κ",
        "lambda" => "λ",
        "mu" | "textmu" | "micro" => "µ",
        "nu" => "ν",
        "xi" => "ξ",
        "pi" | "varpi" => "π",
        "rho" | "varrho" => "ρ",
        "sigma" | "varsigma" => "σ",
        "tau" => "τ",
        "upsilon" => "υ",
        "phi" | "varphi" => "φ",
        "chi" => "χ",
        "psi" => "ψ",
        "omega" => "ω",
        "Gamma" => "Γ",
        "Delta" => "Δ",
        "Theta" => "Θ",
        "Lambda" => "Λ",
        "Xi" => "Ξ",
        "Pi" => "Π",
        "Sigma" => "Σ",
        "Upsilon" => "Υ",
        "Phi" => "Φ",
        "Psi" => "Ψ",
        "Omega" => "Ω",
        _ => return None,
    })
}

/// Functions, which print their own name.
fn function(name: &str) -> Option<&'static str> {
    const NAMES: [&str; 21] = [
        "log", "ln", "lg", "exp", "min", "max", "sin", "cos", "tan", "arg", "argmin", "argmax", "sup", "inf", "lim",
        "det", "dim", "Pr", "gcd", "mod", "bmod",
    ];
    NAMES.iter().find(|known| **known == name).map(|known| if *known == "bmod" { "mod" } else { *known })
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn formulas_read_as_printed() {
        for (tex, want) in [
            (r"3 \times 4 = 12", "3 × 4 = 12"),
            (r"1.5 \cdot 10^{-3}", "1.5 × 10^-3"),
            (r"10^5", "10^5"),
            (r"2^{n+1}", "2^(n+1)"),
            (r"1{,}000 + 2{,}000", "1,000 + 2,000"),
            (r"1\,000\;ms", "1\u{202f}000\u{202f}ms"),
            (r"4.2 \pm 0.1\%", "4.2 ± 0.1%"),
            (r"\approx 5\,\mu s", "≈ 5\u{202f}µs"),
            (r"\text{speed up} = \frac{12}{a + b}", "speed up = 12/(a + b)"),
            (r"\frac{1}{2}", "1/2"),
            (r"\frac12", "1/2"),
            (r"x^{\frac{1}{2}}", "x^(1/2)"),
            (r"\mathrm{ms}, \mathbf{4.2}", "ms, 4.2"),
            (r"x_1 + x_{2}", "x_1 + x_2"),
            (r"t_{\text{per token}}", "t_(per token)"),
            (r"90^\circ, 5^{th}, 3^{*}", "90°, 5th, 3*"),
            (r"\sigma = 3 \to 4 \le 5 \geq 6 \sim 7", "σ = 3 → 4 ≤ 5 ≥ 6 ~ 7"),
            (r"\left( 3 \right) \foo{5}", "( 3 ) 5"),
            (r"\SI{5}{ms} and \num{10}", "5\u{202f}ms and 10"),
            (r"\sqrt{16} = 4", "√16 = 4"),
            (r"\begin{aligned} a &= 5 \\ b &= 6 \end{aligned}", "a = 5 b = 6"),
            (r"a\!b \$5 \text{ms}", "ab $5 ms"),
        ] {
            assert_eq!(plain(tex), want, "{tex}");
        }
    }

    #[test]
    fn nothing_panics_or_explodes() {
        for tex in ["{", "}", "}}{", "\\", "^", "_", r"\frac", r"\frac{1}", r"\SI{5}", "^^^", r"\é", "ü^ä_ö"] {
            plain(tex);
        }
        for unit in ["{a", "{", "^", "_{", "\\frac", "\\frac{", "\\sqrt{1", "}", "\\", "^{a}"] {
            plain(&unit.repeat(100_000));
        }
    }
}
