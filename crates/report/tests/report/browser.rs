//! Pages opened in Chromium by `tests/browser/report.py`.

use std::path::Path;

use pipeline_report::evaluation::Evaluation;
use pipeline_testkit::browser;
use serde_json::json;

use crate::made_up::{cats_and_dogs, confusion, of_photos, photos, thumbnail};

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
    if !browser::is_there() {
        return;
    }
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

    let text = browser::run("report.py", &[dir.path().as_os_str()]).unwrap_or_default();
    assert!(text.matches("ok ").count() >= 17, "{text}");
}
