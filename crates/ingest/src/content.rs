//! [`Content`]: what is in a file, whatever its name and place: all that is known from reading it.

use pipeline_photo::{Format, Limits, Reason};
use pipeline_stage::Digest;
use pipeline_table::Appearance;
use serde::{Deserialize, Serialize};

use crate::appearance::appearance;

/// What reading a file tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Content {
    /// Its size.
    pub(crate) bytes: u64,
    pub(crate) digest: Digest,
    /// `None` where it was not decoded, since the file is not used whatever it holds.
    pub(crate) picture: Option<Picture>,
}

/// What decoding it tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Picture {
    Photo {
        /// Pixels, upright.
        width: u32,
        height: u32,
        format: Format,
        orientation: u8,
        /// The bits of [`Appearance::mean`], which decimals would not keep for certain.
        mean_bits: [u32; 3],
        phash: Option<u64>,
        is_grey: bool,
        transparent: bool,
        findings: Vec<Reason>,
    },
    Rejected {
        format: Option<Format>,
        reason: Reason,
        detail: String,
    },
}

impl Content {
    /// Of a file's bytes, which are decoded if that is of use.
    pub(crate) fn of(bytes: &[u8], is_decoded: bool) -> Content {
        let picture = is_decoded.then(|| Picture::of(bytes));
        Content { bytes: bytes.len() as u64, digest: Digest::of(bytes), picture }
    }
}

impl Picture {
    fn of(bytes: &[u8]) -> Picture {
        match pipeline_photo::decode(bytes, &Limits::default()) {
            Err(rejected) => Picture::Rejected {
                format: rejected.format,
                reason: rejected.reason,
                detail: rejected.detail,
            },
            Ok(photo) => {
                let look = appearance(&photo.pixels);
                Picture::Photo {
                    width: photo.pixels.width(),
                    height: photo.pixels.height(),
                    format: photo.format,
                    orientation: photo.orientation,
                    mean_bits: look.mean.map(f32::to_bits),
                    phash: look.phash,
                    is_grey: look.is_grey,
                    transparent: photo.transparent,
                    findings: photo.findings,
                }
            }
        }
    }

    /// What it looks like, where it is a photo.
    pub(crate) fn appearance(&self) -> Option<Appearance> {
        match *self {
            Picture::Photo { mean_bits, phash, is_grey, .. } => {
                Some(Appearance { phash, mean: mean_bits.map(f32::from_bits), is_grey })
            }
            Picture::Rejected { .. } => None,
        }
    }
}
