//! Style, scripts and icon: part of the program, under addresses that name their content.

use std::sync::LazyLock;

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use enrollment_core::secret::Digest;

use crate::headers::Immutable;

/// Where they lie on each face.
const BASE: &str = "/assets";

/// `/assets/…`, for every face that has pages: one style sheet, the scripts and the icon.
///
/// Each address holds a digest of its content, so whatever a browser has kept is right for good (RFC 8246).
pub fn assets_router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route(&format!("{BASE}/{{file}}"), get(file))
}

/// A file as it is served.
struct Asset {
    /// What templates call it.
    name: &'static str,
    /// Its name with the digest in it.
    file: String,
    media_type: &'static str,
    content: String,
}

/// The files in an order in which each one names only those before it.
const SOURCES: [(&str, &str, &str); 5] = [
    ("icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
    ("style.css", "text/css; charset=utf-8", include_str!("assets/style.css")),
    ("page.js", "text/javascript; charset=utf-8", include_str!("assets/page.js")),
    // By Paul Miller, MIT OR Apache-2.0: version 0.7.0 of `qr` on npm, its `index.js` unchanged.
    ("qr.js", "text/javascript; charset=utf-8", include_str!("assets/qr.js")),
    ("device.js", "text/javascript; charset=utf-8", include_str!("assets/device.js")),
];

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let mut assets: Vec<Asset> = Vec::new();
    for (name, media_type, source) in SOURCES {
        // A script imports another by the name it has in the source tree: "./name".
        let content = assets.iter().fold(source.to_owned(), |content, known| {
            content.replace(&format!("\"./{}\"", known.name), &format!("\"./{}\"", known.file))
        });
        let file = addressed(name, &content);
        assets.push(Asset { name, file, media_type, content });
    }
    assets
});

/// `style.css` is `style.0123456789abcdef.css`: 64 bits of its digest, against mistakes, not against enemies.
fn addressed(name: &str, content: &str) -> String {
    let digest = Digest::of(content.as_bytes()).to_string();
    let (stem, extension) = name.split_once('.').unwrap_or((name, "bin"));
    format!("{stem}.{}.{extension}", &digest[..16])
}

/// The path of a file by the name it has in the source tree.
pub(super) fn path(name: &str) -> Option<String> {
    ASSETS.iter().find(|asset| asset.name == name).map(|asset| format!("{BASE}/{}", asset.file))
}

/// A year, the longest that caches count (RFC 9111, section 5.2.2.1, by custom).
const FOR_GOOD: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

async fn file(Path(file): Path<String>) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.file == file) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let headers =
        [(header::CONTENT_TYPE, HeaderValue::from_static(asset.media_type)), (header::CACHE_CONTROL, FOR_GOOD)];
    let mut response = (headers, asset.content.as_str()).into_response();
    response.extensions_mut().insert(Immutable);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_content_has_another_address() {
        assert_ne!(addressed("a.css", "one"), addressed("a.css", "two"));
        assert_eq!(addressed("a.css", "one"), addressed("a.css", "one"));
    }

    #[test]
    fn every_import_is_of_a_file_that_is_served() {
        for asset in ASSETS.iter().filter(|asset| asset.name != "qr.js") {
            for import in asset.content.split(" from \"./").skip(1) {
                let name = import.split('"').next().expect("a name");
                assert!(ASSETS.iter().any(|asset| asset.file == name), "{}: {name}", asset.name);
            }
        }
    }

    /// SYS-5: no asset makes a browser ask another host.
    #[test]
    fn no_asset_names_another_host() {
        for asset in ASSETS.iter().filter(|asset| asset.name != "qr.js") {
            let text = asset.content.replace("http://www.w3.org/2000/svg", "");
            for elsewhere in ["http:", "https:", "url(", "@import"] {
                assert!(!text.contains(elsewhere), "{} has {elsewhere}", asset.name);
            }
        }
    }
}
