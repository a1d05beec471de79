//! [`compare`]: what two evaluations say of the same photos.
//!
//! Photos are the same where they have one name and, as far as the photo tables of both are known, one content. All tables
//! ascend by id and are read side by side, so that memory holds a photo of each and what is listed on the page.

use std::cmp::Ordering;
use std::iter::Peekable;
use std::path::PathBuf;

use pipeline_fit::McNemar;
use pipeline_report::comparison::{Comparison, Pair, Side, Turned};
use pipeline_report::name::listed;
use pipeline_stage::exit;
use pipeline_stage::words::count;
use pipeline_table::predictions::PREDICTIONS_FILE;
use pipeline_table::{Error, Mode, PredictionRow, PredictionsReader};

use super::contents::Contents;
use super::report_artifact::ReportArtifact;
use crate::command::Stop;

/// Photos that changed sides listed on the page, of all pairs.
const MOST_LISTED: usize = 2000;
/// Photos or classes that a warning names.
const MOST_NAMED: usize = 3;

/// Compares what both say of the photos that both measured, unless it is `interrupted`. `contents` tells the photos of both
/// by content.
pub(super) fn compare(
    this: &ReportArtifact,
    that: &ReportArtifact,
    contents: &mut Contents,
    interrupted: impl Fn() -> Option<Stop>,
) -> Result<Comparison, Stop> {
    let mut sides = [Photos::open(this)?, Photos::open(that)?];
    same_classes(&sides)?;
    let mut split = None;
    let mut pairs: Vec<PairCount> = Vec::new();
    let mut left_out = LeftOut::default();
    loop {
        if let Some(stop) = interrupted() {
            return Err(stop);
        }
        let [this, that] = &mut sides;
        let order = match (this.next_id()?, that.next_id()?) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(this), Some(that)) => this.cmp(that),
        };
        match order {
            Ordering::Less => left_out.only_this.add(&this.photo()?),
            Ordering::Greater => left_out.only_that.add(&that.photo()?),
            Ordering::Equal => {
                let (this, that) = (this.photo()?, that.photo()?);
                let (Some(first), Some(second)) = (this.first(), that.first()) else { continue };
                if split.is_none() {
                    split = Some(first.split);
                    pairs = paired(&this, &that);
                }
                if contents.differ(&first.id)? {
                    left_out.other_content.add(&this);
                    continue;
                }
                match (&first.label, &second.label) {
                    // Measured by neither.
                    (None, None) => {}
                    (Some(_), None) => left_out.unlabelled_in_that.add(&this),
                    (None, Some(_)) => left_out.unlabelled_in_this.add(&this),
                    (Some(label), Some(other)) if label != other => left_out.relabelled.add(&this),
                    (Some(label), Some(_)) => {
                        pairs.iter_mut().for_each(|pair| pair.add(label, &this, &that));
                    }
                }
            }
        }
    }
    let splits = sides.each_ref().map(|side| side.split);
    if let (Some(this), Some(that)) = (splits[0], splits[1])
        && this != that
    {
        return Err(Stop::usage(
            format!("cannot compare: this was measured on {this} photos, that on {that} photos"),
            "measure both on one split: --set evaluate.split=valid",
        ));
    }
    let mut warnings = left_out.sentences();
    if pairs.iter().all(|pair| pair.pair.photos == 0) {
        let why = warnings.first().map(|first| format!("; {first}")).unwrap_or_default();
        return Err(Stop::usage(
            format!("cannot compare: found no labelled photo that both measured, expected one at least{why}"),
            "compare models that were measured on the same photos",
        ));
    }
    warnings.extend(pairs.iter().filter_map(PairCount::lacking));
    let side = |side: &ReportArtifact| Side { name: side.name.clone(), artifact: side.artifact() };
    Ok(Comparison {
        this: side(this),
        that: side(that),
        split: split.map(|split| split.to_string()).unwrap_or_default(),
        pairs: pairs.into_iter().map(PairCount::finish).filter(|pair| pair.photos > 0).collect(),
        warnings,
        ..Comparison::default()
    })
}

/// What an evaluation says, photo by photo.
struct Photos {
    path: PathBuf,
    classes: Vec<String>,
    rows: Peekable<PredictionsReader>,
    last: Option<String>,
    split: Option<pipeline_table::Split>,
}

impl Photos {
    fn open(evaluation: &ReportArtifact) -> Result<Self, Stop> {
        let path = evaluation.dir.join(PREDICTIONS_FILE);
        if !path.is_file() {
            return Err(Stop::Error {
                message: format!(
                    "cannot compare: {} has no {PREDICTIONS_FILE} in {}",
                    evaluation.side(),
                    evaluation.dir.display()
                ),
                hint: Some(
                    "copy the whole folder, or make the evaluation again with `--force evaluate`".to_owned(),
                ),
                code: exit::STAGE_FAILED,
            });
        }
        let reader = PredictionsReader::open(&path).map_err(|error| unreadable(&error))?;
        let classes = reader.classes().to_vec();
        Ok(Photos { path, classes, rows: reader.peekable(), last: None, split: None })
    }

    /// The id of the next photo.
    fn next_id(&mut self) -> Result<Option<&str>, Stop> {
        match self.rows.peek() {
            None => Ok(None),
            Some(Ok(row)) if self.last.as_ref().is_some_and(|last| *last >= row.id) => {
                let source =
                    format!("row `{}` does not come after those before, expected ascending ids", row.id);
                Err(unreadable(&Error::Damaged { path: self.path.clone(), source: source.into() }))
            }
            Some(Ok(row)) => Ok(Some(&row.id)),
            Some(Err(error)) => Err(unreadable(error)),
        }
    }

    /// What every model in every mode says of the next photo.
    fn photo(&mut self) -> Result<Vec<PredictionRow>, Stop> {
        let mut photo: Vec<PredictionRow> = Vec::new();
        while let Some(row) = self.rows.next_if(|row| match (row, photo.first()) {
            (Ok(row), Some(first)) => row.id == first.id,
            _ => true,
        }) {
            photo.push(row.map_err(|error| unreadable(&error))?);
        }
        if let Some(first) = photo.first() {
            self.last = Some(first.id.clone());
            self.split = Some(first.split);
        }
        Ok(photo)
    }
}

fn unreadable(error: &Error) -> Stop {
    Stop::new(exit::STAGE_FAILED, error)
}

/// Both must know the same classes; their order does not matter.
fn same_classes([this, that]: &[Photos; 2]) -> Result<(), Stop> {
    let own = |word: &str, side: &Photos, other: &Photos| {
        let own: Vec<&str> =
            side.classes.iter().filter(|c| !other.classes.contains(c)).map(String::as_str).collect();
        (!own.is_empty()).then(|| format!("only {word} knows {}", listed(own.into_iter(), MOST_NAMED)))
    };
    let own: Vec<String> = [own("this", this, that), own("that", that, this)].into_iter().flatten().collect();
    if own.is_empty() {
        return Ok(());
    }
    let (of_this, of_that) = (this.classes.len(), that.classes.len());
    Err(Stop::usage(
        format!(
            "cannot compare models of other classes: this knows {of_this}, that {of_that}; {}",
            own.join(", ")
        ),
        "compare models that were made from photos of the same classes",
    ))
}

/// The pairs of what both said of one photo: models of one name in one mode, or else the last of each in the same mode.
fn paired(this: &[PredictionRow], that: &[PredictionRow]) -> Vec<PairCount> {
    let asked = |row: &PredictionRow| (row.model.clone(), row.mode);
    let same = this.iter().filter(|row| that.iter().any(|other| asked(other) == asked(row)));
    let mut pairs: Vec<PairCount> = same.map(|row| PairCount::new([asked(row), asked(row)])).collect();
    if pairs.is_empty() {
        let last = |rows: &[PredictionRow], mode| rows.iter().rfind(|row| row.mode == mode).map(asked);
        let of_mode = |mode| Some(PairCount::new([last(this, mode)?, last(that, mode)?]));
        pairs = Mode::ALL.into_iter().filter_map(of_mode).collect();
    }
    let listed = MOST_LISTED / (2 * pairs.len().max(1));
    pairs.iter_mut().for_each(|pair| pair.most_listed = listed);
    pairs
}

/// A pair, while photos are counted.
struct PairCount {
    /// Model and mode of this and of that.
    asked: [(String, Mode); 2],
    pair: Pair,
    log_loss_sums: [f64; 2],
    /// Photos listed in each direction.
    most_listed: usize,
    /// Photos of which one side says something, but not this model in this mode.
    lacking: Named,
}

impl PairCount {
    fn new(asked: [(String, Mode); 2]) -> Self {
        let name = |(model, mode): &(String, Mode)| match mode {
            Mode::Plain => model.clone(),
            mode => format!("{model}.{mode}"),
        };
        let pair = Pair {
            this: name(&asked[0]),
            that: name(&asked[1]),
            photos: 0,
            this_right: 0,
            that_right: 0,
            this_log_loss: 0.0,
            that_log_loss: 0.0,
            test: McNemar::default(),
            otherwise_wrong: 0,
            fixed: vec![],
            broken: vec![],
        };
        PairCount { asked, pair, log_loss_sums: [0.0; 2], most_listed: 0, lacking: Named::default() }
    }

    fn add(&mut self, label: &str, this: &[PredictionRow], that: &[PredictionRow]) {
        let photo = this;
        let [ask_this, ask_that] = &self.asked;
        let find = |rows: &'_ [PredictionRow], (model, mode): &(String, Mode)| {
            rows.iter().position(|row| (&row.model, row.mode) == (model, *mode))
        };
        let (Some(this), Some(that)) =
            (find(this, ask_this).map(|at| &this[at]), find(that, ask_that).map(|at| &that[at]))
        else {
            self.lacking.add(photo);
            return;
        };
        let pair = &mut self.pair;
        pair.photos += 1;
        for (sum, row) in self.log_loss_sums.iter_mut().zip([this, that]) {
            *sum += f64::from(row.loss.unwrap_or_default());
        }
        let right = [this, that].map(|row| row.predicted == label);
        pair.this_right += u64::from(right[0]);
        pair.that_right += u64::from(right[1]);
        let said = |row: &PredictionRow| (row.predicted.clone(), row.confidence);
        let turned =
            || Turned { id: this.id.clone(), label: label.to_owned(), this: said(this), that: said(that) };
        match right {
            [true, false] => {
                pair.test.only_first += 1;
                if pair.fixed.len() < self.most_listed {
                    pair.fixed.push(turned());
                }
            }
            [false, true] => {
                pair.test.only_second += 1;
                if pair.broken.len() < self.most_listed {
                    pair.broken.push(turned());
                }
            }
            [false, false] if this.predicted != that.predicted => pair.otherwise_wrong += 1,
            _ => {}
        }
    }

    /// The sentence about photos that the model of one side says nothing of.
    fn lacking(&self) -> Option<String> {
        let name = &self.pair.this;
        self.lacking
            .sentence(&format!("without an answer of `{name}` on one side and left out of its numbers"))
    }

    fn finish(self) -> Pair {
        let PairCount { mut pair, log_loss_sums, .. } = self;
        let mean = |sum: f64| sum / pair.photos as f64;
        [pair.this_log_loss, pair.that_log_loss] = log_loss_sums.map(mean);
        pair.test = McNemar::of(pair.test.only_first, pair.test.only_second);
        pair
    }
}

/// Photos that are not compared.
#[derive(Default)]
struct LeftOut {
    only_this: Named,
    only_that: Named,
    other_content: Named,
    unlabelled_in_this: Named,
    unlabelled_in_that: Named,
    relabelled: Named,
}

impl LeftOut {
    fn sentences(&self) -> Vec<String> {
        let sentences = [
            self.only_this.sentence("measured by this alone and left out"),
            self.only_that.sentence("measured by that alone and left out"),
            self.other_content.sentence("of other content in that and left out"),
            self.unlabelled_in_that.sentence("labelled in this alone and left out"),
            self.unlabelled_in_this.sentence("labelled in that alone and left out"),
            self.relabelled.sentence("of another class in that and left out"),
        ];
        sentences.into_iter().flatten().collect()
    }
}

/// Photos that are counted, and a few of them named.
#[derive(Default)]
struct Named {
    count: u64,
    ids: Vec<String>,
}

impl Named {
    fn add(&mut self, photo: &[PredictionRow]) {
        self.count += 1;
        if self.ids.len() < MOST_NAMED {
            self.ids.extend(photo.first().map(|row| row.id.clone()));
        }
    }

    /// `2 photos are left out: …`; `None` without any.
    fn sentence(&self, what: &str) -> Option<String> {
        let more = if self.count > self.ids.len() as u64 { ", …" } else { "" };
        let photos = if self.count == 1 {
            "1 photo is".to_owned()
        } else {
            format!("{} photos are", count(self.count))
        };
        (self.count > 0).then(|| format!("{photos} {what}: {}{more}", self.ids.join(", ")))
    }
}

#[cfg(test)]
mod tests;
