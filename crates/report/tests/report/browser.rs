//! Pages opened in Chromium by `tests/browser/report.py`. The Python is that of `PIPELINE_PYTHON`, or the one that
//! `cargo xtask test` sets up; Chromium is that of `PIPELINE_CHROMIUM`, or the one on the path. Where one is absent the test says
//! that it is skipped; where the environment names one that does not work, it fails.

use std::path::{Path, PathBuf};
use std::process::Command;

use pipeline_report::evaluation::Evaluation;
use serde_json::json;

use crate::made_up::{cats_and_dogs, confusion, of_photos, photos, thumbnail};

/// A program that answers to `arguments`: that of a variable of the environment, or else another.
fn program(variable: &str, other: PathBuf, arguments: &[&str], skipped: &str) -> Option<PathBuf> {
    let given = std::env::var_os(variable).map(PathBuf::from);
    let program = given.clone().unwrap_or(other);
    let works = Command::new(&program).args(arguments).output().is_ok_and(|output| output.status.success());
    assert!(works || given.is_none(), "{variable} names {}, which fails on {arguments:?}", program.display());
    if !works {
        eprintln!("skipped: {skipped}");
    }
    works.then_some(program)
}

fn python() -> Option<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/python/bin/python");
    let skipped = "no Python with Playwright; run `cargo xtask test`, or set PIPELINE_PYTHON";
    program("PIPELINE_PYTHON", own, &["-c", "import playwright"], skipped)
}

fn chromium() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found =
        std::env::split_paths(&path).map(|folder| folder.join("chromium")).find(|file| file.is_file());
    let skipped = "no chromium; `cargo xtask test` installs it as root on Debian, or set PIPELINE_CHROMIUM";
    program("PIPELINE_CHROMIUM", found.unwrap_or_default(), &["--version"], skipped)
}

/// Writes a page and what it must show.
fn write(evaluation: &Evaluation, folder: &Path, name: &str) {
    evaluation.write_html(&folder.join(format!("{name}.html"))).unwrap();
    let photo = |photo: &pipeline_report::evaluation::PhotoRow| {
        json!({
            "name": photo.id, "label": photo.label, "predicted": photo.predicted, "confidence": photo.confidence,
            "loss": photo.loss,
        })
    };
    let photos: Vec<_> = evaluation.photos.iter().map(photo).collect();
    let expected = json!({ "classes": evaluation.classes, "photos": photos });
    fs_err::write(folder.join(format!("{name}.json")), expected.to_string()).unwrap();
}

#[test]
fn the_page_works_in_a_browser() {
    let (Some(python), Some(chromium)) = (python(), chromium()) else { return };
    let dir = tempfile::tempdir().unwrap();

    let mut evil = cats_and_dogs(400, true);
    evil.classes[1] = "</script><script>alert(1)</script>".to_owned();
    evil.photos[0].id = "\"><img src=x onerror=alert(1)>.jpg".to_owned();
    evil.photos[1].id = format!("valid/{}.jpg", "a-very-long-name".repeat(14));
    (evil.photos[2].label, evil.photos[2].loss) = (None, None);
    for at in [30, 380] {
        evil.photos[at].predicted = 1 - evil.photos[at].label.unwrap();
    }
    evil.confusion = confusion(2, &evil.photos);
    write(&evil, dir.path(), "evil");

    let classes: Vec<String> = (0..200).map(|class| format!("class {class} {}", "x".repeat(150))).collect();
    write(&of_photos(classes.clone(), photos(3000, &classes, 0.3, false)), dir.path(), "classes");

    let classes = vec!["cats".to_owned(), "dogs".to_owned()];
    let mut large = of_photos(classes.clone(), photos(100_000, &classes, 0.02, false));
    // As many thumbnails as have room.
    let room = large.thumbnail_room().unwrap();
    let thumbnail = thumbnail(1);
    large
        .photos
        .iter_mut()
        .take(room / thumbnail.len())
        .for_each(|photo| photo.thumbnail = Some(thumbnail.clone()));
    write(&large, dir.path(), "large");

    let all_right = of_photos(classes.clone(), photos(50, &classes, 0.0, false));
    write(&all_right, dir.path(), "right");

    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/browser/report.py");
    let output = Command::new(python)
        .args([script, chromium, dir.path().to_owned()])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    eprintln!("{text}");
    assert!(output.status.success() && text.matches("ok ").count() >= 17, "{text}");
}
