//! [`look`]: one file, read and decoded once, becomes a row of the table.

use pipeline_photo::{Limits, Reason};
use pipeline_stage::Digest;
use pipeline_table::{ImageRow, Verdict};

use crate::File;

/// Files above this size are not read. Far above any photo: an uncompressed picture of the largest
/// allowed number of pixels.
const MAX_BYTES: u64 = 2 << 30;

/// What was seen.
#[derive(Debug, Clone)]
pub(crate) struct Looked {
    pub(crate) row: ImageRow,
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
pub(crate) fn look(file: &File, classes: &[String]) -> Looked {
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
            digest: Digest::of(b"").to_string(),
            verdict: Verdict::Ok,
            reason: None,
        },
        detail: String::new(),
        sentence: "",
        way_out: None,
        transparent: false,
    };
    let bytes = match read(file) {
        Ok(bytes) => bytes,
        Err((reason, detail)) => {
            looked.set_aside(reason, detail);
            return looked;
        }
    };
    looked.row.bytes = bytes.len() as u64;
    looked.row.digest = Digest::of(&bytes).to_string();
    if let Some(misplaced) = file.misplaced {
        looked.row.verdict = Verdict::Bad;
        looked.row.reason = Some(misplaced.as_str().to_owned());
        looked.sentence = misplaced.sentence();
        looked.detail = misplaced.sentence().to_owned();
        looked.way_out = Some(misplaced.way_out());
        return looked;
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
    looked
}

fn read(file: &File) -> Result<Vec<u8>, (Reason, String)> {
    let unreadable = |error: std::io::Error| (Reason::Unreadable, cause(&error));
    let metadata = fs_err::metadata(&file.path).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err((Reason::Unreadable, "it is no ordinary file".to_owned()));
    }
    if metadata.len() > MAX_BYTES {
        let detail = format!("it has {} bytes, the limit is {MAX_BYTES}", metadata.len());
        return Err((Reason::TooLarge, detail));
    }
    fs_err::read(&file.path).map_err(unreadable)
}

/// What went wrong in general terms: the list names the photo, and paths are no content.
fn cause(error: &std::io::Error) -> String {
    error.kind().to_string()
}

impl Looked {
    fn set_aside(&mut self, reason: Reason, detail: String) {
        self.row.verdict = Verdict::Bad;
        self.remark(reason, detail);
    }

    fn remark(&mut self, reason: Reason, detail: String) {
        self.row.reason = Some(reason.as_str().to_owned());
        self.sentence = reason.sentence();
        self.detail = detail;
        self.way_out = reason.way_out();
    }
}
