//! The tables as their users see them: rows come back, files are the same bytes, damage and
//! contradictions are named, other tools agree.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "helpers of tests: a failure fails the test, a skip is said"
)]

mod curve;
mod damage;
mod form;
mod interop;
mod lines;
mod looking;
mod refused;
mod round_trip;
mod rows;
mod speed;
mod views;
