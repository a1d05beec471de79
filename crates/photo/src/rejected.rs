//! [`Rejected`]: the error of [`decode`](crate::decode()).

use pipeline_stage::Hint;

use crate::{Format, Reason};

/// Bytes that cannot be used as a photo.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {detail}", .reason.sentence())]
pub struct Rejected {
    /// Why, as one of a fixed list.
    pub reason: Reason,
    /// What was found, for people: lower case, no full stop.
    pub detail: String,
    /// The format, where the content tells one that can be decoded in principle.
    pub format: Option<Format>,
}

impl Rejected {
    pub(crate) fn new(reason: Reason, format: Option<Format>, detail: impl Into<String>) -> Self {
        Rejected { reason, detail: detail.into(), format }
    }
}

impl Hint for Rejected {
    fn hint(&self) -> Option<String> {
        self.reason.way_out().map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_names_the_reason_and_what_was_found_and_the_hint_the_way_out() {
        let rejected = Format::sniff(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic").unwrap_err();
        assert_eq!(rejected.to_string(), "an HEIC picture: it has the brand of HEIF pictures");
        let way = "convert it to JPEG, for example with `heif-convert FILE.heic FILE.jpg`";
        assert_eq!(rejected.hint().as_deref(), Some(way));
    }
}
