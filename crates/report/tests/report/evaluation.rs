use std::time::Instant;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use pipeline_fit::{Estimate, Interval};
use pipeline_report::evaluation::{Evaluation, Insights, PhotoRow};
use sha2::{Digest, Sha256};

use crate::made_up::{cats_and_dogs, measures, of_photos, photos};

const EVIL_FILE: &str = "\"><img src=x onerror=alert(1)>.jpg";
const EVIL_CLASS: &str = "</script><script>alert(1)</script>";

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// The text between two others.
fn between<'a>(html: &'a str, start: &str, end: &str) -> &'a str {
    let from = html.find(start).unwrap_or_else(|| panic!("{start} is missing")) + start.len();
    html[from..].split(end).next().expect("split gives one part at least")
}

/// Without pictures: what a person reads.
fn text(html: &str) -> String {
    html.replace('\u{a0}', " ").replace("&#x2f;", "/")
}

fn list(html: &str) -> serde_json::Value {
    let json = between(html, "<script type=\"application/json\" id=\"photos-list\">", "</script>");
    serde_json::from_str(json).unwrap()
}

/// 2 models in 2 modes; the last, wrong on 3 of 200, is the one in detail.
fn three_wrong() -> Evaluation {
    let mut rows = photos(200, &names(&["cats", "dogs"]), 0.0, false);
    for at in [3, 50, 150] {
        rows[at].predicted = 1 - rows[at].predicted;
        rows[at].loss = Some(2.0 + at as f32);
    }
    of_photos(names(&["cats", "dogs"]), rows)
}

#[test]
fn tests_between_other_models_are_folded_away() {
    let page = three_wrong();
    let page = Evaluation { detail: 2, ..page };
    let html = text(&page.html().unwrap());
    let folded = between(&html, "<details>", "</details>");
    assert!(folded.contains("Between finetune (mean of 5 views) and head (mean of 5 views)"), "{folded}");
    assert_eq!(
        folded.matches("only the").count(),
        2,
        "one of two tests, the other is about the plain view: {folded}"
    );
}

#[test]
fn the_verdict_comes_first_and_says_what_test_time_augmentation_gains() {
    let html = text(&three_wrong().html().unwrap());
    // By hand: 197 of 200 is 0.985; ± 1.96 sqrt(0.985 · 0.015 / 1000) is 0.0075.
    let verdict = "<h1>finetune (mean of 5 views) is right on 197 of 200 validation photos: 98.5 % (97.7 to 99.3 %).</h1>";
    assert!(html.contains(verdict), "{}", between(&html, "<h1>", "</h1>"));
    for sentence in [
        "Test-time augmentation (mean of 5 views): finetune is wrong on 3 photos instead of 12, 9 fewer.",
        "finetune (mean of 5 views) and finetune differ beyond chance: 12 photos only the first has right, 3 only the \
         second (p = 0.035).",
        "Between finetune (mean of 5 views) and head (mean of 5 views) the difference may be chance: 7 photos only the \
         first has right, 3 only the second (p = 0.344).",
    ] {
        assert!(html.contains(sentence), "{sentence}");
    }
    assert!(!html.contains("<details>"), "every test is about the model in detail");
    // By hand: models 0 to 3 have 9, 7, 12 and 3 errors. The last is best in the six rows that follow from errors; in the three
    // that are made up to be equal all are; temperatures have no best.
    let best = html.matches("class=\"best\">").count() + html.matches("class=\"best detail\">").count();
    assert_eq!(best, 6 + 3 * 4, "{}", between(&html, "<table class=\"models\">", "</table>"));
}

#[test]
fn every_measure_stands_with_its_interval_and_what_it_is_in_words() {
    let mut evaluation = three_wrong();
    let measures = &mut evaluation.models[3].measures;
    let estimate = |value, low, high| Estimate { value, interval: Some(Interval { low, high }) };
    measures.top_2 = Some(estimate(0.991, 0.98, 0.997));
    measures.macro_f1 = estimate(0.97, 0.96, 0.982);
    measures.cohen_kappa = Some(estimate(0.9412, 0.91, 0.97));
    measures.average_precision = Some(estimate(0.9876, 0.98, 0.992));
    measures.calibration.temperature = Some(estimate(1.31, 1.12, 1.58));
    measures.calibration.log_loss_cross_fitted = Some(estimate(0.0531, 0.04, 0.061));
    let html = text(&evaluation.html().unwrap());
    let table = between(&html, "<table class=\"models\">", "</table>");
    for (name, what, cell) in [
        (
            "Right in 2 (top-2 accuracy)",
            "among the two likeliest classes. Higher is better.",
            "99.1 %<small>98.0 to 99.7 %",
        ),
        (
            "Macro F1",
            "small ones counting as much as large ones. Higher is better.",
            "97.0 %<small>96.0 to 98.2 %",
        ),
        ("Cohen’s kappa", "0 no better than guessing. Higher is better.", "0.9412<small>0.9100 to 0.9700"),
        ("Average precision", "1 where its own come first", "0.9876<small>0.9800 to 0.9920"),
        ("Temperature", "Fitted on these very photos.</small>", "1.31<small>1.12 to 1.58"),
        ("Log loss with a temperature", "photos that it was not fitted on", "0.0531<small>0.0400 to 0.0610"),
    ] {
        let row = between(table, &format!("<th scope=\"row\">{name}<small>"), "</tr>");
        assert!(row.contains(what), "{row}");
        assert!(row.contains(cell), "{row}");
    }
    assert!(!table.contains("top-5"), "no model has it");
    let classes = between(&html, "<table class=\"sortable\">", "</table>");
    assert!(classes.contains(">Average precision</th>") && classes.contains("0.9990"), "{classes}");
}

#[test]
fn a_temperature_is_said_to_be_fitted_on_these_very_photos_and_whether_1_is_within_chance() {
    let said = |low, high| {
        let mut evaluation = three_wrong();
        let interval = Some(Interval { low, high });
        evaluation.models[3].measures.calibration.temperature = Some(Estimate { value: 1.31, interval });
        text(&evaluation.html().unwrap())
    };
    let beyond = said(1.12, 1.58);
    assert!(beyond.contains("a temperature of 1.31 (1.12 to 1.58), so it is too sure."), "{beyond}");
    assert!(beyond.contains("fitted on these very photos, so what it makes of them"), "{beyond}");
    assert!(beyond.contains("With the temperature of the other half, each half has a log loss of 0.0531"));
    assert!(said(0.9, 1.58).contains("but 1, as sure as right, is within chance."));
}

#[test]
fn classes_without_photos_and_numbers_without_intervals_are_said_on_top() {
    let classes = names(&["cats", "dogs", "mice"]);
    let mut evaluation = of_photos(classes, photos(30, &names(&["cats", "dogs"]), 0.0, false));
    for judged in &mut evaluation.models {
        judged.measures.accuracy.interval = None;
    }
    let html = text(&evaluation.html().unwrap());
    let cautions = between(&html, "<ul class=\"cautions\">", "</ul>");
    assert!(
        cautions.contains(
            "1 of 3 classes has no validation photo, so nothing is known of how well it is found: `mice`."
        ),
        "{cautions}"
    );
    assert!(cautions.contains("`resamples: 0`"), "{cautions}");
    assert!(html.find("class=\"cautions\"") < html.find("<table"));
    assert!(!text(&three_wrong().html().unwrap()).contains("<ul class=\"cautions\">"));
}

#[test]
fn what_needs_features_is_said_where_there_are_none_and_whose_they_are_where_there_are() {
    let without = text(&three_wrong().html().unwrap());
    let data = between(&without, "<section id=\"data\">", "</section>");
    for word in
        ["nearest training photos", "near duplicates", "<code>inputs: { features: precompute }</code>"]
    {
        assert!(data.contains(word), "{word}: {data}");
    }
    let with = text(&cats_and_dogs(300, false).html().unwrap());
    let by = "by the features of resnet34 as pretrained (1d6ff585…), not of finetune&#x27;s own trunk";
    assert!(between(&with, "<section id=\"data\">", "</section>").contains(by));
    let sheet = between(&with, "<h3>Wrong at random</h3>", "</p>");
    assert!(sheet.contains(by), "{sheet}");
    assert!(!between(&with, "<h3>Correct at random</h3>", "</p>").contains("nearest"), "none is wrong");
}

#[test]
fn thumbnails_have_the_room_that_everything_else_leaves() {
    let room = |evaluation: &Evaluation| evaluation.thumbnail_room().unwrap();
    let classes = || names(&["cats", "dogs"]);
    let few = of_photos(classes(), photos(1000, &classes(), 0.02, false));
    let bare = few.html().unwrap().len();
    // By hand: 4.9 MB less 0.7 MB for sheets, as files three quarters of it.
    let expected = (4_900_000 - 700_000 - bare) / 4 * 3;
    assert!(room(&few).abs_diff(expected) < 10, "{} of {expected}", room(&few));
    let many = of_photos(classes(), photos(100_000, &classes(), 0.02, false));
    assert_eq!(room(&many), 1_125_000);

    let mut some = few;
    let thumbnail = crate::made_up::thumbnail(1);
    for photo in &mut some.photos[..990] {
        photo.thumbnail = Some(thumbnail.clone());
    }
    assert!(text(&some.html().unwrap()).contains("10 of 1,000 photos have no small picture"));
    some.photos.truncate(990);
    assert!(!text(&some.html().unwrap()).contains("no small picture"));
}

#[test]
fn sections_come_in_order_and_each_is_in_the_navigation() {
    let html = cats_and_dogs(300, false).html().unwrap();
    let ids = ["verdict", "photos", "confusion", "views", "curves", "classes", "data", "all", "reproduce"];
    let places = ids.map(|id| html.find(&format!(" id=\"{id}\">")).unwrap_or_else(|| panic!("no {id}")));
    assert!(places.is_sorted(), "{places:?}");
    for id in ids {
        assert!(html.contains(&format!("<a href=\"#{id}\">")), "{id}");
    }
}

#[test]
fn cells_count_the_photos_of_a_label_by_what_they_were_taken_for() {
    let html = three_wrong().html().unwrap();
    for (row, column, count, share) in
        [(0, 0, "98", "98.0"), (0, 1, "2", "2.0"), (1, 0, "1", "1.0"), (1, 1, "99", "99.0")]
    {
        let cell = between(&html, &format!("data-row=\"{row}\" data-column=\"{column}\""), "</button>");
        let expected = format!("<span class=\"n\">{count}</span><span class=\"s\">{share}\u{a0}%</span>");
        assert!(cell.ends_with(&expected), "{row}, {column}: {cell}");
    }
}

#[test]
fn the_list_for_the_script_has_every_photo_and_the_table_without_it_the_wrong_ones() {
    let evaluation = three_wrong();
    let html = evaluation.html().unwrap();
    let list = list(&html);
    assert_eq!(list["name"].as_array().unwrap().len(), 200);
    assert_eq!(list["classes"], serde_json::json!(["cats", "dogs"]));
    assert_eq!((&list["label"][150], &list["predicted"][150]), (&1.into(), &0.into()));
    let table = text(between(&html, "<div class=\"static\">", "</div>"));
    let rows: Vec<_> =
        table.split("<td class=\"file\">").skip(1).map(|row| row.split('<').next().unwrap()).collect();
    assert_eq!(rows, [150, 50, 3].map(|at| evaluation.photos[at].id.as_str()), "the most wrong first");
}

#[test]
fn next_to_all_is_not_all() {
    let mut evaluation = three_wrong();
    evaluation.photos[0].confidence = 0.999_999_9;
    evaluation.photos[1].confidence = 1.0;
    evaluation.photos[2].confidence = f32::NAN;
    let list = list(&evaluation.html().unwrap());
    assert_eq!(list["confidence"][0], 0.99999);
    assert_eq!(list["confidence"][1], 1.0);
    assert!(list["confidence"][2].is_null());
}

#[test]
fn names_that_look_like_html_stay_text() {
    let mut evaluation = cats_and_dogs(120, true);
    evaluation.classes[1] = EVIL_CLASS.to_owned();
    for at in [0, 5, 70] {
        evaluation.photos[at].id = EVIL_FILE.to_owned();
        evaluation.photos[at].predicted = 1 - evaluation.photos[at].predicted;
    }
    for judged in &mut evaluation.models {
        (judged.model, judged.mode) = (EVIL_CLASS.to_owned(), EVIL_FILE.to_owned());
    }
    let insights = evaluation.insights.as_mut().unwrap();
    insights.label_issues[0].id = EVIL_FILE.to_owned();
    insights.near_duplicates[0].ids = [EVIL_FILE.to_owned(), EVIL_CLASS.to_owned()];
    insights.near_duplicates[0].labels[1] = EVIL_CLASS.to_owned();
    insights.outliers[0].label = EVIL_CLASS.to_owned();
    insights.map[0].id = EVIL_FILE.to_owned();
    insights.notes = vec![EVIL_CLASS.to_owned()];
    insights.thumbnails.insert(EVIL_FILE.to_owned(), vec![0]);
    evaluation.findings = vec![EVIL_FILE.to_owned()];
    evaluation.config = EVIL_CLASS.to_owned();
    evaluation.versions = vec![EVIL_CLASS.to_owned()];
    evaluation.split = EVIL_CLASS.to_owned();
    evaluation.trainings[0].model = EVIL_CLASS.to_owned();
    evaluation.sheets[0].title = EVIL_CLASS.to_owned();
    evaluation.sheets[1].rows[0].0 = Some(EVIL_CLASS.to_owned());
    evaluation.views.as_mut().unwrap().views[0].0 = EVIL_FILE.to_owned();
    let html = evaluation.html().unwrap();
    for word in ["<img src=x", "<script>alert", "</script><script>a"] {
        assert!(!html.contains(word), "{word}");
    }
    assert_eq!(html.matches("<script").count(), 2, "the list and the program");
    assert_eq!(html.matches("</script").count(), 2);
    assert!(html.matches("&lt;script&gt;alert(1)").count() > 20);
    assert_eq!(list(&html)["classes"][1], EVIL_CLASS);
    assert_eq!(list(&html)["name"][5], EVIL_FILE);
}

#[test]
fn nothing_comes_from_outside_and_only_the_page_s_own_script_may_run() {
    let html = cats_and_dogs(40, true).html().unwrap();
    for word in ["https:", "url(", "@import", "<link", "innerHTML", "eval("] {
        assert!(!html.contains(word), "{word}");
    }
    // The name of SVG's language, not an address.
    assert_eq!(html.matches("http:").count(), html.matches("xmlns=\"http://www.w3.org/2000/svg\"").count());
    let script = html.rsplit("<script>").next().unwrap().split("</script>").next().unwrap();
    let digest = BASE64_STANDARD.encode(Sha256::digest(script));
    let policy = between(&html, "http-equiv=\"Content-Security-Policy\" content=\"", "\"");
    assert_eq!(
        policy,
        format!(
            "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; base-uri 'none'; \
             form-action 'none'"
        )
    );
}

#[test]
fn a_thousand_photos_with_thumbnails_take_less_than_5_mb() {
    let evaluation = cats_and_dogs(1000, true);
    let thumbnails: usize = evaluation.photos.iter().flat_map(|photo| &photo.thumbnail).map(Vec::len).sum();
    assert!((2_800_000..3_200_000).contains(&thumbnails), "about 3 kB each: {thumbnails} bytes in all");
    let on_sheets: usize =
        evaluation.sheets.iter().flat_map(|sheet| &sheet.rows).map(|row| row.1.len()).sum();
    assert!(on_sheets >= 59, "{on_sheets}");
    let html = evaluation.html().unwrap();
    assert!(html.len() < 5_000_000, "{} bytes", html.len());
}

#[test]
fn a_hundred_thousand_photos_take_less_than_20_mb_and_2_seconds() {
    let classes = names(&["cats", "dogs"]);
    let evaluation = of_photos(classes.clone(), photos(100_000, &classes, 0.02, false));
    let start = Instant::now();
    let html = evaluation.html().unwrap();
    let seconds = start.elapsed().as_secs_f64();
    assert!(html.len() < 20_000_000, "{} bytes", html.len());
    assert!(seconds < 2.0, "{seconds} s");
    assert!(text(&html).contains("And 1,"), "how many wrong photos are not listed is said");
}

#[test]
fn two_hundred_classes_with_very_long_names_are_a_page() {
    let classes: Vec<String> = (0..200).map(|class| format!("class {class} {}", "x".repeat(300))).collect();
    let evaluation = of_photos(classes.clone(), photos(2000, &classes, 0.3, false));
    let html = text(&evaluation.html().unwrap());
    assert!(html.len() < 5_000_000, "{} bytes", html.len());
    assert!(html.contains("ROC, worst of 200<"), "eight curves, and of how many");
    assert!(html.find("Most confused") < html.find("aria-label=\"Confusion matrix\""));
}

#[test]
fn of_very_many_classes_the_table_has_those_with_the_most_errors() {
    let classes: Vec<String> = (0..1000).map(|class| format!("c{class}")).collect();
    let mut rows = photos(3000, &classes, 0.0, false);
    rows[2990].predicted = 5;
    let html = text(&of_photos(classes, rows).html().unwrap());
    assert!(html.contains("The 200 classes with the most errors, of 1,000."));
    assert!(html.contains("data-row=\"996\" data-column=\"5\""));
}

#[test]
fn what_is_missing_has_no_section_and_nothing_reads_nan() {
    let classes = || names(&["cats", "dogs", "mice"]);
    let right = photos(30, &names(&["cats", "dogs"]), 0.0, false);
    let all_right = of_photos(classes(), right.clone());
    let html = text(&all_right.html().unwrap());
    assert!(html.contains("No photo was taken for another class.") && html.contains("None of 30 is wrong."));
    assert!(html.contains("<td data-value=\"\">–</td>"), "no mice, no recall of mice");

    let unlabelled =
        right.iter().map(|photo| PhotoRow { label: None, loss: None, ..photo.clone() }).collect();
    let unlabelled = of_photos(classes(), unlabelled);
    let html_unlabelled = text(&unlabelled.html().unwrap());
    assert!(html_unlabelled.contains("30 photos of valid looked at; without labels"));
    assert!(!html_unlabelled.contains("id=\"confusion\""));

    let mut without_numbers = of_photos(classes(), right);
    for judged in &mut without_numbers.models {
        judged.measures = measures(30, 0, vec![]);
        judged.measures.log_loss.value = f64::NAN;
        judged.measures.accuracy.interval = None;
        judged.measures.calibration.temperature = None;
    }
    without_numbers.photos[3].confidence = f32::NAN;
    without_numbers.photos[3].loss = Some(f32::INFINITY);
    without_numbers.insights = Some(Insights { map_shares: [f64::NAN; 2], ..Insights::default() });
    let pages =
        [html, html_unlabelled, without_numbers.html().unwrap(), Evaluation::default().html().unwrap()];
    for page in pages {
        let without_style = page.replace(between(&page, "<style>", "</style>"), "");
        let page = without_style.replace(between(&without_style, "<script>", "</script>"), "");
        for word in ["NaN", "Infinity", ">inf", " inf"] {
            assert!(!page.contains(word), "{word}");
        }
        assert!(!page.contains("id=\"photos\"") && !page.contains("id=\"views\""));
    }
}

#[test]
fn the_same_evaluation_gives_the_same_page_and_the_file_holds_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("report.html");
    let evaluation = cats_and_dogs(60, true);
    evaluation.write_html(&path).unwrap();
    assert!(fs_err::read_to_string(&path).unwrap() == evaluation.html().unwrap());
}

#[test]
fn near_duplicates_in_two_splits_come_first() {
    let html = cats_and_dogs(60, false).html().unwrap();
    let pairs: Vec<_> = html.split("<li class=\"pair\">").skip(1).collect();
    let across: Vec<_> = pairs.iter().map(|pair| pair.contains("<b>valid and train")).collect();
    assert_eq!(across, [true, true, false, false, false, false]);
    assert!(text(&html).contains("6 pairs of photos that are nearly the same, 2 of them in two splits"));
}

#[test]
fn a_photo_that_is_gone_leaves_its_name() {
    let evaluation = cats_and_dogs(60, false);
    let gone = evaluation.sheets[0].rows[0].1.iter().find(|photo| photo.picture.is_none()).unwrap();
    let name = evaluation.photos[gone.photo].id.clone();
    let html = text(&evaluation.html().unwrap());
    assert!(html.contains(&format!("<b>not there</b><span>{name}</span>")), "{name}");
}

#[test]
fn wrong_photos_on_the_map_have_rings() {
    let evaluation = cats_and_dogs(300, false);
    let wrong = evaluation.photos.iter().filter(|photo| photo.label != Some(photo.predicted)).count();
    assert!(wrong > 0);
    assert_eq!(evaluation.html().unwrap().matches("<circle ").count(), wrong);
}

#[test]
fn pictures_are_better_where_there_is_room() {
    let size = |thumbnails| {
        let mut evaluation = cats_and_dogs(1000, false);
        for photo in &mut evaluation.photos {
            photo.thumbnail = Some(vec![0; thumbnails]);
        }
        let html = evaluation.html().unwrap();
        between(&html, "class=\"picture\"", "</div>").len()
    };
    let [small, large] = [size(3000), size(100)];
    assert!(large > 2 * small, "{small} and {large} bytes");
}

#[test]
fn of_a_quarter_million_photos_those_with_the_largest_losses_are_listed() {
    let classes = names(&["cats", "dogs"]);
    let mut rows = photos(250_000, &classes, 0.0, false);
    for (at, photo) in rows.iter_mut().enumerate() {
        photo.loss = Some(at as f32);
    }
    let html = text(&of_photos(classes, rows).html().unwrap());
    assert!(html.contains("The list has the 200,000 photos with the largest losses, of 250,000."));
    let list = list(&html);
    assert_eq!(list["name"].as_array().unwrap().len(), 200_000);
    assert_eq!((&list["at"][0], &list["at"][199_999]), (&50_000.into(), &249_999.into()));
}
