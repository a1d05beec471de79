//! [`Told`]: what is said of a photo, as JSON.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use pipeline_photo::Rejected;
use pipeline_predict::answer::{best, top};
use pipeline_stage::Hint;
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::neighbours::Near;
use crate::queue::Said;

/// What is said of a photo.
#[derive(Debug, serde::Serialize)]
#[serde(untagged)]
pub(crate) enum Told {
    /// What it shows.
    Shows {
        /// Of a file of a form.
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// The most probable class, the first of equals.
        class: String,
        /// Its probability, 0 to 1.
        probability: f32,
        /// Of the classes that were asked for, from the most probable on.
        probabilities: Probabilities,
        /// The model's view with the heat of the class over it, as a data URL of a PNG file.
        #[serde(skip_serializing_if = "Option::is_none")]
        gradcam: Option<String>,
        /// Why there is none, where it was wanted.
        #[serde(skip_serializing_if = "Option::is_none")]
        no_gradcam: Option<String>,
        /// The training photos that are most like it, the most alike first.
        #[serde(skip_serializing_if = "Option::is_none")]
        neighbours: Option<Vec<Near>>,
    },
    /// Why it cannot be looked at.
    Bad {
        /// Of a file of a form.
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// One of a fixed list, as in ingest's table: `truncated`.
        reason: &'static str,
        /// For people: `truncated: it ends in the middle of ...`.
        sentence: String,
        /// What can be done.
        hint: Option<String>,
    },
}

/// Probabilities by class, in this order.
#[derive(Debug)]
pub(crate) struct Probabilities(Vec<(String, f32)>);

impl Serialize for Probabilities {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        self.0.iter().try_for_each(|(class, probability)| map.serialize_entry(class, probability))?;
        map.end()
    }
}

impl Told {
    /// Of an answer: with the probabilities of the `count` most probable classes.
    pub(crate) fn new(
        name: Option<String>,
        said: Said,
        classes: &[String],
        count: usize,
        neighbours: Option<Vec<Near>>,
    ) -> Self {
        let prediction = match said.answer {
            Ok(prediction) => prediction,
            Err(rejected) => return Told::bad(name, &rejected),
        };
        let probs = prediction.probs();
        let (gradcam, no_gradcam) = match said.heat {
            Some(Ok(png)) => (Some(format!("data:image/png;base64,{}", BASE64_STANDARD.encode(png))), None),
            Some(Err(why)) => (None, Some(why)),
            None => (None, None),
        };
        let class = |number: u32| classes[number as usize].clone();
        let (number, probability) = best(&probs);
        let most_probable = top(&probs, count).into_iter();
        Told::Shows {
            name,
            class: class(number),
            probability,
            probabilities: Probabilities(most_probable.map(|n| (class(n), probs[n as usize])).collect()),
            gradcam,
            no_gradcam,
            neighbours,
        }
    }

    fn bad(name: Option<String>, rejected: &Rejected) -> Self {
        let reason = rejected.reason.as_str();
        Told::Bad { name, reason, sentence: rejected.to_string(), hint: rejected.hint() }
    }
}

#[cfg(test)]
mod tests {
    use pipeline_photo::Reason;
    use pipeline_predict::Prediction;

    use super::*;

    #[test]
    fn classes_come_from_the_most_probable_on_and_as_many_as_were_asked_for() {
        let prediction =
            Prediction { log_probs: [0.25f32, 0.125, 0.625].map(f32::ln).to_vec(), features: vec![] };
        let said = Said { answer: Ok(prediction), heat: Some(Ok(b"png".to_vec())) };
        let classes = ["owls", "\"bees\"", "ants"].map(str::to_owned);
        let told = Told::new(Some("a\n.jpg".to_owned()), said, &classes, 2, Some(vec![]));
        let expected = r#"{"name":"a\n.jpg","class":"ants","probability":0.625,"probabilities":{"ants":0.625,"owls":0.25},"gradcam":"data:image/png;base64,cG5n","neighbours":[]}"#;
        assert_eq!(serde_json::to_string(&told).unwrap(), expected);
    }

    #[test]
    fn of_a_bad_photo_the_reason_and_the_way_out_are_told() {
        let rejected = Rejected { reason: Reason::Empty, detail: "it has no bytes".to_owned(), format: None };
        let told = Told::new(None, Said { answer: Err(rejected), heat: None }, &[], 2, None);
        let expected = r#"{"reason":"empty","sentence":"empty file: it has no bytes","hint":"copy it again from where it came from"}"#;
        assert_eq!(serde_json::to_string(&told).unwrap(), expected);
    }
}
