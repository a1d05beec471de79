//! The confusion matrix as a table whose cells open the photos behind them, and the pairs that are most confused.

use minijinja::{Value, context};

use pipeline_fit::most_confused;

use super::Evaluation;
use super::number::{count, percent};
use crate::confusion;

/// More classes than this are too many for a table; those with the most errors stay.
const MAX_CLASSES: usize = 200;
/// From so many classes on, the pairs tell more than the table and come first.
const MANY_CLASSES: usize = 13;
/// Pairs that are named.
const MAX_PAIRS: usize = 12;

impl Evaluation {
    /// The table; `None` where no photo has a label.
    pub(super) fn matrix(&self) -> Option<Value> {
        let classes = self.classes.len();
        let photos: u64 = (0..classes).map(|row| self.row(row).iter().sum::<u64>()).sum();
        if photos == 0 {
            return None;
        }
        let shown = self.shown();
        let rows = shown.iter().map(|row| {
            let total: u64 = self.row(*row).iter().sum();
            let cells = shown.iter().map(|column| cell(*row, *column, self.taken(*row, *column), total));
            let cells: Vec<Value> = cells.collect();
            context! { name => self.class(*row as u32), total => count(total), cells }
        });
        Some(context! {
            rows => rows.collect::<Vec<_>>(),
            columns => shown.iter().map(|column| self.class(*column as u32)).collect::<Vec<_>>(),
            pairs => self.pairs(),
            is_large => classes >= MANY_CLASSES,
            left_out => (shown.len() < classes).then(|| {
                format!("The {} classes with the most errors, of {}.", count(shown.len() as u64), count(classes as u64))
            }),
        })
    }

    /// Photos of a class by predicted class.
    fn row(&self, row: usize) -> &[u64] {
        self.confusion.get(row).map_or(&[], Vec::as_slice)
    }

    fn taken(&self, row: usize, column: usize) -> u64 {
        self.row(row).get(column).copied().unwrap_or(0)
    }

    /// The classes that the table has, in order of their numbers.
    fn shown(&self) -> Vec<usize> {
        let classes = self.classes.len();
        if classes <= MAX_CLASSES {
            return (0..classes).collect();
        }
        let mut errors = vec![0; classes];
        for [row, column] in most_confused(self.confusion.iter().map(Vec::as_slice)) {
            errors[row] += self.taken(row, column);
            errors[column] += self.taken(row, column);
        }
        let mut order: Vec<usize> = (0..classes).collect();
        order.sort_by_key(|class| std::cmp::Reverse(errors[*class]));
        order.truncate(MAX_CLASSES);
        order.sort_unstable();
        order
    }

    /// The pairs that are most confused, the most first.
    fn pairs(&self) -> Vec<Value> {
        let pairs = most_confused(self.confusion.iter().map(Vec::as_slice));
        let pair = |[row, column]: [usize; 2]| {
            let (number, total) = (self.taken(row, column), self.row(row).iter().sum::<u64>());
            context! {
                row, column,
                label => self.class(row as u32),
                predicted => self.class(column as u32),
                count => count(number),
                total => count(total),
                share => percent(number as f64 / total as f64),
            }
        };
        pairs.into_iter().take(MAX_PAIRS).map(pair).collect()
    }
}

/// A cell that has photos; others are none, and the table stays small.
fn cell(row: usize, column: usize, number: u64, total: u64) -> Value {
    if number == 0 {
        return Value::from(());
    }
    let share = number as f64 / total as f64;
    let shade = confusion::shade(share, row == column);
    context! {
        row, column,
        is_right => row == column,
        is_deep => shade > 0.6,
        shade => format!("{shade:.2}"),
        count => count(number),
        share => percent(share),
    }
}
