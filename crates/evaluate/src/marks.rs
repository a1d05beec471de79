//! [`Marks`]: how good each model is in each mode, and which of them differ beyond chance.

use pipeline_fit::{McNemar, MeasureOptions};
use pipeline_stage::{Context, Failure, lanes};
use pipeline_table::Mode;

use crate::Params;
use crate::answers::Said;
use crate::candidate::Candidate;
use crate::metrics::{Counts, Measured};
use crate::scores::Scored;

/// Most pairs of models and modes that are compared.
pub(crate) const MOST_COMPARISONS: usize = 100;

/// Share of the resamples inside an interval.
const LEVEL: f64 = 0.95;

/// How good the models are, each list in order of models, the plain mode of a model first.
pub(crate) struct Marks {
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) measured: Vec<Measured>,
    /// `None` where there were too many probabilities to keep.
    pub(crate) said: Option<Vec<Said>>,
    /// Places of two, and the test between them.
    pub(crate) comparisons: Vec<(usize, usize, McNemar)>,
    /// How many pairs were left out.
    pub(crate) not_compared: usize,
}

impl Marks {
    /// Measures and compares what was scored.
    ///
    /// # Errors
    /// Cancelled; answers that cannot be measured.
    pub(crate) fn of(scored: Scored, params: &Params, cx: &Context<'_>) -> Result<Self, Failure> {
        let Scored { candidates, said, .. } = scored;
        let Some(said) = said else {
            let measured =
                candidates.iter().map(|candidate| Measured::Counted(Counts::of(candidate))).collect();
            return Ok(Marks { candidates, measured, said: None, comparisons: vec![], not_compared: 0 });
        };
        let options = MeasureOptions { resamples: params.resamples, level: LEVEL, seed: cx.seed };
        let progress = cx.progress("models measured", Some(said.len() as u64), "models");
        let measure = |_: &mut (), said: &Said| Ok(said.answers().measure(&options)?);
        let lanes = vec![(); cx.threads.get().min(said.len())];
        let mut measured = Vec::new();
        lanes::in_order(lanes, 0, said.iter().map(Ok), measure, |measures| {
            measured.push(Measured::Whole(Box::new(measures)));
            Ok(progress.add(1)?)
        })?;
        let pairs = pairs(&said.iter().map(|said| (said.model.as_str(), said.mode)).collect::<Vec<_>>());
        let compared = &pairs[..pairs.len().min(MOST_COMPARISONS)];
        let comparisons = compared.iter().map(|&(a, b)| (a, b, said[a].against(&said[b]))).collect();
        let not_compared = pairs.len() - compared.len();
        Ok(Marks { candidates, measured, said: Some(said), comparisons, not_compared })
    }

    /// Names of the classes that no labelled photo is of, in order of their numbers.
    pub(crate) fn classes_without_photos(&self) -> impl Iterator<Item = &str> {
        let confusion = self.candidates.first().map(|candidate| &candidate.confusion);
        let rows = confusion.into_iter().flat_map(|confusion| confusion.rows().zip(confusion.classes()));
        rows.filter(|(row, _)| row.iter().all(|count| *count == 0)).map(|(_, class)| class.as_str())
    }

    /// The places of all, the best first: by errors, then by log loss.
    pub(crate) fn ranked(&self) -> Vec<usize> {
        let loss = |place: &usize| self.measured[*place].log_loss().value;
        let errors = |place: &usize| self.measured[*place].errors();
        let mut places: Vec<usize> = (0..self.measured.len()).collect();
        places.sort_by(|a, b| errors(a).cmp(&errors(b)).then(loss(a).total_cmp(&loss(b))));
        places
    }
}

/// The places of each model's two modes, and of each two models in the same mode.
fn pairs(said: &[(&str, Mode)]) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    for (first, (model, mode)) in said.iter().enumerate() {
        for (second, (other, other_mode)) in said.iter().enumerate().skip(first + 1) {
            if model == other || mode == other_mode {
                pairs.push((first, second));
            }
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_compared_with_itself_in_the_other_mode_and_with_others_in_the_same() {
        let said = [("a", Mode::Plain), ("a", Mode::Tta), ("b", Mode::Plain), ("b", Mode::Tta)];
        assert_eq!(pairs(&said), [(0, 1), (0, 2), (1, 3), (2, 3)]);
        assert_eq!(pairs(&said[..1]), []);
    }
}
