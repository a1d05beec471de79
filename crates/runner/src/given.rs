//! What an [`Attempt`] is given to read, checked before the stage computes on it and after.

use std::collections::BTreeMap;

use pipeline_stage::failure::Cause;
use pipeline_stage::key::InputPart;
use pipeline_stage::{Artifact, Digest, Progress};

use crate::attempt::{Attempt, Ended};
use crate::error::Error;
use crate::manifest::read_manifest;
use crate::store::rotten;
use crate::teller::Teller;

impl Attempt<'_> {
    /// An input of which the stage reads no file: its key would not notice a change there.
    pub(crate) fn nothing_to_read(&self) -> Option<Ended> {
        let empty = |parts: &Vec<InputPart>| parts.iter().any(|part| part.files.is_empty());
        let (input, _) = self.parts.inputs.iter().find(|(_, parts)| empty(parts))?;
        let spec = self.node.stage.inputs().iter().find(|spec| spec.name == *input)?;
        let expected = spec.reads.join(", ");
        Some(Ended::failed(
            format!("the input `{input}` has no file that is read, expected {expected}"),
            Some("this is a fault of the stage that made it; please report it".to_owned()),
        ))
    }

    /// An input whose bytes are no longer those of its manifest. A hit asks for sizes only, since that is cheap;
    /// what is computed on is read anyway.
    pub(crate) fn rotten_input(&self) -> Result<Option<Ended>, Error> {
        let teller = Teller::new(&self.node.name, self.observer);
        for spec in self.node.stage.inputs() {
            for artifact in self.inputs.get(spec.name).into_iter().flatten() {
                // What this run has written or hashed already is not hashed for each stage that reads it.
                let is_read = |path: &str| self.node.stage.reads(&self.node.params, spec, path);
                let read = artifact.files.iter().filter(|(path, _)| is_read(path));
                let mut read: BTreeMap<String, Digest> = read.map(|(p, d)| (p.clone(), *d)).collect();
                let sound = || self.sound.lock().unwrap_or_else(|e| e.into_inner());
                let known = sound();
                read.retain(|path, digest| !known.contains(&(artifact.path(path), *digest)));
                drop(known);
                if read.is_empty() {
                    continue;
                }
                let total = Some(read.len() as u64);
                let progress = Progress::begin(&teller, self.cancel, "check the input", total, "files");
                if let Some(file) = rotten(&artifact.dir, &read, &progress)? {
                    let upstream = &artifact.stage;
                    let is_replaced = self.replaced_input().is_some();
                    let (message, hint, cause) = match is_replaced {
                        true => (replaced(upstream), "run again".to_owned(), Cause::Passing),
                        false => (
                            format!("{file} of `{upstream}` is damaged: it is not what its manifest says"),
                            format!("make it again with --force {upstream}"),
                            Cause::Work,
                        ),
                    };
                    return Ok(Some(Ended::Failed { message, hint: Some(hint), cause }));
                }
                sound().extend(read.iter().map(|(path, digest)| (artifact.path(path), *digest)));
            }
        }
        Ok(None)
    }

    /// What is no longer what the key was made of, in words.
    pub(crate) fn changed_meanwhile(&self) -> Result<Option<String>, Error> {
        if let Some(upstream) = self.replaced_input() {
            return Ok(Some(replaced(upstream)));
        }
        let source = self.finder.changed(self.node, &self.parts.sources)?;
        Ok(source.map(|name| format!("its source `{name}` changed while this stage was reading it")))
    }

    /// The stage that made an input which is no longer the one that the key was made of: another run may
    /// have forced it, and readers hold no lock.
    fn replaced_input(&self) -> Option<&str> {
        let is_same = |artifact: &Artifact| {
            read_manifest(&artifact.dir).is_ok_and(|manifest| manifest.digests() == artifact.files)
        };
        self.inputs.values().flatten().find(|artifact| !is_same(artifact)).map(|a| a.stage.as_str())
    }
}

fn replaced(upstream: &str) -> String {
    format!("another run replaced what `{upstream}` made while this stage was reading it")
}
