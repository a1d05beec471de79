//! [`Lane`]: a thread that answers for the photos of a queue, and the [`Lenses`] that lanes share for the heat.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};

use image::ImageFormat;
use pipeline_nn::artifact::ModelRecord;
use pipeline_nn::{Head, Trunk, device, heated};
use pipeline_photo::Resizer;
use pipeline_predict::answer::best;
use pipeline_predict::{Answer, Photo, Predictor, Spent};
use pipeline_stage::failure::full_message;

use crate::metrics::Metrics;
use crate::queue::{Queue, Said, Waiting};

/// The trunk and head that the heat is computed with: float32, and not folded. Loaded when it is first asked for.
pub(crate) struct Lenses {
    dir: PathBuf,
    loaded: Mutex<Option<(Trunk, Head)>>,
}

impl Lenses {
    /// Those of the model folder `dir`.
    pub(crate) fn new(dir: PathBuf) -> Self {
        Lenses { dir, loaded: Mutex::default() }
    }

    /// For one lane. The folder must still hold the model's weights.
    fn share(&self, record: &ModelRecord) -> Result<(Trunk, Head), pipeline_nn::Error> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let (trunk, head) = match &mut *loaded {
            Some(loaded) => loaded,
            none => {
                let device = device::pick();
                none.insert((record.load_trunk(&self.dir, device)?, record.load_head(&self.dir, device)?))
            }
        };
        Ok((trunk.share()?, head.share()))
    }
}

/// A thread that answers for photos.
pub(crate) struct Lane {
    pub(crate) predictor: Predictor,
    pub(crate) lenses: Arc<Lenses>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) metrics: Arc<Metrics>,
}

/// A lane at work. When the last ends, by whatever end, no photo is taken any more.
struct AtWork(Arc<Queue>, Arc<Metrics>);

impl Drop for AtWork {
    fn drop(&mut self) {
        if self.1.lanes.fetch_sub(1, Relaxed) == 1 {
            self.0.close();
            self.0.clear();
        }
    }
}

impl Lane {
    /// Answers until the queue is closed and empty.
    pub(crate) fn work(mut self) {
        let _at_work = AtWork(Arc::clone(&self.queue), Arc::clone(&self.metrics));
        let mut eye = Eye { own: None, resizer: Resizer::new() };
        let mut before = Spent::default();
        while let Some(batch) = self.queue.take(self.predictor.photos_at_once()) {
            let photos: Vec<Photo<'_>> =
                batch.iter().map(|waiting| Photo::Bytes(&waiting.question.photo)).collect();
            let answers = self.predictor.predict(&photos);
            let now = self.predictor.spent();
            self.metrics.batch(batch.len(), now.decode - before.decode, now.trunk - before.trunk);
            before = now;
            match answers {
                Ok(answers) => self.send(batch, answers, &mut eye),
                // Perhaps one photo is to blame; the others must not suffer for it.
                Err(_) => {
                    for waiting in batch {
                        match self.predictor.predict(&[Photo::Bytes(&waiting.question.photo)]) {
                            Ok(answers) => self.send(vec![waiting], answers, &mut eye),
                            // Whoever does not wait any more needs no word.
                            Err(error) => drop(waiting.reply.send(Err(full_message(&error)))),
                        }
                    }
                }
            }
        }
    }

    /// Hands out answers: first those that are done.
    fn send(&self, batch: Vec<Waiting>, answers: Vec<Answer>, eye: &mut Eye) {
        let mut with_heat = vec![];
        for (waiting, answer) in batch.into_iter().zip(answers) {
            if waiting.question.heat && answer.is_ok() {
                with_heat.push((waiting, answer));
            } else {
                drop(waiting.reply.send(Ok(Said { answer, heat: None })));
            }
        }
        for (waiting, answer) in with_heat {
            if waiting.reply.is_closed() {
                continue;
            }
            let began = std::time::Instant::now();
            let class = answer.as_ref().map_or(0, |prediction| best(&prediction.probs()).0);
            let heat = eye.heat(&self.lenses, &self.predictor, &waiting.question.photo, class);
            self.metrics.heat(began.elapsed());
            // The answer is good all the same.
            drop(waiting.reply.send(Ok(Said { answer, heat: Some(heat) })));
        }
    }
}

/// Sees what an answer rests on.
struct Eye {
    own: Option<(Trunk, Head)>,
    resizer: Resizer,
}

impl Eye {
    /// The view of a photo with the heat of `class` over it, as a PNG file.
    fn heat(
        &mut self,
        lenses: &Lenses,
        predictor: &Predictor,
        photo: &[u8],
        class: u32,
    ) -> Result<Vec<u8>, String> {
        let said = |error: pipeline_nn::Error| full_message(&error);
        let record = predictor.record();
        let (trunk, head) = match &mut self.own {
            Some(own) => own,
            none => none.insert(lenses.share(record).map_err(said)?),
        };
        let preprocessing = &record.preprocessing;
        let photo =
            preprocessing.decode(photo, predictor.limits()).map_err(|rejected| rejected.to_string())?;
        device::set_threads(NonZeroUsize::MIN);
        let [_, heated] =
            heated((trunk, head), preprocessing, &photo.pixels, class, &mut self.resizer).map_err(said)?;
        let mut png = std::io::Cursor::new(vec![]);
        heated.write_to(&mut png, ImageFormat::Png).map_err(|error| error.to_string())?;
        Ok(png.into_inner())
    }
}
