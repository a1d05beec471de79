//! libtorch, and the device that it computes on.

use std::path::Path;
use std::time::Instant;

use pipeline_nn::{Device, device as devices, libtorch as torch};
use pipeline_stage::Hint;
use pipeline_stage::failure::full_message;

use super::check::Check;
use crate::terminal::words;

const LIBTORCH: &str = "libtorch";

/// Where it is, its version, and whether it loads.
pub(super) fn libtorch() -> Vec<Check> {
    let began = Instant::now();
    let loaded = torch::load();
    let seconds = began.elapsed().as_secs_f64();
    vec![match loaded {
        Ok(()) => {
            let lib =
                torch::loaded_from().or_else(|| torch::built_with().map(Path::to_owned)).unwrap_or_default();
            loads(&lib, torch::version_in(&lib), seconds)
        }
        Err(error) => {
            let version = torch::built_with().and_then(torch::version_in);
            let version =
                version.map_or_else(String::new, |version| format!(" (the one there is {version})"));
            Check::problem(LIBTORCH, full_message(&error) + &version, error.hint().unwrap_or_default())
        }
    }]
}

fn loads(lib: &Path, version: Option<String>, seconds: f64) -> Check {
    let place = format!("in {}, loaded in {}", lib.display(), words::duration(seconds));
    match version {
        Some(version) if is_ours(&version) => Check::ok(LIBTORCH, format!("{version} {place}")),
        Some(version) => {
            let hint = format!(
                "put libtorch {} there, or name its folder in LD_LIBRARY_PATH: another may crash or compute something else",
                torch::VERSION
            );
            Check::problem(LIBTORCH, format!("{version} {place}, expected {}", torch::VERSION), hint)
        }
        None => {
            let hint = format!("see to it that it is libtorch {}", torch::VERSION);
            Check::note(LIBTORCH, format!("of a version that it does not tell, {place}"), hint)
        }
    }
}

/// `2.13.0+cpu`, and not `2.130`.
fn is_ours(version: &str) -> bool {
    version.strip_prefix(torch::VERSION).is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// Where a run would compute.
pub(super) fn device() -> Vec<Check> {
    let device = devices::pick();
    let label = devices::label(device);
    vec![match device {
        Device::Cpu if devices::has_driver() => Check::note(
            "device",
            format!(
                "{label}, although NVIDIA's driver is here: libtorch has no CUDA that loads, or finds no GPU"
            ),
            "build against a libtorch with CUDA, and look at `nvidia-smi` and CUDA_VISIBLE_DEVICES",
        ),
        Device::Cpu => Check::ok("device", format!("{label}: no NVIDIA driver here")),
        _ => Check::ok("device", label),
    }]
}

#[cfg(test)]
mod tests {
    use super::super::check::Standing;
    use super::*;

    #[test]
    fn another_version_is_a_problem_and_an_unknown_one_a_note() {
        let of = |version: Option<&str>| loads(Path::new("/t/lib"), version.map(str::to_owned), 0.31);
        assert_eq!(of(Some("2.13.0+cpu")), Check::ok("libtorch", "2.13.0+cpu in /t/lib, loaded in 0.3 s"));
        let other = of(Some("2.9.1"));
        assert_eq!(other.standing, Standing::Problem);
        assert_eq!(other.found, "2.9.1 in /t/lib, loaded in 0.3 s, expected 2.13");
        assert_eq!(of(Some("2.130.0")).standing, Standing::Problem);
        assert_eq!(
            (of(None).standing, of(None).hint.unwrap().as_str()),
            (Standing::Note, "see to it that it is libtorch 2.13")
        );
    }
}
