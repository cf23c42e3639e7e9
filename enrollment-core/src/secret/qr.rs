//! QR codes, as SVG for pages and as PNG for mails.

use std::fmt::Write as _;

use fast_qr::{ECL, Mode, QRBuilder, QRCode};
use png::{BitDepth, ColorType, Compression, Encoder};

/// The text does not fit into a QR code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("too long for a QR code")]
pub struct QrTooLong;

/// The light margin around a code, in modules (ISO/IEC 18004, section 6.3.8).
const QUIET: usize = 4;
/// The pixels of a module's side; on a page, where it says nothing else.
const MODULE: usize = 4;

/// `text` as a QR code (ISO/IEC 18004): one `<svg>` element for a page, black on white with its quiet zone, without
/// script or style.
///
/// Error correction is medium (15 %), or low (7 %) for a text that only fits so; at most 2,953 bytes.
///
/// # Errors
/// When the text is longer.
pub fn qr_svg(text: &str) -> Result<String, QrTooLong> {
    let code = encoded(text)?;
    let side = code.size + 2 * QUIET;
    let pixels = side * MODULE;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{pixels}\" height=\"{pixels}\" \
         viewBox=\"0 0 {side} {side}\" shape-rendering=\"crispEdges\">\
         <rect width=\"{side}\" height=\"{side}\" fill=\"#fff\"/><path fill=\"#000\" d=\""
    );
    // One path, of which each stroke is a run of dark modules in a row.
    for row in 0..code.size {
        let mut column = 0;
        for run in code[row][..code.size].chunk_by(|one, next| one.value() == next.value()) {
            if run[0].value() {
                let (x, y, length) = (column + QUIET, row + QUIET, run.len());
                // Writing into a text cannot fail.
                let _ = write!(svg, "M{x} {y}h{length}v1h-{length}z");
            }
            column += run.len();
        }
    }
    svg.push_str("\"/></svg>");
    Ok(svg)
}

/// `text` as a QR code like that of [`qr_svg`], as a PNG (ISO/IEC 15948) of one bit per pixel; the same text is the same
/// bytes.
///
/// # Errors
/// When the text is longer.
pub fn qr_png(text: &str) -> Result<Vec<u8>, QrTooLong> {
    let code = encoded(text)?;
    let side = (code.size + 2 * QUIET) * MODULE;
    // Eight pixels a byte, the leftmost the highest bit; every row begins a byte. White is 1.
    let light = vec![0xff_u8; side.div_ceil(8)];
    let mut pixels = light.repeat(QUIET * MODULE);
    for row in 0..code.size {
        let mut line = light.clone();
        for (column, _) in code[row][..code.size].iter().enumerate().filter(|(_, module)| module.value()) {
            for x in (column + QUIET) * MODULE..(column + QUIET + 1) * MODULE {
                line[x / 8] &= !(0x80 >> (x % 8));
            }
        }
        pixels.extend(line.repeat(MODULE));
    }
    pixels.extend(light.repeat(QUIET * MODULE));
    let mut file = Vec::new();
    let pixels_a_side = u32::try_from(side).map_err(|_| QrTooLong)?;
    let mut encoder = Encoder::new(&mut file, pixels_a_side, pixels_a_side);
    encoder.set_color(ColorType::Grayscale);
    encoder.set_depth(BitDepth::One);
    // Three of four rows are what is above them, which is all that this looks for; searching for more was a third of what
    // a mail cost.
    encoder.set_compression(Compression::Fastest);
    let mut writer = encoder.write_header().expect("memory takes every header of a size above zero");
    writer.write_image_data(&pixels).expect("there are as many pixels as the header says");
    writer.finish().expect("memory takes the end");
    Ok(file)
}

/// As bytes, whatever the text is: what is drawn here is mixed case.
fn encoded(text: &str) -> Result<QRCode, QrTooLong> {
    let at = |level| QRBuilder::new(text).mode(Mode::Byte).ecl(level).build();
    at(ECL::M).or_else(|_| at(ECL::L)).map_err(|_| QrTooLong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_one_element_without_script_or_style() {
        let svg = qr_svg("otpauth://totp/a:b?secret=c").expect("short enough");
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>"), "{svg}");
        assert_eq!(svg.matches('<').count(), 4, "svg, rect, path and the end");
        assert!(!svg.contains("style") && !svg.contains("script") && !svg.contains("<?"));
    }

    /// Pixel by pixel the code's modules.
    #[test]
    fn a_png_shows_the_code_with_its_margin() {
        let png = qr_png("https://vpn.example.com").expect("short enough");
        assert_eq!(png, qr_png("https://vpn.example.com").expect("short enough"));
        let mut reader = png::Decoder::new(std::io::Cursor::new(&png)).read_info().expect("a PNG");
        let mut pixels = vec![0; reader.output_buffer_size().expect("a size")];
        let info = reader.next_frame(&mut pixels).expect("an image");
        let dark = |x: usize, y: usize| pixels[y * info.line_size + x / 8] & (0x80 >> (x % 8)) == 0;
        let side = info.width as usize;
        let shown: String = (0..side)
            .step_by(MODULE)
            .flat_map(|y| (0..side).step_by(MODULE).map(move |x| (x, y)).chain([(side, y)]))
            .map(|(x, y)| {
                if x == side {
                    '\n'
                } else if dark(x, y) && dark(x + 3, y + 3) {
                    '#'
                } else {
                    '.'
                }
            })
            .collect();
        let code = encoded("https://vpn.example.com").expect("short enough");
        let module = |x: usize, y: usize| {
            let inside = |at: usize| (QUIET..QUIET + code.size).contains(&at);
            if inside(x) && inside(y) && code[y - QUIET][x - QUIET].value() { '#' } else { '.' }
        };
        let modules = code.size + 2 * QUIET;
        let row = |y| (0..modules).map(|x| module(x, y)).chain(['\n']).collect::<String>();
        let drawn: String = (0..modules).map(row).collect();
        assert_eq!((info.width, info.height), (shown.lines().count() as u32 * 4, info.width));
        assert_eq!(shown, drawn);
    }

    #[test]
    fn a_text_is_refused_only_beyond_what_a_code_holds() {
        assert!(qr_svg(&"x".repeat(2953)).is_ok());
        assert_eq!(qr_svg(&"x".repeat(2954)), Err(QrTooLong));
    }
}
