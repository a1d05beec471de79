//! The hunt of `examples/fuzz` for 20 seconds. A binary of its own, since it counts allocations and has a panic hook.

#[path = "../examples/fuzz/check.rs"]
mod check;
#[path = "../examples/fuzz/hunt.rs"]
mod hunt;
#[path = "../examples/fuzz/mutation.rs"]
mod mutation;
#[path = "../examples/fuzz/parts.rs"]
mod parts;
#[path = "../examples/fuzz/seeds.rs"]
mod seeds;

use std::time::Duration;

use check::{Checked, check};
use hunt::Hunt;

/// Of the hunt; ten times as long with `PIPELINE_NIGHTLY`.
const TIME: Duration = Duration::from_secs(20);

#[test]
fn the_files_are_fine_before_they_are_changed() {
    for (at, file) in seeds::seeds(&[]).unwrap().iter().enumerate() {
        assert!(check(file).is_ok(), "{at}: {:?}", check(file));
    }
}

#[test]
fn whatever_is_changed_is_answered_in_time_and_memory_and_twice_the_same() {
    check::silence_decoders();
    let hunt = Hunt::new(7, &[]).unwrap();
    let time = if std::env::var_os("PIPELINE_NIGHTLY").is_some() { 10 * TIME } else { TIME };
    let counts = hunt.run(time, |_| {}).unwrap_or_else(|finding| panic!("{finding}"));
    println!("{} files: {counts}", hunt.files());
    // Changes that leave nothing to decode, or nothing to refuse, would find little.
    assert!(counts.decoded > 20 && counts.rejected > 20, "{counts}");
}

#[test]
fn the_same_seed_and_number_are_the_same_case() {
    let hunt = Hunt::new(7, &[]).unwrap();
    assert_eq!(hunt.case(5), hunt.case(5));
    assert_ne!(hunt.case(5), hunt.case(6));
    assert_ne!(hunt.case(5), Hunt::new(8, &[]).unwrap().case(5));
}

#[test]
fn what_takes_more_memory_than_allowed_is_told() {
    // A picture of the most pixels fits; what is too large is refused, and takes nothing.
    let picture = |width, height| {
        let mut bytes = std::io::Cursor::new(Vec::new());
        image::DynamicImage::new_rgb16(width, height).write_to(&mut bytes, image::ImageFormat::Png).unwrap();
        bytes.into_inner()
    };
    assert_eq!(check(&picture(512, 512)), Ok(Checked::Decoded));
    assert_eq!(check(&picture(513, 512)), Ok(Checked::Rejected));
}
