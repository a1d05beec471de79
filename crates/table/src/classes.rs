//! `classes.json`, which names the label numbers of the tables: `{"classes": ["cats", "dogs"]}`.
//!
//! Not Parquet, so that a person or a script sees the names at a glance.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The file's name inside an artifact.
pub const CLASSES_FILE: &str = "classes.json";

#[derive(Serialize, Deserialize)]
struct Classes {
    /// Names in order of their numbers.
    classes: Vec<String>,
}

/// Writes the class names, in order of their numbers.
///
/// # Errors
/// A full disk.
pub fn write(path: &Path, classes: &[String]) -> Result<()> {
    let classes = Classes { classes: classes.to_vec() };
    let mut text = serde_json::to_string_pretty(&classes).map_err(std::io::Error::from)?;
    text.push('\n');
    Ok(fs_err::write(path, text)?)
}

/// Reads the class names.
///
/// # Errors
/// The file cannot be read, or is something else.
pub fn read(path: &Path) -> Result<Vec<String>> {
    let text = fs_err::read_to_string(path)?;
    let classes: Classes = serde_json::from_str(&text)
        .map_err(|source| Error::Damaged { path: path.to_owned(), source: Box::new(source) })?;
    Ok(classes.classes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_in_their_order() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(CLASSES_FILE);
        let names = ["dogs".to_owned(), "ca\"ts".to_owned(), "猫".to_owned()];
        write(&path, &names).unwrap();
        assert_eq!(read(&path).unwrap(), names);
        fs_err::write(&path, "[]").unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("classes.json"));
    }
}
