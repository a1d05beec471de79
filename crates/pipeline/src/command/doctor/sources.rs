//! The sources of a config: its photos and weights; without one, official weights.

use std::path::{Path, PathBuf};

use pipeline_backbone::{check_official, official};
use pipeline_nn::Backbone;
use pipeline_nn::backbones::{self, BACKBONES};
use pipeline_stage::Hint;
use pipeline_stage::source::{Shape, Source};

use super::check::Check;
use crate::command::store_folder::shown;
use crate::config::Job;
use crate::terminal::words;

/// A source of a job.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    source: Source,
    /// The network whose official weights it is.
    official: Option<&'static Backbone>,
}

/// The sources of all stages of a job.
pub(super) fn of(job: &Job) -> Vec<Wanted> {
    let mut all = vec![];
    for node in job.graph.nodes() {
        // Parameters of a job have been checked.
        for source in node.stage.sources(&node.params).unwrap_or_default() {
            let arch = node.params["arch"].as_str().filter(|_| node.params["weights"].is_null());
            let official = arch.and_then(|arch| backbones::find(arch).ok());
            all.push(Wanted { source, official });
        }
    }
    all
}

/// A check for each, in the project at `root`.
pub(super) fn sources(all: &[Wanted], root: &Path) -> Vec<Check> {
    all.iter().map(|wanted| looked_for(root, wanted)).collect()
}

fn looked_for(root: &Path, Wanted { source, official }: &Wanted) -> Check {
    let name = source.name;
    let path: PathBuf = root.join(&source.path).components().collect();
    let place = shown(&path);
    let hint = || source.missing_hint.replace("{path}", &place);
    let expected = if source.shape == Shape::File { "a file" } else { "a folder, or an archive of one" };
    match (fs_err::metadata(&path), source.shape) {
        (Ok(found), Shape::File) if found.is_file() => match official {
            Some(backbone) => at_hand(backbone, &path),
            None => Check::ok(name, format!("{place}, {}", words::size(found.len()))),
        },
        (Ok(found), Shape::Tree) if found.is_dir() => match fs_err::read_dir(&path).map(Iterator::count) {
            Ok(0) => Check::problem(name, format!("{place} is empty"), hint()),
            Ok(_) => Check::ok(name, place),
            Err(error) => Check::problem(name, error.to_string(), "see to it that you may read it"),
        },
        (Ok(found), Shape::Tree) if found.is_file() => {
            Check::ok(name, format!("{place}, {}, which the first run unpacks", words::size(found.len())))
        }
        (Ok(_), _) => {
            Check::problem(name, format!("expected {expected} at {place}, found something else"), hint())
        }
        (Err(error), _) if error.kind() != std::io::ErrorKind::NotFound => {
            Check::problem(name, error.to_string(), hint())
        }
        (Err(_), _) => match &source.fetch {
            Some(remote) => Check::note(
                name,
                format!("{place} is not there yet: the first run fetches {}", remote.url),
                format!("without a network: {}", hint()),
            ),
            None => Check::problem(name, format!("expected {expected} at {place}, found nothing"), hint()),
        },
    }
}

fn at_hand(backbone: &Backbone, path: &Path) -> Check {
    match check_official(backbone, path) {
        Ok(_) => Check::ok("weights", format!("{}: {}, the official file", backbone.arch, shown(path))),
        Err(error) => {
            let hint = error.hint().unwrap_or_else(|| "see to it that you may read it".to_owned());
            Check::problem("weights", error.to_string(), hint)
        }
    }
}

/// Official weights in the project, and which are not there.
pub(super) fn official_weights(root: &Path) -> Vec<Check> {
    let (here, absent): (Vec<&Backbone>, Vec<&Backbone>) =
        BACKBONES.iter().partition(|backbone| root.join(official(backbone).path).is_file());
    let mut checks: Vec<Check> =
        here.iter().map(|backbone| at_hand(backbone, &root.join(official(backbone).path))).collect();
    if here.is_empty() {
        let names: Vec<&str> = absent.iter().map(|backbone| backbone.arch).collect();
        let folder = root.join(pipeline_backbone::WEIGHTS_FOLDER);
        checks.push(Check::note(
            "weights",
            format!("none in {} (of {})", shown(&folder), names.join(", ")),
            "the first run fetches those of resnets; `pipeline doctor CONFIG` says which file a config needs, and where it goes",
        ));
    }
    checks
}

#[cfg(test)]
mod tests {
    use super::super::check::Standing;
    use super::*;
    use crate::config;
    use crate::stages::STAGES;

    /// The checks of a job with these lines, in a folder with these files.
    fn checks(lines: &str, files: &[&str]) -> (tempfile::TempDir, Vec<(&'static str, Standing, String)>) {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, "x").unwrap();
        }
        let path = dir.path().join("c.yaml");
        fs_err::write(&path, format!("pipeline: quick\n{lines}")).unwrap();
        let job = config::load(&path, &[], STAGES).unwrap();
        let root = dir.path().display().to_string();
        let told = |check: Check| (check.name, check.standing, check.text().replace(&root, "<root>"));
        let found = sources(&of(&job), &job.root).into_iter().map(told).collect();
        (dir, found)
    }

    #[test]
    fn what_is_missing_and_cannot_be_fetched_is_a_problem_with_the_place_where_it_goes() {
        let (_dir, found) = checks("ingest: { root: photos }\nbackbone: { weights: w.pth }\n", &[]);
        assert_eq!(found.len(), 2);
        assert_eq!(
            found[0].2,
            "problem   photos     expected a folder, or an archive of one at <root>/photos, found nothing\n                     \
             hint: set `root` to the folder of the photos, or `fetch` to the address of a zip or tar archive of it"
        );
        assert_eq!((found[1].0, found[1].1), ("weights", Standing::Problem));
        let lines = "ingest: { root: photos, fetch: 'https://a.example/b.zip' }\n";
        let (_dir, found) = checks(lines, &[]);
        assert!(found.iter().all(|check| check.1 == Standing::Note), "{found:?}");
        assert!(
            found[0].2.contains("not there yet: the first run fetches https://a.example/b.zip"),
            "{found:?}"
        );
        assert!(
            found[1].2.contains("put the file at <root>/data/weights/resnet34-b627a593.pth"),
            "{found:?}"
        );
    }

    #[test]
    fn what_is_there_is_ok_and_a_wrong_official_file_is_a_problem() {
        let files = ["photos/a/1.jpg", "w.pth"];
        let (_dir, found) = checks("ingest: { root: photos }\nbackbone: { weights: w.pth }\n", &files);
        assert_eq!(found[0].2, "ok        photos     <root>/photos");
        assert_eq!(found[1].2, "ok        weights    <root>/w.pth, 1 B");
        let files = ["photos.zip", "data/weights/resnet34-b627a593.pth"];
        let (_dir, found) = checks("ingest: { root: photos.zip }\n", &files);
        assert_eq!(found[0].2, "ok        photos     <root>/photos.zip, 1 B, which the first run unpacks");
        let wrong = "is not the official weight file: expected a SHA-256 that begins with `b627a593";
        assert!(found[1].1 == Standing::Problem && found[1].2.contains(wrong), "{found:?}");
        assert!(found[1].2.contains("hint: delete it to fetch it again"), "{found:?}");
    }

    #[test]
    fn without_a_config_all_official_weights_are_looked_at() {
        let dir = tempfile::tempdir().unwrap();
        let none = official_weights(dir.path());
        assert_eq!((none.len(), none[0].standing), (1, Standing::Note));
        let path = dir.path().join("data/weights/resnet18-f37072fd.pth");
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, "x").unwrap();
        let wrong = official_weights(dir.path());
        assert_eq!((wrong.len(), wrong[0].standing), (1, Standing::Problem), "{wrong:?}");
    }
}
