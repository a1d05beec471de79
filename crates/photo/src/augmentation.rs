//! [`Augmentation`]: the record `policy.json`, from which stages that see pixels augment as they train.

use std::io::Read;
use std::path::Path;

use pipeline_stage::Hint;
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

/// The record's name inside an artifact.
pub const POLICY_FILE: &str = "policy.json";

/// So much of a record is read: a policy has some kilobytes.
const MOST_BYTES: u64 = 1 << 20;

/// Version of the record's form.
const FORMAT: u32 = 1;

/// Why the record cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// It is no such record.
    #[error("cannot read the augmentation policy of the input `augment`: {0}")]
    Malformed(String),
    /// The file system says no; the message names the path.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

impl Hint for PolicyError {
    fn hint(&self) -> Option<String> {
        match self {
            PolicyError::Malformed(_) => Some("make the artifact again with `--force STAGE`".to_owned()),
            PolicyError::Io(_) => None,
        }
    }
}

impl Augmentation {
    /// The record, with every parameter written out.
    pub fn to_json(&self) -> Value {
        let mut json = self.policy.to_json();
        json["format"] = json!(FORMAT);
        json["mix"] = to_value(&self.mix);
        json
    }

    /// Reads the record of the folder of an artifact.
    ///
    /// # Errors
    /// It cannot be read, or is no such record.
    pub fn read(dir: &Path) -> Result<Self, PolicyError> {
        let path = dir.join(POLICY_FILE);
        // A named pipe in its place would be waited for.
        if !fs_err::metadata(&path)?.is_file() {
            return Err(PolicyError::Malformed("it is no ordinary file".to_owned()));
        }
        let mut text = vec![];
        fs_err::File::open(path)?.take(MOST_BYTES).read_to_end(&mut text)?;
        let json =
            serde_json::from_slice(&text).map_err(|error| PolicyError::Malformed(error.to_string()))?;
        Augmentation::from_json(&json).map_err(|problems| {
            let told =
                problems.iter().map(|problem| format!("`{}`: {}", problem.path.join("."), problem.message));
            PolicyError::Malformed(told.collect::<Vec<_>>().join("; "))
        })
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

    #[test]
    fn a_record_that_cannot_be_used_is_told_with_the_way_out() {
        let dir = tempfile::tempdir().unwrap();
        let told = |text: &str| {
            fs_err::write(dir.path().join(POLICY_FILE), text).unwrap();
            let error = Augmentation::read(dir.path()).unwrap_err();
            (error.to_string(), error.hint())
        };
        let (message, hint) = told("{\"format\": 7}");
        assert_eq!(
            message,
            "cannot read the augmentation policy of the input `augment`: `format`: expected the form 1 of the record, found 7"
        );
        assert_eq!(hint.as_deref(), Some("make the artifact again with `--force STAGE`"));
        assert!(told("{").0.starts_with("cannot read the augmentation policy of the input `augment`: EOF"));
        fs_err::remove_file(dir.path().join(POLICY_FILE)).unwrap();
        assert!(Augmentation::read(dir.path()).unwrap_err().to_string().contains(POLICY_FILE));
    }
}
