//! [`Spent`]: where the time of the lanes goes, so that it is known what to make faster.

use std::collections::BTreeMap;
use std::ops::AddAssign;
use std::time::Duration;

/// Time that lanes have worked, all of them added up.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Spent {
    /// Reading, decoding and resizing photos.
    pub(crate) decode: Duration,
    /// The trunk, with what it waits for the device.
    pub(crate) trunk: Duration,
}

impl AddAssign for Spent {
    fn add_assign(&mut self, other: Spent) {
        self.decode += other.decode;
        self.trunk += other.trunk;
    }
}

impl Spent {
    /// `bound by decoding (71 % of the lanes' time)`: the one of the two that takes more. `None` where nothing was done.
    pub(crate) fn words(&self) -> Option<String> {
        let all = (self.decode + self.trunk).as_secs_f64();
        let (what, most) = match self.decode > self.trunk {
            true => ("decoding", self.decode),
            false => ("the trunk", self.trunk),
        };
        (all > 0.0).then(|| {
            format!("bound by {what} ({:.0} % of the lanes' time)", 100.0 * most.as_secs_f64() / all)
        })
    }

    /// `decode_seconds` and `trunk_seconds`, of all lanes together.
    pub(crate) fn metrics(&self) -> BTreeMap<String, f64> {
        let named = [("decode_seconds", self.decode), ("trunk_seconds", self.trunk)];
        named.into_iter().map(|(name, time)| (name.to_owned(), time.as_secs_f64())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_more_of_the_time_of_all_lanes_bounds_it() {
        let spent = |decode, trunk| Spent {
            decode: Duration::from_millis(decode),
            trunk: Duration::from_millis(trunk),
        };
        let mut all = spent(300, 100);
        all += spent(410, 190);
        assert_eq!(all.words().unwrap(), "bound by decoding (71 % of the lanes' time)");
        assert_eq!(spent(50, 150).words().unwrap(), "bound by the trunk (75 % of the lanes' time)");
        assert_eq!(spent(0, 0).words(), None);
        let metrics = all.metrics();
        assert_eq!((metrics["decode_seconds"], metrics["trunk_seconds"]), (0.71, 0.29));
    }
}
