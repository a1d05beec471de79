//! The disk of the store.

use std::path::Path;

use pipeline_runner::FileSystem;
use pipeline_runner::file_system::Abilities;

use super::check::Check;
use crate::command::store_folder::shown;
use crate::terminal::words;

/// Bytes that a small run writes, and features of 25,000 photos with room for checkpoints.
const LEAST: u64 = 200_000_000;
const ENOUGH: u64 = 2_000_000_000;

/// Files that a run makes, beyond which there should be room.
const FILES: u64 = 1_000;

/// What to do where nothing can be written.
const ELSEWHERE: &str = "results can go elsewhere: --store DIR --out DIR";

/// Room and abilities of the disk that `store` is on, or would be.
pub(super) fn disk(store: &Path) -> Vec<Check> {
    let found = match FileSystem::of(store) {
        Ok(found) => found,
        Err(error) => return vec![Check::problem("disk", error.to_string(), ELSEWHERE)],
    };
    vec![match found.try_out() {
        _ if found.is_read_only => {
            Check::problem("disk", format!("{} is read-only", shown(&found.folder)), ELSEWHERE)
        }
        Err(error) => Check::problem("disk", format!("nothing can be written: {error}"), ELSEWHERE),
        Ok(abilities) => judged(&found, abilities),
    }]
}

fn judged(found: &FileSystem, abilities: Abilities) -> Check {
    let free = found.free_bytes;
    let text = format!(
        "{} free of {} at {}",
        words::size(free),
        words::size(found.size_bytes),
        shown(&found.folder)
    );
    let lacks_files = found.free_files.filter(|free| *free < FILES);
    let make_room = "free some space (`pipeline gc --dry-run` says what the store can spare), or name another disk with --store";
    match () {
        () if free < LEAST => {
            Check::problem("disk", format!("{text}: less than {}", words::size(LEAST)), make_room)
        }
        () if lacks_files.is_some() => {
            let files = words::count(lacks_files.unwrap_or(0));
            Check::problem("disk", format!("{text}, and room for {files} more files"), make_room)
        }
        () if free < ENOUGH => Check::note("disk", format!("{text}: little for many photos"), make_room),
        () if !abilities.hard_links => Check::note(
            "disk",
            format!("{text}, without hard links"),
            "every model takes a copy of its trunk; a disk of this machine has hard links: --store",
        ),
        () if !abilities.exchange => Check::note(
            "disk",
            format!("{text}, which cannot exchange two folders at once"),
            "nothing to do, but where --force is killed in one instant an artifact has to be made again",
        ),
        () => Check::ok("disk", format!("{text}, with hard links and atomic exchange")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::Standing;
    use super::*;

    #[test]
    fn room_files_and_abilities_are_judged() {
        let of = |free_bytes, free_files, hard_links, exchange| {
            let (folder, size_bytes) = ("/d".into(), 10_000_000_000);
            let found = FileSystem { folder, free_bytes, size_bytes, free_files, is_read_only: false };
            judged(&found, Abilities { hard_links, exchange })
        };
        let at = "free of 10.0 GB at /d";
        let ok = of(3_000_000_000, Some(5_000), true, true);
        assert_eq!(ok, Check::ok("disk", format!("3.0 GB {at}, with hard links and atomic exchange")));
        let full = of(100_000_000, None, true, true);
        assert_eq!(
            (full.standing, full.found),
            (Standing::Problem, format!("100.0 MB {at}: less than 200.0 MB"))
        );
        let files = of(3_000_000_000, Some(12), true, true);
        assert_eq!(
            (files.standing, files.found),
            (Standing::Problem, format!("3.0 GB {at}, and room for 12 more files"))
        );
        assert_eq!(of(1_000_000_000, None, true, true).standing, Standing::Note);
        assert!(of(3_000_000_000, None, false, true).found.ends_with(", without hard links"));
        assert!(of(3_000_000_000, None, true, false).found.ends_with("cannot exchange two folders at once"));
    }
}
