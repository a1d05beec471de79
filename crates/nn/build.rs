//! Tells the linker where libtorch is found at run time, for this crate's tests, and passes the folder on.
//!
//! A package's link arguments do not reach the packages that depend on it. Each package with a binary or
//! tests that link this crate therefore needs a build script that emits the same argument from
//! `DEP_PIPELINE_NN_LIBTORCH_LIB`.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=DEP_TCH_LIBTORCH_LIB");
    // Absent where torch-sys was told to build its documentation only.
    if let Ok(dir) = std::env::var("DEP_TCH_LIBTORCH_LIB") {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{dir}");
        println!("cargo::metadata=libtorch_lib={dir}");
    }
}
