//! [`Confusion`], which class is taken for which, as counts and CSV; [`most_confused`]. As text and as pictures: `report`.
//! Rows are actual classes and columns predicted ones, as in scikit-learn and in the lesson.

use serde::{Deserialize, Serialize};

use pipeline_stage::words;

use crate::{Error, Result};

/// A confusion matrix: how often each actual class was taken for each class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confusion {
    classes: Vec<String>,
    /// `[actual, predicted]`, row-major.
    counts: Vec<u64>,
}

impl Confusion {
    /// A matrix of zeros for these class names.
    pub fn new(classes: Vec<String>) -> Self {
        let counts = vec![0; classes.len() * classes.len()];
        Confusion { classes, counts }
    }

    /// Counts one row.
    ///
    /// # Errors
    /// A class that does not exist.
    pub fn add(&mut self, actual: u32, predicted: u32) -> Result<()> {
        let classes = self.classes.len();
        for found in [actual, predicted] {
            if found as usize >= classes {
                return Err(Error::Class { measure: "the confusion matrix", found, classes });
            }
        }
        self.counts[actual as usize * classes + predicted as usize] += 1;
        Ok(())
    }

    /// The class names, by class number.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// How often `actual` was taken for `predicted`. 0 for classes that do not exist.
    pub fn count(&self, actual: usize, predicted: usize) -> u64 {
        if predicted >= self.classes.len() {
            return 0;
        }
        self.counts.get(actual * self.classes.len() + predicted).copied().unwrap_or(0)
    }

    /// The counts as `[actual][predicted]`.
    pub fn rows(&self) -> impl Iterator<Item = &[u64]> {
        // `chunks_exact` refuses 0; without classes there are no counts either.
        self.counts.chunks_exact(self.classes.len().max(1))
    }

    /// How many rows were counted.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// How many rows were taken for another class.
    pub fn errors(&self) -> u64 {
        let right: u64 = (0..self.classes.len()).map(|class| self.count(class, class)).sum();
        self.total() - right
    }

    /// The matrix as CSV (RFC 4180, lines end in `\n`): one row per actual class, one column per predicted
    /// class, names as headers. Opens with `pandas.read_csv(path, index_col=0)`.
    pub fn to_csv(&self) -> String {
        let header: Vec<String> = self.classes.iter().map(|name| words::csv_field(name)).collect();
        let mut csv = format!("actual \\ predicted,{}\n", header.join(","));
        for (name, row) in header.iter().zip(self.rows()) {
            let counts: Vec<String> = row.iter().map(u64::to_string).collect();
            csv.push_str(&format!("{name},{}\n", counts.join(",")));
        }
        csv
    }
}

/// Pairs of an actual and a predicted class that are not the same and have counts in `rows`, `[actual][predicted]`: the
/// most often confused first, of equals the first actual class, then the first predicted one.
pub fn most_confused<'a>(rows: impl IntoIterator<Item = &'a [u64]>) -> Vec<[usize; 2]> {
    let cells = rows.into_iter().enumerate().flat_map(|(actual, row)| {
        row.iter().enumerate().map(move |(predicted, count)| ([actual, predicted], *count))
    });
    let mut pairs: Vec<_> =
        cells.filter(|([actual, predicted], count)| actual != predicted && *count > 0).collect();
    pairs.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    pairs.into_iter().map(|(pair, _)| pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(names: &[&str], counts: &[(u32, u32, u32)]) -> Confusion {
        let mut confusion = Confusion::new(names.iter().map(|n| (*n).to_owned()).collect());
        for &(actual, predicted, times) in counts {
            for _ in 0..times {
                confusion.add(actual, predicted).unwrap();
            }
        }
        confusion
    }

    #[test]
    fn pairs_are_in_order_of_how_often_they_are_confused_and_of_equals_the_first_class_first() {
        let confusion = matrix(&["ants", "bees", "cats"], &[(0, 0, 9), (2, 1, 1), (1, 0, 3), (0, 2, 1)]);
        assert_eq!(most_confused(confusion.rows()), [[1, 0], [0, 2], [2, 1]]);
        assert_eq!(most_confused(matrix(&["ants", "bees"], &[(0, 0, 2)]).rows()), [[0; 2]; 0]);
    }

    #[test]
    fn counts_are_those_of_scikit_learn() {
        // scikit-learn: y = [0]*5 + [1]*4 + [2]*1, p = [0,0,0,1,2, 1,1,0,1, 2];
        // confusion_matrix(y, p) = [[3,1,1],[1,3,0],[0,0,1]]; accuracy .7 of 10.
        let c = matrix(&["a", "b", "c"], &[(0, 0, 3), (0, 1, 1), (0, 2, 1), (1, 1, 3), (1, 0, 1), (2, 2, 1)]);
        assert_eq!(c.rows().collect::<Vec<_>>(), [[3, 1, 1], [1, 3, 0], [0, 0, 1]]);
        assert_eq!((c.total(), c.errors(), c.count(0, 1), c.count(0, 3)), (10, 3, 1, 0));
        assert_eq!(Confusion::new(vec![]).to_csv(), "actual \\ predicted,\n");
    }

    #[test]
    fn a_class_that_does_not_exist_is_refused() {
        let mut c = matrix(&["a", "b"], &[]);
        assert_eq!(c.add(0, 2), Err(Error::Class { measure: "the confusion matrix", found: 2, classes: 2 }));
    }

    #[test]
    fn csv_has_actual_rows_predicted_columns_and_quotes() {
        let c = matrix(&["cats", "dogs, \"big\""], &[(0, 0, 5), (0, 1, 2), (1, 1, 7)]);
        let csv = "actual \\ predicted,cats,\"dogs, \"\"big\"\"\"\ncats,5,2\n\"dogs, \"\"big\"\"\",0,7\n";
        assert_eq!(c.to_csv(), csv);
    }
}
