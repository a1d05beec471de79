//! Where tensors are computed: the processor, or the first CUDA device where there is one.
//!
//! A libtorch with CUDA keeps it in a library of its own, `libtorch_cuda.so`, which registers itself when it
//! is loaded. Nothing in a Rust program refers to its symbols, so the linker leaves it out, and a program
//! linked with it would not start on a machine without CUDA. It is therefore loaded by [`pick`].

use std::num::NonZeroUsize;
use std::sync::OnceLock;

use tch::Device;

use crate::libtorch;

/// NVIDIA's driver.
#[cfg(target_os = "linux")]
const DRIVER: &str = "libcuda.so.1";

/// The first CUDA device where one can be used, else the processor.
///
/// The first call loads libtorch's CUDA library when the machine has NVIDIA's driver. A library that is
/// absent or does not load (a slim libtorch comes without the libraries that it needs) means the processor. Without the
/// driver libtorch is not touched: a plan, which settles `dtype: auto` by this, must not load it.
pub fn pick() -> Device {
    static CUDA: OnceLock<Option<libloading::Library>> = OnceLock::new();
    let loaded = CUDA.get_or_init(load_cuda);
    let is_there = loaded.is_some() && libtorch::load().is_ok();
    if is_there { Device::cuda_if_available() } else { Device::Cpu }
}

/// Whether this machine has NVIDIA's driver, so that it has, or had, a GPU of theirs.
pub fn has_driver() -> bool {
    #[cfg(target_os = "linux")]
    let found = load(DRIVER).is_some();
    #[cfg(not(target_os = "linux"))]
    let found = false;
    found
}

/// How a device is written in manifests and messages: `cpu`, `cuda:0`.
pub fn label(device: Device) -> String {
    match device {
        Device::Cpu => "cpu".to_owned(),
        Device::Cuda(index) => format!("cuda:{index}"),
        Device::Mps => "mps".to_owned(),
        Device::Vulkan => "vulkan".to_owned(),
    }
}

/// Sets how many threads libtorch uses for work started by the calling thread.
///
/// Each thread that computes must call this first: a new thread inherits the last value set anywhere in the
/// process. Results have the same bits for the same count, and may differ in the last bits for another.
pub fn set_threads(count: NonZeroUsize) {
    tch::set_num_threads(i32::try_from(count.get()).unwrap_or(i32::MAX));
}

#[cfg(target_os = "linux")]
fn load_cuda() -> Option<libloading::Library> {
    // The driver is looked for first because loading CUDA's gigabytes to learn that there is no device takes seconds.
    load(DRIVER)?;
    // By its bare name, so that it is found on the run path, beside the `libtorch_cpu.so` in use.
    load("libtorch_cuda.so")
}

#[cfg(not(target_os = "linux"))]
fn load_cuda() -> Option<libloading::Library> {
    None
}

/// Loads a shared library with its symbols visible to all others; `None` when it or something it needs is absent.
#[cfg(target_os = "linux")]
fn load(name: &str) -> Option<libloading::Library> {
    use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
    // SAFETY: loading runs the library's initialisers. Both names belong to NVIDIA's driver and to libtorch,
    // whose initialisers only fill their own registries and may run on any thread.
    let library = unsafe { Library::open(Some(name), RTLD_NOW | RTLD_GLOBAL) }.ok()?;
    Some(library.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_labelled_as_in_manifests() {
        assert_eq!(label(Device::Cpu), "cpu");
        assert_eq!(label(Device::Cuda(1)), "cuda:1");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_library_that_is_absent_is_not_an_error() {
        assert!(load("libpipeline_no_such_library.so").is_none());
    }

    #[test]
    fn a_device_is_picked_and_computes() {
        let device = pick();
        let sum = tch::Tensor::from_slice(&[1f32, 2.0, 3.0]).to_device(device).sum(tch::Kind::Float);
        assert_eq!(sum.double_value(&[]), 6.0, "on {}", label(device));
        assert_eq!(pick(), device);
    }

    #[test]
    fn the_thread_count_of_the_calling_thread_is_set() {
        let counts: Vec<i32> = [1, 3]
            .into_iter()
            .map(|n| {
                std::thread::spawn(move || {
                    set_threads(NonZeroUsize::new(n).unwrap());
                    tch::get_num_threads()
                })
                .join()
                .unwrap()
            })
            .collect();
        assert_eq!(counts, [1, 3]);
    }
}
