//! [`Tta`]: what a user writes for test-time augmentation, which views' probabilities are averaged.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::test_time::TestViews;

/// Most random views: more say the same in more time.
pub const MOST_RANDOM: u32 = 64;

/// Test-time augmentation: the views of a photo whose probabilities are averaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "expected a number of random views from 0 to 64, or one of flip, five_crop, ten_crop"
)]
pub enum Tta {
    /// So many random ones of the training policy and the plain one, as in the lesson; 0: none at all.
    Random(#[schemars(range(max = MOST_RANDOM))] u32),
    /// Always the same ones.
    Fixed(FixedViews),
}

/// Views that neither the policy nor the seed changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FixedViews {
    /// The plain view and the same mirrored.
    Flip,
    /// Four corners and the centre of the photo at 8/7 of the size, without the plain view, as torchvision's `FiveCrop`
    /// after `Resize(256)`.
    FiveCrop,
    /// The five crops and each mirrored, without the plain view, as torchvision's `TenCrop`; those of Krizhevsky et al.
    /// 2012, "ImageNet Classification with Deep Convolutional Neural Networks".
    TenCrop,
}

impl Default for Tta {
    fn default() -> Self {
        Tta::Random(0)
    }
}

impl Tta {
    /// The views besides the plain one, which is always looked at; `None` where there are none.
    pub fn views(self) -> Option<TestViews> {
        match self {
            Tta::Random(0) => None,
            Tta::Random(views) => Some(TestViews::Policy(views)),
            Tta::Fixed(FixedViews::Flip) => Some(TestViews::Flip),
            Tta::Fixed(FixedViews::FiveCrop) => Some(TestViews::FiveCrop),
            Tta::Fixed(FixedViews::TenCrop) => Some(TestViews::TenCrop),
        }
    }

    /// The first view that is averaged: 0, or 1 where the plain one is not among them.
    pub fn first_averaged(self) -> usize {
        usize::from(matches!(self, Tta::Fixed(FixedViews::FiveCrop | FixedViews::TenCrop)))
    }

    /// What is averaged, for people.
    pub fn words(self) -> String {
        match self {
            Tta::Random(views) => format!("mean of {} views", u64::from(views) + 1),
            Tta::Fixed(FixedViews::Flip) => "mean of plain and mirrored".to_owned(),
            Tta::Fixed(FixedViews::FiveCrop) => "mean of 5 crops".to_owned(),
            Tta::Fixed(FixedViews::TenCrop) => "mean of 10 crops".to_owned(),
        }
    }
}

/// As it is written in YAML. Numbers above [`MOST_RANDOM`] are left to whoever uses it.
impl FromStr for Tta {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fixed = [FixedViews::Flip, FixedViews::FiveCrop, FixedViews::TenCrop].map(Tta::Fixed);
        let number = text.parse().ok().map(Tta::Random);
        let found = number.or_else(|| fixed.into_iter().find(|tta| tta.to_string() == text));
        let expected = || {
            format!(
                "expected a number of random views from 0 to {MOST_RANDOM}, or one of flip, five_crop, ten_crop"
            )
        };
        found.ok_or_else(expected)
    }
}

/// As it is written in YAML.
impl fmt::Display for Tta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Tta::Random(views) => write!(f, "{views}"),
            Tta::Fixed(FixedViews::Flip) => f.write_str("flip"),
            Tta::Fixed(FixedViews::FiveCrop) => f.write_str("five_crop"),
            Tta::Fixed(FixedViews::TenCrop) => f.write_str("ten_crop"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_read_as_it_is_written_and_said_in_words() {
        let cases = [
            ("0", "mean of 1 views", 0, 0),
            ("4", "mean of 5 views", 4, 0),
            ("\"flip\"", "mean of plain and mirrored", 1, 0),
            ("\"five_crop\"", "mean of 5 crops", 5, 1),
            ("\"ten_crop\"", "mean of 10 crops", 10, 1),
        ];
        for (json, words, others, first) in cases {
            let tta: Tta = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&tta).unwrap(), json);
            assert_eq!(tta.to_string(), json.trim_matches('"'));
            assert_eq!(tta.to_string().parse(), Ok(tta));
            let views = tta.views().map_or(0, |views| views.names().len());
            assert_eq!((tta.words().as_str(), views, tta.first_averaged()), (words, others, first));
        }
        let expected = "expected a number of random views from 0 to 64, or one of flip, five_crop, ten_crop";
        assert_eq!("flop".parse::<Tta>(), Err(expected.to_owned()));
    }
}
