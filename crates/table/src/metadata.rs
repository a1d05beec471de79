//! Keys of the key-value metadata in a table's Parquet footer. Every value is content: text that follows
//! from the rows' making, never a time, host or path.
//!
//! Arrow adds `ARROW:schema`, the columns' arrow types in its own encoding: from it polars and pandas know
//! that a vector has a fixed length. It is a function of the columns, so it is content too; readers that do
//! not know it see a plain list.

/// Which table the file holds: `images`, `views`, `features`, `predictions`, `answers`, `history`, `lr_curve`, or the name that a
/// [plain](crate::plain) table was given.
pub const TABLE: &str = "pipeline.table";

/// Version of the table's columns and metadata, [`SCHEMA_VERSION`].
pub const SCHEMA: &str = "pipeline.schema";

/// The version that this crate writes. Raised when an older reader could not use the table; a new column or
/// key does not raise it.
pub const SCHEMA_VERSION: u32 = 1;

/// Views: the augmentation policy whose numbers the columns are, as canonical JSON.
pub const POLICY: &str = "pipeline.policy";

/// Features: the backbone's name, for example `resnet34`.
pub const ARCH: &str = "pipeline.arch";

/// Features: digest of the trunk's weights, 64 hexadecimal digits.
pub const WEIGHTS: &str = "pipeline.weights";

/// Features: how photos became input of the trunk, as canonical JSON.
pub const PREPROCESSING: &str = "pipeline.preprocessing";

/// Features: length of `emb`.
pub const DIM: &str = "pipeline.dim";

/// Features: numeric format in which the trunk computed, `f32` or `bf16`, as in YAML. `emb` is float32 always.
pub const DTYPE: &str = "pipeline.dtype";

/// Features: how the trunk's last map was pooled, where that is not `max_avg`: `avg`, as in YAML.
pub const POOL: &str = "pipeline.pool";

/// Features: length of `logits`, where the table has them.
pub const LOGITS: &str = "pipeline.logits";

/// Features, predictions and answers: class names in order of their numbers (which is that of `probs`), as a JSON list.
pub const CLASSES: &str = "pipeline.classes";

/// Written as the file's `created_by` in place of the library's name and version, so that another version
/// of the library does not by itself give another file.
pub const CREATED_BY: &str = "pipeline-table version 1.0.0";
