//! Sorted disjoint ranges, which sets of addresses and ports are made of.

use std::ops::RangeInclusive;
use std::sync::Arc;

use range_set_blaze::{Integer, RangeSetBlaze};

/// A set of numbers; `None` is the empty one. Cloning is cheap: rules and the classes of traffic that they cut share most
/// of their sets.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Ranges<T: Integer>(Option<Arc<RangeSetBlaze<T>>>);

impl<T: Integer> Default for Ranges<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Integer> From<RangeSetBlaze<T>> for Ranges<T> {
    fn from(set: RangeSetBlaze<T>) -> Self {
        Self((!set.is_empty()).then(|| Arc::new(set)))
    }
}

impl<T: Integer> FromIterator<RangeInclusive<T>> for Ranges<T> {
    fn from_iter<I: IntoIterator<Item = RangeInclusive<T>>>(ranges: I) -> Self {
        ranges.into_iter().collect::<RangeSetBlaze<T>>().into()
    }
}

impl<T: Integer> From<RangeInclusive<T>> for Ranges<T> {
    fn from(range: RangeInclusive<T>) -> Self {
        let mut set = RangeSetBlaze::new();
        set.ranges_insert(range);
        set.into()
    }
}

impl<T: Integer> Ranges<T> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(super) fn contains(&self, value: T) -> bool {
        self.0.as_ref().is_some_and(|set| set.contains(value))
    }

    /// Ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = RangeInclusive<T>> + '_ {
        self.0.iter().flat_map(|set| set.ranges())
    }

    /// `inner ⊆ self`, by looking up each inner range: sets are compared far more often than they are built.
    pub(super) fn covers(&self, inner: &Self) -> bool {
        match (&self.0, &inner.0) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(outer), Some(inner)) => Arc::ptr_eq(outer, inner) || covers(outer, inner),
        }
    }

    /// Whether two sets share a value.
    pub(super) fn meets(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b) || meets(a, b),
            _ => false,
        }
    }

    pub(super) fn union(&self, other: &Self) -> Self {
        match (&self.0, &other.0) {
            (_, None) => self.clone(),
            (None, _) => other.clone(),
            (Some(a), Some(b)) if Arc::ptr_eq(a, b) => self.clone(),
            (Some(a), Some(b)) => (&**a | &**b).into(),
        }
    }

    pub(super) fn insert_all(&mut self, other: &Self) {
        match (&mut self.0, &other.0) {
            (_, None) => {}
            (None, Some(_)) => self.clone_from(other),
            (Some(own), Some(new)) => Arc::make_mut(own).extend(new.ranges()),
        }
    }

    pub(super) fn common(&self, other: &Self) -> Self {
        match (&self.0, &other.0) {
            (Some(a), Some(b)) if Arc::ptr_eq(a, b) || covers(b, a) => Self(Some(Arc::clone(a))),
            (Some(a), Some(b)) if covers(a, b) => Self(Some(Arc::clone(b))),
            (Some(a), Some(b)) => (&**a & &**b).into(),
            _ => Self::default(),
        }
    }

    /// Takes the values of `cut` out.
    pub(super) fn remove_all(&mut self, cut: &Self) {
        let (Some(own), Some(cut)) = (&mut self.0, &cut.0) else {
            return;
        };
        if Arc::ptr_eq(own, cut) || covers(cut, own) {
            self.0 = None;
        } else if meets(own, cut) {
            remove(Arc::make_mut(own), cut);
        }
    }
}

fn covers<T: Integer>(outer: &RangeSetBlaze<T>, inner: &RangeSetBlaze<T>) -> bool {
    inner.ranges().all(|wanted| {
        outer
            .range_at(*wanted.start())
            .is_some_and(|found| found.end() >= wanted.end())
    })
}

/// By looking up each range of the shorter one.
fn meets<T: Integer>(a: &RangeSetBlaze<T>, b: &RangeSetBlaze<T>) -> bool {
    let (short, long) = if a.ranges_len() <= b.ranges_len() {
        (a, b)
    } else {
        (b, a)
    };
    short.ranges().any(|wanted| touches(long, &wanted))
}

/// Whether a set that is not empty holds a value of the range.
fn touches<T: Integer>(set: &RangeSetBlaze<T>, wanted: &RangeInclusive<T>) -> bool {
    let (found, inside) = set.range_or_gap_at(*wanted.start());
    inside || found.end() < wanted.end()
}

/// `from - cut`. Rules cut sets again and again, and each cut touches few ranges: the others are kept as they are, where
/// the crate's own difference makes the whole set anew.
fn remove<T: Integer>(from: &mut RangeSetBlaze<T>, cut: &RangeSetBlaze<T>) {
    let (Some(first), Some(last)) = (cut.first(), cut.last()) else {
        return;
    };
    let mut hit = Vec::new();
    from.ranges_retain(|range| {
        let touched = *range.end() >= first && *range.start() <= last && touches(cut, range);
        if touched {
            hit.push(range.clone());
        }
        !touched
    });
    for range in hit {
        let (mut low, high) = range.into_inner();
        loop {
            let (found, inside) = cut.range_or_gap_at(low);
            if !inside {
                from.ranges_insert(low..=high.min(*found.end()));
            }
            if *found.end() >= high {
                break;
            }
            low = found.end().add_one();
        }
    }
}
