//! Numbers in JSON, to the bit: what JSON has no number for is text, `"NaN"`, `"inf"` or `"-inf"`. For
//! `#[serde(with)]`: [`one`] number, an [`optional`] one (null is none), a [`list`].

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A number as JSON has it.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a number, `NaN`, `inf` or `-inf`")]
enum Number {
    Finite(f64),
    Other(Word),
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum Word {
    NaN,
    #[serde(rename = "inf")]
    Infinity,
    #[serde(rename = "-inf")]
    MinusInfinity,
}

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        match value {
            _ if value.is_nan() => Number::Other(Word::NaN),
            f64::INFINITY => Number::Other(Word::Infinity),
            f64::NEG_INFINITY => Number::Other(Word::MinusInfinity),
            _ => Number::Finite(value),
        }
    }
}

impl From<Number> for f64 {
    fn from(number: Number) -> Self {
        match number {
            Number::Finite(value) => value,
            Number::Other(Word::NaN) => f64::NAN,
            Number::Other(Word::Infinity) => f64::INFINITY,
            Number::Other(Word::MinusInfinity) => f64::NEG_INFINITY,
        }
    }
}

pub(crate) mod one {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(value: &f64, to: S) -> Result<S::Ok, S::Error> {
        Number::from(*value).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
        Number::deserialize(from).map(f64::from)
    }
}

pub(crate) mod optional {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(value: &Option<f64>, to: S) -> Result<S::Ok, S::Error> {
        value.map(Number::from).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
        Ok(Option::<Number>::deserialize(from)?.map(f64::from))
    }
}

pub(crate) mod list {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(values: &[f64], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(values.iter().copied().map(Number::from))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<f64>, D::Error> {
        Ok(Vec::<Number>::deserialize(from)?.into_iter().map(f64::from).collect())
    }
}
