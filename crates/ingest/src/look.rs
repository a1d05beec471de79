//! [`look`]: one file, read and decoded once, or known from another run, becomes a row of the table.

use pipeline_photo::{Reason, content};
use pipeline_stage::{Digest, Fingerprint};
use pipeline_table::{ImageRow, Verdict};

use crate::File;
use crate::content::{Content, Picture};
use crate::error::Error;
use crate::layout::Misplaced;
use crate::memo::Known;

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
    /// Whether the file was read, and not known from another run.
    pub(crate) was_read: bool,
}

/// Looks at a file. Whatever is wrong with it is the answer, not an error. One that is as it was when it was `known` is not read.
/// Besides, what is known of it now, where it could be read.
///
/// # Errors
/// When the disk or the network fails while it is read: that says nothing of the file, and the answer is kept.
pub(crate) fn look(
    file: &File,
    classes: &[String],
    known: Option<Known>,
) -> Result<(Looked, Option<Known>), Error> {
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
        was_read: false,
    };
    looked.row.digest = looked.digest.to_string();
    // Whatever lies there, the table did not mean it.
    if let Some(misplaced @ Misplaced::Missing) = file.misplaced {
        looked.misplaced(misplaced);
        return Ok((looked, None));
    }
    let known = match read(file, known)? {
        Read::Known(known) => known,
        Read::New(known) => {
            looked.was_read = true;
            known
        }
        Read::Unfit(reason, detail) => {
            looked.set_aside(reason, detail);
            return Ok((looked, None));
        }
    };
    looked.row.bytes = known.content.bytes;
    looked.digest = known.content.digest;
    looked.row.digest = looked.digest.to_string();
    match (file.misplaced, &known.content.picture) {
        (Some(misplaced), _) => looked.misplaced(misplaced),
        (None, Some(picture)) => looked.judge(picture),
        (None, None) => {}
    }
    Ok((looked, Some(known)))
}

/// What came of reading a file.
enum Read {
    /// It is as it was, and was not read.
    Known(Known),
    New(Known),
    /// Not to be read, for this reason, and what was found.
    Unfit(Reason, String),
}

fn read(file: &File, known: Option<Known>) -> Result<Read, Error> {
    // A file that is not used whatever it holds is not decoded.
    let is_decoded = file.misplaced.is_none();
    // Of before it is read, so that a change meanwhile shows the next time.
    let fingerprint = match fs_err::metadata(&file.path) {
        Ok(metadata) if metadata.is_file() => Fingerprint::of(&metadata),
        // No file has this one.
        _ => Fingerprint::from_bytes(&[0; Fingerprint::BYTES]),
    };
    if let Some(known) = known.filter(|known| known.content_of(fingerprint, is_decoded).is_some()) {
        return Ok(Read::Known(known));
    }
    Ok(match content(&file.path).map_err(Error::Io)? {
        Ok(bytes) => Read::New(Known::new(&file.id, fingerprint, Content::of(&bytes, is_decoded))),
        Err(rejected) => Read::Unfit(rejected.reason, rejected.detail),
    })
}

impl Looked {
    /// Takes over what is in the file, and judges it.
    fn judge(&mut self, picture: &Picture) {
        let row = &mut self.row;
        match picture {
            Picture::Rejected { format, reason, detail } => {
                row.format = format.map(|format| format.as_str().to_owned());
                self.set_aside(*reason, detail.clone());
            }
            Picture::Photo { width, height, format, orientation, transparent, findings, .. } => {
                row.width = Some(*width);
                row.height = Some(*height);
                row.format = Some(format.as_str().to_owned());
                row.orientation = Some(*orientation);
                row.appearance = picture.appearance();
                self.transparent = *transparent;
                let name = row.id.rsplit('/').next().unwrap_or_default();
                let misnamed = (!format.fits_name(name)).then_some(Reason::NameEnding);
                // The table has one reason; what is wrong with the content tells more than the name.
                if let Some(&reason) = findings.iter().chain(&misnamed).next() {
                    row.verdict = Verdict::Warn;
                    self.remark(reason, format!("{} ({})", reason.sentence(), format.as_str()));
                }
            }
        }
    }

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
