use pipeline_fit::McNemar;
use pipeline_report::comparison::{Comparison, Pair, Setting, Side, Turned};

use super::html::elements;

fn turned(id: &str, this: &str, that: &str) -> Turned {
    let label = "dogs".to_owned();
    Turned { id: id.to_owned(), label, this: (this.to_owned(), 0.75), that: (that.to_owned(), 0.625) }
}

/// 40 photos: 33 right in both, 4 only in this, 1 only in that, 2 in neither.
fn pair(name: &str) -> Pair {
    Pair {
        this: name.to_owned(),
        that: name.to_owned(),
        photos: 40,
        this_right: 37,
        that_right: 34,
        this_log_loss: 0.125,
        that_log_loss: 0.25,
        // Two-sided binomial of 1 of 5: 2 * (1 + 5) / 32.
        test: McNemar { only_first: 4, only_second: 1, p_value: 0.375 },
        otherwise_wrong: 2,
        fixed: vec![turned("valid/dogs/a.jpg", "dogs", "cats"), turned("valid/dogs/b.jpg", "dogs", "cats")],
        broken: vec![turned("valid/dogs/c.jpg", "cats", "dogs")],
    }
}

fn comparison() -> Comparison {
    let setting = |name: &str, that: Option<&str>, this: Option<&str>| Setting {
        stage: "head".to_owned(),
        name: name.to_owned(),
        that: that.map(str::to_owned),
        this: this.map(str::to_owned),
    };
    Comparison {
        this: Side { name: "c with head.lr=0.003".to_owned(), artifact: "evaluate 11111111…".to_owned() },
        that: Side { name: "run 20261128".to_owned(), artifact: "evaluate 22222222…".to_owned() },
        split: "valid".to_owned(),
        pairs: vec![pair("head"), pair("head.tta")],
        warnings: vec!["1 photo is measured by this alone and left out: valid/x.jpg".to_owned()],
        settings: vec![setting("lr", Some("0.01"), Some("0.003")), setting("warmup", None, Some("0.1"))],
        unknown: vec!["Of that, what `head` read as `features` is not in the store any more.".to_owned()],
        recorded: vec![
            ("head.accuracy".to_owned(), Some(0.85), Some(0.925)),
            ("new".to_owned(), None, Some(1.5)),
        ],
    }
}

#[test]
fn the_verdict_says_both_accuracies_the_difference_and_whether_chance_explains_it() {
    assert_eq!(
        comparison().text(),
        "\
this: c with head.lr=0.003, evaluate 11111111…
that: run 20261128, evaluate 22222222…
on 40 valid photos that both measured

  accuracy     that     this   difference   only this right   only that right   McNemar's p
  head       0.8500   0.9250      +0.0750                 4                 1         0.375
  head.tta   0.8500   0.9250      +0.0750                 4                 1         0.375
head.tta: no difference beyond chance (p = 0.375)
warning: 1 photo is measured by this alone and left out: valid/x.jpg"
    );
}

#[test]
fn who_is_better_is_said_where_chance_does_not_explain_it() {
    let verdict = |only_first, only_second, p_value, that: &str| {
        let test = McNemar { only_first, only_second, p_value };
        let pair = Pair { test, that: that.to_owned(), ..pair("head") };
        let text = Comparison { pairs: vec![pair], ..Comparison::default() }.text();
        text.lines().last().unwrap().to_owned()
    };
    assert_eq!(verdict(12, 2, 0.013, "head"), "head: this is better beyond chance (p = 0.013)");
    assert_eq!(verdict(2, 40, 1e-9, "head"), "head: that is better beyond chance (p < 0.001)");
    assert_eq!(verdict(0, 0, 1.0, "head"), "head: both have the same photos right");
    assert_eq!(
        verdict(3, 3, 1.0, "last_layer"),
        "head (that: last_layer): no difference beyond chance (p = 1.000)"
    );
}

#[test]
fn many_models_and_warnings_stay_within_the_lines_of_a_terminal() {
    let pairs = (0..30).map(|n| pair(&format!("model_{n}"))).collect();
    let warnings = (0..9).map(|n| format!("warning {n}")).collect();
    let text = Comparison { pairs, warnings, ..comparison() }.text();
    assert_eq!(text.lines().count(), 18, "{text}");
    assert!(text.contains("  22 more on the page\nmodel_29: "), "{text}");
}

#[test]
fn the_page_lists_what_turned_and_says_how_much_it_leaves_out() {
    let html = comparison().html().unwrap();
    let elements = elements(&html);
    let count = |name: &str| elements.iter().filter(|element| *element == name).count();
    assert_eq!((count("h1"), count("h2"), count("details"), count("script")), (1, 4, 2, 0), "{elements:?}");
    for part in [
        "On 40 labelled valid photos that both measured.",
        "<td><bdi>head.tta</bdi></td><td class=\"n\">0.8500</td><td class=\"n\">0.9250</td>\
         <td class=\"n\">+0.0750</td><td class=\"n\">0.375</td></tr>",
        "Fixed by this: 4</h3>",
        "<p class=\"soft\">and 2 more</p>",
        "Broken by this: 1</h3>",
        "<bdi>valid&#x2f;dogs&#x2f;c.jpg</bdi></td><td data-name=\"label\"><bdi>dogs</bdi></td>\
         <td data-name=\"that says\" class=\"right\"><bdi>dogs</bdi> 0.625</td>\
         <td data-name=\"this says\" class=\"wrong\"><bdi>cats</bdi> 0.750</td>",
        "Both have 2 more photos wrong, each in its way.",
        "<td>accuracy</td><td class=\"n\">0.8500</td><td class=\"n\">0.9250</td><td class=\"n\">+0.0750</td>",
        "<td>log loss</td><td class=\"n\">0.2500</td><td class=\"n\">0.1250</td><td class=\"n\">-0.1250</td>",
        "<td>errors</td><td class=\"n\">6</td><td class=\"n\">3</td><td class=\"n\">-3</td>",
        "<td>lr</td><td><bdi>0.01</bdi></td><td><bdi>0.003</bdi></td>",
        "<td>warmup</td><td><bdi>–</bdi></td><td><bdi>0.1</bdi></td>",
        "<td>new</td><td class=\"n\">–</td><td class=\"n\">1.5000</td><td class=\"n\"></td>",
        "what `head` read as `features` is not in the store any more.",
    ] {
        assert!(html.contains(part), "{part}\n{html}");
    }
    // The most telling pair comes first.
    assert!(
        html.find("<details open>\n<summary><bdi>head.tta: ").unwrap()
            < html.find("<summary><bdi>head: ").unwrap()
    );
    assert_eq!(html, comparison().html().unwrap(), "the same bytes");
}

#[test]
fn names_that_look_like_html_stay_texts_in_every_place() {
    let evil = |n: u32| format!("\"><img src=x onerror=alert({n})>.jpg");
    let text = |n: u32| Some(evil(n));
    let turned = |n: u32| Turned {
        id: evil(n),
        label: evil(n + 1),
        this: (evil(n + 2), 0.5),
        that: (evil(n + 3), 0.5),
    };
    let page = Comparison {
        this: Side { name: evil(1), artifact: evil(2) },
        that: Side { name: evil(3), artifact: evil(4) },
        split: evil(5),
        pairs: vec![Pair {
            this: evil(6),
            that: evil(7),
            fixed: vec![turned(10)],
            broken: vec![turned(20)],
            ..pair("")
        }],
        warnings: vec![evil(30)],
        settings: vec![Setting { stage: evil(31), name: evil(32), that: text(33), this: text(34) }],
        unknown: vec![evil(35)],
        recorded: vec![(evil(36), None, None)],
    };
    let html = page.html().unwrap();
    assert!(!elements(&html).contains(&"img".to_owned()));
    for n in (1..=7).chain(10..=13).chain(20..=23).chain(30..=36) {
        assert!(
            html.contains(&format!("&quot;&gt;&lt;img src=x onerror=alert({n})&gt;.jpg")),
            "text {n}\n{html}"
        );
    }
}

#[test]
fn two_thousand_photos_take_less_than_a_megabyte() {
    let listed =
        |from: usize| (from..from + 1000).map(|n| turned(&format!("valid/dogs/dog.{n}.jpg"), "cats", "dogs"));
    let test = McNemar { only_first: 5000, only_second: 1000, p_value: 0.0 };
    let pair = Pair { fixed: listed(0).collect(), broken: listed(1000).collect(), test, ..pair("head") };
    let html = Comparison { pairs: vec![pair], ..comparison() }.html().unwrap();
    assert!(html.len() < 1_000_000, "{} bytes", html.len());
    assert!(html.contains("and 4,000 more"));
}
