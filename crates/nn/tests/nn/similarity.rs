//! Neighbours against numpy, principal components against scikit-learn.

use pipeline_nn::similarity::{nearest, principal_plane};
use pipeline_nn::{Kind, Tensor};

use crate::{assert_close, formula, read_fixture};

fn numbers(tensor: &Tensor) -> Vec<f32> {
    Vec::try_from(tensor.flatten(0, -1)).unwrap()
}

#[test]
fn the_nearest_by_cosine_are_numpys_across_blocks() {
    crate::one_thread();
    let expected = read_fixture("similarity.safetensors");
    let [queries, rows] = [formula::tensor("queries", &[300, 9]), formula::tensor("rows", &[2100, 9])];
    let found = nearest(&numbers(&queries), &numbers(&rows), 9, 4, &|_, _| false).unwrap();
    let [places, cosines]: [Vec<f32>; 2] = ["nearest", "cosines"]
        .map(|name| Vec::try_from(expected.get(name).unwrap().to_kind(Kind::Float).flatten(0, -1)).unwrap());
    assert_eq!(found.len(), 300);
    for (found, (place, cosine)) in found.iter().flatten().zip(places.iter().zip(&cosines)) {
        assert_eq!(found.row as f32, *place, "{found:?}, expected {place} at {cosine}");
        assert!((found.similarity - cosine).abs() < 1e-6, "{found:?}, expected {cosine}");
    }
}

#[test]
fn the_plane_is_scikit_learns_and_its_largest_weights_are_positive() {
    crate::one_thread();
    let expected = read_fixture("similarity.safetensors");
    for (name, rows) in [("plane", 61), ("few", 3)] {
        let spread = Tensor::linspace(3.0, 0.2, 17, (Kind::Double, pipeline_nn::Device::Cpu));
        let x =
            (formula::tensor(name, &[rows, 17]).to_kind(Kind::Double) * spread + 5.0).to_kind(Kind::Float);
        let (at, shares) = principal_plane(&numbers(&x), 17).unwrap();
        let at = Tensor::from_slice(&at.concat()).view([rows, 2]);
        assert_close(name, &at, expected.get(name).unwrap(), 1e-4);
        let shares_of = expected.get(&format!("{name}.shares")).unwrap();
        assert_close(&format!("{name} shares"), &Tensor::from_slice(&shares), shares_of, 1e-5);
    }
}
