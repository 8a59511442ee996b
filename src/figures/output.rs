//! One SVG source in; SVG, PDF and PNG bytes out. Texts become outlines first, and the PDF and the PNG are made from that very
//! SVG, so the three cannot differ, and no viewer needs the font. No system font is ever loaded, no time or id is written.

use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use resvg::{
    tiny_skia::{Pixmap, Transform},
    usvg::{Indent, Options, Tree, WriteOptions, fontdb::Database},
};

use super::{canvas::UNITS, font};

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
    let mut fonts = Database::new();
    fonts.load_font_data(font::BYTES.to_vec());
    let options = Options { fontdb: Arc::new(fonts), font_family: font::FAMILY.to_owned(), ..Options::default() };
    let drawn = Tree::from_str(source, &options).context("figure: the drawing is not an SVG")?;
    let svg = outlined(&drawn, title)?;

    let tree = Tree::from_str(&svg, &Options::default()).context("figure: the outlined drawing is not an SVG")?;
    let page = svg2pdf::PageOptions { dpi: Options::default().dpi };
    let pdf = svg2pdf::to_pdf(&tree, svg2pdf::ConversionOptions::default(), page)
        .map_err(|error| anyhow!("figure: PDF: {error}"))?;
    Ok(Files { png: png(&tree)?, pdf, svg: svg.into_bytes() })
}

/// The drawing with texts as outlines, a size in points and a title.
fn outlined(drawn: &Tree, title: &str) -> Result<String> {
    // Two decimals of a twentieth of a point are plenty; shorter files are easier on a repository.
    let options = WriteOptions {
        indent: Indent::None,
        coordinates_precision: 1,
        transforms_precision: 6,
        ..WriteOptions::default()
    };
    let body = drawn.to_string(&options);
    let (_, body) = body.split_once('>').context("figure: the drawing has no root element")?;
    let (width, height) = (drawn.size().width(), drawn.size().height());
    let points = |units: f32| f64::from(units) / UNITS;
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}pt\" height=\"{}pt\" viewBox=\"0 0 {width} {height}\" \
         role=\"img\">\n<title>{}</title>\n{}\n",
        points(width),
        points(height),
        escaped(title),
        body.replace("<path", "\n<path").trim_end(),
    ))
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
