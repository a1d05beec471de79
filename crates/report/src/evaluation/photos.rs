//! The list of all photos: as JSON for the script, which shows a page of it, and the wrong ones as a table without it.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use minijinja::{Value, context};
use serde_json::json;

use super::album::source;
use super::number::{NONE, count, fixed, percent};
use super::{Evaluation, PhotoRow};

/// Wrong photos that are listed without a script and on paper.
const MAX_WRONG: usize = 200;

/// Photos that the script lists: about 15 MB.
const MAX_LISTED: usize = 200_000;

impl PhotoRow {
    pub(super) fn is_wrong(&self) -> bool {
        self.label.is_some_and(|label| label != self.predicted)
    }
}

impl Evaluation {
    /// Wrong photos, the most wrong first.
    fn wrong(&self) -> Vec<usize> {
        let mut wrong: Vec<usize> = (0..self.photos.len()).filter(|at| self.photos[*at].is_wrong()).collect();
        let loss = |at: &usize| self.photos[*at].loss.unwrap_or(0.0);
        wrong.sort_by(|a, b| loss(b).total_cmp(&loss(a)));
        wrong
    }

    /// The table of wrong photos.
    pub(super) fn wrong_table(&self) -> Value {
        let wrong = self.wrong();
        let row = |at: &usize| {
            let photo = &self.photos[*at];
            context! {
                id => &photo.id,
                thumbnail => context! {
                    id => &photo.id, photo => *at, source => photo.thumbnail.as_ref().map(|jpeg| source("jpeg", jpeg)),
                },
                label => photo.label.map(|label| self.class(label)),
                predicted => self.class(photo.predicted),
                confidence => percent(f64::from(photo.confidence)),
                loss => photo.loss.map_or_else(|| NONE.to_owned(), |loss| fixed(f64::from(loss), 4)),
            }
        };
        context! {
            rows => wrong.iter().take(MAX_WRONG).map(row).collect::<Vec<_>>(),
            left_out => wrong.len().checked_sub(MAX_WRONG).filter(|n| *n > 0).map(|n| count(n as u64)),
        }
    }

    /// The list, a column each, for a script element. Thumbnails that stand in the page already, as those of wrong
    /// photos do, are taken from there.
    pub(super) fn photos_json(&self) -> Value {
        let mut in_page = self.shown_in_data();
        in_page.extend(self.wrong().into_iter().take(MAX_WRONG));
        let listed = self.listed();
        let thumbnails = listed.iter().filter(|at| !in_page.contains(at)).filter_map(|at| {
            let jpeg = self.photos[*at].thumbnail.as_ref()?;
            Some((at.to_string(), json!(BASE64_STANDARD.encode(jpeg))))
        });
        let label = |photo: &PhotoRow| photo.label.map_or(-1, i64::from);
        let photos: Vec<&PhotoRow> = listed.iter().map(|at| &self.photos[*at]).collect();
        let list = json!({
            "classes": (0..self.named_classes()).map(|class| self.class(class as u32)).collect::<Vec<_>>(),
            // Where a photo stands among all; null where all are listed.
            "at": (listed.len() < self.photos.len()).then_some(&listed),
            "name": photos.iter().map(|photo| photo.id.as_str()).collect::<Vec<_>>(),
            "label": photos.iter().map(|photo| label(photo)).collect::<Vec<_>>(),
            "predicted": photos.iter().map(|photo| photo.predicted).collect::<Vec<_>>(),
            "confidence": photos.iter().map(|photo| share(photo.confidence)).collect::<Vec<_>>(),
            "loss": photos.iter().map(|photo| photo.loss.and_then(|loss| rounded(loss, 1e4))).collect::<Vec<_>>(),
            "thumbnails": thumbnails.collect::<serde_json::Map<_, _>>(),
        });
        // Neither an end tag nor a comment can begin in it.
        Value::from_safe_string(list.to_string().replace('<', "\\u003c"))
    }

    /// The photos that the list has, in order: all, or those with the largest losses.
    fn listed(&self) -> Vec<usize> {
        let mut places: Vec<usize> = (0..self.photos.len()).collect();
        if places.len() > MAX_LISTED {
            let loss = |at: &usize| self.photos[*at].loss.unwrap_or(0.0);
            places.sort_by(|a, b| loss(b).total_cmp(&loss(a)));
            places.truncate(MAX_LISTED);
            places.sort_unstable();
        }
        places
    }

    /// What the list leaves out, in words.
    pub(super) fn unlisted(&self) -> Option<String> {
        let all = self.photos.len();
        (all > MAX_LISTED).then(|| {
            let [listed, all] = [MAX_LISTED, all].map(|n| count(n as u64));
            format!("The list has the {listed} photos with the largest losses, of {all}.")
        })
    }

    /// How many photos have no thumbnail, in words; `None` where all have one, or none.
    pub(super) fn unpictured(&self) -> Option<String> {
        let (all, with) =
            (self.photos.len(), self.photos.iter().filter(|photo| photo.thumbnail.is_some()).count());
        (0 < with && with < all).then(|| {
            let [without, all] = [all - with, all].map(|n| count(n as u64));
            format!(
                "{without} of {all} photos have no small picture: they are gone, or the page has no more room; wrong ones and those \
                 with the largest losses come first."
            )
        })
    }

    /// Classes by name, and those that photos have beyond.
    fn named_classes(&self) -> usize {
        let numbers = self.photos.iter().flat_map(|photo| [Some(photo.predicted), photo.label]).flatten();
        let highest = numbers.map(|number| number as usize + 1).filter(|n| *n <= 65_536).max().unwrap_or(0);
        highest.max(self.classes.len())
    }
}

/// Rounded to one of `parts` parts. `None` for what is no number.
fn rounded(value: f32, parts: f64) -> Option<f64> {
    value.is_finite().then(|| (f64::from(value) * parts).round() / parts)
}

/// A share in hundred thousandths, of which next to all does not read as all.
fn share(value: f32) -> Option<f64> {
    let all_but_one = 1.0 - 1e-5;
    rounded(value, 1e5).map(|share| if value < 1.0 { share.min(all_but_one) } else { share })
}
