//! The sheets of photos, and the views of one photo.

use minijinja::{Value, context};

use super::album::Album;
use super::number::{fixed, percent};
use super::{Evaluation, NeighbourPhoto, SheetPhoto};
use crate::error::Error;

impl Evaluation {
    /// The sheets that have photos.
    pub(super) fn sheets(&self, album: &Album) -> Result<Vec<Value>, Error> {
        let sheets =
            self.sheets.iter().filter(|sheet| sheet.rows.iter().any(|(_, photos)| !photos.is_empty()));
        let sheet = |sheet: &super::PhotoSheet| {
            let rows = sheet.rows.iter().filter(|(_, photos)| !photos.is_empty()).map(|(heading, photos)| {
                let photos =
                    photos.iter().map(|photo| self.tile(photo, album)).collect::<Result<Vec<_>, _>>()?;
                Ok(context! { heading => heading.clone(), photos })
            });
            let rows = rows.collect::<Result<Vec<_>, Error>>()?;
            let has_neighbours =
                sheet.rows.iter().flat_map(|(_, photos)| photos).any(|photo| !photo.neighbours.is_empty());
            Ok(context! { title => &sheet.title, note => &sheet.note, has_neighbours, rows })
        };
        sheets.map(sheet).collect()
    }

    fn tile(&self, tile: &SheetPhoto, album: &Album) -> Result<Value, Error> {
        let photo = self.photos.get(tile.photo);
        let id = photo.map_or("", |photo| photo.id.as_str());
        let label = photo.and_then(|photo| photo.label.filter(|label| *label != photo.predicted));
        let near =
            tile.neighbours.iter().map(|near| neighbour(near, album)).collect::<Result<Vec<_>, _>>()?;
        Ok(context! {
            id,
            file => id.rsplit('/').next(),
            picture => album.picture(tile.picture.as_ref(), id)?,
            heat => album.heat(tile.heat.as_ref(), id)?,
            predicted => photo.map(|photo| self.class(photo.predicted)),
            confidence => photo.map(|photo| percent(f64::from(photo.confidence))),
            label => label.map(|label| self.class(label)),
            neighbours => near,
        })
    }

    /// Whether a photo has a picture of what its answer rests on.
    pub(super) fn has_heat(&self) -> bool {
        self.on_sheets().any(|photo| photo.heat.is_some())
    }

    /// The views of one photo with their votes.
    pub(super) fn views(&self, album: &Album) -> Result<Option<Value>, Error> {
        let Some(sheet) = self.views.as_ref().filter(|sheet| !sheet.views.is_empty()) else {
            return Ok(None);
        };
        let photo = self.photos.get(sheet.photo);
        let id = photo.map_or("", |photo| photo.id.as_str());
        let view = |(name, picture, vote): &(String, Option<image::RgbImage>, f32)| {
            Ok(context! {
                name,
                picture => album.picture(picture.as_ref(), id)?,
                vote => percent(f64::from(*vote)),
                width => fixed(100.0 * f64::from(vote.clamp(0.0, 1.0)), 1),
            })
        };
        let views = sheet.views.iter().map(view).collect::<Result<Vec<_>, Error>>()?;
        Ok(Some(context! {
            id,
            class => photo.map(|photo| self.class(photo.predicted)),
            mean => photo.map(|photo| percent(f64::from(photo.confidence))),
            label => photo.and_then(|photo| photo.label).map(|label| self.class(label)),
            views,
        }))
    }

    /// The name of a class; one without a name is its number.
    pub(super) fn class(&self, number: u32) -> String {
        self.classes.get(number as usize).cloned().unwrap_or_else(|| format!("class {number}"))
    }
}

fn neighbour(near: &NeighbourPhoto, album: &Album) -> Result<Value, Error> {
    Ok(context! {
        id => &near.id,
        label => &near.label,
        similarity => fixed(f64::from(near.similarity), 3),
        picture => album.picture(near.picture.as_ref(), &near.id)?,
    })
}
