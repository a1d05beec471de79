//! [`draw_all`]: a folder of pictures, laid out as the ingest stage reads it.
//!
//! ```text
//! train/cats/cat.1.jpg ...    train/dogs/dog.1.jpg ...
//! valid/cats/...              valid/dogs/...
//! test1/1.jpg ...             (no labels: the animal of each is drawn by chance)
//! ```

use std::io::Cursor;
use std::path::{Path, PathBuf};

use image::codecs::jpeg::JpegEncoder;
use pipeline_stage::random::Stream;
use pipeline_stage::{Cancel, Progress, Report};
use rayon::prelude::*;

use crate::dice::Dice;
use crate::error::Error;
use crate::picture::{Animal, draw};

/// How many pictures, and which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// The same seed gives the same bytes, whatever the number of threads.
    pub seed: u64,
    /// Pictures to train on, of each animal; at least 1.
    pub train_per_class: u32,
    /// Pictures to measure on, of each animal; at least 1.
    pub valid_per_class: u32,
    /// Pictures without a label, of both animals together.
    pub test: u32,
}

impl Default for Options {
    /// 400 pictures to train on and 160 to measure on: a quick start in well under a minute, and steps of
    /// accuracy (0.6 points) that show a difference.
    fn default() -> Options {
        Options { seed: 1, train_per_class: 200, valid_per_class: 80, test: 20 }
    }
}

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// Pictures to train on, of both animals.
    pub train: u32,
    /// Pictures to measure on, of both animals.
    pub valid: u32,
    /// Pictures without a label.
    pub test: u32,
    /// Size of them all.
    pub bytes: u64,
}

/// Draws all pictures of `options` into `dir`, which appears when it is complete: they are drawn into a
/// folder beside it, which is then renamed. Pictures do not depend on each other: more of one kind leaves
/// the others as they are.
///
/// # Errors
/// [`Error::NotEmpty`], [`Error::TooFew`], [`Error::Io`], and [`Error::Cancelled`] soon after `cancel` is
/// set; in each case `dir` is as it was.
pub fn draw_all(
    dir: &Path,
    options: &Options,
    report: &dyn Report,
    cancel: &Cancel,
) -> Result<Written, Error> {
    for (split, count) in [("train", options.train_per_class), ("valid", options.valid_per_class)] {
        if count == 0 {
            return Err(Error::TooFew { split, count });
        }
    }
    // Renaming replaces an empty folder, and nothing else.
    let occupied = dir.exists() && (!dir.is_dir() || fs_err::read_dir(dir)?.next().is_some());
    if occupied {
        return Err(Error::NotEmpty { dir: dir.to_owned() });
    }
    // In full, because `.` has no folder beside it by that name.
    let target = if dir.exists() { fs_err::canonicalize(dir)? } else { std::path::absolute(dir)? };

    let beside = Beside::create(&target)?;
    for split in ["train", "valid"] {
        for animal in Animal::ALL {
            fs_err::create_dir_all(beside.path.join(split).join(animal.label()))?;
        }
    }
    if options.test > 0 {
        fs_err::create_dir_all(beside.path.join("test1"))?;
    }

    let pictures = pictures(options);
    let progress = Progress::begin(report, cancel, "draw", Some(pictures.len() as u64), "pictures");
    let bytes = pictures
        .par_iter()
        .map(|picture| {
            let jpeg = picture.jpeg(options.seed)?;
            fs_err::write(beside.path.join(&picture.name), &jpeg)?;
            progress.add(1)?;
            Ok(jpeg.len() as u64)
        })
        .sum::<Result<u64, Error>>()?;
    beside.publish(&target)?;
    Ok(Written {
        train: 2 * options.train_per_class,
        valid: 2 * options.valid_per_class,
        test: options.test,
        bytes,
    })
}

/// A picture to be drawn.
struct Picture {
    /// Relative to the folder, with `/`. Also the name of its random stream.
    name: String,
    /// `None`: by chance.
    animal: Option<Animal>,
}

fn pictures(options: &Options) -> Vec<Picture> {
    let mut pictures = Vec::new();
    for (split, count) in [("train", options.train_per_class), ("valid", options.valid_per_class)] {
        for animal in Animal::ALL {
            let (label, one) = (animal.label(), animal.name());
            pictures.extend((1..=count).map(|number| Picture {
                name: format!("{split}/{label}/{one}.{number}.jpg"),
                animal: Some(animal),
            }));
        }
    }
    let test = |number| Picture { name: format!("test1/{number}.jpg"), animal: None };
    pictures.extend((1..=options.test).map(test));
    pictures
}

impl Picture {
    /// The file's bytes, of a quality that varies as it does on the web.
    fn jpeg(&self, seed: u64) -> Result<Vec<u8>, Error> {
        let mut random = Stream { seed, purpose: "sample", item: &self.name, ..Stream::default() }.start();
        let mut dice = Dice(&mut random);
        let quality = dice.whole(55, 95) as u8;
        let by_chance = dice.pick(&Animal::ALL);
        let picture = draw(self.animal.unwrap_or(by_chance), &mut random);
        let mut jpeg = Cursor::new(Vec::new());
        picture
            .write_with_encoder(JpegEncoder::new_with_quality(&mut jpeg, quality))
            .map_err(|source| Error::Encode { name: self.name.clone(), source })?;
        Ok(jpeg.into_inner())
    }
}

/// The folder that is being filled; removed unless it is published. A process that is killed leaves it
/// behind; the next one takes a name of its own and is not disturbed.
struct Beside {
    path: PathBuf,
}

impl Beside {
    /// In the same folder as `dir`, so that a rename suffices; its name says who fills it.
    fn create(dir: &Path) -> Result<Beside, Error> {
        let name = dir.file_name().unwrap_or_default().to_string_lossy();
        let path = dir.with_file_name(format!(".{name}.{}.partial", std::process::id()));
        fs_err::create_dir_all(&path)?;
        Ok(Beside { path })
    }

    fn publish(self, dir: &Path) -> Result<(), Error> {
        fs_err::rename(&self.path, dir)?;
        Ok(())
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // After publishing there is nothing here. Otherwise an error is on its way already; what cannot
        // be removed is a hidden folder that its name explains.
        let _ = fs_err::remove_dir_all(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_names_the_animal_that_is_drawn() {
        let options = Options { seed: 1, train_per_class: 2, valid_per_class: 3, test: 1 };
        for picture in pictures(&options) {
            let expected = match picture.name.split('/').collect::<Vec<_>>()[..] {
                ["train" | "valid", "cats", file] if file.starts_with("cat.") => Some(Animal::Cat),
                ["train" | "valid", "dogs", file] if file.starts_with("dog.") => Some(Animal::Dog),
                _ => None,
            };
            assert_eq!(picture.animal, expected, "{}", picture.name);
        }
    }
}
