//! Why a sheet, a chart or an event file could not be drawn or written.

use pipeline_stage::Hint;

/// Why a sheet, a chart or an event file could not be drawn or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A tile's picture has no pixels.
    #[error("cannot show `{caption}`: its picture is {width} x {height} pixels, expected at least 1 x 1")]
    NoPixels {
        /// The tile's caption.
        caption: String,
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
    },
    /// A sheet is too large for a picture, however small its tiles.
    #[error("cannot draw a sheet of {width} x {height} pixels: expected at most {limit} on a side")]
    TooLarge {
        /// Pixels across.
        width: u64,
        /// Pixels down.
        height: u64,
        /// The longest side allowed, in pixels.
        limit: u32,
    },
    /// A picture could not be encoded.
    #[error("cannot encode `{name}` as {format}")]
    Encode {
        /// The tile's caption, or the file of a whole sheet or chart.
        name: String,
        /// `JPEG` or `PNG`.
        format: &'static str,
        /// Why.
        source: image::ImageError,
    },
    /// A shipped font cannot be read: the program was built from a damaged file.
    #[error("cannot read the font `{name}`, which is part of this program")]
    Font {
        /// The font's file.
        name: &'static str,
        /// Why.
        source: ab_glyph::InvalidFont,
    },
    /// A page's template cannot be filled in: the program was built from a damaged file.
    #[error("cannot fill in the template `{}`, which is part of this program", .0.name().unwrap_or("page"))]
    Template(#[from] minijinja::Error),
    /// A file, which the message names, could not be written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl Hint for Error {
    fn hint(&self) -> Option<String> {
        match self {
            Error::TooLarge { .. } => Some("show fewer pictures".to_owned()),
            Error::Font { .. } | Error::Template(_) => Some("build the program again".to_owned()),
            Error::Io(source) if source.kind() == std::io::ErrorKind::StorageFull => {
                Some("free some space, or name a folder on another disk".to_owned())
            }
            Error::NoPixels { .. } | Error::Encode { .. } | Error::Io(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_names_the_thing_and_the_way_out() {
        let cases = [
            (
                Error::NoPixels { caption: "cat.1.jpg".to_owned(), width: 0, height: 5 },
                "cannot show `cat.1.jpg`: its picture is 0 x 5 pixels, expected at least 1 x 1",
                None,
            ),
            (
                Error::TooLarge { width: 736, height: 90_000, limit: 8192 },
                "cannot draw a sheet of 736 x 90000 pixels: expected at most 8192 on a side",
                Some("show fewer pictures"),
            ),
            (
                Error::Font { name: "NotoSans-Regular.ttf", source: ab_glyph::InvalidFont },
                "cannot read the font `NotoSans-Regular.ttf`, which is part of this program",
                Some("build the program again"),
            ),
            (
                Error::Template(minijinja::Environment::new().add_template("a.html", "{% if").unwrap_err()),
                "cannot fill in the template `a.html`, which is part of this program",
                Some("build the program again"),
            ),
            (
                Error::Io(std::io::ErrorKind::StorageFull.into()),
                "no storage space",
                Some("free some space, or name a folder on another disk"),
            ),
        ];
        for (error, message, hint) in cases {
            assert_eq!(error.to_string(), message);
            assert_eq!(error.hint().as_deref(), hint, "{message}");
        }
    }
}
