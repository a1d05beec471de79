//! Disks that fill in any stage: the stage is named, nothing half-made is left, and with room the same command goes on.

use std::collections::BTreeSet;

use pipeline_testkit::{Mount, with_mounts};

use crate::tiny_lesson::{LESSON_STAGES, TinyLesson};

/// Parts of what a whole run takes at its end; so that the disk fills in most of the stages that write much.
const SIZES: [f64; 8] = [0.001, 0.02, 0.2, 0.4, 0.55, 0.7, 0.85, 0.97];

#[test]
fn a_disk_that_fills_in_any_stage_is_named_and_with_room_the_same_command_goes_on() {
    with_mounts(
        "full_disk::a_disk_that_fills_in_any_stage_is_named_and_with_room_the_same_command_goes_on",
        || {
            let lesson = TinyLesson::at("disk/store", "disk/out");
            let disk = Mount::in_memory(&lesson.project.path("disk"), "size=1g");
            lesson.run();
            let (digests, whole) = (lesson.digests(), lesson.size_bytes());
            let mut named = BTreeSet::new();
            for part in SIZES {
                lesson.wipe();
                let size = (whole as f64 * part) as u64;
                disk.remount(&format!("size={size}"));
                let ran = lesson.project.run(&lesson.arguments("run", &[]));
                let when = format!("with {size} of {whole} bytes:\n{}\n{}", ran.stdout, ran.stderr);
                assert_eq!(ran.code, Some(1), "{when}");
                let (error, hint) = ran.stderr.split_once("\n  hint: ").expect(&when);
                let error = error.rsplit("error: ").next().unwrap();
                assert!(
                    error.contains("No space left on device") || error.contains("no space left on the disk"),
                    "{when}"
                );
                assert!(hint.starts_with("free some space there, or use another disk: --store"), "{when}");
                let stage = LESSON_STAGES.into_iter().find(|stage| error.starts_with(&format!("{stage}: ")));
                assert!(stage.is_some() || error.starts_with("cannot "), "{when}");
                named.extend(stage);
                lesson.assert_nothing_is_half_made(&when);

                disk.remount("size=1g");
                lesson.run();
                assert_eq!(lesson.digests(), digests, "{when}");
                lesson.assert_nothing_is_half_made(&when);
            }
            println!("{whole} bytes; full in {named:?}");
            assert!(named.len() >= 4, "full in {named:?} only");
        },
    );
}
