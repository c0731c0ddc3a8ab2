//! Sorted disjoint ranges, which sets of addresses and ports are made of.

use std::ops::RangeInclusive;
use std::sync::Arc;

use range_set_blaze::{Integer, RangeSetBlaze};

/// A set of numbers. Nearly every set of a rule is a single prefix, address or port, which needs no memory of its own;
/// cloning the others is cheap, since rules and the classes of traffic that they cut share most of their sets.
#[derive(Clone, PartialEq, Eq, Default)]
pub(super) enum Ranges<T: Integer> {
    #[default]
    Empty,
    /// From the first to the second number.
    One(T, T),
    /// Two ranges or more.
    Many(Arc<RangeSetBlaze<T>>),
}

impl<T: Integer> From<Arc<RangeSetBlaze<T>>> for Ranges<T> {
    fn from(set: Arc<RangeSetBlaze<T>>) -> Self {
        match (set.ranges_len(), set.first(), set.last()) {
            (2.., _, _) => Self::Many(set),
            (_, Some(low), Some(high)) => Self::One(low, high),
            _ => Self::Empty,
        }
    }
}

impl<T: Integer> FromIterator<RangeInclusive<T>> for Ranges<T> {
    fn from_iter<I: IntoIterator<Item = RangeInclusive<T>>>(ranges: I) -> Self {
        let set: RangeSetBlaze<T> = ranges.into_iter().collect();
        Arc::new(set).into()
    }
}

impl<T: Integer> From<RangeInclusive<T>> for Ranges<T> {
    fn from(range: RangeInclusive<T>) -> Self {
        let (low, high) = range.into_inner();
        if low <= high {
            Self::One(low, high)
        } else {
            Self::Empty
        }
    }
}

impl<T: Integer> Ranges<T> {
    /// Every number.
    pub(super) fn all() -> Self {
        Self::One(T::min_value(), T::max_value())
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    pub(super) fn contains(&self, value: T) -> bool {
        self.holds(value, value)
    }

    /// Ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = RangeInclusive<T>> + '_ {
        let (one, many) = match self {
            Self::Empty => (None, None),
            Self::One(low, high) => (Some(*low..=*high), None),
            Self::Many(set) => (None, Some(set)),
        };
        one.into_iter()
            .chain(many.into_iter().flat_map(|set| set.ranges()))
    }

    /// Lowest and highest number.
    fn span(&self) -> Option<(T, T)> {
        match self {
            Self::Empty => None,
            Self::One(low, high) => Some((*low, *high)),
            Self::Many(set) => set.first().zip(set.last()),
        }
    }

    /// The range, or gap between ranges, that a number is in; true for a range.
    fn at(&self, value: T) -> (RangeInclusive<T>, bool) {
        match self {
            Self::Empty => (T::min_value()..=T::max_value(), false),
            Self::One(low, _) if value < *low => (T::min_value()..=low.sub_one(), false),
            Self::One(_, high) if value > *high => (high.add_one()..=T::max_value(), false),
            Self::One(low, high) => (*low..=*high, true),
            Self::Many(set) => set.range_or_gap_at(value),
        }
    }

    /// Whether every number of a range is in the set.
    fn holds(&self, low: T, high: T) -> bool {
        match self {
            Self::Empty => false,
            Self::One(first, last) => *first <= low && high <= *last,
            Self::Many(set) => {
                let found = set.range_at(low);
                found.is_some_and(|found| high <= *found.end())
            }
        }
    }

    /// Whether some number of a range is in the set.
    fn touches(&self, low: T, high: T) -> bool {
        match self {
            Self::Empty => false,
            Self::One(first, last) => *first <= high && low <= *last,
            Self::Many(set) => {
                let (found, inside) = set.range_or_gap_at(low);
                inside || *found.end() < high
            }
        }
    }

    /// `inner ⊆ self`, by looking up each inner range: sets are compared far more often than they are built.
    pub(super) fn covers(&self, inner: &Self) -> bool {
        match (self, inner) {
            (_, Self::Empty) => true,
            (_, Self::One(low, high)) => self.holds(*low, *high),
            (Self::Many(outer), Self::Many(inner)) if Arc::ptr_eq(outer, inner) => true,
            (Self::Many(_), Self::Many(inner)) => {
                let mut ranges = inner.ranges();
                ranges.all(|range| self.holds(*range.start(), *range.end()))
            }
            _ => inner
                .span()
                .is_some_and(|(low, high)| self.holds(low, high)),
        }
    }

    /// Whether two sets share a number, by looking up each range of the shorter one.
    pub(super) fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Empty, _) | (_, Self::Empty) => false,
            (Self::One(low, high), set) | (set, Self::One(low, high)) => set.touches(*low, *high),
            (Self::Many(a), Self::Many(b)) => {
                let (short, long) = if a.ranges_len() <= b.ranges_len() {
                    (a, other)
                } else {
                    (b, self)
                };
                let mut ranges = short.ranges();
                Arc::ptr_eq(a, b) || ranges.any(|range| long.touches(*range.start(), *range.end()))
            }
        }
    }

    pub(super) fn union(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Many(a), Self::Many(b)) => Arc::new(&**a | &**b).into(),
            // Into the longer one.
            (_, Self::Many(_)) => other.with(self),
            _ => self.with(other),
        }
    }

    fn with(&self, other: &Self) -> Self {
        let mut all = self.clone();
        all.insert_all(other);
        all
    }

    pub(super) fn insert_all(&mut self, other: &Self) {
        if self.covers(other) {
            return;
        }
        if other.covers(self) {
            self.clone_from(other);
            return;
        }
        self.change(|set| set.extend(other.iter()));
    }

    pub(super) fn common(&self, other: &Self) -> Self {
        match (self, other) {
            _ if other.covers(self) => self.clone(),
            _ if self.covers(other) => other.clone(),
            (Self::Many(a), Self::Many(b)) => Arc::new(&**a & &**b).into(),
            (Self::One(low, high), Self::One(first, last)) => {
                (*low.max(first)..=*high.min(last)).into()
            }
            (Self::One(low, high), set) | (set, Self::One(low, high)) => {
                let ranges = set.iter();
                ranges
                    .map(|range| *range.start().max(low)..=*range.end().min(high))
                    .filter(|range| range.start() <= range.end())
                    .collect()
            }
            _ => Self::Empty,
        }
    }

    /// Takes the numbers of `cut` out.
    pub(super) fn remove_all(&mut self, cut: &Self) {
        if cut.covers(self) {
            *self = Self::Empty;
        } else if self.meets(cut) {
            self.change(|set| remove(set, cut));
        }
    }

    /// Changes the set in place where nobody else holds it.
    fn change(&mut self, change: impl FnOnce(&mut RangeSetBlaze<T>)) {
        let mut set = match std::mem::take(self) {
            Self::Empty => Arc::default(),
            Self::One(low, high) => {
                let mut set = RangeSetBlaze::new();
                set.ranges_insert(low..=high);
                Arc::new(set)
            }
            Self::Many(set) => set,
        };
        change(Arc::make_mut(&mut set));
        *self = set.into();
    }
}

/// `from - cut`. Rules cut sets again and again, and each cut touches few ranges: the others are kept as they are, where
/// the crate's own difference makes the whole set anew.
fn remove<T: Integer>(from: &mut RangeSetBlaze<T>, cut: &Ranges<T>) {
    let Some((first, last)) = cut.span() else {
        return;
    };
    let mut hit = Vec::new();
    from.ranges_retain(|range| {
        let touched = *range.end() >= first
            && *range.start() <= last
            && cut.touches(*range.start(), *range.end());
        if touched {
            hit.push(range.clone());
        }
        !touched
    });
    for range in hit {
        let (mut low, high) = range.into_inner();
        loop {
            let (found, inside) = cut.at(low);
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
