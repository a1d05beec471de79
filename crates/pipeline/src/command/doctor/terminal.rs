//! The terminal: whether bars, colours and pictures can be drawn.

use std::io::IsTerminal;

use super::check::Check;
use crate::terminal::pictures::Protocol;

/// What can be drawn where this is printed.
pub(super) fn terminal() -> Vec<Check> {
    let variable = |name: &str| std::env::var(name).ok();
    let are_terminals = (std::io::stdout().is_terminal(), std::io::stderr().is_terminal());
    vec![Check::ok("terminal", described(are_terminals, variable))]
}

/// Of standard output and standard error, by the variables of the environment.
fn described((out, error): (bool, bool), variable: impl Fn(&str) -> Option<String>) -> String {
    let is_set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
    let bars =
        if error { "bars" } else { "plain lines in place of bars, since standard error is no terminal" };
    let is_plain =
        is_set("NO_COLOR") || variable("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    let colours = match () {
        () if !out => "no colours, since standard output is no terminal",
        () if is_plain => "no colours (NO_COLOR or TERM)",
        () => "colours",
    };
    let pictures = match Protocol::of_terminal(&variable) {
        Some(Protocol::Kitty) => "pictures (kitty)",
        Some(Protocol::Iterm) => "pictures (iTerm2)",
        Some(Protocol::Sixel) => "pictures (sixel)",
        None => "no pictures (kitty, iTerm2 and sixel terminals draw them)",
    };
    format!("{bars}; {colours}; {pictures}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_draws_is_told_by_its_variables() {
        let of = |both: bool, set: &[(&str, &str)]| {
            described((both, both), |name| {
                set.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(of(true, &[("TERM", "xterm-kitty")]), "bars; colours; pictures (kitty)");
        assert_eq!(
            of(true, &[("TERM", "foot"), ("NO_COLOR", "1")]),
            "bars; no colours (NO_COLOR or TERM); pictures (sixel)"
        );
        let none = "plain lines in place of bars, since standard error is no terminal; no colours, since standard output is \
                    no terminal; no pictures (kitty, iTerm2 and sixel terminals draw them)";
        assert_eq!(of(false, &[("TERM", "xterm")]), none);
    }
}
