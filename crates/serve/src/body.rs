//! The photos of a request: [`read`] takes the body, within limits of size, memory and time, and [`files`] takes a form apart.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::refusal::Refusal;

/// The memory of bodies is counted in such parts.
const PART_BYTES: usize = 1 << 10;

/// What bodies may take.
#[derive(Debug)]
pub(crate) struct Limit {
    most_body: usize,
    timeout: Duration,
    memory: Arc<Semaphore>,
}

/// A file of a form.
#[derive(Debug)]
pub(crate) struct File {
    /// As the browser names it; not to be trusted.
    pub(crate) name: Option<String>,
    pub(crate) content: Bytes,
}

impl Limit {
    /// Of one body, and of all bodies at a time.
    pub(crate) fn new(most_body: usize, most_in_memory: usize, timeout: Duration) -> Self {
        let parts = (most_in_memory / PART_BYTES).clamp(1, Semaphore::MAX_PERMITS);
        Limit { most_body, timeout, memory: Arc::new(Semaphore::new(parts)) }
    }

    fn too_large(&self) -> Refusal {
        let message = format!("the body is larger than {} bytes", self.most_body);
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, message)
            .with_hint("send a smaller photo, or fewer at a time; `--max-body` raises the limit")
    }

    /// Reads a body. The memory is counted until the permit is dropped.
    ///
    /// # Errors
    /// 413 for one that is too large, by its header or on the way; 503 where there is no memory left; 408 for one that is too
    /// slow; 400 for one that breaks off.
    pub(crate) async fn read(
        &self,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<(Bytes, OwnedSemaphorePermit), Refusal> {
        let announced =
            headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        // What is not announced may be as large as any.
        let most = announced.unwrap_or(self.most_body);
        if most > self.most_body {
            return Err(self.too_large());
        }
        let parts = most.div_ceil(PART_BYTES).try_into().unwrap_or(u32::MAX);
        let memory = Arc::clone(&self.memory).try_acquire_many_owned(parts);
        let memory =
            memory.map_err(|_| Refusal::busy("other photos are being sent and take all memory for them"))?;
        let deadline = Instant::now() + self.timeout;
        let mut content = Vec::new();
        let mut body = pin!(body);
        loop {
            let frame = timeout_at(deadline, poll_fn(|cx| body.as_mut().poll_frame(cx))).await;
            let late = |_| {
                let message = format!("the body took longer than {} seconds", self.timeout.as_secs_f64());
                Refusal::new(StatusCode::REQUEST_TIMEOUT, message)
            };
            let Some(frame) = frame.map_err(late)? else { break };
            let frame = frame.map_err(|_| Refusal::new(StatusCode::BAD_REQUEST, "the body breaks off"))?;
            let data = frame.data_ref().map_or(&[][..], |data| data);
            if content.len() + data.len() > self.most_body {
                return Err(self.too_large());
            }
            content.extend_from_slice(data);
        }
        Ok((content.into(), memory))
    }
}

/// Whether a body is a form of several parts.
pub(crate) fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.trim_start().to_ascii_lowercase().starts_with("multipart/form-data")
}

/// The files of a form, in order; other fields are passed over.
///
/// # Errors
/// 400 for a form that is malformed or has no file, 413 for one of more than `most` parts.
pub(crate) async fn files(parts: Parts, body: Bytes, most: usize) -> Result<Vec<File>, Refusal> {
    let malformed = |why: &dyn std::fmt::Display| {
        Refusal::new(StatusCode::BAD_REQUEST, format!("cannot take the form apart: {why}"))
    };
    let request = Request::from_parts(parts, Body::from(body));
    let mut form = Multipart::from_request(request, &()).await.map_err(|why| malformed(&why))?;
    let (mut files, mut fields) = (vec![], 0);
    while let Some(field) = form.next_field().await.map_err(|why| malformed(&why))? {
        fields += 1;
        if fields > most {
            let message = format!("the form has more than {most} parts");
            return Err(
                Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, message).with_hint("send fewer files at a time")
            );
        }
        let name = field.file_name().map(str::to_owned);
        // Whoever writes a form by hand may forget the name; a browser's other fields have no type.
        if name.is_some() || field.content_type().is_some() {
            let content = field.bytes().await.map_err(|why| malformed(&why))?;
            files.push(File { name, content });
        }
    }
    if files.is_empty() {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "the form has no file")
            .with_hint("curl -F photo=@cat.jpg http://.../predict"));
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `read` says of a body of so many bytes, whose length is announced or not.
    async fn read(limit: &Limit, bytes: usize, is_announced: bool) -> Result<OwnedSemaphorePermit, u16> {
        let mut headers = HeaderMap::new();
        if is_announced {
            headers.insert(header::CONTENT_LENGTH, bytes.into());
        }
        let read = limit.read(&headers, Body::from(vec![7; bytes])).await;
        let (content, permit) = read.map_err(|refusal| refusal.status.as_u16())?;
        assert_eq!(content.len(), bytes);
        Ok(permit)
    }

    #[test]
    fn bodies_share_a_bounded_memory_and_what_is_not_announced_counts_as_the_largest() {
        let limit = Limit::new(4 << 10, 8 << 10, Duration::from_secs(9));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let first = read(&limit, 1 << 10, false).await.unwrap();
            let _second = read(&limit, 3 << 10, true).await.unwrap();
            // 4 + 3 of 8 parts are taken.
            assert_eq!(read(&limit, 2 << 10, true).await.err(), Some(503));
            assert!(read(&limit, 1 << 10, true).await.is_ok());
            drop(first);
            assert!(read(&limit, 4 << 10, true).await.is_ok());
            assert_eq!(read(&limit, (4 << 10) + 1, true).await.err(), Some(413));
            assert_eq!(read(&limit, (4 << 10) + 1, false).await.err(), Some(413));
        });
    }
}
