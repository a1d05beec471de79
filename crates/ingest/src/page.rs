//! `ingest.html`: what was found, to be looked at. A few hundred small pictures at most, whatever was found.

use std::collections::BTreeMap;
use std::path::Path;

use pipeline_photo::resizer::Window;
use pipeline_photo::{Decode, Limits, Preprocessing, ReadError, Resizer, RgbImage, read};
use pipeline_report::inspection::{Inspection, Part};
use pipeline_report::{Row, Tile, name};
use pipeline_stage::{Cancel, Failure, words};
use rayon::prelude::*;

use crate::findings::Findings;
use crate::listed::Listed;
use crate::repeated::{Group, Named};
use crate::statistics::{EXTREME, Measured, TINY};
use crate::tables;

/// Longer side of a picture, in pixels.
const SIDE: u32 = 128;

/// Pairs shown of each kind; groups, and photos of a group; single photos of each kind. Some 350 pictures in all, which
/// are 2 to 8 MB.
const PAIRS: usize = 30;
const GROUPS: usize = 20;
const OF_GROUP: usize = 4;
const SINGLES: usize = 24;

/// Characters of a name below a picture.
const LONGEST_NAME: usize = 60;

/// Photos side by side, not read yet.
struct Shown {
    heading: Option<String>,
    photos: Vec<Photo>,
}

struct Photo {
    id: String,
    digest: String,
    caption: String,
}

/// Writes the page; called in the stage's pool of threads. Reads the photos that are shown from `folder` once more.
pub(crate) fn write(path: &Path, findings: &Findings, folder: &Path, cancel: &Cancel) -> Result<(), Failure> {
    let parts = parts(findings);
    let wanted: BTreeMap<&str, &str> = parts
        .iter()
        .flat_map(|(_, shown)| shown)
        .flat_map(|shown| &shown.photos)
        .map(|photo| (photo.id.as_str(), photo.digest.as_str()))
        .collect();
    let pictures: BTreeMap<&str, RgbImage> = wanted
        .into_par_iter()
        .map(|(id, digest)| {
            cancel.check()?;
            Ok((id, thumbnail(folder, id, digest)?))
        })
        .collect::<Result<_, Failure>>()?;
    let tile = |photo: &Photo| {
        let picture = pictures.get(photo.id.as_str())?.clone();
        Some(Tile { picture, caption: photo.caption.clone() })
    };
    let row = |shown: &Shown| Row {
        heading: shown.heading.clone(),
        tiles: shown.photos.iter().filter_map(tile).collect(),
    };
    let parts = parts.iter().map(|(part, shown)| {
        let rows = shown.iter().map(row).collect();
        Part { rows, ..part.clone() }
    });
    let page = Inspection {
        title: "What ingest found".to_owned(),
        note: format!(
            "{}. Names are paths within the folder of the photos, or within the archive. Nothing in that folder was moved, changed or deleted.",
            findings.line()
        ),
        parts: parts.collect(),
    };
    page.write_html(path)?;
    Ok(())
}

fn thumbnail(folder: &Path, id: &str, digest: &str) -> Result<RgbImage, ReadError> {
    let small = Preprocessing { decode: Decode::Scaled, ..Preprocessing::new(SIDE, [0.0; 3], [1.0; 3]) };
    let photo = read(folder, id, digest, &small, &Limits::default())?.pixels;
    let longer = photo.width().max(photo.height()).max(SIDE);
    let side = |of: u32| (u64::from(of) * u64::from(SIDE)).div_ceil(u64::from(longer)) as u32;
    let (width, height) = (side(photo.width()), side(photo.height()));
    Ok(Resizer::new().bilinear(&photo, width, height, Window { x: 0, y: 0, width, height }))
}

/// The parts without their pictures, and what these are.
fn parts(findings: &Findings) -> Vec<(Part, Vec<Shown>)> {
    let mut parts = vec![];
    if let Some(repeated) = &findings.repeated {
        let dropped = if repeated.dropped_from_train { " Those of train were set aside." } else { "" };
        let note = format!(
            "A photo that is trained on and measured on flatters the model. First the photo, then its twin in the other split.{dropped}"
        );
        let shown = repeated.leaks.first.iter().take(PAIRS);
        let shown = shown.map(|leak| pair([&leak.photo, &leak.twin], leak.bits)).collect();
        parts.push(part("In more than one split", &repeated.leaks, note, true, shown));

        let note = "The same bytes under different labels: one of them is wrong.".to_owned();
        let shown = groups(&repeated.conflicting);
        parts.push(part("In more than one class", &repeated.conflicting, note, true, shown));
    }
    parts.push((tables::set_aside(findings), vec![]));
    if let Some(repeated) = &findings.repeated {
        let note = "Files of the same bytes, in any split.".to_owned();
        let shown = groups(&repeated.identical);
        parts.push(part("Identical photos", &repeated.identical, note, false, shown));

        let left_out = match repeated.not_compared {
            0 => String::new(),
            n => format!(
                " {} photos were not compared with all others, since there were too many pairs.",
                words::count(n)
            ),
        };
        let note = format!(
            "Photos of one split that look the same: {} photos whose hashes differ in at most {} of 64 bits, closest first. A mirrored photo and a part of one are others.{left_out}",
            words::count(repeated.near_duplicate_photos),
            repeated.near_duplicates_bits
        );
        let shown = repeated.near_duplicates.first.iter().take(PAIRS);
        let shown = shown.map(|near| pair([&near.photos[0], &near.photos[1]], Some(near.bits))).collect();
        parts.push(part("Near duplicates", &repeated.near_duplicates, note, false, shown));
    }
    parts.push((tables::classes(findings), vec![]));
    parts.push((tables::remarks(findings), vec![]));
    let odd = [
        ("Tiny photos", &findings.odd.tiny, format!("With a side below {TINY} pixels.")),
        (
            "Extreme shapes",
            &findings.odd.extreme,
            format!(
                "At least {EXTREME} times as long as wide, or as wide as long; the network sees the square in the middle."
            ),
        ),
        (
            "Grey photos",
            &findings.odd.grey,
            "Without colour. Harmless where every class has as many.".to_owned(),
        ),
    ];
    for (title, listed, note) in odd {
        parts.push(part(title, listed, note, false, singles(listed)));
    }
    parts.push((tables::names(findings), vec![]));
    parts.push((tables::statistics(findings), vec![]));
    parts
}

/// `is_grave`: an alarm where there is one at all.
fn part<T>(
    title: &str,
    listed: &Listed<T>,
    note: String,
    is_grave: bool,
    shown: Vec<Shown>,
) -> (Part, Vec<Shown>) {
    let tiles: usize = shown.iter().map(|row| if row.heading.is_some() { 1 } else { row.photos.len() }).sum();
    let left_out = match listed.count - (tiles as u64).min(listed.count) {
        0 => String::new(),
        more => format!(
            "{} more. ingest.json lists the first {}.",
            words::count(more),
            words::count(listed.first.len() as u64)
        ),
    };
    let part = Part {
        title: title.to_owned(),
        count: tables::counted(listed.count),
        is_alarm: is_grave && listed.count > 0,
        note: if listed.count > 0 { note } else { String::new() },
        left_out,
        ..Part::default()
    };
    (part, shown)
}

fn pair(photos: [&Named; 2], bits: Option<u8>) -> Shown {
    let heading = match bits {
        None => "identical".to_owned(),
        Some(bits) => format!("{bits} of 64 bits apart"),
    };
    Shown { heading: Some(heading), photos: photos.map(named).into() }
}

fn groups(groups: &Listed<Group>) -> Vec<Shown> {
    let group = |group: &Group| Shown {
        heading: Some(match group.photos.count as usize {
            all if all <= OF_GROUP => format!("{all} times"),
            all => format!("{} times, the first {OF_GROUP} of them", words::count(all as u64)),
        }),
        photos: group.photos.first.iter().take(OF_GROUP).map(named).collect(),
    };
    groups.first.iter().take(GROUPS).map(group).collect()
}

fn named(photo: &Named) -> Photo {
    let label = photo.label.as_deref().map_or("no label".to_owned(), |l| name::shortened(l, LONGEST_NAME));
    let caption = format!("{}\n{}, {label}", name::shortened(&photo.id, LONGEST_NAME), photo.split);
    Photo { id: photo.id.clone(), digest: photo.digest.clone(), caption }
}

fn singles(listed: &Listed<Measured>) -> Vec<Shown> {
    if listed.first.is_empty() {
        return vec![];
    }
    let photo = |of: &Measured| Photo {
        id: of.id.clone(),
        digest: of.digest.clone(),
        caption: format!("{}\n{} × {}", name::shortened(&of.id, LONGEST_NAME), of.width, of.height),
    };
    vec![Shown { heading: None, photos: listed.first.iter().take(SINGLES).map(photo).collect() }]
}
