//! [`Split`]: which part of the data set a photo belongs to.

use std::fmt;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Which part of the data set a photo belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// Seen in training.
    Train,
    /// Measured during training, never trained on.
    Valid,
    /// Labelled or not, used only when asked for.
    Test,
}

impl Split {
    /// Every split, in the order of reports.
    pub const ALL: [Split; 3] = [Split::Train, Split::Valid, Split::Test];

    /// The word in tables and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::Valid => "valid",
            Split::Test => "test",
        }
    }

    pub(crate) fn from_word(word: &str, path: &Path) -> Result<Self> {
        Split::ALL.into_iter().find(|split| split.as_str() == word).ok_or_else(|| Error::Word {
            path: path.to_owned(),
            column: "split",
            found: word.to_owned(),
            expected: "`train`, `valid` or `test`",
        })
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_split_is_read_back_from_its_word() {
        for split in Split::ALL {
            assert_eq!(Split::from_word(split.as_str(), Path::new("a.parquet")).unwrap(), split);
            assert_eq!(serde_json::to_value(split).unwrap(), split.as_str());
        }
    }

    #[test]
    fn another_word_is_refused_with_the_list() {
        let error = Split::from_word("dev", Path::new("a.parquet")).unwrap_err();
        let text = "cannot read `a.parquet`: column `split` has the value `dev`, expected `train`, `valid` or `test`";
        assert_eq!(error.to_string(), text);
    }
}
