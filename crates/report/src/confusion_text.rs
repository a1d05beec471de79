//! The confusion matrix as text for a terminal.

use pipeline_fit::{Confusion, most_confused};

use crate::name::shortened;
use crate::number::percent;

/// Column headers are class names up to this many characters, else class numbers.
const LONGEST_HEADER: usize = 14;
/// Row headers are cut above this many characters.
const LONGEST_NAME: usize = 32;

/// The matrix as aligned text: a row per actual class, a column per predicted one, how many photos a row has and the share
/// of them that is right. Long names become numbers in the column headers.
pub fn matrix(confusion: &Confusion) -> String {
    let names: Vec<String> = confusion.classes().iter().map(|name| shortened(name, LONGEST_NAME)).collect();
    let numbered = names.iter().any(|name| name.chars().count() > LONGEST_HEADER);
    let number = |class: usize| format!("#{class}");

    let mut headers: Vec<String> =
        (0..names.len()).map(|class| if numbered { number(class) } else { names[class].clone() }).collect();
    headers.extend(["total".to_owned(), "right".to_owned()]);

    let mut lines = vec![("actual".to_owned(), headers)];
    for (class, row) in confusion.rows().enumerate() {
        let label =
            if numbered { format!("{} {}", number(class), names[class]) } else { names[class].clone() };
        let (right, total) = (row[class] as f64, row.iter().sum::<u64>());
        let right =
            if total > 0 { percent(right / total as f64).replace('\u{a0}', " ") } else { "-".to_owned() };
        let mut cells: Vec<String> = row.iter().map(u64::to_string).collect();
        cells.extend([total.to_string(), right]);
        lines.push((label, cells));
    }
    let first_column = lines.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0);
    format!("{:first_column$}  predicted\n{}", "", aligned(&lines))
}

/// Pairs of classes that are confused, the most often first, at most `most`, as aligned text; empty where there are none.
pub fn pairs(confusion: &Confusion, most: usize) -> String {
    let name = |class: usize| shortened(&confusion.classes()[class], LONGEST_NAME);
    let line = |[actual, predicted]: [usize; 2]| {
        (name(actual), vec![name(predicted), confusion.count(actual, predicted).to_string()])
    };
    let pairs = most_confused(confusion.rows());
    if pairs.is_empty() {
        return String::new();
    }
    let header = ("actual".to_owned(), vec!["predicted".to_owned(), "photos".to_owned()]);
    let lines: Vec<_> = std::iter::once(header).chain(pairs.into_iter().take(most).map(line)).collect();
    aligned(&lines)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn confusion(names: &[&str], counts: &[(u32, u32, u32)]) -> Confusion {
        let mut confusion = Confusion::new(names.iter().map(|n| (*n).to_owned()).collect());
        for &(actual, predicted, times) in counts {
            for _ in 0..times {
                confusion.add(actual, predicted).unwrap();
            }
        }
        confusion
    }

    #[test]
    fn text_is_aligned_under_headers_that_say_actual_and_predicted() {
        let counts = [(0, 0, 996), (0, 1, 4), (1, 0, 8), (1, 1, 92)];
        let text = "        predicted
actual  cats  dogs  emus  total   right
cats     996     4     0   1000  99.6 %
dogs       8    92     0    100  92.0 %
emus       0     0     0      0       -
";
        assert_eq!(matrix(&confusion(&["cats", "dogs", "emus"], &counts)), text);
    }

    #[test]
    fn long_names_become_numbers_in_the_header_and_are_cut_in_the_row() {
        let long = format!("{}z", "long-haired tabby with white paws ".repeat(3));
        let text = "                                     predicted
actual                               #0  #1  total    right
#0 dogs\\n                             5   0      5  100.0 %
#1 long-haired tabb…th white paws z   1   2      3   66.7 %
";
        assert_eq!(matrix(&confusion(&["dogs\n", &long], &[(0, 0, 5), (1, 0, 1), (1, 1, 2)])), text);
    }

    #[test]
    fn pairs_are_listed_by_how_often_they_are_confused() {
        let confused = confusion(&["ants", "bees", "cats"], &[(0, 0, 9), (2, 1, 1), (1, 0, 3), (0, 2, 1)]);
        let text = "actual  predicted  photos\nbees         ants       3\nants         cats       1\n";
        assert_eq!(pairs(&confused, 2), text);
        assert_eq!(pairs(&confusion(&["ants", "bees"], &[(0, 0, 2)]), 5), "");
    }
}
