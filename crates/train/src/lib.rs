//! The training loop, for every stage that trains: batches, steps, measurements, checkpoints, history, and the
//! learning-rate finder.
//!
//! A stage says what is trained ([`Learner`]) and on what ([`Data`]); the user says how ([`Recipe`](pipeline_fit::Recipe));
//! [`fit`](fit()) does it, and [`find`](find()) looks for a rate. Nothing here knows photos or features: those are the
//! stages' own. Not here either: the arithmetic of rates and losses on plain numbers (`fit`), networks and optimisers (`nn`).
//!
//! Reading order: [`learner`], [`data`], `order`, `step`, [`fit`](mod@fit), `checkpoint`, `resume`, `journal`,
//! [`find`](mod@find), [`outputs`].
//!
//! What random numbers depend on, so that a training that was killed goes on to the same bits: the order of an epoch on
//! (`order`, epoch), the dropout masks of a batch on (`dropout`, number of the batch over the whole fit), a photo's view
//! on the photo and the epoch. None depends on what was drawn before.

mod checkpoint;
pub mod data;
mod error;
pub mod find;
pub mod fit;
mod journal;
pub mod learner;
mod order;
pub mod outputs;
mod resume;
mod step;

pub use data::{Batch, Data, Mixed};
pub use error::Error;
pub use find::find;
pub use fit::{Trained, fit};
pub use learner::{LayerGroup, Learner};
