use proptest::prelude::*;

use super::*;
use crate::near::BUDGET;

/// Photo number `at` with content `content`; the hash follows from the content.
fn seen(at: usize, split: Split, content: u8, hash: Option<u64>) -> Seen {
    let digest = Digest::of(&[content]);
    Seen { row: at as u32, split, label_id: None, digest, hash, transparent: false }
}

fn find(seen: &[Seen], bits: u32) -> Duplicates {
    Duplicates::find(seen, bits, BUDGET, &Cancel::default()).unwrap()
}

#[test]
fn identical_photos_are_groups_and_near_ones_pairs_within_a_split() {
    use Split::{Train, Valid};
    let photos = [
        seen(0, Train, 1, Some(0b0000)),
        seen(1, Train, 2, Some(0b0111)),
        seen(2, Train, 1, Some(0b0000)), // identical to 0
        seen(3, Train, 3, Some(0b0000)), // the hash of 0
        seen(4, Valid, 4, Some(1 << 60)),
        seen(5, Train, 5, None), // of one colour, as is 6
        seen(6, Train, 6, None),
    ];
    let found = find(&photos, 3);
    assert_eq!(found.identical, [[0, 2]]);
    assert_eq!(found.near, [Near { bits: 0, a: 0, b: 3 }, Near { bits: 3, a: 0, b: 1 }]);
    assert_eq!(found.near_photos, 3, "0, 1 and 3; 2 is identical to 0");
    // 0, 2 and 3 are one bit from 4, 1 is four bits from it.
    let leak = |photo| Leak { photo, twin: 4, bits: Some(1) };
    assert_eq!(found.leaks, [leak(0), leak(2), leak(3)]);
}

#[test]
fn a_leak_is_from_a_split_to_a_later_one_and_identical_goes_before_near() {
    use Split::{Test, Train, Valid};
    let photos = [
        seen(0, Test, 1, Some(0)),
        seen(1, Train, 1, Some(0)),
        seen(2, Train, 2, Some(1)),
        seen(3, Valid, 3, Some(1)),
        seen(4, Valid, 1, Some(0)),
        seen(5, Test, 5, None), // of one colour, and identical to 6
        seen(6, Train, 5, None),
    ];
    let leak = |photo, twin, bits| Leak { photo, twin, bits };
    let expected =
        [leak(1, 0, None), leak(2, 3, Some(0)), leak(3, 0, Some(1)), leak(4, 0, None), leak(6, 5, None)];
    assert_eq!(find(&photos, 1).leaks, expected);
}

#[test]
fn hashes_beyond_the_budget_are_counted() {
    let photos: Vec<Seen> =
        (0..1500).map(|at| seen(at, Split::Train, (at % 256) as u8, Some(at as u64 % 256))).collect();
    assert_eq!(find(&photos, 4).not_compared, 0);
    let many: Vec<Seen> = (0..1500u32)
        .map(|at| Seen {
            digest: Digest::of(&at.to_le_bytes()),
            hash: Some(u64::from(at)),
            ..photos[at as usize]
        })
        .collect();
    let budget = Budget { pairs: 1, ..BUDGET };
    let found = Duplicates::find(&many, 1, budget, &Cancel::default()).unwrap();
    assert_eq!(found.not_compared, 1500 - 16);
}

fn photos() -> impl Strategy<Value = Vec<Seen>> {
    let hash = prop_oneof![4 => (0..40u64).prop_map(Some), 1 => Just(None)];
    let hashes = prop::collection::vec(hash, 12);
    let photo = (prop::sample::select(Split::ALL.to_vec()), 0..12u8);
    (hashes, prop::collection::vec(photo, 0..40)).prop_map(|(hashes, photos)| {
        let photo = |(at, (split, content)): (usize, (Split, u8))| {
            seen(at, split, content, hashes[usize::from(content)])
        };
        photos.into_iter().enumerate().map(photo).collect()
    })
}

fn distance(a: &Seen, b: &Seen) -> Option<u8> {
    Some((a.hash? ^ b.hash?).count_ones() as u8)
}

proptest! {
    #[test]
    fn leaks_and_near_duplicates_are_those_that_comparing_all_finds(photos in photos(), bits in 0..4u32) {
        let found = find(&photos, bits);
        let is_near = |d: Option<u8>| d.filter(|d| u32::from(*d) <= bits);
        let mut leaks = vec![];
        for (at, photo) in photos.iter().enumerate() {
            let later = || photos.iter().filter(|other| other.split > photo.split);
            let same = later().find(|other| other.digest == photo.digest).map(|other| (None, other.row));
            let near = later().filter_map(|o| is_near(distance(photo, o)).map(|d| (Some(d), o.row))).min();
            if let Some((bits, twin)) = same.or(near) {
                leaks.push(Leak { photo: at as u32, twin, bits });
            }
        }
        prop_assert_eq!(&found.leaks, &leaks);

        let is_first = |photo: &&Seen| {
            let before = &photos[..photo.row as usize];
            !before.iter().any(|other| (other.split, other.digest) == (photo.split, photo.digest))
        };
        let near: Vec<u32> = photos.iter().filter(is_first).filter(|photo| {
            photos.iter().any(|other| other.split == photo.split && other.digest != photo.digest
                && is_near(distance(photo, other)).is_some())
        }).map(|photo| photo.row).collect();
        prop_assert_eq!(found.near_photos, near.len() as u64);
        let mut paired: Vec<u32> = found.near.iter().flat_map(|pair| [pair.a, pair.b]).collect();
        paired.sort_unstable();
        paired.dedup();
        prop_assert_eq!(paired, near);
        for pair in &found.near {
            let (a, b) = (&photos[pair.a as usize], &photos[pair.b as usize]);
            prop_assert!(pair.a < pair.b && a.split == b.split && a.digest != b.digest);
            prop_assert_eq!(distance(a, b), Some(pair.bits));
        }
    }
}
