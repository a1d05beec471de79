//! [`Chunks`]: the features that are computed so far, on disk, so that a killed run goes on where it was.
//!
//! ```text
//! partial/precompute/<key>/chunk-00000.f32     the features of the first views, row after row, and their BLAKE3
//!                          chunk-00001.f32     …
//! ```
//! How views are cut into chunks depends on parameters and inputs alone, so any run with the same key can use them, and
//! several workers can make them: chunk s is of part s mod n + 1 of n. Each photo's digest was checked when it was read.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use fs_err::OpenOptions;
use pipeline_stage::{Digest, Failure};

use crate::lane::is_missing;
use crate::shots::Shot;

/// A chunk has the least whole number of batches with at least as many views: what a kill loses is some 10 seconds on two
/// cores, and a million photos make four thousand files.
const LEAST_VIEWS: u64 = 256;

/// Bytes of a digest.
const DIGEST_LEN: usize = 32;

/// The chunks of one table.
pub(crate) struct Chunks {
    dir: PathBuf,
    dim: usize,
    batch_size: u64,
    /// Views of the whole table.
    views: u64,
}

/// Some views of one chunk.
pub(crate) struct Batch<T> {
    /// The chunk's number.
    pub(crate) chunk: u64,
    /// The views, or their features `[views, D]`.
    pub(crate) of: T,
}

impl Chunks {
    /// For `views` views of `dim` numbers each (features, and logits behind them), computed in batches of `batch_size`; in the folder `dir`.
    pub(crate) fn new(dir: &Path, views: u64, dim: usize, batch_size: usize) -> Self {
        Chunks { dir: dir.to_owned(), dim, batch_size: batch_size as u64, views }
    }

    /// Views in every chunk but the last.
    fn views_each(&self) -> u64 {
        LEAST_VIEWS.div_ceil(self.batch_size) * self.batch_size
    }

    /// How many chunks the table has.
    pub(crate) fn count(&self) -> u64 {
        self.views.div_ceil(self.views_each())
    }

    /// Views of the chunk with this number.
    pub(crate) fn views_in(&self, chunk: u64) -> u64 {
        self.views_each().min(self.views - chunk * self.views_each())
    }

    /// Whether the chunk is on disk, whole, and no photo was missing: it may be there again.
    pub(crate) fn is_done(&self, chunk: u64) -> bool {
        self.read(chunk).is_ok_and(|features| !features.chunks(self.dim).any(is_missing))
    }

    /// Whether the chunk is on disk: some worker has finished it, and nobody has looked at what it holds.
    pub(crate) fn is_there(&self, chunk: u64) -> bool {
        self.path(chunk).exists()
    }

    /// The views of the chunks for which `wanted` holds, in batches; none spans two chunks.
    pub(crate) fn batches(
        &self,
        mut shots: impl Iterator<Item = Result<Shot, Failure>> + Send,
        wanted: impl Fn(u64) -> bool + Send,
    ) -> impl Iterator<Item = Result<Batch<Vec<Shot>>, Failure>> + Send {
        let (batch_size, views_each, mut next_view) = (self.batch_size, self.views_each(), 0);
        std::iter::from_fn(move || {
            loop {
                let chunk = next_view / views_each;
                let of = shots.by_ref().take(batch_size as usize).collect::<Result<Vec<_>, _>>();
                next_view += batch_size;
                match of {
                    Ok(of) if of.is_empty() => return None,
                    Ok(_) if !wanted(chunk) => {}
                    of => return Some(of.map(|of| Batch { chunk, of })),
                }
            }
        })
    }

    /// Puts a chunk on disk: `features` is `[views, D]`, row-major. It is there whole or not at all, also where two workers
    /// were given the same part by mistake.
    ///
    /// # Errors
    /// A full disk.
    pub(crate) fn write(&self, chunk: u64, features: &[f32]) -> std::io::Result<()> {
        let mut bytes: Vec<u8> = features.iter().flat_map(|x| x.to_le_bytes()).collect();
        let digest = Digest::of(&bytes);
        bytes.extend(digest.as_bytes());
        let path = self.path(chunk);
        // Of no other process, on this host or another.
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let unfinished = format!("{}-{}.unfinished", std::process::id(), now.as_nanos());
        let unfinished = path.with_extension(unfinished);
        let mut file = OpenOptions::new().write(true).create_new(true).open(&unfinished)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs_err::rename(&unfinished, &path)
    }

    /// The features of a chunk, `[views, D]`.
    ///
    /// # Errors
    /// It is not there, cut short, or damaged.
    pub(crate) fn read(&self, chunk: u64) -> std::io::Result<Vec<f32>> {
        let path = self.path(chunk);
        let bytes = fs_err::read(&path)?;
        let damaged = || std::io::Error::other(format!("{} is damaged", path.display()));
        let numbers = usize::try_from(self.views_in(chunk)).map_err(|_| damaged())? * self.dim;
        let (floats, digest) = bytes.split_at_checked(4 * numbers).ok_or_else(damaged)?;
        if digest.len() != DIGEST_LEN || Digest::of(floats).as_bytes() != digest {
            return Err(damaged());
        }
        Ok(floats.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
    }

    fn path(&self, chunk: u64) -> PathBuf {
        self.dir.join(format!("chunk-{chunk:05}.f32"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_view_is_in_one_chunk_and_a_chunk_is_whole_batches() {
        // (views, batch size): views in each chunk.
        let cases = [
            ((1u64, 8usize), vec![1u64]),
            ((256, 8), vec![256]),
            ((257, 8), vec![256, 1]),
            ((600, 7), vec![259, 259, 82]), // 37 batches of 7 are the first to reach 256
            ((2500, 1000), vec![1000, 1000, 500]),
        ];
        for ((views, batch_size), expected) in cases {
            let chunks = Chunks::new(Path::new("nowhere"), views, 2, batch_size);
            let found: Vec<u64> = (0..chunks.count()).map(|chunk| chunks.views_in(chunk)).collect();
            assert_eq!(found, expected, "{views} views in batches of {batch_size}");
            assert_eq!(found.iter().sum::<u64>(), views);
        }
    }

    #[test]
    fn a_chunk_reads_as_it_was_written_and_a_damaged_one_is_not_done() {
        let dir = tempfile::tempdir().unwrap();
        let chunks = Chunks::new(dir.path(), 259, 3, 8);
        let features = [1.5f32, -0.0, f32::MIN_POSITIVE, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0];
        assert!(!chunks.is_done(1));
        chunks.write(1, &[1.0, 2.0, 3.0, f32::NAN, 5.0, 6.0, 7.0, 8.0, 9.0]).unwrap();
        assert!(!chunks.is_done(1), "a photo was missing");
        chunks.write(1, &features).unwrap();
        assert_eq!(chunks.read(1).unwrap().map_bits(), features.to_vec().map_bits());
        assert!(!chunks.is_done(0), "another one is not there");
        assert!(!Chunks::new(dir.path(), 260, 3, 8).is_done(1), "the table has one more view");

        let path = dir.path().join("chunk-00001.f32");
        let whole = fs_err::read(&path).unwrap();
        let mut flipped = whole.clone();
        flipped[5] ^= 1;
        for bytes in [&whole[..whole.len() - 1], &whole[..7], &[], &flipped] {
            fs_err::write(&path, bytes).unwrap();
            assert!(!chunks.is_done(1), "{} bytes", bytes.len());
        }
        let left: Vec<_> = fs_err::read_dir(dir.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "nothing unfinished is left: {left:?}");
    }

    trait MapBits {
        fn map_bits(&self) -> Vec<u32>;
    }

    impl MapBits for Vec<f32> {
        fn map_bits(&self) -> Vec<u32> {
            self.iter().map(|x| x.to_bits()).collect()
        }
    }
}
