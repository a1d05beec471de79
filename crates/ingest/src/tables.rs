//! The tables of `ingest.html`: files set aside or remarked on, classes, sizes and colours.

use pipeline_report::inspection::{Heading, Part, Table};
use pipeline_report::name;
use pipeline_stage::words;
use pipeline_table::{Split, Verdict};

use crate::findings::{Finding, Findings};
use crate::statistics::Spread;

/// Rows of a table.
const MOST_ROWS: usize = 200;

/// Characters of a name.
const LONGEST_NAME: usize = 120;

/// `none`, `12`.
pub(crate) fn counted(count: u64) -> String {
    if count == 0 { "none".to_owned() } else { words::count(count) }
}

pub(crate) fn set_aside(findings: &Findings) -> Part {
    files(
        "Set aside",
        findings.verdict(Verdict::Bad),
        "Used by no stage. Mend or remove them, or leave them where they are: this list and that in ingest.json are all the quarantine there is.",
        &findings.set_aside,
    )
}

pub(crate) fn remarks(findings: &Findings) -> Part {
    let note = "Used, and something is odd.";
    files("Remarks", findings.verdict(Verdict::Warn), note, &findings.remarks)
}

fn files(title: &str, count: u64, note: &str, list: &[Finding]) -> Part {
    let cells = |finding: &Finding| {
        let hint = finding.hint.unwrap_or_default().to_owned();
        vec![
            name::shortened(&finding.id, LONGEST_NAME),
            name::shortened(&finding.detail, 2 * LONGEST_NAME),
            hint,
        ]
    };
    let rows: Vec<Vec<String>> = list.iter().take(MOST_ROWS).map(cells).collect();
    let more = count - (rows.len() as u64).min(count);
    Part {
        title: title.to_owned(),
        count: counted(count),
        note: if count > 0 { note.to_owned() } else { String::new() },
        table: table(&["file", "what was found", "what can be done"], 3, rows),
        left_out: match more {
            0 => String::new(),
            n => format!(
                "{} more; ingest.json lists them, the first 10,000, and images.parquet all.",
                words::count(n)
            ),
        },
        ..Part::default()
    }
}

/// Usable photos of each class and split.
pub(crate) fn classes(findings: &Findings) -> Part {
    let splits: Vec<Split> = Split::ALL.into_iter().filter(|s| findings.photos.contains_key(s)).collect();
    let of = |split: &Split, class: &str| {
        findings.photos.get(split).and_then(|classes| classes.get(class)).copied().unwrap_or(0)
    };
    let labelled = findings.classes.iter().map(String::as_str);
    let unlabelled =
        ["unlabelled"].into_iter().filter(|class| splits.iter().any(|split| of(split, class) > 0));
    let cells = |class: &str| {
        let counts = splits.iter().map(|split| words::count(of(split, class)));
        [name::shortened(class, LONGEST_NAME)].into_iter().chain(counts).collect()
    };
    let head: Vec<&str> = ["class"].into_iter().chain(splits.iter().map(|split| split.as_str())).collect();
    let notes = findings.balance.as_ref().map(|balance| balance.notes()).unwrap_or_default();
    let more = findings.classes.len().saturating_sub(MOST_ROWS) as u64;
    Part {
        title: "Classes".to_owned(),
        count: words::count(findings.classes.len() as u64),
        is_alarm: !notes.is_empty(),
        note: sentences(&notes),
        table: table(&head, 1, labelled.take(MOST_ROWS).chain(unlabelled).map(cells).collect()),
        left_out: if more > 0 {
            format!("{} more classes; ingest.json has all.", words::count(more))
        } else {
            String::new()
        },
        ..Part::default()
    }
}

pub(crate) fn statistics(findings: &Findings) -> Part {
    let spread = |s: &Spread| format!("{} / {} / {}", s.least, s.median, s.greatest);
    let colour = |[r, g, b]: [f64; 3]| format!("{r:.0} {g:.0} {b:.0}");
    let row = |(split, of): (&Split, &crate::statistics::OfSplit)| {
        vec![
            split.to_string(),
            words::count(of.photos),
            spread(&of.width),
            spread(&of.height),
            words::count((of.mean_bytes / 1e3).round() as u64),
            colour(of.mean_colour),
            colour(of.colour_std),
            words::count(of.grey),
        ]
    };
    let head = ["split", "photos", "width", "height", "mean kB", "mean R G B", "its std", "grey"];
    Part {
        title: "Sizes and colours".to_owned(),
        note: "Width and height: least, median and greatest, in pixels. Colours are 0 to 255; std is that of the photos' means.".to_owned(),
        table: table(&head, 1, findings.statistics.iter().map(row).collect()),
        ..Part::default()
    }
}

/// What was seen of names, folders and links, and is no photo.
pub(crate) fn names(findings: &Findings) -> Part {
    let shortened = |name: &str| name::shortened(name, LONGEST_NAME);
    let row = |what: &str, name: String, count: u64| vec![what.to_owned(), name, words::count(count)];
    let alike = findings.layout.alike.iter().map(|names| {
        let all = names.iter().map(|name| shortened(name)).collect::<Vec<_>>().join(" | ");
        row("classes whose names look alike", all, names.len() as u64)
    });
    let loops =
        findings.loops.iter().map(|id| row("link to a folder above it, not followed", shortened(id), 1));
    let beside =
        findings.beside.iter().map(|id| row("beside the splits, no part of the data", shortened(id), 1));
    let clutter = findings.layout.clutter.iter();
    let clutter = clutter.map(|(name, count)| row("left out by name", shortened(name), *count));
    let mut rows: Vec<Vec<String>> = alike.chain(loops).chain(beside).chain(clutter).collect();
    let count = rows.len() as u64;
    rows.truncate(MOST_ROWS);
    let more = count - rows.len() as u64;
    Part {
        title: "Names, folders and links".to_owned(),
        count: counted(count),
        is_alarm: !findings.layout.alike.is_empty(),
        note: if count > 0 {
            "None of these is a photo of the data, but for classes.".to_owned()
        } else {
            String::new()
        },
        table: table(&["what", "name", "how many"], 2, rows),
        left_out: if more > 0 {
            format!("{} more; ingest.json has them.", words::count(more))
        } else {
            String::new()
        },
        ..Part::default()
    }
}

/// `texts` columns of text, the others of numbers. None without rows.
fn table(head: &[&str], texts: usize, rows: Vec<Vec<String>>) -> Option<Table> {
    let heading = |(at, name): (usize, &&str)| Heading { name: (*name).to_owned(), is_number: at >= texts };
    let head = head.iter().enumerate().map(heading).collect();
    (!rows.is_empty()).then_some(Table { head, rows })
}

/// Notes as sentences.
fn sentences(notes: &[String]) -> String {
    let sentence = |note: &String| {
        let mut chars = note.chars();
        let first: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
        format!("{first}{}.", chars.as_str())
    };
    notes.iter().map(sentence).collect::<Vec<_>>().join(" ")
}
