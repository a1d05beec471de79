//! [`Exam`]: the models, what they look at, and their way through the photos of the split.

use std::num::NonZeroUsize;

use pipeline_nn::{Device, device, libtorch};
use pipeline_photo::{Augmentation, Policy, Tta};
use pipeline_stage::{Context, Failure};
use pipeline_table::Mode;
use pipeline_table::predictions::PREDICTIONS_FILE;

use crate::Params;
use crate::error::Error;
use crate::feed::{Beside, Feed};
use crate::gallery::Gallery;
use crate::lane::{Augmented, Eyes};
use crate::metrics::FeatureTrunk;
use crate::model::{Model, Table};
use crate::scores::{Scored, Scores};

/// Models, and what they look at.
pub(crate) struct Exam {
    pub(crate) models: Vec<Model>,
    /// The place in `models` of the one that the page details.
    pub(crate) detail: usize,
    /// Class names in order of their numbers.
    pub(crate) classes: Vec<String>,
    pub(crate) table: Option<Table>,
    pub(crate) augmented: Option<Augmented>,
    gallery: Option<Gallery>,
    device: Device,
}

impl Exam {
    /// Opens the inputs and loads the heads.
    ///
    /// # Errors
    /// An input that cannot be read, models that do not fit the photos, a `report_model` that is none of them.
    pub(crate) fn prepare(params: &Params, cx: &Context<'_>) -> Result<Self, Failure> {
        let names: Vec<String> = cx.inputs("models").iter().map(|model| model.stage.clone()).collect();
        let detail = detail(params, &names)?;
        let table = cx.optional_input("features").map(Table::open).transpose()?;
        let gallery =
            cx.optional_input("images").map(|images| Gallery::open(images, params.split)).transpose()?;
        let augmented = augmented(params, cx)?;
        libtorch::load()?;
        let device = device::pick();
        // One thread for the heads: with several, the last bits would depend on how many.
        device::set_threads(NonZeroUsize::MIN);
        let mut models = Vec::new();
        for artifact in cx.inputs("models") {
            let classes = gallery.as_ref().map(|gallery| gallery.classes.as_slice());
            models.push(Model::load(artifact, table.as_ref(), classes, device)?);
        }
        // Loading has checked that all models have the classes of what is measured on.
        let classes = models.first().map(|model| model.record.classes.clone()).unwrap_or_default();
        Ok(Exam { models, detail, classes, table, augmented, gallery, device })
    }

    /// The modes in which each model is asked.
    pub(crate) fn modes(&self) -> &'static [Mode] {
        if self.augmented.is_some() { &Mode::ALL } else { &[Mode::Plain] }
    }

    /// What made the feature table, where there is one.
    pub(crate) fn feature_trunk(&self) -> Option<FeatureTrunk> {
        let meta = self.table.as_ref()?.reader.meta();
        let detailed = self.models.get(self.detail);
        Some(FeatureTrunk {
            arch: meta.arch.clone(),
            trunk: meta.weights.clone(),
            is_of_detailed_model: detailed
                .is_some_and(|model| model.record.trunk.to_string() == meta.weights),
        })
    }

    /// The place of what the page details, the model in its last mode, among all models and modes.
    pub(crate) fn detail_place(&self) -> usize {
        (self.detail + 1) * self.modes().len() - 1
    }

    /// Shows all models all photos, and writes `predictions.parquet`.
    ///
    /// # Errors
    /// No labelled photo; photos that are not the same in both inputs; what reading and computing fail with.
    pub(crate) fn hold(&self, params: &Params, cx: &Context<'_>) -> Result<Scored, Failure> {
        let path = cx.out.join(PREDICTIONS_FILE);
        let mut scores = Scores::create(&path, &self.models, &self.classes, self.modes(), params)?;
        let needs_photos = self.augmented.is_some() || self.models.iter().any(|model| !model.is_in_table);
        match (&self.gallery, &self.table) {
            (Some(gallery), _) if needs_photos => self.with_photos(gallery, &mut scores, params, cx)?,
            (_, Some(table)) => self.with_features(table, &mut scores, params, cx)?,
            (_, None) => return Err(Error::NothingToLookAt.into()),
        }
        let scored = scores.finish()?;
        if scored.candidates.iter().all(|candidate| candidate.confusion.total() == 0) {
            let (split, unlabelled) = (params.split, scored.photos);
            return Err(Error::NothingToMeasure { split, input: "features", unlabelled }.into());
        }
        Ok(scored)
    }

    /// Photos, and beside them the feature table for the models that it fits.
    fn with_photos(
        &self,
        gallery: &Gallery,
        scores: &mut Scores,
        params: &Params,
        cx: &Context<'_>,
    ) -> Result<(), Failure> {
        let models = &self.models;
        let eyes = Eyes::open(models, self.augmented.is_some(), params.dtype, self.device)?;
        let table = self.table.as_ref().filter(|_| models.iter().any(|model| model.is_in_table));
        let mut feed =
            table.map(|table| Beside::new(Feed::new(table, params.split, models, cx.cancel, None)));
        gallery.show(&eyes.all, self.augmented.as_ref(), cx, |photo, features| {
            let mut views = match &mut feed {
                Some(feed) => feed.of(&photo.id)?,
                None => vec![vec![]; models.len()],
            };
            for ((model, eye), views) in models.iter().zip(&eyes.of).zip(&mut views) {
                if let Some(eye) = *eye {
                    let dim = eyes.all[eye].trunk.feature_dim();
                    views.extend(model.log_probs(features[eye], dim)?);
                }
            }
            scores.add(&photo.into(), &views)
        })?;
        feed.map_or(Ok(()), Beside::end)
    }

    /// The feature table alone.
    fn with_features(
        &self,
        table: &Table,
        scores: &mut Scores,
        params: &Params,
        cx: &Context<'_>,
    ) -> Result<(), Failure> {
        let rows = Some(table.reader.len() as u64);
        let progress = Some(cx.progress("rows of features read", rows, "rows"));
        for plain in Feed::new(table, params.split, &self.models, cx.cancel, progress) {
            let plain = plain?;
            scores.add(&plain.photo, &plain.log_probs)?;
        }
        Ok(())
    }
}

/// The place of `report_model` among the models; without it that of the last.
pub(crate) fn detail(params: &Params, models: &[String]) -> Result<usize, Error> {
    let Some(wanted) = &params.report_model else { return Ok(models.len().saturating_sub(1)) };
    let place = models.iter().position(|model| model == wanted);
    place.ok_or_else(|| Error::UnknownModel { found: wanted.clone(), models: models.to_owned() })
}

/// The views besides the plain one. Fixed views leave the policy and the seed alone.
fn augmented(params: &Params, cx: &Context<'_>) -> Result<Option<Augmented>, Failure> {
    let Some(views) = params.tta.views() else { return Ok(None) };
    let policy = match (params.tta, cx.optional_input("augment")) {
        (Tta::Random(_), Some(augment)) => Augmentation::read(&augment.dir)?.policy,
        _ => Policy { border: Default::default(), steps: vec![] },
    };
    Ok(Some(Augmented { views, first_averaged: params.tta.first_averaged(), policy, seed: cx.seed }))
}
