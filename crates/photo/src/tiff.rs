//! TIFF: a look at the first directory before the decoder reads it, since that makes room for as many values as an entry
//! declares, 32 bytes each, before it looks for them. The pixels come from `image`.

use crate::{Format, Limits, Reason, Rejected};

/// Memory of a value in the decoder, in bytes.
const VALUE: u64 = 32;

/// Checks the entries of the first directory (TIFF 6.0, section 2): their values must be within the file, and fit into the memory.
/// What is wrong with the directory itself is the decoder's to say.
///
/// # Errors
/// [`Reason::Truncated`], [`Reason::TooLarge`].
pub(crate) fn check_entries(bytes: &[u8], limits: &Limits) -> Result<(), Rejected> {
    let reject = |reason, detail| Err(Rejected::new(reason, Some(Format::Tiff), detail));
    for (tag, count, value_bytes) in entries(bytes) {
        if count.saturating_mul(value_bytes) > bytes.len() as u64 {
            let detail = format!("its tag {tag} declares {count} values, and the file ends before them");
            return reject(Reason::Truncated, detail);
        }
        if count.saturating_mul(VALUE) > limits.max_memory_bytes {
            let (memory, limit) = (count * VALUE, limits.max_memory_bytes);
            let detail =
                format!("the values of its tag {tag} need {memory} bytes of memory, the limit is {limit}");
            return reject(Reason::TooLarge, detail);
        }
    }
    Ok(())
}

/// Tag, number of values, and bytes of a value of each entry, as far as the directory is whole.
fn entries(bytes: &[u8]) -> impl Iterator<Item = (u16, u64, u64)> {
    let is_big = bytes.starts_with(b"MM");
    let number = move |at: usize, length: usize| -> Option<u32> {
        let field = bytes.get(at..at.checked_add(length)?)?;
        let join = |sum: u32, byte: &u8| sum << 8 | u32::from(*byte);
        Some(if is_big { field.iter().fold(0, join) } else { field.iter().rev().fold(0, join) })
    };
    let directory = number(4, 4).map_or(usize::MAX, |at| at as usize);
    let count = number(directory, 2).unwrap_or(0) as usize;
    (0..count).map_while(move |entry| {
        let at = directory + 2 + 12 * entry;
        let value_bytes = match number(at + 2, 2)? {
            3 | 8 => 2,
            4 | 9 | 11 | 13 => 4,
            5 | 10 | 12 => 8,
            _ => 1,
        };
        Some((number(at, 2)? as u16, number(at + 4, 4)?.into(), value_bytes))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One entry of `count` values of a type, and nothing else.
    fn file(big: bool, kind: u16, count: u32) -> Vec<u8> {
        let short = |v: u16| if big { v.to_be_bytes() } else { v.to_le_bytes() };
        let long = |v: u32| if big { v.to_be_bytes() } else { v.to_le_bytes() };
        let start = if big { b"MM\0*" } else { b"II*\0" };
        [&start[..], &long(8), &short(1), &short(273), &short(kind), &long(count), &long(0), &long(0)]
            .concat()
    }

    #[test]
    fn values_beyond_the_file_or_the_memory_are_refused_in_both_byte_orders() {
        // Each file has 26 bytes: 13 shorts, 3 doubles.
        let limits = Limits { max_memory_bytes: 13 * 32, ..Limits::default() };
        for big in [false, true] {
            assert_eq!(check_entries(&file(big, 3, 13), &limits), Ok(()));
            let more = check_entries(&file(big, 3, 14), &limits).unwrap_err().to_string();
            assert_eq!(more, "truncated: its tag 273 declares 14 values, and the file ends before them");
            assert_eq!(check_entries(&file(big, 12, 3), &limits), Ok(()));
            assert!(check_entries(&file(big, 12, 4), &limits).is_err());
            assert!(check_entries(&file(big, 4, u32::MAX), &limits).is_err());
            let memory = check_entries(&file(big, 1, 14), &limits).unwrap_err().to_string();
            let expected = "too large: the values of its tag 273 need 448 bytes of memory, the limit is 416";
            assert_eq!(memory, expected);
        }
    }

    #[test]
    fn a_directory_that_is_cut_off_is_the_decoders_to_refuse() {
        let whole = file(true, 3, 13);
        for end in 0..whole.len() {
            let _ = check_entries(&whole[..end], &Limits::default());
        }
        let far = [b"II*\0".as_slice(), &u32::MAX.to_le_bytes()].concat();
        assert_eq!(check_entries(&far, &Limits::default()), Ok(()));
    }
}
