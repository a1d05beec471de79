//! [`look`]: one file, read and decoded once, becomes a row of the table.

use pipeline_photo::{Limits, Reason, content};
use pipeline_stage::Digest;
use pipeline_table::{ImageRow, Verdict};

use crate::File;
use crate::appearance::appearance;
use crate::error::Error;
use crate::layout::Misplaced;

/// What was seen.
#[derive(Debug, Clone)]
pub(crate) struct Looked {
    pub(crate) row: ImageRow,
    /// Of its content.
    pub(crate) digest: Digest,
    /// What was found, for people; empty where ok.
    pub(crate) detail: String,
    /// A few words on the reason, for counts; empty where ok.
    pub(crate) sentence: &'static str,
    /// What the user can do about it.
    pub(crate) way_out: Option<&'static str>,
    /// Whether a pixel is not opaque.
    pub(crate) transparent: bool,
}

/// Looks at a file. Whatever is wrong with it is the answer, not an error.
///
/// # Errors
/// When the disk or the network fails while it is read: that says nothing of the file, and the answer is kept.
pub(crate) fn look(file: &File, classes: &[String]) -> Result<Looked, Error> {
    let mut looked = Looked {
        row: ImageRow {
            id: file.id.clone(),
            split: file.split,
            label: file.label_id.and_then(|id| classes.get(id as usize)).cloned(),
            label_id: file.label_id,
            width: None,
            height: None,
            format: None,
            orientation: None,
            bytes: 0,
            digest: String::new(),
            appearance: None,
            verdict: Verdict::Ok,
            reason: None,
        },
        digest: Digest::of(b""),
        detail: String::new(),
        sentence: "",
        way_out: None,
        transparent: false,
    };
    looked.row.digest = looked.digest.to_string();
    // Whatever lies there, the table did not mean it.
    if let Some(misplaced @ Misplaced::Missing) = file.misplaced {
        looked.misplaced(misplaced);
        return Ok(looked);
    }
    let bytes = match content(&file.path).map_err(Error::Io)? {
        Ok(bytes) => bytes,
        Err(rejected) => {
            looked.set_aside(rejected.reason, rejected.detail);
            return Ok(looked);
        }
    };
    looked.row.bytes = bytes.len() as u64;
    looked.digest = Digest::of(&bytes);
    looked.row.digest = looked.digest.to_string();
    if let Some(misplaced) = file.misplaced {
        looked.misplaced(misplaced);
        return Ok(looked);
    }
    match pipeline_photo::decode(&bytes, &Limits::default()) {
        Err(rejected) => {
            looked.row.format = rejected.format.map(|f| f.as_str().to_owned());
            looked.set_aside(rejected.reason, rejected.detail);
        }
        Ok(photo) => {
            looked.row.width = Some(photo.pixels.width());
            looked.row.height = Some(photo.pixels.height());
            looked.row.format = Some(photo.format.as_str().to_owned());
            looked.row.orientation = Some(photo.orientation);
            looked.row.appearance = Some(appearance(&photo.pixels));
            looked.transparent = photo.transparent;
            let name = file.id.rsplit('/').next().unwrap_or_default();
            let misnamed = (!photo.format.fits_name(name)).then_some(Reason::NameEnding);
            // The table has one reason; what is wrong with the content tells more than the name.
            if let Some(&reason) = photo.findings.iter().chain(&misnamed).next() {
                looked.row.verdict = Verdict::Warn;
                looked.remark(reason, format!("{} ({})", reason.sentence(), photo.format.as_str()));
            }
        }
    }
    Ok(looked)
}

impl Looked {
    fn set_aside(&mut self, reason: Reason, detail: String) {
        self.row.verdict = Verdict::Bad;
        self.remark(reason, detail);
    }

    fn misplaced(&mut self, misplaced: Misplaced) {
        self.row.verdict = Verdict::Bad;
        self.row.reason = Some(misplaced.as_str().to_owned());
        self.sentence = misplaced.sentence();
        self.detail = misplaced.sentence().to_owned();
        self.way_out = Some(misplaced.way_out());
    }

    fn remark(&mut self, reason: Reason, detail: String) {
        self.row.reason = Some(reason.as_str().to_owned());
        self.sentence = reason.sentence();
        self.detail = detail;
        self.way_out = reason.way_out();
    }
}
