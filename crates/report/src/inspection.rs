//! [`Inspection`]: what was found in a data set, as one HTML page: no script, nothing from outside.

use std::path::Path;

use minijinja::{Environment, Value, context};

use crate::error::Error;
use crate::page;
use crate::sheet::Row;

/// Its name ends in `.html`, which makes the engine escape every text.
const TEMPLATE: (&str, &str) = ("inspection.html", include_str!("../templates/inspection.html"));

/// What was found in a data set. The page is as large as its pictures: as JPEG, some 5 kB for one of 128 x 96 pixels.
#[derive(Debug, Clone, Default)]
pub struct Inspection {
    /// What was looked at.
    pub title: String,
    /// A sentence or two below the title.
    pub note: String,
    /// From top to bottom; the page begins with a list of them, and of one that has only a title and a count says no more.
    pub parts: Vec<Part>,
}

/// One kind of finding.
#[derive(Debug, Clone, Default)]
pub struct Part {
    /// What was found.
    pub title: String,
    /// How much of it, `12 photos`; empty where that says nothing.
    pub count: String,
    /// Whether a person must do something about it.
    pub is_alarm: bool,
    /// What it means and what can be done.
    pub note: String,
    /// Numbers or names.
    pub table: Option<Table>,
    /// Photos that belong together, side by side.
    pub rows: Vec<Row>,
    /// What is not shown, and where it is; empty where all is.
    pub left_out: String,
}

/// A table of texts.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// Above the columns.
    pub head: Vec<Heading>,
    /// From top to bottom; each as long as the head.
    pub rows: Vec<Vec<String>>,
}

/// What a column of a table is.
#[derive(Debug, Clone)]
pub struct Heading {
    /// Its name.
    pub name: String,
    /// Whether it holds numbers, which are aligned to the right.
    pub is_number: bool,
}

impl Inspection {
    /// The page, which adapts to the width of the window and to dark mode.
    ///
    /// # Errors
    /// [`Error::NoPixels`], [`Error::Encode`] for a picture of more than 65,535 pixels on a side, [`Error::Template`].
    pub fn html(&self) -> Result<String, Error> {
        let parts = self.parts.iter().map(part).collect::<Result<Vec<_>, _>>()?;
        let mut environment = Environment::new();
        environment.add_template(TEMPLATE.0, TEMPLATE.1)?;
        let page = environment.get_template(TEMPLATE.0)?;
        Ok(page.render(context! { title => &self.title, note => &self.note, parts })?)
    }

    /// Writes the page.
    ///
    /// # Errors
    /// Those of [`Inspection::html`], and [`Error::Io`].
    pub fn write_html(&self, path: &Path) -> Result<(), Error> {
        Ok(fs_err::write(path, self.html()?)?)
    }
}

fn part(part: &Part) -> Result<Value, Error> {
    let rows = part.rows.iter().map(page::row).collect::<Result<Vec<_>, _>>()?;
    let table = part.table.as_ref().map(|table| {
        let is_number: Vec<bool> = table.head.iter().map(|heading| heading.is_number).collect();
        let cells = |row: &Vec<String>| -> Vec<Value> {
            let cell = |(text, is_number): (&String, &bool)| context! { text, is_number };
            row.iter().zip(&is_number).map(cell).collect()
        };
        let head: Vec<Value> =
            table.head.iter().map(|h| context! { text => &h.name, is_number => h.is_number }).collect();
        context! { head, rows => table.rows.iter().map(cells).collect::<Vec<_>>() }
    });
    let is_empty = part.note.is_empty() && table.is_none() && rows.is_empty() && part.left_out.is_empty();
    Ok(context! {
        is_empty,
        title => &part.title,
        count => &part.count,
        is_alarm => part.is_alarm,
        note => &part.note,
        table,
        rows,
        left_out => &part.left_out,
    })
}
