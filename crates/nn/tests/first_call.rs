//! The first call of libtorch in a process. A binary of its own, since a process has but one.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::process::Command;
use std::sync::Barrier;

use pipeline_nn::{Kind, Tensor};

/// Whether libtorch is mapped into this process.
fn is_loaded() -> bool {
    fs_err::read_to_string("/proc/self/maps").unwrap().contains("libtorch_cpu.so")
}

#[test]
fn two_threads_call_at_once_and_libtorch_is_not_there_before() {
    assert!(!is_loaded(), "libtorch was loaded before anything was computed");
    let gate = Barrier::new(2);
    let mean = |numbers: &[f32]| {
        gate.wait();
        Tensor::from_slice(numbers).mean(Kind::Double).double_value(&[])
    };
    let (a, b) = std::thread::scope(|scope| {
        let a = scope.spawn(|| mean(&[1.0, 2.0]));
        let b = scope.spawn(|| mean(&[3.0, 4.0, 8.0]));
        (a.join().unwrap(), b.join().unwrap())
    });
    assert_eq!((a, b), (1.5, 5.0));
    assert!(is_loaded());
}

#[test]
fn where_libtorch_does_not_load_a_call_ends_the_process_and_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    fs_err::write(folder.path().join("libtorch_cpu.so"), "no library").unwrap();
    // The other test again, in a process that finds this file first.
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "two_threads_call_at_once_and_libtorch_is_not_there_before", "--nocapture"])
        .env("LD_LIBRARY_PATH", folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stderr);
    assert_eq!(child.status.code(), Some(1), "{said}");
    assert!(said.contains("error: cannot load libtorch, which this program expects in `/"), "{said}");
    assert!(said.contains("libtorch_cpu.so: file too short"), "{said}");
    assert!(said.contains("hint: put libtorch 2.13 there"), "{said}");
}
