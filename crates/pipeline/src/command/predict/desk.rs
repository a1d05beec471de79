//! [`Desk`]: what is done with each answer: its row counted and written, its photo sorted.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use pipeline_predict::{Answer, answer};
use pipeline_stage::draft::rename_new;
use pipeline_stage::{Draft, Event, Failure, Report, words};
use pipeline_table::{AnswerRow, Refused, Said};

use super::UNSURE;
use super::output::{Output, lost};
use super::sorter::{Sorter, numbered};
use super::tally::Tally;

/// Photos that could not be copied or moved and are named; more are counted.
const MOST_UNPLACED: u64 = 10;

/// Names that are tried for the answers that are kept of a run that ended early.
const MOST_KEPT: u32 = 1_000;

/// Where answers come in, in the order of the photos.
pub(super) struct Desk<'a> {
    pub(super) output: Output<'a>,
    /// The file of the answers, and whether it may be replaced.
    pub(super) out: Option<(&'a Path, bool)>,
    pub(super) sorter: Option<Sorter>,
    pub(super) tally: Tally,
    pub(super) threshold: Option<f32>,
    pub(super) report: &'a dyn Report,
    pub(super) classes: &'a [String],
}

impl Desk<'_> {
    /// Counts and writes what was said of photos, and sorts them: what is moved has its answer.
    pub(super) fn take(&mut self, answers: Vec<(PathBuf, Answer)>) -> Result<(), Failure> {
        let (mut paths, mut rows) = (vec![], vec![]);
        for (path, answer) in answers {
            let why = answer.as_ref().err().map(|rejected| rejected.reason.sentence());
            let row = row(&path, answer, self.classes, self.threshold);
            self.tally.add(&row, why);
            paths.push(path);
            rows.push(row);
        }
        self.output.write(&rows)?;
        let Some(sorter) = &self.sorter else { return Ok(()) };
        if sorter.is_move {
            self.output.flush()?;
        }
        if self.output.is_closed() {
            return Ok(());
        }
        for (path, row) in paths.iter().zip(&rows) {
            let Ok(said) = &row.answer else { continue };
            match sorter.sort(path, &said.predicted) {
                Ok(sorted) => self.tally.sorted(sorted),
                Err(error) => {
                    self.tally.unplaced += 1;
                    if self.tally.unplaced <= MOST_UNPLACED {
                        let text = format!("`{}` was not {}: {error}", path.display(), sorter.done_word());
                        self.report.emit(Event::Warning(text));
                    }
                }
            }
        }
        Ok(())
    }

    /// Ends the output; `looked` is how looking at the photos ended.
    ///
    /// # Errors
    /// That of `looked`; a full disk; a file of that name, made meanwhile.
    pub(super) fn end(self, looked: Result<(), Failure>) -> Result<Done, Early> {
        let (mut draft, written) = self.output.end();
        let published = looked.and(written).and_then(|()| match (&mut draft, self.out) {
            (Some(draft), Some((out, replaces))) => {
                draft.publish(replaces).map_err(|error| match error.kind() {
                    ErrorKind::AlreadyExists => {
                        let what = "it was made by something else meanwhile";
                        Failure::new(format!("cannot write `{}`: {what}", out.display()), None)
                    }
                    _ => lost(error),
                })
            }
            _ => Ok(()),
        });
        let tally = self.tally;
        if let Err(failure) = published {
            let moved = self.sorter.filter(|sorter| sorter.is_move && tally.placed + tally.known > 0);
            let moved = moved.map(|sorter| {
                let (count, folder) = (tally.placed + tally.known, sorter.folder().display());
                let were = if count == 1 { "photo was" } else { "photos were" };
                let kept = draft.zip(self.out).map(|(draft, (out, _))| keep(&draft, out));
                format!("{} {were} moved into `{folder}`{}", words::count(count), kept.unwrap_or_default())
            });
            return Err(Early { failure, moved });
        }
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

/// Puts the answers so far beside the file that they were for, as `answers.csv.part`, and says so. Those of an earlier run stay.
fn keep(draft: &Draft, out: &Path) -> String {
    let mut name = out.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let mut kept = Err(ErrorKind::AlreadyExists.into());
    for number in 1..=MOST_KEPT {
        let place = out.with_file_name(numbered(&name, number));
        kept = rename_new(draft.path(), &place).map(|()| place);
        if !matches!(&kept, Err(error) if error.kind() == ErrorKind::AlreadyExists) {
            break;
        }
    }
    match kept {
        Ok(place) => format!("; the answers so far are in `{}`", place.display()),
        Err(error) => format!("; the answers so far could not be kept: {error}"),
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

/// What ended a run early.
pub(super) struct Early {
    pub(super) failure: Failure,
    /// What became of photos by then, where some were moved.
    pub(super) moved: Option<String>,
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
    fn answers_of_a_run_that_ended_early_are_kept_beside_those_of_an_earlier_one() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("a.csv");
        for (name, content) in [("a.csv.part", "one"), ("a.csv-2.part", "two")] {
            let draft = Draft::beside(&out).unwrap();
            fs_err::write(draft.path(), content).unwrap();
            let place = dir.path().join(name);
            assert_eq!(keep(&draft, &out), format!("; the answers so far are in `{}`", place.display()));
            assert_eq!(fs_err::read_to_string(place).unwrap(), content);
        }
        let told = keep(&Draft::beside(&out).unwrap(), &out);
        assert!(told.starts_with("; the answers so far could not be kept: "), "{told}");
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
