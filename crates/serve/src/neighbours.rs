//! [`Neighbours`]: the training photos that are most like a photo, by a table of their features.

use std::path::{Path, PathBuf};

use image::codecs::jpeg::JpegEncoder;
use pipeline_nn::artifact::ModelRecord;
use pipeline_photo::{Limits, Preprocessing, Resizer, read};
use pipeline_table::nearest::{Neighbour, cosine, nearest};
use pipeline_table::{FeatureRow, Features, FeaturesReader, ImagesReader, Split};

use crate::error::Error;

/// Most that can be asked for.
pub(crate) const MOST_NEAR: usize = 50;

/// Side of a small picture in pixels: twice that of the page, for fine screens.
const SIDE: u32 = 128;

/// JPEG's, 1 to 100: some 4 kB each.
const QUALITY: u8 = 75;

/// Bytes of features that are kept in memory; of a larger table each query reads all. 131,072 photos of 1,024 numbers.
const MOST_BYTES: usize = 512 << 20;

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

/// The training photos of a table of features, in memory where they take at most 512 MiB; else each query reads the whole
/// table, some rows at a time. Where there are pictures, ids and digests of all photos are in memory, some 150 bytes each.
pub struct Neighbours {
    reader: FeaturesReader,
    /// With the numbers of the rows in the table.
    loaded: Option<(Features, Vec<usize>)>,
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
        let is_small = reader.len().saturating_mul(4 * meta.dim) <= MOST_BYTES;
        let loaded = if is_small { Some(load(&reader)?) } else { None };
        Ok(Neighbours { reader, loaded, preprocessing: record.preprocessing, pictures: None })
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
                if is_training(&row)
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
        let near = |row: &FeatureRow, at: usize, cosine: f64| Near {
            row: self.pictures.as_ref().and_then(|pictures| pictures.at(at)).map(|_| at),
            id: row.id.clone(),
            label: row.label.clone(),
            similarity: cosine,
        };
        let Some((loaded, numbers)) = &self.loaded else {
            let found = nearest(&self.reader, features, count, |_, row| is_training(row))?;
            return Ok(found.iter().map(|Neighbour { row, at, cosine }| near(row, *at, *cosine)).collect());
        };
        let cosines = (0..numbers.len()).map(|place| (place, cosine(features, loaded.of(place))));
        let mut found: Vec<(usize, f64)> = cosines.filter(|(_, cosine)| cosine.is_finite()).collect();
        // Of equals the one that comes first in the table stays so.
        found.sort_by(|a, b| b.1.total_cmp(&a.1));
        found.truncate(count);
        Ok(found
            .into_iter()
            .map(|(place, cosine)| near(&loaded.rows[place], numbers[place], cosine))
            .collect())
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

/// A photo that a model may have learnt from, as it is.
fn is_training(row: &FeatureRow) -> bool {
    row.view == 0 && row.split == Split::Train
}

/// The features of the training photos, and their numbers in the table.
fn load(reader: &FeaturesReader) -> Result<(Features, Vec<usize>), pipeline_table::Error> {
    let mut numbers = vec![];
    let mut before = 0;
    for batch in reader.keys(1 << 13) {
        let rows = batch?.rows;
        let wanted = rows.iter().enumerate().filter(|(_, row)| is_training(row));
        numbers.extend(wanted.map(|(at, _)| before + at));
        before += rows.len();
    }
    Ok((reader.load(is_training)?, numbers))
}

impl Pictures {
    fn at(&self, row: usize) -> Option<&(usize, String, String)> {
        let place = self.photos.binary_search_by_key(&row, |(at, _, _)| *at).ok()?;
        self.photos.get(place)
    }
}

#[cfg(test)]
mod tests {
    use pipeline_stage::Digest;
    use pipeline_table::{FeaturesMeta, FeaturesWriter};

    use super::*;

    #[test]
    fn in_memory_or_read_for_each_query_the_same_training_photos_are_near() {
        let dir = tempfile::tempdir().unwrap();
        let (trunk, preprocessing) = (Digest::of(b"trunk"), Preprocessing::new(8, [0.1; 3], [0.3; 3]));
        let record =
            ModelRecord::new("resnet18".to_owned(), vec!["a".to_owned()], preprocessing, 2, trunk, trunk);
        let meta = FeaturesMeta {
            arch: record.arch.clone(),
            weights: trunk.to_string(),
            classes: record.classes.clone(),
            preprocessing: serde_json::from_str(&serde_json::to_string(&preprocessing).unwrap()).unwrap(),
            dim: 2,
            dtype: "f32".to_owned(),
            pool: record.pool.as_str().to_owned(),
            logits: 0,
        };
        let mut writer = FeaturesWriter::create(dir.path(), meta).unwrap();
        // c and d are equal; b is of valid, and the second view of a is not plain.
        let rows = [
            ("a", Split::Train, 0, [1.0, 0.0]),
            ("a", Split::Train, 1, [3.0, 4.0]),
            ("b", Split::Valid, 0, [3.0, 4.0]),
            ("c", Split::Train, 0, [0.0, 1.0]),
            ("d", Split::Train, 0, [0.0, 2.0]),
        ];
        for (id, split, view, emb) in rows {
            let row = FeatureRow { id: id.to_owned(), split, label: None, label_id: None, view };
            writer.write(&row, &emb).unwrap();
        }
        writer.finish().unwrap();
        let mut neighbours = Neighbours::open(dir.path(), &record).unwrap();
        let near = |neighbours: &Neighbours| neighbours.near(&[3.0, 4.0], 9).unwrap();
        let in_memory = near(&neighbours);
        neighbours.loaded = None;
        assert_eq!(near(&neighbours), in_memory);
        let found: Vec<(&str, f64)> =
            in_memory.iter().map(|near| (near.id.as_str(), near.similarity)).collect();
        // By hand: 4 / 5 and 3 / 5.
        assert_eq!(found, [("c", 0.8), ("d", 0.8), ("a", 0.6)]);
        assert_eq!(neighbours.near(&[3.0, 4.0], 1).unwrap().len(), 1);
    }
}
