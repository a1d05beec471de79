//! `pipeline lr-find CONFIG STAGE`: the learning rates that suit a stage that trains.
//!
//! The search is a stage of its own, with the parameters and inputs of the one that trains: it runs in that one's place,
//! so that it is cached, locked and linked as every stage.

use pipeline_runner::{Graph, Node, Selection};
use pipeline_stage::suggest::nearest;
use pipeline_stage::{AnyStage, exit};

use super::Stop;
use super::how::How;
use super::job::{Folders, JobArguments, command_line, given};
use crate::stages::FINDERS;
use crate::terminal::Screen;

/// Find the learning rates that suit a stage, by training it for a short while at rising ones
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: pipeline lr-find configs/dogscats.yaml head\n\n\
    The curve and the rates that it suggests are kept in out/CONFIG/STAGE_lr_find; asked again, they are shown at once.")]
pub(super) struct Arguments {
    #[command(flatten)]
    job: JobArguments,
    /// The stage that trains
    stage: String,
    #[command(flatten)]
    folders: Folders,
    /// Search although it has been done
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    how: How,
}

pub(super) fn run(arguments: &Arguments, screen: &Screen) -> Result<u8, Stop> {
    arguments.how.telling(screen, || {
        let mut job = arguments.job.load()?;
        let search = search_for(&job.graph, &arguments.stage, FINDERS)?;
        let name = search.name.clone();
        job.graph = job.graph.ending_in(&arguments.stage, search).map_err(|e| Stop::new(exit::USAGE, &e))?;
        let mut options = arguments.folders.options(&job);
        options.selection = Selection { until: vec![name.clone()], ..Selection::default() };
        options.selection.force.extend(arguments.force.then_some(name));
        let again = command_line(given().filter(|argument| argument != "--force"));
        arguments.how.run(&job, options, &again, screen)
    })
}

/// The stage that searches the learning rate of the stage `name`.
fn search_for(graph: &Graph, name: &str, finders: &[(&str, &'static dyn AnyStage)]) -> Result<Node, Stop> {
    let finder = |node: &Node| finders.iter().find(|(kind, _)| *kind == node.stage.kind()).map(|(_, f)| *f);
    let wrong = |message: String, hint| Stop::Error { message, hint, code: exit::USAGE };
    let Some(node) = graph.node(name) else {
        let known: Vec<&str> = graph.names().collect();
        let hint = nearest(name, known.iter().copied()).map(|near| format!("did you mean `{near}`?"));
        return Err(wrong(format!("unknown stage `{name}`, expected one of: {}", known.join(", ")), hint));
    };
    let Some(finder) = finder(node) else {
        let trained = graph.nodes().iter().filter(|node| finder(node).is_some());
        let trained: Vec<&str> = trained.map(|node| node.name.as_str()).collect();
        let message = format!(
            "cannot search the learning rate of `{name}`: a stage of kind `{}` has none",
            node.stage.kind()
        );
        return Err(match trained.is_empty() {
            true => wrong(format!("{message}, nor has any other stage of this config"), None),
            false => wrong(format!("{message}, expected one of: {}", trained.join(", ")), None),
        });
    };
    let own_name = format!("{name}_lr_find");
    if graph.node(&own_name).is_some() {
        let message = format!(
            "cannot search the learning rate of `{name}`: a stage has the name `{own_name}`, which its result needs"
        );
        return Err(wrong(message, Some("give that stage another name in the pipeline file".to_owned())));
    }
    let faults = |problems: Vec<pipeline_stage::Problem>| {
        let all: Vec<String> =
            problems.into_iter().map(|p| format!("{}: {}", p.path.join("."), p.message)).collect();
        wrong(format!("cannot search the learning rate of `{name}`: {}", all.join("; ")), None)
    };
    Ok(Node {
        name: own_name,
        stage: finder,
        params: finder.resolve(&node.params).map_err(faults)?,
        inputs: node.inputs.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::stages::{FINDERS, STAGES};

    const PIPELINE: &str = "\
stages:
  ingest: { kind: ingest }
  backbone: { kind: backbone }
  precompute: { kind: precompute, inputs: { images: ingest, backbone: backbone } }
  head: { kind: head, inputs: { features: precompute, backbone: backbone } }
  evaluate: { kind: evaluate, inputs: { features: precompute, models: [head] } }
";

    const SEARCH: &[(&str, &dyn AnyStage)] = FINDERS;

    fn graph() -> Graph {
        let dir = tempfile::tempdir().unwrap();
        fs_err::create_dir(dir.path().join("pipelines")).unwrap();
        fs_err::write(dir.path().join("pipelines/p.yaml"), PIPELINE).unwrap();
        let config = dir.path().join("c.yaml");
        fs_err::write(&config, "pipeline: p\ningest: { root: photos }\nhead: { epochs: 5, batch_size: 7 }\n")
            .unwrap();
        config::load(&config, &[], STAGES).unwrap().graph
    }

    fn fault(name: &str, finders: &[(&str, &'static dyn AnyStage)]) -> (String, Option<String>) {
        match search_for(&graph(), name, finders) {
            Err(Stop::Error { message, hint, code: exit::USAGE }) => (message, hint),
            other => panic!("{:?}", other.map(|node| node.name)),
        }
    }

    #[test]
    fn the_search_stands_in_the_place_of_the_stage_with_its_parameters_and_nothing_after_it() {
        let graph = graph();
        let search = search_for(&graph, "head", SEARCH).unwrap();
        let graph = graph.ending_in("head", search).unwrap();
        assert_eq!(graph.names().collect::<Vec<_>>(), ["ingest", "backbone", "precompute", "head_lr_find"]);
        let node = graph.node("head_lr_find").unwrap();
        assert_eq!(
            (&node.params["batch_size"], node.inputs["features"].as_slice()),
            (&7.into(), &["precompute".to_owned()][..])
        );
    }

    #[test]
    fn a_stage_that_does_not_train_or_is_not_there_is_refused_with_those_that_do() {
        let (message, _) = fault("ingest", SEARCH);
        let of = "cannot search the learning rate of `ingest`: a stage of kind `ingest` has none";
        assert_eq!(message, format!("{of}, expected one of: head"));
        assert_eq!(fault("ingest", &[]).0, format!("{of}, nor has any other stage of this config"));
        let (message, hint) = fault("heat", SEARCH);
        let known = "ingest, backbone, precompute, head, evaluate";
        assert_eq!(message, format!("unknown stage `heat`, expected one of: {known}"));
        assert_eq!(hint.unwrap(), "did you mean `head`?");
    }
}
