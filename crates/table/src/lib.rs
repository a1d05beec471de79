//! The Parquet tables that cross a stage border, and that people open in DuckDB, polars or pandas.
//! Called by every stage that writes or reads rows. Beside them
//! [`classes`], the names of the label numbers. Not here: other JSON files (each stage's own), photos, tensors.
//!
//! | table | file | one row |
//! |---|---|---|
//! | `images` | [`images`] | a photo of the data set and the verdict on it |
//! | `views` | [`views`] | a view of a photo, with the numbers that an augmentation drew |
//! | `features` | [`features`] | the features of one view of a photo |
//! | `predictions` | [`predictions`] | what one model says of a photo |
//! | `answers` | [`answers`] | what one model says of a photo that is in no data set |
//! | `history` | [`history`] | one epoch or step of a training |
//! | `lr_curve` | [`curve`] | one step of the learning-rate finder |
//! | any other | [`plain`] | what its columns say: a combination of a sweep |
//!
//! All files: zstd level 1, rows in a checked order, row groups of 8,192 rows, and a function of the rows
//! alone: no time, host, path or version of a library is in them. How a file is laid out is in one place,
//! `writer`, and how it is checked when opened in another, `reader`. The key-value metadata is named in
//! [`metadata`]. Tables of other people's making are read by [`texts`]. What is computed of features in one pass over their table: [`feature_stats`], [`nearest`].

pub mod answers;
mod appearance;
pub mod classes;
mod columns;
pub mod curve;
mod error;
pub mod feature_stats;
pub mod features;
pub mod history;
pub mod images;
pub mod metadata;
pub mod nearest;
mod number;
mod order;
pub mod plain;
pub mod predictions;
mod reader;
pub mod split;
pub mod texts;
pub mod views;
mod writer;

pub use answers::{AnswerRow, AnswersReader, AnswersWriter, Refused, Said};
pub use appearance::Appearance;
pub use curve::{CURVE_FILE, CurveReader, CurveRow, CurveWriter};
pub use error::Error;
pub use feature_stats::FeatureStats;
pub use features::{FeatureRow, Features, FeaturesMeta, FeaturesReader, FeaturesWriter};
pub use history::{HISTORY_LINES_FILE, HistoryReader, HistoryRow, HistoryWriter};
pub use images::{ImageRow, ImagesReader, ImagesWriter, Verdict};
pub use plain::Column;
pub use predictions::{Mode, PredictionRow, PredictionsReader, PredictionsWriter};
pub use split::Split;
pub use texts::Texts;
pub use views::{VIEWS_FILE, ViewRow, ViewRows, ViewsReader, ViewsWriter};

/// What functions of this crate return.
pub type Result<T> = std::result::Result<T, Error>;
