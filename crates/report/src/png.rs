//! A picture as a PNG file.

use std::path::Path;

use image::RgbImage;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};

use crate::error::Error;

/// Writes a picture; the same pixels give the same bytes.
pub(crate) fn write(picture: &RgbImage, path: &Path) -> Result<(), Error> {
    let mut png = Vec::new();
    let encoder = PngEncoder::new_with_quality(&mut png, CompressionType::Default, FilterType::Adaptive);
    picture.write_with_encoder(encoder).map_err(|source| Error::Encode {
        name: path.display().to_string(),
        format: "PNG",
        source,
    })?;
    Ok(fs_err::write(path, png)?)
}
