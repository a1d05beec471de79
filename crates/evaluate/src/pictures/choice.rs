//! [`sheets`]: which photos to look at. Numbers alone decide; no photo is read here.

use pipeline_fit::argmax;
use pipeline_report::evaluation::{PhotoSheet, SheetPhoto};
use pipeline_stage::random::{Stream, shuffled};
use pipeline_stage::words;

use crate::answers::Said;

/// Photos at random, and of each class, as in the lesson.
const A_FEW: usize = 4;
/// The lesson's number of uncertain photos.
const UNCERTAIN: usize = 8;
/// Classes on a sheet that shows each class: with [`A_FEW`] photos each, as many as a person looks at.
const MOST_CLASSES: usize = 8;

/// The lesson's sheets, in its order, without pictures. Unlabelled photos are on the sheet of uncertain ones alone. Equal
/// photos are taken in the order of their ids.
pub(super) fn sheets(said: &Said, classes: &[String], seed: u64) -> Vec<PhotoSheet> {
    let (mut right, mut wrong) = (vec![], vec![]);
    for photo in 0..said.ids.len() {
        match said.labels[photo] {
            Some(label) if label == predicted(said, photo) => right.push(photo),
            Some(_) => wrong.push(photo),
            None => {}
        }
    }
    let shown = Shown::of(said, classes, &wrong);
    let loss = |photo: usize| said.losses[photo];
    vec![
        at_random("correct", "Correct", "right", &right, seed),
        at_random("wrong", "Wrong", "wrong", &wrong, seed),
        shown.sheet(
            "most_correct",
            "Most correct",
            "Of each class, the photos that were right with the highest probability.",
            &lowest(right, loss),
        ),
        shown.sheet(
            "most_wrong",
            "Most wrong",
            "Of each class, the photos that were wrong with the highest loss.",
            &lowest(wrong, |photo| -loss(photo)),
        ),
        uncertain(said),
    ]
}

/// The class that is said of a photo: the likeliest one, the first of equals.
pub(super) fn predicted(said: &Said, photo: usize) -> u32 {
    argmax(probs(said, photo))
}

/// By how much the likeliest class is likelier than the next, 0 to 1. With two classes it is the smaller, the nearer both
/// probabilities are to one half.
pub(super) fn margin(said: &Said, photo: usize) -> f32 {
    let mut top = [0.0; 2];
    for prob in probs(said, photo) {
        if *prob > top[0] {
            top = [*prob, top[0]];
        } else if *prob > top[1] {
            top[1] = *prob;
        }
    }
    top[0] - top[1]
}

/// The photo whose views are shown: the most uncertain one of those that `plain` says another class of than the mean of
/// the views does; where there is none, the most uncertain one of all.
pub(super) fn of_views(said: &Said, plain: Option<&Said>) -> Option<usize> {
    let all = lowest((0..said.ids.len()).collect(), |photo| margin(said, photo));
    let differs =
        |photo: &&usize| plain.is_some_and(|plain| predicted(plain, **photo) != predicted(said, **photo));
    all.iter().find(differs).or(all.first()).copied()
}

/// The photos in ascending order of a number; equal ones in the order of their ids.
pub(super) fn lowest(photos: Vec<usize>, number: impl Fn(usize) -> f32) -> Vec<usize> {
    // Each number is asked for once: a margin looks at every class.
    let mut numbered: Vec<(f32, usize)> = photos.into_iter().map(|photo| (number(photo), photo)).collect();
    numbered.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    numbered.into_iter().map(|(_, photo)| photo).collect()
}

fn probs(said: &Said, photo: usize) -> &[f32] {
    &said.probs[photo * said.classes..][..said.classes]
}

fn at_random(name: &'static str, title: &str, what: &str, photos: &[usize], seed: u64) -> PhotoSheet {
    let mut random = Stream { seed, purpose: "sheet", item: name, ..Stream::default() }.start();
    let few: Vec<usize> =
        shuffled(photos.len(), &mut random).into_iter().take(A_FEW).map(|i| photos[i]).collect();
    let note = match photos.len() {
        0 => format!("No photo was {what}."),
        count if count <= A_FEW => format!("Every photo that was {what}."),
        count => format!("{A_FEW} photos at random of the {} that were {what}.", words::count(count as u64)),
    };
    sheet(name, title, note, vec![(None, few)])
}

fn uncertain(said: &Said) -> PhotoSheet {
    let mut photos = lowest((0..said.ids.len()).collect(), |photo| margin(said, photo));
    photos.truncate(UNCERTAIN);
    let note = match said.classes {
        2 => "The photos with a probability nearest to one half.",
        _ => "The photos whose two likeliest classes are nearest to each other in probability.",
    };
    sheet("uncertain", "Most uncertain", note.to_owned(), vec![(None, photos)])
}

/// Rows without photos are left out.
fn sheet(name: &str, title: &str, note: String, rows: Vec<(Option<String>, Vec<usize>)>) -> PhotoSheet {
    let photo = |photo| SheetPhoto { photo, picture: None, heat: None, neighbours: vec![] };
    let filled = rows.into_iter().filter(|(_, photos)| !photos.is_empty());
    let rows = filled.map(|(heading, photos)| (heading, photos.into_iter().map(photo).collect())).collect();
    PhotoSheet { name: name.to_owned(), title: title.to_owned(), note, rows }
}

/// The classes of the sheets that show each class.
struct Shown<'a> {
    said: &'a Said,
    names: &'a [String],
    /// Ascending.
    classes: Vec<usize>,
}

impl<'a> Shown<'a> {
    /// All of a few; else those with the most errors.
    fn of(said: &'a Said, names: &'a [String], wrong: &[usize]) -> Self {
        let mut errors = vec![0_u64; names.len()];
        for label in wrong.iter().filter_map(|photo| said.labels[*photo]) {
            errors[label as usize] += 1;
        }
        let mut classes: Vec<usize> = (0..names.len()).collect();
        // Stable: of classes with as many errors, the first.
        classes.sort_by_key(|class| std::cmp::Reverse(errors[*class]));
        classes.truncate(MOST_CLASSES);
        classes.sort_unstable();
        Shown { said, names, classes }
    }

    /// `photos` in order of preference.
    fn sheet(&self, name: &str, title: &str, note: &str, photos: &[usize]) -> PhotoSheet {
        let mut rows: Vec<_> =
            self.classes.iter().map(|class| (Some(self.names[*class].clone()), vec![])).collect();
        for photo in photos {
            let label = self.said.labels[*photo].map(|label| label as usize);
            let row = label.and_then(|label| self.classes.binary_search(&label).ok());
            if let Some((_, row)) = row.map(|row| &mut rows[row]).filter(|(_, row)| row.len() < A_FEW) {
                row.push(*photo);
            }
        }
        let mut note = note.to_owned();
        if self.names.len() > MOST_CLASSES {
            let all = words::count(self.names.len() as u64);
            note += &format!(" Of {all} classes, the {MOST_CLASSES} with the most errors.");
        }
        let none: Vec<&str> =
            rows.iter().filter(|(_, row)| row.is_empty()).filter_map(|(name, _)| name.as_deref()).collect();
        if !none.is_empty() {
            note += &format!(" There is none of: {}.", none.join(", "));
        }
        sheet(name, title, note, rows)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pipeline_table::Mode;

    use super::*;

    /// Photos `00`, `01`, ... with their labels and probabilities.
    fn said<const C: usize>(photos: &[(Option<u32>, [f32; C])]) -> Said {
        let loss = |(label, probs): &(Option<u32>, [f32; C])| label.map_or(0.0, |l| -probs[l as usize].ln());
        Said {
            model: "head".to_owned(),
            mode: Mode::Plain,
            ids: Arc::new((0..photos.len()).map(|photo| format!("{photo:02}")).collect()),
            labels: Arc::new(photos.iter().map(|(label, _)| *label).collect()),
            probs: photos.iter().flat_map(|(_, probs)| *probs).collect(),
            losses: photos.iter().map(loss).collect(),
            classes: C,
        }
    }

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|class| format!("class {class}")).collect()
    }

    /// The photos of a sheet's rows by their headings.
    fn rows(sheet: &PhotoSheet) -> Vec<(Option<&str>, Vec<usize>)> {
        let photos = |row: &[SheetPhoto]| row.iter().map(|shown| shown.photo).collect();
        sheet.rows.iter().map(|(heading, row)| (heading.as_deref(), photos(row))).collect()
    }

    fn dog(label: u32, prob: f32) -> (Option<u32>, [f32; 2]) {
        (Some(label), [1.0 - prob, prob])
    }

    #[test]
    fn a_class_has_its_four_most_correct_and_most_wrong_and_equal_ones_are_taken_by_id() {
        let photos = [
            dog(0, 0.25),
            dog(0, 0.125),
            dog(0, 0.25),
            dog(0, 0.375),
            dog(0, 0.25),
            dog(0, 0.875),
            dog(0, 0.625),
            dog(0, 0.875),
            dog(1, 0.25),
            dog(1, 0.625),
            (None, [0.0, 1.0]),
        ];
        let sheets = sheets(&said(&photos), &names(2), 1);
        let titles: Vec<&str> = sheets.iter().map(|sheet| sheet.name.as_str()).collect();
        assert_eq!(titles, ["correct", "wrong", "most_correct", "most_wrong", "uncertain"]);
        let expected = [(Some("class 0"), vec![1, 0, 2, 4]), (Some("class 1"), vec![9])];
        assert_eq!(rows(&sheets[2]), expected);
        assert_eq!(rows(&sheets[3]), [(Some("class 0"), vec![5, 7, 6]), (Some("class 1"), vec![8])]);
    }

    #[test]
    fn with_two_classes_the_uncertain_ones_are_nearest_to_one_half_unlabelled_ones_among_them() {
        let mut photos = vec![(None, [0.4375, 0.5625]), dog(0, 0.75), dog(1, 0.25), dog(1, 0.5)];
        photos.extend([dog(0, 0.875); 5]);
        let sheets = sheets(&said(&photos), &names(2), 1);
        assert_eq!(rows(&sheets[4]), [(None, vec![3, 0, 1, 2, 4, 5, 6, 7])]);
        assert_eq!(sheets[4].note, "The photos with a probability nearest to one half.");
    }

    /// The first photo's likeliest class is less likely, but the second one's has an equal beside it.
    #[test]
    fn with_more_classes_the_uncertain_ones_have_the_smallest_margin() {
        let photos =
            [(Some(0), [0.375, 0.3125, 0.3125]), (Some(0), [0.5, 0.0, 0.5]), (None, [0.0, 1.0, 0.0])];
        assert_eq!(rows(&sheets(&said(&photos), &names(3), 1)[4]), [(None, vec![1, 0, 2])]);
    }

    #[test]
    fn random_ones_are_drawn_by_the_seed_each_once_and_from_their_own_side() {
        let photos: Vec<_> = (0..40).map(|i| dog(1, if i % 2 == 0 { 0.75 } else { 0.25 })).collect();
        let drawn = |seed| {
            let sheets = sheets(&said(&photos), &names(2), seed);
            [0, 1].map(|sheet| rows(&sheets[sheet])[0].1.clone())
        };
        let [correct, wrong] = drawn(1);
        assert!(correct.len() == 4 && correct.iter().all(|photo| photo % 2 == 0), "{correct:?}");
        assert!(wrong.len() == 4 && wrong.iter().all(|photo| photo % 2 == 1), "{wrong:?}");
        let mut distinct = correct.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), 4, "{correct:?}");
        assert_eq!(drawn(1), [correct.clone(), wrong]);
        assert_ne!(drawn(2)[0], correct);
        let note = |sheet: usize| sheets(&said(&photos), &names(2), 1)[sheet].note.clone();
        assert_eq!(note(0), "4 photos at random of the 20 that were right.");
    }

    #[test]
    fn without_a_wrong_photo_its_sheets_say_so_and_have_no_rows() {
        let sheets = sheets(&said(&[dog(1, 0.75), dog(0, 0.25)]), &names(2), 1);
        assert_eq!((sheets[1].note.as_str(), rows(&sheets[1])), ("No photo was wrong.", vec![]));
        assert_eq!(rows(&sheets[3]), []);
        let note = "Of each class, the photos that were wrong with the highest loss. There is none of: class 0, class 1.";
        assert_eq!(sheets[3].note, note);
        assert_eq!(sheets[0].note, "Every photo that was right.");
        assert_eq!(rows(&sheets[0])[0].1.len(), 2);
    }

    #[test]
    fn a_class_without_photos_has_no_row_and_is_named() {
        let photos = [(Some(0), [0.5, 0.25, 0.25]), (Some(2), [0.0, 0.0, 1.0])];
        let sheets = sheets(&said(&photos), &names(3), 1);
        assert_eq!(rows(&sheets[2]), [(Some("class 0"), vec![0]), (Some("class 2"), vec![1])]);
        assert!(sheets[2].note.ends_with("probability. There is none of: class 1."), "{}", sheets[2].note);
    }

    #[test]
    fn of_many_classes_the_eight_with_the_most_errors_are_shown_in_their_order() {
        // Class c of 0 to 9 has a photo that is right; class 9 has two that are wrong, 1 to 7 one each.
        let one_hot =
            |class: usize| std::array::from_fn::<f32, 10, _>(|c| if c == class { 1.0 } else { 0.0 });
        let mut photos: Vec<_> = (0..10).map(|class| (Some(class as u32), one_hot(class))).collect();
        photos.extend([9, 9, 7, 6, 5, 4, 3, 2, 1].map(|label| (Some(label), one_hot(0))));
        let sheets = sheets(&said(&photos), &names(10), 1);
        let shown: Vec<_> = rows(&sheets[2]).into_iter().map(|(heading, _)| heading.unwrap()).collect();
        let expected = [1, 2, 3, 4, 5, 6, 7, 9].map(|class| format!("class {class}"));
        assert_eq!(shown, expected);
        assert_eq!(rows(&sheets[3])[7], (Some("class 9"), vec![10, 11]));
        let note = "Of each class, the photos that were wrong with the highest loss. Of 10 classes, the 8 with the most errors.";
        assert_eq!(sheets[3].note, note);
    }

    #[test]
    fn views_are_of_the_most_uncertain_photo_that_the_plain_view_says_another_class_of() {
        let plain = said(&[dog(0, 0.75), dog(0, 0.625), dog(0, 0.375), dog(0, 0.25)]);
        let mean = said(&[dog(0, 0.25), dog(0, 0.375), dog(0, 0.4375), dog(0, 0.0)]);
        assert_eq!(of_views(&mean, Some(&plain)), Some(1));
        assert_eq!(of_views(&mean, Some(&mean)), Some(2));
        assert_eq!(of_views(&mean, None), Some(2));
        assert_eq!(of_views(&said::<2>(&[]), None), None);
    }
}
