//! A PDF -> is it the paper of these records? Its source has the digest of the rows written into the PDF's document information: LaTeX's
//! as an entry of its own (`templates/skins/paper.tex`), which engines write plainly or into a compressed object stream (ISO 32000-1,
//! 7.5.7); Typst's as its subject (`templates/skins/paper.typ`), together with the digest of that source.

use miniz_oxide::inflate::decompress_to_vec_zlib_with_limit;

/// The entry's name in the source and in the PDF.
const ENTRY: &str = "/OffprintRecords";
/// An object stream of a paper has some thousand bytes.
const LARGEST_STREAM: usize = 4 << 20;

/// Does a paper's source say that the PDF will tell its records? Papers of 0.1 do not.
pub fn is_told(source: &[u8]) -> bool {
    places(source, ENTRY).next().is_some()
}

/// Does the PDF say that it is of these rows, and set from the `paper.typ` of this digest?
pub fn is_set_from(pdf: &[u8], records: &str, source: &str) -> bool {
    let subject = format!("(OffprintRecords {records} OffprintSource {source})");
    let mut entries = places(pdf, "/Subject").map(|at| pdf[at + "/Subject".len()..].trim_ascii_start());
    entries.any(|rest| rest.starts_with(subject.as_bytes()))
}

/// Does LaTeX's PDF say that it was made from the rows with this digest?
pub fn is_of(pdf: &[u8], sha256: &str) -> bool {
    says(pdf, sha256) || object_streams(pdf).any(|stream| says(&stream, sha256))
}

/// Does it end where a PDF ends?
pub fn is_whole(pdf: &[u8]) -> bool {
    pdf.trim_ascii_end().ends_with(b"%%EOF")
}

/// `/OffprintRecords (e3b0...)`, or the string in hexadecimal; with or without white space.
fn says(bytes: &[u8], sha256: &str) -> bool {
    let hex: String = sha256.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut entries = places(bytes, ENTRY).map(|at| bytes[at + ENTRY.len()..].trim_ascii_start());
    entries.any(|rest| {
        let within = |open: u8, text: &str| {
            rest.strip_prefix(&[open]).is_some_and(|rest| {
                rest.len() >= text.len() && rest[..text.len()].eq_ignore_ascii_case(text.as_bytes())
            })
        };
        within(b'(', sha256) || within(b'<', &hex)
    })
}

fn object_streams(pdf: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    places(pdf, "/ObjStm").filter_map(|at| {
        let start = at + places(&pdf[at..], "stream").next()? + "stream".len();
        let data = pdf[start..].strip_prefix(b"\r\n").or_else(|| pdf[start..].strip_prefix(b"\n"))?;
        let end = places(data, "endstream").next().unwrap_or(data.len());
        decompress_to_vec_zlib_with_limit(&data[..end], LARGEST_STREAM).ok()
    })
}

fn places(bytes: &[u8], text: &str) -> impl Iterator<Item = usize> {
    bytes.windows(text.len()).enumerate().filter(move |(_, window)| *window == text.as_bytes()).map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use miniz_oxide::deflate::compress_to_vec_zlib;

    use super::*;

    #[test]
    fn typst_s_has_both_digests_or_it_is_another_s() {
        let (records, source, other) = ("ab".repeat(32), "cd".repeat(32), "ef".repeat(32));
        let pdf = format!("<</Title(x)/Subject(OffprintRecords {records} OffprintSource {source})/Keywords(y)>>");
        assert!(is_set_from(pdf.as_bytes(), &records, &source));
        assert!(!is_set_from(pdf.as_bytes(), &other, &source) && !is_set_from(pdf.as_bytes(), &records, &other));
        let told = format!("(OffprintRecords {records} OffprintSource {source})");
        assert!(!is_set_from(told.as_bytes(), &records, &source) && !is_set_from(b"/Subject", &records, &source));
        assert!(!is_of(pdf.as_bytes(), &records));
    }

    #[test]
    fn the_digest_is_found_plain_and_compressed_and_no_other() {
        let (own, other) = ("ab".repeat(32), "cd".repeat(32));
        let info = format!("<< /Title (x) {ENTRY}({own}) >>");
        let hex: String = own.bytes().map(|byte| format!("{byte:02X}")).collect();
        let mut packed = b"%PDF-1.5\n4 0 obj << /Type /ObjStm /Filter /FlateDecode >>\nstream\r\n".to_vec();
        packed.extend(compress_to_vec_zlib(info.as_bytes(), 6));
        packed.extend(b"\nendstream endobj");
        for pdf in [info.as_bytes(), format!("{ENTRY} <{hex}>").as_bytes(), &packed] {
            assert!(is_of(pdf, &own) && !is_of(pdf, &other));
        }
        // The digest alone is no word of the paper's, and a cut or hostile file is no panic.
        assert!(!is_of(own.as_bytes(), &own) && !is_of(b"", &own) && !is_of(ENTRY.as_bytes(), &own));
        assert!(!is_of(&packed[..packed.len() - 40], &other) && !is_of(b"/ObjStm stream\n\x78\x9c\xff", &own));
        assert!(is_told(format!("\\pdfinfo{{{ENTRY} (0)}}").as_bytes()) && !is_told(b"\\pdfinfo{/Title (0)}"));
    }
}
