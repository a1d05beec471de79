//! Geometry of features: who is near whom, and a plane that shows most of it.
//!
//! Both functions compute on the threads of the thread that calls them; see
//! [`device::set_threads`](crate::device::set_threads). Features are finite.

use pipeline_stage::random::Stream;
use rand_distr::{Distribution, StandardNormal};
use tch::{Kind, TchError, Tensor};

use crate::error::Error;

/// Queries and rows that are compared at a time: 2 MB of similarities, which stay in the processor's cache.
const QUERIES: usize = 256;
const ROWS: usize = 2048;

/// Directions that are followed to find two: the ten more are scikit-learn's `n_oversamples`.
const DIRECTIONS: usize = 12;
/// How often they are turned towards the largest variance; scikit-learn does it 4 to 7 times.
const TURNS: usize = 12;

/// A row that is near another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbour {
    /// Its row among those searched.
    pub row: usize,
    /// Cosine of the angle between both, -1 to 1.
    pub similarity: f32,
}

/// For each row of `queries`, `[Q, dim]`, its `count` nearest rows of `rows`, `[N, dim]`, by cosine, the nearest first; of
/// equally near ones the smaller row first. `skip(query, row)` leaves a pair out, such as a photo and itself. Blocks of both
/// are compared, so that memory does not grow with Q times N.
///
/// The cosine is `a · b / (|a| |b|)`; that of a row of zeros is 0 to every other.
///
/// # Errors
/// [`Error::Torch`], also where a slice is not made of whole rows.
pub fn nearest(
    queries: &[f32],
    rows: &[f32],
    dim: usize,
    count: usize,
    skip: &dyn Fn(usize, usize) -> bool,
) -> Result<Vec<Vec<Neighbour>>, Error> {
    let width = dim.max(1);
    let mut nearest = vec![Vec::with_capacity(count + 1); queries.len() / width];
    let compare = |queries, rows: &Tensor| unit(queries, dim)?.f_matmul(&rows.f_tr()?)?.f_clamp(-1.0, 1.0);
    let mut similarities = vec![0.0; QUERIES * ROWS];
    for (block, rows) in rows.chunks(ROWS * width).enumerate() {
        let count_rows = rows.len() / width;
        let rows = unit(rows, dim).map_err(Error::torch("compare features"))?; // [R, dim]
        for (queries, (first, nearest)) in
            queries.chunks(QUERIES * width).zip((0..).step_by(QUERIES).zip(nearest.chunks_mut(QUERIES)))
        {
            let found = &mut similarities[..nearest.len() * count_rows]; // [Q, R]
            compare(queries, &rows)
                .and_then(|cosines| cosines.f_copy_data(found, nearest.len() * count_rows))
                .map_err(Error::torch("compare features"))?;
            for (query, (nearest, found)) in
                nearest.iter_mut().zip(found.chunks_exact(count_rows)).enumerate()
            {
                keep(nearest, count, found, block * ROWS, &|row| skip(first + query, row));
            }
        }
    }
    Ok(nearest)
}

/// Rows of length 1, `[R, dim]`; rows of zeros stay.
fn unit(rows: &[f32], dim: usize) -> Result<Tensor, TchError> {
    let rows = Tensor::f_from_slice(rows)?.f_view([-1, dim as i64])?;
    let length = rows.f_norm_scalaropt_dim_dtype(2, [1i64].as_slice(), true, Kind::Double)?;
    rows.f_div(&length.f_to_kind(Kind::Float)?.f_clamp_min(f64::from(f32::MIN_POSITIVE))?)
}

/// Takes the nearest of the rows from `first` on, whose similarities these are, among the `count` nearest so far.
fn keep(
    nearest: &mut Vec<Neighbour>,
    count: usize,
    similarities: &[f32],
    first: usize,
    skip: &dyn Fn(usize) -> bool,
) {
    let bar_of = |nearest: &[Neighbour]| match nearest.last() {
        Some(farthest) if nearest.len() == count => farthest.similarity,
        _ => f32::NEG_INFINITY,
    };
    let mut bar = bar_of(nearest);
    for (row, &similarity) in (first..).zip(similarities) {
        // Rows ascend, so that one as near as the farthest that is kept comes after it.
        if similarity > bar && !skip(row) {
            let place = nearest.partition_point(|kept| kept.similarity >= similarity);
            nearest.insert(place, Neighbour { row, similarity });
            nearest.truncate(count);
            bar = bar_of(nearest);
        }
    }
}

/// The coordinates `[N, 2]` of `rows`, `[N, dim]`, on their first two principal components, and the shares of the variance
/// that these have, 0 to 1. Each component points where its largest weight by absolute value is positive.
///
/// By subspace iteration (Halko, Martinsson and Tropp 2011, "Finding structure with randomness", algorithm 4.4, and 5.3 for
/// the components), as scikit-learn's `PCA(svd_solver="randomized")`, which takes a second where the eigenvectors of a
/// covariance of 4,096 features take a quarter of a minute. Components whose variances are nearly the same may be mixed.
/// Where there is no second component, or no variance, coordinates and shares are 0.
///
/// # Errors
/// [`Error::Torch`], also where the slice is not made of whole rows.
pub fn principal_plane(rows: &[f32], dim: usize) -> Result<(Vec<[f32; 2]>, [f64; 2]), Error> {
    if rows.is_empty() {
        return Ok((vec![], [0.0; 2]));
    }
    plane(rows, dim).map_err(Error::torch("find the principal components of features"))
}

fn plane(rows: &[f32], dim: usize) -> Result<(Vec<[f32; 2]>, [f64; 2]), TchError> {
    let mut x = Tensor::f_from_slice(rows)?.f_view([-1, dim as i64])?; // [N, dim]
    let count = x.size()[0];
    let _ = x.f_sub_(&x.f_mean_dim([0i64].as_slice(), false, Kind::Float)?)?;
    let deviations = x.f_norm_scalaropt_dim(2, [0i64].as_slice(), false)?.f_to_kind(Kind::Double)?; // [dim]
    let variance = deviations.f_square()?.f_sum(Kind::Double)?.f_double_value(&[])?;

    let directions = DIRECTIONS.min(dim).min(count as usize);
    let mut basis = start(dim, directions)?; // [dim, D]
    for _ in 0..TURNS {
        let turned = x.f_tr()?.f_matmul(&x.f_matmul(&basis)?)?; // [dim, D]
        basis = Tensor::f_linalg_qr(&turned, "reduced")?.0;
    }
    let seen = x.f_matmul(&basis)?.f_to_kind(Kind::Double)?; // [N, D]
    let (variances, vectors) = seen.f_tr()?.f_matmul(&seen)?.f_linalg_eigh("L")?; // ascending: [D], [D, D]

    let axes = directions.min(2);
    let vectors = vectors.f_flip([1i64])?.f_narrow(1, 0, axes as i64)?; // [D, A]
    let components = basis.f_to_kind(Kind::Double)?.f_matmul(&vectors)?; // [dim, A]
    let mut at = vec![[0.0; 2]; count as usize];
    let mut shares = [0.0; 2];
    for axis in 0..axes {
        let component = components.f_select(1, axis as i64)?; // [dim]
        let largest = component.f_get(component.f_abs()?.f_argmax(0, false)?.f_int64_value(&[])?)?;
        let component = component.f_mul(&largest.f_sign()?)?.f_to_kind(Kind::Float)?;
        let values: Vec<f32> = Vec::try_from(&x.f_mv(&component)?)?; // [N]
        for (at, value) in at.iter_mut().zip(values) {
            at[axis] = value;
        }
        if variance > 0.0 {
            let share = variances.f_double_value(&[(directions - 1 - axis) as i64])? / variance;
            shares[axis] = share.clamp(0.0, 1.0);
        }
    }
    Ok((at, shares))
}

/// Directions drawn from a normal distribution, `[dim, directions]`: always the same ones.
fn start(dim: usize, directions: usize) -> Result<Tensor, TchError> {
    let mut random = Stream { purpose: "principal plane", ..Stream::default() }.start();
    let mut draw = || -> f64 { StandardNormal.sample(&mut random) };
    let values: Vec<f32> = (0..dim * directions).map(|_| draw() as f32).collect();
    Tensor::f_from_slice(&values)?.f_view([dim as i64, directions as i64])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(queries: &[f32], rows: &[f32], dim: usize, count: usize) -> Vec<Vec<(usize, f32)>> {
        let nearest = nearest(queries, rows, dim, count, &|_, _| false).unwrap();
        nearest.into_iter().map(|of| of.into_iter().map(|n| (n.row, n.similarity)).collect()).collect()
    }

    #[test]
    fn nearness_is_the_cosine_and_length_does_not_matter() {
        // cos((3, 4), (1, 0)) = 3/5, ((3, 4), (0, 7)) = 4/5, ((3, 4), (-30, -40)) = -1.
        let rows = [1.0, 0.0, 0.0, 7.0, -30.0, -40.0];
        assert_eq!(found(&[3.0, 4.0], &rows, 2, 3), [[(1, 0.8), (0, 0.6), (2, -1.0)]]);
        assert_eq!(found(&[3.0, 4.0], &rows, 2, 2), [[(1, 0.8), (0, 0.6)]]);
    }

    #[test]
    fn of_equally_near_rows_the_smaller_comes_first_and_zeros_are_near_to_none() {
        let rows = [0.0, 1.0, 2.0, 0.0, 1.0, 0.0, 0.0, 0.0, 5.0, 0.0];
        assert_eq!(found(&[1.0, 0.0], &rows, 2, 4), [[(1, 1.0), (2, 1.0), (4, 1.0), (0, 0.0)]]);
        assert_eq!(found(&[0.0, 0.0], &rows, 2, 2), [[(0, 0.0), (1, 0.0)]]);
    }

    #[test]
    fn pairs_that_are_skipped_are_not_found_and_there_may_be_fewer_rows_than_asked_for() {
        let rows = [1.0, 0.0, 1.0, 1.0, 0.0, 1.0];
        let others = nearest(&rows, &rows, 2, 9, &|query, row| query == row).unwrap();
        let rows_of: Vec<Vec<usize>> = others.iter().map(|of| of.iter().map(|n| n.row).collect()).collect();
        assert_eq!(rows_of, [[1, 2], [0, 2], [1, 0]]);
    }

    #[test]
    fn nothing_is_near_nothing() {
        assert!(found(&[], &[1.0, 2.0], 2, 3).is_empty());
        assert_eq!(found(&[1.0, 2.0], &[], 2, 3), [[]]);
        assert_eq!(found(&[1.0, 2.0], &[1.0, 2.0], 2, 0), [[]]);
    }

    #[test]
    fn features_that_are_no_whole_rows_are_refused() {
        let error = nearest(&[1.0, 2.0, 3.0], &[1.0, 2.0], 2, 1, &|_, _| false).unwrap_err();
        assert!(error.to_string().starts_with("cannot compare features: "), "{error}");
        assert!(nearest(&[1.0], &[1.0], 0, 1, &|_, _| false).is_err());
        let error = principal_plane(&[1.0, 2.0, 3.0], 2).unwrap_err();
        assert!(
            error.to_string().starts_with("cannot find the principal components of features: "),
            "{error}"
        );
    }

    #[test]
    fn a_line_has_one_component_which_points_where_its_largest_weight_is_positive() {
        // Around their centre (1, 0, 2), rows are -5, 0 and 5 times the direction (0.6, 0, -0.8), whose largest weight is
        // that of the third feature: the component is (-0.6, 0, 0.8).
        let rows = [-2.0, 0.0, 6.0, 1.0, 0.0, 2.0, 4.0, 0.0, -2.0];
        let (at, shares) = principal_plane(&rows, 3).unwrap();
        for (found, expected) in at.iter().zip([[5.0, 0.0], [0.0, 0.0], [-5.0, 0.0]]) {
            assert!((found[0] - expected[0]).abs() < 1e-5 && found[1].abs() < 1e-5, "{at:?}");
        }
        assert!((shares[0] - 1.0).abs() < 1e-6 && shares[1].abs() < 1e-6, "{shares:?}");
    }

    #[test]
    fn where_there_is_no_variance_everything_is_at_the_origin() {
        for (rows, dim) in [(vec![1.5, 2.0], 2), (vec![1.5; 12], 3)] {
            let (at, shares) = principal_plane(&rows, dim).unwrap();
            assert_eq!((at, shares), (vec![[0.0; 2]; rows.len() / dim], [0.0; 2]));
        }
        assert_eq!(principal_plane(&[], 3).unwrap(), (vec![], [0.0; 2]));
        let (at, shares) = principal_plane(&[1.0, 3.0], 1).unwrap();
        assert_eq!((at, shares), (vec![[-1.0, 0.0], [1.0, 0.0]], [1.0, 0.0]));
    }
}
