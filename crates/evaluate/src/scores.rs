//! [`Scores`]: every model in every mode, photo by photo, and the rows of `predictions.parquet`.

use std::path::Path;

use pipeline_stage::Failure;
use pipeline_table::{Mode, PredictionRow, PredictionsWriter};

use crate::Params;
use crate::answers::{Kept, MOST_KEPT, Said};
use crate::model::Model;
use crate::tally::{Photo, Tally};

/// The tallies, and the table that is being written.
pub(crate) struct Scores {
    writer: PredictionsWriter,
    has_view_probs: bool,
    /// For each model its modes.
    tallies: Vec<Vec<Tally>>,
    /// `None` where it was too much.
    kept: Option<Kept>,
}

/// What [`Scores::finish`] returns, each in order of models, the plain mode of a model first.
pub(crate) struct Scored {
    pub(crate) tallies: Vec<Tally>,
    /// `None` where more than [`MOST_KEPT`] probabilities were said.
    pub(crate) said: Option<Vec<Said>>,
}

impl Scores {
    /// Creates the table at `path`. `modes` are those of each model.
    pub(crate) fn create(
        path: &Path,
        models: &[Model],
        classes: &[String],
        modes: &[Mode],
        params: &Params,
    ) -> Result<Self, Failure> {
        let first = params.tta.first_averaged();
        let tally = |model: &Model, mode| Tally::new(model.name.clone(), mode, classes.to_vec(), first);
        let of = |model| modes.iter().map(|mode| tally(model, *mode)).collect();
        let writer = match params.view_probs {
            true => PredictionsWriter::create_with_view_probs(path, classes)?,
            false => PredictionsWriter::create(path, classes)?,
        };
        Ok(Scores {
            writer,
            has_view_probs: params.view_probs,
            tallies: models.iter().map(of).collect(),
            kept: Some(Kept::new(models.len() * modes.len(), MOST_KEPT)),
        })
    }

    /// Counts a photo and writes its rows. `views` has, of each model, log-probabilities `[views, classes]`, the plain view
    /// first.
    pub(crate) fn add(&mut self, photo: &Photo, views: &[Vec<f32>]) -> Result<(), Failure> {
        let mut rows = Vec::new();
        for (modes, views) in self.tallies.iter_mut().zip(views) {
            for tally in modes {
                rows.push(tally.add(photo, views)?);
            }
        }
        self.kept = self.kept.take().and_then(|kept| kept.add(photo, &rows));
        for row in rows {
            let view_probs = row.view_probs.filter(|_| self.has_view_probs);
            self.writer.write(&PredictionRow { view_probs, ..row })?;
        }
        Ok(())
    }

    /// Ends the table.
    pub(crate) fn finish(self) -> Result<Scored, Failure> {
        self.writer.finish()?;
        let tallies: Vec<Tally> = self.tallies.into_iter().flatten().collect();
        let said = self.kept.map(|kept| kept.finish(&tallies));
        Ok(Scored { tallies, said })
    }
}
