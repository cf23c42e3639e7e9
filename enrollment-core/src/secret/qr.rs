//! QR codes as SVG.

use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};

/// The text does not fit into a QR code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("too long for a QR code")]
pub struct QrTooLong;

/// `text` as a QR code (ISO/IEC 18004): one `<svg>` element for a page, black on white with its quiet zone, without
/// script or style.
///
/// Error correction is medium (15 %), or low (7 %) for a text that only fits so; at most 2,953 bytes.
///
/// # Errors
/// When the text is longer.
pub fn qr_svg(text: &str) -> Result<String, QrTooLong> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M)
        .or_else(|_| QrCode::with_error_correction_level(text, EcLevel::L))
        .map_err(|_| QrTooLong)?;
    let document = code.render::<svg::Color<'_>>().module_dimensions(4, 4).build();
    // The XML declaration has no place inside a page.
    let element = document.find("<svg").map_or(document.as_str(), |start| &document[start..]);
    Ok(element.to_owned())
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
