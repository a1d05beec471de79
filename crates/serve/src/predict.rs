//! `POST /predict`: photos in, what the model says of them out.

use std::error::Error;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use pipeline_stage::failure::full_message;
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use crate::app::App;
use crate::body::{File, files, is_form};
use crate::neighbours::{MOST_NEAR, Near};
use crate::queue::{NoRoom, Question, Said};
use crate::refusal::Refusal;
use crate::told::Told;

/// What is asked about photos.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wish {
    /// Probabilities of so many classes, the most probable ones; all where it is not said.
    top: Option<usize>,
    /// 1: the heat of the most probable class.
    #[serde(default)]
    gradcam: u64,
    /// So many training photos that are most like it.
    #[serde(default)]
    neighbours: usize,
}

impl Wish {
    fn check(self, has_neighbours: bool) -> Result<Self, Refusal> {
        let wrong = |message: String| Err(Refusal::new(StatusCode::BAD_REQUEST, message));
        match self {
            Wish { gradcam: 2.., .. } => wrong(format!("gradcam is {}, expected 0 or 1", self.gradcam)),
            Wish { top: Some(0), .. } => wrong("top is 0, expected at least 1".to_owned()),
            Wish { neighbours, .. } if neighbours > MOST_NEAR => {
                wrong(format!("neighbours is {neighbours}, expected 0 to {MOST_NEAR}"))
            }
            Wish { neighbours: 1.., .. } if !has_neighbours => Err(Refusal::new(
                StatusCode::BAD_REQUEST,
                "there are no training photos to find neighbours among",
            )
            .with_hint("start `pipeline serve` with `--neighbours out/CONFIG/precompute`")),
            _ => Ok(self),
        }
    }
}

/// Answers for the photos of a body.
pub(crate) async fn predict(
    State(app): State<Arc<App>>,
    wish: Result<Query<Wish>, QueryRejection>,
    request: Request,
) -> Result<Response, Refusal> {
    let unreadable = |why: QueryRejection| {
        let why = why.source().map_or_else(|| why.body_text(), ToString::to_string);
        Refusal::new(StatusCode::BAD_REQUEST, format!("cannot read the question: {why}"))
            .with_hint(format!("top is a number from 1 on, gradcam 0 or 1, neighbours 0 to {MOST_NEAR}"))
    };
    let Query(wish) = wish.map_err(unreadable)?;
    let wish = wish.check(app.neighbours.is_some())?;
    let (parts, body) = request.into_parts();
    let is_form = is_form(&parts.headers);
    let (arriving, memory) = app.limit.admit(&parts.headers, body)?;
    let files = match is_form {
        true => files(parts, arriving, app.most_files).await?,
        false => vec![File { name: None, content: arriving.whole().await? }],
    };
    let told = answers(&app, files, &Arc::new(memory), wish).await?;
    Ok(match told.as_slice() {
        [one] if !is_form => {
            let status = if matches!(one, Told::Bad { .. }) {
                StatusCode::UNPROCESSABLE_ENTITY
            } else {
                StatusCode::OK
            };
            (status, Json(one)).into_response()
        }
        several => Json(Several { photos: several }).into_response(),
    })
}

/// The answer to a form.
#[derive(Serialize)]
struct Several<'a> {
    photos: &'a [Told],
}

/// What is said of each file, in order, within the time.
async fn answers(
    app: &Arc<App>,
    files: Vec<File>,
    memory: &Arc<OwnedSemaphorePermit>,
    wish: Wish,
) -> Result<Vec<Told>, Refusal> {
    let all = async {
        let question = |photo| Question { photo, heat: wish.gradcam == 1, _memory: Arc::clone(memory) };
        let (names, questions): (Vec<_>, Vec<_>) =
            files.into_iter().map(|file| (file.name, question(file.content))).unzip();
        let replies = app.queue.add(questions).map_err(|no_room| match no_room {
            NoRoom::Full => Refusal::busy("as many photos wait as may"),
            NoRoom::Closed => Refusal::busy("the server ends"),
        })?;
        let mut told = Vec::with_capacity(replies.len());
        for (name, reply) in names.into_iter().zip(replies) {
            let failed = |why: String| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, why);
            let said = reply.await.map_err(|_| failed("the server failed at this photo".to_owned()))?;
            let said = said.map_err(failed)?;
            app.metrics.photo(said.answer.is_ok());
            let near = near(app, &said, wish.neighbours).await?;
            told.push(Told::new(name, said, &app.classes, wish.top.unwrap_or(usize::MAX), near));
        }
        Ok(told)
    };
    let late = |_| {
        let message = format!("the answer took longer than {} seconds", app.timeout.as_secs_f64());
        Refusal::new(StatusCode::GATEWAY_TIMEOUT, message).with_hint("send fewer photos at a time")
    };
    timeout(app.timeout, all).await.map_err(late)?
}

/// The training photos that are most like a photo, where they are wanted. One table is read at a time: it takes all memory
/// bandwidth there is.
async fn near(app: &Arc<App>, said: &Said, count: usize) -> Result<Option<Vec<Near>>, Refusal> {
    let (Some(neighbours), Ok(prediction), 1..) = (&app.neighbours, &said.answer, count) else {
        return Ok(None);
    };
    let failed = |why: String| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, why);
    let turn = Arc::clone(&app.reading).acquire_owned().await.map_err(|error| failed(error.to_string()))?;
    let (neighbours, features) = (Arc::clone(neighbours), prediction.features.clone());
    let found = tokio::task::spawn_blocking(move || {
        // The turn ends with the reading, also where nobody waits for it any more.
        let _turn = turn;
        neighbours.near(&features, count)
    });
    let found = found.await.map_err(|error| failed(error.to_string()))?;
    found.map(Some).map_err(|error| failed(full_message(&error)))
}
