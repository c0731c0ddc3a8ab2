//! `Microsoft.Network/locations/serviceTags`: some thousand tags in one answer of several megabytes, of which a report
//! wants a handful.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::read::tolerant::arm_objects;
use crate::read::{Field, List, Part};

/// The wanted ones among a cloud's service tags.
#[derive(Debug, Clone, Default)]
pub struct ServiceTags {
    /// `cloud`, e.g. `Public`.
    pub cloud: Field<String>,
    /// `changeNumber` of the whole list.
    pub change_number: Field<String>,
    /// The wanted tags that the list holds, in its order.
    pub tags: Vec<ServiceTag>,
    /// `nextLink`: the list goes on elsewhere, so that what it does not hold is not known.
    pub next_link: Field<String>,
}

/// One tag.
#[derive(Debug, Clone)]
pub struct ServiceTag {
    /// `name`, e.g. `Storage.WestEurope`.
    pub name: String,
    /// `properties.addressPrefixes`; `None` when the answer has none for the tag, or not all of them can be read: what it
    /// holds is then not known, which is something else than nothing.
    pub prefixes: Option<Vec<String>>,
}

arm_objects! {
    /// `properties` of a tag.
    TagProperties {
        address_prefixes: Field<List<String>>,
    }
}

impl ServiceTags {
    /// Takes the `wanted` tags, told by their names in lower case, out of an answer. The others are skipped while reading.
    ///
    /// # Errors
    /// The answer is no JSON, or no list of objects.
    pub fn read(body: &[u8], wanted: impl Fn(&str) -> bool) -> serde_json::Result<Self> {
        let mut reader = serde_json::Deserializer::from_slice(body);
        let list = Whole(&wanted).deserialize(&mut reader)?;
        reader.end()?;
        Ok(list)
    }
}

/// The answer.
struct Whole<'w>(Wanted<'w>);

type Wanted<'w> = &'w dyn Fn(&str) -> bool;

impl<'de> DeserializeSeed<'de> for Whole<'_> {
    type Value = ServiceTags;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<ServiceTags, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Whole<'_> {
    type Value = ServiceTags;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of service tags")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ServiceTags, A::Error> {
        let mut list = None;
        let mut all = ServiceTags::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "cloud" => all.cloud = map.next_value()?,
                "changeNumber" => all.change_number = map.next_value()?,
                "nextLink" => all.next_link = map.next_value()?,
                "values" => list = Some(map.next_value_seed(Tags(self.0))?),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        all.tags = list.ok_or_else(|| serde::de::Error::missing_field("values"))?;
        Ok(all)
    }
}

/// `values`.
struct Tags<'w>(Wanted<'w>);

impl<'de> DeserializeSeed<'de> for Tags<'_> {
    type Value = Vec<ServiceTag>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Tags<'_> {
    type Value = Vec<ServiceTag>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("service tags")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut tags = Vec::new();
        while let Some(tag) = seq.next_element_seed(Tag(self.0))? {
            tags.extend(tag);
        }
        Ok(tags)
    }
}

/// One of `values`; nothing for a tag that is not wanted.
struct Tag<'w>(Wanted<'w>);

impl<'de> DeserializeSeed<'de> for Tag<'_> {
    type Value = Option<ServiceTag>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Tag<'_> {
    type Value = Option<ServiceTag>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a service tag")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let wanted = |name: &str| (self.0)(&name.to_ascii_lowercase());
        let mut name: Option<String> = None;
        let mut properties = TagProperties::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "name" => name = map.next_value::<Field<String>>()?.0,
                // The name comes first, so that prefixes nobody wants are not even read.
                "properties" if name.as_deref().is_none_or(wanted) => {
                    properties = map.next_value::<Part<TagProperties>>()?.0;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        let prefixes = properties.address_prefixes.0;
        Ok(name.filter(|name| wanted(name)).map(|name| ServiceTag {
            name,
            prefixes: prefixes.and_then(|list| list.whole().map(<[String]>::to_vec)),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str, wanted: &[&str]) -> serde_json::Result<ServiceTags> {
        ServiceTags::read(body.as_bytes(), |name| wanted.contains(&name))
    }

    const LIST: &str = r#"{"name":"Public","cloud":"Public","changeNumber":"91","values":[
        {"name":"AzureCloud","id":"AzureCloud","properties":{"addressPrefixes":["20.0.0.0/8"]}},
        {"name":"Storage.WestEurope","properties":{"changeNumber":"7","region":"westeurope","addressPrefixes":["20.60.0.0/16","2603::/24"]}},
        {"properties":{"addressPrefixes":["1.2.3.4/32"]},"name":"Sql"}]}"#;

    #[test]
    fn r4_17_only_wanted_tags_are_kept_in_any_case_and_order() {
        let list = read(LIST, &["storage.westeurope", "sql", "nosuchtag"]).unwrap();
        assert_eq!(list.change_number.as_deref(), Some("91"));
        assert_eq!(list.cloud.as_deref(), Some("Public"));
        let tags: Vec<_> = list
            .tags
            .iter()
            .map(|t| (t.name.as_str(), t.prefixes.as_ref().map(Vec::len)))
            .collect();
        assert_eq!(tags, [("Storage.WestEurope", Some(2)), ("Sql", Some(1))]);
    }

    #[test]
    fn damage_in_a_tag_stays_with_the_tag() {
        let body = r#"{"values":[{"name":7},{},{"name":"Sql","properties":{"addressPrefixes":[null]}},
            {"name":"EventHub","properties":{"addressPrefixes":["::/8"]}}]}"#;
        let list = read(body, &["sql", "eventhub"]).unwrap();
        assert_eq!(list.tags[0].prefixes, None);
        assert_eq!(list.tags[1].prefixes, Some(vec!["::/8".to_owned()]));
    }

    #[test]
    fn r4_18_a_tag_without_prefixes_is_not_known_to_be_empty() {
        for tag in [
            r#"{"name":"Sql"}"#,
            r#"{"name":"Sql","properties":null}"#,
            r#"{"name":"Sql","properties":"?"}"#,
            r#"{"name":"Sql","properties":{}}"#,
            r#"{"name":"Sql","properties":{"addressPrefixes":null}}"#,
            r#"{"name":"Sql","properties":{"addressPrefixes":"1.2.3.0/24"}}"#,
        ] {
            let list = read(&format!(r#"{{"values":[{tag}]}}"#), &["sql"]).unwrap();
            assert_eq!(list.tags[0].name, "Sql");
            assert_eq!(list.tags[0].prefixes, None, "{tag}");
        }
        let said = r#"{"values":[{"name":"Sql","properties":{"addressPrefixes":[]}}]}"#;
        let list = read(said, &["sql"]).unwrap();
        assert_eq!(list.tags[0].prefixes, Some(Vec::new()));
    }

    #[test]
    fn what_is_no_list_of_tags_is_an_error() {
        for body in [
            "",
            "[]",
            "null",
            "{}",
            r#"{"values":null}"#,
            r#"{"values":[1]}"#,
            LIST.strip_suffix("]}").unwrap(),
        ] {
            assert!(read(body, &["sql"]).is_err(), "{body}");
        }
    }
}
