//! [`Sheet`]: the rows of a submission, and `submission.csv`.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::Path;

use pipeline_stage::Failure;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// What of a photo's path is its id.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IdFrom {
    /// The file's name without its ending: `12` of `test1/12.jpg`.
    #[default]
    Stem,
    /// The file's name: `12.jpg`.
    Name,
    /// The path below the data root: `test1/12.jpg`.
    Path,
}

impl IdFrom {
    /// The id of a photo at this path, which has `/` between its parts.
    fn of(self, path: &str) -> &str {
        let name = path.rsplit('/').next().unwrap_or(path);
        match self {
            IdFrom::Path => path,
            IdFrom::Name => name,
            // A name that begins with its only dot has no ending.
            IdFrom::Stem => {
                name.rsplit_once('.').map_or(name, |(stem, _)| if stem.is_empty() { name } else { stem })
            }
        }
    }
}

/// Rows in memory: an id and the numbers of its columns.
pub(crate) struct Sheet {
    id_from: IdFrom,
    rows: Vec<Row>,
}

struct Row {
    path: String,
    numbers: Vec<f32>,
}

impl Sheet {
    pub(crate) fn new(id_from: IdFrom) -> Self {
        Sheet { id_from, rows: vec![] }
    }

    /// The row of the photo at `path`.
    pub(crate) fn add(&mut self, path: String, numbers: Vec<f32>) {
        self.rows.push(Row { path, numbers });
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Writes the file: `columns` are its header. Rows ascend by id, as numbers where all are.
    ///
    /// # Errors
    /// Two photos with one id; a disk that does not take it.
    pub(crate) fn write(mut self, to: &Path, columns: &[String]) -> Result<(), Failure> {
        let id_from = self.id_from;
        let id = |row: &Row| id_from.of(&row.path).to_owned();
        let is_number = |row: &Row| id_from.of(&row.path).bytes().all(|byte| byte.is_ascii_digit());
        if self.rows.iter().all(is_number) {
            self.rows.sort_by(|a, b| numbers(id_from.of(&a.path), id_from.of(&b.path)));
        } else {
            self.rows.sort_by(|a, b| id_from.of(&a.path).cmp(id_from.of(&b.path)));
        }
        let mut first_of: BTreeMap<&str, &str> = BTreeMap::new();
        for row in &self.rows {
            if let Some(first) = first_of.insert(id_from.of(&row.path), &row.path) {
                let [first, second] = [first, &row.path].map(str::to_owned);
                return Err(Error::SameId { id: id(row), first, second }.into());
            }
        }
        let mut csv = csv::Writer::from_writer(std::io::BufWriter::new(
            fs_err::File::create(to).map_err(Error::Unwritten)?,
        ));
        let unwritten = |error: csv::Error| Error::Unwritten(error.into());
        csv.write_record(columns).map_err(unwritten)?;
        for row in &self.rows {
            let numbers = row.numbers.iter().map(f32::to_string);
            csv.write_record(std::iter::once(id(row)).chain(numbers)).map_err(unwritten)?;
        }
        csv.flush().map_err(Error::Unwritten)?;
        Ok(())
    }
}

/// Digits by their value: `2` before `10`, of equal values the shorter first.
fn numbers(a: &str, b: &str) -> Ordering {
    let value = |digits: &str| digits.trim_start_matches('0').to_owned();
    let (x, y) = (value(a), value(b));
    x.len().cmp(&y.len()).then_with(|| x.cmp(&y)).then_with(|| a.len().cmp(&b.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(id_from: IdFrom, paths: &[&str]) -> Result<String, Failure> {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("submission.csv");
        let mut sheet = Sheet::new(id_from);
        for (number, path) in paths.iter().enumerate() {
            sheet.add((*path).to_owned(), vec![number as f32 / 4.0]);
        }
        sheet.write(&to, &["id".to_owned(), "label".to_owned()])?;
        Ok(fs_err::read_to_string(&to).unwrap())
    }

    #[test]
    fn ids_that_are_numbers_ascend_as_numbers_and_others_as_text() {
        let text = written(IdFrom::Stem, &["test1/10.jpg", "test1/2.jpg", "test1/1.jpg"]).unwrap();
        assert_eq!(text, "id,label\n1,0.5\n2,0.25\n10,0\n");
        let text = written(IdFrom::Stem, &["t/10.jpg", "t/2.jpg", "t/b.c.jpg", "t/.dot"]).unwrap();
        assert_eq!(text, "id,label\n.dot,0.75\n10,0\n2,0.25\nb.c,0.5\n");
    }

    #[test]
    fn an_id_is_the_stem_the_name_or_the_path_and_is_quoted_where_csv_needs_it() {
        assert_eq!(written(IdFrom::Name, &["t/a,b.jpg"]).unwrap(), "id,label\n\"a,b.jpg\",0\n");
        assert_eq!(
            written(IdFrom::Path, &["t/a.jpg", "u/a.jpg"]).unwrap(),
            "id,label\nt/a.jpg,0\nu/a.jpg,0.25\n"
        );
    }

    #[test]
    fn two_photos_with_one_id_are_an_error_that_names_both() {
        let failure = written(IdFrom::Stem, &["t/a.jpg", "u/b.jpg", "u/a.png"]).unwrap_err();
        assert_eq!(
            failure.to_string(),
            "photos `t/a.jpg` and `u/a.png` have the same id `a` in a submission"
        );
    }
}
