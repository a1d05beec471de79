//! [`Checkpoint`]: everything that a training needs to go on from a step to the same bits.
//!
//! One safetensors file, `checkpoint.safetensors`, so that it is replaced by one rename: all of it or the one before.
//!
//! | tensors | |
//! |---|---|
//! | `net/<tensor>` | the network, running statistics included |
//! | `optimizer/<tensor>` | the optimiser's state |
//! | `ema/<tensor>` | moving averages of the weights, where they are kept |
//! | `best/<tensor>` | the network of the best epoch, where it is kept |
//!
//! Its metadata `state` is a [`State`] as JSON. Random numbers need no place: they are functions of the epoch, the batch
//! and the photo.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pipeline_fit::{DebiasedAverage, Patience};
use pipeline_nn::{Tensor, weights};
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// Version of the file's form, and of what the numbers mean.
const FORMAT: u32 = 1;
const STATE: &str = "state";
const OTHER_VERSION: &str = "another version of `pipeline` wrote it";

/// Where a training is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    /// Epochs that are done, measured and written down.
    pub(crate) epoch: u32,
    /// Batches done in the epoch under way; a checkpoint is never within an optimiser step.
    pub(crate) batch: usize,
    /// Optimiser steps done.
    pub(crate) step: u64,
    /// The learning rates of the layer groups before the schedule: given, or found.
    pub(crate) rates: Vec<f64>,
    pub(crate) average: DebiasedAverage,
    pub(crate) patience: Patience,
    /// It stopped early.
    pub(crate) stopped: bool,
    /// Bytes of the history so far.
    pub(crate) history_bytes: u64,
    /// Seconds of training so far, over all attempts.
    pub(crate) seconds: f64,
}

/// What stands beside the state, so that no checkpoint is taken for what it is not.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    format: u32,
    pipeline_version: String,
    threads: usize,
    state: State,
}

/// A checkpoint, read.
pub(crate) struct Checkpoint {
    pub(crate) state: State,
    /// Threads that computed it: another number may give other last bits.
    pub(crate) threads: usize,
    tensors: BTreeMap<String, Tensor>,
}

/// The file inside a stage's folder of partial work.
pub(crate) fn path(partial: &Path) -> PathBuf {
    partial.join("checkpoint.safetensors")
}

impl Checkpoint {
    /// The checkpoint in `partial`; `None` where there is none.
    ///
    /// # Errors
    /// It is damaged or of another version, in words.
    pub(crate) fn read(partial: &Path) -> Result<Option<Self>, String> {
        let path = path(partial);
        match fs_err::symlink_metadata(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            // A pipe would be waited for.
            Ok(found) if !found.is_file() => return Err("it is no file".to_owned()),
            _ => {}
        }
        let weights = weights::read(&path).map_err(|error| error.to_string())?;
        let header = weights.metadata().get(STATE).ok_or("it has no state")?;
        let header: Header = match serde_json::from_str(header) {
            Ok(header) => header,
            // Another version may have had other fields.
            Err(_) => return Err(OTHER_VERSION.to_owned()),
        };
        if header.format != FORMAT || header.pipeline_version != env!("CARGO_PKG_VERSION") {
            return Err(OTHER_VERSION.to_owned());
        }
        let named = |name: &str| Some((name.to_owned(), weights.get(name)?.shallow_clone()));
        let tensors = weights.names().filter_map(named).collect();
        Ok(Some(Checkpoint { state: header.state, threads: header.threads, tensors }))
    }

    /// The tensors of one part: `net`, `optimizer`, `ema`, `best`, under their own names. Empty where there is no such part.
    pub(crate) fn part(&self, part: &str) -> BTreeMap<String, Tensor> {
        let own = |(name, tensor): (&String, &Tensor)| {
            let name = name.strip_prefix(part)?.strip_prefix('/')?;
            Some((name.to_owned(), tensor.shallow_clone()))
        };
        self.tensors.iter().filter_map(own).collect()
    }
}

/// Writes a checkpoint of these parts in place of the last one. After a crash the file is the old or the new one, whole.
pub(crate) fn write(
    partial: &Path,
    state: &State,
    threads: usize,
    parts: &[(&str, BTreeMap<String, Tensor>)],
) -> Result<(), pipeline_stage::Failure> {
    let header = Header {
        format: FORMAT,
        pipeline_version: env!("CARGO_PKG_VERSION").to_owned(),
        threads,
        state: state.clone(),
    };
    let metadata = [(STATE.to_owned(), serde_json::to_string(&header).map_err(Error::Json)?)].into();
    let named = |(part, tensors): &(&str, BTreeMap<String, Tensor>)| {
        let name = |(name, tensor): (&String, &Tensor)| (format!("{part}/{name}"), tensor.shallow_clone());
        tensors.iter().map(name).collect::<Vec<_>>()
    };
    let tensors: BTreeMap<String, Tensor> = parts.iter().flat_map(named).collect();
    let new = partial.join("checkpoint.new");
    let place = path(partial);
    let replace = || {
        fs_err::File::open(&new)?.sync_all()?;
        if place.is_dir() {
            fs_err::remove_dir_all(&place)?;
        }
        fs_err::rename(&new, &place)?;
        fs_err::File::open(partial)?.sync_all()
    };
    let write = || -> Result<(), pipeline_stage::Failure> {
        weights::write_safetensors(&new, &tensors, &metadata)?;
        Ok(replace().map_err(Error::Io)?)
    };
    write().inspect_err(|_| {
        // A full disk has no room for half of one.
        let _ = fs_err::remove_file(&new);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        let mut average = DebiasedAverage::new();
        average.add(0.1 + 0.2);
        State {
            epoch: 1,
            batch: 7,
            step: 70,
            rates: vec![1e-4, 0.1 + 0.2],
            average,
            patience: Patience::new(Some(2)),
            stopped: false,
            history_bytes: 99,
            seconds: 1.0 / 3.0,
        }
    }

    #[test]
    fn a_checkpoint_comes_back_bit_for_bit_and_its_parts_apart() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Checkpoint::read(dir.path()).unwrap().is_none());
        let of = |values: &[f32]| BTreeMap::from([("a.weight".to_owned(), Tensor::from_slice(values))]);
        let parts = [("net", of(&[0.1, f32::MIN_POSITIVE])), ("optimizer", of(&[-3.5, 1e30]))];
        write(dir.path(), &state(), 3, &parts).unwrap();
        let read = Checkpoint::read(dir.path()).unwrap().unwrap();
        assert_eq!((&read.state, read.threads), (&state(), 3));
        for (part, tensors) in &parts {
            let found = read.part(part);
            assert_eq!(found.len(), 1);
            assert!(found["a.weight"].equal(&tensors["a.weight"]), "{part}");
        }
        assert!(read.part("ema").is_empty());
    }

    #[test]
    fn what_is_cut_short_or_of_another_version_is_told() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &state(), 1, &[("net", BTreeMap::new())]).unwrap();
        let file = path(dir.path());
        let bytes = fs_err::read(&file).unwrap();
        let text = String::from_utf8_lossy(&bytes).replace(r#"\"format\":1"#, r#"\"format\":2"#);
        fs_err::write(&file, text).unwrap();
        assert_eq!(Checkpoint::read(dir.path()).err().unwrap(), OTHER_VERSION);
        fs_err::write(&file, &bytes[..bytes.len() / 2]).unwrap();
        let why = Checkpoint::read(dir.path()).err().unwrap();
        assert!(why.contains("cut short"), "{why}");
    }
}
