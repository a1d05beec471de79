//! The page itself: the template filled in, with its style and its script inside it.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use minijinja::{Environment, Value, context};
use sha2::{Digest, Sha256};

use super::Evaluation;
use super::album::{self, Album};
use super::number::count;
use crate::error::Error;

/// Its name ends in `.html`, which makes the engine escape every text.
const TEMPLATE: (&str, &str) = ("report.html", include_str!("../../templates/report.html"));
const STYLE: &str = include_str!("../../templates/report.css");
const SCRIPT: &str = include_str!("../../templates/report.js");

impl Evaluation {
    /// The page. It is smaller than 5 MB where thumbnails keep to [`Evaluation::thumbnail_room`] and photos are not very many;
    /// it lists up to 200,000 photos.
    ///
    /// Pictures are as good as that size leaves room for. What a list leaves out is said where it ends.
    ///
    /// # Errors
    /// [`Error::Encode`], [`Error::Template`], [`Error::Font`].
    pub fn html(&self) -> Result<String, Error> {
        let fixed = self.fixed()?;
        // What everything else takes is known once the page is there without pictures.
        let bare = self.page(&fixed, &Album::EMPTY)?;
        self.page(&fixed, &Album::of(self, bare.len())?)
    }

    /// How many bytes the thumbnails of all photos may take together, as files: what other things leave of 5 MB, but for some
    /// room for pictures; of very many photos, whose list takes more than that, 1.1 MB.
    ///
    /// To be asked for before there are thumbnails and sheets.
    ///
    /// # Errors
    /// As [`Evaluation::html`].
    pub fn thumbnail_room(&self) -> Result<usize, Error> {
        let bare = self.page(&self.fixed()?, &Album::EMPTY)?;
        Ok(album::thumbnail_room(bare.len()))
    }

    /// The page with the pictures of an album.
    fn page(&self, fixed: &Value, album: &Album) -> Result<String, Error> {
        let mut environment = Environment::new();
        environment.add_template(TEMPLATE.0, TEMPLATE.1)?;
        let template = environment.get_template(TEMPLATE.0)?;
        let pictures = context! { sheets => self.sheets(album)?, views => self.views(album)? };
        Ok(template.render(context! { ..pictures, ..fixed.clone() })?)
    }

    /// All that does not depend on how pictures are written.
    fn fixed(&self) -> Result<Value, Error> {
        Ok(context! {
            style => Value::from_safe_string(STYLE.to_owned()),
            script => Value::from_safe_string(SCRIPT.to_owned()),
            script_digest => Value::from_safe_string(BASE64_STANDARD.encode(Sha256::digest(SCRIPT))),
            detail => self.models.get(self.detail).map(super::Judged::name).unwrap_or_default(),
            split => self.split(),
            verdict => self.verdict(),
            has_heat => self.has_heat(),
            matrix => self.matrix(),
            charts => self.charts()?,
            trainings => self.training_charts(),
            classes => self.per_class_rows(),
            class_columns => self.per_class_columns(),
            data => self.data(),
            features_by => self.features_by.clone(),
            photos => self.photos_json(),
            photos_count => count(self.photos.len() as u64),
            unlisted => self.unlisted(),
            unpictured => self.unpictured(),
            has_thumbnails => self.photos.iter().any(|photo| photo.thumbnail.is_some()),
            wrong => self.wrong_table(),
            config => &self.config,
            versions => self.versions.clone(),
        })
    }
}
