//! [`Ema`]: moving averages of a network's weights, which often classify better than the weights of the last step.

use std::collections::BTreeMap;
use std::fmt;

use tch::{TchError, Tensor};

use crate::error::Error;
use crate::saved::Saved;

/// Exponential moving averages of tensors. They start at the tensors' values, and update number t = 1, 2, … does
///
/// ```text
/// d = min(decay, (1 + t) / (10 + t))
/// e = d * e + (1 - d) * w
/// ```
///
/// The second bound is TensorFlow's warm-up (`tf.train.ExponentialMovingAverage` with `num_updates`). Without it a
/// decay of 0.999 would after 360 steps, an epoch of the lesson, still give the untrained weights 0.999^360 = 70 %.
///
/// Give it *all* of a network's float32 tensors, running statistics of batch norm as well as parameters: the averaged
/// weights need the statistics that go with them, and the running ones go with the weights of the last few steps. What
/// does not change (a frozen trunk) is its own average, bit for bit.
pub struct Ema {
    averages: Vec<Average>,
    updates: u32,
}

/// A tensor and its average.
struct Average {
    name: String,
    /// Shares memory with the network.
    value: Tensor,
    average: Tensor,
}

/// Suffix of an average's name in the saved state.
const AVERAGE: &str = "ema";
/// Name of the number of updates in the saved state.
const UPDATES: &str = "ema.updates";

impl Ema {
    /// Averages of these named tensors, float32, that share memory with a network. Takes as much memory again.
    ///
    /// # Errors
    /// [`Error::Torch`] when there is too little memory.
    pub fn new(tensors: impl IntoIterator<Item = (String, Tensor)>) -> Result<Ema, Error> {
        let average = |(name, value): (String, Tensor)| {
            let (value, average) = (value.f_detach()?, value.f_detach_copy()?);
            Ok(Average { name, value, average })
        };
        let averages = tensors.into_iter().map(average).collect::<Result<_, TchError>>();
        Ok(Ema { averages: averages.map_err(Error::torch("start moving averages"))?, updates: 0 })
    }

    /// Moves the averages towards the network's tensors as they are now: once per step, after it. `decay` is 0 to
    /// below 1, 0.99 to 0.9999 as a rule.
    ///
    /// # Errors
    /// [`Error::Torch`] when libtorch refuses.
    pub fn update(&mut self, decay: f64) -> Result<(), Error> {
        self.updates += 1;
        let t = f64::from(self.updates);
        let decay = decay.min((1.0 + t) / (10.0 + t));
        let update = || {
            for Average { value, average, .. } in &mut self.averages {
                let _ = average.f_lerp_(value, 1.0 - decay)?;
            }
            Ok(())
        };
        tch::no_grad(update).map_err(Error::torch("update the moving averages"))
    }

    /// Exchanges the averages with the network's tensors: the network then classifies with the averages. A second call
    /// brings both back, bit for bit. Between the two, neither train nor [`update`](Self::update) nor save.
    ///
    /// # Errors
    /// [`Error::Torch`] when there is no memory for a copy of the largest tensor.
    pub fn swap(&mut self) -> Result<(), Error> {
        let swap = || {
            for Average { value, average, .. } in &mut self.averages {
                let kept = value.f_detach_copy()?;
                value.f_copy_(average)?;
                average.f_copy_(&kept)?;
            }
            Ok(())
        };
        tch::no_grad(swap).map_err(Error::torch("exchange weights with their averages"))
    }

    /// The averages as float32 tensors named `<tensor>.ema`, and the number of updates as `ema.updates`, one number,
    /// exact to 2^24. They share memory with this: write or copy them before the next update.
    pub fn state(&self) -> BTreeMap<String, Tensor> {
        let averages = self.averages.iter();
        let named = averages.map(|a| (format!("{}.{AVERAGE}", a.name), a.average.shallow_clone()));
        named.chain([(UPDATES.to_owned(), Tensor::from_slice(&[self.updates as f32]))]).collect()
    }

    /// Takes a copy of what [`state`](Self::state) gave instead of the averages. On an error nothing has changed.
    ///
    /// # Errors
    /// [`Error::WrongState`] when it is of other tensors; [`Error::Torch`] when there is too little memory.
    pub fn load_state(&mut self, state: &BTreeMap<String, Tensor>) -> Result<(), Error> {
        let mut saved = Saved::new("the moving averages", state);
        let updates = saved.take_count(UPDATES)?;
        let take = |Average { name, value, .. }: &Average| {
            saved.take(&format!("{name}.{AVERAGE}"), &value.size(), value.device())
        };
        let averages: Vec<Tensor> = self.averages.iter().map(take).collect::<Result<_, _>>()?;
        saved.finish()?;
        for (slot, average) in self.averages.iter_mut().zip(averages) {
            slot.average = average;
        }
        self.updates = updates;
        Ok(())
    }
}

impl fmt::Debug for Ema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ema({} tensors, {} updates)", self.averages.len(), self.updates)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ema(tensor: &Tensor) -> Ema {
        Ema::new([("w".to_owned(), tensor.shallow_clone())]).unwrap()
    }

    fn bits(t: &Tensor) -> Vec<u32> {
        let values: Vec<f32> = t.detach().copy().try_into().unwrap();
        values.into_iter().map(f32::to_bits).collect()
    }

    fn average(ema: &Ema) -> f64 {
        ema.state()["w.ema"].double_value(&[0])
    }

    #[test]
    fn an_average_warms_up_and_then_keeps_its_decay() {
        let mut w = Tensor::from_slice(&[0f32]);
        let mut ema = ema(&w);
        let _ = w.fill_(11.0);
        // d = 2/11: e = 9/11 * 11 = 9.
        ema.update(0.25).unwrap();
        assert!((average(&ema) - 9.0).abs() < 1e-6, "{}", average(&ema));
        // 3/12 = 0.25 is the decay, and 4/13 above it: e = 0.25 * 9 + 0.75 * 11 = 10.5, then 10.875.
        for expected in [10.5, 10.875] {
            ema.update(0.25).unwrap();
            assert!((average(&ema) - expected).abs() < 1e-5, "{} {expected}", average(&ema));
        }
    }

    #[test]
    fn what_does_not_change_is_its_own_average_bit_for_bit() {
        let w = Tensor::from_slice(&[0.1f32, -3.3e-12, 7.7e9]);
        let mut ema = ema(&w);
        (0..50).for_each(|_| ema.update(0.999).unwrap());
        assert_eq!(bits(&ema.state()["w.ema"]), bits(&w));
    }

    #[test]
    fn two_exchanges_bring_everything_back_bit_for_bit() {
        let mut w = Tensor::from_slice(&[0.1f32, 0.7]).set_requires_grad(true);
        let mut ema = ema(&w);
        tch::no_grad(|| w.copy_(&Tensor::from_slice(&[0.3f32, -1.9])));
        ema.update(0.9).unwrap();
        let (weights, averages) = (bits(&w), bits(&ema.state()["w.ema"]));
        ema.swap().unwrap();
        assert_eq!(bits(&w), averages);
        ema.swap().unwrap();
        assert_eq!((bits(&w), bits(&ema.state()["w.ema"])), (weights, averages));
    }

    #[test]
    fn averages_that_continue_from_their_state_end_on_the_same_bits() {
        let mut w = Tensor::from_slice(&[0.1f32, 0.7]);
        let mut whole = ema(&w);
        let _ = w.fill_(0.3);
        whole.update(0.99).unwrap();
        let mut other = ema(&Tensor::from_slice(&[5f32, 5.0]));
        other.load_state(&whole.state()).unwrap();
        other.averages[0].value = w.shallow_clone();
        let _ = w.fill_(-1.7);
        for ema in [&mut whole, &mut other] {
            ema.update(0.99).unwrap();
        }
        assert_eq!(bits(&whole.state()["w.ema"]), bits(&other.state()["w.ema"]));
        assert_eq!(whole.state()["ema.updates"].double_value(&[0]), 2.0);
    }

    #[test]
    fn averages_of_other_tensors_are_an_error() {
        let state = ema(&Tensor::from_slice(&[1f32, 2.0])).state();
        let error = ema(&Tensor::from_slice(&[1f32, 2.0, 3.0])).load_state(&state).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot restore the moving averages: found shape [2] for tensor `w.ema`, expected shape [3]"
        );
    }
}
