use pipeline_report::chart::{Look, Mark, Scale};
use pipeline_report::training::{FinderPoint, Losses, Rates, Suggestion, finder_chart, loss_chart, lr_chart};

fn lr(rates: &[&[f64]]) -> (Scale, Option<f64>) {
    let steps: Vec<Vec<(u64, f64)>> =
        rates.iter().map(|rates| (0..).zip(rates.iter().copied()).collect()).collect();
    let groups: Vec<_> = steps.iter().map(|rates| Rates { group: "g", rates }).collect();
    let y = lr_chart(&groups).y;
    (y.scale, y.floor)
}

#[test]
fn rates_are_logarithmic_where_groups_differ_ten_times() {
    assert_eq!(lr(&[&[0.0001, 0.01], &[0.001, 0.0]]), (Scale::Log, Some(0.001 / 1000.0)));
    assert_eq!(lr(&[&[0.3], &[0.03]]), (Scale::Log, Some(0.03 / 1000.0)));
    assert_eq!(lr(&[&[0.01], &[0.0011]]), (Scale::Linear, None));
    assert_eq!(lr(&[&[0.01, 0.0001]]), (Scale::Linear, None), "one group");
    assert_eq!(lr(&[&[0.01], &[0.0]]), (Scale::Linear, None), "a group at rest");
    assert_eq!(lr(&[&[0.0], &[]]), (Scale::Linear, None));
    assert_eq!(lr(&[]), (Scale::Linear, None));
}

#[test]
fn each_group_is_a_line_over_its_steps() {
    let groups = [
        Rates { group: "trunk", rates: &[(1, 0.1), (2, 0.2), (5, 0.3)] },
        Rates { group: "head", rates: &[(7, 0.5)] },
    ];
    let chart = lr_chart(&groups);
    let lines: Vec<_> = chart.lines.iter().map(|line| (line.name.as_str(), line.points.as_slice())).collect();
    assert_eq!(lines, [("trunk", &[(1.0, 0.1), (2.0, 0.2), (5.0, 0.3)][..]), ("head", &[(7.0, 0.5)])]);
}

#[test]
fn losses_have_a_curve_each_and_empty_ones_none() {
    let (train, averaged, valid) = ([(1, 0.5), (2, 0.1)], [(1, 0.5), (2, 0.3)], [(2, 0.2)]);
    let seen = |losses: &Losses<'_>| -> Vec<(String, Look)> {
        loss_chart(losses).lines.into_iter().map(|line| (line.name, line.look)).collect()
    };
    let all = Losses { train: &train, averaged: &averaged, valid: &valid };
    let line = |name: &str, look| (name.to_owned(), look);
    assert_eq!(
        seen(&all),
        [
            line("train, each batch", Look::Faint),
            line("train, averaged", Look::Line),
            line("valid", Look::LineAndPoints)
        ]
    );
    assert_eq!(seen(&Losses { train: &train, ..Losses::default() }), [line("train, each batch", Look::Line)]);
    assert_eq!(loss_chart(&all).lines[2].points, [(2.0, 0.2)]);
    assert_eq!(loss_chart(&all).y.scale, Scale::Linear);
    assert!(loss_chart(&Losses::default()).lines.is_empty());
}

/// Half of 0.02; the batch of 0.0001 does not count.
#[test]
fn losses_that_fall_ten_times_are_logarithmic() {
    let losses = Losses {
        train: &[(1, 0.7), (9, 0.0001)],
        averaged: &[(1, 0.7), (9, 0.04)],
        valid: &[(5, 0.05), (9, 0.02), (10, f64::NAN)],
    };
    let y = loss_chart(&losses).y;
    assert_eq!((y.scale, y.floor), (Scale::Log, Some(0.01)));
}

#[test]
fn the_finder_shows_its_part_and_marks_what_it_suggests() {
    let point =
        |k: i32| FinderPoint { rate: 10_f64.powi(k - 5), loss: f64::from(k), averaged: f64::from(k) / 2.0 };
    let points: Vec<_> = (0..5).map(point).collect();
    let suggestions =
        [Suggestion { name: "valley", rate: 0.012_345 }, Suggestion { name: "steep", rate: 5e-4 }];
    let chart = finder_chart(&points, 1..4, &suggestions);
    assert_eq!(chart.x.scale, Scale::Log);
    assert_eq!(chart.lines[0].points, [(1e-4, 1.0), (1e-3, 2.0), (1e-2, 3.0)]);
    assert_eq!(chart.lines[1].points, [(1e-4, 0.5), (1e-3, 1.0), (1e-2, 1.5)]);
    let mark = |x, label: &str| Mark { x, label: label.to_owned() };
    assert_eq!(chart.marks, [mark(0.012_345, "valley 0.0123"), mark(5e-4, "steep 5e-4")]);
    for (shown, left) in [(0..9, 5), (4..9, 1), (7..9, 0), (3..3, 0)] {
        assert_eq!(finder_chart(&points, shown.clone(), &[]).lines[0].points.len(), left, "{shown:?}");
    }
}
