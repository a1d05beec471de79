//! [`Desk`]: what is done with each answer: its photo sorted, its row counted and written.

use std::path::{Path, PathBuf};

use pipeline_predict::{Answer, answer};
use pipeline_stage::{Event, Failure, Report, words};
use pipeline_table::{AnswerRow, Refused, Said};

use super::UNSURE;
use super::output::Output;
use super::sorter::Sorter;
use super::tally::Tally;

/// Photos that could not be copied or moved and are named; more are counted.
const MOST_UNPLACED: u64 = 10;

/// Where answers come in, in the order of the photos.
pub(super) struct Desk<'a> {
    pub(super) output: Output<'a>,
    pub(super) sorter: Option<Sorter>,
    pub(super) tally: Tally,
    pub(super) threshold: Option<f32>,
    pub(super) report: &'a dyn Report,
    pub(super) classes: &'a [String],
}

impl Desk<'_> {
    /// Sorts photos, counts and writes what was said of them.
    pub(super) fn take(&mut self, answers: Vec<(PathBuf, Answer)>) -> Result<(), Failure> {
        let mut rows = Vec::with_capacity(answers.len());
        for (path, answer) in answers {
            let why = answer.as_ref().err().map(|rejected| rejected.reason.sentence());
            let row = row(&path, answer, self.classes, self.threshold);
            self.tally.add(&row, why);
            if let (Some(sorter), Ok(said)) = (&self.sorter, &row.answer) {
                match sorter.sort(&path, &said.predicted) {
                    Ok(sorted) => self.tally.sorted(sorted),
                    Err(error) => {
                        self.tally.unplaced += 1;
                        if self.tally.unplaced <= MOST_UNPLACED {
                            let text =
                                format!("`{}` was not {}: {error}", path.display(), sorter.done_word());
                            self.report.emit(Event::Warning(text));
                        }
                    }
                }
            }
            rows.push(row);
        }
        self.output.write(&rows)
    }

    /// Ends the output.
    pub(super) fn finish(self) -> Result<Done, Failure> {
        self.output.finish()?;
        let tally = self.tally;
        let placed = self.sorter.map(|sorter| {
            let some =
                |count: u64, what: &str| (count > 0).then(|| format!(", {} {what}", words::count(count)));
            let known = some(tally.known, "were there before").unwrap_or_default();
            let unplaced = some(tally.unplaced, "could not be").unwrap_or_default();
            let (placed, word) = (words::count(tally.placed), sorter.done_word());
            format!("{word} {placed} into {}{known}{unplaced}", sorter.folder().display())
        });
        Ok(Done { tally, placed })
    }
}

/// The row of a photo.
fn row(path: &Path, answer: Answer, classes: &[String], threshold: Option<f32>) -> AnswerRow {
    let answer = match answer {
        Err(rejected) => {
            Err(Refused { reason: rejected.reason.as_str().to_owned(), detail: rejected.to_string() })
        }
        Ok(prediction) => {
            let probs = prediction.probs();
            let (class, confidence) = answer::best(&probs);
            let is_sure = threshold.is_none_or(|threshold| confidence >= threshold);
            let predicted = if is_sure { classes[class as usize].clone() } else { UNSURE.to_owned() };
            Ok(Said { predicted, predicted_id: is_sure.then_some(class), confidence, probs })
        }
    };
    AnswerRow { id: id(path), answer }
}

/// The path as text. Bytes of names that are no UTF-8 are escaped behind two strokes, which no path has, so that it is no
/// other photo's, as in the ids of `ingest`.
fn id(path: &Path) -> String {
    if let Some(text) = path.to_str() {
        return text.to_owned();
    }
    let mut id = String::new();
    for component in path.components() {
        let name = component.as_os_str();
        let stroke = if id.is_empty() || id.ends_with('/') { "" } else { "/" };
        match name.to_str() {
            Some(text) => id.extend([stroke, text]),
            None => id.extend(["//", &name.as_encoded_bytes().escape_ascii().to_string()]),
        }
    }
    id
}

/// What is left in the end.
pub(super) struct Done {
    pub(super) tally: Tally,
    /// What became of the photos that were sorted.
    pub(super) placed: Option<String>,
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn ids_are_paths_and_names_that_are_no_text_are_escaped() {
        assert_eq!(id(Path::new("a b/c.jpg")), "a b/c.jpg");
        let raw = |bytes: &'static [u8]| id(Path::new(OsStr::from_bytes(bytes)));
        assert_eq!(raw(b"/a/\xff.jpg"), "/a//\\xff.jpg");
        assert_eq!(raw(b"\xffa/c.jpg"), "//\\xffa/c.jpg");
    }

    #[test]
    fn a_photo_is_unsure_below_the_threshold() {
        let prediction = || {
            let log_probs = vec![0.3_f32.ln(), 0.7_f32.ln()];
            Ok(pipeline_predict::Prediction { log_probs, features: vec![] })
        };
        let classes = ["cats", "dogs"].map(str::to_owned);
        let said = |threshold| {
            let said = row(Path::new("a.jpg"), prediction(), &classes, threshold).answer.unwrap();
            (said.predicted, said.predicted_id)
        };
        assert_eq!(said(None), ("dogs".to_owned(), Some(1)));
        assert_eq!(said(Some(0.69)), ("dogs".to_owned(), Some(1)));
        assert_eq!(said(Some(0.71)), ("unsure".to_owned(), None));
    }
}
