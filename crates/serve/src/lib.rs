//! A trained model that answers over HTTP, and a page to ask it from. Called by the command `serve`; no stage.
//!
//! [`Server`] takes connections on one thread, with limits on what each may take and how long; a photo goes to a queue, from which
//! `lane`s, threads with a [`Predictor`](pipeline_predict::Predictor) each, take as many as wait, up to a batch. So requests of
//! several people share batches, and an answer does not depend on who else asks. Photos are never written to disk, and no file is
//! served by name. Not here: encryption and passwords; whoever opens this to a network puts something before it that has them.
//!
//! | request | answer |
//! |---|---|
//! | `GET /` | the page, whole: it asks for nothing elsewhere |
//! | `POST /predict` | class and probabilities of a photo (the body), or of each file of a multipart form; `?top=K`, `?gradcam=1`, `?neighbours=K` |
//! | `GET /training/ROW` | a training photo, small, by the number that `neighbours` gave |
//! | `GET /model` | what the model is, and what may be asked |
//! | `GET /health` | 200 while it answers |
//! | `GET /metrics` | counts and times, for Prometheus |
//!
//! Reading order: [`server`], `impatient`, `app`, `guard`, `predict`, `body`, `queue`, `lane`, `told`, [`neighbours`], `metrics`, `page`.

mod app;
mod body;
mod error;
mod guard;
mod impatient;
mod lane;
mod metrics;
pub mod neighbours;
mod page;
mod predict;
mod queue;
mod refusal;
pub mod server;
mod settings;
mod told;

pub use error::Error;
pub use neighbours::Neighbours;
pub use server::{Asked, Model, Server};
pub use settings::{MOST_FILES, Settings};
