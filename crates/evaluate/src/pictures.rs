//! [`take`]: the photos to look at, with what the model saw of each.
//!
//! `choice` says which photos, `queue` which of them to read in what order; a `camera` for each thread reads them and makes
//! their pictures, with `heat` and `thumbnails`; `views` are of one photo; `print` makes PNG files of it all. Each photo is
//! read once, into an `album`. Memory holds the pictures of the sheets and the thumbnails, which have a limit, whatever the number of photos.

mod album;
mod camera;
mod choice;
mod heat;
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
use album::Album;
use camera::Camera;

/// Folder of the sheets as PNG files.
pub(crate) const SHEETS_DIR: &str = "sheets";

/// What [`take`] returns.
pub(crate) struct Pictures {
    pub(crate) photos: Vec<PhotoRow>,
    pub(crate) sheets: Vec<PhotoSheet>,
    pub(crate) views: Option<ViewSheet>,
}

/// Chooses the photos of the lesson's sheets, and reads those that are needed. Adds the thumbnails that `insights` needs.
/// Writes the sheets as PNG files into [`SHEETS_DIR`] of the artifact. A photo that is gone has no picture, and a warning
/// counts them.
///
/// `plain`: what the same model said of plain views, where `said` is of another mode. `images`: the artifact of ingest;
/// without it there are no pictures at all, but the sheets are chosen.
#[expect(clippy::too_many_arguments, reason = "a model, its answers, and four inputs that may be absent")]
pub(crate) fn take(
    said: &Said,
    plain: Option<&Said>,
    model: &Model,
    classes: &[String],
    images: Option<&Artifact>,
    augmented: Option<&Augmented>,
    table: Option<&Table>,
    insights: Option<&mut Insights>,
    cx: &Context<'_>,
) -> Result<Pictures, Failure> {
    let mut sheets = choice::sheets(said, classes, cx.seed);
    if let Some(table) = table {
        find_neighbours(said, classes, &mut sheets, table, cx)?;
    }
    let mut pictures = Pictures { photos: list(said), sheets, views: None };
    let Some(images) = images else { return Ok(pictures) };

    let of_views = augmented.and_then(|augmented| Some((augmented, choice::of_views(said, plain)?)));
    let photo_of_views = of_views.map(|(_, photo)| photo);
    let queue = queue::queue(said, &pictures.sheets, photo_of_views, insights.as_deref());
    let rows = rows(images, queue.iter().map(|wanted| wanted.id.as_str()).collect())?;
    let trunk = model.record.load_trunk(&model.dir, device::pick())?;
    let camera = || Camera::new(model, &trunk, images.source(PHOTOS)?);
    let cameras = (0..cx.threads.get().min(queue.len())).map(|_| camera()).collect::<Result<Vec<_>, _>>()?;

    let mut album = Album::new(said, &mut pictures.photos, insights);
    album.fill(cameras, queue, &rows, cx)?;
    for shown in pictures.sheets.iter_mut().flat_map(|sheet| &mut sheet.rows).flat_map(|(_, row)| row) {
        if let Some([picture, heat]) =
            album.prints(&said.ids[shown.photo]).and_then(|prints| prints.seen.clone())
        {
            (shown.picture, shown.heat) = (Some(picture), Some(heat));
        }
        for neighbour in &mut shown.neighbours {
            neighbour.picture = album.prints(&neighbour.id).map(|prints| prints.small.clone());
        }
    }
    if let Some((augmented, photo)) = of_views {
        let row = rows.get(&said.ids[photo]);
        pictures.views = views::of(said, photo, row, augmented, model, &mut camera()?)?;
    }
    album.warn(cx);
    pictures.write(classes, model.record.preprocessing.size, cx)?;
    Ok(pictures)
}

/// Every photo, without thumbnails.
fn list(said: &Said) -> Vec<PhotoRow> {
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

/// Wrong photos whose neighbours are listed at most, those on the sheets first.
const MOST_EXPLAINED: usize = 1000;

/// Gives each photo on a sheet that was wrong its neighbours, and writes those of all wrong ones into `neighbours.csv`.
fn find_neighbours(
    said: &Said,
    classes: &[String],
    sheets: &mut [PhotoSheet],
    table: &Table,
    cx: &Context<'_>,
) -> Result<(), Failure> {
    let is_wrong =
        |photo: usize| said.labels[photo].is_some_and(|label| label != choice::predicted(said, photo));
    let mut shown: Vec<_> =
        sheets.iter_mut().flat_map(|sheet| &mut sheet.rows).flat_map(|(_, row)| row).collect();
    shown.retain(|shown| is_wrong(shown.photo));
    let mut photos: BTreeSet<usize> = shown.iter().map(|shown| shown.photo).collect();
    let room = MOST_EXPLAINED.saturating_sub(photos.len());
    let others: Vec<usize> =
        (0..said.ids.len()).filter(|photo| is_wrong(*photo) && !photos.contains(photo)).take(room).collect();
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
