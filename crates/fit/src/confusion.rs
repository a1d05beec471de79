//! [`Confusion`], which class is taken for which, as counts, CSV and text for a terminal.
//! Rows are actual classes and columns predicted ones, as in scikit-learn and in the lesson.

use serde::{Deserialize, Serialize};

use pipeline_stage::words;

use crate::{Error, Result};

/// Column headers in text are class names up to this many characters, else class numbers.
const LONGEST_HEADER: usize = 14;
/// Row headers in text are cut in the middle above this many characters.
const LONGEST_NAME: usize = 32;
/// Text shows the whole matrix up to this many classes, else one line per class.
const MOST_COLUMNS: usize = 12;

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

    /// How many rows have this actual class.
    pub fn actual_total(&self, class: usize) -> u64 {
        (0..self.classes.len()).map(|predicted| self.count(class, predicted)).sum()
    }

    /// How many rows were taken for this class.
    pub fn predicted_total(&self, class: usize) -> u64 {
        (0..self.classes.len()).map(|actual| self.count(actual, class)).sum()
    }

    /// How many rows were counted.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The share of rows on the diagonal, 0 to 1; `None` when there are no rows.
    pub fn accuracy(&self) -> Option<f64> {
        let right = (0..self.classes.len()).map(|class| self.count(class, class)).sum();
        share(right, self.total())
    }

    /// The share of rows of this actual class that were recognised; `None` when there are none.
    pub fn recall(&self, class: usize) -> Option<f64> {
        share(self.count(class, class), self.actual_total(class))
    }

    /// The share of rows taken for this class that are of it; `None` when there are none.
    pub fn precision(&self, class: usize) -> Option<f64> {
        share(self.count(class, class), self.predicted_total(class))
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

    /// The matrix as aligned text for a terminal. Long names become numbers in the column headers; with
    /// more than 12 classes each class has one line that names its most frequent mistake.
    pub fn to_text(&self) -> String {
        if self.classes.len() <= MOST_COLUMNS { self.matrix_text() } else { self.list_text() }
    }

    /// Pairs of classes that are confused, the most often first, at most `most`, as aligned text; empty where there are none.
    pub fn pairs_text(&self, most: usize) -> String {
        let classes = self.classes.len();
        let all = (0..classes).flat_map(|actual| (0..classes).map(move |predicted| (actual, predicted)));
        let mut pairs: Vec<(usize, usize)> = all
            .filter(|(actual, predicted)| actual != predicted && self.count(*actual, *predicted) > 0)
            .collect();
        pairs.sort_by_key(|(actual, predicted)| std::cmp::Reverse(self.count(*actual, *predicted)));
        let name = |class: usize| shortened(&printable(&self.classes[class]), LONGEST_NAME);
        let line = |&(actual, predicted): &(usize, usize)| {
            (name(actual), vec![name(predicted), self.count(actual, predicted).to_string()])
        };
        let header = ("actual".to_owned(), vec!["predicted".to_owned(), "photos".to_owned()]);
        let lines: Vec<_> = std::iter::once(header).chain(pairs.iter().take(most).map(line)).collect();
        if pairs.is_empty() { String::new() } else { aligned(&lines) }
    }

    fn matrix_text(&self) -> String {
        let names: Vec<String> = self.classes.iter().map(|name| printable(name)).collect();
        let numbered = names.iter().any(|name| name.chars().count() > LONGEST_HEADER);
        let number = |class: usize| format!("#{class}");

        let mut headers: Vec<String> = (0..names.len())
            .map(|class| if numbered { number(class) } else { names[class].clone() })
            .collect();
        headers.extend(["total".to_owned(), "right".to_owned()]);

        let mut lines = vec![("actual".to_owned(), headers)];
        for (class, row) in self.rows().enumerate() {
            let name = shortened(&names[class], LONGEST_NAME);
            let label = if numbered { format!("{} {name}", number(class)) } else { name };
            let mut cells: Vec<String> = row.iter().map(u64::to_string).collect();
            cells.extend([self.actual_total(class).to_string(), percent(self.recall(class))]);
            lines.push((label, cells));
        }
        let first_column = lines.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0);
        format!("{:first_column$}  predicted\n{}", "", aligned(&lines))
    }

    fn list_text(&self) -> String {
        let headers = ["total", "right", "most often predicted instead"].map(str::to_owned).to_vec();
        let mut lines = vec![("actual".to_owned(), headers)];
        for (class, row) in self.rows().enumerate() {
            let mistakes = row.iter().enumerate().filter(|(other, count)| *other != class && **count > 0);
            // `Reverse`: of equal counts the first class.
            let worst = mistakes.max_by_key(|(other, count)| (**count, std::cmp::Reverse(*other)));
            let worst = worst.map_or_else(String::new, |(other, count)| {
                format!("{} ({count})", shortened(&printable(&self.classes[other]), LONGEST_NAME))
            });
            let label = shortened(&printable(&self.classes[class]), LONGEST_NAME);
            lines.push((
                label,
                vec![self.actual_total(class).to_string(), percent(self.recall(class)), worst],
            ));
        }
        aligned(&lines)
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// `99.6 %`; a dash where there is nothing to measure.
fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{:.1} %", share * 100.0))
}

/// Lines with the label flush left and the cells flush right, columns two spaces apart.
fn aligned(lines: &[(String, Vec<String>)]) -> String {
    let label_width = lines.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0);
    let columns = lines.iter().map(|(_, cells)| cells.len()).max().unwrap_or(0);
    let width = |column: usize| {
        lines.iter().filter_map(|(_, cells)| cells.get(column)).map(|c| c.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for (label, cells) in lines {
        let mut line = format!("{label:label_width$}");
        for (cell, width) in cells.iter().zip(&widths) {
            line.push_str(&format!("  {cell:>width$}"));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The name with control characters escaped, so that no name breaks a line.
fn printable(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for c in name.chars() {
        if c.is_control() { text.extend(c.escape_default()) } else { text.push(c) }
    }
    text
}

/// The name, cut in the middle when it has more than `longest` characters: both ends tell classes apart.
fn shortened(name: &str, longest: usize) -> String {
    let chars: Vec<char> = name.chars().collect();
    if chars.len() <= longest {
        return name.to_owned();
    }
    let tail = (longest - 1) / 2;
    let head = longest - 1 - tail;
    chars[..head].iter().chain(&['…']).chain(&chars[chars.len() - tail..]).collect()
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
    fn pairs_are_listed_by_how_often_they_are_confused_and_of_equals_the_first_class_first() {
        let confusion = matrix(&["ants", "bees", "cats"], &[(0, 0, 9), (2, 1, 1), (1, 0, 3), (0, 2, 1)]);
        let text = "actual  predicted  photos\nbees         ants       3\nants         cats       1\n";
        assert_eq!(confusion.pairs_text(2), text);
        assert_eq!(matrix(&["ants", "bees"], &[(0, 0, 2)]).pairs_text(5), "");
    }

    #[test]
    fn counts_and_shares_are_those_of_scikit_learn() {
        // scikit-learn: y = [0]*5 + [1]*4 + [2]*1, p = [0,0,0,1,2, 1,1,0,1, 2];
        // confusion_matrix(y, p) = [[3,1,1],[1,3,0],[0,0,1]]; recall .6 .75 1, precision .75 .75 .5; accuracy .7.
        let c = matrix(&["a", "b", "c"], &[(0, 0, 3), (0, 1, 1), (0, 2, 1), (1, 1, 3), (1, 0, 1), (2, 2, 1)]);
        assert_eq!(c.rows().collect::<Vec<_>>(), [[3, 1, 1], [1, 3, 0], [0, 0, 1]]);
        assert_eq!([0, 1, 2].map(|i| c.actual_total(i)), [5, 4, 1]);
        assert_eq!([0, 1, 2].map(|i| c.predicted_total(i)), [4, 4, 2]);
        assert_eq!([0, 1, 2].map(|i| c.recall(i)), [Some(0.6), Some(0.75), Some(1.0)]);
        assert_eq!([0, 1, 2].map(|i| c.precision(i)), [Some(0.75), Some(0.75), Some(0.5)]);
        assert_eq!(c.accuracy(), Some(0.7));
        assert_eq!(c.count(0, 3), 0);
    }

    #[test]
    fn nothing_counted_has_no_shares() {
        let empty = matrix(&["a", "b"], &[]);
        assert_eq!((empty.accuracy(), empty.recall(0), empty.precision(1)), (None, None, None));
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

    #[test]
    fn text_is_aligned_under_headers_that_say_actual_and_predicted() {
        let c = matrix(&["cats", "dogs"], &[(0, 0, 996), (0, 1, 4), (1, 0, 8), (1, 1, 92)]);
        let text = "        predicted
actual  cats  dogs  total   right
cats     996     4   1000  99.6 %
dogs       8    92    100  92.0 %
";
        assert_eq!(c.to_text(), text);
    }

    #[test]
    fn long_names_become_numbers_in_the_header_and_are_cut_in_the_row() {
        let long = format!("{}z", "long-haired tabby with white paws ".repeat(3));
        let c = matrix(&["dogs\n", &long], &[(0, 0, 5), (1, 0, 1), (1, 1, 2)]);
        let text = "                                     predicted
actual                               #0  #1  total    right
#0 dogs\\n                             5   0      5  100.0 %
#1 long-haired tabb…th white paws z   1   2      3   66.7 %
";
        assert_eq!(c.to_text(), text);
    }

    #[test]
    fn many_classes_have_a_line_each_with_the_worst_mistake() {
        let names: Vec<String> = (0..13).map(|i| format!("breed {i}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let c = matrix(&names, &[(1, 1, 7), (1, 4, 2), (1, 9, 2), (12, 0, 3)]);
        let text = c.to_text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 14);
        assert_eq!(lines[0], "actual    total   right  most often predicted instead");
        assert_eq!(lines[2], "breed 1      11  63.6 %                   breed 4 (2)");
        assert_eq!(lines[13], "breed 12      3   0.0 %                   breed 0 (3)");
    }
}
