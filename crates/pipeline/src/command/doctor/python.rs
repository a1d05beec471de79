//! Packages for Python that read what stages leave. No run needs them.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::check::Check;

/// The packages that the README reads tables with, and the one that runs exported models.
const PACKAGES: [&str; 5] = ["duckdb", "polars", "pandas", "pyarrow", "onnxruntime"];

/// Versions of the packages in its arguments that are installed, a line each. Nothing of them is imported.
const SCRIPT: &str = "\
import sys
from importlib.metadata import version, PackageNotFoundError
print('Python', sys.version.split()[0])
for name in sys.argv[1:]:
    try:
        print(name, version(name))
    except PackageNotFoundError:
        pass
";

/// How long Python may take.
const LIMIT: Duration = Duration::from_secs(3);

/// Bytes of its answer that are read.
const MOST_BYTES: u64 = 10_000;

/// What to do where there is none.
const HINT: &str = "no run needs it; to read tables elsewhere: `cargo xtask python`, or name a Python that has them in PIPELINE_PYTHON";

/// Which packages the Python of the environment has.
pub(super) fn python() -> Vec<Check> {
    let named = std::env::var_os("PIPELINE_PYTHON").map(PathBuf::from);
    vec![looked_into(named)]
}

fn looked_into(named: Option<PathBuf>) -> Check {
    // A path is the same from the folder that Python is started in, which must not be one with modules in it.
    let is_path = |python: &PathBuf| python.components().count() > 1;
    let python = named.unwrap_or_else(|| "python3".into());
    let python = if is_path(&python) { std::path::absolute(&python).unwrap_or(python) } else { python };
    match ask(&python) {
        Ok(answer) => judged(&python, &answer),
        Err(why) => Check::note("python", format!("{}: {why}", python.display()), HINT),
    }
}

fn judged(python: &Path, answer: &str) -> Check {
    let mut lines = answer.lines();
    let version = lines.next().unwrap_or("Python of an unknown version");
    let found: Vec<&str> = lines.collect();
    let has = |name: &&str| found.iter().any(|line| line.split(' ').next() == Some(name));
    let absent: Vec<&str> = PACKAGES.iter().filter(|name| !has(name)).copied().collect();
    let text = [&[version][..], &found].concat().join(", ");
    match absent.as_slice() {
        [] => Check::ok("python", format!("{}: {text}", python.display())),
        absent => Check::note(
            "python",
            format!("{}: {text}; without {}", python.display(), absent.join(", ")),
            HINT,
        ),
    }
}

/// What it answers; it is ended where it takes too long.
fn ask(python: &Path) -> Result<String, String> {
    let mut command = Command::new(python);
    command.arg("-c").arg(SCRIPT).args(PACKAGES).current_dir("/");
    let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut child = spawned.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "not found".to_owned(),
        _ => format!("does not start: {error}"),
    })?;
    let began = Instant::now();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break Ok(status),
            Ok(None) if began.elapsed() < LIMIT => std::thread::sleep(Duration::from_millis(5)),
            Ok(None) => break Err(format!("no answer within {} s", LIMIT.as_secs())),
            Err(error) => break Err(error.to_string()),
        }
    };
    let status = status.inspect_err(|_| {
        // Where it cannot be ended, it is left alone.
        let _ = child.kill().and_then(|()| child.wait());
    })?;
    let mut answer = String::new();
    let read = child.stdout.take().map(|out| out.take(MOST_BYTES).read_to_string(&mut answer));
    match read {
        Some(Ok(_)) if status.success() => Ok(answer),
        _ => Err(format!("does not answer ({status})")),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::check::Standing;
    use super::*;

    /// A program in the place of Python that does this.
    fn program(dir: &Path, shell: &str) -> PathBuf {
        let path = dir.join("python");
        fs_err::write(&path, format!("#!/bin/sh\n{shell}\n")).unwrap();
        fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn packages_are_listed_with_those_that_are_not_there() {
        let python = Path::new("py");
        let some = judged(python, "Python 3.12.1\nduckdb 1.4\npandas 2.3\n");
        let expected = "py: Python 3.12.1, duckdb 1.4, pandas 2.3; without polars, pyarrow, onnxruntime";
        assert_eq!((some.standing, some.found.as_str()), (Standing::Note, expected));
        let all = PACKAGES.map(|name| format!("{name} 1\n")).concat();
        assert_eq!(judged(python, &format!("Python 3.12.1\n{all}")).standing, Standing::Ok);
    }

    #[test]
    fn a_python_that_is_not_there_fails_or_hangs_is_a_note() {
        let dir = tempfile::tempdir().unwrap();
        let of = |python: PathBuf| {
            let check = looked_into(Some(python.clone()));
            assert_eq!(check.standing, Standing::Note);
            check.found.strip_prefix(&format!("{}: ", python.display())).unwrap().to_owned()
        };
        assert_eq!(of(dir.path().join("none")), "not found");
        assert_eq!(of("pipeline-no-such-program".into()), "not found");
        assert_eq!(of(program(dir.path(), "exit 3")), "does not answer (exit status: 3)");
        let began = Instant::now();
        assert_eq!(of(program(dir.path(), "exec sleep 60")), "no answer within 3 s");
        assert!(began.elapsed().as_secs() < 30);
    }
}
