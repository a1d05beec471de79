//! [`Sizes`]: how large photos are, by the headers of a few of them.

use std::path::{Path, PathBuf};

use image::ImageReader;

/// Photos that are looked at, spread over all.
const LOOKED_AT: usize = 64;

/// A file beyond this many bytes is not opened: some decoders read it whole to know its size.
const MOST_BYTES: u64 = 100_000_000;

/// Sizes of photos, in pixels as they are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sizes {
    /// How many were looked at.
    pub(super) looked_at: usize,
    /// Of how many the header cannot be read.
    pub(super) unreadable: usize,
    /// Shorter sides, sorted; empty where none can be read.
    shorter: Vec<u32>,
}

impl Sizes {
    /// Those of some of the photos.
    pub(super) fn of(photos: &[PathBuf]) -> Sizes {
        let step = photos.len().div_ceil(LOOKED_AT).max(1);
        let chosen: Vec<&PathBuf> = photos.iter().step_by(step).collect();
        let mut shorter: Vec<u32> = chosen.iter().filter_map(|path| shorter_side(path)).collect();
        shorter.sort_unstable();
        Sizes { looked_at: chosen.len(), unreadable: chosen.len() - shorter.len(), shorter }
    }

    /// The median of the shorter sides, of two the smaller.
    pub(super) fn median(&self) -> Option<u32> {
        self.shorter.get(self.shorter.len().checked_sub(1)? / 2).copied()
    }

    /// `shorter side 375 pixels at the median (240 to 500; 64 photos looked at)`
    pub(super) fn text(&self) -> String {
        let looked_at = match self.looked_at {
            1 => "1 photo looked at".to_owned(),
            n => format!("{n} photos looked at"),
        };
        let unreadable = match self.unreadable {
            0 => String::new(),
            n => format!(", {n} of them not readable"),
        };
        match (self.median(), self.shorter.first(), self.shorter.last()) {
            (Some(median), Some(least), Some(most)) => {
                format!(
                    "shorter side {median} pixels at the median ({least} to {most}; {looked_at}{unreadable})"
                )
            }
            _ => format!("{looked_at}{unreadable}"),
        }
    }
}

fn shorter_side(path: &Path) -> Option<u32> {
    let found = fs_err::metadata(path).ok()?;
    // Whoever opens a named pipe waits for a writer.
    if !found.is_file() || found.len() > MOST_BYTES {
        return None;
    }
    let file = std::io::BufReader::new(fs_err::File::open(path).ok()?);
    let (width, height) = ImageReader::new(file).with_guessed_format().ok()?.into_dimensions().ok()?;
    Some(width.min(height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_photos_spread_over_all_are_looked_at_and_what_is_none_is_counted() {
        let dir = tempfile::tempdir().unwrap();
        let path = |n: u32| dir.path().join(format!("{n}.png"));
        for n in 1..=100 {
            // The shorter side is the height, then the width.
            let (width, height) = if n % 2 == 0 { (n, 200) } else { (300, n) };
            image::GrayImage::new(width, height).save(path(n)).unwrap();
        }
        fs_err::write(path(101), "no photo").unwrap();
        let photos: Vec<PathBuf> = (1..=102).map(path).collect();
        let sizes = Sizes::of(&photos);
        // 102 photos: every second, 1, 3, ... 101; the median of 1 to 99 odd is 49.
        assert_eq!((sizes.looked_at, sizes.unreadable, sizes.median()), (51, 1, Some(49)));
        assert_eq!(
            sizes.text(),
            "shorter side 49 pixels at the median (1 to 99; 51 photos looked at, 1 of them not readable)"
        );
        assert_eq!(Sizes::of(&photos[100..]).text(), "2 photos looked at, 2 of them not readable");
        assert_eq!(
            Sizes::of(&photos[..1]).text(),
            "shorter side 1 pixels at the median (1 to 1; 1 photo looked at)"
        );
    }
}
