//! Style sheet and scripts, inside the binary. A URL holds the hash of its content, so a browser may keep it for ever.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use crate::access::{Need, Routes};

/// Hexadecimal digits of the hash in a URL: enough that no two versions ever meet.
const HASH_DIGITS: usize = 12;

struct Asset {
    name: &'static str,
    mime: &'static str,
    body: &'static str,
}

const ASSETS: [Asset; 5] = [
    Asset { name: "app.css", mime: "text/css; charset=utf-8", body: include_str!("../assets/app.css") },
    Asset { name: "app.js", mime: "text/javascript; charset=utf-8", body: include_str!("../assets/app.js") },
    Asset { name: "log.js", mime: "text/javascript; charset=utf-8", body: include_str!("../assets/log.js") },
    Asset { name: "theme.js", mime: "text/javascript; charset=utf-8", body: include_str!("../assets/theme.js") },
    Asset { name: "shell.svg", mime: "image/svg+xml", body: include_str!("../assets/shell.svg") },
];

/// The URLs that pages name.
pub(crate) struct Urls {
    pub(crate) css: String,
    pub(crate) app: String,
    pub(crate) log: String,
    pub(crate) theme: String,
    pub(crate) icon: String,
}

/// Hashed once, at the first page.
pub(crate) static URLS: LazyLock<Urls> = LazyLock::new(|| {
    let [css, app, log, theme, icon] = ASSETS.map(|asset| url(&asset));
    Urls { css, app, log, theme, icon }
});

fn url(asset: &Asset) -> String {
    let hash = hex::encode(Sha256::digest(asset.body.as_bytes()));
    format!("/assets/{}/{}", &hash[..HASH_DIGITS], asset.name)
}

pub(crate) fn routes() -> Routes {
    let looks = Need::public("style sheets and scripts hold nothing of anybody's");
    Routes::new().get("/assets/{hash}/{name}", looks, asset)
}

async fn asset(Path((hash, name)): Path<(String, String)>) -> Response {
    let found = ASSETS.iter().find(|asset| asset.name == name);
    let Some(asset) = found.filter(|asset| url(asset).split('/').nth(2) == Some(hash.as_str())) else {
        return (StatusCode::NOT_FOUND, "no such file\n").into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, asset.mime),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, asset.body).into_response()
}
