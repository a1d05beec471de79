//! What the machine must have before anything is done, and the package that brings it.
//!
//! Rust itself is not looked for here: Cargo has built this program, and refuses a compiler older than
//! the workspace's `rust-version` with a message of its own.

use crate::error::Error;
use crate::process::{ask, cargo};

/// Something that a task needs of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Python 3 with a pip that knows today's wheels.
    Pip,
    /// A C++ compiler, for libtorch's bindings.
    Compiler,
    /// A Python that the pinned packages of the tests exist for.
    TestPython,
    /// `cargo fmt` and `cargo clippy`.
    Components,
}

/// Something that the machine lacks.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Missing {
    /// What, for people.
    pub(crate) what: String,
    /// How to get it.
    pub(crate) from: Origin,
}

/// Where a missing thing comes from.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Packages of Debian and Ubuntu.
    Debian(&'static str),
    /// A command that installs it.
    Command(&'static str),
    /// A newer program of this name, which must come first in `PATH`.
    OnPath(&'static str),
}

/// How to get all that is missing, in one sentence.
pub(crate) fn way_out(missing: &[Missing]) -> String {
    let mut packages = Vec::new();
    let mut ways = Vec::new();
    for thing in missing {
        match thing.from {
            Origin::Debian(package) => packages.push(package),
            Origin::Command(command) => ways.push(format!("run `{command}`")),
            Origin::OnPath(program) => ways.push(format!("put a newer `{program}` first in PATH")),
        }
    }
    if !packages.is_empty() {
        ways.insert(0, format!("on Debian and Ubuntu, as root: `apt install {}`", packages.join(" ")));
    }
    ways.join("; ")
}

/// Torch's wheels are tagged `manylinux_2_28`, a form that pip reads from this version on (PEP 600).
const OLDEST_PIP: (u32, u32) = (20, 3);

/// What the packages pinned in `tests/interop/requirements.txt` need.
const OLDEST_TEST_PYTHON: (u32, u32) = (3, 11);

/// Looks for everything needed and names all that is missing at once.
///
/// # Errors
/// [`Error::Missing`].
pub(crate) fn check(needs: &[Need]) -> Result<(), Error> {
    let missing: Vec<Missing> = needs.iter().filter_map(|need| look(*need)).collect();
    if missing.is_empty() { Ok(()) } else { Err(Error::Missing(missing)) }
}

fn look(need: Need) -> Option<Missing> {
    match need {
        Need::Pip => match ask("python3", &["--version"]) {
            None => Some(debian("Python 3 with pip", "python3 python3-pip")),
            Some(_) => pip_is_missing(ask("python3", &["-m", "pip", "--version"]).as_deref()),
        },
        Need::Compiler => {
            let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".to_owned());
            // CXX may hold a wrapper and arguments (`ccache g++`); its first word must run.
            let program = compiler.split_whitespace().next().unwrap_or("c++").to_owned();
            ask(&program, &["--version"])
                .is_none()
                .then(|| debian(&format!("a C++ compiler (`{program}`)"), "g++"))
        }
        // Where there is no Python at all, `Need::Pip` says so.
        Need::TestPython => python_is_too_old(&ask("python3", &["--version"])?),
        Need::Components => {
            let lacks = |tool: &str| {
                let found = cargo().args([tool, "--version"]).output().is_ok_and(|o| o.status.success());
                (!found).then(|| format!("`cargo {tool}`"))
            };
            let lacking: Vec<String> = ["fmt", "clippy"].into_iter().filter_map(lacks).collect();
            (!lacking.is_empty()).then(|| Missing {
                what: lacking.join(" and "),
                from: Origin::Command("rustup component add rustfmt clippy"),
            })
        }
    }
}

/// `answer` is what `python3 -m pip --version` printed: `pip 23.2.1 from ...`.
fn pip_is_missing(answer: Option<&str>) -> Option<Missing> {
    let Some(answer) = answer else {
        return Some(debian("pip for Python 3", "python3-pip"));
    };
    let (found, version) = version(answer);
    (found < OLDEST_PIP).then(|| Missing {
        what: format!("pip {}.{} or newer (found {version})", OLDEST_PIP.0, OLDEST_PIP.1),
        from: Origin::Command("python3 -m pip install --user --upgrade pip"),
    })
}

/// `answer` is what `python3 --version` printed: `Python 3.11.2`.
fn python_is_too_old(answer: &str) -> Option<Missing> {
    let (found, version) = version(answer);
    let (major, minor) = OLDEST_TEST_PYTHON;
    (found < OLDEST_TEST_PYTHON).then(|| Missing {
        what: format!("Python {major}.{minor} or newer (found {version})"),
        from: Origin::OnPath("python3"),
    })
}

/// Major and minor version in the second word of an answer, and that word.
fn version(answer: &str) -> ((u32, u32), &str) {
    let version = answer.split_whitespace().nth(1).unwrap_or_default();
    let mut numbers = version.split('.').map(|part| part.parse().unwrap_or(0));
    ((numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)), version)
}

fn debian(what: &str, packages: &'static str) -> Missing {
    Missing { what: what.to_owned(), from: Origin::Debian(packages) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_pip_is_named_with_its_debian_package() {
        let missing = pip_is_missing(None).unwrap();
        assert_eq!(missing.what, "pip for Python 3");
        assert_eq!(way_out(&[missing]), "on Debian and Ubuntu, as root: `apt install python3-pip`");
    }

    #[test]
    fn a_pip_that_does_not_know_the_wheels_is_too_old() {
        let missing = pip_is_missing(Some("pip 20.0.2 from /usr/lib/python3 (python 3.8)")).unwrap();
        assert_eq!(missing.what, "pip 20.3 or newer (found 20.0.2)");
        assert_eq!(pip_is_missing(Some("pip 20.3 from x")), None);
        assert_eq!(pip_is_missing(Some("pip 23.2.1 from x")), None);
    }

    #[test]
    fn a_python_that_the_pinned_packages_do_not_know_is_too_old() {
        let missing = python_is_too_old("Python 3.10.12").unwrap();
        assert_eq!(missing.what, "Python 3.11 or newer (found 3.10.12)");
        assert_eq!(way_out(&[missing]), "put a newer `python3` first in PATH");
        assert_eq!(python_is_too_old("Python 3.11.2"), None);
    }

    #[test]
    fn all_debian_packages_are_named_in_one_command() {
        let missing = [
            debian("pip for Python 3", "python3-pip"),
            Missing { what: "`cargo fmt`".into(), from: Origin::Command("rustup component add rustfmt") },
            debian("a C++ compiler", "g++"),
        ];
        assert_eq!(
            way_out(&missing),
            "on Debian and Ubuntu, as root: `apt install python3-pip g++`; run `rustup component add rustfmt`"
        );
    }
}
