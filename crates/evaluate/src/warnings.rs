//! [`of`]: what a person should know who trusts the numbers.

use pipeline_report::name::listed;
use pipeline_stage::words;

use crate::Params;
use crate::marks::Marks;

/// Classes that are named.
const MOST_NAMED: usize = 3;

/// A sentence each.
pub(crate) fn of(params: &Params, has_features: bool, marks: &Marks) -> Vec<String> {
    let absent: Vec<&str> = marks.classes_without_photos().collect();
    let classes = marks.candidates.first().map_or(0, |candidate| candidate.confusion.classes().len());
    let absent = (!absent.is_empty()).then(|| {
        let [few, all] = [absent.len(), classes].map(|n| words::count(n as u64));
        let have = if absent.len() == 1 { "has" } else { "have" };
        let split = params.split;
        let names = listed(absent.iter().copied(), MOST_NAMED);
        format!(
            "{few} of {all} classes {have} no labelled {split} photo, so that nothing is measured of: {names}"
        )
    });
    let unchecked = (params.label_issues > 0 && !has_features).then(|| {
        "labels were not checked, nor near duplicates and outliers looked for: evaluate has no input `features`; give it \
         one in the pipeline file, or set `label_issues: 0`"
            .to_owned()
    });
    absent.into_iter().chain(unchecked).collect()
}
