//! Every file of `variants`, kinds of pictures and of damage, against what `variants/make_variants.py` expects of it.

use std::collections::BTreeMap;
use std::path::Path;

use pipeline_photo::{Limits, Reason, decode};
use serde_json::Value;

use crate::hard_images::{compare, mean};

#[test]
fn every_variant_is_judged_and_looks_as_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/photo/variants");
    let expected = fs_err::read(folder.join("expected.json")).unwrap();
    let expected: BTreeMap<String, Value> = serde_json::from_slice(&expected).unwrap();
    assert!(expected.len() > 200, "{} files", expected.len());
    let complaints: BTreeMap<&str, Vec<String>> = expected
        .iter()
        .map(|(name, of)| (name.as_str(), complaints(&fs_err::read(folder.join(name)).unwrap(), name, of)))
        .filter(|(_, complaints)| !complaints.is_empty())
        .collect();
    assert!(complaints.is_empty(), "{} files: {complaints:#?}", complaints.len());
}

fn complaints(bytes: &[u8], name: &str, expected: &Value) -> Vec<String> {
    let decoded = decode(bytes, &Limits::default());
    let (verdict, reasons) = match &decoded {
        Err(rejected) => ("bad", vec![rejected.reason]),
        Ok(photo) => {
            let misnamed = (!photo.format.fits_name(name)).then_some(Reason::NameEnding);
            let reasons: Vec<Reason> = photo.findings.iter().copied().chain(misnamed).collect();
            (if reasons.is_empty() { "ok" } else { "warn" }, reasons)
        }
    };
    let mut complaints = vec![];
    let allowed: Vec<&str> =
        expected["reasons"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if expected["verdict"] != verdict || reasons.iter().any(|r| !allowed.contains(&r.as_str())) {
        let found = decoded.as_ref().map(|photo| &photo.findings).map_err(ToString::to_string);
        complaints.push(format!("{verdict}, {found:?}; expected {} {allowed:?}", expected["verdict"]));
    }
    if let Ok(photo) = decoded {
        let (width, height) = photo.pixels.dimensions();
        compare(&mut complaints, "mean", mean(&photo.pixels, [0, 0, width, height]), &expected["mean_rgb"]);
    }
    complaints
}
