//! [`Listed`]: the first of a list of any length, and how many there are.

use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};

/// The first of a list, and how many there are: `{"count": 3, "listed": [a, b], "more": 1}`.
#[derive(Debug, Clone)]
pub(crate) struct Listed<T> {
    pub(crate) count: u64,
    pub(crate) first: Vec<T>,
    most: usize,
}

impl<T> Listed<T> {
    /// Keeps `most` of them.
    pub(crate) fn new(most: usize) -> Self {
        Listed { count: 0, first: vec![], most }
    }

    /// `item` is made only where it is kept.
    pub(crate) fn add(&mut self, item: impl FnOnce() -> T) {
        self.count += 1;
        if self.first.len() < self.most {
            self.first.push(item());
        }
    }

    /// All of `items`.
    pub(crate) fn of<I>(most: usize, items: impl IntoIterator<Item = I>, kept: impl Fn(I) -> T) -> Self {
        let mut listed = Listed::new(most);
        for item in items {
            listed.add(|| kept(item));
        }
        listed
    }
}

impl<T: Serialize> Serialize for Listed<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut fields = to.serialize_struct("Listed", 3)?;
        fields.serialize_field("count", &self.count)?;
        fields.serialize_field("listed", &self.first)?;
        fields.serialize_field("more", &(self.count - self.first.len() as u64))?;
        fields.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_the_first_and_says_how_many_more() {
        let listed = Listed::of(2, [7, 8, 9], |n| n * 10);
        let json = serde_json::to_value(&listed).unwrap();
        assert_eq!(json, serde_json::json!({"count": 3, "listed": [70, 80], "more": 1}));
    }
}
