//! Chromium, in which the tests open the page `report.html`. Without it those tests say that they are skipped.

use std::path::PathBuf;
use std::process::Command;

use crate::error::Error;
use crate::process::{ask, run};
use crate::step::{self, Outcome};

/// Debian's package, and the name of its program.
const PACKAGE: &str = "chromium";

/// Makes sure that Chromium is there, where we may install it: on Debian and Ubuntu, as root. Where apt-get fails, as without a
/// network, it is absent: everything else can be tested without it.
///
/// # Errors
/// None.
pub(crate) fn ensure() -> Result<Outcome, Error> {
    if let Some(version) = ask(PACKAGE, &["--version"]) {
        return Ok(Outcome::ready(version));
    }
    let is_root = ask("id", &["-u"]).as_deref() == Some("0");
    if !is_root || ask("apt-get", &["--version"]).is_none() {
        return Ok(Outcome::done("absent", format!("tests in a browser are skipped; {}", way_out())));
    }
    step::note(&format!("installing {PACKAGE} with apt-get"));
    let installed = run(apt_get().arg("update"))
        .and_then(|()| run(apt_get().args(["install", "--yes", "--no-install-recommends", PACKAGE])));
    if let Err(error) = installed {
        return Ok(Outcome::done("absent", format!("tests in a browser are skipped: {error}")));
    }
    Ok(Outcome::done("installed", ask(PACKAGE, &["--version"]).unwrap_or_default()))
}

/// The program, where there is one. A test that is told of it must not be skipped for want of it.
pub(crate) fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(PACKAGE)).find(|file| file.is_file())
}

/// As prerequisites say it.
fn way_out() -> String {
    format!("on Debian and Ubuntu, as root: `apt install {PACKAGE}`")
}

/// Without questions and without progress.
fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.arg("--quiet=2").env("DEBIAN_FRONTEND", "noninteractive");
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_out_is_a_command() {
        assert_eq!(way_out(), "on Debian and Ubuntu, as root: `apt install chromium`");
    }

    #[test]
    fn apt_get_asks_nothing() {
        let command = apt_get();
        let settings: Vec<_> = command.get_envs().collect();
        assert_eq!(settings, [("DEBIAN_FRONTEND".as_ref(), Some("noninteractive".as_ref()))]);
    }
}
