//! [`Augmentation`]: the record `policy.json`, from which stages that see pixels augment as they train.

use pipeline_stage::params::{Problem, parse, to_value};
use serde_json::{Value, json};

use crate::mix::BatchMix;
use crate::policy::{Policy, under};

/// What is done to photos in training, one by one and batch by batch.
#[derive(Debug, Clone)]
pub struct Augmentation {
    /// For each photo.
    pub policy: Policy,
    /// For each batch.
    pub mix: BatchMix,
}

/// Version of the record's form.
const FORMAT: u32 = 1;

impl Augmentation {
    /// The record, with every parameter written out.
    pub fn to_json(&self) -> Value {
        let mut json = self.policy.to_json();
        json["format"] = json!(FORMAT);
        json["mix"] = to_value(&self.mix);
        json
    }

    /// Reads [`Augmentation::to_json`].
    ///
    /// # Errors
    /// What is wrong with it, each problem with its path.
    pub fn from_json(json: &Value) -> Result<Self, Vec<Problem>> {
        if json["format"] != FORMAT {
            let message = format!("expected the form {FORMAT} of the record, found {}", json["format"]);
            return Err(vec![Problem::new("format", message)]);
        }
        let mix = parse(&json["mix"]).map_err(|problems| under("mix", problems))?;
        Ok(Augmentation { policy: Policy::from_json(json)?, mix })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::border::Border;
    use crate::choice::PolicyChoice;

    #[test]
    fn the_record_comes_back_and_another_form_or_a_wrong_number_is_refused() {
        let policy =
            Policy { border: Border::Edge, steps: PolicyChoice::named("side_on").unwrap().steps(1.1) };
        let mix: BatchMix = serde_json::from_value(json!({ "mixup": { "alpha": 0.2 } })).unwrap();
        let json = Augmentation { policy, mix }.to_json();
        assert_eq!((&json["border"], &json["mix"]["mixup"]["alpha"]), (&json!("edge"), &json!(0.2)));
        assert_eq!(json["steps"][0]["scale"]["max"], 1.1);
        assert_eq!(Augmentation::from_json(&json).unwrap().to_json(), json);

        let told = |change: fn(&mut Value)| {
            let mut json = json.clone();
            change(&mut json);
            let problem = Augmentation::from_json(&json).err().unwrap().remove(0);
            format!("{}: {}", problem.path.join("."), problem.message)
        };
        assert_eq!(
            told(|json| json["format"] = json!(2)),
            "format: expected the form 1 of the record, found 2"
        );
        assert_eq!(
            told(|json| json["steps"][0]["scale"]["p"] = json!(1.5)),
            "steps.0.scale.p: expected a probability from 0 to 1, found 1.5"
        );
    }
}
