//! [`Seen`]: what a look at the photos and the project found.

use std::path::PathBuf;

use pipeline_ingest::{ClassOutline, Ingest, LayoutKind, Outline, SplitsFrom};
use pipeline_runner::{Graph, Node};
use pipeline_stage::{AnyStage, exit};
use pipeline_table::Split;
use pipeline_table::images::PHOTOS;
use serde_json::json;

use super::destination::Destination;
use super::sizes::Sizes;
use super::weights::Weights;
use super::yaml::remark;
use super::{Stop, refused};
use crate::command::interrupt::Interrupt;
use crate::command::job::Folders;
use crate::command::stop;
use crate::config::Job;
use crate::terminal::{Header, Screen, Style, watch, words};

/// Classes that are listed.
const MOST_CLASSES: usize = 12;

/// Names of what is left out that are listed.
const MOST_NAMES: usize = 5;

/// What was seen.
pub(super) struct Seen {
    /// The photos as the config names them.
    pub(super) root: String,
    pub(super) outline: Outline,
    pub(super) sizes: Sizes,
    pub(super) weights: Weights,
}

impl Seen {
    /// Looks at the photos; an archive is unpacked into the store first, as a run would.
    pub(super) fn of(to: &Destination, interrupt: &Interrupt, screen: &Screen) -> Result<Seen, Stop> {
        let folder = if to.photos.is_dir() { to.photos.clone() } else { unpacked(to, interrupt, screen)? };
        let outline =
            Outline::of(&folder, &interrupt.cancel).map_err(|failure| refused(failure, interrupt))?;
        let found = &outline.params.root.0;
        let root = match to.photos.is_dir() {
            true => to.root_parameter(found),
            // The config names the archive, which is looked at from its top.
            false if *found == folder => to.root_parameter(&to.photos),
            false => {
                let inside = found.strip_prefix(&folder).unwrap_or(found).display().to_string();
                return Err(Stop::usage(
                    format!("the photos in {} lie in its folder {inside}", to.photos.display()),
                    "unpack it, and name that folder",
                ));
            }
        };
        let sizes = Sizes::of(&outline.photos);
        Ok(Seen { root, outline, sizes, weights: Weights::of(&to.root) })
    }

    /// The same for people, a line each, and one for each class.
    pub(super) fn text(&self) -> String {
        let Outline { classes, others, first_other, misplaced, beside, clutter, notes, .. } = &self.outline;
        let mut lines = vec![format!("{}: {}", remark(&self.root), self.photos())];
        let width = classes.iter().map(|class| remark(&class.name).chars().count()).max().unwrap_or(0);
        for class in classes.iter().take(MOST_CLASSES) {
            let photos: u64 = class.photos.values().sum();
            lines.push(format!("  {:<width$}   {:>9}", remark(&class.name), words::count(photos)));
        }
        if classes.len() > MOST_CLASSES {
            lines.push(format!("  and {} more classes", classes.len() - MOST_CLASSES));
        }
        lines.push(format!("classes: {}", self.classes_from()));
        lines.push(format!("splits: {}", self.splits_from()));
        lines.push(format!("sizes: {}", self.sizes.text()));
        if let Some(first) = first_other {
            let count = words::count(*others);
            lines.push(format!("not called as photos: {count}, the first is {}", remark(first)));
        }
        if *misplaced > 0 {
            lines.push(format!("set aside, since nothing says their class: {}", words::count(*misplaced)));
        }
        if !beside.is_empty() {
            lines.push(format!("no part of the data: {}", listed(beside)));
        }
        if !clutter.is_empty() {
            let names: Vec<String> =
                clutter.iter().map(|(name, count)| format!("{name} ({count})")).collect();
            lines.push(format!("left out: {}", listed(&names)));
        }
        lines.extend(notes.iter().cloned());
        lines.join("\n")
    }

    /// `412 photos in 3 classes, and 12 without a class in test`
    pub(super) fn photos(&self) -> String {
        let labelled = Split::ALL.into_iter().map(|split| self.outline.labelled(split)).sum();
        let unlabelled = match self.outline.unlabelled {
            0 => String::new(),
            n => format!(", and {} without a class in test", words::count(n)),
        };
        format!("{} photos in {} classes{unlabelled}", words::count(labelled), self.outline.classes.len())
    }

    /// `leaves (200), bark (112), …`
    pub(super) fn classes(&self) -> String {
        let class = |class: &ClassOutline| {
            format!("{} ({})", remark(&class.name), words::count(class.photos.values().sum()))
        };
        listed(&self.outline.classes.iter().map(class).collect::<Vec<_>>())
    }

    /// What says the class of a photo.
    pub(super) fn classes_from(&self) -> String {
        match self.outline.layout {
            LayoutKind::SplitFolders => "a folder for each in train".to_owned(),
            LayoutKind::ClassFolders => "a folder for each".to_owned(),
            LayoutKind::NamePattern => "the names of the photos".to_owned(),
            LayoutKind::Table => "a table of labels".to_owned(),
        }
    }

    /// What says the split, and what comes of it.
    pub(super) fn splits_from(&self) -> String {
        let count = |split| words::count(self.outline.labelled(split));
        let counts = format!("{} to train on, {} to measure on", count(Split::Train), count(Split::Valid));
        match self.outline.splits_from {
            SplitsFrom::Folders => format!("by folders, {counts}"),
            SplitsFrom::Table => format!("by the table, {counts}"),
            SplitsFrom::Draw => format!("drawn, {counts}"),
        }
    }

    /// The classes with most and with fewest photos to train on, the first by name of several.
    pub(super) fn extremes(&self) -> Option<(&ClassOutline, &ClassOutline)> {
        let of = |class: &&ClassOutline| class.of(Split::Train);
        let classes = &self.outline.classes;
        Some((classes.iter().rev().max_by_key(of)?, classes.iter().min_by_key(of)?))
    }
}

/// The first of some names, and how many more there are.
fn listed(names: &[String]) -> String {
    words::listed(names.iter().map(|name| remark(name)), MOST_NAMES)
}

/// Where the archive is unpacked: into the store, where a run looks for it.
fn unpacked(to: &Destination, interrupt: &Interrupt, screen: &Screen) -> Result<PathBuf, Stop> {
    let faults = |message: String| Stop::Error { message, hint: None, code: exit::USAGE };
    let stage: &'static dyn AnyStage = &Ingest;
    let params = stage.resolve(&json!({"root": to.photos})).map_err(|problems| {
        faults(problems.into_iter().map(|problem| problem.message).collect::<Vec<_>>().join("; "))
    })?;
    let node = Node { name: "ingest".to_owned(), stage, params, inputs: Default::default() };
    let graph = Graph::new(vec![node]).map_err(|error| Stop::new(exit::USAGE, &error))?;
    let job = Job {
        name: "init".to_owned(),
        root: to.root.clone(),
        pipeline: String::new(),
        files: vec![],
        seed: 0,
        graph,
    };
    let options = Folders::default().options(&job);
    let header = Header::default();
    let observer = watch(Style::choose(false, false, screen), &header, screen);
    let found =
        pipeline_runner::place_of_source(&job.graph, PHOTOS, &options, &interrupt.cancel, observer.as_ref());
    drop(observer);
    let found = found.map_err(|error| stop(&error, interrupt))?;
    found.ok_or_else(|| faults(format!("cannot unpack {}", to.photos.display())))
}
