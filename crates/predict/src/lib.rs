//! A model folder and photos in, probabilities of its classes out. Called by whatever uses a trained model: the command
//! `predict`, and others that answer for photos.
//!
//! [`Predictor`] does what `precompute` and `evaluate` do, in one place and in memory: it decodes a photo as the model's record
//! says, runs the trunk on batches of one size and the head on their features, on one libtorch thread. One predictor
//! [shared](Predictor::share) among threads gives each of them a lane of its own, whose answers depend on nothing but the photo.
//! Not here: which photos there are, and what is done with the answers.
//!
//! Reading order: [`predictor`], [`answer`], [`photo`], [`views`].

pub mod answer;
mod error;
pub mod photo;
pub mod predictor;
pub mod views;

pub use answer::{Answer, Prediction};
pub use error::Error;
pub use photo::Photo;
pub use predictor::{BATCH_SIZE, Options, Predictor, Spent};
pub use views::Views;
