//! [`Selection`]: which stages of a pipeline a run is about (`--only`, `--from`, `--until`, `--force`,
//! `--force-downstream`).
//!
//! | given | goals | what else may run |
//! |---|---|---|
//! | nothing | every stage | |
//! | `--only S` | S | nothing: what S reads must be fresh |
//! | `--from S` | S and everything downstream | what these read, where it is not fresh |
//! | `--until S` | S and everything upstream | |
//!
//! Several names under one option add up; several options intersect. With `--only` among them, nothing
//! but the goals runs. A goal runs when it is not fresh; `--force S` runs S also when it is, and
//! `--force-downstream S` S and what of the stages that may run lies downstream of it.
//!
//! A name may be a pattern: `*` stands for any letters, none included, and `?` for one letter.

use std::collections::BTreeSet;

use pipeline_stage::suggest::nearest;

use crate::error::Error;
use crate::graph::Graph;

/// Names of stages or patterns (`fine*`) by option, as given on the command line. Empty means not given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// `--only`: run these and nothing else.
    pub only: Vec<String>,
    /// `--from`: these and everything downstream.
    pub from: Vec<String>,
    /// `--until`: these and everything upstream.
    pub until: Vec<String>,
    /// `--force`: run these although they are fresh. They must be among the stages that the other
    /// options leave.
    pub force: Vec<String>,
    /// `--force-downstream`: the same for these and for everything downstream that the other options leave.
    pub force_downstream: Vec<String>,
}

/// A [`Selection`] resolved against a graph: places of stages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chosen {
    /// What was asked for.
    pub(crate) goals: BTreeSet<usize>,
    /// What may run: the goals, and unless `--only` was given what they read.
    pub(crate) may_run: BTreeSet<usize>,
    /// What runs although it is fresh.
    pub(crate) force: BTreeSet<usize>,
}

impl Selection {
    /// Names of the stages of `graph` that may run.
    ///
    /// # Errors
    /// As a run of them.
    pub fn may_run<'a>(&self, graph: &'a Graph) -> Result<Vec<&'a str>, Error> {
        let chosen = self.resolve(graph)?;
        Ok(chosen.may_run.into_iter().map(|place| graph.nodes()[place].name.as_str()).collect())
    }

    /// Finds the names in `graph`.
    ///
    /// # Errors
    /// [`Error::UnknownStage`], or [`Error::ForceNotSelected`].
    pub(crate) fn resolve(&self, graph: &Graph) -> Result<Chosen, Error> {
        let mut goals: BTreeSet<usize> = (0..graph.nodes().len()).collect();
        if !self.only.is_empty() {
            goals = &goals & &places(graph, &self.only, "--only")?;
        }
        if !self.from.is_empty() {
            goals = &goals & &graph.descendants(&places(graph, &self.from, "--from")?);
        }
        if !self.until.is_empty() {
            goals = &goals & &graph.ancestors(&places(graph, &self.until, "--until")?);
        }
        if goals.is_empty() && !graph.nodes().is_empty() {
            return Err(Error::NothingSelected);
        }
        let may_run = if self.only.is_empty() { graph.ancestors(&goals) } else { goals.clone() };
        let forced = |names, option| {
            let force = places(graph, names, option)?;
            match force.iter().find(|place| !may_run.contains(place)) {
                Some(place) => {
                    Err(Error::ForceNotSelected { option, stage: graph.nodes()[*place].name.clone() })
                }
                None => Ok(force),
            }
        };
        let alone = forced(&self.force, "--force")?;
        let with_more = graph.descendants(&forced(&self.force_downstream, "--force-downstream")?);
        let force = &alone | &(&with_more & &may_run);
        Ok(Chosen { goals, may_run, force })
    }
}

/// The places of the stages of these names, and of those that these patterns match.
fn places(graph: &Graph, names: &[String], option: &'static str) -> Result<BTreeSet<usize>, Error> {
    let mut found = BTreeSet::new();
    for name in names {
        let mut places = graph.names().enumerate().filter(|(_, stage)| matches(name, stage)).peekable();
        if places.peek().is_none() {
            return Err(unknown(graph, name, option));
        }
        found.extend(places.map(|(place, _)| place));
    }
    Ok(found)
}

/// The error of an `option` that names a stage which the pipeline does not have.
pub(crate) fn unknown(graph: &Graph, name: &str, option: &'static str) -> Error {
    Error::UnknownStage {
        option,
        stage: name.to_owned(),
        suggestion: nearest(name, graph.names()).map(str::to_owned),
        known: graph.names().map(str::to_owned).collect(),
    }
}

/// Whether `name` is what `pattern` describes. Names of stages hold neither `*` nor `?`.
fn matches(pattern: &str, name: &str) -> bool {
    let letters: Vec<char> = name.chars().collect();
    // Whether the pattern so far describes the first n letters.
    let mut fits = vec![false; letters.len() + 1];
    fits[0] = true;
    for sign in pattern.chars() {
        if sign == '*' {
            let shortest = fits.iter().position(|fits| *fits).unwrap_or(fits.len());
            fits[shortest..].fill(true);
        } else {
            for n in (1..fits.len()).rev() {
                fits[n] = fits[n - 1] && (sign == '?' || sign == letters[n - 1]);
            }
            fits[0] = false;
        }
    }
    fits[letters.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toy::diamond;
    use pipeline_stage::Hint;

    fn of(only: &[&str], from: &[&str], until: &[&str], force: &[&str]) -> Selection {
        let owned = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
        Selection {
            only: owned(only),
            from: owned(from),
            until: owned(until),
            force: owned(force),
            force_downstream: vec![],
        }
    }

    /// Names of the goals, and of what else may run.
    fn chosen(selection: &Selection) -> (String, String) {
        let graph = diamond();
        let chosen = selection.resolve(&graph).unwrap();
        let names = |places: &BTreeSet<usize>| {
            places.iter().map(|p| graph.nodes()[*p].name.as_str()).collect::<Vec<_>>().join(" ")
        };
        (names(&chosen.goals), names(&(&chosen.may_run - &chosen.goals)))
    }

    #[test]
    fn each_option_selects_what_its_line_in_the_table_says() {
        // diamond: z; p → b, a → m
        let cases = [
            (of(&[], &[], &[], &[]), "z p b a m", ""),
            (of(&["a"], &[], &[], &[]), "a", ""),
            (of(&["a", "z"], &[], &[], &[]), "z a", ""),
            (of(&[], &["a"], &[], &[]), "a m", "p b"),
            (of(&[], &[], &["a"], &[]), "p a", ""),
            (of(&[], &["p"], &["b"], &[]), "p b", ""),
            (of(&["m"], &["a"], &[], &[]), "m", ""),
            (of(&["?"], &[], &[], &[]), "z p b a m", ""),
            (of(&[], &["b*"], &[], &[]), "b m", "p a"),
        ];
        for (selection, goals, more) in cases {
            assert_eq!(chosen(&selection), (goals.to_owned(), more.to_owned()), "{selection:?}");
        }
    }

    #[test]
    fn forcing_downstream_forces_what_lies_there_and_may_run() {
        let forced = |selection: Selection, of: &str| {
            let graph = diamond();
            let chosen = Selection { force_downstream: vec![of.to_owned()], ..selection }.resolve(&graph);
            let names = chosen.unwrap().force.into_iter().map(|p| graph.nodes()[p].name.clone());
            names.collect::<Vec<_>>().join(" ")
        };
        // diamond: z; p → b, a → m
        assert_eq!(forced(Selection::default(), "p"), "p b a m");
        assert_eq!(forced(of(&[], &[], &["a"], &[]), "p"), "p a");
        assert_eq!(forced(of(&[], &[], &[], &["z"]), "a"), "z a m");
        assert_eq!(forced(of(&["p", "m"], &[], &[], &[]), "p"), "p m");
        let only = Selection { force_downstream: vec!["p".to_owned()], ..of(&["a"], &[], &[], &[]) };
        let error = only.resolve(&diamond()).unwrap_err().to_string();
        assert_eq!(error, "`--force-downstream p` has no effect: `p` is not among the selected stages");
    }

    #[test]
    fn a_star_stands_for_any_letters_and_a_question_mark_for_one() {
        let cases = [
            ("finetune", "finetune", true),
            ("finetune", "finetune2", false),
            ("fine*", "finetune", true),
            ("fine*", "fine", true),
            ("fine*", "refine", false),
            ("*tune*", "finetune", true),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("h??d", "head", true),
            ("h?d", "head", false),
            ("?", "", false),
            ("*a*b", "xaxbxb", true),
            ("*a*b", "xbxa", false),
            ("gr?n*", "grün-2", true),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn names_that_select_nothing_are_errors_with_a_way_out() {
        let error = |selection: Selection| selection.resolve(&diamond()).unwrap_err();
        let unknown = error(of(&[], &["mm"], &[], &[]));
        assert_eq!(unknown.to_string(), "unknown stage `mm` for `--from`, expected one of: z, p, b, a, m");
        let nothing = error(of(&["z"], &["p"], &[], &[]));
        assert_eq!(
            nothing.to_string(),
            "the selection leaves no stage: `--only`, `--from` and `--until` together mean their intersection"
        );
        let no_force = error(of(&["a"], &[], &[], &["m"]));
        assert_eq!(no_force.to_string(), "`--force m` has no effect: `m` is not among the selected stages");
        assert_eq!(no_force.hint().unwrap(), "add `--only m`, or select it otherwise");
    }
}
