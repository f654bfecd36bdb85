//! Style sheet, script and icon: part of the program.

use std::sync::LazyLock;

use axum::{
    extract::Path,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};

const STYLE: &str = include_str!("../../assets/postroom.css");
const SCRIPT: &str = include_str!("../../assets/postroom.js");
const ICON: &str = include_str!("../../assets/icon.svg");

/// Changes whenever one of them changes.
pub(super) fn version() -> &'static str {
    static VERSION: LazyLock<String> = LazyLock::new(|| {
        let digest = Sha256::digest([STYLE, SCRIPT, ICON].concat());
        digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
    });
    &VERSION
}

pub(super) async fn asset(Path(name): Path<String>) -> Response {
    let (kind, content) = match name.as_str() {
        "postroom.css" => ("text/css; charset=utf-8", STYLE),
        "postroom.js" => ("text/javascript; charset=utf-8", SCRIPT),
        "icon.svg" => ("image/svg+xml", ICON),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, content).into_response()
}
