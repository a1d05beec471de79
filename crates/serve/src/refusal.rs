//! [`Refusal`]: why a request has no answer, with its status.

use std::fmt;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Seconds after which it is worth to ask again where there was no room: some batches.
const RETRY_AFTER: &str = "1";

/// Why a request has no answer: `{"error": ..., "hint": ...}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    message: String,
    hint: Option<String>,
}

impl Refusal {
    /// With what was found and expected.
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Refusal { status, message: message.into(), hint: None }
    }

    /// With the way out.
    pub(crate) fn with_hint(self, hint: impl Into<String>) -> Self {
        Refusal { hint: Some(hint.into()), ..self }
    }

    /// Too many ask at this time.
    pub(crate) fn busy(what: &str) -> Self {
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, format!("too much to do: {what}"))
            .with_hint("ask again a little later")
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// A body that is refused on its way is one that fails.
impl std::error::Error for Refusal {}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({"error": self.message, "hint": self.hint});
        let mut response = (self.status, Json(body)).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
        }
        response
    }
}
