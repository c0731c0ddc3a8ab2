//! What every ARM resource has.

use std::collections::BTreeMap;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess};
use serde::{Deserialize, Deserializer};

use crate::read::tolerant::arm_objects;
use crate::read::{Field, List, Part, Tolerant};

/// An ARM resource with the properties of its type. `properties` is `None` when the body has none: such a body says
/// nothing about the resource.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, rename_all = "camelCase", bound = "P: Tolerant")]
pub struct Resource<P> {
    /// ARM id.
    pub id: Field<String>,
    /// Name.
    pub name: Field<String>,
    /// Azure region.
    pub location: Field<String>,
    /// Tags.
    pub tags: Field<BTreeMap<String, String>>,
    /// Availability zones.
    pub zones: List<String>,
    /// SKU.
    pub sku: Part<Sku>,
    /// Id of the resource that manages this one.
    pub managed_by: Field<String>,
    /// The type's own properties.
    pub properties: Field<P>,
}

impl<P> Default for Resource<P> {
    fn default() -> Self {
        Self {
            id: Field::default(),
            name: Field::default(),
            location: Field::default(),
            tags: Field::default(),
            zones: List::default(),
            sku: Part::default(),
            managed_by: Field::default(),
            properties: Field::default(),
        }
    }
}

impl<P: Tolerant> Tolerant for Resource<P> {
    fn from_map<'de, A: MapAccess<'de>>(map: A) -> Result<Option<Self>, A::Error> {
        Self::deserialize(MapAccessDeserializer::new(map)).map(Some)
    }
}

arm_objects! {
    /// `sku`.
    Sku {
        name: Field<String>,
        tier: Field<String>,
        capacity: Field<u32>,
    }

    /// A reference to another resource: `{"id": "…"}`.
    Reference {
        id: Field<String>,
    }

    /// `properties` of a resource group.
    ResourceGroupProperties {
        provisioning_state: Field<String>,
    }
}

/// A resource group.
pub type ResourceGroup = Resource<ResourceGroupProperties>;

/// The answer to a request for one resource that is worth nothing without `properties`: reading one that has none fails.
#[derive(Debug, Clone)]
pub struct Whole<P> {
    /// The resource, its `properties` taken out.
    pub resource: Resource<P>,
    /// Its properties.
    pub properties: P,
}

impl<'de, P: Tolerant> Deserialize<'de> for Whole<P> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Field(Some(mut resource)) = Field::<Resource<P>>::deserialize(deserializer)? else {
            return Err(D::Error::custom("not an object"));
        };
        let properties = resource.properties.0.take();
        let properties = properties.ok_or_else(|| D::Error::custom("no properties"))?;
        Ok(Self {
            resource,
            properties,
        })
    }
}
