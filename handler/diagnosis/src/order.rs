//! Sorting lists of a few entries, with one copy of the algorithm for all of them: `sort_by` brings six kilobytes of machine
//! code for every type and every order, of which there are dozens.

use std::cmp::Ordering;

/// Stable orders of a list.
pub(crate) trait Order<T> {
    /// Puts the smaller ones first.
    fn order(&mut self)
    where
        T: Ord,
    {
        self.order_by(T::cmp);
    }

    /// Puts those with the smaller keys first.
    fn order_by_key<K: Ord>(&mut self, key: impl Fn(&T) -> K) {
        self.order_by(|a, b| key(a).cmp(&key(b)));
    }

    /// Puts those first that `compare` calls less.
    fn order_by(&mut self, compare: impl Fn(&T, &T) -> Ordering);
}

impl<T> Order<T> for Vec<T> {
    fn order_by(&mut self, compare: impl Fn(&T, &T) -> Ordering) {
        if self.len() < 2 {
            return;
        }
        let places = sorted(self.len(), &|a, b| match (self.get(a), self.get(b)) {
            (Some(a), Some(b)) => compare(a, b),
            _ => Ordering::Equal,
        });
        let mut items: Vec<Option<T>> = self.drain(..).map(Some).collect();
        for place in places {
            self.extend(items.get_mut(place).and_then(Option::take));
        }
    }
}

/// The places from 0 to `len` in the order of what is there.
fn sorted(len: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut places: Vec<usize> = (0..len).collect();
    places.sort_by(|a, b| compare(*a, *b));
    places
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_the_order_of_the_standard_library(
            mut list in proptest::collection::vec((0_u8..5, any::<u16>()), 0..40)
        ) {
            let mut expected = list.clone();
            expected.sort_by_key(|entry| entry.0);
            list.order_by_key(|entry| entry.0);
            prop_assert_eq!(&list, &expected);
            expected.sort_unstable();
            list.order();
            prop_assert_eq!(&list, &expected);
        }
    }
}
