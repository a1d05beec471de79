//! Gives this crate's tests the run path to libtorch, as every crate that links `pipeline-nn` must.

fn main() {
    if let Ok(dir) = std::env::var("DEP_PIPELINE_NN_LIBTORCH_LIB") {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{dir}");
    }
}
