//! [`OnLeak`]: what is done with photos of train that are in another split too.

use std::collections::BTreeMap;
use std::path::Path;

use pipeline_stage::{Cancel, Failure};
use pipeline_table::{ImageRow, ImagesReader, ImagesWriter, Split, Verdict};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duplicates::{Duplicates, Leak};
use crate::error::Error;
use crate::findings::Findings;
use crate::look::Looked;
use crate::repeated::Names;
use crate::statistics::Statistics;

/// The reason in the table of a photo that was dropped.
pub(crate) const LEAK: &str = "leak";

/// Rows between two looks at whether to stop.
const CHUNK: usize = 8192;

/// What to do with photos of train that are in valid or test too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnLeak {
    /// Say so and use them.
    #[default]
    Warn,
    /// Set those of train aside.
    DropFromTrain,
    /// Stop.
    Fail,
}

/// With `on_leak: fail`, the error of a leak, if there is one: in train, or of valid in test.
pub(crate) fn refuse(found: &Duplicates, names: &Names<'_>) -> Result<(), Error> {
    let Some(first) = found.leaks.first() else { return Ok(()) };
    let leak = names.leak(first);
    Err(Error::Leak {
        id: leak.photo.id,
        twin: leak.twin.id,
        split: leak.twin.split,
        is_identical: leak.bits.is_none(),
        others: found.leaks.len() - 1,
    })
}

/// Sets the leaks of train aside, in the table at `path` and in the findings: later stages leave out what is `bad`.
pub(crate) fn drop_from_train(
    path: &Path,
    found: &Duplicates,
    names: &Names<'_>,
    findings: &mut Findings,
    cancel: &Cancel,
) -> Result<(), Failure> {
    let seen = |leak: &&Leak| names.seen[leak.photo as usize];
    let of_train = found.leaks.iter().filter(|leak| seen(leak).split == Split::Train);
    let by_row: BTreeMap<u32, &Leak> = of_train.map(|leak| (seen(&leak).row, leak)).collect();
    if by_row.is_empty() {
        return Ok(());
    }
    let all = path.with_extension("all");
    fs_err::rename(path, &all).map_err(Error::Io)?;
    let mut writer = ImagesWriter::create(path)?;
    // Sizes and colours are those of the photos that stay.
    findings.odd = Statistics::default();
    for (at, row) in ImagesReader::open(&all)?.enumerate() {
        if at % CHUNK == 0 {
            cancel.check()?;
        }
        let mut row = row?;
        if let Some(leak) = by_row.get(&(at as u32)) {
            let now = set_aside(&row, leak, names);
            findings.set_aside(&row, &now);
            row = now.row;
        }
        if row.verdict != Verdict::Bad {
            findings.odd.add(&row);
        }
        writer.write(&row)?;
    }
    writer.finish()?;
    fs_err::remove_file(&all).map_err(Error::Io)?;
    Ok(())
}

fn set_aside(row: &ImageRow, leak: &Leak, names: &Names<'_>) -> Looked {
    let twin = names.of(leak.twin);
    let is = if leak.bits.is_none() { "is identical to" } else { "looks the same as" };
    Looked {
        row: ImageRow { verdict: Verdict::Bad, reason: Some(LEAK.to_owned()), ..row.clone() },
        digest: names.seen[leak.photo as usize].digest,
        detail: format!("it {is} {}", twin.id),
        sentence: "of train in valid or test too",
        way_out: Some("leave it out, or out of the other split"),
        transparent: names.seen[leak.photo as usize].transparent,
        was_read: false,
    }
}

#[cfg(test)]
mod tests {
    use pipeline_photo::Reason;

    use super::*;

    #[test]
    fn the_reason_is_no_reason_of_a_decoder() {
        assert!(Reason::ALL.iter().all(|reason| reason.as_str() != LEAK));
    }
}
