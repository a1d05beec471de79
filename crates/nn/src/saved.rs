//! [`Saved`]: the named tensors of a checkpoint, taken one by one until none is left.

use std::collections::{BTreeMap, BTreeSet};

use tch::{Device, Tensor};

use crate::error::Error;

/// The state of something, as it was saved. Whoever restores it takes what it needs, then calls [`finish`](Self::finish).
pub(crate) struct Saved<'a> {
    /// What is restored, for messages.
    what: &'static str,
    tensors: &'a BTreeMap<String, Tensor>,
    left: BTreeSet<&'a str>,
}

impl<'a> Saved<'a> {
    pub(crate) fn new(what: &'static str, tensors: &'a BTreeMap<String, Tensor>) -> Self {
        Saved { what, tensors, left: tensors.keys().map(String::as_str).collect() }
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// A copy of the tensor `name`, which must have this shape, on `device`.
    pub(crate) fn take(&mut self, name: &str, shape: &[i64], device: Device) -> Result<Tensor, Error> {
        let Some(tensor) = self.tensors.get(name) else {
            return Err(self.wrong(name, "none".to_owned(), format!("shape {shape:?}")));
        };
        if tensor.size() != shape {
            return Err(self.wrong(name, format!("shape {:?}", tensor.size()), format!("shape {shape:?}")));
        }
        self.left.remove(name);
        let copy = tensor.f_to_device(device).and_then(|tensor| tensor.f_detach_copy());
        copy.map_err(Error::torch(format_args!("restore {}", self.what)))
    }

    /// The count of steps or updates that was saved as the tensor `name`, `[1]`, a whole number of 0 or more.
    pub(crate) fn take_count(&mut self, name: &str) -> Result<u32, Error> {
        let found = self.take(name, &[1], Device::Cpu)?.double_value(&[0]);
        if found >= 0.0 && found.fract() == 0.0 && found <= f64::from(u32::MAX) {
            Ok(found as u32)
        } else {
            Err(self.wrong(name, found.to_string(), "a whole number".to_owned()))
        }
    }

    /// Checks that nothing is left.
    pub(crate) fn finish(self) -> Result<(), Error> {
        match self.left.first() {
            Some(name) => Err(self.wrong(name, "numbers".to_owned(), "no such tensor".to_owned())),
            None => Ok(()),
        }
    }

    fn wrong(&self, tensor: &str, found: String, expected: String) -> Error {
        Error::WrongState { what: self.what, tensor: tensor.to_owned(), found, expected }
    }
}
