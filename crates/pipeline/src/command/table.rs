//! [`Table`]: text in columns.

/// Rows of a table, and how its columns are aligned.
pub(super) struct Table {
    /// `l` or `r` for each column.
    align: String,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these column heads; `align` has `l` (left) or `r` (right) for each.
    pub(super) fn new<const N: usize>(align: &'static str, heads: [&str; N]) -> Table {
        Table::with_columns(align.to_owned(), heads.map(str::to_owned).to_vec())
    }

    /// The same for columns that are not known before.
    pub(super) fn with_columns(align: String, heads: Vec<String>) -> Table {
        Table { align, rows: vec![heads] }
    }

    /// Adds a row.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        // A name with a line break in it must not look like two rows.
        self.rows.push(cells.into_iter().map(|cell| cell.replace('\n', " ")).collect());
    }

    /// The table, indented by two, each line without blanks at its end.
    pub(super) fn text(&self) -> String {
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.align.len()).map(width).collect();
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&widths).zip(self.align.chars());
            let cells = cells.map(|((cell, width), align)| match align {
                'r' => format!("{cell:>width$}"),
                _ => format!("{cell:<width$}"),
            });
            format!("  {}", cells.collect::<Vec<_>>().join("   ")).trim_end().to_owned()
        };
        self.rows.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_in_letters() {
        let mut table = Table::new("lrl", ["what", "size", "why"]);
        table.row(["grün".to_owned(), "1 B".to_owned(), "no\nlink".to_owned()]);
        table.row(["x".to_owned(), "1.0 MB".to_owned(), String::new()]);
        assert_eq!(table.text(), "  what     size   why\n  grün      1 B   no link\n  x      1.0 MB");
    }
}
