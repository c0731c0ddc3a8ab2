//! Field types whose deserialization never fails on well-formed JSON.
//!
//! One mechanism: a [`Tolerant`] type says which JSON shapes it can be made of; [`Field`], [`Part`] and [`List`] hold
//! such a type as an optional value, as an object whose absence means "no field set", and as a list.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use jiff::Timestamp;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A type that can be made of some JSON shapes. A shape it does not override gives `None`.
pub trait Tolerant: Sized {
    /// From a JSON string.
    fn from_text(_text: &str) -> Option<Self> {
        None
    }

    /// From `true` or `false`.
    fn from_bool(_value: bool) -> Option<Self> {
        None
    }

    /// From a whole number.
    fn from_integer(_value: i128) -> Option<Self> {
        None
    }

    /// From a number with a fraction or an exponent.
    fn from_float(_value: f64) -> Option<Self> {
        None
    }

    /// From a JSON array. An override reads it to its end.
    ///
    /// # Errors
    /// Only what the JSON reader itself reports (not well-formed, too deep).
    fn from_seq<'de, A: SeqAccess<'de>>(mut seq: A) -> Result<Option<Self>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    /// From a JSON object. An override reads it to its end.
    ///
    /// # Errors
    /// Only what the JSON reader itself reports (not well-formed, too deep), and a repeated key.
    fn from_map<'de, A: MapAccess<'de>>(mut map: A) -> Result<Option<Self>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

/// What was found where a [`Tolerant`] value was looked for.
enum Found<T> {
    Value(T),
    Null,
    /// Something that `T` cannot be made of.
    Unusable,
}

struct Find<T>(PhantomData<T>);

impl<'de, T: Tolerant> Visitor<'de> for Find<T> {
    type Value = Found<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Found::Null)
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(Found::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_str<E>(self, v: &str) -> Result<Self::Value, E> {
        Ok(found(T::from_text(v)))
    }

    fn visit_bool<E>(self, v: bool) -> Result<Self::Value, E> {
        Ok(found(T::from_bool(v)))
    }

    fn visit_u64<E>(self, v: u64) -> Result<Self::Value, E> {
        Ok(found(T::from_integer(v.into())))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Self::Value, E> {
        Ok(found(T::from_integer(v.into())))
    }

    fn visit_f64<E>(self, v: f64) -> Result<Self::Value, E> {
        Ok(found(T::from_float(v)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        T::from_seq(seq).map(found)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::from_map(map).map(found)
    }
}

fn found<T>(value: Option<T>) -> Found<T> {
    value.map_or(Found::Unusable, Found::Value)
}

impl<'de, T: Tolerant> Deserialize<'de> for Found<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Find(PhantomData))
    }
}

/// A value that may be missing, null or unusable: each is `None`. Reads as an [`Option`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field<T>(pub Option<T>);

impl<T> Default for Field<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Deref for Field<T> {
    type Target = Option<T>;

    fn deref(&self) -> &Option<T> {
        &self.0
    }
}

impl<'de, T: Tolerant> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Found::deserialize(deserializer)? {
            Found::Value(value) => Self(Some(value)),
            Found::Null | Found::Unusable => Self(None),
        })
    }
}

/// An object whose absence says no more than the absence of each of its fields, e.g. `sku`. Reads as `T`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Part<T>(pub T);

impl<T> Deref for Part<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<'de, T: Tolerant + Default> Deserialize<'de> for Part<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Found::deserialize(deserializer)? {
            Found::Value(value) => Self(value),
            Found::Null | Found::Unusable => Self(T::default()),
        })
    }
}

/// A list. Missing and null are the empty list; what cannot be used is left out and remembered, because a rule list
/// that lost a rule must not be taken for a whole one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<T> {
    items: Vec<T>,
    damaged: bool,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            damaged: false,
        }
    }
}

impl<T> List<T> {
    /// Whether something in place of the list, or of one of its items, could not be used.
    pub fn is_damaged(&self) -> bool {
        self.damaged
    }

    /// The items, or `None` when some could not be used.
    pub fn whole(&self) -> Option<&[T]> {
        (!self.damaged).then_some(&self.items)
    }
}

impl<T> Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.items
    }
}

impl<T: Tolerant> Tolerant for List<T> {
    fn from_seq<'de, A: SeqAccess<'de>>(mut seq: A) -> Result<Option<Self>, A::Error> {
        let mut list = Self::default();
        while let Some(item) = seq.next_element::<Found<T>>()? {
            match item {
                Found::Value(value) => list.items.push(value),
                Found::Null | Found::Unusable => list.damaged = true,
            }
        }
        Ok(Some(list))
    }
}

impl<'de, T: Tolerant> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Found::deserialize(deserializer)? {
            Found::Value(list) => list,
            Found::Null => Self::default(),
            Found::Unusable => Self {
                items: Vec::new(),
                damaged: true,
            },
        })
    }
}

/// Strings; a number or a boolean is taken as written. Empty text is how some providers spell absence
/// (`apiServerAccessProfile.subnetId`).
impl Tolerant for String {
    fn from_text(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| text.to_owned())
    }

    fn from_bool(value: bool) -> Option<Self> {
        Some(value.to_string())
    }

    fn from_integer(value: i128) -> Option<Self> {
        Some(value.to_string())
    }

    fn from_float(value: f64) -> Option<Self> {
        Some(value.to_string())
    }
}

/// Booleans, also spelled as text in any case.
impl Tolerant for bool {
    fn from_text(text: &str) -> Option<Self> {
        match text.trim() {
            t if t.eq_ignore_ascii_case("true") => Some(true),
            t if t.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
    }

    fn from_bool(value: bool) -> Option<Self> {
        Some(value)
    }
}

/// Counts, also spelled as text or as a float without a fraction. Negative and too large is unusable.
impl Tolerant for u32 {
    fn from_text(text: &str) -> Option<Self> {
        text.trim().parse().ok()
    }

    fn from_integer(value: i128) -> Option<Self> {
        value.try_into().ok()
    }

    fn from_float(value: f64) -> Option<Self> {
        let whole = value.fract() == 0.0 && (0.0..=f64::from(Self::MAX)).contains(&value);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked to be a whole number in range"
        )]
        whole.then_some(value as Self)
    }
}

/// Measurements; always finite.
impl Tolerant for f64 {
    fn from_text(text: &str) -> Option<Self> {
        text.trim().parse().ok().and_then(Self::from_float)
    }

    fn from_integer(value: i128) -> Option<Self> {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a measurement; 52 bits are enough"
        )]
        Some(value as Self)
    }

    fn from_float(value: f64) -> Option<Self> {
        value.is_finite().then_some(value)
    }
}

/// RFC 3339 times.
impl Tolerant for Timestamp {
    fn from_text(text: &str) -> Option<Self> {
        text.trim().parse().ok()
    }
}

/// Objects with free keys: tags, add-ons. Unusable entries are left out.
impl<T: Tolerant> Tolerant for BTreeMap<String, T> {
    fn from_map<'de, A: MapAccess<'de>>(mut map: A) -> Result<Option<Self>, A::Error> {
        let mut entries = Self::new();
        while let Some((key, value)) = map.next_entry::<String, Found<T>>()? {
            if let Found::Value(value) = value {
                entries.insert(key, value);
            }
        }
        Ok(Some(entries))
    }
}

/// Declares structs that mirror ARM's JSON objects: camelCase keys, every field with a default, unknown keys ignored,
/// usable wherever a [`Tolerant`] type is.
macro_rules! arm_objects {
    ($(
        $(#[$meta:meta])*
        $name:ident { $( $(#[$field_meta:meta])* $field:ident: $type:ty, )* }
    )*) => { $(
        $(#[$meta])*
        #[derive(Debug, Clone, Default, serde::Deserialize)]
        #[serde(default, rename_all = "camelCase")]
        pub struct $name { $( $(#[$field_meta])* pub $field: $type, )* }

        impl $crate::read::Tolerant for $name {
            fn from_map<'de, A: serde::de::MapAccess<'de>>(map: A) -> Result<Option<Self>, A::Error> {
                serde::Deserialize::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map(Some)
            }
        }
    )* };
}
pub(crate) use arm_objects;

#[cfg(test)]
#[expect(
    unreachable_pub,
    reason = "the macro declares what other modules export"
)]
mod tests {
    use super::*;

    arm_objects! {
        /// One of everything.
        Sample {
            text: Field<String>,
            flag: Field<bool>,
            count: Field<u32>,
            level: Field<f64>,
            at: Field<Timestamp>,
            tags: Field<BTreeMap<String, String>>,
            inner: Part<Inner>,
            list: List<Inner>,
        }

        /// Nested.
        Inner {
            name: Field<String>,
        }
    }

    fn read(json: &str) -> Sample {
        serde_json::from_str(json).expect("tolerant reads never fail on JSON")
    }

    #[test]
    fn reads_the_documented_types() {
        let s = read(
            r#"{"text":"a","flag":true,"count":3,"level":1.5,"at":"2026-01-01T00:00:00Z",
                "tags":{"k":"v"},"inner":{"name":"i"},"list":[{"name":"x"},{"name":"y"}],"unknown":[{}]}"#,
        );
        assert_eq!(s.text.as_deref(), Some("a"));
        assert_eq!(*s.flag, Some(true));
        assert_eq!(*s.count, Some(3));
        assert_eq!(*s.level, Some(1.5));
        assert_eq!(s.at.unwrap().to_string(), "2026-01-01T00:00:00Z");
        assert_eq!(s.tags.as_ref().unwrap()["k"], "v");
        assert_eq!(s.inner.name.as_deref(), Some("i"));
        let names: Vec<_> = s.list.iter().map(|i| i.name.as_deref().unwrap()).collect();
        assert_eq!(names, ["x", "y"]);
        assert!(!s.list.is_damaged());
    }

    #[test]
    fn takes_neighbouring_types_for_what_they_say() {
        let s = read(
            r#"{"text":7,"flag":"TRUE","count":"12","level":"2","tags":{"a":1,"b":null,"c":true}}"#,
        );
        assert_eq!(s.text.as_deref(), Some("7"));
        assert_eq!(*s.flag, Some(true));
        assert_eq!(*s.count, Some(12));
        assert_eq!(*s.level, Some(2.0));
        let tags = s.tags.as_ref().unwrap();
        assert_eq!(tags["a"], "1");
        assert_eq!(tags["c"], "true");
        assert!(!tags.contains_key("b"));
        assert_eq!(*read(r#"{"count":4.0}"#).count, Some(4));
    }

    #[test]
    fn nothing_and_nonsense_are_none_and_cost_only_their_field() {
        for bad in [
            "null",
            "\"\"",
            "{}",
            "[]",
            "[[1]]",
            "-1",
            "1.5e300",
            "{\"a\":{}}",
        ] {
            let s = read(&format!(
                r#"{{"count":{bad},"flag":{bad},"at":{bad},"text":"kept"}}"#
            ));
            assert_eq!(*s.count, None, "{bad}");
            assert_eq!(*s.flag, None, "{bad}");
            assert_eq!(*s.at, None, "{bad}");
            assert_eq!(s.text.as_deref(), Some("kept"), "{bad}");
        }
        assert_eq!(*read(r#"{"text":""}"#).text, None);
        assert_eq!(*read(r#"{"level":"NaN"}"#).level, None);
    }

    #[test]
    fn a_list_remembers_what_it_lost() {
        assert!(!read("{}").list.is_damaged());
        assert!(!read(r#"{"list":null}"#).list.is_damaged());
        assert!(!read(r#"{"list":[]}"#).list.is_damaged());
        let lost_one = read(r#"{"list":[{"name":"x"},"?"]}"#).list;
        assert!(lost_one.is_damaged());
        assert_eq!(lost_one.len(), 1);
        assert!(lost_one.whole().is_none());
        for bad in ["{}", "\"x\"", "3", "true"] {
            let list = read(&format!(r#"{{"list":{bad}}}"#)).list;
            assert!(list.is_damaged() && list.is_empty(), "{bad}");
        }
    }
}
