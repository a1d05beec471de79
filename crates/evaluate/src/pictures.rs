//! [`Sitting::take`]: the photos to look at, with what the model saw of each.
//!
//! `choice` says which photos, `queue` which of them to read in what order; a `camera` for each thread reads them and makes
//! their pictures, with `thumbnails`, which a `darkroom` collects and hands out; `views` are of one photo; `print`
//! makes PNG files of it all. Each photo is read once, but for the one whose views are shown. Memory holds the pictures of the sheets and the thumbnails, which have
//! a limit, whatever the number of photos.

mod camera;
mod choice;
mod darkroom;
mod print;
mod queue;
mod thumbnails;
mod views;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use pipeline_nn::device;
use pipeline_report::evaluation::{Insights, PhotoRow, PhotoSheet, ViewSheet};
use pipeline_stage::{Artifact, Context, Failure};
use pipeline_table::images::{IMAGES_FILE, PHOTOS};
use pipeline_table::{ImageRow, ImagesReader};

use crate::answers::Said;
use crate::error::Error;
use crate::insights::{self, Csv};
use crate::lane::Augmented;
use crate::model::{Model, Table};
use camera::Camera;
use darkroom::Darkroom;
use thumbnails::Room;

/// Folder of the sheets as PNG files.
pub(crate) const SHEETS_DIR: &str = "sheets";

/// Wrong photos whose neighbours are listed at most, those on the sheets first.
const MOST_EXPLAINED: usize = 1000;

/// What [`Sitting::take`] returns.
pub(crate) struct Pictures {
    pub(crate) photos: Vec<PhotoRow>,
    pub(crate) sheets: Vec<PhotoSheet>,
    pub(crate) views: Option<ViewSheet>,
}

/// The model whose answers are shown, what it said, and what it looked at.
pub(crate) struct Sitting<'a> {
    /// What the model said.
    pub(crate) said: &'a Said,
    /// What it said of plain views, where `said` is of another mode.
    pub(crate) plain: Option<&'a Said>,
    pub(crate) model: &'a Model,
    /// Class names in order of their numbers.
    pub(crate) classes: &'a [String],
    /// The artifact of ingest; without it there are no pictures at all, but the sheets are chosen.
    pub(crate) images: Option<&'a Artifact>,
    /// The views besides the plain one, of `tta`.
    pub(crate) augmented: Option<&'a Augmented>,
    /// The feature table; without it there are no neighbours.
    pub(crate) table: Option<&'a Table>,
}

impl Sitting<'_> {
    /// Chooses the photos of the lesson's sheets, and reads those that are needed. Adds the thumbnails that `insights` needs.
    /// Writes the sheets as PNG files into [`SHEETS_DIR`] of the artifact. A photo that is gone has no picture, and a warning
    /// counts them. Thumbnails take up to `room_bytes`.
    pub(crate) fn take(
        &self,
        room_bytes: usize,
        insights: Option<&mut Insights>,
        cx: &Context<'_>,
    ) -> Result<Pictures, Failure> {
        let &Sitting { said, model, classes, .. } = self;
        let mut sheets = choice::sheets(said, classes, cx.seed);
        if let Some(table) = self.table {
            self.find_neighbours(&mut sheets, table, cx)?;
        }
        let mut pictures = Pictures { photos: list(said), sheets, views: None };
        let Some(images) = self.images else { return Ok(pictures) };

        let of_views =
            self.augmented.and_then(|augmented| Some((augmented, choice::of_views(said, self.plain)?)));
        let photo_of_views = of_views.map(|(_, photo)| photo);
        let queue = queue::queue(said, &pictures.sheets, photo_of_views, insights.as_deref(), room_bytes);
        let rows = rows(images, queue.iter().map(|wanted| wanted.id.as_str()).collect())?;
        let trunk = model.record.load_trunk(&model.dir, device::pick())?;
        let camera = || Camera::new(model, &trunk, images.source(PHOTOS)?);
        let cameras =
            (0..cx.threads.get().min(queue.len())).map(|_| camera()).collect::<Result<Vec<_>, _>>()?;

        let mut darkroom = Darkroom::new(said, &mut pictures.photos, insights, Room::new(room_bytes));
        darkroom.fill(cameras, queue, &rows, cx)?;
        darkroom.warn(cx);
        darkroom.hand_out(&mut pictures.sheets);
        if let Some((augmented, photo)) = of_views {
            let row = rows.get(&said.ids[photo]);
            pictures.views = views::of(said, photo, row, augmented, model, &mut camera()?)?;
        }
        pictures.write(classes, model.record.preprocessing.size, cx)?;
        Ok(pictures)
    }

    /// Gives each photo on a sheet that was wrong its neighbours, and writes those of all wrong ones into `neighbours.csv`.
    fn find_neighbours(
        &self,
        sheets: &mut [PhotoSheet],
        table: &Table,
        cx: &Context<'_>,
    ) -> Result<(), Failure> {
        let &Sitting { said, classes, .. } = self;
        let is_wrong =
            |photo: usize| said.labels[photo].is_some_and(|label| label != choice::predicted(said, photo));
        let mut shown: Vec<_> =
            sheets.iter_mut().flat_map(|sheet| &mut sheet.rows).flat_map(|(_, row)| row).collect();
        shown.retain(|shown| is_wrong(shown.photo));
        let mut photos: BTreeSet<usize> = shown.iter().map(|shown| shown.photo).collect();
        let room = MOST_EXPLAINED.saturating_sub(photos.len());
        let others: Vec<usize> = (0..said.ids.len())
            .filter(|photo| is_wrong(*photo) && !photos.contains(photo))
            .take(room)
            .collect();
        photos.extend(others);
        if photos.is_empty() {
            return Ok(());
        }
        let ids: Vec<&str> = photos.iter().map(|photo| said.ids[*photo].as_str()).collect();
        let of_photo: BTreeMap<usize, _> =
            photos.iter().copied().zip(insights::neighbours(table, &ids, cx)?).collect();
        let mut csv = Csv::new(&["id", "label", "predicted", "neighbour", "neighbour_label", "similarity"]);
        for (&photo, neighbours) in &of_photo {
            let predicted = &classes[choice::predicted(said, photo) as usize];
            let label =
                said.labels[photo].and_then(|label| classes.get(label as usize)).map_or("", String::as_str);
            for near in neighbours {
                let similarity = format!("{:.6}", near.similarity);
                csv.row(&[&said.ids[photo], label, predicted, &near.id, &near.label, &similarity]);
            }
        }
        csv.write(&cx.out.join("neighbours.csv"))?;
        for shown in shown {
            shown.neighbours = of_photo.get(&shown.photo).cloned().unwrap_or_default();
        }
        Ok(())
    }
}

/// Every photo, without thumbnails.
pub(crate) fn list(said: &Said) -> Vec<PhotoRow> {
    let row = |photo: usize| {
        let predicted = choice::predicted(said, photo);
        PhotoRow {
            id: said.ids[photo].clone(),
            label: said.labels[photo],
            predicted,
            confidence: said.probs[photo * said.classes + predicted as usize],
            loss: said.labels[photo].map(|_| said.losses[photo]),
            thumbnail: None,
        }
    };
    (0..said.ids.len()).map(row).collect()
}

/// The rows of these photos.
fn rows(images: &Artifact, ids: HashSet<&str>) -> Result<HashMap<String, ImageRow>, Failure> {
    let mut rows = HashMap::new();
    for row in ImagesReader::open(&images.path(IMAGES_FILE))? {
        let row = row?;
        if ids.contains(row.id.as_str()) {
            rows.insert(row.id.clone(), row);
        }
    }
    Ok(rows)
}

impl Pictures {
    /// Writes the sheets and the views as PNG files, whose pictures have sides of `side` pixels.
    fn write(&self, classes: &[String], side: u32, cx: &Context<'_>) -> Result<(), Failure> {
        let folder = cx.out.join(SHEETS_DIR);
        fs_err::create_dir_all(&folder).map_err(Error::Io)?;
        let sheets = self.sheets.iter();
        let sheets =
            sheets.map(|shown| (shown.name.as_str(), print::sheet(shown, &self.photos, classes, side)));
        let views = self.views.iter();
        let views = views.map(|shown| ("views", print::views(shown, &self.photos, classes, side)));
        for (name, sheet) in sheets.chain(views) {
            cx.cancel.check()?;
            sheet.write_png(&folder.join(format!("{name}.png")))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
