//! [`Repeated`]: the duplicates that were found, by their ids, as `ingest.json` has them.

use pipeline_report::name::shortened;
use pipeline_stage::words;
use pipeline_table::Split;
use serde::Serialize;

use crate::File;
use crate::duplicates::{Duplicates, Leak, Seen};
use crate::listed::Listed;

/// Letters of an id in a note.
const LONGEST: usize = 120;

/// Groups, pairs and photos listed of each kind, and ids of a group.
const MOST_LISTED: usize = 100;

/// Photos that are there more than once.
#[derive(Debug, Serialize)]
pub(crate) struct Repeated {
    /// Photos that are in a later split too.
    pub(crate) leaks: Listed<Leaked>,
    /// Of the leaks, those in train; and whether they were left out.
    pub(crate) leaks_of_train: u64,
    pub(crate) dropped_from_train: bool,
    /// Groups of the same bytes.
    pub(crate) identical: Listed<Group>,
    /// Of these, those with more than one class.
    pub(crate) conflicting: Listed<Group>,
    /// Bits in which the hashes of near duplicates differ at most.
    pub(crate) near_duplicates_bits: u32,
    /// Photos that look the same as another of their split, without identical ones; and pairs of them.
    pub(crate) near_duplicate_photos: u64,
    pub(crate) near_duplicates: Listed<Pair>,
    /// Photos that look different from all before them and were not compared with those after them: there were too
    /// many pairs.
    pub(crate) not_compared: u64,
}

/// A photo that is in a later split too.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Leaked {
    pub(crate) photo: Named,
    pub(crate) twin: Named,
    /// Bits in which the hashes differ; null where the bytes are the same.
    pub(crate) bits: Option<u8>,
}

/// A photo.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Named {
    pub(crate) id: String,
    pub(crate) split: Split,
    /// Its class; null where unlabelled.
    pub(crate) label: Option<String>,
    #[serde(skip)]
    pub(crate) digest: String,
}

/// Photos of the same bytes.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Group {
    pub(crate) photos: Listed<Named>,
}

/// Photos that look the same.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Pair {
    pub(crate) photos: [Named; 2],
    /// Bits in which the hashes differ.
    pub(crate) bits: u8,
}

/// Puts names to what was found.
pub(crate) struct Names<'a> {
    pub(crate) seen: &'a [Seen],
    pub(crate) files: &'a [File],
    pub(crate) classes: &'a [String],
}

impl Names<'_> {
    pub(crate) fn of(&self, at: u32) -> Named {
        let seen = &self.seen[at as usize];
        Named {
            id: self.files[seen.row as usize].id.clone(),
            split: seen.split,
            label: seen.label_id.and_then(|id| self.classes.get(id as usize)).cloned(),
            digest: seen.digest.to_string(),
        }
    }

    pub(crate) fn leak(&self, leak: &Leak) -> Leaked {
        Leaked { photo: self.of(leak.photo), twin: self.of(leak.twin), bits: leak.bits }
    }

    fn group(&self, group: &[u32]) -> Group {
        Group { photos: Listed::of(MOST_LISTED, group, |at| self.of(*at)) }
    }

    /// Whether photos of the group have different classes.
    fn is_conflicting(&self, group: &[u32]) -> bool {
        let mut labels = group.iter().filter_map(|at| self.seen[*at as usize].label_id);
        labels.next().is_some_and(|first| labels.any(|label| label != first))
    }
}

impl Repeated {
    pub(crate) fn new(found: &Duplicates, names: &Names<'_>, bits: u32, is_dropping: bool) -> Self {
        let of_train = |leak: &&Leak| names.seen[leak.photo as usize].split == Split::Train;
        let leaks_of_train = found.leaks.iter().filter(of_train).count() as u64;
        let conflicting = found.identical.iter().filter(|group| names.is_conflicting(group));
        let pair = |pair: &crate::duplicates::Near| Pair {
            photos: [names.of(pair.a), names.of(pair.b)],
            bits: pair.bits,
        };
        Repeated {
            leaks: Listed::of(MOST_LISTED, &found.leaks, |leak| names.leak(leak)),
            leaks_of_train,
            dropped_from_train: is_dropping && leaks_of_train > 0,
            identical: Listed::of(MOST_LISTED, &found.identical, |group| names.group(group)),
            conflicting: Listed::of(MOST_LISTED, conflicting, |group| names.group(group)),
            near_duplicates_bits: bits,
            near_duplicate_photos: found.near_photos,
            near_duplicates: Listed::of(MOST_LISTED, &found.near, pair),
            not_compared: found.not_compared,
        }
    }

    /// What a person must know, the gravest first.
    pub(crate) fn notes(&self) -> Vec<String> {
        let mut notes = vec![];
        let count = words::count;
        if self.leaks.count > 0 {
            notes.push(self.leak_note());
        }
        if self.conflicting.count > 0 {
            let groups = if self.conflicting.count == 1 {
                "1 photo is in more than one class".to_owned()
            } else {
                format!("{} photos are in more than one class each", count(self.conflicting.count))
            };
            let first = self.conflicting.first.first().map(|group| {
                group
                    .photos
                    .first
                    .iter()
                    .take(2)
                    .map(|p| shortened(&p.id, LONGEST))
                    .collect::<Vec<_>>()
                    .join(" and ")
            });
            notes.push(format!("{groups}, byte by byte the same: {}", first.unwrap_or_default()));
        }
        if self.not_compared > 0 {
            notes.push(format!(
                "near duplicates: {} of the different photos were not compared with all others, since there were too many pairs; a lower `near_duplicates` finds fewer",
                count(self.not_compared)
            ));
        }
        notes
    }

    fn leak_note(&self) -> String {
        let others = self.leaks.count - self.leaks_of_train;
        let of = |n: u64, split: &str, later: &str| {
            let (photos, are) = if n == 1 { ("photo", "is") } else { ("photos", "are") };
            format!("{} {photos} of {split} {are} in {later} too", words::count(n))
        };
        let mut parts = vec![];
        if self.leaks_of_train > 0 {
            parts.push(of(self.leaks_of_train, "train", "valid or test"));
        }
        if others > 0 {
            parts.push(of(others, "valid", "test"));
        }
        let leak = &self.leaks.first[0];
        let as_twin = |bits: Option<u8>| bits.map_or("identical to", |_| "looks the same as");
        let example = format!(
            "{} {} {}",
            shortened(&leak.photo.id, LONGEST),
            as_twin(leak.bits),
            shortened(&leak.twin.id, LONGEST)
        );
        let then = match (self.dropped_from_train, self.leaks_of_train) {
            (true, _) => "those of train were set aside",
            (false, 0) => "ingest.html shows them",
            (false, _) => {
                "what is measured on them flatters the model; ingest.html shows them, `on_leak: drop_from_train` leaves them out"
            }
        };
        format!("LEAK: {} ({example}); {then}", parts.join(", "))
    }
}
