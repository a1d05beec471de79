//! The arithmetic of training on plain numbers: metrics, the running loss, learning-rate schedules,
//! the batches of an epoch. Called by the stages that train and evaluate.
//! Not here: tensors, optimisers and networks (`nn`), files and tables (`table`), drawing.
//!
//! | to measure or decide | file |
//! |---|---|
//! | share of right answers | [`mod@accuracy`] |
//! | loss on log-probabilities | [`likelihood`] |
//! | which class is taken for which | [`confusion`] |
//! | the loss shown while training | [`average`] |
//! | learning rate at a step | [`schedule`] |
//! | the rows of an epoch, cut into batches | [`mod@batches`] |

pub mod accuracy;
pub mod average;
pub mod batches;
pub mod confusion;
mod error;
pub mod likelihood;
pub mod schedule;

pub use accuracy::{accuracy, argmax};
pub use average::DebiasedAverage;
pub use batches::batches;
pub use confusion::Confusion;
pub use error::Error;
pub use likelihood::{mean_negative_log_likelihood, negative_log_likelihood};
pub use schedule::Schedule;

/// What functions of this crate return.
pub type Result<T> = std::result::Result<T, Error>;
