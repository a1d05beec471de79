//! What ingest found in the data, in sentences.

use std::collections::BTreeMap;

use pipeline_stage::{Artifact, words};
use pipeline_table::Split;
use serde::Deserialize;

use crate::error::Error;

/// What ingest writes beside its table.
pub(crate) const FINDINGS_FILE: &str = "ingest.json";

/// Classes, files and folders named in a sentence.
const MOST_NAMED: usize = 6;

/// Of [`FINDINGS_FILE`] what is said here.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Findings {
    /// Usable photos by split and class.
    photos: BTreeMap<Split, BTreeMap<String, u64>>,
    /// Files by verdict.
    verdicts: BTreeMap<String, u64>,
    transparent: u64,
    /// Files that are used nowhere; the first 10,000.
    set_aside: Vec<Finding>,
    /// Files that are used and have something odd; the first 10,000.
    remarks: Vec<Finding>,
    repeated: Repeated,
    beside: Vec<String>,
    loops: Vec<String>,
}

/// Photos that are there more than once.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Repeated {
    /// Photos that are in a later split too.
    leaks: Counted,
    leaks_of_train: u64,
    dropped_from_train: bool,
    /// Groups of identical photos with more than one class.
    conflicting: Counted,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Counted {
    count: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Finding {
    id: String,
    reason: String,
}

/// The sentences about the photos of an artifact of ingest; none where it has no findings.
pub(crate) fn read(images: &Artifact) -> Result<Vec<String>, Error> {
    let path = images.path(FINDINGS_FILE);
    if !path.is_file() {
        return Ok(vec![]);
    }
    let json = fs_err::read_to_string(&path).map_err(Error::Io)?;
    let findings: Findings =
        serde_json::from_str(&json).map_err(|source| Error::Findings { path, source })?;
    Ok(findings.sentences())
}

impl Findings {
    fn sentences(&self) -> Vec<String> {
        let mut sentences: Vec<String> = self.photos.iter().map(split).collect();
        let verdict = |word: &str| self.verdicts.get(word).copied().unwrap_or(0);
        sentences.extend(files(verdict("bad"), "set aside", &self.set_aside));
        sentences.extend(files(verdict("warn"), "used although something is odd", &self.remarks));
        sentences.extend(self.repeated.sentences());
        if self.transparent > 0 {
            let photos = words::count(self.transparent);
            sentences
                .push(format!("Photos with transparent pixels, whose transparency is dropped: {photos}."));
        }
        if !self.beside.is_empty() {
            let names = self.beside.iter().map(String::as_str);
            sentences.push(format!(
                "Beside the split folders, and no part of the data: {}.",
                words::listed(names, MOST_NAMED)
            ));
        }
        if !self.loops.is_empty() {
            let names = self.loops.iter().map(String::as_str);
            sentences.push(format!(
                "Links that lead back into a folder above them, not followed: {}.",
                words::listed(names, MOST_NAMED)
            ));
        }
        sentences
    }
}

impl Repeated {
    fn sentences(&self) -> Vec<String> {
        let photos = |n: u64| match n {
            1 => "1 photo".to_owned(),
            n => format!("{} photos", words::count(n)),
        };
        let mut sentences = vec![];
        // Those that were dropped are among the files set aside.
        if self.leaks_of_train > 0 && !self.dropped_from_train {
            sentences.push(format!(
                "Leak: of train, {} also in valid or test, and what is measured there flatters the models. ingest.html shows them, \
                 and `on_leak: drop_from_train` leaves them out.",
                photos(self.leaks_of_train)
            ));
        }
        let others = self.leaks.count.saturating_sub(self.leaks_of_train);
        if others > 0 {
            sentences.push(format!("Leak: of valid, {} also in test.", photos(others)));
        }
        match self.conflicting.count {
            0 => {}
            1 => sentences.push("1 group of identical photos has more than one class.".to_owned()),
            n => sentences
                .push(format!("{} groups of identical photos have more than one class.", words::count(n))),
        }
        sentences
    }
}

/// `train: 4,000 photos (2,000 cats, 2,000 dogs).`
fn split((split, classes): (&Split, &BTreeMap<String, u64>)) -> String {
    let total = words::count(classes.values().sum());
    let of_classes = if classes.len() <= MOST_NAMED {
        let each = classes.iter().map(|(class, photos)| format!("{} {class}", words::count(*photos)));
        each.collect::<Vec<_>>().join(", ")
    } else {
        let [least, most] = [classes.values().min(), classes.values().max()].map(|n| n.copied().unwrap_or(0));
        format!("{} classes of {} to {}", classes.len(), words::count(least), words::count(most))
    };
    format!("{split}: {total} photos ({of_classes}).")
}

/// `3 files set aside: 2 truncated, 1 empty; train/a.jpg, train/b.jpg, valid/c.jpg.`
fn files(count: u64, are: &str, list: &[Finding]) -> Option<String> {
    let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
    for finding in list {
        *reasons.entry(&finding.reason).or_default() += 1;
    }
    let reasons = reasons.iter().map(|(reason, n)| format!("{} {reason}", words::count(*n)));
    let reasons = reasons.collect::<Vec<_>>().join(", ");
    let listed_first = match list.len() as u64 {
        all if all >= count => String::new(),
        some => format!(" of the first {}:", words::count(some)),
    };
    let ids = words::listed(list.iter().map(|finding| finding.id.as_str()), MOST_NAMED);
    let files = if count == 1 { "file" } else { "files" };
    (count > 0).then(|| format!("{} {files} {are}:{listed_first} {reasons}; {ids}.", words::count(count)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_ingest_found_is_said_in_sentences() {
        let file = |id: &str, reason: &str| json!({"id": id, "reason": reason, "detail": "", "hint": null});
        let many: BTreeMap<String, u64> = (0..7).map(|i| (format!("c{i}"), 10 * i + 1)).collect();
        let findings = json!({
            "format": 1,
            "photos": {"test": {"unlabelled": 7}, "train": {"cats": 2000, "dogs": 1}, "valid": many},
            "verdicts": {"ok": 5, "bad": 3, "warn": 20_000},
            "set_aside": [file("train/a.jpg", "truncated"), file("x.jpg", "empty"), file("y.jpg", "truncated")],
            "remarks": (0..8).map(|i| file(&format!("{i}.jpg"), "tail")).collect::<Vec<_>>(),
            "repeated": {
                "leaks": {"count": 3, "listed": [], "more": 0}, "leaks_of_train": 2, "dropped_from_train": false,
                "conflicting": {"count": 1},
            },
            "transparent": 2, "beside": ["sample"], "loops": ["train/loop"], "unheard_of": 1,
        });
        let findings: Findings = serde_json::from_value(findings).unwrap();
        let expected = [
            "train: 2,001 photos (2,000 cats, 1 dogs).",
            "valid: 217 photos (7 classes of 1 to 61).",
            "test: 7 photos (7 unlabelled).",
            "3 files set aside: 1 empty, 2 truncated; train/a.jpg, x.jpg, y.jpg.",
            "20,000 files used although something is odd: of the first 8: 8 tail; 0.jpg, 1.jpg, 2.jpg, 3.jpg, 4.jpg, 5.jpg and 2 more.",
            "Leak: of train, 2 photos also in valid or test, and what is measured there flatters the models. ingest.html shows them, and `on_leak: drop_from_train` leaves them out.",
            "Leak: of valid, 1 photo also in test.",
            "1 group of identical photos has more than one class.",
            "Photos with transparent pixels, whose transparency is dropped: 2.",
            "Beside the split folders, and no part of the data: sample.",
            "Links that lead back into a folder above them, not followed: train/loop.",
        ];
        assert_eq!(findings.sentences(), expected);
        assert!(Findings::default().sentences().is_empty());
    }
}
