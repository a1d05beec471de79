//! [`guard`]: what every request passes, before and after its answer.
//!
//! A page of a stranger, open in the same browser, may send requests to this machine, and may even have its own name lead here
//! (DNS rebinding), which makes answers readable for it. So where only this machine is listened to, the name that was asked for
//! must be one of its own, and a request that a page of another origin sends is refused. What whoever started the server named
//! (`Settings::origins`) is as good as its own: a reverse proxy has another name.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::refusal::Refusal;
use crate::server::Asked;

/// Of every answer: nothing is kept, guessed, framed or handed to other pages.
const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

/// A request that is being answered.
struct InFlight(Arc<App>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.metrics.in_flight.fetch_sub(1, Relaxed);
    }
}

/// Refuses what is not for us, counts, and says what was asked.
pub(crate) async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    app.metrics.in_flight.fetch_add(1, Relaxed);
    let _in_flight = InFlight(Arc::clone(&app));
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let mut response = match check(request.headers(), app.is_loopback, &app.origins) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(value);
    }
    let (status, took) = (response.status().as_u16(), began.elapsed());
    app.metrics.request(status, took);
    if let Some(log) = &app.log {
        log(&Asked { method: method.as_str(), path: &path, status, took });
    }
    response
}

fn check(headers: &HeaderMap, is_loopback: bool, origins: &[String]) -> Result<(), Refusal> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let host = text(header::HOST).unwrap_or_default();
    let authority = |origin: &str| origin.split_once("://").map(|(_, authority)| authority.to_owned());
    let is_named =
        origins.iter().filter_map(|origin| authority(origin)).any(|named| named.eq_ignore_ascii_case(host));
    if is_loopback && !is_local(host) && !is_named {
        let message = "the request is for another host, expected localhost, 127.0.0.1 or [::1]";
        return Err(Refusal::new(StatusCode::MISDIRECTED_REQUEST, message)
            .with_hint("behind a reverse proxy: start `pipeline serve` with `--origin https://its.name`"));
    }
    // A browser names the page's origin in what it posts; other programs name none.
    let origin = headers.get(header::ORIGIN).map(|origin| origin.to_str().unwrap_or("null"));
    let is_ours = |origin: &str| {
        authority(origin).is_some_and(|of| of == host) || origins.iter().any(|own| own == origin)
    };
    if origin.is_some_and(|origin| !is_ours(origin)) {
        return Err(Refusal::new(StatusCode::FORBIDDEN, "the request comes from another page")
            .with_hint("behind a reverse proxy: start `pipeline serve` with `--origin https://its.name`"));
    }
    Ok(())
}

/// Whether `host`, with or without a port, is a name of this machine that nobody else can give away.
fn is_local(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((name, port)) if port.is_empty() || port.starts_with(':') => name,
        Some(_) => return false,
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(is_loopback: bool, headers: &[(HeaderName, &str)]) -> Option<u16> {
        checked_with(is_loopback, headers, &[])
    }

    fn checked_with(is_loopback: bool, headers: &[(HeaderName, &str)], origins: &[String]) -> Option<u16> {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        check(&headers, is_loopback, origins).err().map(|refusal| refusal.status.as_u16())
    }

    #[test]
    fn on_loopback_only_names_of_this_machine_are_answered() {
        for host in ["localhost", "LocalHost:8080", "127.0.0.1:8080", "127.8.8.8", "[::1]", "[::1]:80"] {
            assert_eq!(checked(true, &[(header::HOST, host)]), None, "{host}");
        }
        for host in [
            "evil.example:8080",
            "localhost.evil.example",
            "10.0.0.1",
            "",
            "[::1]x",
            "[::2]",
            "127.0.0.1.nip.io",
        ] {
            assert_eq!(checked(true, &[(header::HOST, host)]), Some(421), "{host}");
            assert_eq!(checked(false, &[(header::HOST, host)]), None, "{host}");
        }
        assert_eq!(checked(true, &[]), Some(421));
    }

    #[test]
    fn an_origin_that_was_named_may_ask_and_be_asked_for_and_no_other() {
        let named = ["https://photos.example".to_owned()];
        let of = |host, origin| checked_with(true, &[(header::HOST, host), (header::ORIGIN, origin)], &named);
        assert_eq!(of("127.0.0.1:8080", "https://photos.example"), None);
        assert_eq!(of("photos.example", "https://photos.example"), None);
        assert_eq!(of("evil.example", "https://photos.example"), Some(421));
        for origin in ["http://photos.example", "https://photos.example:444", "https://evil.example", "null"]
        {
            assert_eq!(of("127.0.0.1:8080", origin), Some(403), "{origin}");
        }
    }

    #[test]
    fn pages_of_other_origins_are_refused() {
        let of = |origin| checked(true, &[(header::HOST, "localhost:80"), (header::ORIGIN, origin)]);
        assert_eq!(of("http://localhost:80"), None);
        for origin in ["http://evil.example", "null", "http://localhost:81", "http://localhost"] {
            assert_eq!(of(origin), Some(403), "{origin}");
        }
    }
}
