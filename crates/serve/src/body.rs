//! The photos of a request: [`Limit`] lets a body in, [`Arriving`] is one within limits of size, memory and time, and [`files`]
//! takes a form apart while it arrives.

use std::error::Error;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use hyper::body::Frame;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};

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
        let parts = most_in_memory.div_ceil(PART_BYTES).clamp(1, Semaphore::MAX_PERMITS);
        Limit { most_body, timeout, memory: Arc::new(Semaphore::new(parts)) }
    }

    /// Lets a body in, with the time and the memory that it may take; the memory is counted until the permit is dropped.
    ///
    /// # Errors
    /// 413 for one that is too large by its header; 503 where there is no memory left.
    pub(crate) fn admit(
        &self,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<(Arriving, OwnedSemaphorePermit), Refusal> {
        let announced =
            headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        // What is not announced may be as large as any.
        let most: usize = announced.unwrap_or(self.most_body);
        if most > self.most_body {
            return Err(too_large(self.most_body));
        }
        let parts = most.div_ceil(PART_BYTES).try_into().unwrap_or(u32::MAX);
        let memory = Arc::clone(&self.memory).try_acquire_many_owned(parts);
        let memory =
            memory.map_err(|_| Refusal::busy("other photos are being sent and take all memory for them"))?;
        let late = Box::pin(sleep(self.timeout));
        Ok((Arriving { body, most, came: 0, timeout: self.timeout, late }, memory))
    }
}

/// A body on its way: it fails where it is larger than it may be, too slow, or breaks off.
#[derive(Debug)]
pub(crate) struct Arriving {
    body: Body,
    /// Bytes that there may be, and those that came.
    most: usize,
    came: usize,
    timeout: Duration,
    late: Pin<Box<Sleep>>,
}

impl Arriving {
    /// All of it.
    ///
    /// # Errors
    /// 413 for one that is too large, 408 for one that is too slow, 400 for one that breaks off.
    pub(crate) async fn whole(mut self) -> Result<Bytes, Refusal> {
        let mut content = room(self.most)?;
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut self).poll_frame(cx)).await {
            content.extend_from_slice(frame?.data_ref().map_or(&[][..], |data| data));
        }
        Ok(content.into())
    }
}

impl HttpBody for Arriving {
    type Data = Bytes;
    type Error = Refusal;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Refusal>>> {
        if self.late.as_mut().poll(cx).is_ready() {
            let message = format!("the body took longer than {} seconds", self.timeout.as_secs_f64());
            return Poll::Ready(Some(Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, message))));
        }
        let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(cx)) else { return Poll::Ready(None) };
        let broken = |_| Refusal::new(StatusCode::BAD_REQUEST, "the body breaks off");
        Poll::Ready(Some(frame.map_err(broken).and_then(|frame| {
            self.came += frame.data_ref().map_or(0, Bytes::len);
            if self.came > self.most { Err(too_large(self.most)) } else { Ok(frame) }
        })))
    }
}

fn too_large(most: usize) -> Refusal {
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is larger than {most} bytes"))
        .with_hint("send a smaller photo, or fewer at a time; `--max-body` raises the limit")
}

/// Room for so many bytes, which are counted: one that grew by itself would take up to twice as many.
fn room(bytes: usize) -> Result<Vec<u8>, Refusal> {
    let mut room = vec![];
    room.try_reserve_exact(bytes).map_err(|_| Refusal::busy("there is no memory for the photo"))?;
    Ok(room)
}

/// Whether a body is a form of several parts.
pub(crate) fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.trim_start().to_ascii_lowercase().starts_with("multipart/form-data")
}

/// The files of a form, in order; other fields are passed over. Of the form no more is in memory than its files.
///
/// # Errors
/// 400 for a form that is malformed or has no file, 413 for one of more than `most` parts; what [`Arriving::whole`] refuses.
pub(crate) async fn files(parts: Parts, body: Arriving, most: usize) -> Result<Vec<File>, Refusal> {
    let mut left = body.most;
    let request = Request::from_parts(parts, Body::new(body));
    let mut form = Multipart::from_request(request, &()).await.map_err(|why| malformed(&why))?;
    let (mut files, mut fields) = (vec![], 0);
    while let Some(mut field) = form.next_field().await.map_err(|why| malformed(&why))? {
        fields += 1;
        if fields > most {
            // Whoever still sends does not read yet.
            files.clear();
            continue;
        }
        let name = field.file_name().map(str::to_owned);
        // Whoever writes a form by hand may forget the name; a browser's other fields have no type.
        if name.is_some() || field.content_type().is_some() {
            let mut content = room(left)?;
            while let Some(chunk) = field.chunk().await.map_err(|why| malformed(&why))? {
                content.extend_from_slice(&chunk);
            }
            content.shrink_to_fit();
            left = left.saturating_sub(content.len());
            files.push(File { name, content: content.into() });
        }
    }
    if fields > most {
        let message = format!("the form has more than {most} parts");
        return Err(
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, message).with_hint("send fewer files at a time")
        );
    }
    if files.is_empty() {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "the form has no file")
            .with_hint("curl -F photo=@cat.jpg http://.../predict"));
    }
    Ok(files)
}

/// Why a form was not read: what [`Arriving`] said, or else what is wrong with the form.
fn malformed(why: &(dyn Error + 'static)) -> Refusal {
    let refusal = std::iter::successors(Some(why), |why| (**why).source())
        .find_map(|why| why.downcast_ref::<Refusal>());
    let form = || Refusal::new(StatusCode::BAD_REQUEST, format!("cannot take the form apart: {why}"));
    refusal.cloned().unwrap_or_else(form)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    /// What `read` says of a body of so many bytes, whose length is announced or not.
    async fn read(limit: &Limit, bytes: usize, is_announced: bool) -> Result<OwnedSemaphorePermit, u16> {
        let mut headers = HeaderMap::new();
        if is_announced {
            headers.insert(header::CONTENT_LENGTH, bytes.into());
        }
        let status = |refusal: Refusal| refusal.status.as_u16();
        let (arriving, permit) = limit.admit(&headers, Body::from(vec![7; bytes])).map_err(status)?;
        let content = arriving.whole().await.map_err(status)?;
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

    #[test]
    fn a_body_as_large_as_may_be_is_let_in_whatever_the_memory_is_divided_into() {
        let limit = Limit::new(1_500, 1_500, Duration::from_secs(9));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        assert!(runtime.block_on(read(&limit, 1_500, true)).is_ok());
        assert!(runtime.block_on(read(&limit, 1_500, false)).is_ok());
        let largest = Settings { most_body: 300_000_001, ..Settings::default() };
        let limit = Limit::new(largest.most_body, largest.most_in_memory(), Duration::from_secs(9));
        let admit = async { limit.admit(&HeaderMap::new(), Body::empty()).map(drop) };
        assert_eq!(runtime.block_on(admit), Ok(()));
    }

    #[test]
    fn a_form_that_is_refused_on_its_way_says_why_and_its_files_take_what_they_hold() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let form = "--cut\r\nContent-Disposition: form-data; name=\"a\"; filename=\"a.jpg\"\r\n\r\n1234567\r\n--cut--\r\n";
        let taken = |most: usize| {
            let request =
                Request::post("/").header(header::CONTENT_TYPE, "multipart/form-data; boundary=cut");
            let (parts, body) = request.body(Body::from(form)).unwrap().into_parts();
            runtime.block_on(async {
                let limit = Limit::new(most, most, Duration::from_secs(9));
                let (arriving, _memory) = limit.admit(&parts.headers, body).unwrap();
                files(parts, arriving, 1).await
            })
        };
        let files = taken(form.len()).unwrap();
        assert_eq!(
            (files.len(), files[0].name.as_deref(), &*files[0].content),
            (1, Some("a.jpg"), &b"1234567"[..])
        );
        let refusal = taken(form.len() - 1).unwrap_err();
        assert_eq!(
            (refusal.status.as_u16(), refusal.to_string()),
            (413, format!("the body is larger than {} bytes", form.len() - 1))
        );
    }
}
