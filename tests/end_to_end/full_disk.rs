//! Disks that fill in any stage: the stage is named, nothing half-made is left, and with room the same command goes on.

use std::collections::BTreeSet;

use pipeline_testkit::{Mount, Ran, with_mounts};

use crate::tiny_lesson::{LESSON_STAGES, TinyLesson};

/// Into how many parts the room that a whole run takes is divided.
const PARTS: u64 = 8;

#[test]
fn a_disk_that_fills_in_any_stage_is_named_and_with_more_room_the_same_command_goes_on() {
    with_mounts(
        "full_disk::a_disk_that_fills_in_any_stage_is_named_and_with_more_room_the_same_command_goes_on",
        || {
            let lesson = TinyLesson::at("disk/store", "disk/out");
            let disk = Mount::in_memory(&lesson.project.path("disk"), "size=1g");
            lesson.run();
            let (digests, whole) = (lesson.digests(), lesson.size_bytes());
            lesson.wipe();
            let mut named = BTreeSet::new();
            // At first there is room for no more than a few pages. Checkpoints, too, need room.
            let sizes = [16_384, 65_536].into_iter().chain((1..3 * PARTS).map(|part| whole * part / PARTS));
            let mut is_done = false;
            for size in sizes {
                disk.remount(&format!("size={size}"));
                let ran = lesson.project.run(&lesson.arguments(&["--checkpoint-every", "1steps"]));
                let when = format!("with {size} of {whole} bytes:\n{}\n{}", ran.stdout, ran.stderr);
                lesson.assert_nothing_is_half_made(&when);
                is_done = ran.code == Some(0);
                if is_done {
                    break;
                }
                named.extend(stage_without_room(&ran, &when));
            }
            println!("{whole} bytes; full in {named:?}");
            assert!(is_done && named.len() >= 4, "full in {named:?}");
            assert_eq!(lesson.digests(), digests);
            disk.remount("size=1g");
            lesson.run();
            lesson.project.succeed(&["gc", "--store", "disk/store"]);
            lesson.listing();
        },
    );
}

/// The stage that the run names as the one whose disk is full; none where it could not begin.
fn stage_without_room(ran: &Ran, when: &str) -> Option<&'static str> {
    assert_eq!(ran.code, Some(1), "{when}");
    let (error, hint) = ran.stderr.split_once("\n  hint: ").expect(when);
    let error = error.rsplit("error: ").next().unwrap();
    let says_so = ["No space left on device", "no space left on the disk"];
    assert!(says_so.iter().any(|text| error.contains(text)), "{when}");
    assert!(hint.starts_with("free some space there, or use another disk: --store"), "{when}");
    let stage = LESSON_STAGES.into_iter().find(|stage| error.starts_with(&format!("{stage}: ")));
    assert!(stage.is_some() || error.starts_with("cannot "), "{when}");
    stage
}
