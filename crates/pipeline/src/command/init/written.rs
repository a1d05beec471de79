//! [`config`]: the text of a config, each value with the reason.
//!
//! A line that begins with `#` and a letter is a value that people change next: without the `#` it is one. Prose has a
//! blank behind the `#`.

use pipeline_ingest::{LayoutKind, MOST_UNEVEN, SplitsFrom};
use pipeline_table::Split;

use super::Lesson;
use super::seen::Seen;
use super::weights::At;
use super::yaml::{quoted, remark};
use crate::terminal::words;

/// Fewer photos to train on than this are few: features of each are soon computed, and networks soon know them by heart.
const FEW: u64 = 1_000;

/// Steps below which a head has not learned much: 10 epochs of 200 photos, 64 at a time, are 40.
const LEAST_STEPS: u64 = 60;

/// Epochs beyond which more of them help few photos no more.
const MOST_EPOCHS: u64 = 30;

/// The lesson's batch, and a smaller one for few photos.
const BATCH: u64 = 64;
const SMALL_BATCH: u64 = 16;

/// The lesson's size of a photo as the network sees it, and one for photos that are tiny.
const SIZE: u32 = 224;
const SMALL_SIZE: u32 = 128;

/// A largest class of this many times the smallest is remarked on; beyond [`MOST_UNEVEN`] it is acted on.
const UNEVEN: f64 = 3.0;

/// The config for what was seen; `name` is its path, for the commands that it names.
pub(super) fn config(seen: &Seen, pipeline: Lesson, name: &str) -> String {
    let name = remark(name);
    let mut text = Text::default();
    text.prose(&format!("Written by `pipeline init` for {}: {}.", remark(&seen.root), seen.photos()));
    text.prose("What is not here has its usual value: `pipeline stages` lists them all. Lines like `#cached_views: 3` are");
    text.prose("what people change next: remove the `#`.");
    text.prose(&format!("`pipeline validate {name}` checks it, `pipeline run {name}` runs it."));
    match pipeline {
        Lesson::Quick => text.key(
            "pipeline",
            "quick",
            "a head on features of a pretrained network; lesson1 fine-tunes as well",
        ),
        Lesson::Lesson1 => text.key(
            "pipeline",
            "lesson1",
            "a head, then all layers fine-tuned; quick has the head alone, in minutes",
        ),
    }
    text.key("seed", "42", "of all that is drawn by lot: the same seed gives the same result, to the bit");

    ingest(&mut text, seen);
    augment(&mut text, seen);
    backbone(&mut text, seen);
    precompute(&mut text, seen);
    head(&mut text, seen);
    if pipeline == Lesson::Lesson1 {
        finetune(&mut text, seen);
    }
    evaluate(&mut text, pipeline);
    text.out
}

fn ingest(text: &mut Text, seen: &Seen) {
    let outline = &seen.outline;
    text.stage("ingest");
    text.prose(&format!("Classes by {}: {}.", seen.classes_from(), seen.classes()));
    text.key("root", &quoted(&seen.root), "neither moved nor changed");
    if outline.params.layout == Some(LayoutKind::ClassFolders) {
        text.key("layout", "class_folders", "the tables beside the folders do not name the photos");
    }
    if let Some(pattern) = &outline.params.label_pattern {
        text.key(
            "label_pattern",
            &quoted(pattern),
            "finds the class in a name; names without one are set aside",
        );
    }
    match outline.params.table.as_ref().and_then(|table| table.file.as_ref()) {
        Some(file) => {
            let value = format!("{{ file: {} }}", quoted(file));
            text.key("table", &value, "there is more beside it that might say the classes");
        }
        None if outline.layout == LayoutKind::Table => {
            text.prose(
                "The only table of labels is taken as it is: `table: { file: NAME }` would name another.",
            );
        }
        None => {}
    }
    split(text, seen);
    text.hint(
        "on_leak: drop_from_train",
        "leave out photos of train that are in valid or test, too; else they are warned of",
    );
    text.hint("on_bad: fail", "stop at files that are no photos; else they are listed and set aside");
}

fn split(text: &mut Text, seen: &Seen) {
    let count = |split| words::count(seen.outline.labelled(split));
    let (train, valid) = (count(Split::Train), count(Split::Valid));
    let Some(draw) = &seen.outline.params.split else {
        let by = if seen.outline.splits_from == SplitsFrom::Table { "The table says" } else { "Folders say" };
        text.prose(&format!("{by} the splits: {train} photos to train on, {valid} to measure on."));
        return;
    };
    text.prose(&format!("Nothing says which photos are held out, so they are drawn: {train} to train on, {valid} to measure on."));
    text.line("  split:");
    text.deep("valid", &draw.valid.to_string(), "this share of the photos is never trained on");
    match seen.outline.unlabelled {
        0 => text.deep("test", "0.0", "more to hold out, for a last look: `evaluate: { split: test }`"),
        n => text.deep(
            "test",
            "0.0",
            &format!("there is a folder for it already, with {} photos", words::count(n)),
        ),
    }
    text.deep("seed", "42", "another one draws others");
    text.deep("stratify", "true", "the same share of each class");
    text.line("    #group_by: { regex: '^(.*)_[0-9]+' }   # of photos that belong together (one animal, one burst), none in both splits");
}

fn augment(text: &mut Text, seen: &Seen) {
    text.stage("augment");
    text.prose("Whether your photos have an upright was not looked at. Pictures from above (satellite, microscope) have none:");
    text.prose("top_down turns and mirrors them in all eight ways.");
    text.key("policy", "side_on", "photos with an upright are turned a little and mirrored left to right");
    text.hint("policy: top_down", "in place of the line above");
    text.hint("max_zoom: 1.2", "scale photos by up to this much; 1.1 as it is");
    let train = seen.outline.labelled(Split::Train);
    let photos = words::count(train);
    match train < FEW {
        true => text.key(
            "cached_views",
            "3",
            &format!("{photos} photos to train on are few: three changed views of each are added"),
        ),
        false => text.hint(
            "cached_views: 3",
            "three changed views of each photo for the head, too; precompute takes four times as long",
        ),
    }
}

fn backbone(text: &mut Text, seen: &Seen) {
    let (backbone, pretrained) = (seen.weights.backbone, &seen.weights.backbone.pretrained);
    text.stage("backbone");
    match &seen.weights.at {
        At::Official(path) => {
            text.key("arch", backbone.arch, &format!("its official weights are at hand: {}", path.display()))
        }
        At::Own(path) => {
            text.key("arch", backbone.arch, "the network whose name the weights have");
            text.key(
                "weights",
                &quoted(&path.to_string_lossy()),
                "found there; without this line the official ones",
            );
        }
        At::Nowhere => {
            text.key("arch", backbone.arch, "the lesson's network");
            let url = pretrained.url.unwrap_or("its official place");
            text.prose(&format!("Its weights are not at hand: the first run fetches {url}"));
            text.prose(&format!("(without a network, put {} into data/weights/).", pretrained.file));
        }
    }
    let other = if backbone.arch == "resnet50" { "resnet34" } else { "resnet50" };
    text.hint(
        &format!("arch: {other}"),
        "in place of the line above: larger networks are slower, and often better",
    );
}

fn precompute(text: &mut Text, seen: &Seen) {
    text.stage("precompute");
    let sizes = seen.sizes.text();
    let size = match seen.sizes.median() {
        Some(median) if median <= SMALL_SIZE / 2 => {
            text.key(
                "size",
                &SMALL_SIZE.to_string(),
                &format!("photos are small, and more pixels would only take longer; {sizes}"),
            );
            SMALL_SIZE
        }
        _ => {
            text.key(
                "size",
                &SIZE.to_string(),
                &format!("pixels across, as the network was trained on; {sizes}"),
            );
            SIZE
        }
    };
    if seen.sizes.median().is_some_and(|median| median >= 2 * size) {
        text.hint("size: 288", "in place of the line above: finer detail, and 1.7 times as long");
        text.hint(
            "decode: scaled",
            "large JPEGs are decoded smaller, in about half the time; pixels differ a little",
        );
    }
    text.hint("batch_size: 4", "where memory runs out; 8 as it is");
}

fn head(text: &mut Text, seen: &Seen) {
    text.stage("head");
    let train = seen.outline.labelled(Split::Train);
    let photos = words::count(train);
    let batch = if train < BATCH * 10 { SMALL_BATCH } else { BATCH };
    let steps = train.div_ceil(batch).max(1);
    let epochs = LEAST_STEPS.div_ceil(steps).clamp(2, MOST_EPOCHS);
    text.key("lr", "0.01", "the lesson's learning rate");
    text.hint("lr: { find: valley }", "in place of the line above: a search chooses it");
    if batch != BATCH {
        text.key(
            "batch_size",
            &batch.to_string(),
            &format!("photos at a time; of {photos}, {BATCH} at a time would be few steps"),
        );
    }
    let why = match epochs {
        2 => format!("passes over the photos, as in the lesson: {} steps", words::count(2 * steps)),
        _ => format!(
            "passes over {photos} photos: {} steps; 2 as in the lesson are too few for it",
            words::count(epochs * steps)
        ),
    };
    text.key("epochs", &epochs.to_string(), &why);
    class_weights(text, seen);
    text.hint("early_stopping: 3", "stop after three passes without a lower loss on valid");
}

fn class_weights(text: &mut Text, seen: &Seen) {
    let Some((most, least)) = seen.extremes() else { return };
    let (many, few) = (most.of(Split::Train), least.of(Split::Train));
    let ratio = many as f64 / few.max(1) as f64;
    let why = format!(
        "{} has {} photos to train on, {} has {}",
        remark(&most.name),
        words::count(many),
        remark(&least.name),
        words::count(few)
    );
    match () {
        () if ratio > MOST_UNEVEN => {
            text.key("class_weights", "balanced", &format!("all classes count alike: {why}"))
        }
        () if ratio > UNEVEN => {
            text.hint("class_weights: balanced", &format!("all classes count alike: {why}"))
        }
        () => {}
    }
}

fn finetune(text: &mut Text, seen: &Seen) {
    text.stage("last_layer");
    text.key("freeze", "trunk", "the head again, on photos that change in each pass");
    class_weights(text, seen);
    text.stage("finetune");
    text.key(
        "lr",
        "[1e-4, 1e-3, 1e-2]",
        "early layers, late layers, head: what sees edges needs the least change",
    );
    let train = seen.outline.labelled(Split::Train);
    match train < FEW {
        true => {
            let photos = words::count(train);
            text.key(
                "cycles",
                "2",
                &format!("two cycles instead of three: all layers soon know {photos} photos by heart"),
            );
            text.key("cycle_len", "1", "passes in the first cycle");
            text.key("cycle_mult", "2", "the second has twice as many: 1 + 2 = 3 passes");
            text.hint("keep: best", "publish the weights of the lowest loss on valid, not the last ones");
        }
        false => text.hint("cycles: 2", "3 as it is: 1 + 2 + 4 passes; most of the time of the run"),
    }
    class_weights(text, seen);
}

fn evaluate(text: &mut Text, pipeline: Lesson) {
    text.stage("evaluate");
    match pipeline {
        Lesson::Quick => text.hint("tta: flip", "answer by the mean of a photo and its mirror image"),
        Lesson::Lesson1 => text.key(
            "tta",
            "4",
            "answers are the mean of the photo and four changed views of it, as in the lesson",
        ),
    }
    text.key(
        "label_issues",
        "5",
        "wrong labels are looked for, in five parts of the photos in turn; 0 does not look",
    );
}

/// A config as it grows.
#[derive(Default)]
struct Text {
    out: String,
    /// Before each line: within a stage two blanks.
    indent: &'static str,
}

/// Columns before the reason.
const COLUMN: usize = 30;

/// Columns of a line.
const WIDTH: usize = 120;

impl Text {
    fn line(&mut self, line: &str) {
        self.out += line.trim_end();
        self.out.push('\n');
    }

    /// The name of a stage, after an empty line.
    fn stage(&mut self, name: &str) {
        self.line("");
        self.line(&format!("{name}:"));
        self.indent = "  ";
    }

    /// A sentence, wrapped.
    fn prose(&mut self, sentence: &str) {
        let indent = self.indent;
        let mut line = String::new();
        for word in sentence.split(' ') {
            if !line.is_empty() && indent.len() + line.chars().count() + word.chars().count() + 3 > WIDTH {
                self.line(&format!("{indent}# {line}"));
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line += word;
        }
        self.line(&format!("{indent}# {line}"));
    }

    /// A value and its reason.
    fn key(&mut self, key: &str, value: &str, why: &str) {
        let indent = self.indent;
        self.reasoned(&format!("{indent}{key}: {value}"), why);
    }

    /// A value within one.
    fn deep(&mut self, key: &str, value: &str, why: &str) {
        self.reasoned(&format!("    {key}: {value}"), why);
    }

    /// A value that may come next.
    fn hint(&mut self, value: &str, why: &str) {
        self.reasoned(&format!("  #{value}"), why);
    }

    /// The reason stands behind the value, or before it where there is no room.
    fn reasoned(&mut self, value: &str, why: &str) {
        let is_short = value.chars().count().max(COLUMN) + why.chars().count() + 3 <= WIDTH;
        if !is_short {
            self.prose(&format!("{}:", why.trim_end_matches('.')));
            return self.line(value);
        }
        self.line(&format!("{value:<COLUMN$} # {why}"));
    }
}

#[cfg(test)]
mod tests;
