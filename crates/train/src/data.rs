//! [`Data`]: the photos that are trained and measured on, as batches of tensors.

use std::ops::Range;

use pipeline_nn::Tensor;
use pipeline_stage::Failure;

/// What takes batches: a step of training, or a measurement.
pub type Sink<'a> = dyn FnMut(Batch) -> Result<(), Failure> + 'a;

/// Inputs with their labels, on the learner's device.
#[derive(Debug)]
pub struct Batch {
    /// What the learner takes: features `[N, D]`, or photos `[N, 3, S, S]`; f32.
    pub x: Tensor,
    /// Class numbers `[N]`, i64.
    pub labels: Tensor,
    /// Where the inputs were mixed with each other.
    pub mixed: Option<Mixed>,
}

/// How the inputs of a batch were mixed: each has `lambda` of its own label, and the rest of its partner's.
#[derive(Debug)]
pub struct Mixed {
    /// Class numbers `[N]`, i64, of what each input was mixed with.
    pub partner_labels: Tensor,
    /// Share that each keeps of itself, 0 to 1.
    pub lambda: f64,
}

/// The order of an epoch, or of what is left of it.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    /// The epoch, from 0.
    pub epoch: u64,
    /// Training photos, as positions in [`Data::labels`].
    pub photos: &'a [usize],
    /// Which of them are in each batch that is wanted, in order.
    pub batches: &'a [Range<usize>],
}

/// Photos that are trained on, and photos that are measured on.
pub trait Data {
    /// The class number of each training photo, `[photos]`.
    fn labels(&self) -> &[u32];

    /// Number of classes.
    fn classes(&self) -> usize;

    /// How many photos are measured on; may be 0.
    fn measured(&self) -> usize;

    /// What the random numbers of the training depend on, besides where they are drawn. One that begins with the result
    /// of another training has other numbers, not the same again.
    fn seed(&self) -> u64;

    /// Hands the batches of an epoch to `sink`, in order. What a batch holds depends on the epoch and the photos in it, and
    /// on nothing that was handed out before.
    ///
    /// # Errors
    /// A photo cannot be had; what `sink` returns.
    fn train(&self, order: Order<'_>, sink: &mut Sink<'_>) -> Result<(), Failure>;

    /// Hands what is measured on to `sink`, in batches of any size, each photo once.
    ///
    /// # Errors
    /// As [`Data::train`].
    fn measure(&self, sink: &mut Sink<'_>) -> Result<(), Failure>;
}
