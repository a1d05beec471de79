//! [`Contents`]: whether photos of one name are the same photo in both evaluations, by the digests in their photo tables.

use std::iter::Peekable;
use std::path::Path;

use pipeline_stage::exit;
use pipeline_table::{Error, ImagesReader};

use super::ancestors::Lineage;
use crate::command::Stop;

/// What is known of the photos' content.
pub(super) enum Contents {
    /// Both evaluations read one and the same photo table.
    Same,
    /// Their photo tables, in order of ids.
    Tables(Box<[Digests; 2]>),
    /// Of one evaluation at least there is no photo table.
    Unknown,
}

impl Contents {
    /// Opens the photo tables, as far as they are there.
    pub(super) fn open(this: &Lineage, that: &Lineage) -> Result<Contents, Stop> {
        let (Some((this, of_this)), Some((that, of_that))) = (this.images(), that.images()) else {
            return Ok(Contents::Unknown);
        };
        match () {
            () if of_this == of_that => Ok(Contents::Same),
            () if !this.is_file() || !that.is_file() => Ok(Contents::Unknown),
            () => Ok(Contents::Tables(Box::new([Digests::open(&this)?, Digests::open(&that)?]))),
        }
    }

    /// Whether the photo `id` is known to be another in both. To be asked in order of ids.
    pub(super) fn differ(&mut self, id: &str) -> Result<bool, Stop> {
        let Contents::Tables(tables) = self else { return Ok(false) };
        let [this, that] = tables.as_mut();
        let (this, that) = (this.of(id)?, that.of(id)?);
        Ok(this.zip(that).is_some_and(|(this, that)| this != that))
    }
}

/// The digests of a photo table.
pub(super) struct Digests(Peekable<ImagesReader>);

impl Digests {
    fn open(path: &Path) -> Result<Digests, Stop> {
        Ok(Digests(ImagesReader::open(path).map_err(unreadable)?.peekable()))
    }

    /// That of the photo `id`; `None` where the table does not list it.
    fn of(&mut self, id: &str) -> Result<Option<String>, Stop> {
        while let Some(row) = self.0.next_if(|row| row.as_ref().map_or(true, |row| row.id.as_str() <= id)) {
            let row = row.map_err(unreadable)?;
            if row.id == id {
                return Ok(Some(row.digest));
            }
        }
        Ok(None)
    }
}

fn unreadable(error: Error) -> Stop {
    Stop::new(exit::STAGE_FAILED, &error)
}

#[cfg(test)]
mod tests {
    use pipeline_table::{ImageRow, ImagesWriter, Split, Verdict};

    use super::*;

    #[test]
    fn a_photo_differs_where_both_tables_know_it_with_other_digests() {
        let dir = tempfile::tempdir().unwrap();
        let table = |name: &str, photos: &[(&str, &str)]| {
            let path = dir.path().join(name);
            let mut writer = ImagesWriter::create(&path).unwrap();
            for (id, digest) in photos {
                let row = ImageRow {
                    id: (*id).to_owned(),
                    split: Split::Valid,
                    label: None,
                    label_id: None,
                    width: Some(3),
                    height: Some(2),
                    format: Some("png".to_owned()),
                    orientation: Some(1),
                    bytes: 9,
                    digest: digest.repeat(64),
                    appearance: None,
                    verdict: Verdict::Ok,
                    reason: None,
                };
                writer.write(&row).unwrap();
            }
            writer.finish().unwrap();
            Digests::open(&path).map_err(|_| name.to_owned()).unwrap()
        };
        let this = table("this", &[("a", "1"), ("b", "2"), ("c", "3"), ("e", "5")]);
        let that = table("that", &[("a", "1"), ("c", "4"), ("d", "5"), ("e", "5"), ("f", "6")]);
        let mut contents = Contents::Tables(Box::new([this, that]));
        let mut differ = |id| contents.differ(id).map_err(|_| id).unwrap();
        assert_eq!(["a", "b", "c", "e", "f"].map(&mut differ), [false, false, true, false, false]);
        for mut known_nothing in [Contents::Same, Contents::Unknown] {
            assert!(!known_nothing.differ("c").map_err(|_| "c").unwrap());
        }
    }
}
