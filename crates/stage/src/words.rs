//! Numbers in words, for summaries and messages.

/// A count with digits in groups of three: `25,000`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number of a config: as short as it can be without losing anything, `0.003`, `1e308`.
pub fn number(n: impl std::fmt::Debug) -> String {
    // `Display` writes 1e308 with 309 digits.
    let text = format!("{n:?}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

/// A duration as people say it: `0.6 s`, `9m 02 s`, `1h 03m`.
pub fn duration(seconds: f64) -> String {
    // From here on it would be rounded to `60.0 s`.
    if seconds < 59.95 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    if whole < 3600 {
        format!("{}m {:02} s", whole / 60, whole % 60)
    } else {
        format!("{}h {:02}m", whole / 3600, whole % 3600 / 60)
    }
}

/// The first `most` names, and how many more there are: `a, b and 3 more`.
pub fn listed(names: impl ExactSizeIterator<Item = impl Into<String>>, most: usize) -> String {
    let more = names.len().saturating_sub(most);
    let first = names.take(most).map(Into::into).collect::<Vec<String>>().join(", ");
    if more > 0 { format!("{first} and {} more", count(more as u64)) } else { first }
}

/// A CSV field, quoted where it must be (RFC 4180). What a spreadsheet would compute, such as a class that is named `=1+1`,
/// begins with an apostrophe: names come from strangers.
pub fn csv_field(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']) && text.parse::<f64>().is_err();
    let text = if is_formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped_by_three_digits() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_024), "1,024");
        assert_eq!(count(1_234_567), "1,234,567");
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(number(0.003), "0.003");
        assert_eq!(number(2.0), "2");
        assert_eq!(number(-1e308), "-1e308");
        assert_eq!(number(7_u32), "7");
    }

    #[test]
    fn what_is_not_listed_is_counted() {
        assert_eq!(listed([""; 0].iter().copied(), 2), "");
        assert_eq!(listed(["a", "b"].iter().copied(), 2), "a, b");
        assert_eq!(listed(vec!["a"; 1_002].into_iter(), 2), "a, a and 1,000 more");
    }

    #[test]
    fn csv_fields_are_quoted_and_no_formulas() {
        assert_eq!(csv_field("a.jpg"), "a.jpg");
        assert_eq!(csv_field("a,b \"c\""), "\"a,b \"\"c\"\"\"");
        assert_eq!(csv_field("-0.25"), "-0.25");
        assert_eq!(csv_field("=1+1"), "'=1+1");
        assert_eq!(csv_field("@a\nb"), "\"'@a\nb\"");
    }

    #[test]
    fn durations_grow_from_seconds_to_hours() {
        assert_eq!(duration(0.04), "0.0 s");
        assert_eq!(duration(59.94), "59.9 s");
        assert_eq!(duration(59.96), "1m 00 s");
        assert_eq!(duration(542.0), "9m 02 s");
        assert_eq!(duration(3780.0), "1h 03m");
    }
}
