//! [`Page`]: the page that asks for photos, in one file, and the policy that lets it do nothing else.

use axum::body::Bytes;
use axum::http::HeaderValue;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

const HTML: &str = include_str!("../page/page.html");
const STYLE: &str = include_str!("../page/page.css");
const SCRIPT: &str = include_str!("../page/page.js");

/// The page, the same for every model: what the model is it asks for (`/model`) and shows as text.
pub(crate) struct Page {
    pub(crate) html: Bytes,
    /// Its Content-Security-Policy: the style and script in it by their digests, and nothing from elsewhere.
    pub(crate) policy: HeaderValue,
}

impl Page {
    pub(crate) fn new() -> Self {
        let html = HTML.replace("{style}", STYLE).replace("{script}", SCRIPT);
        let hash = |text: &str| BASE64_STANDARD.encode(Sha256::digest(text));
        let policy = format!(
            "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; img-src 'self' blob: data:; connect-src 'self'; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            hash(SCRIPT),
            hash(STYLE)
        );
        // Its letters are all of a header's.
        let policy = HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"));
        Page { html: html.into(), policy }
    }
}
