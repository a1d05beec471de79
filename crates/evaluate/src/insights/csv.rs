//! [`Csv`]: tables for spreadsheets (RFC 4180, lines end in `\n`), as the confusion matrices are written.

use std::path::Path;

use pipeline_stage::words;

use crate::error::Error;

/// A table as text.
#[derive(Debug)]
pub(crate) struct Csv {
    text: String,
}

impl Csv {
    pub(crate) fn new(header: &[&str]) -> Self {
        let mut csv = Csv { text: String::new() };
        csv.row(header);
        csv
    }

    pub(crate) fn row(&mut self, fields: &[&str]) {
        let fields: Vec<String> = fields.iter().map(|text| words::csv_field(text)).collect();
        self.text.push_str(&fields.join(","));
        self.text.push('\n');
    }

    pub(crate) fn write(&self, path: &Path) -> Result<(), Error> {
        fs_err::write(path, &self.text).map_err(Error::Io)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_would_break_the_table_are_quoted() {
        let mut csv = Csv::new(&["id", "label"]);
        csv.row(&["a,b.jpg", "7\" \"nice\""]);
        csv.row(&["c\nd.jpg", ""]);
        csv.row(&["-0.25", "=1+1"]);
        assert_eq!(csv.text, "id,label\n\"a,b.jpg\",\"7\"\" \"\"nice\"\"\"\n\"c\nd.jpg\",\n-0.25,'=1+1\n");
    }
}
