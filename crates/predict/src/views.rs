//! [`Views`]: which views of a photo are looked at, and whose probabilities are averaged.

use pipeline_photo::{MOST_RANDOM, Policy, TestViews, Tta};
use pipeline_stage::Digest;

use crate::error::Error;

/// The plain view, or test-time augmentation as `evaluate` has it, but that views which are not averaged are not looked at.
#[derive(Debug, Clone, Default)]
pub struct Views {
    tta: Tta,
    /// The views besides the plain one, and the policy that their numbers are drawn by.
    others: Option<(TestViews, Policy)>,
    seed: u64,
}

impl Views {
    /// The views of `tta`. Random ones are drawn by `training`, the policy of an artifact of `augment`, from `seed` and the
    /// photo's content: the same photo has the same views wherever it lies.
    ///
    /// # Errors
    /// [`Error::NoPolicy`] for random views without a policy, [`Error::TooManyViews`].
    pub fn new(tta: Tta, training: Option<Policy>, seed: u64) -> Result<Self, Error> {
        let policy = match (tta, training) {
            (Tta::Random(views), _) if views > MOST_RANDOM => {
                return Err(Error::TooManyViews { found: views });
            }
            (Tta::Random(views @ 1..), None) => return Err(Error::NoPolicy { views }),
            (Tta::Random(_), Some(policy)) => policy,
            // Fixed views leave the policy and the seed alone.
            _ => Policy { border: Default::default(), steps: vec![] },
        };
        Ok(Views { tta, others: tta.views().map(|views| (views, policy)), seed })
    }

    /// What was asked for.
    pub fn tta(&self) -> Tta {
        self.tta
    }

    /// How many views are looked at.
    pub(crate) fn count(&self) -> usize {
        let others = self.others.as_ref().map_or(0, |(views, _)| views.names().len());
        1 + others - self.tta.first_averaged()
    }

    /// Whether the plain view is one of them, which then is the first.
    pub(crate) fn has_plain(&self) -> bool {
        self.tta.first_averaged() == 0
    }

    /// The policy that the views besides the plain one are made with.
    pub(crate) fn policy(&self) -> Option<Policy> {
        self.others.as_ref().map(|(views, training)| views.policy(training))
    }

    /// The numbers of the views besides the plain one of a photo with this content and of so many pixels.
    pub(crate) fn numbers(&self, content: &[u8], (width, height): (u32, u32)) -> Vec<Vec<f32>> {
        match &self.others {
            None => vec![],
            Some((views, training)) => {
                let id = Digest::of(content).to_string();
                views.of(training, self.seed, &id, (width, height)).1
            }
        }
    }
}
