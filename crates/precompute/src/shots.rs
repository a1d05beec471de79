//! [`Shots`]: the views to compute, photo by photo, from the photo table and the table of views.

use std::collections::BTreeSet;
use std::iter::Peekable;
use std::path::Path;
use std::sync::Arc;

use pipeline_photo::Policy;
use pipeline_stage::Failure;
use pipeline_table::{ImageRow, ImagesReader, Split, Verdict, ViewRow, ViewRows, ViewsReader};

use crate::error::Error;

/// One view of one photo.
#[derive(Debug, Clone)]
pub(crate) struct Shot {
    /// The photo.
    pub(crate) row: Arc<ImageRow>,
    /// 0 is the plain view.
    pub(crate) view: u32,
    /// What the policy drew; empty for the plain view.
    pub(crate) numbers: Vec<f32>,
}

impl Shot {
    /// The numbers of an augmented view; `None` for the plain one.
    pub(crate) fn augmented(&self) -> Option<&[f32]> {
        (self.view != 0).then_some(self.numbers.as_slice())
    }
}

/// Where views come from: `augment`'s table with its policy, or, without it, the plain view of each photo.
pub(crate) struct Views {
    table: Option<ViewsReader>,
    /// What makes the augmented views; `None` where there are none.
    pub(crate) policy: Option<Policy>,
}

impl Views {
    /// Opens the table of views at `path`.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path else { return Ok(Views { table: None, policy: None }) };
        let table = ViewsReader::open(path)?;
        let policy = table.policy().map(Policy::from_json).transpose();
        let policy = policy.map_err(|problems| match problems.into_iter().next() {
            Some(problem) => Error::Policy { path: problem.path.join("."), message: problem.message },
            None => Error::Policy { path: String::new(), message: "it is not a policy".to_owned() },
        })?;
        Ok(Views { table: Some(table), policy })
    }

    /// The views of the usable photos of these splits, in order of the photo table.
    pub(crate) fn shots(&self, images: &Path, splits: &BTreeSet<Split>) -> Result<Shots, Failure> {
        let columns: Vec<String> = match &self.policy {
            Some(policy) => policy.columns().into_iter().map(|column| column.name).collect(),
            None => vec![],
        };
        let views = self.table.as_ref().map(|table| table.rows(&columns)).transpose()?;
        Ok(Shots {
            images: ImagesReader::open(images)?,
            splits: splits.clone(),
            views: views.map(Iterator::peekable),
            can_augment: self.policy.is_some(),
            current: None,
        })
    }
}

/// The views to compute, in order. Both tables ascend by photo, so they are read side by side, and neither is in memory.
pub(crate) struct Shots {
    images: ImagesReader,
    splits: BTreeSet<Split>,
    views: Option<Peekable<ViewRows>>,
    /// Whether there is a policy for views that are not plain.
    can_augment: bool,
    /// The photo whose further views come next.
    current: Option<Arc<ImageRow>>,
}

impl Iterator for Shots {
    type Item = Result<Shot, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        self.further_view().or_else(|| self.next_photo())
    }
}

impl Shots {
    /// The next view of the current photo.
    fn further_view(&mut self) -> Option<Result<Shot, Failure>> {
        let row = self.current.as_ref()?;
        // What cannot be read is told, not taken for the end of the photo's views.
        let is_its = |view: &Result<ViewRow, _>| view.as_ref().map_or(true, |view| view.id == row.id);
        let view = self.views.as_mut()?.next_if(is_its)?;
        let shot = |view: ViewRow| Shot { row: Arc::clone(row), view: view.view, numbers: view.numbers };
        match view {
            Ok(view) if self.can_augment => Some(Ok(shot(view))),
            Ok(view) => Some(Err(Error::NoPolicy { id: view.id, view: view.view }.into())),
            Err(error) => Some(Err(error.into())),
        }
    }

    /// The plain view of the next photo that is wanted.
    fn next_photo(&mut self) -> Option<Result<Shot, Failure>> {
        let row = loop {
            match self.images.next()? {
                Ok(row) if row.verdict == Verdict::Bad || !self.splits.contains(&row.split) => {}
                Ok(row) => break Arc::new(row),
                Err(error) => return Some(Err(error.into())),
            }
        };
        if let Some(views) = &mut self.views {
            // Views of photos that are not wanted.
            while views.next_if(|view| view.as_ref().is_ok_and(|view| view.id < row.id)).is_some() {}
            match views.next_if(|view| view.as_ref().map_or(true, |view| view.id == row.id && view.view == 0))
            {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Some(Err(error.into())),
                None => return Some(Err(Error::NoViews { id: row.id.clone() }.into())),
            }
        }
        self.current = Some(Arc::clone(&row));
        Some(Ok(Shot { row, view: 0, numbers: vec![] }))
    }
}
