//! [`Said`]: what a model in one mode said of all photos, kept for measures and pictures.

use std::sync::Arc;

use pipeline_fit::{Answers, McNemar, argmax};
use pipeline_table::{Mode, PredictionRow};

use crate::candidate::{Candidate, Photo};

/// Most probabilities that are kept, of all models and modes together: 1.6 GB, and as much again while they are measured.
pub(crate) const MOST_KEPT: usize = 400_000_000;

/// What one model in one mode said.
pub(crate) struct Said {
    /// Name of the stage that made the model.
    pub(crate) model: String,
    pub(crate) mode: Mode,
    /// Ids of all photos, ascending; unlabelled ones too. Shared by all models.
    pub(crate) ids: Arc<Vec<String>>,
    /// `[N]`: the actual class, `None` where unlabelled.
    pub(crate) labels: Arc<Vec<Option<u32>>>,
    /// `[N, classes]`.
    pub(crate) probs: Vec<f32>,
    /// `[N]`: negative log-likelihood of the label; 0 where unlabelled.
    pub(crate) losses: Vec<f32>,
    pub(crate) classes: usize,
}

impl Said {
    /// The answers about labelled photos.
    pub(crate) fn answers(&self) -> Answers {
        let mut answers = Answers { classes: self.classes, ..Answers::default() };
        for (place, label) in self.labels.iter().enumerate() {
            if let Some(label) = label {
                answers.labels.push(*label);
                answers.losses.push(self.losses[place]);
                answers.probs.extend(self.of(place));
            }
        }
        answers
    }

    /// The probabilities `[classes]` of the photo at a place.
    fn of(&self, place: usize) -> &[f32] {
        &self.probs[place * self.classes..][..self.classes]
    }

    /// Whether the answers of both differ beyond chance. Both are about the same photos.
    pub(crate) fn against(&self, other: &Said) -> McNemar {
        let (mut only_first, mut only_second) = (0, 0);
        for (place, label) in self.labels.iter().enumerate() {
            if let Some(label) = *label {
                let is_right = |said: &Said| argmax(said.of(place)) == label;
                match (is_right(self), is_right(other)) {
                    (true, false) => only_first += 1,
                    (false, true) => only_second += 1,
                    _ => {}
                }
            }
        }
        McNemar::of(only_first, only_second)
    }
}

/// What has been said so far.
pub(crate) struct Kept {
    ids: Vec<String>,
    labels: Vec<Option<u32>>,
    /// For each model and mode `probs` and `losses`.
    said: Vec<(Vec<f32>, Vec<f32>)>,
    /// How many probabilities may still be kept.
    room: usize,
}

impl Kept {
    /// Nothing, of so many models and modes, with room for so many probabilities.
    pub(crate) fn new(said: usize, room: usize) -> Self {
        Kept { ids: vec![], labels: vec![], said: vec![(vec![], vec![]); said], room }
    }

    /// Adds a photo with a row of each model and mode. `None` where there is no room for it.
    pub(crate) fn add(mut self, photo: &Photo, rows: &[PredictionRow]) -> Option<Self> {
        self.room = self.room.checked_sub(rows.iter().map(|row| row.probs.len()).sum())?;
        self.ids.push(photo.id.clone());
        self.labels.push(photo.label_id);
        for ((probs, losses), row) in self.said.iter_mut().zip(rows) {
            probs.extend(&row.probs);
            losses.push(row.loss.unwrap_or(0.0));
        }
        Some(self)
    }

    /// All of it, in the order of `candidates`.
    pub(crate) fn finish(self, candidates: &[Candidate]) -> Vec<Said> {
        let (ids, labels) = (Arc::new(self.ids), Arc::new(self.labels));
        let said = |(candidate, (probs, losses)): (&Candidate, (Vec<f32>, Vec<f32>))| Said {
            model: candidate.model.clone(),
            mode: candidate.mode,
            ids: Arc::clone(&ids),
            labels: Arc::clone(&labels),
            probs,
            losses,
            classes: candidate.confusion.classes().len(),
        };
        candidates.iter().zip(self.said).map(said).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(labels: &[Option<u32>], probs: &[f32]) -> Said {
        Said {
            model: "head".to_owned(),
            mode: Mode::Plain,
            ids: Arc::new(labels.iter().enumerate().map(|(place, _)| format!("{place}.jpg")).collect()),
            labels: Arc::new(labels.to_vec()),
            probs: probs.to_vec(),
            losses: (0..labels.len()).map(|place| place as f32).collect(),
            classes: 2,
        }
    }

    #[test]
    fn answers_are_those_about_labelled_photos() {
        let answers = said(&[Some(1), None, Some(0)], &[0.1, 0.9, 0.2, 0.8, 0.3, 0.7]).answers();
        let expected = Answers {
            classes: 2,
            labels: vec![1, 0],
            probs: vec![0.1, 0.9, 0.3, 0.7],
            losses: vec![0.0, 2.0],
        };
        assert_eq!(answers, expected);
    }

    #[test]
    fn two_models_are_compared_on_labelled_photos_that_one_of_them_has_right() {
        let labels = [Some(0), Some(0), None, Some(1), Some(1)];
        let first = said(&labels, &[0.9, 0.1, 0.9, 0.1, 0.9, 0.1, 0.9, 0.1, 0.2, 0.8]); // right: 0, 1, 4
        let second = said(&labels, &[0.9, 0.1, 0.1, 0.9, 0.1, 0.9, 0.9, 0.1, 0.9, 0.1]); // right: 0
        let found = first.against(&second);
        assert_eq!((found.only_first, found.only_second), (2, 0));
        let back = second.against(&first);
        assert_eq!((back.only_first, back.only_second), (0, 2));
    }

    #[test]
    fn nothing_is_kept_beyond_the_room() {
        let photo = Photo {
            id: "a.jpg".to_owned(),
            split: pipeline_table::Split::Valid,
            label: None,
            label_id: None,
        };
        let mut candidate =
            Candidate::new("head".to_owned(), Mode::Plain, vec!["a".to_owned(), "b".to_owned()], 0);
        let row = candidate.add(&photo, &[-0.1, -2.4]).unwrap();
        let kept = Kept::new(1, 5).add(&photo, std::slice::from_ref(&row)).unwrap();
        let kept = kept.add(&photo, std::slice::from_ref(&row)).unwrap();
        assert!(kept.add(&photo, std::slice::from_ref(&row)).is_none(), "6 of 5");
    }
}
