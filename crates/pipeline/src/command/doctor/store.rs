//! The store.

use std::path::Path;
use std::time::Duration;

use pipeline_runner::{Error, Glance, Store};
use pipeline_stage::Hint;
use pipeline_stage::failure::full_message;

use super::check::Check;
use crate::command::store_folder::shown;
use crate::terminal::words;

/// How long artifacts are counted: manifests of some thousands.
const COUNTING: Duration = Duration::from_millis(700);

/// What is in it, at a glance.
pub(super) fn store(dir: &Path) -> Vec<Check> {
    let glance = Store::existing(dir).and_then(|store| store.glance(COUNTING));
    vec![match glance {
        Ok(found) => judged(dir, &found),
        Err(Error::NoStore { .. }) => {
            Check::ok("store", format!("none yet at {}: the first run makes it", shown(dir)))
        }
        Err(error) => {
            let hint = error.hint().unwrap_or_else(|| "name another one with --store".to_owned());
            Check::problem("store", full_message(&error), hint)
        }
    }]
}

fn judged(dir: &Path, found: &Glance) -> Check {
    let least = if found.is_partial { "at least " } else { "" };
    let artifacts = match found.artifacts {
        1 => "1 artifact".to_owned(),
        n => format!("{} artifacts", words::count(n as u64)),
    };
    let mut text = format!("{artifacts}, {least}{} at {}", words::size(found.size_bytes), shown(dir));
    if let Some(user) = &found.user {
        text += &format!(", in use by {user}");
    }
    match (found.unreadable, found.damaged, found.drafts) {
        (0, 0, drafts) if drafts == 0 || found.user.is_some() => Check::ok("store", text),
        (0, 0, drafts) => Check::note(
            "store",
            format!("{text}, and {drafts} unfinished of killed runs"),
            "`pipeline gc --dry-run` says what it would remove",
        ),
        (0, damaged, _) => Check::note(
            "store",
            format!("{text}, and {damaged} moved aside as damaged"),
            "`pipeline gc` removes them",
        ),
        (unreadable, ..) => Check::note(
            "store",
            format!("{text}, {unreadable} of them without a manifest that can be read"),
            "`pipeline verify --all` names them, and the command that makes each again",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::Standing;
    use super::*;

    #[test]
    fn a_store_is_counted_and_what_is_wrong_with_it_named_with_the_command_for_it() {
        let of = |found: Glance| judged(Path::new("/p/.pipeline"), &found);
        let sound = Glance { artifacts: 1_200, size_bytes: 5_000_000, ..Glance::default() };
        assert_eq!(of(sound.clone()), Check::ok("store", "1,200 artifacts, 5.0 MB at /p/.pipeline"));
        let text = |found: Glance| (of(found.clone()).standing, of(found).found);
        let partial = Glance { is_partial: true, user: Some("pid 1".to_owned()), drafts: 1, ..sound.clone() };
        let expected = "1,200 artifacts, at least 5.0 MB at /p/.pipeline, in use by pid 1";
        assert_eq!(text(partial), (Standing::Ok, expected.to_owned()));
        let (standing, found) = text(Glance { drafts: 2, ..sound.clone() });
        assert!(
            standing == Standing::Note && found.ends_with(", and 2 unfinished of killed runs"),
            "{found}"
        );
        let (_, found) = text(Glance { damaged: 1, ..sound.clone() });
        assert!(found.ends_with(", and 1 moved aside as damaged"), "{found}");
        let (_, found) = text(Glance { unreadable: 3, ..sound });
        assert!(found.ends_with(", 3 of them without a manifest that can be read"), "{found}");
    }

    #[test]
    fn no_store_is_none_yet_and_another_folder_is_a_problem() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".pipeline");
        assert_eq!(store(&path)[0].found, format!("none yet at {}: the first run makes it", path.display()));
        fs_err::create_dir(&path).unwrap();
        fs_err::write(path.join("thesis.txt"), "").unwrap();
        assert_eq!(store(&path)[0].standing, Standing::Problem);
        fs_err::write(path.join("format"), "99\n").unwrap();
        assert_eq!(store(&path)[0].standing, Standing::Problem);
    }
}
