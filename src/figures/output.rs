//! One SVG source in; SVG, PDF and PNG bytes out. Texts become outlines first, and the PDF and the PNG are made from that very
//! SVG, so the three cannot differ, and no viewer needs the font. No system font is ever loaded, no time or id is written.

use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use resvg::{
    tiny_skia::{Pixmap, Transform},
    usvg::{ImageHrefResolver, Indent, Options, Tree, WriteOptions, fontdb::Database, roxmltree::Document},
};

use super::{canvas::UNITS, font, page::WIDTH};

/// Pixels across every PNG: 300 dots an inch at the printed width.
pub const PNG_WIDTH: u32 = 1200;

/// The three files of a figure.
pub struct Files {
    pub svg: Vec<u8>,
    pub pdf: Vec<u8>,
    pub png: Vec<u8>,
}

/// Makes the files. `title` is for screen readers.
pub fn files(source: &str, title: &str) -> Result<Files> {
    let drawn = Tree::from_str(source, &options()).context("figure: the drawing is not an SVG")?;
    from_outlined(outlined(&drawn, title)?)
}

/// The font is the figures' own, whatever a drawing asks for, and no file is opened for it.
fn options() -> Options<'static> {
    let mut fonts = Database::new();
    fonts.load_font_data(font::BYTES.to_vec());
    fonts.set_serif_family(font::FAMILY);
    let image_href_resolver =
        ImageHrefResolver { resolve_data: Box::new(|_, _, _| None), resolve_string: Box::new(|_, _| None) };
    Options { fontdb: Arc::new(fonts), font_family: font::FAMILY.to_owned(), image_href_resolver, ..Options::default() }
}

fn from_outlined(svg: String) -> Result<Files> {
    let tree = Tree::from_str(&svg, &Options::default()).context("figure: the outlined drawing is not an SVG")?;
    let page = svg2pdf::PageOptions { dpi: Options::default().dpi };
    let pdf = svg2pdf::to_pdf(&tree, svg2pdf::ConversionOptions::default(), page)
        .map_err(|error| anyhow!("figure: PDF: {error}"))?;
    Ok(Files { png: png(&tree)?, pdf, svg: svg.into_bytes() })
}

/// A drawing that somebody else has made.
pub fn read(document: &Document<'_>) -> Result<Tree> {
    Ok(Tree::from_xmltree(document, &options())?)
}

/// Its files, as wide as every figure and on white ground; and what stands in the paper's page.
pub fn picture(drawn: &Tree, id: &str, title: &str) -> Result<(Files, String)> {
    let (width, height) = (drawn.size().width(), drawn.size().height());
    let units = WIDTH * UNITS / f64::from(width);
    let more = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5].into_iter().take_while(|power| *power < units).count() as u8;
    // The page has other drawings, with names of their own.
    let body = shapes(drawn, 1 + more, Some(format!("picture-{id}-")))?;
    let body = format!("<rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>{body}");
    let svg = sized((width, height), units / UNITS, title, &body);
    let (name, box_) = (escaped(title).replace('"', "&quot;"), format!("0 0 {width} {height}"));
    let page = format!("<svg viewBox=\"{box_}\" role=\"img\" aria-label=\"{name}\">{body}");
    Ok((from_outlined(svg)?, page))
}

/// The drawing with texts as outlines, a size in points and a title.
fn outlined(drawn: &Tree, title: &str) -> Result<String> {
    // Two decimals of a twentieth of a point are plenty; shorter files are easier on a repository.
    let body = shapes(drawn, 1, None)?;
    Ok(sized((drawn.size().width(), drawn.size().height()), 1.0 / UNITS, title, &body))
}

/// The shapes of a drawing and the end of its root element.
fn shapes(drawn: &Tree, decimals: u8, id_prefix: Option<String>) -> Result<String> {
    let options = WriteOptions {
        indent: Indent::None,
        coordinates_precision: decimals,
        transforms_precision: 6,
        id_prefix,
        ..WriteOptions::default()
    };
    let body = drawn.to_string(&options);
    let (_, body) = body.split_once('>').context("figure: the drawing has no root element")?;
    Ok(body.to_owned())
}

/// `points` in a unit of the drawing.
fn sized((width, height): (f32, f32), points: f64, title: &str, body: &str) -> String {
    let points = |units: f32| f64::from(units) * points;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}pt\" height=\"{}pt\" viewBox=\"0 0 {width} {height}\" \
         role=\"img\">\n<title>{}</title>\n{}\n",
        points(width),
        points(height),
        escaped(title),
        body.replace("<path", "\n<path").trim_end(),
    )
}

/// A title is text, whoever wrote it.
fn escaped(title: &str) -> String {
    let mut text = String::new();
    for c in title.chars().filter(|c| !c.is_control()) {
        match c {
            '&' => text += "&amp;",
            '<' => text += "&lt;",
            '>' => text += "&gt;",
            // Characters that XML has not.
            '\u{fffe}' | '\u{ffff}' => {}
            c => text.push(c),
        }
    }
    text
}

fn png(tree: &Tree) -> Result<Vec<u8>> {
    let scale = PNG_WIDTH as f32 / tree.size().width();
    let height = (tree.size().height() * scale).round() as u32;
    let mut pixels = Pixmap::new(PNG_WIDTH, height).context("figure: no room for the picture's pixels")?;
    resvg::render(tree, Transform::from_scale(scale, scale), &mut pixels.as_mut());
    encode(&pixels).context("figure: PNG")
}

/// Three bytes a pixel: the page is opaque, and without an alpha channel the file is a third of the size.
fn encode(pixels: &Pixmap) -> Result<Vec<u8>, png::EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, pixels.width(), pixels.height());
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Default);
    encoder.set_filter(png::FilterType::NoFilter);
    let dots_a_metre = (PNG_WIDTH as f64 / (super::layout::WIDTH / 72.0) / 0.0254).round() as u32;
    let dimensions = png::PixelDimensions { xppu: dots_a_metre, yppu: dots_a_metre, unit: png::Unit::Meter };
    encoder.set_pixel_dims(Some(dimensions));
    let rgb: Vec<u8> = pixels.pixels().iter().flat_map(|p| [p.red(), p.green(), p.blue()]).collect();
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&rgb)?;
    writer.finish()?;
    Ok(bytes)
}
