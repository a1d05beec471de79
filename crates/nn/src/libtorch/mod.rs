//! Getting libtorch into the process, half a gigabyte whose own start takes 0.3 s: when something is computed, not
//! when the program starts. Most commands compute nothing.
//!
//! On Linux (x86-64) the program is linked with small functions in place of tch's C++ bindings, and the bindings
//! lie within it as a shared library, the only thing that needs libtorch (`late`). Elsewhere, and where the build
//! warns that it could not make them, libtorch is linked as usual (`linked`).

#[cfg(late_libtorch)]
mod late;
#[cfg(late_libtorch)]
pub use late::load;

#[cfg(not(late_libtorch))]
mod linked;
#[cfg(not(late_libtorch))]
pub use linked::load;
