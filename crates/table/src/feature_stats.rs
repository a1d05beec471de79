//! [`FeatureStats`]: what there is to say of the features of a table, in one pass and in memory of a few rows.
//!
//! Mean and deviation of each feature are carried along by Welford's recurrence ("Note on a method for calculating corrected
//! sums of squares and products", 1962), which loses no digits where a mean is large: with the n-th value x,
//!
//! ```text
//! mean' = mean + (x - mean) / n        squares' = squares + (x - mean) (x - mean')        std = sqrt(squares / n)
//! ```

use crate::FeatureRow;

/// Names of rows that are kept.
const NAMED: usize = 3;

/// What is known of the rows so far. Rows with a number that is not finite are counted and named, and in nothing else.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureStats {
    rows: u64,
    norms: Norms,
    /// Of each feature, `[D]`.
    least: Vec<f32>,
    greatest: Vec<f32>,
    means: Vec<f64>,
    squares: Vec<f64>,
    not_finite: NotFinite,
}

/// Euclidean lengths of rows.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Norms {
    /// The least.
    pub min: f64,
    /// Their mean.
    pub mean: f64,
    /// The greatest.
    pub max: f64,
}

/// Rows with NaN or an infinity.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct NotFinite {
    /// How many.
    pub rows: u64,
    /// The first of them, by id; with the view where that is not 0.
    pub first: Vec<String>,
}

impl FeatureStats {
    /// Of no rows yet, with `dim` features each.
    pub fn new(dim: usize) -> Self {
        FeatureStats {
            rows: 0,
            norms: Norms { min: f64::INFINITY, mean: 0.0, max: 0.0 },
            least: vec![f32::INFINITY; dim],
            greatest: vec![f32::NEG_INFINITY; dim],
            means: vec![0.0; dim],
            squares: vec![0.0; dim],
            not_finite: NotFinite::default(),
        }
    }

    /// One more row with its features, `[D]`.
    pub fn add(&mut self, row: &FeatureRow, features: &[f32]) {
        if features.iter().any(|x| !x.is_finite()) {
            self.not_finite.rows += 1;
            if self.not_finite.first.len() < NAMED {
                let FeatureRow { id, view, .. } = row;
                let name = if *view == 0 { id.clone() } else { format!("{id} view {view}") };
                self.not_finite.first.push(name);
            }
            return;
        }
        self.rows += 1;
        let share = 1.0 / self.rows as f64;
        let norm = features.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
        self.norms.min = self.norms.min.min(norm);
        self.norms.max = self.norms.max.max(norm);
        self.norms.mean += (norm - self.norms.mean) * share;
        for (least, x) in self.least.iter_mut().zip(features) {
            *least = least.min(*x);
        }
        for (greatest, x) in self.greatest.iter_mut().zip(features) {
            *greatest = greatest.max(*x);
        }
        for ((mean, squares), x) in self.means.iter_mut().zip(&mut self.squares).zip(features) {
            let before = f64::from(*x) - *mean;
            *mean += before * share;
            *squares += before * (f64::from(*x) - *mean);
        }
    }

    /// D, features in a row.
    pub fn dim(&self) -> usize {
        self.means.len()
    }

    /// Rows that are measured: the finite ones.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Rows that are left out.
    pub fn not_finite(&self) -> &NotFinite {
        &self.not_finite
    }

    /// Lengths of the rows; `None` without rows.
    pub fn norms(&self) -> Option<Norms> {
        (self.rows > 0).then_some(self.norms)
    }

    /// The features that are 0 in every row: they say nothing. None where there are no rows.
    pub fn dead(&self) -> Vec<usize> {
        self.places(|least, greatest| least == 0.0 && greatest == 0.0)
    }

    /// The features that have one value in every row, which is not 0. Of fewer than two rows: none.
    pub fn constant(&self) -> Vec<usize> {
        if self.rows < 2 {
            return vec![];
        }
        self.places(|least, greatest| least == greatest && least != 0.0)
    }

    fn places(&self, is_wanted: impl Fn(f32, f32) -> bool) -> Vec<usize> {
        let ranges = self.least.iter().zip(&self.greatest).enumerate();
        ranges
            .filter(|(_, (least, greatest))| is_wanted(**least, **greatest))
            .map(|(place, _)| place)
            .collect()
    }

    /// The mean of each feature, `[D]`; 0 without rows.
    pub fn means(&self) -> &[f64] {
        &self.means
    }

    /// The standard deviation of each feature over the rows, `[D]`, dividing by their number; 0 without rows.
    pub fn stds(&self) -> Vec<f64> {
        let rows = self.rows.max(1) as f64;
        self.squares.iter().map(|squares| (squares / rows).sqrt()).collect()
    }

    /// Mean and standard deviation of all numbers of all rows, dividing by their count; `None` without numbers.
    pub fn mean_and_std(&self) -> Option<(f64, f64)> {
        let features = self.means.len() as f64;
        if self.rows == 0 || self.means.is_empty() {
            return None;
        }
        let mean = self.means.iter().sum::<f64>() / features;
        // What numbers lie from the mean of their feature, and features from the mean of all.
        let within = self.squares.iter().sum::<f64>() / self.rows as f64;
        let between: f64 = self.means.iter().map(|of_feature| (of_feature - mean).powi(2)).sum();
        Some((mean, ((within + between) / features).sqrt()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Split;

    fn row(id: &str, view: u32) -> FeatureRow {
        FeatureRow { id: id.to_owned(), split: Split::Train, label: None, label_id: None, view }
    }

    fn stats(rows: &[[f32; 4]]) -> FeatureStats {
        let mut stats = FeatureStats::new(4);
        rows.iter().for_each(|features| stats.add(&row("a.jpg", 0), features));
        stats
    }

    #[test]
    fn norms_means_and_deviations_are_those_of_numpy() {
        // x = np.array([[3, 0, 4, 1000], [0, 0, 0, 1001], [-1, 0, 4, 1003]], dtype=np.float64)
        // np.linalg.norm(x, axis=1); x.mean(axis=0); x.std(axis=0); x.mean(); x.std()
        let stats = stats(&[[3.0, 0.0, 4.0, 1000.0], [0.0, 0.0, 0.0, 1001.0], [-1.0, 0.0, 4.0, 1003.0]]);
        let near = |found: f64, expected: f64| (found - expected).abs() < 1e-9 * expected.abs().max(1.0);
        let norms = stats.norms().unwrap();
        let found = [norms.min, norms.mean, norms.max];
        let expected = [1000.0124999218759, 1001.3403248207819, 1003.0084745404697];
        assert!(found.iter().zip(expected).all(|(f, e)| near(*f, e)), "{found:?}");
        let expected = [0.6666666666666666, 0.0, 2.6666666666666665, 1001.3333333333334];
        assert!(stats.means().iter().zip(expected).all(|(f, e)| near(*f, e)), "{:?}", stats.means());
        let expected = [1.699673171197595, 0.0, 1.8856180831641267, 1.247219128924647];
        assert!(stats.stds().iter().zip(expected).all(|(f, e)| near(*f, e)), "{:?}", stats.stds());
        let (mean, std) = stats.mean_and_std().unwrap();
        assert!(near(mean, 251.16666666666666) && near(std, 433.11234749837774), "{mean} {std}");
    }

    #[test]
    fn a_dead_feature_is_zero_in_all_rows_and_a_constant_one_has_another_value() {
        let found = stats(&[[0.0, 7.0, 1.0, -0.0], [-0.0, 7.0, 0.0, 0.0]]);
        assert_eq!((found.dead(), found.constant()), (vec![0, 3], vec![1]));
        let one = stats(&[[0.0, 7.0, 1.0, 2.0]]);
        assert_eq!((one.dead(), one.constant()), (vec![0], vec![]), "one row says nothing of constants");
        let none = stats(&[]);
        assert_eq!((none.dead(), none.norms(), none.mean_and_std()), (vec![], None, None));
    }

    #[test]
    fn rows_that_are_not_finite_are_named_and_left_out_of_everything_else() {
        let mut found = stats(&[[1.0, 2.0, 3.0, 4.0]]);
        let expected = found.clone();
        found.add(&row("b.jpg", 0), &[0.0, f32::NAN, 0.0, 0.0]);
        found.add(&row("c.jpg", 2), &[0.0, 0.0, 0.0, f32::NEG_INFINITY]);
        found.add(&row("d.jpg", 0), &[f32::INFINITY; 4]);
        found.add(&row("e.jpg", 0), &[f32::NAN; 4]);
        let names = ["b.jpg", "c.jpg view 2", "d.jpg"].map(str::to_owned).to_vec();
        assert_eq!(*found.not_finite(), NotFinite { rows: 4, first: names });
        assert_eq!((found.rows(), found.norms(), found.stds()), (1, expected.norms(), expected.stds()));
    }
}
