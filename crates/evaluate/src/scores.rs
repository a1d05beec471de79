//! [`Scores`]: every model in every mode, photo by photo, and the rows of `predictions.parquet`.

use std::path::Path;

use pipeline_stage::Failure;
use pipeline_table::{Mode, PredictionRow, PredictionsWriter};

use crate::Params;
use crate::answers::{Kept, MOST_KEPT, Said};
use crate::candidate::{Candidate, Photo};
use crate::model::Model;

/// The candidates, and the table that is being written.
pub(crate) struct Scores {
    writer: PredictionsWriter,
    has_view_probs: bool,
    /// For each model its modes.
    candidates: Vec<Vec<Candidate>>,
    /// `None` where it was too much.
    kept: Option<Kept>,
    photos: u64,
}

/// What [`Scores::finish`] returns, each in order of models, the plain mode of a model first.
pub(crate) struct Scored {
    pub(crate) candidates: Vec<Candidate>,
    /// `None` where more than [`MOST_KEPT`] probabilities were said.
    pub(crate) said: Option<Vec<Said>>,
    /// How many photos there were, unlabelled ones among them.
    pub(crate) photos: u64,
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
        let candidate =
            |model: &Model, mode| Candidate::new(model.name.clone(), mode, classes.to_vec(), first);
        let of = |model| modes.iter().map(|mode| candidate(model, *mode)).collect();
        let writer = match params.view_probs {
            true => PredictionsWriter::create_with_view_probs(path, classes)?,
            false => PredictionsWriter::create(path, classes)?,
        };
        Ok(Scores {
            writer,
            has_view_probs: params.view_probs,
            candidates: models.iter().map(of).collect(),
            kept: Some(Kept::new(models.len() * modes.len(), MOST_KEPT)),
            photos: 0,
        })
    }

    /// Counts a photo and writes its rows. `views` has, of each model, log-probabilities `[views, classes]`, the plain view
    /// first.
    pub(crate) fn add(&mut self, photo: &Photo, views: &[Vec<f32>]) -> Result<(), Failure> {
        self.photos += 1;
        let mut rows = Vec::new();
        for (modes, views) in self.candidates.iter_mut().zip(views) {
            for candidate in modes {
                rows.push(candidate.add(photo, views)?);
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
        let candidates: Vec<Candidate> = self.candidates.into_iter().flatten().collect();
        let said = self.kept.map(|kept| kept.finish(&candidates));
        Ok(Scored { candidates, said, photos: self.photos })
    }
}
