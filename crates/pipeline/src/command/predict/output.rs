//! [`Output`]: where answers go as they come, a batch at a time.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use pipeline_stage::{Draft, Failure};
use pipeline_table::{AnswerRow, AnswersWriter};

use super::form::{Form, Format};
use crate::terminal::Screen;

/// Standard output, or a file that appears when it is whole.
pub(super) enum Output<'a> {
    /// Lines for whoever reads them.
    Screen { screen: &'a Screen, form: Form<'a> },
    /// Lines in a file.
    Lines { file: BufWriter<fs_err::File>, draft: Draft, form: Form<'a> },
    /// A table in a file.
    Table { writer: Box<AnswersWriter>, draft: Draft },
}

impl<'a> Output<'a> {
    /// Begins; `out` is the file, where it is one. Parquet is always a file.
    ///
    /// # Errors
    /// A file that cannot be made.
    pub(super) fn begin(form: Form<'a>, out: Option<&Path>, screen: &'a Screen) -> Result<Self, Failure> {
        if let Some(around) = out.and_then(Path::parent) {
            fs_err::create_dir_all(around).map_err(lost)?;
        }
        let draft = out.map(Draft::beside).transpose().map_err(lost)?;
        let mut output = match draft {
            None => Output::Screen { screen, form },
            Some(draft) if form.format == Format::Parquet => {
                let writer = Box::new(AnswersWriter::create(draft.path(), form.classes)?);
                return Ok(Output::Table { writer, draft });
            }
            Some(draft) => {
                let file = BufWriter::new(fs_err::File::create(draft.path()).map_err(lost)?);
                Output::Lines { file, draft, form }
            }
        };
        let header = match &output {
            Output::Screen { form, .. } | Output::Lines { form, .. } => form.header(),
            Output::Table { .. } => None,
        };
        output.lines(header.into_iter().collect())?;
        Ok(output)
    }

    /// Appends answers.
    ///
    /// # Errors
    /// A full disk.
    pub(super) fn write(&mut self, rows: &[AnswerRow]) -> Result<(), Failure> {
        let lines = match self {
            Output::Table { writer, .. } => {
                return rows.iter().try_for_each(|row| Ok(writer.write(row)?));
            }
            Output::Screen { form, .. } | Output::Lines { form, .. } => {
                rows.iter().map(|row| form.line(row)).collect()
            }
        };
        self.lines(lines)
    }

    fn lines(&mut self, lines: Vec<String>) -> Result<(), Failure> {
        if lines.is_empty() {
            return Ok(());
        }
        match self {
            // A terminal is protected from what names may hold, and what reads a pipe is given them as they are.
            Output::Screen { screen, .. } if screen.size().is_some() => screen.line(&lines.join("\n")),
            Output::Screen { screen, .. } => screen.raw(&lines.join("\n")),
            Output::Lines { file, .. } => {
                return lines.iter().try_for_each(|line| writeln!(file, "{line}")).map_err(lost);
            }
            Output::Table { .. } => {}
        }
        Ok(())
    }

    /// Whether nobody takes any more answers.
    pub(super) fn is_closed(&self) -> bool {
        matches!(self, Output::Screen { screen, .. } if screen.is_closed())
    }

    /// Makes the answers so far outlive this command.
    ///
    /// # Errors
    /// A full disk.
    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        match self {
            Output::Lines { file, .. } => file.flush().map_err(lost),
            // Rows of a table are gathered before they are written.
            Output::Screen { .. } | Output::Table { .. } => Ok(()),
        }
    }

    /// Ends: the file, where it is one that can be read, and whether it holds all that was written.
    pub(super) fn end(self) -> (Option<Draft>, Result<(), Failure>) {
        match self {
            Output::Screen { .. } => (None, Ok(())),
            Output::Table { writer, draft } => match writer.finish() {
                Ok(_) => (Some(draft), Ok(())),
                // A table without its end cannot be read.
                Err(error) => (None, Err(error.into())),
            },
            Output::Lines { mut file, draft, .. } => (Some(draft), file.flush().map_err(lost)),
        }
    }
}

/// What the file system says, which names the path.
pub(super) fn lost(error: io::Error) -> Failure {
    let is_full = pipeline_stage::failure::is_disk_full(&error);
    Failure::new(
        error.to_string(),
        is_full.then(|| "free some space there, or name another file with --out".to_owned()),
    )
}
