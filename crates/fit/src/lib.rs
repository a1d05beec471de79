//! The arithmetic of training on plain numbers: the recipe that a user writes, metrics, the running loss,
//! learning-rate schedules and the learning-rate finder, the batches of an epoch. Called by the stages that train and
//! evaluate. Not here: tensors, optimisers and networks (`nn`), files and tables (`table`), drawing.
//!
//! | to measure or decide | file |
//! |---|---|
//! | which class has the largest score | [`mod@argmax`] |
//! | what several views of a photo say together | [`mod@log_mean`] |
//! | which class is taken for which | [`confusion`] |
//! | how good a model's answers are, with intervals | [`measures`] |
//! | whether two models differ beyond chance | [`mod@mcnemar`] |
//! | which labels are likely wrong | [`confident`] |
//! | the loss shown while training | [`average`] |
//! | how to train: the parameters that stages share | [`recipe`] |
//! | what of it the finder looks at | [`searched`] |
//! | learning rate at a step | [`schedule`] |
//! | losses of growing learning rates, and when to stop | [`finder`] |
//! | which learning rate such a curve suggests | [`suggestion`] |
//! | the rows of an epoch, cut into batches | [`mod@batches`] |
//! | classes of unlike size: their weights, and an epoch with all of them alike | [`balance`] |
//! | the best epoch, and when to stop waiting for a better one | [`patience`] |

pub mod argmax;
pub mod average;
pub mod balance;
pub mod batches;
pub mod confident;
pub mod confusion;
mod error;
pub mod finder;
pub mod log_mean;
pub mod mcnemar;
pub mod measures;
pub mod patience;
pub mod recipe;
pub mod schedule;
pub mod searched;
pub mod suggestion;

pub use argmax::argmax;
pub use average::DebiasedAverage;
pub use balance::{class_weights, draw_balanced};
pub use batches::batches;
pub use confident::{LabelIssue, label_issues};
pub use confusion::{Confusion, most_confused};
pub use error::Error;
pub use finder::{Curve, FinderRange, Point};
pub use log_mean::log_mean;
pub use mcnemar::McNemar;
pub use measures::{
    Answers, Bin, Calibration, ClassCurves, ClassMeasures, Estimate, Interval, MeasureOptions, Measures,
};
pub use patience::{Best, Patience, Seen};
pub use recipe::{ClassWeights, Decays, Find, Keep, Length, OptimizerKind, Rates, Recipe, Sampler, spread};
pub use schedule::{Schedule, ScheduleKind};
pub use searched::{HasRecipe, Searched};
pub use suggestion::{NoSuggestion, Suggestion};

/// What functions of this crate return.
pub type Result<T> = std::result::Result<T, Error>;
