//! [`Scores`]: every model in every mode, photo by photo, and the rows of `predictions.parquet`.

use std::path::Path;

use pipeline_stage::Failure;
use pipeline_table::{Mode, PredictionsWriter};

use crate::model::Model;
use crate::tally::{Photo, Tally};

/// The tallies, and the table that is being written.
pub(crate) struct Scores {
    writer: PredictionsWriter,
    /// For each model its modes.
    tallies: Vec<Vec<Tally>>,
}

impl Scores {
    /// Creates the table at `path`.
    pub(crate) fn create(
        path: &Path,
        models: &[Model],
        classes: &[String],
        modes: &[Mode],
    ) -> Result<Self, Failure> {
        let tally = |model: &Model, mode| Tally::new(model.name.clone(), mode, classes.to_vec());
        let of = |model| modes.iter().map(|mode| tally(model, *mode)).collect();
        Ok(Scores {
            writer: PredictionsWriter::create(path, classes)?,
            tallies: models.iter().map(of).collect(),
        })
    }

    /// Counts a photo and writes its rows. `views` has, of each model, log-probabilities `[views, classes]`, the plain view
    /// first.
    pub(crate) fn add(&mut self, photo: &Photo, views: &[Vec<f32>]) -> Result<(), Failure> {
        for (modes, views) in self.tallies.iter_mut().zip(views) {
            for tally in modes {
                self.writer.write(&tally.add(photo, views)?)?;
            }
        }
        Ok(())
    }

    /// Ends the table. The tallies are in order of models, the plain mode of each first.
    pub(crate) fn finish(self) -> Result<Vec<Tally>, Failure> {
        self.writer.finish()?;
        Ok(self.tallies.into_iter().flatten().collect())
    }
}
