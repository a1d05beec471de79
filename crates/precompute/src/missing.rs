//! [`Missing`]: photos that are gone, or have other content, since they were ingested.

use std::fmt;

use pipeline_stage::words;

/// How many names are kept.
const NAMED: usize = 3;

/// Photos that cannot be had any more, however many: their number, and the first names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Missing {
    /// How many photos.
    pub count: u64,
    /// Ids of the first of them.
    pub first: Vec<String>,
}

impl Missing {
    /// One more.
    pub(crate) fn add(&mut self, id: &str) {
        self.count += 1;
        if self.first.len() < NAMED {
            self.first.push(id.to_owned());
        }
    }

    /// `left out, gone or changed since they were ingested: 2 (a.jpg, b.jpg)`
    pub(crate) fn left_out(&self) -> String {
        format!("left out, gone or changed since they were ingested: {self}")
    }

    /// Why a table that lacks them is incomplete: `1 photo was missing when it was made`; `None` where it lacks none.
    pub(crate) fn words_when_made(&self) -> Option<String> {
        match self.count {
            0 => None,
            1 => Some("1 photo was missing when it was made".to_owned()),
            n => Some(format!("{} photos were missing when it was made", words::count(n))),
        }
    }
}

/// `2 (a.jpg, b.jpg)`, `5 (a.jpg, b.jpg, c.jpg, …)`
impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let more = if self.count > self.first.len() as u64 { ", …" } else { "" };
        write!(f, "{} ({}{more})", words::count(self.count), self.first.join(", "))
    }
}
