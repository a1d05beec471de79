//! The page itself: the template filled in, with its style and its script inside it.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use minijinja::{Environment, Value, context};
use sha2::{Digest, Sha256};

use super::Evaluation;
use super::album::Album;
use super::number::count;
use crate::error::Error;

/// Its name ends in `.html`, which makes the engine escape every text.
const TEMPLATE: (&str, &str) = ("report.html", include_str!("../../templates/report.html"));
const STYLE: &str = include_str!("../../templates/report.css");
const SCRIPT: &str = include_str!("../../templates/report.js");

impl Evaluation {
    /// The page. It holds up to about 1,000 thumbnails below 5 MB and lists up to 200,000 photos.
    ///
    /// Pictures are as good as that size leaves room for. What a list leaves out is said where it ends.
    ///
    /// # Errors
    /// [`Error::Encode`], [`Error::Template`], [`Error::Font`].
    pub fn html(&self) -> Result<String, Error> {
        let mut environment = Environment::new();
        environment.add_template(TEMPLATE.0, TEMPLATE.1)?;
        let template = environment.get_template(TEMPLATE.0)?;
        let fixed = context! {
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
            wrong => self.wrong_table(),
            config => &self.config,
            versions => self.versions.clone(),
        };
        let page = |album: &Album| {
            let pictures = context! { sheets => self.sheets(album)?, views => self.views(album)? };
            Ok::<_, Error>(template.render(context! { ..pictures, ..fixed.clone() })?)
        };
        // What everything else takes is known once the page is there without pictures.
        let bare = page(&Album::EMPTY)?;
        page(&Album::of(self, bare.len())?)
    }
}
