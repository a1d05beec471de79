//! The `evaluate` stage on small pictures, heads and features.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod fixtures;
mod insights;
mod page;
mod photos;
mod refusals;
mod table;
mod test_time;
