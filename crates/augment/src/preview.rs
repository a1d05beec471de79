//! `preview.png` and `preview.html`: what the policy makes of photos, to be judged at a glance.

use std::path::Path;

use pipeline_photo::transform::pad::Pad;
use pipeline_photo::{
    AnyTransform, Augmenter, Limits, Planes, Policy, Preprocessing, Resizer, RgbImage, TestViews, Transform,
    read,
};
use pipeline_report::{Row, Section, Sheet, Tile};
use pipeline_stage::random::{Random, Stream};
use pipeline_stage::{Cancel, Cancelled, Context, Failure};
use pipeline_table::ImageRow;
use serde_json::Value;

/// Side of the square views, in pixels: that of the lesson, so that what is measured in pixels looks as it will.
const SIDE: u32 = 224;

/// Versions of one photo, the lesson's six, and so the columns of every section.
const VERSIONS: u32 = 6;

/// Shows `policy` on the photos of `rows` (at least one), the first of them in more detail.
pub(crate) fn write(
    title: &str,
    policy: &Policy,
    rows: &[ImageRow],
    folder: &Path,
    cx: &Context<'_>,
) -> Result<(), Failure> {
    let progress = cx.progress("draw the preview", Some(rows.len() as u64), "photos");
    let sample = |row: &ImageRow| -> Result<Sample, Failure> {
        let photo = read(folder, &row.id, &row.digest, &plain(), &Limits::default())?;
        progress.add(1)?;
        Ok(Sample { id: row.id.clone(), pixels: photo.pixels, seed: cx.seed })
    };
    let Some((first, others)) = rows.split_first() else { return Ok(()) };
    let first = sample(first)?;
    let mut several = Vec::with_capacity(others.len());
    for row in others {
        // One after the other, since a photo may be large.
        let photo = sample(row)?;
        let tiles = [vec![photo.plain()], photo.versions(policy, VERSIONS - 1)].concat();
        several.push(Row { heading: Some(photo.id), tiles });
    }
    let versions = Row { heading: Some(first.id.clone()), tiles: first.versions(policy, VERSIONS) };
    let mut sections = vec![
        section("Six versions of one photo", "As the policy draws them.", vec![versions]),
        section("Several photos", "Each as it is, and five versions.", several),
        section(
            "Each transform alone",
            "Always applied here, whatever its probability. The first picture is the photo as it is.",
            policy
                .steps
                .iter()
                .map(|step| first.alone(policy, step.as_ref(), cx.cancel))
                .collect::<Result<_, _>>()?,
        ),
        section(
            "Test-time augmentation",
            "Views whose predictions can be averaged with that of the photo as it is.",
            test_views().into_iter().map(|(name, views)| first.test_views(policy, name, &views)).collect(),
        ),
    ];
    sections.retain(|section| !section.rows.is_empty());
    let sheet = Sheet {
        title: format!("Augmentation: {title}"),
        note: Some(
            "What this policy makes of photos. Below each picture, the numbers drawn for it; these are to look at, training draws its own."
                .to_owned(),
        ),
        sections,
    };
    cx.cancel.check()?;
    sheet.write_png(&cx.out.join("preview.png"))?;
    sheet.write_html(&cx.out.join("preview.html"))?;
    Ok(())
}

fn section(title: &str, note: &str, rows: Vec<Row>) -> Section {
    Section { title: title.to_owned(), note: Some(note.to_owned()), rows }
}

fn test_views() -> [(&'static str, TestViews); 4] {
    [
        ("policy: random views", TestViews::Policy(VERSIONS)),
        ("flip", TestViews::Flip),
        ("five_crop (ten_crop has them mirrored too)", TestViews::FiveCrop),
        ("multi_scale", TestViews::MultiScale(vec![1.1, 1.2, 1.3])),
    ]
}

/// What makes the plain view. Nothing is normalised here.
fn plain() -> Preprocessing {
    Preprocessing::new(SIDE, [0.0; 3], [1.0; 3])
}

/// A photo of the preview.
struct Sample {
    id: String,
    pixels: RgbImage,
    seed: u64,
}

impl Sample {
    /// The plain view.
    fn plain(&self) -> Tile {
        Tile { picture: plain().crop(&self.pixels, &mut Resizer::new()), caption: "as it is".to_owned() }
    }

    /// Views as `policy` draws them. The numbers are for looking at only: training draws its own.
    fn versions(&self, policy: &Policy, count: u32) -> Vec<Tile> {
        let (width, height) = self.pixels.dimensions();
        let draw = |view| policy.draw(&mut self.random(view), width, height);
        self.views(policy, &(1..=count).map(draw).collect::<Vec<_>>(), "crop only")
    }

    fn random(&self, view: u32) -> Random {
        Stream { seed: self.seed, purpose: "preview", item: &self.id, view, ..Stream::default() }.start()
    }

    /// `unchanged` is said of a view that no transform changed.
    fn views(&self, policy: &Policy, numbers: &[Vec<f32>], unchanged: &str) -> Vec<Tile> {
        let mut augmenter = Augmenter::new(policy.clone());
        let mut views = augmenter.photo(&self.pixels);
        let mut view = Planes::default();
        let make = |numbers: &Vec<f32>| {
            views.make(numbers, SIDE, &mut view);
            let words = policy.words(numbers);
            let caption = if words.is_empty() { unchanged.to_owned() } else { words };
            Tile { picture: view.to_image(), caption }
        };
        numbers.iter().map(make).collect()
    }

    /// One transform of `policy`, always applied, and the crop in the middle.
    fn alone(&self, policy: &Policy, step: &dyn AnyTransform, cancel: &Cancel) -> Result<Row, Cancelled> {
        cancel.check()?;
        let alone = Policy { border: policy.border, steps: vec![step.boxed()] };
        let (width, height) = self.pixels.dimensions();
        let draw = |view| {
            let mut numbers = alone.draw_always(&mut self.random(view), width, height);
            // Room around the photo shows only where the crop goes there.
            if step.name() != Pad::NAME {
                let crop = numbers.len() - 2;
                numbers[crop..].fill(0.5);
            }
            numbers
        };
        let numbers: Vec<_> = (1..VERSIONS).map(draw).collect();
        Ok(Row {
            heading: Some(format!("{}: {}", step.name(), params(step))),
            tiles: [vec![self.plain()], self.views(&alone, &numbers, "unchanged")].concat(),
        })
    }

    fn test_views(&self, policy: &Policy, name: &str, views: &TestViews) -> Row {
        let (made_by, numbers) = views.of(policy, self.seed, &self.id, self.pixels.dimensions());
        let mut tiles = self.views(&made_by, &numbers, "");
        // Those of the policy are told by their numbers.
        if !matches!(views, TestViews::Policy(_)) {
            tiles.iter_mut().zip(views.names()).for_each(|(tile, name)| tile.caption = name);
        }
        Row { heading: Some(name.to_owned()), tiles }
    }
}

/// Parameters as they stand in a config, `p` first.
fn params(step: &dyn AnyTransform) -> String {
    let params = step.params();
    let mut named: Vec<(&String, &Value)> = params.as_object().into_iter().flatten().collect();
    named.sort_by_key(|(name, _)| (name.as_str() != "p", name.as_str()));
    let word = |(name, value): (&String, &Value)| format!("{name} {}", plainly(value));
    named.into_iter().map(word).collect::<Vec<_>>().join(", ")
}

/// A value without quotes, 10 rather than 10.0 and 1.3333 rather than 1.3333333333333333.
fn plainly(value: &Value) -> String {
    match value {
        Value::Number(number) => format!("{}", (number.as_f64().unwrap_or(f64::NAN) * 1e4).round() / 1e4),
        Value::String(text) => text.clone(),
        Value::Array(values) => format!("[{}]", values.iter().map(plainly).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_told_as_a_config_has_them() {
        let step = |given: Value| pipeline_photo::policy::steps_from_json(&given).unwrap().remove(0);
        assert_eq!(params(step(serde_json::json!(["rotate"])).as_ref()), "p 0.75, max_deg 10");
        let crop = params(step(serde_json::json!(["random_resized_crop"])).as_ref());
        assert_eq!(crop, "p 1, area [0.08, 1], ratio [0.75, 1.3333]");
        let erasing = params(step(serde_json::json!(["random_erasing"])).as_ref());
        assert_eq!(erasing, "p 0.5, area [0.02, 0.33], fill mean, ratio [0.3, 3.3333]");
    }
}
