//! Pages opened in Chromium by `tests/browser/report.py`. The Python is that of `PIPELINE_PYTHON`, or the one that
//! `cargo xtask test` sets up.

use std::path::{Path, PathBuf};
use std::process::Command;

use pipeline_report::evaluation::Evaluation;
use serde_json::json;

use crate::made_up::{cats_and_dogs, confusion, of_photos, photos};

fn python() -> Option<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/python/bin/python");
    let python = std::env::var_os("PIPELINE_PYTHON").map_or(own, PathBuf::from);
    let has_playwright = Command::new(&python).args(["-c", "import playwright"]).output();
    if has_playwright.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    eprintln!("skipped: no Python with Playwright; run `cargo xtask test`, or set PIPELINE_PYTHON");
    None
}

fn chromium() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found =
        std::env::split_paths(&path).map(|folder| folder.join("chromium")).find(|file| file.is_file());
    if found.is_none() {
        eprintln!("skipped: no chromium; `cargo xtask test` installs it as root on Debian");
    }
    found
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
    write(&of_photos(classes.clone(), photos(100_000, &classes, 0.02, false)), dir.path(), "large");

    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/browser/report.py");
    let output = Command::new(python)
        .args([script, chromium, dir.path().to_owned()])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    eprintln!("{text}");
    assert!(output.status.success() && text.matches("ok ").count() >= 12, "{text}");
}
