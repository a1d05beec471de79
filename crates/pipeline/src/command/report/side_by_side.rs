//! [`compare`]: what two evaluations say of the same photos.
//!
//! Both tables ascend by id and are read side by side, so that memory holds a photo of each and what is listed on the page.

use std::cmp::Ordering;
use std::iter::Peekable;
use std::path::PathBuf;

use pipeline_evaluate::PREDICTIONS_FILE;
use pipeline_fit::McNemar;
use pipeline_report::comparison::{Comparison, Pair, Side, Turned};
use pipeline_stage::exit;
use pipeline_stage::words::count;
use pipeline_table::{Error, Mode, PredictionRow, PredictionsReader};

use super::evaluation::{Evaluation, wrong};
use crate::command::Stop;

/// Photos that changed sides listed on the page, of all pairs.
const MOST_LISTED: usize = 2000;
/// Photos or classes that a warning names.
const MOST_NAMED: usize = 3;

/// Compares what both say of the photos that both measured, unless it is `interrupted`.
pub(super) fn compare(
    this: &Evaluation,
    that: &Evaluation,
    interrupted: impl Fn() -> Option<Stop>,
) -> Result<Comparison, Stop> {
    let mut sides = [Photos::open(this)?, Photos::open(that)?];
    same_classes(&sides)?;
    let mut split = None;
    let mut tallies: Vec<Tally> = Vec::new();
    let [mut only_this, mut only_that, mut relabelled] =
        [Named::default(), Named::default(), Named::default()];
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
            Ordering::Less => only_this.add(&this.photo()?),
            Ordering::Greater => only_that.add(&that.photo()?),
            Ordering::Equal => {
                let (this, that) = (this.photo()?, that.photo()?);
                let (Some(first), Some(second)) = (this.first(), that.first()) else { continue };
                if split.is_none() {
                    split = Some(first.split);
                    tallies = pairs(&this, &that);
                }
                let (Some(label), Some(other)) = (&first.label, &second.label) else { continue };
                if label != other {
                    relabelled.add(&this);
                    continue;
                }
                tallies.iter_mut().for_each(|tally| tally.add(label, &this, &that));
            }
        }
    }
    let splits = sides.each_ref().map(|side| side.split);
    if let (Some(this), Some(that)) = (splits[0], splits[1])
        && this != that
    {
        return Err(wrong(
            format!("cannot compare: this was measured on {this} photos, that on {that} photos"),
            Some("measure both on one split: --set evaluate.split=valid".to_owned()),
        ));
    }
    if tallies.iter().all(|tally| tally.pair.photos == 0) {
        return Err(wrong(
            "cannot compare: found no labelled photo that both measured, expected one at least".to_owned(),
            Some("compare models that were measured on the same photos".to_owned()),
        ));
    }
    let warnings = [
        only_this.sentence("measured by this alone and left out"),
        only_that.sentence("measured by that alone and left out"),
        relabelled.sentence("of another class in that and left out"),
    ];
    let side = |side: &Evaluation| Side { name: side.name.clone(), artifact: side.artifact() };
    Ok(Comparison {
        this: side(this),
        that: side(that),
        split: split.map(|split| split.to_string()).unwrap_or_default(),
        pairs: tallies.into_iter().map(Tally::finish).filter(|pair| pair.photos > 0).collect(),
        warnings: warnings.into_iter().flatten().collect(),
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
    fn open(evaluation: &Evaluation) -> Result<Self, Stop> {
        let path = evaluation.dir.join(PREDICTIONS_FILE);
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
    let lacking = |from: &Photos, of: &Photos| {
        let lacking: Vec<&str> =
            of.classes.iter().filter(|c| !from.classes.contains(c)).map(String::as_str).collect();
        let more = if lacking.len() > MOST_NAMED { ", …" } else { "" };
        let named = lacking[..lacking.len().min(MOST_NAMED)].join(", ");
        if lacking.is_empty() { "none".to_owned() } else { format!("{named}{more}") }
    };
    let (of_this, of_that) = (lacking(that, this), lacking(this, that));
    if of_this == "none" && of_that == "none" {
        return Ok(());
    }
    let counts = format!("{} and {} classes", this.classes.len(), that.classes.len());
    Err(wrong(
        format!(
            "cannot compare models of other classes: {counts}, only this knows {of_this}, only that {of_that}"
        ),
        Some("compare models that were made from photos of the same classes".to_owned()),
    ))
}

/// The pairs of what both said of one photo: models of one name in one mode, or else the last of each in the same mode.
fn pairs(this: &[PredictionRow], that: &[PredictionRow]) -> Vec<Tally> {
    let asked = |row: &PredictionRow| (row.model.clone(), row.mode);
    let same = this.iter().filter(|row| that.iter().any(|other| asked(other) == asked(row)));
    let mut pairs: Vec<Tally> = same.map(|row| Tally::new([asked(row), asked(row)])).collect();
    if pairs.is_empty() {
        let last = |rows: &[PredictionRow], mode| rows.iter().rfind(|row| row.mode == mode).map(asked);
        let of_mode = |mode| Some(Tally::new([last(this, mode)?, last(that, mode)?]));
        pairs = Mode::ALL.into_iter().filter_map(of_mode).collect();
    }
    let listed = MOST_LISTED / (2 * pairs.len().max(1));
    pairs.iter_mut().for_each(|tally| tally.most_listed = listed);
    pairs
}

/// A pair, while photos are counted.
struct Tally {
    /// Model and mode of this and of that.
    asked: [(String, Mode); 2],
    pair: Pair,
    log_loss_sums: [f64; 2],
    /// Photos listed in each direction.
    most_listed: usize,
}

impl Tally {
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
        Tally { asked, pair, log_loss_sums: [0.0; 2], most_listed: 0 }
    }

    fn add(&mut self, label: &str, this: &[PredictionRow], that: &[PredictionRow]) {
        let [ask_this, ask_that] = &self.asked;
        let find = |rows: &'_ [PredictionRow], (model, mode): &(String, Mode)| {
            rows.iter().position(|row| (&row.model, row.mode) == (model, *mode))
        };
        let (Some(this), Some(that)) =
            (find(this, ask_this).map(|at| &this[at]), find(that, ask_that).map(|at| &that[at]))
        else {
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

    fn finish(self) -> Pair {
        let Tally { mut pair, log_loss_sums, .. } = self;
        let mean = |sum: f64| sum / pair.photos as f64;
        [pair.this_log_loss, pair.that_log_loss] = log_loss_sums.map(mean);
        pair.test = McNemar::of(pair.test.only_first, pair.test.only_second);
        pair
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
