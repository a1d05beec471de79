//! [`Curve`]: a curve that is fed for hours and stays small.

/// Points that a curve keeps at most: more than a terminal has columns, a hundred times.
const MOST: usize = 4096;

/// Points as they come. When there are too many, each two neighbours become their mean.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Curve {
    /// Means of `every` points each.
    points: Vec<(f64, f64)>,
    every: usize,
    /// What has come since the last of them: how many, and their sum.
    open: (usize, f64, f64),
    last_x: Option<f64>,
}

impl Default for Curve {
    fn default() -> Self {
        Curve { points: vec![], every: 1, open: (0, 0.0, 0.0), last_x: None }
    }
}

impl Curve {
    /// Adds a point, unless it stands where the last one does.
    pub(super) fn push(&mut self, x: f64, y: f64) {
        if self.last_x.replace(x) == Some(x) {
            return;
        }
        let (count, sum_x, sum_y) = self.open;
        self.open = (count + 1, sum_x + x, sum_y + y);
        if self.open.0 == self.every {
            self.points.extend(mean(self.open));
            self.open = (0, 0.0, 0.0);
        }
        if self.points.len() == MOST {
            let halved = self.points.chunks(2).filter_map(|pair| {
                mean(pair.iter().fold((0, 0.0, 0.0), |(n, sx, sy), (x, y)| (n + 1, sx + x, sy + y)))
            });
            self.points = halved.collect();
            self.every *= 2;
        }
    }

    /// What is kept, from left to right.
    pub(super) fn points(&self) -> Vec<(f64, f64)> {
        self.points.iter().copied().chain(mean(self.open)).collect()
    }
}

fn mean((count, sum_x, sum_y): (usize, f64, f64)) -> Option<(f64, f64)> {
    let n = count as f64;
    (count > 0).then(|| (sum_x / n, sum_y / n))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_points_are_kept_as_they_are_and_one_place_has_one() {
        let mut curve = Curve::default();
        for (x, y) in [(1.0, 0.7), (2.0, 0.5), (2.0, 0.4), (5.0, 0.25)] {
            curve.push(x, y);
        }
        assert_eq!(curve.points(), [(1.0, 0.7), (2.0, 0.5), (5.0, 0.25)]);
    }

    #[test]
    fn many_points_become_means_of_neighbours_and_few() {
        let mut curve = Curve::default();
        // Steps 0 to 99,999, the value of each its double: means lie on the same line.
        (0..100_000).for_each(|step| curve.push(f64::from(step), 2.0 * f64::from(step)));
        let points = curve.points();
        assert!((MOST / 2..=MOST).contains(&points.len()), "{}", points.len());
        // 4,096 points halve at 4,096, 8,192, ... 65,536: 32 steps each from then on, 0 to 31 first.
        assert_eq!((points[0], points[1]), ((15.5, 31.0), (47.5, 95.0)));
        assert!(points.iter().all(|(x, y)| *y == 2.0 * x));
        // 100,000 = 32 x 3,125.
        assert_eq!((points.len(), points.last().unwrap().0), (3125, 99_983.5));
    }
}
