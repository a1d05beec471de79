use image::{Rgb, RgbImage};
use pipeline_report::chart::{Axis, Chart, HEIGHT, Line, Look, Mark, Scale, WIDTH};

const BLUE: Rgb<u8> = Rgb([0, 114, 178]);
const ORANGE: Rgb<u8> = Rgb([213, 94, 0]);
/// Below the legend, in pixels; charts here have one row of it.
const LEGEND_END: u32 = 82;

pub(super) fn line(name: &str, points: &[(f64, f64)], look: Look) -> Line {
    Line { name: name.to_owned(), points: points.to_vec(), look }
}

pub(super) fn axis(label: &str, scale: Scale) -> Axis {
    Axis { label: label.to_owned(), scale, floor: None }
}

/// All looks, both scales, marks, a gap.
pub(super) fn sample() -> Chart {
    let curve =
        |shift: f64| (0..9).map(|k| (10_f64.powi(k - 6), shift + f64::from(k * k))).collect::<Vec<_>>();
    let mut gap = curve(7.0);
    gap[4].1 = f64::NAN;
    Chart {
        title: "A chart".to_owned(),
        x: axis("rate", Scale::Log),
        y: axis("loss", Scale::Linear),
        lines: vec![
            line("faint", &curve(3.0), Look::Faint),
            line("line", &gap, Look::Line),
            line("points", &curve(20.0), Look::Points),
            line("both", &curve(30.0), Look::LineAndPoints),
        ],
        marks: vec![Mark { x: 0.02, label: "valley".to_owned() }, Mark { x: 0.05, label: String::new() }],
    }
}

/// Pixels below the legend of exactly this colour.
fn pixels(picture: &RgbImage, colour: Rgb<u8>) -> Vec<(u32, u32)> {
    let all = picture.enumerate_pixels().filter(|(_, y, pixel)| *y > LEGEND_END && **pixel == colour);
    all.map(|(x, y, _)| (x, y)).collect()
}

/// Middles of the markers of this colour, from left to right; they do not touch.
fn markers(picture: &RgbImage, colour: Rgb<u8>) -> Vec<(f64, f64)> {
    let mut found = pixels(picture, colour);
    found.sort_unstable();
    let mean = |values: Vec<u32>| values.iter().map(|v| f64::from(*v)).sum::<f64>() / values.len() as f64;
    let marker =
        |of: &[(u32, u32)]| (mean(of.iter().map(|p| p.0).collect()), mean(of.iter().map(|p| p.1).collect()));
    found.chunk_by(|a, b| b.0 - a.0 <= 1).map(marker).collect()
}

/// Orange points are at (0, 0) and (8, 4), so a blue line from (0, 1) to (8, 1) is a quarter of their height above the
/// lower one and reaches from one to the other.
#[test]
fn a_line_goes_through_the_pixels_of_its_values() {
    let lines = vec![
        line("flat", &[(0.0, 1.0), (8.0, 1.0)], Look::Line),
        line("ends", &[(0.0, 0.0), (8.0, 4.0)], Look::Points),
    ];
    let picture = Chart { lines, ..Chart::default() }.render().unwrap();
    let ends = markers(&picture, ORANGE);
    assert_eq!(ends.len(), 2, "{ends:?}");
    assert!(ends[0].1 - ends[1].1 > 400.0 && ends[1].0 - ends[0].0 > 900.0, "{ends:?}");
    let expected = ends[0].1 + (ends[1].1 - ends[0].1) / 4.0;
    let row = expected.round() as u32;
    assert!(pixels(&picture, BLUE).iter().all(|(_, y)| y.abs_diff(row) <= 2), "expected y {expected}");
    for x in ends[0].0.ceil() as u32 + 1..ends[1].0 as u32 {
        assert_eq!(picture.get_pixel(x, row), &BLUE, "at {x}, {row}");
    }
}

#[test]
fn on_a_log_axis_a_thousandth_is_half_way_from_a_ten_thousandth_to_a_hundredth() {
    let points = [(1e-4, 1e-4), (1e-3, 1e-3), (1e-2, 1e-2)];
    let chart = Chart {
        x: axis("", Scale::Log),
        y: axis("", Scale::Log),
        lines: vec![line("", &points, Look::Points)],
        ..Chart::default()
    };
    let found = markers(&chart.render().unwrap(), BLUE);
    let [low, middle, high] = found.as_slice() else { panic!("{found:?}") };
    assert!((middle.0 - (low.0 + high.0) / 2.0).abs() < 0.75, "{found:?}");
    assert!((middle.1 - (low.1 + high.1) / 2.0).abs() < 0.75, "{found:?}");
    assert!(high.0 - low.0 > 900.0 && low.1 - high.1 > 400.0, "{found:?}");
}

#[test]
fn a_smaller_value_is_lower_and_further_left() {
    let chart = Chart {
        lines: vec![line("a", &[(0.0, 0.0)], Look::Points), line("b", &[(2.0, 5.0)], Look::Points)],
        ..Chart::default()
    };
    let picture = chart.render().unwrap();
    let (a, b) = (markers(&picture, BLUE)[0], markers(&picture, ORANGE)[0]);
    assert!(a.0 < b.0 && a.1 > b.1, "{a:?} {b:?}");
}

#[test]
fn the_same_chart_gives_the_same_files_of_1200_x_700_pixels() {
    let dir = tempfile::tempdir().unwrap();
    let read = |name: &str| fs_err::read(dir.path().join(name)).unwrap();
    for name in ["a", "b"] {
        sample().write_png(&dir.path().join(format!("{name}.png"))).unwrap();
        sample().write_svg(&dir.path().join(format!("{name}.svg"))).unwrap();
    }
    assert!(read("a.png") == read("b.png") && read("a.svg") == read("b.svg"));
    let picture = image::load_from_memory(&read("a.png")).unwrap().into_rgb8();
    assert_eq!(picture.dimensions(), (1200, 700));
    assert!(picture == sample().render().unwrap());
    assert!(read("a.svg") == sample().svg().unwrap().into_bytes());
    assert_eq!(sample().to_text(80, 24), sample().to_text(80, 24));
}

/// The names of all elements of an SVG and the texts in it, after checking that it is well-formed: each element is
/// closed, each attribute quoted, each `&` begins one of the five entities we write.
fn parse(svg: &str) -> (Vec<&str>, Vec<String>) {
    let (mut open, mut elements, mut texts) = (Vec::new(), Vec::new(), Vec::new());
    for part in svg.split('<').skip(1) {
        let (tag, text) = part.split_once('>').expect("a tag ends");
        assert!(!text.contains('>'), "{text}");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "</{name}>");
            assert_eq!(text.trim(), "");
            continue;
        }
        let name = tag.split([' ', '/']).next().unwrap_or(tag);
        elements.push(name);
        let attributes = tag[name.len()..].trim_end_matches('/');
        for attribute in attributes.split_inclusive("\" ").filter(|rest| !rest.trim().is_empty()) {
            let (key, value) = attribute.trim().split_once("=\"").unwrap_or_else(|| panic!("<{tag}>"));
            assert!(key.chars().all(|c| c.is_ascii_lowercase() || "-B".contains(c) || c == 'x'), "{key}");
            assert!(value.ends_with('"') && value.matches('"').count() == 1, "{attribute}");
        }
        if !tag.ends_with('/') {
            open.push(name);
        }
        if name == "text" {
            let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
            let known = entities.iter().map(|(entity, _)| text.matches(entity).count()).sum::<usize>();
            assert_eq!(text.matches('&').count(), known, "{text}");
            let plain = entities.iter().fold(text.to_owned(), |text, (entity, c)| text.replace(entity, c));
            texts.push(plain);
        } else {
            assert_eq!(text.trim(), "", "<{tag}>");
        }
    }
    assert_eq!(open, [] as [&str; 0], "left open");
    (elements, texts)
}

#[test]
fn an_svg_is_well_formed_and_says_what_the_chart_says() {
    let svg = sample().svg().unwrap();
    let (elements, texts) = parse(&svg);
    assert_eq!(elements[..2], ["svg", "rect"]);
    assert!(elements.iter().skip(2).all(|name| ["path", "text"].contains(name)), "{elements:?}");
    for expected in [
        "A chart",
        "faint",
        "line (1 left out)",
        "points",
        "both",
        "valley",
        "rate",
        "loss",
        "1e-6",
        "1e2",
        "80",
    ] {
        assert!(texts.iter().any(|text| text == expected), "{expected} in {texts:?}");
    }
    assert!(svg.contains(&format!("viewBox=\"0 0 {WIDTH} {HEIGHT}\"")));
    for word in ["href", "url(", "<script", "<image", "NaN", "inf"] {
        assert!(!svg.contains(word), "{word}");
    }
}

#[test]
fn texts_that_look_like_markup_stay_texts() {
    let evil = |n: u32| format!("</text><script>alert({n})</script>\"'&<&amp;");
    let chart = Chart {
        title: evil(1),
        x: axis(&evil(2), Scale::Linear),
        y: axis(&evil(3), Scale::Linear),
        lines: vec![line(&evil(4), &[(0.0, 1.0), (1.0, 2.0)], Look::Line)],
        marks: vec![Mark { x: 0.5, label: evil(5) }],
    };
    let svg = chart.svg().unwrap();
    let (elements, texts) = parse(&svg);
    assert!(!elements.contains(&"script"), "{elements:?}");
    for n in 1..=5 {
        assert_eq!(texts.iter().filter(|text| **text == evil(n)).count(), 1, "{n}: {texts:?}");
    }
}

#[test]
fn any_numbers_make_a_chart() {
    let odd = [
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MAX,
        f64::MIN,
        f64::MIN_POSITIVE,
        5e-324,
        0.0,
        -0.0,
    ];
    let mut cases: Vec<Vec<(f64, f64)>> = vec![vec![], vec![(3.0, 4.0)], vec![(2.0, 2.0); 7]];
    cases.extend(odd.map(|v| vec![(v, 1.0), (1.0, v), (v, v)]));
    cases.push(odd.iter().flat_map(|a| odd.iter().map(move |b| (*a, *b))).collect());
    cases.push(vec![(-1e300, 1e-290), (1e300, 1e300)]);
    cases.push(vec![(1.0, 1.0), (1.0 + f64::EPSILON, 1.0 - f64::EPSILON)]);
    for points in cases {
        for (x, y) in [(Scale::Linear, Scale::Linear), (Scale::Log, Scale::Log), (Scale::Linear, Scale::Log)]
        {
            for look in [Look::Line, Look::Faint, Look::Points, Look::LineAndPoints] {
                let marks = points.iter().map(|(x, _)| Mark { x: *x, label: "m".to_owned() }).collect();
                let chart = Chart {
                    x: axis("x", x),
                    y: axis("y", y),
                    lines: vec![line("l", &points, look)],
                    marks,
                    ..Chart::default()
                };
                let svg = chart.svg().unwrap();
                parse(&svg);
                let paths: String = svg.lines().filter(|line| line.starts_with("<path")).collect();
                assert!(!paths.contains("NaN") && !paths.contains("inf"), "{points:?}: {svg}");
                assert_eq!(chart.to_text(60, 20).lines().count(), 20, "{points:?}");
            }
        }
        Chart { lines: vec![line("l", &points, Look::Line)], ..Chart::default() }.render().unwrap();
    }
}

#[test]
fn what_is_left_out_or_below_the_axis_is_counted() {
    let points = [(0.0, 1e-9), (1.0, 0.0), (2.0, f64::NAN), (3.0, 0.5), (4.0, 1e-5)];
    let chart = Chart {
        y: Axis { floor: Some(1e-3), ..axis("y", Scale::Log) },
        lines: vec![line("l", &points, Look::Line), line("none", &[], Look::Line)],
        marks: vec![Mark { x: f64::NAN, label: "m".to_owned() }],
        ..Chart::default()
    };
    let svg = chart.svg().unwrap();
    let (_, texts) = parse(&svg);
    let text = chart.to_text(120, 20);
    for expected in ["l (2 left out, 2 below the axis)", "none (no points)", "1 of 1 marks have no place"] {
        assert!(texts.iter().any(|text| text.starts_with(expected)), "{expected}: {texts:?}");
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert!(texts.iter().any(|text| text == "1e-3") && !texts.iter().any(|text| text == "1e-4"), "{texts:?}");
}

#[test]
fn many_points_make_small_files_that_keep_the_extremes() {
    let dir = tempfile::tempdir().unwrap();
    let height =
        |i: u32| if i == 54_321 { 5.0 } else { f64::from(i.wrapping_mul(2_654_435_761) >> 16) / 65_536.0 };
    let points: Vec<_> = (0..100_000).map(|i| (f64::from(i), height(i))).collect();
    let chart = Chart { lines: vec![line("noise", &points, Look::Line)], ..Chart::default() };
    let size = |name: &str| fs_err::metadata(dir.path().join(name)).unwrap().len();
    chart.write_png(&dir.path().join("a.png")).unwrap();
    chart.write_svg(&dir.path().join("a.svg")).unwrap();
    assert!(size("a.png") < 100_000 && size("a.svg") < 100_000, "{} {}", size("a.png"), size("a.svg"));
    // The outlier stands alone in the upper half, a bit right of the middle.
    let found = pixels(&chart.render().unwrap(), BLUE);
    let upper: Vec<_> = found.iter().filter(|(_, y)| *y < 350).collect();
    assert!(upper.len() > 100 && upper.iter().all(|(x, _)| (640..700).contains(x)), "{upper:?}");
}

#[test]
fn a_file_that_cannot_be_written_is_named() {
    let dir = tempfile::tempdir().unwrap();
    for error in [
        sample().write_png(&dir.path().join("no/chart.png")).unwrap_err(),
        sample().write_svg(&dir.path().join("no/chart.svg")).unwrap_err(),
    ] {
        assert!(error.to_string().contains("no/chart."), "{error}");
    }
}
