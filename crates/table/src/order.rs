//! [`Order`]: the check that rows arrive sorted.

use std::path::Path;

use crate::{Error, Result};

/// Holds the last row of a table whose rows ascend by (id, view), ids compared byte by byte.
#[derive(Default)]
pub(crate) struct Order {
    last: Option<(String, u32)>,
}

impl Order {
    /// Takes the next row's id and view.
    pub(crate) fn next(&mut self, path: &Path, id: &str, view: u32) -> Result<()> {
        if let Some((last_id, last_view)) = &self.last {
            match (last_id.as_str(), *last_view).cmp(&(id, view)) {
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Equal => {
                    return Err(Error::Twice { path: path.to_owned(), id: name(id, view) });
                }
                std::cmp::Ordering::Greater => {
                    let previous = name(last_id, *last_view);
                    return Err(Error::Order { path: path.to_owned(), previous, id: name(id, view) });
                }
            }
        }
        self.last = Some((id.to_owned(), view));
        Ok(())
    }
}

fn name(id: &str, view: u32) -> String {
    if view == 0 { id.to_owned() } else { format!("{id} view {view}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rows: &[(&str, u32)]) -> Result<()> {
        let mut order = Order::default();
        rows.iter().try_for_each(|(id, view)| order.next(Path::new("t.parquet"), id, *view))
    }

    #[test]
    fn ids_ascend_by_bytes_and_views_within_an_id() {
        check(&[("B.jpg", 0), ("a.jpg", 0), ("a.jpg", 2), ("a.jpg", 10), ("é.jpg", 0), ("猫.jpg", 0)])
            .unwrap();
    }

    #[test]
    fn a_row_out_of_order_is_refused_with_both_ids() {
        let error = check(&[("b.jpg", 1), ("a.jpg", 0)]).unwrap_err();
        let text =
            "cannot write `t.parquet`: row `a.jpg` came after row `b.jpg view 1`, expected ascending ids";
        assert_eq!(error.to_string(), text);
    }

    #[test]
    fn a_row_that_comes_twice_is_refused() {
        let error = check(&[("a.jpg", 3), ("a.jpg", 3)]).unwrap_err();
        assert_eq!(error.to_string(), "cannot write `t.parquet`: row `a.jpg view 3` came twice");
    }
}
