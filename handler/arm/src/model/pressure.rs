//! What Azure says of nodes beside their metrics: machines, VM sizes, Advisor's recommendations, Resource Health.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::Resource;
use crate::read::tolerant::arm_objects;
use crate::read::{Field, List, Part};

/// A virtual machine.
pub type VirtualMachine = Resource<VirtualMachineProperties>;
/// A recommendation of Azure Advisor.
pub type Recommendation = Resource<RecommendationProperties>;
/// What Resource Health says of a resource.
pub type AvailabilityStatus = Resource<AvailabilityStatusProperties>;

arm_objects! {
    /// `properties` of a virtual machine.
    VirtualMachineProperties {
        provisioning_state: Field<String>,
    }

    /// `properties` of a recommendation.
    RecommendationProperties {
        category: Field<String>,
        impact: Field<String>,
        last_updated: Field<Timestamp>,
        short_description: Part<ShortDescription>,
        resource_metadata: Part<ResourceMetadata>,
        suppression_ids: List<String>,
    }

    /// `shortDescription`.
    ShortDescription {
        problem: Field<String>,
        solution: Field<String>,
    }

    /// `resourceMetadata`: what the recommendation is about.
    ResourceMetadata {
        resource_id: Field<String>,
    }

    /// `properties` of an availability status. The API itself spells `occuredTime` so.
    AvailabilityStatusProperties {
        availability_state: Field<String>,
        title: Field<String>,
        summary: Field<String>,
        reason_type: Field<String>,
        occured_time: Field<Timestamp>,
        recently_resolved: Part<RecentlyResolved>,
    }

    /// An unavailability that has ended.
    RecentlyResolved {
        #[serde(alias = "unavailableOccurredTime")]
        unavailable_occured_time: Field<Timestamp>,
        resolved_time: Field<Timestamp>,
    }

    /// A resource SKU.
    SkuItem {
        name: Field<String>,
        resource_type: Field<String>,
        capabilities: List<SkuCapability>,
    }

    /// One capability of a SKU.
    SkuCapability {
        name: Field<String>,
        value: Field<String>,
    }
}

/// The wanted VM sizes of a region.
#[derive(Debug, Clone, Default)]
pub struct VmSizes {
    /// The wanted sizes that the list holds, in its order.
    pub sizes: Vec<SkuItem>,
    /// `nextLink`: the list goes on elsewhere, so that what it does not hold is not known.
    pub next_link: Field<String>,
}

impl VmSizes {
    /// Takes the `wanted` VM sizes, named in lower case, out of an answer of some megabytes. The others are dropped while
    /// reading.
    ///
    /// # Errors
    /// The answer is no JSON, or no list.
    pub fn read(body: &[u8], wanted: &BTreeSet<String>) -> serde_json::Result<Self> {
        let mut reader = serde_json::Deserializer::from_slice(body);
        let list = Whole(wanted).deserialize(&mut reader)?;
        reader.end()?;
        Ok(list)
    }
}

/// The answer.
struct Whole<'w>(&'w BTreeSet<String>);

impl<'de> DeserializeSeed<'de> for Whole<'_> {
    type Value = VmSizes;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<VmSizes, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Whole<'_> {
    type Value = VmSizes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of SKUs")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<VmSizes, A::Error> {
        let mut list = None;
        let mut all = VmSizes::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "nextLink" => all.next_link = map.next_value()?,
                "value" => list = Some(map.next_value_seed(Sizes(self.0))?),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        all.sizes = list.ok_or_else(|| serde::de::Error::missing_field("value"))?;
        Ok(all)
    }
}

/// `value`.
struct Sizes<'w>(&'w BTreeSet<String>);

impl<'de> DeserializeSeed<'de> for Sizes<'_> {
    type Value = Vec<SkuItem>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Sizes<'_> {
    type Value = Vec<SkuItem>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SKUs")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut sizes: Vec<SkuItem> = Vec::new();
        while let Some(item) = seq.next_element::<Field<SkuItem>>()? {
            let Some(item) = item.0 else { continue };
            let machine = item
                .resource_type
                .as_deref()
                .is_some_and(|kind| kind.eq_ignore_ascii_case("virtualMachines"));
            let name = item.name.as_deref().map(str::to_ascii_lowercase);
            if machine && name.is_some_and(|name| self.0.contains(&name)) {
                sizes.push(item);
            }
        }
        Ok(sizes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> serde_json::Result<VmSizes> {
        let wanted = BTreeSet::from(["standard_d4s_v5".to_owned()]);
        VmSizes::read(body.as_bytes(), &wanted)
    }

    #[test]
    fn r7_8_only_wanted_sizes_are_kept() {
        let list = read(
            r#"{"value":[
            {"resourceType":"disks","name":"Standard_D4s_v5"},
            {"resourceType":"virtualMachines","name":"Standard_D8s_v5","capabilities":[]},
            null, 7, {"name":["?"]},
            {"resourceType":"virtualmachines","name":"STANDARD_d4s_v5","capabilities":[
                {"name":"EphemeralOSDiskSupported","value":"True"},{"name":"vCPUs","value":4}]}]}"#,
        )
        .unwrap();
        assert_eq!(list.sizes.len(), 1);
        assert_eq!(list.sizes[0].capabilities.len(), 2);
    }

    #[test]
    fn what_is_no_list_is_an_error() {
        for body in ["", "[]", "{}", r#"{"value":null}"#, r#"{"value":["#] {
            assert!(read(body).is_err(), "{body}");
        }
        assert!(
            read(r#"{"value":[],"nextLink":"x"}"#)
                .unwrap()
                .next_link
                .is_some()
        );
    }
}
