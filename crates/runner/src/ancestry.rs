//! [`makers`]: which artifacts others were made from, by what their keys say.

use std::collections::{BTreeMap, BTreeSet};

use pipeline_stage::{Digest, Manifest};

use crate::roots::Name;

/// Of `candidates`, those that the artifacts `stay` were made from, directly or by way of other candidates: they hold the
/// files that an input of one of them has read. Of several with the same files, all: any of them may be planned for next.
pub(crate) fn makers<'a>(
    stay: impl IntoIterator<Item = &'a Manifest>,
    candidates: &'a BTreeMap<Name, impl AsRef<Manifest>>,
) -> BTreeSet<Name> {
    let mut holders: BTreeMap<(&str, Digest), Vec<(&Name, &Manifest)>> = BTreeMap::new();
    for (name, manifest) in candidates {
        for file in &manifest.as_ref().files {
            holders.entry((&file.path, file.blake3)).or_default().push((name, manifest.as_ref()));
        }
    }
    let mut makers = BTreeSet::new();
    let mut left: Vec<&Manifest> = stay.into_iter().collect();
    while let Some(manifest) = left.pop() {
        for part in manifest.parts.inputs.values().flatten() {
            // What reads no file was made from nothing of it.
            let Some((path, digest)) = part.files.first_key_value() else { continue };
            for (name, maker) in holders.get(&(path.as_str(), *digest)).into_iter().flatten() {
                let digests = maker.digests();
                let has_all = part.files.iter().all(|(path, digest)| digests.get(path) == Some(digest));
                if has_all && makers.insert((*name).clone()) {
                    left.push(maker);
                }
            }
        }
    }
    makers
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pipeline_stage::KeyParts;
    use pipeline_stage::key::InputPart;
    use pipeline_stage::manifest::FileEntry;

    use super::*;

    /// An artifact of the file `x` with the text `made`, which read `x` with the text `read`.
    fn artifact(kind: &str, made: &str, read: Option<&str>) -> Arc<Manifest> {
        let digest = |text: &str| Digest::of(text.as_bytes());
        let part = |text| InputPart { stage: None, files: [("x".to_owned(), digest(text))].into() };
        let inputs = read.map(|text| ("input".to_owned(), vec![part(text)]));
        let parts = KeyParts {
            kind: kind.to_owned(),
            version: 1,
            params: BTreeMap::new(),
            seed: None,
            sources: BTreeMap::new(),
            inputs: inputs.into_iter().collect(),
        };
        let file = FileEntry { path: "x".to_owned(), size_bytes: 1, blake3: digest(made) };
        Arc::new(crate::toy::manifest(parts, vec![file]))
    }

    #[test]
    fn what_an_artifact_was_made_from_is_found_all_the_way_up_and_nothing_else() {
        let candidates = [
            artifact("photos", "photos", None),
            artifact("features", "features", Some("photos")),
            artifact("other features", "other", Some("photos")),
            artifact("photos of other name", "strange", None),
        ];
        let candidates: BTreeMap<Name, Arc<Manifest>> =
            candidates.into_iter().map(|made| ((made.parts.kind.clone(), made.key), made)).collect();
        let of = |read: &str| {
            let found = makers([artifact("head", "head", Some(read)).as_ref()], &candidates);
            found.into_iter().map(|(kind, _)| kind).collect::<Vec<_>>()
        };
        assert_eq!(of("features"), ["features", "photos"]);
        assert_eq!(of("photos"), ["photos"]);
        assert_eq!(of("unknown"), [""; 0]);
        assert_eq!(makers([], &candidates), BTreeSet::new());
    }
}
