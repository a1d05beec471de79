//! An explanation in words: a sentence, then a line for each part of the key.
//!
//! ```text
//! head is stale because its parameter lr changed
//!   kind version     1
//!   lr               0.01 → 0.003   ← stale
//!   epochs           2
//!   input features   3f0c12ab…      (features.parquet of precompute, unchanged)
//! ```

use pipeline_runner::{Explanation, Part, PartKind, Standing};
use serde_json::Value;

use super::words;

/// Files of one artifact that are shown.
const MOST_FILES: usize = 10;

/// Letters of a value that are shown.
const MOST_LETTERS: usize = 60;

/// The lines, without a last line break.
pub(crate) fn text(told: &Explanation) -> String {
    let mut lines = vec![told.headline.clone()];
    lines.extend(told.upstream.iter().map(|sentence| format!("  {sentence}")));
    if let Some(old) = told.against.as_ref().filter(|old| old.is_chosen) {
        let of = old.run.as_ref().map(|run| format!(", of run {run}")).unwrap_or_default();
        lines.push(format!("compared with {}, made {}{of}", old.key.short(), old.made));
    }
    let mark = match (told.state, told.against.as_ref().is_some_and(|old| old.is_chosen)) {
        (_, true) => "← first difference",
        ("stale", _) => "← stale",
        _ => "← changed",
    };
    let rows = rows(&told.parts, mark);
    let label = width(&rows, |row| Some(&row.label));
    let value = width(&rows, |row| (!row.note.is_empty()).then_some(&row.value));
    let line = |row: &Row| format!("  {:<label$}   {:<value$}   {}", row.label, row.value, row.note);
    lines.extend(rows.iter().map(|row| line(row).trim_end().to_owned()));
    lines.join("\n")
}

/// The most letters in a column, of the rows that count.
fn width(rows: &[Row], column: impl Fn(&Row) -> Option<&String>) -> usize {
    rows.iter().filter_map(|row| Some(column(row)?.chars().count())).max().unwrap_or(0)
}

struct Row {
    label: String,
    value: String,
    note: String,
}

fn rows(parts: &[Part], mark: &str) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut last = String::new();
    let is_of_one = |a: &Part, b: &Part| a.file.is_some() && (&a.name, &a.stage) == (&b.name, &b.stage);
    for parts in parts.chunk_by(is_of_one) {
        // What changed is never left out for what did not.
        let changed = parts.iter().filter(|part| part.standing == Standing::Changed);
        let others = parts.iter().filter(|part| part.standing != Standing::Changed);
        let in_order: Vec<&Part> = changed.chain(others).collect();
        let (shown, more) = in_order.split_at(in_order.len().min(MOST_FILES));
        for part in shown {
            let full = label(part);
            let label = if full == last { String::new() } else { full.clone() };
            last = full;
            let note = [note(part), if part.first { mark.to_owned() } else { String::new() }];
            let note = note.iter().filter(|text| !text.is_empty()).cloned().collect::<Vec<_>>().join("  ");
            rows.push(Row { label, value: value(part), note });
            let named = part.tree.iter().flat_map(|tree| &tree.some).map(ToString::to_string);
            let left_out = part.tree.as_ref().map_or(0, |tree| tree.count() - tree.some.len() as u64);
            let more = (left_out > 0).then(|| format!("and {} more files", words::count(left_out)));
            let below =
                |value| Row { label: String::new(), value: format!("  {value}"), note: String::new() };
            rows.extend(named.chain(more).map(below));
        }
        if !more.is_empty() {
            let changed = more.iter().filter(|part| part.standing == Standing::Changed).count() as u64;
            let what = match changed {
                0 => String::new(),
                n => format!(", {} of them changed", words::count(n)),
            };
            let value = format!("and {} more files{what}", words::count(more.len() as u64));
            rows.push(Row { label: String::new(), value, note: String::new() });
        }
    }
    rows
}

fn label(part: &Part) -> String {
    let name = part.name.as_deref().unwrap_or_default();
    match part.part {
        PartKind::Version => "kind version".to_owned(),
        PartKind::Parameter => name.to_owned(),
        PartKind::Seed => "seed".to_owned(),
        PartKind::Source => format!("source {name}"),
        PartKind::Input => format!("input {name}"),
    }
}

fn value(part: &Part) -> String {
    let is_digest = part.part == PartKind::Source || part.file.is_some();
    let show = |value: Option<&Value>| match value {
        None => "not set".to_owned(),
        Some(Value::String(digest)) if is_digest => digest.chars().take(8).chain(['…']).collect(),
        Some(value) => shortened(&value.to_string()),
    };
    match part.standing {
        Standing::Open => "not known yet".to_owned(),
        Standing::Unchanged | Standing::Uncompared => show(part.new.as_ref()),
        Standing::Changed => {
            let (path, old, new) = innermost(part.old.as_ref(), part.new.as_ref());
            let path = if path.is_empty() { path } else { format!("{path}: ") };
            format!("{path}{} → {}", show(old), show(new))
        }
    }
}

/// The text, cut where it is long.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(MOST_LETTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The first place in two values where they differ, as a path, and what is there: in long lists and maps that says
/// more than the whole.
fn innermost<'a>(
    old: Option<&'a Value>,
    new: Option<&'a Value>,
) -> (String, Option<&'a Value>, Option<&'a Value>) {
    let differing: Option<(String, Option<&Value>, Option<&Value>)> = match (old, new) {
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let name = old.keys().chain(new.keys()).find(|name| old.get(*name) != new.get(*name));
            name.map(|name| (format!(".{name}"), old.get(name), new.get(name)))
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) if old.len() == new.len() => {
            let place = (0..old.len()).find(|place| old[*place] != new[*place]);
            place.map(|place| (format!("[{place}]"), old.get(place), new.get(place)))
        }
        _ => None,
    };
    let Some((path, old, new)) = differing else { return (String::new(), old, new) };
    let (deeper, old, new) = innermost(old, new);
    (path + &deeper, old, new)
}

fn note(part: &Part) -> String {
    let stage = part.stage.as_deref().unwrap_or_default();
    match (part.part, &part.file, part.standing) {
        (PartKind::Input, None, Standing::Open) => format!("({stage} must run first)"),
        (_, _, Standing::Open) => "(it is not ready)".to_owned(),
        (_, Some(file), Standing::Unchanged) => format!("({file} of {stage}, unchanged)"),
        (_, Some(file), _) => format!("({file} of {stage})"),
        (PartKind::Source, _, Standing::Changed) => match &part.tree {
            Some(tree) if tree.count() > 1 => format!("({tree})"),
            Some(_) => String::new(),
            None => "(its content differs)".to_owned(),
        },
        (PartKind::Source, _, Standing::Unchanged) => "(unchanged)".to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use pipeline_runner::explain::Old;
    use pipeline_runner::tree_change::{FileChange, TreeChange};
    use pipeline_stage::Digest;
    use serde_json::json;

    use super::*;

    fn part(part: PartKind, name: Option<&str>, old: Value, new: Value) -> Part {
        let standing = if old == new { Standing::Unchanged } else { Standing::Changed };
        let known = |value: Value| (!value.is_null()).then_some(value);
        let (old, new) = (known(old), known(new));
        Part {
            part,
            name: name.map(str::to_owned),
            stage: None,
            file: None,
            old,
            new,
            standing,
            tree: None,
            first: false,
        }
    }

    fn file(name: &str, old: &str, new: &str) -> Part {
        let digest = |text: &str| json!(Digest::of(text.as_bytes()));
        let part = part(PartKind::Input, Some("features"), digest(old), digest(new));
        Part { stage: Some("precompute".to_owned()), file: Some(name.to_owned()), ..part }
    }

    fn told(parts: Vec<Part>) -> Explanation {
        Explanation {
            format: 1,
            stage: "head".to_owned(),
            kind: "head",
            state: "stale",
            headline: "head is stale because its parameter lr changed".to_owned(),
            upstream: vec![],
            key: None,
            against: None,
            parts,
        }
    }

    #[test]
    fn a_line_for_each_part_says_before_and_now_and_which_made_the_stage_stale() {
        let mut lr = part(PartKind::Parameter, Some("lr"), json!(0.01), json!(0.003));
        lr.first = true;
        let open = Part {
            stage: Some("backbone".to_owned()),
            standing: Standing::Open,
            ..part(PartKind::Input, Some("backbone"), json!(null), json!(null))
        };
        let told = told(vec![
            part(PartKind::Version, None, json!(1), json!(1)),
            lr,
            part(PartKind::Parameter, Some("size"), json!(null), json!(160)),
            part(PartKind::Source, Some("photos"), json!("a".repeat(64)), json!("b".repeat(64))),
            open,
            file("0.parquet", "a", "a"),
        ]);
        // BLAKE3 of "a": 17762fddd969a453…
        assert_eq!(
            text(&told),
            "head is stale because its parameter lr changed
  kind version     1
  lr               0.01 → 0.003            ← stale
  size             not set → 160
  source photos    aaaaaaaa… → bbbbbbbb…   (its content differs)
  input backbone   not known yet           (backbone must run first)
  input features   17762fdd…               (0.parquet of precompute, unchanged)"
        );
    }

    #[test]
    fn what_became_of_the_files_of_a_folder_stands_below_it() {
        let change = |path: &str, old, new| FileChange {
            path: path.to_owned(),
            old_size_bytes: old,
            new_size_bytes: new,
            old_odd: None,
            new_odd: None,
        };
        let mut photos = part(PartKind::Source, Some("photos"), json!("a".repeat(64)), json!("b".repeat(64)));
        photos.first = true;
        let mut tree = TreeChange { changed: 1, ..TreeChange::default() };
        tree.some = vec![change("train/cats/cat.12.jpg", Some(3), Some(3))];
        photos.tree = Some(tree.clone());
        let one = told(vec![part(PartKind::Version, None, json!(1), json!(1)), photos.clone()]);
        assert_eq!(
            text(&one).split_once('\n').unwrap().1,
            "  kind version    1
  source photos   aaaaaaaa… → bbbbbbbb…   ← stale
                    train/cats/cat.12.jpg: other bytes, same size"
        );
        tree.added = 1_200;
        tree.some.push(change("train/cats/cat.2.jpg", None, Some(3)));
        photos.tree = Some(tree);
        assert_eq!(
            text(&told(vec![photos])).split_once('\n').unwrap().1,
            "  source photos   aaaaaaaa… → bbbbbbbb…   (1 file changed, 1,200 added)  ← stale
                    train/cats/cat.12.jpg: other bytes, same size
                    train/cats/cat.2.jpg: added
                    and 1,199 more files"
        );
    }

    #[test]
    fn an_older_artifact_is_named_and_so_are_sentences_about_stages_upstream() {
        let mut seed = part(PartKind::Seed, None, json!(1), json!(2));
        seed.first = true;
        let key = Digest::from_bytes([0xab; 32]);
        let old =
            Old { key, made: "2026-11-25T04:55:00Z".to_owned(), is_chosen: true, run: Some("r".to_owned()) };
        let upstream = vec!["precompute is missing: it has no artifact yet".to_owned()];
        let told = Explanation { upstream, against: Some(old), ..told(vec![seed]) };
        assert_eq!(
            text(&told),
            "head is stale because its parameter lr changed
  precompute is missing: it has no artifact yet
compared with abababab…, made 2026-11-25T04:55:00Z, of run r
  seed   1 → 2   ← first difference"
        );
    }

    #[test]
    fn of_many_files_those_that_changed_come_first_and_what_is_left_out_is_counted() {
        let mut files: Vec<Part> = (0..1_200).map(|n| file(&format!("{n}"), "a", "a")).collect();
        files[1_100] = file("1100", "a", "b");
        let text = text(&told(files.clone()));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 1 + MOST_FILES + 1, "{text}");
        assert!(lines[1].contains("input features") && lines[1].contains("(1100 of precompute)"), "{text}");
        assert_eq!(lines[11].trim(), "and 1,190 more files");
        files.iter_mut().take(20).for_each(|part| part.standing = Standing::Changed);
        assert!(self::text(&told(files)).contains("and 1,190 more files, 11 of them changed"));
    }

    #[test]
    fn in_a_long_value_the_first_place_that_differs_is_shown() {
        let policy = |p: f64| json!({"name": "own", "transforms": [{"flip": {}}, {"zoom": {"p": p}}]});
        let changed = part(PartKind::Parameter, Some("policy"), policy(0.5), policy(0.75));
        assert_eq!(value(&changed), ".transforms[1].zoom.p: 0.5 → 0.75");
        let longer = part(PartKind::Parameter, Some("lr"), json!([0.1]), json!([0.1, 0.2]));
        assert_eq!(value(&longer), "[0.1] → [0.1,0.2]");
        let long = part(PartKind::Parameter, Some("x"), json!("ü".repeat(70)), json!("ü".repeat(70)));
        assert_eq!(value(&long), format!("\"{}…", "ü".repeat(59)));
    }
}
