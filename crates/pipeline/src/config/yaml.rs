//! One YAML file: its values as JSON, and where each of them stands.
//!
//! Values are read with `serde_yaml`. It loses positions and accepts duplicate keys, so an event
//! parser builds an index from path to line and column beside it and finds duplicates.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use serde_json::Value;

use super::error::{Located, Place};

/// Path of a value inside a file: `["head", "lr"]`.
pub(crate) type KeyPath = Vec<String>;

/// Larger files are no configs; refused before they are parsed.
const MAX_BYTES: u64 = 1 << 20;

/// The deepest nesting of maps and lists. Our own have at most five.
const MAX_DEPTH: usize = 32;

/// A parsed YAML file.
#[derive(Debug)]
pub(crate) struct Yaml {
    /// How the file is named in messages.
    pub(crate) label: PathBuf,
    /// Its values.
    pub(crate) value: Value,
    index: BTreeMap<KeyPath, Mark>,
}

/// Where an entry stands: line and column, counted from 1.
#[derive(Debug, Clone, Copy)]
struct Mark {
    key: (usize, usize),
    value: (usize, usize),
}

impl Yaml {
    /// Reads and parses the file at `path`.
    pub(crate) fn read(path: &Path) -> Result<Yaml, Vec<Located>> {
        let fail = |message: String, hint: Option<&str>| {
            vec![Located::new(Place::File(path.to_owned()), message, hint.map(str::to_owned))]
        };
        let size = fs_err::metadata(path).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => fail("no such file".to_owned(), None),
            _ => fail(e.to_string(), None),
        })?;
        if !size.is_file() {
            let found = if size.is_dir() { "a folder" } else { "what is no file" };
            return Err(fail(format!("expected a YAML file, found {found}"), None));
        }
        if size.len() > MAX_BYTES {
            let message = format!("expected a config of at most 1 MiB, found {} bytes", size.len());
            return Err(fail(message, None));
        }
        let bytes = fs_err::read(path).map_err(|e| fail(e.to_string(), None))?;
        let text = String::from_utf8(bytes)
            .map_err(|_| fail("expected UTF-8 text".to_owned(), Some("save the file as UTF-8")))?;
        Yaml::parse(path, &text)
    }

    /// Parses `text`; `label` names it in messages.
    pub(crate) fn parse(label: &Path, text: &str) -> Result<Yaml, Vec<Located>> {
        let at = |(line, column): (usize, usize), message: String, hint: Option<String>| {
            Located::new(Place::Line { file: label.to_owned(), line, column }, message, hint)
        };
        // Some editors begin a file with a byte order mark.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let index = Indexer::index(text).map_err(|f| vec![at(f.at, f.message, f.hint)])?;
        let yaml: serde_yaml::Value = serde_yaml::from_str(text).map_err(|e| {
            let place = e.location().map_or((1, 1), |l| (l.line(), l.column()));
            vec![at(place, unread(&e), None)]
        })?;
        if let Some((number, path)) = not_finite(&yaml, vec![]) {
            let place = index.get(&path).map_or((1, 1), |mark| mark.value);
            return Err(vec![at(place, format!("expected a finite number, found {number}"), None)]);
        }
        let value = serde_json::to_value(yaml).map_err(|e| {
            let message = format!("expected plain data with text keys: {e}");
            vec![at((1, 1), message, Some("put odd keys and values into quotes".to_owned()))]
        })?;
        Ok(Yaml { label: label.to_owned(), value, index })
    }

    /// Where the entry at `path` stands: its key, or else its value; the nearest known ancestor when
    /// the path is not in the file.
    pub(crate) fn place(&self, path: &[String], at_key: bool) -> Place {
        let mut depth = path.len();
        loop {
            if let Some(mark) = self.index.get(&path[..depth]) {
                // Something missing is reported at the key of what should hold it.
                let at_key = at_key || depth < path.len();
                let (line, column) = if at_key { mark.key } else { mark.value };
                return Place::Line { file: self.label.clone(), line, column };
            }
            if depth == 0 {
                return Place::File(self.label.clone());
            }
            depth -= 1;
        }
    }

    /// Whether the file has an entry at `path`.
    pub(crate) fn has(&self, path: &[String]) -> bool {
        self.index.contains_key(path)
    }

    /// The keys of the map at `path`, in the order of the file.
    pub(crate) fn keys_in_order(&self, path: &[String]) -> Vec<String> {
        let mut keys: Vec<(&Mark, &String)> = self
            .index
            .iter()
            .filter(|(p, _)| p.len() == path.len() + 1 && p.starts_with(path))
            .filter_map(|(p, mark)| p.last().map(|k| (mark, k)))
            .collect();
        keys.sort_by_key(|(mark, _)| mark.key);
        keys.into_iter().map(|(_, k)| k.clone()).collect()
    }
}

/// Why `serde_yaml` does not take a value. Whole numbers that no parameter could hold are valid YAML, but no value to it; what
/// it says of them is serde's "invalid type: integer `N` as u128, ...".
pub(crate) fn unread(error: &serde_yaml::Error) -> String {
    let said = error.to_string();
    let number = said.split_once("integer `").and_then(|(_, rest)| rest.split_once('`'));
    match number {
        Some((number, rest)) if rest.starts_with(" as u128") || rest.starts_with(" as i128") => {
            format!("expected whole numbers from {} to {}, found {number}", i64::MIN, u64::MAX)
        }
        _ => format!("not valid YAML: {said}"),
    }
}

/// The first NaN or infinity in `value`, as YAML writes it, with its path. JSON, which values are handed on
/// as, would make `null` of it.
pub(crate) fn not_finite(value: &serde_yaml::Value, path: KeyPath) -> Option<(String, KeyPath)> {
    let below = |step: String, value| not_finite(value, [path.clone(), vec![step]].concat());
    match value {
        serde_yaml::Value::Number(n) if n.as_f64().is_some_and(|x| !x.is_finite()) => {
            Some((n.to_string(), path))
        }
        serde_yaml::Value::Sequence(items) => {
            items.iter().enumerate().find_map(|(i, item)| below(i.to_string(), item))
        }
        serde_yaml::Value::Mapping(map) => {
            map.iter().find_map(|(key, value)| below(key.as_str().unwrap_or_default().to_owned(), value))
        }
        serde_yaml::Value::Tagged(tagged) => not_finite(&tagged.value, path),
        _ => None,
    }
}

/// What the event parser found wrong.
struct Fault {
    at: (usize, usize),
    message: String,
    hint: Option<String>,
}

/// Builds the index by following the parser's events.
struct Indexer {
    index: BTreeMap<KeyPath, Mark>,
    path: KeyPath,
    open: Vec<Open>,
}

/// A map or list that has begun and not ended.
enum Open {
    /// A map; the key that waits for its value, with its place.
    Map { key: Option<(String, (usize, usize))> },
    /// A list and the number of items so far.
    List { items: usize },
}

impl Indexer {
    fn index(text: &str) -> Result<BTreeMap<KeyPath, Mark>, Fault> {
        let mut this = Indexer { index: BTreeMap::new(), path: vec![], open: vec![] };
        for event in Parser::new_from_str(text) {
            let (event, span) = event.map_err(|e| {
                let at = (e.marker().line(), e.marker().col() + 1);
                Fault { at, message: format!("not valid YAML: {}", e.info()), hint: None }
            })?;
            this.event(&event, start(&span))?;
        }
        Ok(this.index)
    }

    fn event(&mut self, event: &Event<'_>, at: (usize, usize)) -> Result<(), Fault> {
        match event {
            Event::Scalar(text, style, ..) => {
                if let Some(Open::Map { key: key @ None }) = self.open.last_mut() {
                    if text == "<<" && *style == ScalarStyle::Plain {
                        let message = "merge keys (`<<`) are not supported".to_owned();
                        return Err(Fault { at, message, hint: Some("write the values out".to_owned()) });
                    }
                    *key = Some((text.to_string(), at));
                } else {
                    self.begin_value(at)?;
                    self.end_value();
                }
            }
            Event::Alias(_) => {
                self.begin_value(at)?;
                self.end_value();
            }
            Event::MappingStart(..) => {
                self.begin_value(at)?;
                self.open.push(Open::Map { key: None });
            }
            Event::SequenceStart(..) => {
                self.begin_value(at)?;
                self.open.push(Open::List { items: 0 });
            }
            Event::MappingEnd | Event::SequenceEnd => {
                self.open.pop();
                self.end_value();
            }
            _ => {}
        }
        Ok(())
    }

    /// Notes where the value that begins here stands, under its key or number.
    fn begin_value(&mut self, at: (usize, usize)) -> Result<(), Fault> {
        if self.open.len() >= MAX_DEPTH {
            let message = format!("maps and lists lie deeper than {MAX_DEPTH} in each other");
            return Err(Fault { at, message, hint: None });
        }
        let (name, key_at) = match self.open.last_mut() {
            None => return Ok(()),
            Some(Open::List { items }) => {
                *items += 1;
                ((*items - 1).to_string(), at)
            }
            Some(Open::Map { key }) => match key.take() {
                Some(key) => key,
                None => {
                    let message = "expected a text as key, found a map or a list".to_owned();
                    return Err(Fault { at, message, hint: None });
                }
            },
        };
        self.path.push(name);
        let mark = Mark { key: key_at, value: at };
        if let Some(first) = self.index.insert(self.path.clone(), mark) {
            let name = self.path.join(".");
            let message = format!(
                "duplicate key `{name}`, first given at line {}, column {}",
                first.key.0, first.key.1
            );
            return Err(Fault { at: key_at, message, hint: Some("keep one of the two".to_owned()) });
        }
        Ok(())
    }

    fn end_value(&mut self) {
        self.path.pop();
    }
}

fn start(span: &Span) -> (usize, usize) {
    (span.start.line(), span.start.col() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn yaml(text: &str) -> Yaml {
        Yaml::parse(Path::new("c.yaml"), text).unwrap()
    }

    fn fault(text: &str) -> String {
        Yaml::parse(Path::new("c.yaml"), text).unwrap_err()[0].to_string()
    }

    fn path(dotted: &str) -> KeyPath {
        dotted.split('.').map(str::to_owned).collect()
    }

    #[test]
    fn every_entry_has_line_and_column_in_block_and_flow_style() {
        let y = yaml("seed: 42\nhead:\n  epochs: 2\ntune: { lr: [0.1,\n  0.2] }\n");
        assert_eq!(y.place(&path("head.epochs"), true).to_string(), "c.yaml:3:3");
        assert_eq!(y.place(&path("head.epochs"), false).to_string(), "c.yaml:3:11");
        assert_eq!(y.place(&path("tune.lr.1"), false).to_string(), "c.yaml:5:3");
        assert_eq!(y.value["tune"]["lr"][1], 0.2);
    }

    #[test]
    fn a_missing_entry_is_placed_at_what_should_hold_it() {
        let y = yaml("seed: 42\nhead:\n  epochs: 2\n");
        assert_eq!(y.place(&path("head.lr"), false).to_string(), "c.yaml:2:1");
        assert_eq!(y.place(&path("tail.lr"), false).to_string(), "c.yaml");
    }

    #[test]
    fn keys_keep_the_order_of_the_file() {
        let y = yaml("stages:\n  b: {x: 1}\n  a: {}\n  c:\n");
        assert_eq!(y.keys_in_order(&path("stages")), ["b", "a", "c"]);
    }

    #[test]
    fn a_duplicate_key_names_both_places() {
        assert_eq!(
            fault("head:\n  lr: 1\n  lr: 2\n"),
            "c.yaml:3:3: duplicate key `head.lr`, first given at line 2, column 3"
        );
    }

    #[test]
    fn broken_yaml_says_where() {
        let text = fault("head: {lr: 1\nseed: 2\n");
        assert!(text.starts_with("c.yaml:2:"), "{text}");
    }

    #[test]
    fn a_byte_order_mark_is_not_part_of_the_text() {
        assert_eq!(yaml("\u{feff}seed: 7\n").value["seed"], 7);
    }

    #[test]
    fn deep_nesting_is_refused_at_its_place_and_at_once() {
        let text = "- ".repeat(50_000);
        assert_eq!(fault(&text), "c.yaml:1:65: maps and lists lie deeper than 32 in each other");
    }

    #[test]
    fn exponents_are_numbers() {
        assert_eq!(yaml("lr: [1e-4, 1e-3]").value["lr"][0], 1e-4);
    }

    #[test]
    fn numbers_that_are_none_are_refused_where_they_stand() {
        assert_eq!(fault("head:\n  lr: .nan\n"), "c.yaml:2:7: expected a finite number, found .nan");
        assert_eq!(fault("tune: {lr: [1, -.inf]}\n"), "c.yaml:1:16: expected a finite number, found -.inf");
    }

    #[test]
    fn whole_numbers_that_are_too_big_are_named_where_they_stand() {
        let expected = "expected whole numbers from -9223372036854775808 to 18446744073709551615";
        let big = "18446744073709551616";
        assert_eq!(fault(&format!("seed: {big}\n")), format!("c.yaml:1:7: {expected}, found {big}"));
        assert_eq!(
            fault("head:\n  lr: [1, -9223372036854775809]\n"),
            format!("c.yaml:2:11: {expected}, found -9223372036854775809")
        );
        assert_eq!(yaml("seed: 18446744073709551615\n").value["seed"], u64::MAX);
    }

    #[test]
    fn merge_keys_and_odd_keys_are_refused() {
        assert_eq!(fault("a: &x {b: 1}\nc:\n  <<: *x\n"), "c.yaml:3:3: merge keys (`<<`) are not supported");
        assert_eq!(fault("? [a, b]\n: 1\n"), "c.yaml:1:3: expected a text as key, found a map or a list");
    }

    #[test]
    fn a_file_of_aliases_that_multiply_is_refused() {
        let mut text = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for i in 1..9 {
            let list = vec![format!("*a{}", i - 1); 10].join(",");
            text.push_str(&format!("a{i}: &a{i} [{list}]\n"));
        }
        assert!(fault(&text).contains("repetition limit exceeded"), "{}", fault(&text));
    }
}
