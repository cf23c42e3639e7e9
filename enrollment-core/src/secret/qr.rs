//! QR codes as SVG.

use std::fmt::Write as _;

use fast_qr::qr::QRCodeError;
use fast_qr::{ECL, Mode, QRBuilder, QRCode};

/// The text does not fit into a QR code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("too long for a QR code")]
pub struct QrTooLong;

/// Empty modules that a code needs on every side (ISO/IEC 18004, 6.3.8).
const QUIET_ZONE: usize = 4;
/// Pixels of a module where a page says nothing else.
const PIXELS: usize = 4;

/// `text` as a QR code (ISO/IEC 18004): one `<svg>` element for a page, black on white with its quiet zone, without
/// script or style.
///
/// Error correction is medium (15 %), or low (7 %) for a text that only fits so; at most 2,953 bytes.
///
/// # Errors
/// When the text is longer.
pub fn qr_svg(text: &str) -> Result<String, QrTooLong> {
    let code = encoded(text, ECL::M).or_else(|_| encoded(text, ECL::L)).map_err(|_| QrTooLong)?;
    Ok(drawn(&code))
}

/// As bytes, whatever the text is: what is drawn here is mixed case.
fn encoded(text: &str, level: ECL) -> Result<QRCode, QRCodeError> {
    QRBuilder::new(text).mode(Mode::Byte).ecl(level).build()
}

/// One path, of which each stroke is a run of dark modules in a row.
fn drawn(code: &QRCode) -> String {
    let side = code.size + 2 * QUIET_ZONE;
    let pixels = side * PIXELS;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{pixels}\" height=\"{pixels}\" \
         viewBox=\"0 0 {side} {side}\" shape-rendering=\"crispEdges\">\
         <rect width=\"{side}\" height=\"{side}\" fill=\"#fff\"/><path fill=\"#000\" d=\""
    );
    for row in 0..code.size {
        let mut column = 0;
        for run in code[row][..code.size].chunk_by(|one, next| one.value() == next.value()) {
            if run[0].value() {
                let (x, y, length) = (column + QUIET_ZONE, row + QUIET_ZONE, run.len());
                // Writing into a text cannot fail.
                let _ = write!(svg, "M{x} {y}h{length}v1h-{length}z");
            }
            column += run.len();
        }
    }
    svg.push_str("\"/></svg>");
    svg
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

    #[test]
    fn a_text_is_refused_only_beyond_what_a_code_holds() {
        assert!(qr_svg(&"x".repeat(2953)).is_ok());
        assert_eq!(qr_svg(&"x".repeat(2954)), Err(QrTooLong));
    }
}
