//! `pipeline gc`: removes what nobody needs any more.

use std::path::PathBuf;
use std::time::Duration;

use pipeline_runner::Gc;
use pipeline_runner::gc::{Doomed, Rules, Survey, What};
use pipeline_runner::{Error, Store};
use pipeline_stage::exit;
use serde_json::{Value, json};

use super::interrupt::Interrupt;
use super::job::{command_line, given};
use super::store_folder::{StoreFolder, shown};
use super::table::Table;
use super::{Stop, stop};
use crate::terminal::{Header, Screen, Style, watch, words};

/// How many things are listed.
const MOST_LISTED: usize = 200;

/// Remove artifacts that no link in out/ leads to, what killed runs left, and old records of runs
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  pipeline gc --dry-run\n  pipeline gc --keep-last 3 --older-than 7d\n\n\
    What a link of any project leads to stays, and what it was made from is remembered, so that it stays fresh. Checkpoints of a stage that is not done stay for a week, or as long as \
    --older-than says; records of runs (but the latest of each config, and the N that --keep-last says), pages in \
    reports/ and tables in sweeps/ for 90 days, or as long as --older-than says. What was moved aside as damaged and unpacked archives \
    that no artifact which stays was made from go at once, or at that age. While a run is going on, nothing is removed.")]
pub(super) struct Arguments {
    /// Show what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,
    /// Keep the latest N artifacts of each stage kind, beside those that links lead to, and N runs of each config
    #[arg(long, value_name = "N", default_value_t = 0)]
    keep_last: usize,
    /// Keep what is younger, as 12h, 7d or 2w
    #[arg(long, value_name = "AGE", value_parser = age)]
    older_than: Option<Duration>,
    /// Keep nothing for the links in this folder, which is not there any more; may be given several times
    #[arg(long, value_name = "DIR")]
    forget: Vec<PathBuf>,
    #[command(flatten)]
    store: StoreFolder,
    /// Wait so long for runs to end, instead of stopping at once
    #[arg(long, value_name = "SECONDS")]
    wait_lock: Option<u64>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, screen: &Screen) -> Result<u8, Stop> {
    let interrupt = Interrupt::listen();
    let dir = arguments.store.dir();
    if let Some(there) = arguments.forget.iter().find(|folder| folder.exists()) {
        return Err(Stop::Error {
            message: format!(
                "--forget {}: it is there, expected a folder that is gone for good",
                there.display()
            ),
            hint: Some("remove it first, if nothing in it is wanted any more".to_owned()),
            code: exit::USAGE,
        });
    }
    let surveyed = || -> Result<Survey, Error> {
        let store = Store::existing(&dir)?;
        let header = Header { width: "gc".len(), ..Header::default() };
        let observer = watch(Style::choose(arguments.json, false, screen), &header, screen);
        let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
        let gc = Gc {
            store: &store,
            rules: Rules { keep_last: arguments.keep_last, older_than: arguments.older_than },
            forget: arguments.forget.iter().map(absolute).collect(),
            shown: shown(&dir),
            command: command_line(given()),
            wait_lock: arguments.wait_lock.map(Duration::from_secs),
            cancel: &interrupt.cancel,
            observer: observer.as_ref(),
        };
        if arguments.dry_run { gc.survey() } else { gc.collect() }
    };
    let survey = surveyed().map_err(|error| stop(&error, &interrupt))?;
    if arguments.json {
        let mut value = json!({"store": dir.display().to_string(), "dry_run": arguments.dry_run});
        if let (Some(value), Ok(Value::Object(more))) = (value.as_object_mut(), serde_json::to_value(&survey))
        {
            value.extend(more);
        }
        screen.json(&value);
    } else {
        screen.line(&text(&survey, arguments.dry_run));
        survey.notes.iter().for_each(|note| screen.error(&format!("note: {note}")));
        survey.failures.iter().for_each(|failure| screen.failure(failure, None));
    }
    Ok(if survey.failures.is_empty() { exit::DONE } else { exit::STAGE_FAILED })
}

/// The table of what goes, and the sum.
fn text(survey: &Survey, dry_run: bool) -> String {
    let mut table = Table::new("llrrl", ["what", "name", "size", "age", "why"]);
    for Doomed { what, name, size_bytes, age_seconds, why, .. } in survey.doomed.iter().take(MOST_LISTED) {
        let (size, age) = (words::size(*size_bytes), age_in_words(*age_seconds));
        table.row([what.word().to_owned(), name.clone(), size, age, why.clone()]);
    }
    let mut lines = if survey.doomed.is_empty() { vec![] } else { vec![table.text()] };
    if survey.doomed.len() > MOST_LISTED {
        lines.push(format!("  and {} more, which --json lists", survey.doomed.len() - MOST_LISTED));
    }
    let classes = survey.classes();
    if classes.len() > 1 {
        let class = |(what, (count, bytes)): (&What, &(usize, u64))| {
            format!("{} {} ({})", words::count(*count as u64), what.word(), words::size(*bytes))
        };
        lines.push(format!("  by class: {}", classes.iter().map(class).collect::<Vec<_>>().join(", ")));
    }
    let verb = if dry_run { "would remove" } else { "removed" };
    let (count, kept) = (survey.doomed.len() - survey.failures.len(), survey.kept);
    let artifacts = if kept == 1 { "1 artifact stays".to_owned() } else { format!("{kept} artifacts stay") };
    let mut freed = words::size(survey.freed_bytes);
    let all: u64 = survey.doomed.iter().map(|item| item.size_bytes).sum();
    if survey.failures.is_empty() && survey.freed_bytes < all {
        freed = format!("{freed} of {}, as artifacts that stay share the rest", words::size(all));
    }
    lines.push(match count {
        0 => format!("nothing to remove; {artifacts}"),
        1 => format!("{verb} 1 item, which frees {freed}; {artifacts}"),
        count => format!("{verb} {} items, which frees {freed}; {artifacts}", words::count(count as u64)),
    });
    lines.join("\n")
}

/// `45 s`, `12 min`, `30 h`, `12 days`.
fn age_in_words(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// A number with a unit: `30m`, `12h`, `7d`, `2w`.
fn age(text: &str) -> Result<Duration, String> {
    let wrong = || {
        format!(
            "expected a number of seconds, minutes, hours, days or weeks, as 30m, 12h, 7d or 2w, found `{text}`"
        )
    };
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let seconds: u64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return Err(wrong()),
    };
    let seconds = number.parse::<u64>().ok().and_then(|number| number.checked_mul(seconds));
    seconds.map(Duration::from_secs).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_a_number_and_a_unit() {
        for (text, seconds) in
            [("0d", 0), ("45s", 45), ("30m", 1_800), ("12h", 43_200), ("7d", 604_800), ("2w", 1_209_600)]
        {
            assert_eq!(age(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in
            ["", "d", "7", "7 d", "-1d", "1.5d", "7y", "99999999999999999999d", "18446744073709551615w", "7ä"]
        {
            let expected = format!(
                "expected a number of seconds, minutes, hours, days or weeks, as 30m, 12h, 7d or 2w, found `{text}`"
            );
            assert_eq!(age(text), Err(expected));
        }
    }

    #[test]
    fn ages_are_shown_in_the_unit_that_fits() {
        let shown = [0, 119, 120, 7_199, 7_200, 172_799, 172_800].map(age_in_words);
        assert_eq!(shown, ["0 s", "119 s", "2 min", "119 min", "2 h", "47 h", "2 days"]);
    }

    #[test]
    fn the_table_says_what_how_big_how_old_and_why_and_ends_in_the_sum() {
        let doomed = |what, name: &str, size_bytes, why: &str| Doomed {
            what,
            name: name.to_owned(),
            path: PathBuf::new(),
            size_bytes,
            age_seconds: 259_200,
            why: why.to_owned(),
        };
        let survey = Survey {
            doomed: vec![
                doomed(What::Artifact, "head 3f2a91bc…", 1_200_000, "no link leads to it"),
                doomed(What::Draft, "12-0-7", 812, "its process is gone"),
            ],
            freed_bytes: 1_200_812,
            kept: 1,
            ..Survey::default()
        };
        let expected = "  what       name               size      age   why
  artifact   head 3f2a91bc…   1.2 MB   3 days   no link leads to it
  draft      12-0-7            812 B   3 days   its process is gone
  by class: 1 artifact (1.2 MB), 1 draft (812 B)
would remove 2 items, which frees 1.2 MB; 1 artifact stays";
        assert_eq!(text(&survey, true), expected);
        let shared = Survey { freed_bytes: 812, ..survey };
        assert!(
            text(&shared, false).ends_with(
                "\nremoved 2 items, which frees 812 B of 1.2 MB, as artifacts that stay share the rest; 1 artifact stays"
            ),
            "{}",
            text(&shared, false)
        );
        assert_eq!(
            text(&Survey { kept: 2, ..Survey::default() }, false),
            "nothing to remove; 2 artifacts stay"
        );
    }

    #[test]
    fn of_very_many_things_some_are_listed_and_the_rest_is_counted() {
        let item = Doomed {
            what: What::Temporary,
            name: ".tmpabc".to_owned(),
            path: PathBuf::new(),
            size_bytes: 1,
            age_seconds: 0,
            why: String::new(),
        };
        let survey = Survey { doomed: vec![item; MOST_LISTED + 3], freed_bytes: 203, ..Survey::default() };
        let text = text(&survey, false);
        assert!(
            text.contains("\n  and 3 more, which --json lists\nremoved 203 items, which frees 203 B"),
            "{text}"
        );
    }
}
