//! Every file of `hard_images`, taken in as one class beside another, against `expected.json`.

use std::collections::BTreeMap;

use super::*;

#[test]
fn every_file_has_its_expected_verdict_size_and_colour_in_the_table() {
    let Some(folder) = pipeline_testkit::shared("data/hard_images") else { return };
    let expected: BTreeMap<String, Value> =
        serde_json::from_slice(&fs_err::read(folder.join("expected.json")).unwrap()).unwrap();
    let bench = StageBench::default();
    let root = photos(&bench);
    for name in expected.keys() {
        write(&root, &format!("train/hard/{name}"), &fs_err::read(folder.join(name)).unwrap());
    }
    let made = ingest(&bench, &root).unwrap();
    let rows: BTreeMap<String, ImageRow> = rows(&made).into_iter().map(|row| (row.id.clone(), row)).collect();
    let mut complaints = vec![];
    for (name, expected) in &expected {
        // What has a name of clutter is left out and counted; the folder of the names is that of the class.
        let Some(row) = rows.get(&format!("train/hard/{name}")) else {
            complaints.push(format!("{name}: no row"));
            continue;
        };
        let verdict = serde_json::to_value(row.verdict).unwrap();
        let also = expected["also_acceptable"].as_array().into_iter().flatten();
        if !also.chain([&expected["verdict"]]).any(|v| *v == verdict) {
            complaints.push(format!("{name}: {verdict}, {:?}", row.reason));
        }
        assert_eq!(row.verdict == Verdict::Ok, row.reason.is_none(), "{name}");
        let Some(look) = row.appearance else { continue };
        if let (Some(width), Some(height)) = (expected["width"].as_u64(), expected["height"].as_u64())
            && (row.width, row.height) != (Some(width as u32), Some(height as u32))
        {
            complaints.push(format!("{name}: {:?} x {:?}", row.width, row.height));
        }
        for (found, expected) in look.mean.iter().zip(expected["mean_rgb"].as_array().into_iter().flatten()) {
            if (f64::from(*found) - expected.as_f64().unwrap()).abs() > 2.0 {
                complaints.push(format!("{name}: mean {:?}, expected {expected}", look.mean));
            }
        }
    }
    assert!(complaints.is_empty(), "{complaints:#?}");
    let findings = findings(&made);
    let set_aside = expected.keys().filter(|name| {
        rows.get(&format!("train/hard/{name}")).is_some_and(|row| row.verdict == Verdict::Bad)
    });
    assert_eq!(findings["set_aside"].as_array().unwrap().len(), set_aside.count());
    for finding in findings["set_aside"].as_array().unwrap() {
        assert!(finding["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{finding}");
    }
}
