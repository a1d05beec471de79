//! [`Server`]: takes connections until it is told to stop, and ends what runs.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use pipeline_nn::Dtype;
use pipeline_photo::Tta;
use pipeline_predict::Predictor;
use pipeline_stage::Cancel;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::app::{App, routes};
use crate::body::Limit;
use crate::error::Error;
use crate::impatient::Impatient;
use crate::lane::{Lane, Lenses};
use crate::metrics::Metrics;
use crate::neighbours::Neighbours;
use crate::page::Page;
use crate::queue::Queue;
use crate::settings::Settings;

/// Connections at a time; more wait until one ends.
const MOST_CONNECTIONS: usize = 512;

/// How long a request's headers may take, and a connection be idle: a browser sends headers at once.
const HEADERS_WITHIN: Duration = Duration::from_secs(15);

/// Bytes of a request's headers, and of what is read at a time.
const BUFFER_BYTES: usize = 64 << 10;

/// How often a stop is looked for.
const LOOK: Duration = Duration::from_millis(50);

/// A request that was answered.
#[derive(Debug)]
pub struct Asked<'a> {
    /// `POST`.
    pub method: &'a str,
    /// `/predict`, without the question behind it; percent-encoded by whoever asked.
    pub path: &'a str,
    /// The answer's status.
    pub status: u16,
    /// From the headers to the answer.
    pub took: Duration,
}

/// Told of each request that was answered, on the thread of all connections: it must not wait.
pub type Log = Box<dyn Fn(&Asked<'_>) + Send + Sync>;

/// A model that answers.
pub struct Model {
    /// Loaded from `dir`, with [`Settings::limits`].
    pub predictor: Predictor,
    /// Its folder, read again when Grad-CAM is first asked for: not a link that may come to lead elsewhere.
    pub dir: PathBuf,
    /// What its trunk computes in, settled.
    pub dtype: Dtype,
    /// Whose probabilities are averaged.
    pub tta: Tta,
    /// The photos that it was trained on. Of no use where `tta` leaves the plain view out: features are those of the first view.
    pub neighbours: Option<Neighbours>,
}

/// A place to ask at. Whoever asks before [`Server::run`] waits.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    settings: Settings,
}

impl Server {
    /// Begins to listen.
    ///
    /// # Errors
    /// [`Error::Listen`].
    pub fn bind(settings: Settings) -> Result<Self, Error> {
        let address = settings.address;
        let listen = || {
            let listener = TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok(Server { listener, settings: Settings { address, ..settings } })
        };
        listen().map_err(|source| Error::Listen { address, source })
    }

    /// Where it listens, with the port that was picked.
    pub fn address(&self) -> SocketAddr {
        self.settings.address
    }

    /// Answers until `cancel` says to stop; then takes no connections any more, and ends what runs, within the time-out.
    ///
    /// # Errors
    /// Too little memory for all lanes, or no threads.
    pub fn run(self, model: Model, log: Option<Log>, cancel: &Cancel) -> Result<(), Error> {
        let Server { listener, settings } = self;
        let queue = Arc::new(Queue::new(settings.queue.get()));
        let metrics = Arc::new(Metrics::new(settings.threads.get()));
        let described = describe(&model, &settings);
        let lanes = lanes(&model, settings.threads.get(), &queue, &metrics)?;
        let app = App {
            queue: Arc::clone(&queue),
            limit: Limit::new(settings.most_body, settings.most_in_memory(), settings.timeout),
            most_files: settings.most_files(),
            timeout: settings.timeout,
            is_loopback: settings.is_loopback(),
            origins: settings.origins,
            classes: model.predictor.classes().to_vec(),
            model: described,
            page: Page::new(),
            neighbours: model.neighbours.map(Arc::new),
            reading: Arc::new(Semaphore::new(1)),
            metrics,
            log,
        };
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Start)?;
        let threads: Vec<_> = lanes.into_iter().map(|lane| std::thread::spawn(move || lane.work())).collect();
        let served = runtime.block_on(serve(listener, routes(Arc::new(app)), settings.timeout, cancel));
        queue.close();
        queue.clear();
        // Who is in the middle of a batch ends it. That a lane panicked was said then.
        threads.into_iter().for_each(|thread| drop(thread.join()));
        // A table that is still being read is left behind.
        runtime.shutdown_background();
        served
    }
}

/// A lane for each thread.
fn lanes(
    model: &Model,
    count: usize,
    queue: &Arc<Queue>,
    metrics: &Arc<Metrics>,
) -> Result<Vec<Lane>, Error> {
    let lenses = Arc::new(Lenses::new(model.dir.clone()));
    let lane = |_| {
        Ok(Lane {
            predictor: model.predictor.share()?,
            lenses: Arc::clone(&lenses),
            queue: Arc::clone(queue),
            metrics: Arc::clone(metrics),
        })
    };
    (0..count).map(lane).collect()
}

/// What `GET /model` says. A model's record has content only: no paths, no times.
fn describe(model: &Model, settings: &Settings) -> Value {
    let record = model.predictor.record();
    json!({
        "arch": record.arch,
        "classes": record.classes,
        "preprocessing": record.preprocessing,
        "feature_dim": record.feature_dim,
        "trunk": record.trunk,
        "head": record.head,
        "dtype": model.dtype.as_str(),
        "tta": model.tta.to_string(),
        "neighbours": model.neighbours.is_some(),
        "pictures": model.neighbours.as_ref().is_some_and(Neighbours::has_pictures),
        "limits": {
            "body_bytes": settings.most_body,
            "pixels": model.predictor.limits().max_pixels,
            "files": settings.most_files(),
            "seconds": settings.timeout.as_secs_f64(),
        },
    })
}

/// Takes connections until `cancel`, then ends those there are within `most`.
async fn serve(listener: TcpListener, router: Router, most: Duration, cancel: &Cancel) -> Result<(), Error> {
    let listener = tokio::net::TcpListener::from_std(listener).map_err(Error::Start)?;
    let connections = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let graceful = GracefulShutdown::new();
    while !cancel.is_cancelled() {
        let place = timeout(LOOK, Arc::clone(&connections).acquire_owned()).await;
        let Ok(Ok(place)) = place else { continue };
        let stream = match timeout(LOOK, listener.accept()).await {
            Err(_) => continue,
            Ok(Ok((stream, _))) => stream,
            Ok(Err(_)) => {
                // Too many open files: some are closed soon.
                sleep(LOOK).await;
                continue;
            }
        };
        // An answer is written at once; it need not wait for more.
        let _ = stream.set_nodelay(true);
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADERS_WITHIN.min(most))
            .max_buf_size(BUFFER_BYTES)
            .serve_connection(
                TokioIo::new(Impatient::new(stream, most)),
                TowerToHyperService::new(router.clone()),
            );
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // Whoever breaks off has no answer to miss.
            let _ = connection.await;
            drop(place);
        });
    }
    drop(listener);
    let _ = timeout(most, graceful.shutdown()).await;
    Ok(())
}
