//! [`Neighbours`]: the training photos that are most like a photo, by a table of their features.

use std::path::{Path, PathBuf};

use image::codecs::jpeg::JpegEncoder;
use pipeline_nn::artifact::ModelRecord;
use pipeline_photo::{Limits, Preprocessing, Resizer, read};
use pipeline_table::nearest::{Neighbour, nearest};
use pipeline_table::{FeaturesReader, ImagesReader, Split};

use crate::error::Error;

/// Most that can be asked for.
pub(crate) const MOST_NEAR: usize = 50;

/// Side of a small picture in pixels: twice that of the page, for fine screens.
const SIDE: u32 = 128;

/// JPEG's, 1 to 100: some 4 kB each.
const QUALITY: u8 = 75;

/// A training photo that is like another.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub(crate) struct Near {
    /// Its path from the folder of photos on.
    pub(crate) id: String,
    /// Its class; `None` where it has none.
    pub(crate) label: Option<String>,
    /// Cosine of the angle between the features of both, -1 to 1.
    pub(crate) similarity: f64,
    /// Its number in the table, for its picture; `None` where there are no pictures.
    pub(crate) row: Option<usize>,
}

/// The training photos of a table of features. Of each query the whole table is read, some rows at a time; where there are
/// pictures, ids and digests of all its photos are in memory, some 150 bytes each.
pub struct Neighbours {
    reader: FeaturesReader,
    preprocessing: Preprocessing,
    pictures: Option<Pictures>,
}

/// The files of the training photos.
struct Pictures {
    folder: PathBuf,
    /// Number in the table of features, id and digest, in order.
    photos: Vec<(usize, String, String)>,
}

impl Neighbours {
    /// Opens the folder `dir` of a table's part files, whose features must be those that the model computes.
    ///
    /// # Errors
    /// No such table, or one that was made by another trunk or from otherwise prepared photos.
    pub fn open(dir: &Path, record: &ModelRecord) -> Result<Self, Error> {
        let reader = FeaturesReader::open(dir)?;
        let meta = reader.meta();
        // By way of the type: as JSON, numbers of 32 and 64 bits differ.
        let text = |preprocessing: &Preprocessing| serde_json::to_string(preprocessing).unwrap_or_default();
        let found = serde_json::from_value(meta.preprocessing.clone());
        let found = found.map_or_else(|_| meta.preprocessing.to_string(), |found| text(&found));
        let compared = [
            ("a trunk of the digest", meta.weights.clone(), record.trunk.to_string()),
            ("the pooling", meta.pool.clone(), record.pool.as_str().to_owned()),
            ("the preprocessing", found, text(&record.preprocessing)),
            ("as many numbers as", meta.dim.to_string(), record.feature_dim.to_string()),
        ];
        for (what, found, expected) in compared {
            if found != expected {
                return Err(Error::OtherFeatures { dir: dir.to_owned(), what, found, expected });
            }
        }
        Ok(Neighbours { reader, preprocessing: record.preprocessing, pictures: None })
    }

    /// The same with pictures: of the photos in `folder` that the table `images` of ingest lists. A photo that is not there any
    /// more, or has changed, has none.
    ///
    /// # Errors
    /// A table that cannot be read.
    pub fn with_pictures(self, images: &Path, folder: &Path) -> Result<Self, Error> {
        let mut images = ImagesReader::open(images)?;
        let mut photos = vec![];
        let mut at = 0;
        let mut image = images.next().transpose()?;
        // Both ascend by id.
        for batch in self.reader.keys(1 << 13) {
            for row in batch?.rows {
                while image.as_ref().is_some_and(|image| image.id < row.id) {
                    image = images.next().transpose()?;
                }
                if row.view == 0
                    && row.split == Split::Train
                    && let Some(image) = image.as_ref().filter(|image| image.id == row.id)
                {
                    photos.push((at, row.id, image.digest.clone()));
                }
                at += 1;
            }
        }
        Ok(Neighbours { pictures: Some(Pictures { folder: folder.to_owned(), photos }), ..self })
    }

    /// Whether there are pictures.
    pub fn has_pictures(&self) -> bool {
        self.pictures.is_some()
    }

    /// The `count` training photos that are most like one of these features, `[D]`.
    pub(crate) fn near(&self, features: &[f32], count: usize) -> Result<Vec<Near>, pipeline_table::Error> {
        let found =
            nearest(&self.reader, features, count, |_, row| row.view == 0 && row.split == Split::Train)?;
        let near = |Neighbour { row, at, cosine }: Neighbour| Near {
            row: self.pictures.as_ref().and_then(|pictures| pictures.at(at)).map(|_| at),
            id: row.id,
            label: row.label,
            similarity: cosine,
        };
        Ok(found.into_iter().map(near).collect())
    }

    /// What the model sees of the training photo with this number, small, as a JPEG file; `None` where there is none, or it is
    /// not as it was.
    pub(crate) fn picture(&self, row: usize) -> Option<Vec<u8>> {
        let pictures = self.pictures.as_ref()?;
        let (_, id, digest) = pictures.at(row)?;
        let photo = read(&pictures.folder, id, digest, &self.preprocessing, &Limits::default()).ok()?;
        let view = self.preprocessing.crop(&photo.pixels, &mut Resizer::new());
        let side = SIDE.min(view.width());
        let mut jpeg = vec![];
        let small = image::imageops::thumbnail(&view, side, side);
        small.write_with_encoder(JpegEncoder::new_with_quality(&mut jpeg, QUALITY)).ok()?;
        Some(jpeg)
    }
}

impl Pictures {
    fn at(&self, row: usize) -> Option<&(usize, String, String)> {
        let place = self.photos.binary_search_by_key(&row, |(at, _, _)| *at).ok()?;
        self.photos.get(place)
    }
}
