//! [`Head`]: the lesson's classifier on pooled features.
//!
//! BatchNorm1d(features), Dropout(0.25), Linear(features, 512), ReLU, BatchNorm1d(512), Dropout(0.5),
//! Linear(512, classes), LogSoftmax.

use std::collections::BTreeMap;
use std::fmt;

use pipeline_stage::random::{Random, Stream};
use rand_distr::{Distribution, StandardNormal};
use tch::{Device, Kind, TchError, Tensor};

use crate::batch_norm::{BatchNorm, Mode};
use crate::dropout;
use crate::dtype::Dtype;
use crate::error::Error;
use crate::folded_trunk::numbers;
use crate::graph::{Operation, Wire};
use crate::linear::Linear;
use crate::weights::Weights;

/// A quarter of the features is dropped, as in the lesson: two random bits each.
const FEATURES_PER_BYTE: usize = 4;
/// Half of the hidden values is dropped, as in the lesson: one random bit each.
const HIDDEN_PER_BYTE: usize = 8;

/// The widths of a [`Head`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Width of the pooled features, at least 1: [`Pool::width`](crate::Pool::width).
    pub features: usize,
    /// Width of the hidden layer, at least 1.
    pub hidden: usize,
    /// Number of classes, at least 1.
    pub classes: usize,
}

impl Sizes {
    /// The lesson's hidden width.
    pub const HIDDEN: usize = 512;
}

/// From pooled features `[N, features]` to log-probabilities `[N, classes]`.
///
/// Its tensors are named `bn1.*`, `linear1.*`, `bn2.*` and `linear2.*`, each with PyTorch's shapes.
pub struct Head {
    sizes: Sizes,
    device: Device,
    /// What `linear1` multiplies in while training.
    dtype: Dtype,
    bn1: BatchNorm,
    linear1: Linear,
    bn2: BatchNorm,
    linear2: Linear,
}

impl Head {
    /// A fresh head on `device`.
    ///
    /// Linear weights are drawn from a normal distribution of mean 0 and deviation `sqrt(2 / in)` (Kaiming,
    /// fan in), one stream (`init`, tensor name) for each; biases are 0; batch norms start as PyTorch's do:
    /// weight 1, bias 0, running mean 0 and variance 1.
    ///
    /// # Errors
    /// [`Error::Torch`] when the device has too little memory.
    pub fn new(sizes: Sizes, seed: u64, device: Device) -> Result<Head, Error> {
        Head::build(sizes, device, &mut |name, shape| {
            let numel = shape.iter().product::<i64>() as usize;
            let values: Vec<f32> = match name.rsplit('.').next() {
                Some("weight") if name.starts_with("linear") => {
                    let deviation = (2.0 / shape[1] as f64).sqrt();
                    let mut random =
                        Stream { seed, purpose: "init", item: name, ..Stream::default() }.start();
                    let mut draw = || -> f64 { StandardNormal.sample(&mut random) };
                    (0..numel).map(|_| (draw() * deviation) as f32).collect()
                }
                Some("weight" | "running_var") => vec![1.0; numel],
                _ => vec![0.0; numel],
            };
            Tensor::f_from_slice(&values)
                .and_then(|t| t.f_reshape(shape))
                .map_err(Error::torch("make a head"))
        })
    }

    /// The head of these weights, on `device`. Its sizes are those of the weights.
    ///
    /// # Errors
    /// [`Error::MissingTensor`] and [`Error::WrongShape`] when they are not a head's.
    pub fn load(weights: &Weights, device: Device) -> Result<Head, Error> {
        let network = "the head";
        let missing = |name: &str| Error::MissingTensor {
            network,
            origin: weights.origin().to_owned(),
            tensor: name.to_owned(),
            others: 0,
        };
        let length = |name: &str| -> Result<usize, Error> {
            match weights.get(name).ok_or_else(|| missing(name))?.size()[..] {
                [length, ..] => Ok(length as usize),
                [] => Ok(1),
            }
        };
        let (features, hidden) = (length("bn1.weight")?, length("bn2.weight")?);
        let classes = length("linear2.bias")?;
        Head::build(Sizes { features, hidden, classes }, device, &mut |name, shape| {
            let tensor = weights.get(name).ok_or_else(|| missing(name))?;
            if tensor.size() != shape {
                return Err(Error::WrongShape {
                    network,
                    origin: weights.origin().to_owned(),
                    tensor: name.to_owned(),
                    found: tensor.size(),
                    expected: shape.to_vec(),
                });
            }
            // A copy, because training changes a head in place.
            tensor.f_detach_copy().map_err(Error::torch("load a head"))
        })
    }

    fn build(
        sizes: Sizes,
        device: Device,
        provide: &mut crate::backbones::Provide<'_>,
    ) -> Result<Head, Error> {
        let [features, hidden, classes] = [sizes.features, sizes.hidden, sizes.classes].map(|n| n as i64);
        let mut provide = |name: &str, shape: &[i64]| -> Result<Tensor, Error> {
            let tensor = provide(name, shape)?;
            let trains = !name.contains("running_");
            tensor
                .f_to_device(device)
                .and_then(|t| t.f_set_requires_grad(trains))
                .map_err(Error::torch("place a head on its device"))
        };
        Ok(Head {
            sizes,
            device,
            dtype: Dtype::F32,
            bn1: BatchNorm::new(&mut provide, "bn1", features)?,
            linear1: Linear::new(&mut provide, "linear1", features, hidden)?,
            bn2: BatchNorm::new(&mut provide, "bn2", hidden)?,
            linear2: Linear::new(&mut provide, "linear2", hidden, classes)?,
        })
    }

    /// The head with the product of its wide layer, `linear1`, in another number format while it trains, and of that layer's
    /// gradients; `Auto` is settled. It begins with float32, and [`forward_eval`](Self::forward_eval) keeps to it.
    #[must_use]
    pub fn with_dtype(self, dtype: Dtype) -> Head {
        Head { dtype: dtype.settled(), ..self }
    }

    /// Its widths.
    pub fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// Where it computes.
    pub fn device(&self) -> Device {
        self.device
    }

    /// Log-probabilities `[N, classes]` of features `x: [N, features]`, float32 on the head's device, with
    /// running statistics and without dropout. Records no gradients.
    ///
    /// # Errors
    /// [`Error::WrongInput`], [`Error::Torch`].
    pub fn forward_eval(&self, x: &Tensor) -> Result<Tensor, Error> {
        self.check_input(x)?;
        tch::no_grad(|| self.forward(x, Mode::Eval, None)).map_err(Error::torch("run the head"))
    }

    /// As [`forward_eval`](Self::forward_eval) on plain numbers: log-probabilities `[N, classes]` of features `[N, dim]`,
    /// both row-major. The last bits of a row may change with N and with the number of threads.
    ///
    /// # Errors
    /// [`Error::WrongInput`] where `dim` is not its width, [`Error::Torch`].
    pub fn log_probs(&self, features: &[f32], dim: usize) -> Result<Vec<f32>, Error> {
        let shape = [(features.len() / dim.max(1)) as i64, dim as i64];
        if shape[0] == 0 {
            return Ok(vec![]);
        }
        let x = || Tensor::f_from_slice(features)?.f_view(shape)?.f_to_device(self.device);
        let x = x().map_err(Error::torch("put a batch of features together"))?; // [N, dim]
        let log_probs = self.forward_eval(&x)?; // [N, classes]
        numbers(&log_probs).map_err(Error::torch("read the predictions of a batch"))
    }

    /// The same head for another thread: its tensors are shared, nothing is copied.
    #[must_use]
    pub fn share(&self) -> Head {
        Head {
            bn1: self.bn1.share(),
            linear1: self.linear1.share(),
            bn2: self.bn2.share(),
            linear2: self.linear2.share(),
            ..*self
        }
    }

    /// What the softmax is taken of: scores `[N, classes]` of features `x: [N, features]`, as
    /// [`forward_eval`](Self::forward_eval) computes them. Records gradients where they are enabled.
    ///
    /// # Errors
    /// [`Error::WrongInput`], [`Error::Torch`].
    pub(crate) fn logits(&self, x: &Tensor) -> Result<Tensor, Error> {
        self.check_input(x)?;
        self.scores(x, Mode::Eval, None).map_err(Error::torch("run the head"))
    }

    /// Log-probabilities `[N, classes]` of a training batch `x: [N, features]`, N at least 2: statistics of
    /// the batch, which move the running ones, and dropout masks drawn from `random`. Records gradients.
    ///
    /// # Errors
    /// [`Error::BatchOfOne`], [`Error::WrongInput`], [`Error::Torch`].
    pub fn forward_train(&self, x: &Tensor, random: &mut Random) -> Result<Tensor, Error> {
        let rows = self.check_training_input(x)?;
        let place = |mask: Tensor| {
            mask.f_to_device(self.device).map_err(Error::torch("place a dropout mask on the device"))
        };
        let features = place(dropout::mask::<FEATURES_PER_BYTE>(rows, self.sizes.features, random)?)?;
        let hidden = place(dropout::mask::<HIDDEN_PER_BYTE>(rows, self.sizes.hidden, random)?)?;
        self.forward_train_masked(x, &features, &hidden)
    }

    /// [`forward_train`](Self::forward_train) with given dropout masks, `[N, features]` and `[N, hidden]`: 0
    /// where a value is dropped, else `1 / (1 - share dropped)`.
    ///
    /// # Errors
    /// As [`forward_train`](Self::forward_train).
    pub fn forward_train_masked(
        &self,
        x: &Tensor,
        features: &Tensor,
        hidden: &Tensor,
    ) -> Result<Tensor, Error> {
        self.check_training_input(x)?;
        self.forward(x, Mode::Train, Some([features, hidden])).map_err(Error::torch("run the head"))
    }

    fn forward(&self, x: &Tensor, mode: Mode, masks: Option<[&Tensor; 2]>) -> Result<Tensor, TchError> {
        self.scores(x, mode, masks)?.f_log_softmax(1, Kind::Float) // [N, classes]
    }

    /// Everything before the softmax.
    fn scores(&self, x: &Tensor, mode: Mode, masks: Option<[&Tensor; 2]>) -> Result<Tensor, TchError> {
        let drop = |x: Tensor, which: usize| match masks {
            Some(masks) => x.f_mul(masks[which]),
            None => Ok(x),
        };
        let kind = if mode == Mode::Train { self.dtype.kind() } else { Kind::Float };
        let x = drop(self.bn1.forward(x, mode)?, 0)?; // [N, features]
        let x = self.linear1.forward_in(kind, &x)?.f_relu_()?; // [N, hidden]
        let x = drop(self.bn2.forward(&x, mode)?, 1)?; // [N, hidden]
        self.linear2.forward(&x) // [N, classes]
    }

    /// What [`logits`](Self::logits) does, as steps of a graph.
    pub(crate) fn draw<'a>(&self, features: Wire<'a>) -> Wire<'a> {
        let x = features.then(self.bn1.operation()); // [N, features]
        let x = x.then(self.linear1.operation()).then(Operation::Relu); // [N, hidden]
        x.then(self.bn2.operation()).then(self.linear2.operation()) // [N, classes]
    }

    fn check_input(&self, x: &Tensor) -> Result<usize, Error> {
        match x.size()[..] {
            [rows, features] if features == self.sizes.features as i64 => Ok(rows as usize),
            ref found => Err(Error::WrongInput {
                network: "the head",
                found: found.to_vec(),
                expected: format!("[N, {}]", self.sizes.features),
            }),
        }
    }

    fn check_training_input(&self, x: &Tensor) -> Result<usize, Error> {
        match self.check_input(x)? {
            1 => Err(Error::BatchOfOne),
            rows => Ok(rows),
        }
    }

    /// The tensors that training changes, by name, from the input to the output. They share memory with the head.
    pub fn named_parameters(&self) -> Vec<(String, Tensor)> {
        let (bn1, bn2, l1, l2) = (&self.bn1, &self.bn2, &self.linear1, &self.linear2);
        [
            ("bn1.weight", &bn1.weight),
            ("bn1.bias", &bn1.bias),
            ("linear1.weight", &l1.weight),
            ("linear1.bias", &l1.bias),
            ("bn2.weight", &bn2.weight),
            ("bn2.bias", &bn2.bias),
            ("linear2.weight", &l2.weight),
            ("linear2.bias", &l2.bias),
        ]
        .map(|(name, tensor)| (name.to_owned(), tensor.shallow_clone()))
        .into()
    }

    /// The tensors of [`named_parameters`](Self::named_parameters) without their names.
    pub fn parameters(&self) -> Vec<Tensor> {
        self.named_parameters().into_iter().map(|(_, tensor)| tensor).collect()
    }

    /// All its tensors by name, running statistics included, as they are written to `head.safetensors`.
    /// They share memory with the head and require no gradients.
    pub fn named_tensors(&self) -> BTreeMap<String, Tensor> {
        let mut tensors = BTreeMap::new();
        for (name, bn) in [("bn1", &self.bn1), ("bn2", &self.bn2)] {
            tensors.insert(format!("{name}.weight"), bn.weight.detach());
            tensors.insert(format!("{name}.bias"), bn.bias.detach());
            tensors.insert(format!("{name}.running_mean"), bn.running_mean.detach());
            tensors.insert(format!("{name}.running_var"), bn.running_var.detach());
        }
        for (name, linear) in [("linear1", &self.linear1), ("linear2", &self.linear2)] {
            tensors.insert(format!("{name}.weight"), linear.weight.detach());
            tensors.insert(format!("{name}.bias"), linear.bias.detach());
        }
        tensors
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Head({:?}, {:?})", self.sizes, self.device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: Sizes = Sizes { features: 6, hidden: 4, classes: 3 };

    fn head(seed: u64) -> Head {
        Head::new(SIZES, seed, Device::Cpu).unwrap()
    }

    fn numbers(t: &Tensor) -> Vec<f32> {
        t.detach().flatten(0, -1).try_into().unwrap()
    }

    fn random() -> Random {
        Stream { seed: 7, purpose: "dropout", ..Stream::default() }.start()
    }

    fn features(rows: i64) -> Tensor {
        (Tensor::arange(rows * 6, (Kind::Float, Device::Cpu)) * 0.7).sin().reshape([rows, 6])
    }

    #[test]
    fn linear_weights_are_kaiming_normal_and_the_rest_starts_neutral() {
        let head = Head::new(Sizes { features: 200, hidden: 300, classes: 2 }, 42, Device::Cpu).unwrap();
        let tensors = head.named_tensors();
        let weight = &tensors["linear1.weight"];
        assert_eq!(weight.size(), [300, 200]);
        // 60,000 draws of deviation sqrt(2/200) = 0.1: the mean is within 5 standard errors (0.1 / sqrt(60000)).
        assert!(weight.mean(Kind::Float).double_value(&[]).abs() < 0.002);
        assert!((weight.std(true).double_value(&[]) - 0.1).abs() < 0.0015);
        for (name, expected) in [
            ("linear1.bias", 0.0),
            ("linear2.bias", 0.0),
            ("bn1.weight", 1.0),
            ("bn1.bias", 0.0),
            ("bn2.running_mean", 0.0),
            ("bn2.running_var", 1.0),
        ] {
            assert!(numbers(&tensors[name]).iter().all(|v| *v == expected), "{name}");
        }
    }

    #[test]
    fn the_seed_decides_the_weights_and_each_tensor_has_its_own() {
        let weights = |seed| numbers(&head(seed).named_tensors()["linear1.weight"]);
        assert_eq!(weights(1), weights(1));
        assert_ne!(weights(1), weights(2));
        assert_ne!(weights(1)[..12], numbers(&head(1).named_tensors()["linear2.weight"])[..]);
    }

    #[test]
    fn log_probabilities_of_a_photo_sum_to_one_and_need_no_gradients() {
        let y = head(3).forward_eval(&features(5)).unwrap();
        assert_eq!(y.size(), [5, 3]);
        assert!(!y.requires_grad());
        for sum in numbers(&y.exp().sum_dim_intlist([1i64].as_slice(), false, Kind::Float)) {
            assert!((sum - 1.0).abs() < 1e-6, "{sum}");
        }
    }

    #[test]
    fn training_depends_on_the_generator_alone_and_moves_running_statistics() {
        let [a, b] = [head(3), head(3)];
        let mut generator = random();
        let first = numbers(&a.forward_train(&features(5), &mut generator).unwrap());
        assert_eq!(first, numbers(&b.forward_train(&features(5), &mut random()).unwrap()));
        assert_ne!(first, numbers(&a.forward_train(&features(5), &mut generator).unwrap()));
        assert_ne!(numbers(&a.named_tensors()["bn1.running_mean"]), [0.0; 6]);
    }

    #[test]
    fn a_training_batch_of_one_photo_is_an_error() {
        let error = head(3).forward_train(&features(1), &mut random()).unwrap_err();
        assert!(matches!(error, Error::BatchOfOne), "{error}");
        assert!(head(3).forward_eval(&features(1)).is_ok());
    }

    #[test]
    fn features_of_another_width_are_an_error() {
        let error = head(3).forward_eval(&features(5).reshape([6, 5])).unwrap_err();
        assert_eq!(error.to_string(), "cannot run the head on a batch of shape [6, 5], expected [N, 6]");
    }

    #[test]
    fn plain_numbers_and_a_shared_head_answer_as_tensors_do() {
        let head = head(3);
        let x = features(5);
        let expected = numbers(&head.forward_eval(&x).unwrap());
        assert_eq!(head.log_probs(&numbers(&x), 6).unwrap(), expected);
        let shared = head.share();
        let found = std::thread::spawn(move || shared.log_probs(&numbers(&features(5)), 6).unwrap());
        assert_eq!(found.join().unwrap(), expected);
        assert_eq!(head.log_probs(&[], 6).unwrap(), [0.0; 0]);
        let message = head.log_probs(&numbers(&x), 5).unwrap_err().to_string();
        assert_eq!(message, "cannot run the head on a batch of shape [6, 5], expected [N, 6]");
    }

    #[test]
    fn a_head_is_rebuilt_from_its_tensors() {
        let head = head(3);
        let loaded =
            Head::load(&Weights::new("head.safetensors", head.named_tensors()), Device::Cpu).unwrap();
        assert_eq!(loaded.sizes(), SIZES);
        let x = features(5);
        assert_eq!(numbers(&loaded.forward_eval(&x).unwrap()), numbers(&head.forward_eval(&x).unwrap()));
        let mut tensors = head.named_tensors();
        tensors.insert("bn2.bias".to_owned(), Tensor::from_slice(&[0f32; 5]));
        let error = Head::load(&Weights::new("h", tensors), Device::Cpu).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot build the head from `h`: tensor `bn2.bias` has shape [5], expected [4]"
        );
        let error = Head::load(&Weights::new("h", BTreeMap::new()), Device::Cpu).unwrap_err();
        assert_eq!(error.to_string(), "cannot build the head from `h`: tensor `bn1.weight` is missing");
    }
}
