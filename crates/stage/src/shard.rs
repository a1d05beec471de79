//! [`Shard`]: which part of a stage's pieces one of several workers does.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

/// One of several equal parts of a stage's work, from 1 on: as text `2/4`.
///
/// A stage that can be shared ([`Stage::SHARED`](crate::Stage::SHARED)) numbers its pieces from 0, whoever does them;
/// part I of N has the pieces I - 1, I - 1 + N, I - 1 + 2 N, ..., so that parts differ by one piece at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    number: u32,
    of: NonZeroU32,
}

impl Shard {
    /// Whether `piece`, counted from 0, is of this part.
    pub fn has(self, piece: u64) -> bool {
        piece % u64::from(self.of.get()) + 1 == u64::from(self.number)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

/// Text that is no [`Shard`].
#[derive(Debug, thiserror::Error)]
#[error("expected a part and the number of parts, as 1/4 to 4/4, found `{0}`")]
pub struct NotAShard(String);

impl FromStr for Shard {
    type Err = NotAShard;
    fn from_str(text: &str) -> Result<Self, NotAShard> {
        let of = |(number, of): (&str, &str)| {
            Some(Shard { number: number.parse().ok()?, of: of.parse().ok()? })
                .filter(|shard| (1..=shard.of.get()).contains(&shard.number))
        };
        text.split_once('/').and_then(of).ok_or_else(|| NotAShard(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_piece_is_of_one_part_and_parts_differ_by_one_at_most() {
        for (parts, pieces) in [(1, 5), (3, 7), (4, 5), (5, 3)] {
            let shards: Vec<Shard> = (1..=parts).map(|n| format!("{n}/{parts}").parse().unwrap()).collect();
            let of = |shard: &Shard| (0..pieces).filter(|piece| shard.has(*piece)).collect::<Vec<u64>>();
            let mut all: Vec<u64> = shards.iter().flat_map(of).collect();
            all.sort_unstable();
            assert_eq!(all, (0..pieces).collect::<Vec<_>>(), "{parts} parts");
            let counts: Vec<usize> = shards.iter().map(|shard| of(shard).len()).collect();
            let spread = counts.iter().max().unwrap() - counts.iter().min().unwrap();
            assert!(spread <= 1, "{pieces} pieces in {parts} parts: {counts:?}");
        }
    }

    #[test]
    fn a_part_is_a_number_from_1_to_the_number_of_parts() {
        for text in ["1/1", "2/4", "4/4", "1/4294967295"] {
            assert_eq!(text.parse::<Shard>().unwrap().to_string(), text);
        }
        for text in
            ["5/4", "0/4", "0/0", "a/b", "1", "1/", "/4", "-1/4", "1/4/2", "1 / 4", "1/4294967296", ""]
        {
            let expected = format!("expected a part and the number of parts, as 1/4 to 4/4, found `{text}`");
            assert_eq!(text.parse::<Shard>().unwrap_err().to_string(), expected);
        }
    }
}
