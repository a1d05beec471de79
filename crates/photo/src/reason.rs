//! [`Reason`]: the fixed list of what can be odd or wrong with a picture file.

use serde::{Deserialize, Serialize};

/// Why a photo has the verdict `warn` (it is used) or `bad` (it is set aside).
///
/// The words of [`Reason::as_str`] are written to tables and never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    // Used, and reported.
    /// The file name does not end as its format does (or has no ending).
    NameEnding,
    /// The first of several frames or pages is used.
    FirstOfSeveral,
    /// There are bytes after the end of the picture.
    TrailingData,
    /// The end marker, or the checksum of a part that holds no pixels, is missing or wrong; every pixel is there.
    MinorDamage,
    /// The EXIF data is malformed or names an orientation outside 1 to 8; the picture is used as stored.
    BadExif,

    // Set aside.
    /// The file has no bytes.
    Empty,
    /// The content is no picture of any known format.
    NotAnImage,
    /// An HTML page, as saved by a failed download.
    HtmlPage,
    /// A PDF document.
    Pdf,
    /// A vector drawing.
    Svg,
    /// An HEIC or HEIF picture, as phones write them.
    Heic,
    /// An AVIF picture.
    Avif,
    /// A picture in another format that is recognised and not supported.
    UnsupportedFormat,
    /// A supported format that uses a feature which is not.
    UnsupportedFeature,
    /// The file ends before the picture does.
    Truncated,
    /// The data contradicts its format.
    Corrupt,
    /// The picture declares more pixels than the limit, or needs more memory.
    TooLarge,
    /// The file cannot be read.
    Unreadable,
}

impl Reason {
    /// Every reason, in the order of the table words' first use.
    pub const ALL: &'static [Reason] = &[
        Reason::NameEnding,
        Reason::FirstOfSeveral,
        Reason::TrailingData,
        Reason::MinorDamage,
        Reason::BadExif,
        Reason::Empty,
        Reason::NotAnImage,
        Reason::HtmlPage,
        Reason::Pdf,
        Reason::Svg,
        Reason::Heic,
        Reason::Avif,
        Reason::UnsupportedFormat,
        Reason::UnsupportedFeature,
        Reason::Truncated,
        Reason::Corrupt,
        Reason::TooLarge,
        Reason::Unreadable,
    ];

    /// The word in tables: snake case.
    pub fn as_str(self) -> &'static str {
        self.words().0
    }

    /// A few words for counts and messages: `truncated`, `not an image`.
    pub fn sentence(self) -> &'static str {
        self.words().1
    }

    /// What the user can do about it, where something can be done.
    pub fn way_out(self) -> Option<&'static str> {
        let way = self.words().2;
        (!way.is_empty()).then_some(way)
    }

    fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Reason::NameEnding => (
                "name_ending",
                "name does not end as its format does",
                "rename it, or leave it: the content decides",
            ),
            Reason::FirstOfSeveral => ("first_of_several", "only the first frame or page is used", ""),
            Reason::TrailingData => ("trailing_data", "bytes after the end of the picture", ""),
            Reason::MinorDamage => {
                ("minor_damage", "damaged, but every pixel is there", "save it again with any picture editor")
            }
            Reason::BadExif => {
                ("bad_exif", "malformed EXIF data, used as stored", "check that it is upright")
            }
            Reason::Empty => ("empty", "empty file", "copy it again from where it came from"),
            Reason::NotAnImage => ("not_an_image", "not an image", "move it out of the folder of photos"),
            Reason::HtmlPage => (
                "html_page",
                "an HTML page",
                "download it again: the server sent a page instead of the photo",
            ),
            Reason::Pdf => {
                ("pdf", "a PDF document", "extract its pictures with `pdfimages -all FILE.pdf PREFIX`")
            }
            Reason::Svg => (
                "svg",
                "an SVG drawing",
                "render it to PNG, for example with `rsvg-convert FILE.svg -o FILE.png`",
            ),
            Reason::Heic => (
                "heic",
                "an HEIC picture",
                "convert it to JPEG, for example with `heif-convert FILE.heic FILE.jpg`",
            ),
            Reason::Avif => (
                "avif",
                "an AVIF picture",
                "convert it to PNG, for example with `avifdec FILE.avif FILE.png`",
            ),
            Reason::UnsupportedFormat => {
                ("unsupported_format", "unsupported picture format", "convert it to JPEG or PNG")
            }
            Reason::UnsupportedFeature => (
                "unsupported_feature",
                "uses an unsupported feature of its format",
                "convert it to JPEG or PNG",
            ),
            Reason::Truncated => ("truncated", "truncated", "copy it again from where it came from"),
            Reason::Corrupt => ("corrupt", "corrupt", "copy it again from where it came from"),
            Reason::TooLarge => ("too_large", "too large", "make it smaller with a picture editor"),
            Reason::Unreadable => {
                ("unreadable", "unreadable", "check its permissions, and where it leads if it is a link")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_table_are_fixed() {
        let words: Vec<&str> = Reason::ALL.iter().map(|r| r.as_str()).collect();
        assert_eq!(
            words,
            [
                "name_ending",
                "first_of_several",
                "trailing_data",
                "minor_damage",
                "bad_exif",
                "empty",
                "not_an_image",
                "html_page",
                "pdf",
                "svg",
                "heic",
                "avif",
                "unsupported_format",
                "unsupported_feature",
                "truncated",
                "corrupt",
                "too_large",
                "unreadable",
            ]
        );
        assert_eq!(serde_json::to_value(Reason::ALL).unwrap(), serde_json::json!(words));
    }

    #[test]
    fn each_has_words_of_its_own_for_people() {
        let sentences: std::collections::BTreeSet<&str> = Reason::ALL.iter().map(|r| r.sentence()).collect();
        assert_eq!(sentences.len(), Reason::ALL.len());
        for reason in Reason::ALL {
            let texts = [Some(reason.sentence()), reason.way_out()];
            assert!(texts.iter().flatten().all(|t| !t.is_empty() && !t.ends_with('.')), "{reason:?}");
        }
    }
}
