//! [`ModelFolder`]: a model's folder, read and checked. Such folders come from strangers too.

use std::path::{Path, PathBuf};

use pipeline_nn::Device;
use pipeline_nn::artifact::{MODEL_FILE, Model};
use pipeline_photo::Preprocessing;
use pipeline_stage::Digest;

use crate::error::Error;

/// Larger photos than any network here is given; `precompute` takes up to 1,024.
const MOST_PIXELS: u32 = 4096;

/// A model, and the folder that it was read from.
pub struct ModelFolder {
    /// The folder.
    pub dir: PathBuf,
    /// The model, on the processor.
    pub model: Model,
    /// Digest of its `model.json`, by which an evaluation names it.
    pub digest: Digest,
}

impl ModelFolder {
    /// Loads the model in `dir`.
    ///
    /// # Errors
    /// When it has no `model.json`, when a file is damaged or of another model, when the record asks for what no model has.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let path = dir.join(MODEL_FILE);
        if !path.is_file() {
            return Err(Error::NoModel { dir: dir.to_owned() });
        }
        let model = Model::load(dir, Device::Cpu)?;
        if let Some(problem) = problem(&model.record.preprocessing) {
            return Err(Error::Preprocessing { path, problem });
        }
        let digest = Digest::of_reader(fs_err::File::open(&path)?)?;
        Ok(ModelFolder { dir: dir.to_owned(), model, digest })
    }
}

fn problem(preprocessing: &Preprocessing) -> Option<String> {
    let Preprocessing { size, mean, std, .. } = preprocessing;
    if !(1..=MOST_PIXELS).contains(size) {
        return Some(format!("`size` is {size}, expected 1 to {MOST_PIXELS}"));
    }
    if !mean.iter().all(|mean| mean.is_finite()) {
        return Some(format!("`mean` is {mean:?}, expected numbers"));
    }
    let is_divisor = |std: &f32| std.is_finite() && *std > 0.0;
    (!std.iter().all(is_divisor)).then(|| format!("`std` is {std:?}, expected numbers above 0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_asks_for_what_no_network_is_given_is_refused() {
        let with = |size, mean, std| problem(&Preprocessing::new(size, [mean; 3], [0.5, std, 0.5]));
        assert_eq!(with(224, 0.5, 0.5), None);
        assert_eq!(with(0, 0.5, 0.5).unwrap(), "`size` is 0, expected 1 to 4096");
        assert_eq!(with(u32::MAX, 0.5, 0.5).unwrap(), "`size` is 4294967295, expected 1 to 4096");
        assert_eq!(with(9, f32::NAN, 0.5).unwrap(), "`mean` is [NaN, NaN, NaN], expected numbers");
        assert_eq!(with(9, 0.5, 0.0).unwrap(), "`std` is [0.5, 0.0, 0.5], expected numbers above 0");
    }
}
