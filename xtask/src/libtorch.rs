//! libtorch, from the wheels of PyPI, in `.tools/libtorch`; `LIBTORCH` is its `torch` folder.
//!
//! An install is written beside and renamed when it is whole, so a folder with its stamp is complete.
//! An interrupted one is made again, from pip's cache where a download was finished.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::process;
use crate::step::{self, Outcome};
use crate::workspace::Workspace;

/// The version that tch 0.26 asks for.
pub(crate) const VERSION: &str = "2.13.0";

/// `libtorch_cpu.so` names these two libraries, of the versions that torch's own requirements pin.
const SLIM: [&str; 2] = ["nvidia-cuda-runtime==13.0.96", "nvidia-cuda-cupti==13.0.85"];

/// (system, architecture) with wheels of [`VERSION`] on PyPI, as in `std::env::consts`.
const SUPPORTED: [(&str, &str); 3] = [("linux", "x86_64"), ("linux", "aarch64"), ("macos", "aarch64")];

/// Written last, inside the install: what pip was asked for.
const STAMP: &str = "installed";

/// Which libtorch to install. Without either, a GPU's is chosen where there is a GPU.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// With the libraries of an NVIDIA GPU: 2.7 GB to download.
    #[arg(long, conflicts_with = "cpu")]
    gpu: bool,
    /// Without them, also where there is a GPU: 560 MB to download.
    #[arg(long)]
    cpu: bool,
}

impl Options {
    /// What was asked for.
    pub(crate) fn variant(&self) -> Option<Variant> {
        match (self.gpu, self.cpu) {
            (true, _) => Some(Variant::Gpu),
            (_, true) => Some(Variant::Cpu),
            _ => None,
        }
    }
}

/// The two installs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Variant {
    /// Only what the processor needs.
    Cpu,
    /// With the libraries of an NVIDIA GPU; also runs without one.
    Gpu,
}

impl Variant {
    fn name(self) -> &'static str {
        match self {
            Variant::Cpu => "cpu",
            Variant::Gpu => "gpu",
        }
    }
}

/// Makes sure that there is a libtorch to build with. One that the user named in `LIBTORCH` wins.
///
/// # Errors
/// [`Error::NoLibtorch`], [`Error::Platform`], and those of pip.
pub(crate) fn ensure(workspace: &Workspace, wanted: Option<Variant>) -> Result<Outcome, Error> {
    let folder = workspace.tools().join("libtorch");
    if let Some(own) = users_own(std::env::var_os("LIBTORCH"), &folder.join("torch")) {
        if !own.join(library()).is_file() {
            return Err(Error::NoLibtorch { folder: own, file: library() });
        }
        return Ok(Outcome::done("yours", format!("{} (LIBTORCH is set)", own.display())));
    }

    let place = workspace.short(&folder.join("torch")).to_string();
    let has_gpu = gpu_is_here();
    if let Some(installed) = installed(&folder)?
        && wanted.is_none_or(|wanted| installed >= wanted)
    {
        let advice = if has_gpu && installed == Variant::Cpu && wanted.is_none() {
            "; for the GPU here: cargo xtask libtorch --gpu"
        } else {
            ""
        };
        return Ok(Outcome::ready(format!("{place} (torch {VERSION}, {}{advice})", installed.name())));
    }
    let variant = wanted.unwrap_or(if has_gpu { Variant::Gpu } else { Variant::Cpu });
    install(&folder, variant)?;
    Ok(Outcome::done("installed", format!("{place} (torch {VERSION}, {})", variant.name())))
}

/// The libtorch that the user chose. Cargo's own configuration sets `LIBTORCH` to ours, which is not a choice.
fn users_own(set: Option<OsString>, ours: &Path) -> Option<PathBuf> {
    let set = PathBuf::from(set.filter(|value| !value.is_empty())?);
    let same = set == ours || matches!((set.canonicalize(), ours.canonicalize()), (Ok(a), Ok(b)) if a == b);
    (!same).then_some(set)
}

/// What stands in `folder`, when it is whole. An install without a stamp is checked file by file, and stamped.
fn installed(folder: &Path) -> Result<Option<Variant>, Error> {
    let variant = if folder.join("nvidia/cudnn").is_dir() { Variant::Gpu } else { Variant::Cpu };
    let requests = requests(variant, std::env::consts::OS);
    let stamp = folder.join(STAMP);
    if stamp.is_file() && folder.join("torch").join(library()).is_file() {
        let same = fs_err::read_to_string(&stamp)?.trim() == requests.join(" ");
        return Ok(same.then_some(variant));
    }
    if what_is_missing(folder, &requests)?.is_some() {
        return Ok(None);
    }
    fs_err::write(&stamp, requests.join(" ") + "\n")?;
    Ok(Some(variant))
}

fn install(folder: &Path, variant: Variant) -> Result<(), Error> {
    let (system, architecture) = (std::env::consts::OS, std::env::consts::ARCH);
    if !SUPPORTED.contains(&(system, architecture)) {
        return Err(Error::Platform {
            system: system.to_owned(),
            architecture: architecture.to_owned(),
            supported: SUPPORTED.map(|(s, a)| format!("{s} {a}")).join(", "),
        });
    }
    let size = if variant == Variant::Gpu { "2.7 GB" } else { "560 MB" };
    step::note(&format!("downloading torch {VERSION} with pip, {size}"));

    let partial = folder.with_extension("partial");
    let old = folder.with_extension("old");
    remove(&partial)?;
    remove(&old)?;
    let requests = requests(variant, system);
    process::run(
        process::pip().args(arguments(variant, &requests, &partial)).args(process::pip_verbosity()),
    )?;
    if let Some(what) = what_is_missing(&partial, &requests)? {
        return Err(Error::Incomplete { folder: partial, what });
    }
    fs_err::write(partial.join(STAMP), requests.join(" ") + "\n")?;

    if folder.exists() {
        fs_err::rename(folder, &old)?;
    }
    fs_err::rename(&partial, folder)?;
    remove(&old)
}

/// What pip is asked for. On a Mac there is one wheel, and nothing of NVIDIA's.
fn requests(variant: Variant, system: &str) -> Vec<String> {
    let mut requests = vec![format!("torch=={VERSION}")];
    if variant == Variant::Cpu && system == "linux" {
        requests.extend(SLIM.map(str::to_owned));
    }
    requests
}

/// The arguments of pip. `--python-version`: the C++ libraries are the same in the wheels for every
/// Python, so the one that is installed need not be one that torch supports. `--target` is what makes
/// it work in Debian's externally managed Python (PEP 668 concerns installs into the environment itself).
fn arguments(variant: Variant, requests: &[String], target: &Path) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = [
        "install",
        "--only-binary=:all:",
        "--python-version",
        "3.12",
        "--no-compile",
        "--no-warn-conflicts",
        "--target",
    ]
    .map(OsString::from)
    .to_vec();
    arguments.push(target.into());
    if variant == Variant::Cpu {
        arguments.push("--no-deps".into());
    }
    arguments.extend(requests.iter().map(OsString::from));
    arguments
}

/// The first thing that is not as pip recorded it: each requested distribution must have its `RECORD`
/// (lines of path, digest, size), and every file of it must be there with its size. `None`: all is there.
fn what_is_missing(folder: &Path, requests: &[String]) -> Result<Option<String>, Error> {
    for request in requests {
        let (name, version) = request.split_once("==").unwrap_or((request, ""));
        let record = format!("{}-{version}.dist-info/RECORD", name.replace('-', "_"));
        if !folder.join(&record).is_file() {
            return Ok(Some(format!("`{record}` is missing")));
        }
        for (path, size) in recorded_files(&fs_err::read_to_string(folder.join(&record))?) {
            match folder.join(path).metadata() {
                Err(_) => return Ok(Some(format!("`{path}` is missing"))),
                Ok(found) if found.len() != size => {
                    return Ok(Some(format!("`{path}` has {} bytes, expected {size}", found.len())));
                }
                Ok(_) => {}
            }
        }
    }
    Ok(None)
}

/// Path and size of the files in a `RECORD`. Left out: files without a size (the record itself), and
/// scripts (`../../bin/..`), which `--target` puts elsewhere and nothing here uses.
fn recorded_files(record: &str) -> impl Iterator<Item = (&str, u64)> {
    record.lines().filter_map(|line| {
        let (rest, size) = line.rsplit_once(',')?;
        let (path, _digest) = rest.rsplit_once(',')?;
        let path = path.trim_matches('"');
        if path.starts_with("..") { None } else { Some((path, size.parse().ok()?)) }
    })
}

/// The library whose presence makes a folder a libtorch.
fn library() -> &'static str {
    if cfg!(target_os = "macos") { "lib/libtorch_cpu.dylib" } else { "lib/libtorch_cpu.so" }
}

fn gpu_is_here() -> bool {
    Path::new("/dev/nvidia0").exists()
        || process::ask("nvidia-smi", &["--list-gpus"]).is_some_and(|list| list.contains("GPU"))
}

fn remove(folder: &Path) -> Result<(), Error> {
    if folder.exists() {
        fs_err::remove_dir_all(folder)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_that_cargo_sets_is_not_the_users_choice() {
        let ours = Path::new("/project/.tools/libtorch/torch");
        assert_eq!(users_own(None, ours), None);
        assert_eq!(users_own(Some("".into()), ours), None);
        assert_eq!(users_own(Some(ours.into()), ours), None);
        assert_eq!(users_own(Some("/opt/libtorch".into()), ours), Some(PathBuf::from("/opt/libtorch")));
    }

    #[test]
    fn a_processor_needs_torch_and_two_small_wheels_and_a_gpu_everything_torch_names() {
        let cpu = requests(Variant::Cpu, "linux");
        assert_eq!(cpu, ["torch==2.13.0", "nvidia-cuda-runtime==13.0.96", "nvidia-cuda-cupti==13.0.85"]);
        assert_eq!(requests(Variant::Cpu, "macos"), ["torch==2.13.0"]);
        assert_eq!(requests(Variant::Gpu, "linux"), ["torch==2.13.0"]);

        let flag = OsString::from("--no-deps");
        assert!(arguments(Variant::Cpu, &cpu, Path::new("t")).contains(&flag));
        assert!(!arguments(Variant::Gpu, &cpu, Path::new("t")).contains(&flag));
    }

    #[test]
    fn a_record_gives_paths_and_sizes_without_scripts_and_without_itself() {
        let record = "../../bin/torchrun,sha256=a,244\ntorch/lib/libc10.so,sha256=b-_c,1623185\n\
                      \"torch/a,b.h\",sha256=d,7\ntorch-2.13.0.dist-info/RECORD,,\n";
        let files: Vec<_> = recorded_files(record).collect();
        assert_eq!(files, [("torch/lib/libc10.so", 1_623_185), ("torch/a,b.h", 7)]);
    }

    #[test]
    fn an_install_is_whole_only_when_every_recorded_file_has_its_size() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, content: &str| {
            let path = folder.path().join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, content).unwrap();
        };
        let requests = ["nvidia-cuda-cupti==13.0.85".to_owned()];
        let missing = || what_is_missing(folder.path(), &requests).unwrap();

        let record = "nvidia_cuda_cupti-13.0.85.dist-info/RECORD";
        assert_eq!(missing(), Some(format!("`{record}` is missing")));
        write(record, "nvidia/cu13/lib/libcupti.so.13,sha256=x,5\n");
        assert_eq!(missing(), Some("`nvidia/cu13/lib/libcupti.so.13` is missing".to_owned()));
        write("nvidia/cu13/lib/libcupti.so.13", "cut");
        assert_eq!(missing(), Some("`nvidia/cu13/lib/libcupti.so.13` has 3 bytes, expected 5".to_owned()));
        write("nvidia/cu13/lib/libcupti.so.13", "whole");
        assert_eq!(missing(), None);
    }
}
