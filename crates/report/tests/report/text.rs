use pipeline_report::chart::{Chart, Look, Mark, Scale};

use super::chart::{axis, line, sample};

#[test]
fn control_characters_reach_neither_terminal_nor_file() {
    let evil = "a\u{1b}[31mb\u{0}\u{7}\u{9b}\nc\u{ffff}";
    let chart = Chart {
        title: evil.to_owned(),
        x: axis(evil, Scale::Linear),
        y: axis(evil, Scale::Linear),
        lines: vec![line(evil, &[(0.0, 1.0)], Look::Line)],
        marks: vec![Mark { x: 0.5, label: evil.to_owned() }],
    };
    let text = chart.to_text(80, 24);
    assert_eq!(text.matches("a�[31mb��� c�").count(), 5, "{text}");
    for shown in [text, chart.svg().unwrap()] {
        assert!(shown.chars().all(|c| c == '\n' || !c.is_control() && c != '\u{ffff}'), "{shown:?}");
    }
}

/// By hand: 45 columns and 10 rows remain for the plot, which shows x from 0 to 101.5 and y from 0 to 4.2, with margins of
/// 1.5 % and 5 %. Counted from 0, the mark is in column 44 * 25 / 101.5 = 11; the points in column 44 * 50 / 101.5 = 22,
/// row 9 * (1 - 3 / 4.2) = 3, and in column 33, row 7; the flat line in row 9 * (1 - 2 / 4.2) = 5. The first line goes
/// from corner to corner, a dot being half a column wide and a quarter of a row high.
#[test]
fn a_chart_as_text() {
    let chart = Chart {
        title: "Title".to_owned(),
        x: axis("step", Scale::Linear),
        y: axis("loss", Scale::Linear),
        lines: vec![
            line("up", &[(0.0, 0.0), (100.0, 4.0)], Look::Line),
            line("flat", &[(0.0, 2.0), (100.0, 2.0)], Look::Line),
            line("points", &[(50.0, 3.0), (75.0, 1.0)], Look::Points),
        ],
        marks: vec![Mark { x: 25.0, label: "epoch 1".to_owned() }],
    };
    let expected = "\
Title
⠶ up   • flat   × points
loss
           epoch 1
4 ┤           ┊                              ⢀⡠⠄
  │           ┊                         ⢀⣀⠤⠒⠊⠁
  │           ┊                     ⣀⠤⠔⠊⠁
  │           ┊          ×     ⣀⡠⠔⠒⠉
  │           ┊           ⢀⡠⠤⠒⠉
2 ┤••••••••••••••••••••••••••••••••••••••••••••
  │           ┊  ⣀⠤⠔⠊⠁
  │         ⣀⡠⠔⠊⠉                   ×
  │    ⢀⡠⠤⠒⠉  ┊
0 ┤⣀⠤⠒⠉⠁      ┊
  └┬─────────────────────┬────────────────────┬─
   0                    50                   100
                       step
";
    let text = chart.to_text(48, 17);
    assert_eq!(text, expected, "{text}");
}

#[test]
fn text_fits_its_place() {
    let mut chart = sample();
    chart.lines.extend((0..30).map(|i| line(&format!("curve number {i}"), &[(1.0, 2.0)], Look::Line)));
    chart.title = "A title that is longer than a narrow terminal is wide".to_owned();
    for (width, height) in [(30, 16), (57, 20), (120, 40), (300, 16)] {
        let text = chart.to_text(width, height);
        assert_eq!(text.lines().count(), height, "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= width), "{width}: {text}");
        assert!(text.contains(" more\n"), "{text}");
    }
    assert_eq!(chart.to_text(0, 0), chart.to_text(30, 16));
}
