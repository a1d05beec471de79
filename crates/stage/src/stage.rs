//! The [`Stage`] trait, and [`AnyStage`], its object-safe form that the runner and the command use.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::context::Context;
use crate::cost::Cost;
use crate::failure::Failure;
use crate::manifest::Summary;
use crate::params::{self, Parameters, Problem};
use crate::source::Source;

/// A kind of stage: a unit struct in a crate of its own.
///
/// A stage reads only its inputs and sources and writes only into [`Context::out`]. Files that it
/// declares as readable by others hold content only: no times, keys, absolute paths or hosts, so that
/// equal results have equal digests.
pub trait Stage: Send + Sync + 'static {
    /// The name used in YAML, for example `precompute`.
    const KIND: &'static str;
    /// Raised when the same parameters and inputs would give another result. Part of the key.
    const VERSION: u32;
    /// One sentence for `pipeline stages`.
    const SUMMARY: &'static str;
    /// What the artifact is, for example `features`; an [`Input`] accepts artifacts by this name.
    const PRODUCES: &'static str;
    /// The named inputs.
    const INPUTS: &'static [Input];
    /// Whether the stage draws random numbers. Only then is the seed part of the key.
    const USES_SEED: bool;
    /// Parameters that only say where a source is. The key holds the source's digest instead.
    const LOCATORS: &'static [&'static str];
    /// Files that record how the run went (times, rates) and so differ from run to run. No input may
    /// read them, and they are left out when two results are compared.
    const RECORDS: &'static [&'static str] = &[];
    /// Whether several workers can do the stage together, each a part of it ([`Context::shard`]). Such a stage cuts its work
    /// into pieces by parameters and inputs alone, writes each into [`Context::partial`] whole or not at all, and has
    /// checked what a piece is made of: nobody looks at the sources again before the pieces are put together.
    const SHARED: bool = false;

    /// The stage's parameters.
    type Params: Parameters;

    /// What comes from outside the pipeline. The runner finds, fetches and digests it before planning.
    fn sources(params: &Self::Params) -> Vec<Source>;

    /// What is wrong with these parameters where the pipeline gives the stage these inputs, each with the names of the
    /// stages behind it: what can be told before anything runs. Whether required inputs are there is not asked here.
    fn check_inputs(params: &Self::Params, inputs: &BTreeMap<String, Vec<String>>) -> Vec<Problem> {
        let _ = (params, inputs);
        vec![]
    }

    /// Whether, with these parameters, it reads the file at `path` of the input `input`, which is one of [`Input::reads`]:
    /// what a parameter asks for, and is read then only. What is not read is in no key.
    fn reads(params: &Self::Params, input: &str, path: &str) -> bool {
        let _ = (params, input, path);
        true
    }

    /// What it takes of the machine with these parameters, where the files that it reads of its inputs have `input_bytes`.
    fn cost(params: &Self::Params, input_bytes: u64) -> Cost {
        let _ = (params, input_bytes);
        Cost::default()
    }

    /// Does the work. Reports progress, and returns soon after [`Context::cancel`] is set.
    ///
    /// # Errors
    /// [`Failure::Cancelled`] when cancelled, else what went wrong and the way out.
    fn run(params: &Self::Params, cx: &Context<'_>) -> Result<Summary, Failure>;
}

/// A named input of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Input {
    /// The name in YAML, for example `images`.
    pub name: &'static str,
    /// The artifact it accepts: a [`Stage::PRODUCES`].
    pub accepts: &'static str,
    /// The files of the artifact that are read: a file, or a folder ending in `/`. Only their digests enter the key. Some
    /// may be read with certain parameters only ([`Stage::reads`]).
    pub reads: &'static [&'static str],
    /// Whether it takes a list of stages (at least one). The names of the stages are then part of the key.
    pub many: bool,
    /// Whether it may be left out.
    pub optional: bool,
    /// One sentence for `pipeline stages`.
    pub doc: &'static str,
}

impl Input {
    /// Whether the file at `path` (relative to the artifact) is one that this input reads.
    pub fn reads_file(&self, path: &str) -> bool {
        self.reads.iter().any(|r| if r.ends_with('/') { path.starts_with(r) } else { *r == path })
    }
}

/// The object-safe form of [`Stage`], implemented for every stage. Parameters travel as JSON.
pub trait AnyStage: Send + Sync {
    /// [`Stage::KIND`].
    fn kind(&self) -> &'static str;
    /// [`Stage::VERSION`].
    fn version(&self) -> u32;
    /// [`Stage::SUMMARY`].
    fn summary(&self) -> &'static str;
    /// [`Stage::PRODUCES`].
    fn produces(&self) -> &'static str;
    /// [`Stage::INPUTS`].
    fn inputs(&self) -> &'static [Input];
    /// [`Stage::USES_SEED`].
    fn uses_seed(&self) -> bool;
    /// [`Stage::LOCATORS`].
    fn locators(&self) -> &'static [&'static str];
    /// [`Stage::RECORDS`].
    fn records(&self) -> &'static [&'static str];
    /// [`Stage::SHARED`].
    fn is_shared(&self) -> bool {
        false
    }
    /// JSON schema of the parameters: `properties` with `description` and `default`.
    fn schema(&self) -> Value;
    /// Checks parameters as written and fills in every default.
    ///
    /// # Errors
    /// Every problem found, each with its path inside the parameters.
    fn resolve(&self, given: &Value) -> Result<Value, Vec<Problem>>;
    /// [`Stage::sources`] of resolved parameters.
    ///
    /// # Errors
    /// As [`AnyStage::resolve`].
    fn sources(&self, resolved: &Value) -> Result<Vec<Source>, Vec<Problem>>;
    /// [`Stage::check_inputs`] of resolved parameters.
    fn check_inputs(&self, resolved: &Value, inputs: &BTreeMap<String, Vec<String>>) -> Vec<Problem> {
        let _ = (resolved, inputs);
        vec![]
    }
    /// Whether the file at `path` of `input` is read with resolved parameters: [`Input::reads_file`] and [`Stage::reads`].
    fn reads(&self, resolved: &Value, input: &Input, path: &str) -> bool {
        let _ = resolved;
        input.reads_file(path)
    }
    /// [`Stage::cost`] with resolved parameters.
    fn cost(&self, resolved: &Value, input_bytes: u64) -> Cost {
        let _ = (resolved, input_bytes);
        Cost::default()
    }
    /// [`Stage::run`] with resolved parameters.
    ///
    /// # Errors
    /// As [`Stage::run`].
    fn run(&self, resolved: &Value, cx: &Context<'_>) -> Result<Summary, Failure>;
}

impl<S: Stage> AnyStage for S {
    fn kind(&self) -> &'static str {
        S::KIND
    }
    fn version(&self) -> u32 {
        S::VERSION
    }
    fn summary(&self) -> &'static str {
        S::SUMMARY
    }
    fn produces(&self) -> &'static str {
        S::PRODUCES
    }
    fn inputs(&self) -> &'static [Input] {
        S::INPUTS
    }
    fn uses_seed(&self) -> bool {
        S::USES_SEED
    }
    fn locators(&self) -> &'static [&'static str] {
        S::LOCATORS
    }
    fn records(&self) -> &'static [&'static str] {
        S::RECORDS
    }
    fn is_shared(&self) -> bool {
        S::SHARED
    }
    fn schema(&self) -> Value {
        params::schema::<S::Params>()
    }
    fn resolve(&self, given: &Value) -> Result<Value, Vec<Problem>> {
        let typed = params::parse::<S::Params>(given)?;
        Ok(params::to_value(&typed))
    }
    fn sources(&self, resolved: &Value) -> Result<Vec<Source>, Vec<Problem>> {
        Ok(S::sources(&params::parse::<S::Params>(resolved)?))
    }
    fn check_inputs(&self, resolved: &Value, inputs: &BTreeMap<String, Vec<String>>) -> Vec<Problem> {
        params::parse::<S::Params>(resolved)
            .map_or_else(|problems| problems, |typed| S::check_inputs(&typed, inputs))
    }
    fn reads(&self, resolved: &Value, input: &Input, path: &str) -> bool {
        // Asked for every file, and resolved parameters were checked: they are only read here. Those that are none fail when
        // the stage runs.
        let is_read =
            || S::Params::deserialize(resolved).map_or(true, |typed| S::reads(&typed, input.name, path));
        input.reads_file(path) && is_read()
    }
    fn cost(&self, resolved: &Value, input_bytes: u64) -> Cost {
        // Parameters that do not parse fail when it runs.
        params::parse::<S::Params>(resolved)
            .map_or_else(|_| Cost::default(), |typed| S::cost(&typed, input_bytes))
    }
    fn run(&self, resolved: &Value, cx: &Context<'_>) -> Result<Summary, Failure> {
        let typed = params::parse::<S::Params>(resolved).map_err(Failure::from_problems)?;
        S::run(&typed, cx).map_err(|failure| failure.naming(&cx.inputs))
    }
}
