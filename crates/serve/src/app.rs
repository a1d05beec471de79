//! [`App`]: what all requests share, and the routes.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::body::Limit;
use crate::guard::guard;
use crate::metrics::Metrics;
use crate::neighbours::Neighbours;
use crate::page::Page;
use crate::predict::predict;
use crate::queue::Queue;
use crate::refusal::Refusal;
use crate::server::Log;

/// What all requests share.
pub(crate) struct App {
    pub(crate) queue: Arc<Queue>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) limit: Limit,
    pub(crate) most_files: usize,
    pub(crate) timeout: Duration,
    pub(crate) is_loopback: bool,
    /// Origins besides its own.
    pub(crate) origins: Vec<String>,
    /// Class names in order of their numbers.
    pub(crate) classes: Vec<String>,
    /// `GET /model`.
    pub(crate) model: Value,
    pub(crate) page: Page,
    pub(crate) neighbours: Option<Arc<Neighbours>>,
    /// Whoever reads the tables or files of the training photos.
    pub(crate) reading: Arc<Semaphore>,
    pub(crate) log: Option<Log>,
}

/// The routes of `app`.
pub(crate) fn routes(app: Arc<App>) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/predict", post(predict))
        .route("/training/{row}", get(training))
        .route("/model", get(model))
        .route("/health", get(health))
        .route("/metrics", get(metrics))
        .fallback(async || Refusal::new(StatusCode::NOT_FOUND, "there is no such page"))
        .method_not_allowed_fallback(async || {
            Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "the page is asked in another way")
                .with_hint("photos are sent to /predict with POST; all else is asked for with GET")
        })
        // `body` has limits of its own.
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn_with_state(Arc::clone(&app), guard))
        .with_state(app)
}

async fn page(State(app): State<Arc<App>>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, app.page.policy.clone()),
    ];
    (headers, app.page.html.clone()).into_response()
}

async fn model(State(app): State<Arc<App>>) -> Response {
    Json(&app.model).into_response()
}

async fn health(State(app): State<Arc<App>>) -> Response {
    let is_ready = app.metrics.lanes.load(Relaxed) > 0;
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({"ready": is_ready}))).into_response()
}

async fn metrics(State(app): State<Arc<App>>) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (kind, app.metrics.text(app.queue.len())).into_response()
}

/// The picture of a training photo.
async fn training(State(app): State<Arc<App>>, Path(row): Path<String>) -> Result<Response, Refusal> {
    let none = || Refusal::new(StatusCode::NOT_FOUND, "there is no picture of such a training photo");
    let row: usize = row.parse().map_err(|_| none())?;
    let neighbours = app.neighbours.clone().ok_or_else(none)?;
    let turn = Arc::clone(&app.reading).acquire_owned().await.map_err(|_| none())?;
    let picture = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        neighbours.picture(row)
    });
    let picture = tokio::time::timeout(app.timeout, picture).await;
    let picture =
        picture.map_err(|_| Refusal::new(StatusCode::GATEWAY_TIMEOUT, "reading the photo takes too long"))?;
    let jpeg = picture.ok().flatten().ok_or_else(none)?;
    let headers = [(header::CONTENT_TYPE, "image/jpeg"), (header::CACHE_CONTROL, "private, max-age=3600")];
    Ok((headers, jpeg).into_response())
}
