//! What single LaTeX commands print, and which take arguments that print nothing.

use std::collections::HashMap;
use std::sync::LazyLock;

/// Symbols that stand between two operands.
const OPERATORS: &str = "times × cdot × ast * pm ± mp ∓ div ÷ approx ≈ simeq ≈ cong ≅ le ≤ leq ≤ leqslant ≤ ge ≥ geq ≥ geqslant ≥ lt < \
    gt > ll ≪ gg ≫ ne ≠ neq ≠ equiv ≡ propto ∝ to → rightarrow → longrightarrow → Rightarrow ⇒ implies ⇒ iff ⇔ Leftrightarrow ⇔ \
    leftarrow ← gets ← leftrightarrow ↔ mapsto ↦ in ∈ notin ∉ subset ⊂ subseteq ⊆ cup ∪ cap ∩ setminus ∖ land ∧ lor ∨ wedge ∧ vee ∨ \
    oplus ⊕ otimes ⊗ mid | parallel ∥ lesssim ≲ gtrsim ≳ triangleq ≜ coloneqq ≔ bmod mod";

const SYMBOLS: &str = "alpha α beta β gamma γ delta δ epsilon ε varepsilon ε zeta ζ eta η theta θ vartheta ϑ iota ι kappa κ lambda λ \
    mu µ nu ν xi ξ pi π rho ρ sigma σ tau τ upsilon υ phi φ varphi φ chi χ psi ψ omega ω Gamma Γ Delta Δ Theta Θ Lambda Λ Xi Ξ Pi Π \
    Sigma Σ Upsilon Υ Phi Φ Psi Ψ Omega Ω sim ~ sum ∑ prod ∏ int ∫ infty ∞ partial ∂ nabla ∇ forall ∀ exists ∃ neg ¬ emptyset ∅ \
    ldots … dots … cdots … dotsc … dotsb … textellipsis … circ ∘ bullet • star ⋆ dagger † ddagger ‡ dag † ddag ‡ prime ′ degree ° \
    textdegree ° lfloor ⌊ rfloor ⌋ lceil ⌈ rceil ⌉ langle ⟨ rangle ⟩ lvert | rvert | vert | lVert ‖ rVert ‖ ell ℓ hbar ℏ Re ℜ Im ℑ \
    aleph ℵ uparrow ↑ downarrow ↓ checkmark ✓ cmark ✓ xmark ✗ textless < textgreater > textasciitilde ~ textasciicircum ^ textpm ± \
    texttimes × textmu µ micro µ textbackslash \\ textbar | textemdash — textendash – textquotedbl \" textquotesingle ' \
    textquoteleft ‘ textquoteright ’ textquotedblleft “ textquotedblright ” textregistered ® texttrademark ™ copyright © \
    textcopyright © textbullet • textperiodcentered · textrightarrow → textleftarrow ← textuparrow ↑ textdownarrow ↓ textdollar $ \
    textunderscore _ textohm Ω textperthousand ‰ permil ‰ euro € EUR € texteuro € pounds £ S § P ¶ ss ß ae æ AE Æ oe œ OE Œ o ø O Ø aa å AA Å l ł L Ł \
    i ı j ȷ th þ TH Þ dh ð DH Ð log log ln ln exp exp min min max max sin sin cos cos tan tan lim lim sup sup inf inf arg arg det det \
    dim dim gcd gcd Pr Pr argmax argmax argmin argmin LaTeX LaTeX TeX TeX LaTeXe LaTeX2e BibTeX BibTeX eg e.g. ie i.e. % % & & # # _ _ $ $ { { } } | ‖ \
    lbrace { rbrace } lbrack [ rbrack ] slash / textslash / backslash \\ minus − textminus − tableofcontents  textnumero № colon : guillemotleft « guillemotright »";

/// Blank, thin or nothing.
const BLANKS: &[(&str, &str)] = &[
    (",", "\u{202f}"),
    (";", "\u{202f}"),
    ("thinspace", "\u{202f}"),
    (":", "\u{202f}"),
    (" ", " "),
    ("quad", " "),
    ("qquad", " "),
    ("enspace", " "),
    ("enskip", " "),
    ("space", " "),
    ("hfill", " "),
    ("hfil", " "),
    ("nobreakspace", "\u{a0}"),
    ("newline", " "),
    ("linebreak", " "),
];

/// Commands and what of theirs prints nothing: `*` a star, `[` brackets as many as there are, `{` braces. What follows is text.
const SILENT: &str = "label *[{ ref *{ cref *{ Cref *{ eqref { autoref *{ pageref *{ nameref *{ vref *{ subref *{ labelcref { crefrange *{{ \
    Crefrange *{{ hyperref [ vspace *{ hspace *{ includegraphics *[[{ bibliography { bibliographystyle { addbibresource [{ \
    printbibliography [ graphicspath { usepackage [{[ documentclass [{[ RequirePackage [{[ pagestyle { thispagestyle { \
    pagenumbering { setlength {{ addtolength {{ settowidth {{ setcounter {{ addtocounter {{ stepcounter { refstepcounter { \
    captionsetup *[{ hypersetup { sisetup { lstset { lstdefinestyle {{ lstdefinelanguage {{ definecolor [{{{ colorlet {{ color [{ \
    pagecolor { rule [{{ phantom { hphantom { vphantom { index { pdfbookmark [{{ tikzset { pgfplotsset { usetikzlibrary { \
    usepgfplotslibrary { addcontentsline {{{ markboth {{ markright { fontsize {{ selectlanguage { setstretch { linespread { author [{ \
    date { affil [{ affiliation { institute [{ address [{ email { orcid { authorrunning { titlerunning { icmlauthor {{ \
    icmlaffiliation {{ newcolumntype {[{ newtheorem *{[{[ theoremstyle { hyphenation { bibitem [{ footnotemark [ hyperlink { \
    hypertarget { marginpar [{ todo [{ missingfigure [{ pdfstringdefDisableCommands { AtBeginDocument { AtEndDocument { newlength { \
    newcounter {[ newsavebox { cellcolor [{[ rowcolor *[{[ columncolor [{[ rowcolors *[{{{ setlist *[{ resizebox *{{ \
    scalebox {[ rotatebox [{ raisebox {[[ parbox [[[{ makebox [[ framebox [[ adjustbox { colorbox [{ fcolorbox [{{ textcolor [{ \
    sout { st { xout { cancel { tag *{ lstinputlisting [{ verbatiminput { inputminted [{{ setminted [{ usemintedstyle { looseness  fontfamily { fontseries { \
    fontshape { setmainfont [{[ DeclareCaptionFormat {{ DeclareGraphicsExtensions { DeclareUnicodeCharacter {{ newfloat [{{{ \
    floatname {{ crefname {{{ Crefname {{{ creflabelformat {{ acrodef {[{ newacronym [{{{ newglossaryentry {{ includepdf [{ \
    acknowledgements  glsresetall  hskip  subfloat [ foreignlanguage { adjincludegraphics [{ mathchoice {{{ stackrel { \
    overset { underset { accentset { setbeamertemplate {[ usetheme [{ columncolor [{ titleformat *{[{{{{ titlespacing *{{{{ enlargethispage *{ \
    fancyhead [{ fancyfoot [{ fancyhf [{ lhead { rhead { chead { lfoot { rfoot { cfoot { special { pdfinfo { write  ccsdesc [{ \
    footnoterule  setitemize [{ setenumerate [{ SetKwInOut {{ bookmarksetup { endnotemark [ PassOptionsToPackage {{ ProvidesPackage {[ \
    DeclareOption {{ SetCell [{ SetRow [{ noalign { onslide  pause  thanks {";

/// The same of environments.
const ENVIRONMENTS: &str = "adjustbox { minipage [[[{ table [ table* [ figure [ figure* [ itemize [ enumerate [ description [ \
    multicols {[ wrapfigure [{[{ wraptable [{[{ subfigure [{ subtable [{ threeparttable [ tablenotes [ tcolorbox [ spacing { \
    sidewaystable [ algorithm [ algorithm2e [ alignat { alignat* { alignedat [{ abstract [ list {{ trivlist  column { block { \
    theorem [ lemma [ proof [ definition [ corollary [ proposition [ remark [ example [ CJK {{ SCfigure [[ aligned [ gathered [";

/// Commands whose number, written behind them, is a length.
const LENGTHS: &str = " vskip hskip kern mkern mskip parindent parskip baselineskip tabcolsep emergencystretch linewidth arrayrulewidth \
    hangindent leftskip rightskip hsize vsize textwidth columnsep tolerance penalty itemsep topsep hbadness looseness parsep ";

const MATH: &str = " equation equation* align align* gather gather* multline multline* eqnarray eqnarray* displaymath flalign flalign* \
    alignat alignat* dmath dmath* IEEEeqnarray IEEEeqnarray* math ";

const CODE: &str = " comment verbatim verbatim* Verbatim Verbatim* BVerbatim LVerbatim lstlisting minted alltt algorithmic algorithmic* \
    algpseudocode filecontents filecontents* thebibliography luacode listing* tcblisting code ";

const DRAWINGS: &str = " tikzpicture pgfpicture axis circuitikz forest tikzcd picture pspicture ";

const TABLES: &str = " tabular tabular* tabularx longtable longtable* tabulary array NiceTabular NiceTabular* NiceTabularX NiceArray tblr \
    longtblr tabu longtabu xltabular supertabular xtabular deluxetable ";

fn has(list: &str, name: &str) -> bool {
    !name.is_empty() && list.split_ascii_whitespace().any(|own| own == name)
}

/// Read by pairs; a word may have an empty second half, written as two spaces.
fn pairs(list: &'static str) -> HashMap<&'static str, &'static str> {
    let mut words = list.split(' ');
    let mut map = HashMap::new();
    while let Some(word) = words.next() {
        if !word.is_empty() {
            map.insert(word, words.next().unwrap_or(""));
        }
    }
    map
}

static OPERATOR: LazyLock<HashMap<&str, &str>> = LazyLock::new(|| pairs(OPERATORS));
static SYMBOL: LazyLock<HashMap<&str, &str>> =
    LazyLock::new(|| pairs(SYMBOLS).into_iter().chain(BLANKS.iter().copied()).collect());
static SKIP: LazyLock<HashMap<&str, &str>> = LazyLock::new(|| pairs(SILENT));
static SKIP_BEGIN: LazyLock<HashMap<&str, &str>> = LazyLock::new(|| pairs(ENVIRONMENTS));

pub(super) fn operator(name: &str) -> Option<&'static str> {
    OPERATOR.get(name).copied()
}

pub(super) fn symbol(name: &str) -> Option<&'static str> {
    SYMBOL.get(name).copied()
}

/// The arguments of a command that print nothing.
pub(super) fn silent(name: &str) -> Option<&'static str> {
    let cites = ["cite", "Cite", "textcite", "parencite", "autocite", "Textcite", "Parencite", "Autocite", "footcite"];
    let others = ["nocite", "fullcite", "supercite", "smartcite", "shortcite", "onlinecite", "newcite"];
    if cites.iter().any(|cite| name.starts_with(cite)) || others.contains(&name) {
        return Some("*[{");
    }
    SKIP.get(name).copied()
}

pub(super) fn silent_begin(name: &str) -> Option<&'static str> {
    SKIP_BEGIN.get(name).copied()
}

pub(super) fn is_length(name: &str) -> bool {
    has(LENGTHS, name)
}

pub(super) fn is_math(environment: &str) -> bool {
    has(MATH, environment)
}

pub(super) fn is_code(environment: &str) -> bool {
    has(CODE, environment)
}

pub(super) fn is_drawing(environment: &str) -> bool {
    has(DRAWINGS, environment)
}

pub(super) fn is_table(environment: &str) -> bool {
    has(TABLES, environment)
}

/// The mark that an accent sets above or below a letter.
pub(super) fn accent(name: &str) -> Option<char> {
    Some(match name {
        "\"" => '\u{308}',
        "'" => '\u{301}',
        "`" => '\u{300}',
        "^" => '\u{302}',
        "~" => '\u{303}',
        "=" => '\u{304}',
        "." => '\u{307}',
        "c" => '\u{327}',
        "v" => '\u{30c}',
        "u" => '\u{306}',
        "H" => '\u{30b}',
        "k" => '\u{328}',
        "r" => '\u{30a}',
        "d" => '\u{323}',
        "b" => '\u{331}',
        _ => return None,
    })
}

/// Text as TeX's fonts print it.
pub(super) fn ligatures(text: &str) -> String {
    if !text.bytes().any(|byte| matches!(byte, b'-' | b'`' | b'\'')) {
        return text.to_owned();
    }
    let text = text.replace("---", "—").replace("--", "–");
    text.replace("``", "“").replace("''", "”").replace('`', "‘")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_words_are_read_in_pairs() {
        assert_eq!(operator("times"), Some("×"));
        assert_eq!(operator("bmod"), Some("mod"));
        assert_eq!(symbol("guillemotright"), Some("»"));
        assert_eq!(symbol("mu"), Some("µ"));
        assert_eq!(symbol("TH"), Some("Þ"));
        assert_eq!(silent("thanks"), Some("{"));
        assert_eq!(silent("includegraphics"), Some("*[[{"));
        assert_eq!(silent("pause"), Some(""));
        assert_eq!(silent("citep"), Some("*[{"));
        assert_eq!(silent_begin("gathered"), Some("["));
        assert!(is_code("verbatim") && !is_code(""));
    }

    #[test]
    #[allow(clippy::iter_over_hash_type)] // each is looked at by itself
    fn every_second_word_is_of_the_second_kind() {
        for (name, arguments) in SKIP.iter().chain(SKIP_BEGIN.iter()) {
            assert!(arguments.chars().all(|one| "*[{".contains(one)), "{name}: {arguments}");
            assert!(name.chars().all(|one| one.is_ascii_alphanumeric() || one == '*'), "{name}");
        }
        for (name, sign) in OPERATOR.iter() {
            assert!(name.is_ascii() && sign.chars().count() <= 3, "{name}: {sign}");
        }
    }
}
