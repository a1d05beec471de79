//! The summary of the stage: what a person reads on the terminal, in at most 20 lines.

use pipeline_fit::Measures;
use pipeline_photo::Tta;
use pipeline_report::confusion_text;
use pipeline_stage::{Summary, words};
use pipeline_table::{Mode, Split};

use crate::Params;
use crate::answers::MOST_KEPT;
use crate::candidate::Candidate;
use crate::marks::{MOST_COMPARISONS, Marks};
use crate::metrics::Measured;

/// Models and modes in the table.
const MOST_ROWS: usize = 6;
/// Models in the line.
const MOST_NAMED: usize = 4;
/// The confusion matrix is shown up to so many classes.
const MOST_CLASSES: usize = 6;
/// Else so many pairs of classes.
const MOST_PAIRS: usize = 5;

/// What the stage says in the end; `detail` is the place of the model and mode that is looked at more closely.
pub(crate) fn summary(params: &Params, detail: usize, marks: &Marks) -> Summary {
    let &Params { split, tta, resamples, .. } = params;
    let mut summary = Summary { line: line(&marks.candidates, marks), ..Summary::default() };
    for (candidate, measured) in marks.candidates.iter().zip(&marks.measured) {
        summary.metrics.insert(format!("{}.accuracy", candidate.name()), measured.accuracy().value);
        summary.metrics.insert(format!("{}.log_loss", candidate.name()), measured.log_loss().value);
    }
    let blocks =
        [Some(table(split, tta, marks)), confused(tta, &marks.candidates[detail]), difference(tta, marks)];
    summary.text = Some(blocks.into_iter().flatten().collect::<Vec<_>>().join("\n\n"));
    summary.notes = notes(resamples, marks);
    summary
}

/// `accuracy head 0.9920 (tta 0.9930), finetune 0.9950 (tta 0.9960)`.
fn line(candidates: &[Candidate], marks: &Marks) -> String {
    let mut models: Vec<String> = Vec::new();
    for (candidate, measured) in candidates.iter().zip(&marks.measured) {
        let accuracy = measured.accuracy().value;
        match (candidate.mode, models.last_mut()) {
            (Mode::Tta, Some(model)) => model.push_str(&format!(" (tta {accuracy:.4})")),
            _ => models.push(format!("{} {accuracy:.4}", candidate.model)),
        }
    }
    let more = models.len().saturating_sub(MOST_NAMED);
    models.truncate(MOST_NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("accuracy {}{more}", models.join(", "))
}

/// A line for each model and mode.
fn table(split: Split, tta: Tta, marks: &Marks) -> String {
    let photos = marks.measured.first().map_or(0, |measured| measured.photos());
    let header = [of_split(photos, split)];
    let columns = ["accuracy", "95 % interval", "errors", "log loss", "ECE"].map(str::to_owned);
    let mut rows: Vec<Vec<String>> = vec![header.into_iter().chain(columns).collect()];
    for (candidate, measured) in marks.candidates.iter().zip(&marks.measured).take(MOST_ROWS) {
        let (accuracy, whole) = (measured.accuracy(), measured.whole());
        rows.push(vec![
            title(candidate, tta),
            format!("{:.4}", accuracy.value),
            accuracy.interval.map_or("-".to_owned(), |i| format!("{:.4} to {:.4}", i.low, i.high)),
            words::count(measured.errors()),
            format!("{:.4}", measured.log_loss().value),
            whole.map_or("-".to_owned(), |whole| format!("{:.4}", whole.calibration.ece.value)),
        ]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..6).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).skip(1).map(|(cell, width)| format!("  {cell:>width$}"));
        format!("{:first$}{}", row[0], cells.collect::<String>(), first = widths[0])
    };
    let mut lines: Vec<String> = rows.iter().map(line).collect();
    if marks.candidates.len() > MOST_ROWS {
        lines.push(format!("and {} more, in metrics.json", marks.candidates.len() - MOST_ROWS));
    }
    lines.join("\n")
}

/// Which classes are taken for which.
fn confused(tta: Tta, candidate: &Candidate) -> Option<String> {
    let title = title(candidate, tta);
    if candidate.confusion.classes().len() <= MOST_CLASSES {
        return Some(format!("{title}\n{}", confusion_text::matrix(&candidate.confusion).trim_end()));
    }
    let pairs = confusion_text::pairs(&candidate.confusion, MOST_PAIRS);
    (!pairs.is_empty()).then(|| format!("{title} confuses most often\n{}", pairs.trim_end()))
}

/// Whether the best two differ beyond chance.
fn difference(tta: Tta, marks: &Marks) -> Option<String> {
    let said = marks.said.as_ref()?;
    let [best, second, ..] = marks.ranked()[..] else { return None };
    let test = said[best].against(&said[second]);
    let [best, second] = [best, second].map(|place| title(&marks.candidates[place], tta));
    let differing = test.only_first + test.only_second;
    if differing == 0 {
        return Some(format!("The best two, {best} and {second}, are right on the same photos."));
    }
    let judgement = if test.is_beyond_chance() { "is beyond chance" } else { "may be chance" };
    let p = test.p_in_words();
    Some(format!(
        "Of {} on which the best two differ, {best} has {} right and {second} {}: this {judgement} (McNemar's test, {p}).",
        photos(differing),
        words::count(test.only_first),
        words::count(test.only_second),
    ))
}

/// What was left out.
fn notes(resamples: u32, marks: &Marks) -> Vec<String> {
    let mut notes = Vec::new();
    notes.extend(marks.measured.iter().find_map(Measured::whole).and_then(|whole| fewer(resamples, whole)));
    if marks.said.is_none() {
        notes.push(format!(
            "report.html and all measures but accuracy and log loss are left out: more than {} probabilities were said; measure fewer models at a time",
            words::count(MOST_KEPT as u64)
        ));
    }
    if marks.not_compared > 0 {
        notes.push(format!(
            "{MOST_COMPARISONS} pairs of models were compared, {} {} not",
            words::count(marks.not_compared as u64),
            if marks.not_compared == 1 { "was" } else { "were" }
        ));
    }
    notes
}

/// Where intervals are of fewer resamples than were asked for.
fn fewer(asked: u32, whole: &Measures) -> Option<String> {
    let temperature = whole.calibration.temperature_resamples;
    let fewest = whole.ranking_resamples.min(temperature);
    let [asked_words, all, ranking] =
        [asked, whole.resamples, whole.ranking_resamples].map(|n| words::count(n.into()));
    let that_of_the_temperature = match temperature {
        0 => "the temperature has none".to_owned(),
        some => format!("that of the temperature is of {}", words::count(some.into())),
    };
    (fewest < asked).then(|| {
        format!(
            "intervals are of {all} resamples, those of areas under curves of {ranking}, and {that_of_the_temperature}: for so \
             many photos {asked_words} would take long"
        )
    })
}

/// `1 photo`, `1,000 photos`.
fn photos(count: u64) -> String {
    format!("{} {}", words::count(count), if count == 1 { "photo" } else { "photos" })
}

/// `1 valid photo`, `1,000 valid photos`.
fn of_split(count: u64, split: Split) -> String {
    format!("{} {split} {}", words::count(count), if count == 1 { "photo" } else { "photos" })
}

/// `head`, or `head (mean of 5 views)`.
fn title(candidate: &Candidate, tta: Tta) -> String {
    match candidate.mode {
        Mode::Plain => candidate.model.clone(),
        Mode::Tta => format!("{} ({})", candidate.model, tta.words()),
    }
}

#[cfg(test)]
mod tests {
    use pipeline_fit::{McNemar, MeasureOptions};

    use super::*;
    use crate::answers::Kept;
    use crate::candidate::Photo;
    use crate::metrics::{Counts, Measured};

    /// Three models in two modes on 40 photos of so many classes. Each says the class after the right one of the photos whose
    /// number it divides, with the probability 0.9.
    fn marks(classes: usize) -> Marks {
        let names: Vec<String> = (0..classes).map(|class| format!("class {class}")).collect();
        let mut candidates: Vec<Candidate> = ["head", "last_layer", "finetune"]
            .iter()
            .flat_map(|model| {
                Mode::ALL.map(|mode| Candidate::new((*model).to_owned(), mode, names.clone(), 0))
            })
            .collect();
        let mut kept = Kept::new(candidates.len(), 1_000_000);
        for number in 0..40 {
            let label = number % classes;
            let photo = Photo {
                id: format!("{number:02}.jpg"),
                split: Split::Valid,
                label: Some(names[label].clone()),
                label_id: Some(label as u32),
            };
            let rows = candidates.iter_mut().enumerate().map(|(place, candidate)| {
                let said = (label + usize::from(number % (place + 3) == 0)) % classes;
                let others = (0.1 / (classes - 1) as f32).ln();
                let log_probs = (0..classes).map(|class| if class == said { 0.9_f32.ln() } else { others });
                candidate.add(&photo, &log_probs.collect::<Vec<_>>()).unwrap()
            });
            let rows: Vec<_> = rows.collect();
            kept = kept.add(&photo, &rows).unwrap();
        }
        let said = kept.finish(&candidates);
        let options = MeasureOptions { resamples: 100, level: 0.95, seed: 1 };
        let measures = |said: &crate::answers::Said| said.answers().measure(&options).unwrap();
        let measured = said.iter().map(|said| Measured::Whole(Box::new(measures(said)))).collect();
        Marks { candidates, measured, said: Some(said), comparisons: vec![], not_compared: 0 }
    }

    fn params() -> Params {
        serde_json::from_value(serde_json::json!({"tta": 4})).unwrap()
    }

    #[test]
    fn the_verdict_has_at_most_20_lines_whatever_the_number_of_classes() {
        for classes in [2, 6, 7, 20] {
            let text = summary(&params(), 5, &marks(classes)).text.unwrap();
            assert!(text.lines().count() <= 20, "{classes}: {text}");
        }
    }

    #[test]
    fn the_verdict_is_a_table_the_most_confused_classes_and_a_test_of_the_best_two() {
        let marks = marks(7);
        let summary = summary(&params(), 5, &marks);
        let text = summary.text.unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert!(
            lines[0].starts_with("40 valid photos") && lines[0].ends_with("errors  log loss     ECE"),
            "{text}"
        );
        // By hand: of 0 to 39 there are 14 multiples of 3 and 5 of 8.
        let rows =
            [(1, "head", "0.6500", "      14  "), (6, "finetune (mean of 5 views)", "0.8750", "       5  ")];
        for (line, title, accuracy, errors) in rows {
            let start = format!("{title:28}{accuracy:>10}  ");
            assert!(lines[line].starts_with(&start) && lines[line].contains(errors), "{start}\n{text}");
        }
        // Photos 0, 8, 16, 24 and 32 are of the classes 0, 1, 2, 3 and 4.
        let pairs = [
            "finetune (mean of 5 views) confuses most often",
            "actual   predicted  photos",
            "class 0    class 1       1",
        ];
        assert_eq!(lines[8..11], pairs, "{text}");
        // finetune is wrong on the multiples of 7 and 8: 6 and 5, of which 0 is common. Exact test of 4 and 5: p = 1.
        let test = "Of 9 photos on which the best two differ, finetune (mean of 5 views) has 5 right and finetune 4: this may be chance (McNemar's test, p = 1.000).";
        assert_eq!(lines.last(), Some(&test));
        let line =
            "accuracy head 0.6500 (tta 0.7500), last_layer 0.8000 (tta 0.8250), finetune 0.8500 (tta 0.8750)";
        assert_eq!(summary.line, line);
        assert_eq!(summary.metrics["last_layer.tta.accuracy"], 0.825);
        assert_eq!(McNemar::of(5, 4).p_value, 1.0);
    }

    #[test]
    fn one_photo_and_one_pair_are_no_plurals_and_without_resamples_there_is_no_interval() {
        assert_eq!(of_split(1, Split::Valid), "1 valid photo");
        assert_eq!(of_split(1000, Split::Valid), "1,000 valid photos");
        assert_eq!((photos(1), photos(0)), ("1 photo".to_owned(), "0 photos".to_owned()));
        let mut marks = marks(2);
        let measures = |said: &crate::answers::Said| {
            said.answers().measure(&MeasureOptions { resamples: 0, level: 0.95, seed: 1 }).unwrap()
        };
        let said = marks.said.as_ref().unwrap();
        marks.measured = said.iter().map(|said| Measured::Whole(Box::new(measures(said)))).collect();
        marks.not_compared = 1;
        let params = Params { resamples: 0, ..params() };
        let summary = summary(&params, 0, &marks);
        assert_eq!(summary.notes, ["100 pairs of models were compared, 1 was not"]);
        let text = summary.text.unwrap();
        let row = text.lines().nth(1).unwrap();
        assert!(!row.contains(" to ") && row.contains("  -  "), "{text}");
    }

    #[test]
    fn what_was_left_out_is_said() {
        let mut marks = marks(2);
        marks.not_compared = 90;
        let notes = |marks: &Marks| summary(&params(), 0, marks).notes;
        let resamples = "intervals are of 100 resamples, those of areas under curves of 100, and that of the temperature is of 100: for so many photos 1,000 would take long";
        let pairs = "100 pairs of models were compared, 90 were not";
        assert_eq!(notes(&marks), [resamples, pairs]);
        marks.said = None;
        marks.measured =
            marks.candidates.iter().map(|candidate| Measured::Counted(Counts::of(candidate))).collect();
        let beyond = "report.html and all measures but accuracy and log loss are left out: more than 400,000,000 probabilities were said; measure fewer models at a time";
        assert_eq!(notes(&marks), [beyond, pairs]);
        let text = summary(&params(), 0, &marks).text.unwrap();
        let row = text.lines().nth(1).unwrap();
        assert!(row.starts_with("head ") && row.contains("  -  ") && row.ends_with("  -"), "{text}");
    }
}
