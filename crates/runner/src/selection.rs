//! [`Selection`]: which stages of a pipeline a run is about (`--only`, `--from`, `--until`, `--force`).
//!
//! | given | goals | what else may run |
//! |---|---|---|
//! | nothing | every stage | |
//! | `--only S` | S | nothing: what S reads must be fresh |
//! | `--from S` | S and everything downstream | what these read, where it is not fresh |
//! | `--until S` | S and everything upstream | |
//!
//! Several names under one option add up; several options intersect. With `--only` among them, nothing
//! but the goals runs. A goal runs when it is not fresh; `--force S` runs S also when it is.

use std::collections::BTreeSet;

use pipeline_stage::suggest::nearest;

use crate::error::Error;
use crate::graph::Graph;

/// Names of stages by option, as given on the command line. Empty means not given.
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
        let force = places(graph, &self.force, "--force")?;
        if let Some(place) = force.iter().find(|p| !may_run.contains(p)) {
            return Err(Error::ForceNotSelected { stage: graph.nodes()[*place].name.clone() });
        }
        Ok(Chosen { goals, may_run, force })
    }
}

fn places(graph: &Graph, names: &[String], option: &'static str) -> Result<BTreeSet<usize>, Error> {
    names
        .iter()
        .map(|name| {
            graph.place(name).ok_or_else(|| Error::UnknownStage {
                option,
                stage: name.clone(),
                suggestion: nearest(name, graph.names()).map(str::to_owned),
                known: graph.names().map(str::to_owned).collect(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toy::diamond;
    use pipeline_stage::Hint;

    fn of(only: &[&str], from: &[&str], until: &[&str], force: &[&str]) -> Selection {
        let owned = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
        Selection { only: owned(only), from: owned(from), until: owned(until), force: owned(force) }
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
        ];
        for (selection, goals, more) in cases {
            assert_eq!(chosen(&selection), (goals.to_owned(), more.to_owned()), "{selection:?}");
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
