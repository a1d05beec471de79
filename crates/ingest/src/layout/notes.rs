//! [`Notes`]: what was seen of names, folders and tables that is no file of the data.

use std::collections::BTreeMap;

use pipeline_report::name;
use pipeline_stage::words;
use serde::Serialize;

/// Names that a list shows.
pub(super) const MOST_LISTED: usize = 100;

/// Part of `ingest.json`. What there is nothing of is not written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Notes {
    /// Files and folders of file managers and hidden ones that were left out, by name; hidden ones under `hidden`. They
    /// are no part of the key: this counts what lay there when the artifact was made.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) clutter: BTreeMap<String, u64>,
    /// Class names that are the same but for case or the composition of characters, together.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) alike: Vec<Vec<String>>,
    /// The table of labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) table: Option<TableNotes>,
}

/// What was seen of a table of labels.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct TableNotes {
    /// Its path relative to the data root.
    pub(super) file: String,
    /// Its rows.
    pub(super) rows: u64,
    /// Rows that say of a file what another row said before.
    pub(super) repeated: u64,
    /// Rows without a path.
    pub(super) without_path: u64,
    /// Files that it does not name.
    pub(super) unlisted: u64,
    /// The first of them.
    pub(super) first_unlisted: Vec<String>,
    /// Groups with photos in more than one split, where the table says both.
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) groups_across_splits: u64,
    /// The first of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) first_groups: Vec<String>,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Notes {
    /// The same in words, one line for each thing worth knowing.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for names in &self.alike {
            // As the screen shows them, two forms of one letter are equal; their characters are not.
            let names: Vec<String> =
                names.iter().map(|name| format!("`{name}` ({})", length(name))).collect();
            lines.push(format!(
                "classes whose names differ only in case or in the composition of characters: {}",
                names.join(", ")
            ));
        }
        if let Some(table) = &self.table {
            let file = &table.file;
            let counts = [(table.repeated, "repeat another row"), (table.without_path, "have no path")];
            for (count, what) in counts.into_iter().filter(|(count, _)| *count > 0) {
                lines.push(format!("rows of {file} that {what}: {}", words::count(count)));
            }
            if table.unlisted > 0 {
                lines.push(format!(
                    "not part of the data, since {file} does not name them: {} ({})",
                    words::count(table.unlisted),
                    first_of(&table.first_unlisted)
                ));
            }
            if table.groups_across_splits > 0 {
                lines.push(format!(
                    "LEAK: groups of {file} with photos in more than one split: {} ({}); what is measured on them flatters the model",
                    words::count(table.groups_across_splits),
                    first_of(&table.first_groups)
                ));
            }
        }
        lines
    }
}

/// The first five names of a list that may be longer than what it holds: how many there are stands before them.
fn first_of(names: &[String]) -> String {
    let more = if names.len() > 5 { ", …" } else { "" };
    format!("{}{more}", name::listed(names.iter().take(5).map(String::as_str), 5))
}

/// How many characters a name has.
fn length(name: &str) -> String {
    format!("{} characters", name.chars().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_to_note_is_neither_written_nor_said() {
        let notes = Notes::default();
        assert_eq!(serde_json::to_string(&notes).unwrap(), "{}");
        assert!(notes.lines().is_empty());
    }

    #[test]
    fn what_is_worth_knowing_is_a_line_each() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let notes = Notes {
            clutter: [("Thumbs.db".to_owned(), 3)].into(),
            alike: vec![names(&["Cats", "cats"])],
            table: Some(TableNotes {
                file: "labels.csv".to_owned(),
                rows: 12,
                repeated: 2,
                without_path: 0,
                unlisted: 1200,
                first_unlisted: names(&["a", "b", "c", "d", "e", "f"]),
                groups_across_splits: 1,
                first_groups: names(&["rex"]),
            }),
        };
        assert_eq!(
            notes.lines(),
            [
                "classes whose names differ only in case or in the composition of characters: `Cats` (4 characters), `cats` (4 characters)",
                "rows of labels.csv that repeat another row: 2",
                "not part of the data, since labels.csv does not name them: 1,200 (`a`, `b`, `c`, `d`, `e`, …)",
                "LEAK: groups of labels.csv with photos in more than one split: 1 (`rex`); what is measured on them flatters the model",
            ]
        );
    }
}
