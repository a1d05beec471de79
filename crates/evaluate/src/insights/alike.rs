//! [`find`]: photos that are nearly the same, and photos that are like no other. [`neighbours`]: the training photos that a
//! photo is most like.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::num::NonZeroUsize;

use pipeline_nn::device;
use pipeline_nn::similarity::{Neighbour, nearest};
use pipeline_report::evaluation::{Insights, NearDuplicate, NeighbourPhoto, Outlier};
use pipeline_stage::lanes::in_order;
use pipeline_stage::{Context, Failure, words};
use pipeline_table::{FeatureRow, Features, Split};

use super::csv::Csv;
use super::is_plain;
use crate::model::Table;

/// Photos as near as this are nearly the same. Of the lesson's 5,000 photos, by resnet18, two pairs are nearer, and both are
/// the same photo twice; the next pair, at 0.925, is two cats of one colour. Copies made of its photos are mostly nearer: 19
/// of 20 as a JPEG of quality 30 or at half the size are above 0.952, and three of four that lack 5 % of their width and
/// height; mirrored ones, at 0.94, are not. Of 900 photos of Imagenette no pair is above 0.916.
const SAME: f32 = 0.95;
/// Pairs that are listed.
const MOST_PAIRS: usize = 200;
/// Nearest others that are looked at: an outlier is unlike them all, and not only unlike its own duplicate.
const OTHERS: usize = 5;
/// Outliers that are listed, and at most one photo in so many.
const MOST_OUTLIERS: usize = 50;
const PHOTOS_PER_OUTLIER: usize = 10;
/// Nearest training photos of a photo.
const NEIGHBOURS: usize = 4;
/// Photos that a lane compares with all others at a time.
const QUERIES: usize = 1024;
/// Rows of the table in memory at a time.
const BATCH_ROWS: usize = 2048;

/// Looks for near duplicates and outliers, and writes `near_duplicates.csv` and `outliers.csv`.
pub(crate) fn find(features: &Features, cx: &Context<'_>, insights: &mut Insights) -> Result<(), Failure> {
    let nearest = all_nearest(features, cx)?;
    let mut pairs = near_pairs(&nearest);
    // Where not all are listed, those that spoil what is measured are.
    pairs.sort_by_key(|(pair, _)| !is_leak(features, *pair));
    insights.notes.extend(notes(features, &pairs));
    insights.near_duplicates = pairs
        .iter()
        .take(MOST_PAIRS)
        .map(|(pair, similarity)| {
            let rows = pair.map(|row| &features.rows[row]);
            NearDuplicate {
                ids: rows.map(|row| row.id.clone()),
                splits: rows.map(|row| row.split.to_string()),
                labels: rows.map(label_of),
                similarity: *similarity,
            }
        })
        .collect();
    let mut csv = Csv::new(&["id", "other_id", "split", "other_split", "label", "other_label", "similarity"]);
    for pair in &insights.near_duplicates {
        let ([id, other_id], [split, other_split], [label, other]) = (&pair.ids, &pair.splits, &pair.labels);
        csv.row(&[id, other_id, split, other_split, label, other, &format!("{:.6}", pair.similarity)]);
    }
    csv.write(&cx.out.join("near_duplicates.csv"))?;

    insights.outliers = lonely(&nearest)
        .into_iter()
        .map(|(row, similarity)| {
            let row = &features.rows[row];
            Outlier { id: row.id.clone(), split: row.split.to_string(), label: label_of(row), similarity }
        })
        .collect();
    let mut csv = Csv::new(&["id", "split", "label", "similarity"]);
    for Outlier { id, split, label, similarity } in &insights.outliers {
        csv.row(&[id, split, label, &format!("{similarity:.6}")]);
    }
    Ok(csv.write(&cx.out.join("outliers.csv"))?)
}

/// Of each photo the nearest others.
fn all_nearest(features: &Features, cx: &Context<'_>) -> Result<Vec<Vec<Neighbour>>, Failure> {
    let Features { emb, dim, rows } = features;
    let progress = cx.progress("compare photos with each other", Some(rows.len() as u64), "photos");
    let compare = |(): &mut (), (first, queries): (usize, &[f32])| {
        device::set_threads(NonZeroUsize::MIN);
        let found = nearest(queries, emb, *dim, OTHERS, &|query, row| first + query == row)?;
        progress.add(found.len() as u64)?;
        Ok(found)
    };
    let mut all = Vec::with_capacity(rows.len());
    let queries = (0..).step_by(QUERIES).zip(emb.chunks(QUERIES * dim)).map(Ok);
    in_order(vec![(); cx.threads.get()], 1, queries, compare, |mut found| {
        all.append(&mut found);
        Ok(())
    })?;
    Ok(all)
}

/// Pairs of rows that are nearly the same, the smaller row first, and their similarity; the nearest pairs first.
fn near_pairs(nearest: &[Vec<Neighbour>]) -> Vec<([usize; 2], f32)> {
    let mut pairs = BTreeMap::new();
    for (row, others) in nearest.iter().enumerate() {
        for other in others.iter().filter(|other| other.similarity >= SAME) {
            pairs.entry([row.min(other.row), row.max(other.row)]).or_insert(other.similarity);
        }
    }
    let mut pairs: Vec<([usize; 2], f32)> = pairs.into_iter().collect();
    pairs.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    pairs
}

/// Whether one of both is trained on and the other measured on.
fn is_leak(features: &Features, [a, b]: [usize; 2]) -> bool {
    let is_trained_on = |row: usize| features.rows[row].split == Split::Train;
    is_trained_on(a) != is_trained_on(b)
}

fn notes(features: &Features, pairs: &[([usize; 2], f32)]) -> Vec<String> {
    let mut notes = vec![];
    match pairs.iter().filter(|(pair, _)| is_leak(features, *pair)).count() {
        0 => {}
        leaks => notes.push(format!(
            "{} of near duplicates {} one photo to train on and one to measure on: what is measured on these is too good.",
            if leaks == 1 { "1 pair".to_owned() } else { format!("{} pairs", words::count(leaks as u64)) },
            if leaks == 1 { "has" } else { "have" },
        )),
    }
    if pairs.len() > MOST_PAIRS {
        notes.push(format!(
            "There are {} pairs of near duplicates; {MOST_PAIRS} are listed, those across train and other splits first.",
            words::count(pairs.len() as u64)
        ));
    }
    notes
}

/// Rows whose mean similarity to their nearest others is the lowest, and that similarity; the lowest first.
fn lonely(nearest: &[Vec<Neighbour>]) -> Vec<(usize, f32)> {
    let mean = |others: &[Neighbour]| others.iter().map(|o| o.similarity).sum::<f32>() / others.len() as f32;
    let of = |(row, others): (usize, &Vec<Neighbour>)| (!others.is_empty()).then(|| (row, mean(others)));
    let mut rows: Vec<(usize, f32)> = nearest.iter().enumerate().filter_map(of).collect();
    rows.sort_by(|(_, a), (_, b)| a.total_cmp(b));
    rows.truncate(MOST_OUTLIERS.min(nearest.len() / PHOTOS_PER_OUTLIER));
    rows
}

/// The class name; empty where unlabelled.
fn label_of(row: &FeatureRow) -> String {
    row.label.clone().unwrap_or_default()
}

/// For each photo in `ids`, which are of any split, its nearest training photos other than itself, without pictures; none
/// of a photo that is not in the table. Memory holds a batch of the table.
pub(crate) fn neighbours(
    table: &Table,
    ids: &[&str],
    cx: &Context<'_>,
) -> Result<Vec<Vec<NeighbourPhoto>>, Failure> {
    device::set_threads(NonZeroUsize::MIN);
    let wanted: HashSet<&str> = ids.iter().copied().collect();
    let queries = table.reader.load(|row| is_plain(row) && wanted.contains(row.id.as_str()))?;
    let mut found: Vec<Vec<NeighbourPhoto>> = vec![vec![]; queries.rows.len()];
    let progress = cx.progress("find the nearest training photos", Some(table.reader.len() as u64), "rows");
    for batch in table.reader.batches(BATCH_ROWS) {
        let batch = batch?;
        let training = batch.only(|row| is_plain(row) && row.split == Split::Train);
        let is_itself = |query: usize, row: usize| queries.rows[query].id == training.rows[row].id;
        let nearest = nearest(&queries.emb, &training.emb, queries.dim, NEIGHBOURS, &is_itself)?;
        for (found, nearest) in found.iter_mut().zip(nearest) {
            found.extend(nearest.into_iter().map(|neighbour| {
                let row = &training.rows[neighbour.row];
                let similarity = neighbour.similarity;
                NeighbourPhoto { id: row.id.clone(), label: label_of(row), similarity, picture: None }
            }));
            // Stable: of equally near ones the smaller id stays first.
            found.sort_by(|a, b| b.similarity.total_cmp(&a.similarity));
            found.truncate(NEIGHBOURS);
        }
        progress.add(batch.rows.len() as u64)?;
    }
    let of: HashMap<&str, Vec<NeighbourPhoto>> =
        queries.rows.iter().map(|row| row.id.as_str()).zip(found).collect();
    Ok(ids.iter().map(|id| of.get(id).cloned().unwrap_or_default()).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use pipeline_photo::Preprocessing;
    use pipeline_stage::progress::Silent;
    use pipeline_stage::{Artifact, Cancel, CheckpointEvery};
    use pipeline_table::{FeaturesMeta, FeaturesWriter};
    use pipeline_testkit::StageBench;

    use super::*;

    fn of(others: &[(usize, f32)]) -> Vec<Neighbour> {
        others.iter().map(|&(row, similarity)| Neighbour { row, similarity }).collect()
    }

    fn features(splits: &[Split]) -> Features {
        let row = |(i, split): (usize, &Split)| FeatureRow {
            id: format!("{i}.jpg"),
            split: *split,
            label: None,
            label_id: None,
            view: 0,
        };
        Features { dim: 1, rows: splits.iter().enumerate().map(row).collect(), emb: vec![0.0; splits.len()] }
    }

    #[test]
    fn each_pair_is_found_once_from_either_side_and_the_nearest_comes_first() {
        let nearest = [of(&[(2, 0.96), (1, 0.94)]), of(&[(3, 0.99), (0, 0.94)]), of(&[(0, 0.96)]), of(&[])];
        assert_eq!(near_pairs(&nearest), [([1, 3], 0.99), ([0, 2], 0.96)]);
    }

    #[test]
    fn pairs_of_a_photo_that_is_trained_on_and_one_that_is_not_are_counted() {
        let features = features(&[Split::Train, Split::Train, Split::Valid, Split::Test]);
        assert_eq!(notes(&features, &[([0, 1], 1.0), ([2, 3], 1.0)]), Vec::<String>::new());
        assert_eq!(
            notes(&features, &[([0, 1], 1.0), ([1, 2], 1.0)]),
            [
                "1 pair of near duplicates has one photo to train on and one to measure on: what is measured on these is too good."
            ]
        );
        let many = vec![([0, 3], 1.0); 1201];
        assert_eq!(
            notes(&features, &many),
            [
                "1,201 pairs of near duplicates have one photo to train on and one to measure on: what is measured on these is too good.",
                "There are 1,201 pairs of near duplicates; 200 are listed, those across train and other splits first."
            ]
        );
    }

    #[test]
    fn one_photo_in_ten_may_be_lonely_and_one_without_others_is_not() {
        let mut nearest = vec![of(&[(0, 0.9), (1, 0.7)]); 20];
        nearest[7] = of(&[(0, 0.5), (1, 0.25)]);
        nearest[9] = of(&[]);
        nearest[11] = of(&[(0, 0.5), (1, 0.125)]);
        nearest[13] = of(&[(0, 0.5), (1, 0.5)]);
        assert_eq!(lonely(&nearest), [(11, 0.3125), (7, 0.375)]);
        assert_eq!(lonely(&nearest[..9]), []);
        assert_eq!(lonely(&vec![of(&[(0, 0.9)]); 900]).len(), 50);
    }

    /// A table of photos at these cosines from the direction (1, 0), the split and the number of each its id.
    fn table(dir: &std::path::Path, photos: &[(Split, f32)]) -> Table {
        let preprocessing = serde_json::to_value(Preprocessing::new(64, [0.5; 3], [0.25; 3])).unwrap();
        let meta = FeaturesMeta {
            arch: "resnet18".to_owned(),
            weights: "0".to_owned(),
            classes: vec!["cats".to_owned()],
            preprocessing,
            dim: 2,
            dtype: "f32".to_owned(),
            pool: pipeline_table::features::USUAL_POOL.to_owned(),
            logits: 0,
        };
        let mut writer = FeaturesWriter::create(&dir.join("features"), meta).unwrap();
        for (i, (split, cosine)) in photos.iter().enumerate() {
            let (id, split, label) = (format!("{split}/{i:04}"), *split, Some("cats".to_owned()));
            let row = FeatureRow { id, split, label, label_id: Some(0), view: 0 };
            writer.write(&row, &[*cosine, (1.0 - cosine * cosine).sqrt()]).unwrap();
        }
        writer.finish().unwrap();
        let (files, sources) = (BTreeMap::new(), BTreeMap::new());
        Table::open(&Artifact { stage: "precompute".to_owned(), dir: dir.to_owned(), files, sources })
            .unwrap()
    }

    #[test]
    fn the_nearest_training_photos_are_found_across_batches_without_the_photo_itself() {
        let bench = StageBench::default();
        let mut photos = vec![(Split::Train, -0.5); BATCH_ROWS + 20];
        for (row, cosine) in [(5, 0.5), (2047, 0.9), (2048, 0.8), (2050, 0.6), (2055, 0.7)] {
            photos[row].1 = cosine;
        }
        photos.extend([(Split::Valid, 1.0), (Split::Valid, 1.0)]);
        let table = table(bench.dir(), &photos);
        let cx = Context {
            stage: "evaluate".to_owned(),
            out: bench.dir().to_owned(),
            partial: bench.dir().to_owned(),
            memo: None,
            inputs: BTreeMap::new(),
            sources: BTreeMap::new(),
            lineage: vec![],
            seed: 1,
            threads: NonZeroUsize::MIN,
            checkpoint_every: CheckpointEvery::default(),
            shard: None,
            report: &Silent,
            cancel: &Cancel::default(),
        };
        let found = neighbours(&table, &["valid/2068", "valid/9", "train/2047"], &cx).unwrap();
        let found: Vec<Vec<(&str, i32)>> = found
            .iter()
            .map(|of| of.iter().map(|n| (n.id.as_str(), (n.similarity * 1000.0).round() as i32)).collect())
            .collect();
        let valid = [("train/2047", 900), ("train/2048", 800), ("train/2055", 700), ("train/2050", 600)];
        // cos(arccos 0.9 - arccos x) = 0.9 x + sqrt(1 - 0.9^2) sqrt(1 - x^2).
        let train = [("train/2048", 982), ("train/2055", 941), ("train/2050", 889), ("train/0005", 827)];
        assert_eq!(found, [valid.to_vec(), vec![], train.to_vec()]);
    }

    #[test]
    fn more_photos_than_can_be_compared_are_drawn_from_and_a_note_says_so() {
        let bench = StageBench::default();
        let table = table(bench.dir(), &[(Split::Train, 0.5); 30]);
        let sample = |most| {
            let mut notes = vec![];
            (super::super::sample(&table, most, 1, &mut notes).unwrap().rows, notes)
        };
        assert_eq!((sample(30).0.len(), sample(30).1), (30, vec![]));
        let (rows, notes) = sample(12);
        assert!(rows.len() == 12 && rows.is_sorted_by(|a, b| a.id < b.id), "{rows:?}");
        let note = "Near duplicates, outliers and the map are of 12 photos drawn from 30: to compare all takes too long.";
        assert_eq!(notes, [note]);
    }
}
