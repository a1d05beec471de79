use super::*;
use crate::layout::Misplaced;

fn photo(id: &str, label: Option<&str>) -> Photo {
    Photo {
        id: id.to_owned(),
        path: id.into(),
        split: None,
        label: label.map(str::to_owned),
        group: None,
        misplaced: None,
    }
}

/// `cats` photos of cats and `dogs` of dogs.
fn photos(cats: usize, dogs: usize) -> Vec<Photo> {
    let of =
        |class: &'static str, count| (0..count).map(move |i| photo(&format!("{class}/{i}.jpg"), Some(class)));
    of("cats", cats).chain(of("dogs", dogs)).collect()
}

/// Photos of a class in train, valid and test.
fn counts(photos: &[Photo], class: &str) -> [usize; 3] {
    Split::ALL.map(|split| {
        photos.iter().filter(|p| p.split == Some(split) && p.label.as_deref() == Some(class)).count()
    })
}

/// Ids of the photos that are held out, with their splits.
fn held_out(photos: &[Photo]) -> Vec<(String, Split)> {
    let out = photos.iter().filter_map(|p| Some((p.id.clone(), p.split.filter(|s| *s != Split::Train)?)));
    out.collect()
}

#[test]
fn shares_hold_within_each_class_to_the_nearest_photo() {
    let draw = Draw { valid: 0.2, test: 0.1, ..Draw::default() };
    // 7 cats: test ends at 0.7 and valid at 2.1, and photos stand at 0.5, 1.5, 2.5...
    // 33 dogs: at 3.3 (0.5, 1.5, 2.5) and at 9.9 (3.5 to 9.5).
    let mut some = photos(7, 33);
    draw.draw(&mut some).unwrap();
    assert_eq!(counts(&some, "cats"), [5, 1, 1]);
    assert_eq!(counts(&some, "dogs"), [23, 7, 3]);
    // One photo of a class is trained on.
    let mut few = photos(1, 3);
    draw.draw(&mut few).unwrap();
    assert_eq!((counts(&few, "cats"), counts(&few, "dogs")), ([1, 0, 0], [2, 1, 0]));
}

#[test]
fn without_strata_the_shares_hold_within_the_whole() {
    let draw = Draw { valid: 0.25, stratify: false, ..Draw::default() };
    let mut some = photos(7, 33);
    draw.draw(&mut some).unwrap();
    let (cats, dogs) = (counts(&some, "cats"), counts(&some, "dogs"));
    assert_eq!((cats[1] + dogs[1], cats[2] + dogs[2]), (10, 0));
}

#[test]
fn the_draw_follows_the_seed_and_not_the_order_of_the_photos() {
    let drawn = |seed, reversed: bool| {
        let mut some = photos(20, 30);
        if reversed {
            some.reverse();
        }
        Draw { seed, ..Draw::default() }.draw(&mut some).unwrap();
        let mut out = held_out(&some);
        out.sort();
        out
    };
    assert_eq!(drawn(1, false), drawn(1, true));
    assert_ne!(drawn(1, false), drawn(2, false));
    assert_eq!(drawn(1, false).len(), 4 + 6);
}

#[test]
fn one_photo_more_moves_at_most_one_over_each_border() {
    let draw = Draw { valid: 0.2, test: 0.1, ..Draw::default() };
    let mut moved_once = 0;
    for count in 10..80 {
        let (mut before, mut after) = (photos(count, 0), photos(count + 1, 0));
        draw.draw(&mut before).unwrap();
        draw.draw(&mut after).unwrap();
        let moved = before.iter().zip(&after).filter(|(b, a)| b.split != a.split).count();
        assert!(moved <= 2, "{count}: {moved} moved");
        moved_once += usize::from(moved > 0);
    }
    assert!(moved_once > 0, "none ever moved: the test could not fail");
}

#[test]
fn photos_of_a_group_stay_together() {
    let ids = |animal: usize| (0..1 + animal % 5).map(move |i| format!("a{animal}_{i}.jpg"));
    let mut some: Vec<Photo> = (0..60)
        .flat_map(|animal| ids(animal).map(move |id| photo(&id, Some(["cats", "dogs"][animal % 2]))))
        .collect();
    let group_by = Some(GroupBy::Regex(r"^(a\d+)_".to_owned()));
    Draw { valid: 0.2, test: 0.1, group_by, ..Draw::default() }.draw(&mut some).unwrap();
    let mut splits: BTreeMap<&str, Vec<Option<Split>>> = BTreeMap::new();
    for photo in &some {
        splits.entry(photo.group.as_deref().unwrap()).or_default().push(photo.split);
    }
    assert_eq!(splits.len(), 60);
    assert!(splits.values().all(|of| of.iter().all(|split| *split == of[0])), "{splits:?}");
    // Each class has 30 animals with 1, 3, 5, 2, 4 photos in turn (or 2, 4, 1, 3, 5): 90 photos.
    for class in ["cats", "dogs"] {
        let [train, valid, test] = counts(&some, class);
        assert_eq!(train + valid + test, 90);
        // A border is at most half a group of 5 away from where it should be.
        assert!(test.abs_diff(9) <= 2 && (valid + test).abs_diff(27) <= 2, "{class}: {valid}, {test}");
    }
}

#[test]
fn a_group_larger_than_twice_the_share_is_not_held_out() {
    // Wherever in line the group of 8 stands, its middle is at 4 or 6, behind 0.2 of 10.
    for seed in 0..20 {
        let mut some = photos(10, 0);
        for photo in &mut some[..8] {
            photo.group = Some("litter".to_owned());
        }
        Draw { seed, ..Draw::default() }.draw(&mut some).unwrap();
        assert!(some[..8].iter().all(|photo| photo.split == Some(Split::Train)), "{seed}");
    }
}

#[test]
fn what_cannot_be_drawn_is_train_or_test_and_what_has_a_split_keeps_it() {
    let mut some = photos(5, 5);
    some.push(photo("x.jpg", None));
    some.push(Photo { misplaced: Some(Misplaced::NoClass), ..photo("y.jpg", None) });
    some.push(Photo { split: Some(Split::Valid), ..photo("z.jpg", Some("cats")) });
    Draw::default().draw(&mut some).unwrap();
    let splits: Vec<_> = some[10..].iter().map(|photo| photo.split).collect();
    assert_eq!(splits, [Some(Split::Test), Some(Split::Train), Some(Split::Valid)]);
    assert_eq!(counts(&some[..10], "cats"), [4, 1, 0], "the others are drawn without them");
}

#[test]
fn the_group_is_what_the_expression_says_first() {
    let group_of = |pattern: &str| {
        let mut some = [photo("dogs/rex_12.jpg", Some("dogs"))];
        group(&mut some, pattern).map(|()| some[0].group.clone().unwrap())
    };
    assert_eq!(group_of(r"(\w+)/(?<group>[a-z]+)_").unwrap(), "rex");
    assert_eq!(group_of(r"(\w+)/[a-z]+_").unwrap(), "dogs");
    assert_eq!(group_of(r"\w+/[a-z]+_").unwrap(), "dogs/rex_");
    let error = group_of("^cats").unwrap_err();
    assert_eq!(error.to_string(), "`split.group_by.regex` ^cats fits no id: the first is `dogs/rex_12.jpg`");
}

#[test]
fn impossible_shares_are_problems() {
    let problems = |draw: Draw| {
        let mut problems = Vec::new();
        draw.check(&mut problems);
        problems.into_iter().map(|p| format!("{}: {}", p.path.join("."), p.message)).collect::<Vec<_>>()
    };
    assert!(problems(Draw::default()).is_empty());
    assert_eq!(
        problems(Draw { valid: 0.0, test: -0.1, ..Draw::default() }),
        [
            "valid: expected a share above 0 and below 1, found 0",
            "test: expected a share from 0 to below 1, found -0.1",
        ]
    );
    let both = Draw { valid: 0.5, test: 0.5, ..Draw::default() };
    assert_eq!(problems(both), ["test: expected less than 1 together with `valid`, found 0.5"]);
    let group_by = Some(GroupBy::Regex("(".to_owned()));
    assert_eq!(
        problems(Draw { group_by, ..Draw::default() }),
        ["group_by.regex: expected a regular expression, found `(`: unclosed group"]
    );
}
