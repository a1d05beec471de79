//! [`Misplaced`]: why a file cannot be used whatever its content.

/// Why a file cannot be used whatever its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Misplaced {
    /// It lies in train or valid, or beside the class folders, but in no class folder.
    NoClass,
    /// Its name is no text.
    NameNotText,
    /// Neither its name nor the table says its class, and it is not in test.
    NoLabel,
    /// The table says different things of it.
    Contradiction,
    /// The table names it, and it is not there.
    Missing,
}

impl Misplaced {
    /// The word in tables.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Misplaced::NoClass => "no_class",
            Misplaced::NameNotText => "name_not_text",
            Misplaced::NoLabel => "no_label",
            Misplaced::Contradiction => "contradiction",
            Misplaced::Missing => "missing",
        }
    }

    /// A few words for counts.
    pub(crate) fn sentence(self) -> &'static str {
        match self {
            Misplaced::NoClass => "in no class folder",
            Misplaced::NameNotText => "with a name that is not UTF-8",
            Misplaced::NoLabel => "without a label",
            Misplaced::Contradiction => "with rows of the table that contradict each other",
            Misplaced::Missing => "named in the table and not there",
        }
    }

    /// What the user can do about it.
    pub(crate) fn way_out(self) -> &'static str {
        match self {
            Misplaced::NoClass => "move it into the folder of its class",
            Misplaced::NameNotText => "rename it",
            Misplaced::NoLabel => {
                "name it so that `label_pattern` finds its label, or write the label into the table"
            }
            Misplaced::Contradiction => "keep one of its rows",
            Misplaced::Missing => {
                "correct the path in the table, or remove the row; hidden files count as not there"
            }
        }
    }
}
