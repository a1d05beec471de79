//! A chart as text. From top to bottom: title, legend, the y axis's label, labels of marks, the plot, the x axis.

use super::axis::{Range, Tick};
use super::curve::{Curve, Place, curves, rows};
use super::{Chart, Look, marks, printable};

const MIN_WIDTH: usize = 30;
const MIN_HEIGHT: usize = 16;
const MAX_LEGEND_ROWS: usize = 2;
const MAX_MARK_ROWS: usize = 3;

/// Of the first curve, in the legend.
const DOTS: char = '⠶';
/// Of the others.
const SIGNS: [char; 7] = ['•', '×', '+', '○', '*', '□', '#'];

pub(super) fn render(chart: &Chart, width: usize, height: usize) -> String {
    let (width, height) = (width.max(MIN_WIDTH), height.max(MIN_HEIGHT));
    let (x, y, curves) = curves(chart);
    let mut lines = vec![cut(&printable(&chart.title), width)];
    lines.extend(legend(&curves, width));
    lines.push(cut(&printable(&chart.y.label), width));

    let y_ticks: Vec<Tick> =
        y.ticks((height / 4).clamp(2, 6)).into_iter().filter(|t| t.label.is_some()).collect();
    let labels = y_ticks.iter().filter_map(|tick| tick.label.as_ref());
    let indent = labels.map(|label| label.chars().count()).max().unwrap_or(0).min(width / 3) + 1;
    let columns = width - indent - 1;
    let blank = " ".repeat(indent + 1);

    let places = Marks::of(chart, &x, columns);
    lines.extend(places.rows.iter().map(|row| format!("{blank}{row}")));
    // Below the plot: the axis, its numbers, its label.
    let plot_rows = height - lines.len() - 3;
    let cells = plot(&curves, &places.columns, columns, plot_rows);
    for (row, line) in cells.into_iter().enumerate() {
        let tick = y_ticks.iter().find(|tick| nearest(1.0 - tick.at, plot_rows) == row);
        let label = tick.and_then(|tick| tick.label.as_deref()).map(|label| cut(label, indent - 1));
        let axis = if label.is_some() { '┤' } else { '│' };
        let line: String = line.into_iter().collect();
        lines.push(format!("{:>1$} {axis}{line}", label.unwrap_or_default(), indent - 1));
    }
    let [axis, numbers] = x_axis(&x, columns);
    lines.push(format!("{}└{axis}", " ".repeat(indent)));
    lines.push(format!("{blank}{numbers}"));
    let mut label = printable(&chart.x.label);
    if places.nameless > 0 {
        label = format!("{label} ({})", marks::note(places.nameless, chart));
    }
    let label = cut(&label, columns);
    let before = indent + 1 + (columns - label.chars().count()) / 2;
    lines.push(format!("{}{label}", " ".repeat(before)));
    lines.into_iter().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// Signs and names, in rows.
fn legend(curves: &[Curve], width: usize) -> Vec<String> {
    let mut rows: Vec<String> = Vec::new();
    for (at, curve) in curves.iter().enumerate() {
        let entry = cut(&format!("{} {}", sign(at), curve.name), width);
        let left = format!("and {} more", curves.len() - at);
        let is_full = rows.len() == MAX_LEGEND_ROWS;
        match rows.last_mut() {
            Some(row) if row.chars().count() + 3 + entry.chars().count() <= width => {
                *row += &format!("   {entry}")
            }
            Some(row) if is_full => {
                // Of the row, as much as leaves room to say how many are left.
                *row = format!("{}   {left}", cut(row, width - left.len() - 3));
                break;
            }
            _ => rows.push(entry),
        }
    }
    rows
}

fn sign(curve: usize) -> char {
    if curve == 0 { DOTS } else { SIGNS[(curve - 1) % SIGNS.len()] }
}

/// Marks on the plot.
struct Marks {
    columns: Vec<usize>,
    /// Labels, the row next to the plot last.
    rows: Vec<String>,
    nameless: usize,
}

impl Marks {
    fn of(chart: &Chart, range: &Range, columns: usize) -> Marks {
        let shown = chart.marks.iter().filter_map(|mark| Some((chart.x.shown(mark.x)?, &mark.label)));
        let shown: Vec<_> = shown.collect();
        let columns_of: Vec<usize> = shown.iter().map(|(x, _)| nearest(range.place(*x), columns)).collect();
        let labels: Vec<String> = shown.iter().map(|(_, label)| cut(&printable(label), columns)).collect();
        let named: Vec<usize> = (0..shown.len()).filter(|at| !labels[*at].is_empty()).collect();
        let extents: Vec<_> =
            named.iter().map(|at| (columns_of[*at] as f64, labels[*at].chars().count() as f64)).collect();
        let placed = rows(&extents, columns as f64, 2.0, MAX_MARK_ROWS);
        let mut rows: Vec<String> = Vec::new();
        // From left to right, so that each row grows at its end.
        let mut order: Vec<_> =
            named.iter().zip(&placed).filter_map(|(at, place)| Some((*at, (*place)?))).collect();
        order.sort_by(|a, b| a.1.1.total_cmp(&b.1.1));
        for (at, (row, start)) in order {
            rows.resize(rows.len().max(row + 1), String::new());
            let gap = (start.ceil() as usize).saturating_sub(rows[row].chars().count());
            rows[row] += &format!("{}{}", " ".repeat(gap), labels[at]);
        }
        rows.reverse();
        let placeless = chart.marks.len() - shown.len();
        let nameless = placeless + placed.iter().filter(|place| place.is_none()).count();
        Marks { columns: columns_of, rows, nameless }
    }
}

/// `[rows][columns]` characters.
fn plot(curves: &[Curve], marks: &[usize], columns: usize, rows: usize) -> Vec<Vec<char>> {
    let mut cells = vec![vec![' '; columns]; rows];
    for row in &mut cells {
        for column in marks {
            row[*column] = '┊';
        }
    }
    let Some((first, others)) = curves.split_first() else { return cells };
    // A Braille character is two dots wide and four high.
    let mut dots = vec![vec![0_u8; columns]; rows];
    trace(first, 2 * columns, 4 * rows, |x, y| dots[y / 4][x / 2] |= dot(x % 2, y % 4));
    for (cells, dots) in cells.iter_mut().zip(&dots) {
        for (cell, dots) in cells.iter_mut().zip(dots) {
            if *dots != 0 {
                *cell = char::from_u32(0x2800 + u32::from(*dots)).unwrap_or(DOTS);
            }
        }
    }
    for (at, curve) in others.iter().enumerate() {
        trace(curve, columns, rows, |x, y| cells[y][x] = sign(at + 1));
    }
    cells
}

/// The bit of a dot within its Braille character.
fn dot(x: usize, y: usize) -> u8 {
    const BITS: [[u8; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];
    BITS[x][y]
}

/// Calls `draw` with each place of a grid that the curve goes through, the top left being (0, 0).
fn trace(curve: &Curve, width: usize, height: usize, mut draw: impl FnMut(usize, usize)) {
    let cell = |(x, y): &Place| (nearest(*x, width), nearest(1.0 - y, height));
    for piece in &curve.pieces {
        for point in piece {
            let (x, y) = cell(point);
            draw(x, y);
        }
        for pair in piece.windows(2).filter(|_| curve.look != Look::Points) {
            let [(x0, y0), (x1, y1)] = [cell(&pair[0]), cell(&pair[1])];
            let steps = x0.abs_diff(x1).max(y0.abs_diff(y1)).max(1);
            let between = |a: usize, b: usize, k: usize| (a * (steps - k) + b * k + steps / 2) / steps;
            for k in 0..steps {
                draw(between(x0, x1, k), between(y0, y1, k));
            }
        }
    }
}

/// The cell of `count` that a place from 0 to 1 falls into.
fn nearest(at: f64, count: usize) -> usize {
    (at.clamp(0.0, 1.0) * (count.saturating_sub(1)) as f64).round() as usize
}

/// The axis with its ticks, and their labels.
fn x_axis(range: &Range, columns: usize) -> [String; 2] {
    let mut axis = vec!['─'; columns];
    let mut numbers = String::new();
    let ticks: Vec<_> = range
        .ticks((columns / 10).max(2))
        .into_iter()
        .filter_map(|tick| Some((tick.at, tick.label?)))
        .collect();
    let column = |at: &f64| nearest(*at, columns);
    let extents: Vec<_> =
        ticks.iter().map(|(at, label)| (column(at) as f64 + 0.5, label.chars().count() as f64)).collect();
    for ((at, label), place) in ticks.iter().zip(rows(&extents, columns as f64, 1.0, 1)) {
        let Some((_, start)) = place else { continue };
        axis[column(at)] = '┬';
        let gap = (start as usize).saturating_sub(numbers.chars().count());
        numbers += &format!("{}{label}", " ".repeat(gap));
    }
    [axis.into_iter().collect(), numbers]
}

/// The text, or as much of it as fits before a `…`.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}
