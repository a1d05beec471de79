//! The committed fixtures against live OpenCV, Pillow and torchvision, where they are: part of the nightly tests.

use pipeline_testkit::check_fixtures;

#[test]
fn live_opencv_pillow_and_torchvision_agree_with_the_fixtures() {
    for folder in ["geometry", "colour", "blur"] {
        check_fixtures(&format!("{}/tests/photo/{folder}/make_fixtures.py", env!("CARGO_MANIFEST_DIR")));
    }
}
