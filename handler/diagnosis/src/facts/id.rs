//! ARM resource ids as facts carry them: ARM's own casing kept, compared without case.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde::{Serialize, Serializer};

/// An ARM resource id. Keeps the casing it was made with; equality, order and hash ignore ASCII case, because ARM
/// returns `resourcegroups` in one answer and `resourceGroups` in the next.
#[derive(Clone, utoipa::ToSchema)]
#[schema(value_type = String)]
pub struct Id(
    // Shared: everything names resources, again and again.
    Arc<str>,
);

impl Id {
    /// Wraps an id as ARM wrote it. A trailing slash is not part of an id.
    pub fn new(id: impl AsRef<str>) -> Self {
        Self(id.as_ref().trim_end_matches('/').into())
    }

    /// The id as ARM wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last segment: the resource's own name.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// The id of the parent resource: a subnet's virtual network, a route's table. `None` for a top-level resource.
    pub fn parent(&self) -> Option<Self> {
        let (rest, _name) = self.0.rsplit_once('/')?;
        let (parent, _type) = rest.rsplit_once('/')?;
        // A top-level resource's "parent" would be `…/providers/Namespace`.
        let grandparent = parent.rsplit('/').nth(1)?;
        (!grandparent.eq_ignore_ascii_case("providers")).then(|| Self(parent.into()))
    }

    /// The id of a resource of this type, e.g. `Microsoft.Network/natGateways`, in the resource group of this one.
    #[must_use]
    pub fn beside(&self, full_type: &str, name: &str) -> Self {
        let group = self
            .0
            .to_ascii_lowercase()
            .find("/providers/")
            .and_then(|end| self.0.get(..end))
            .unwrap_or(&self.0);
        Self(format!("{group}/providers/{full_type}/{name}").into())
    }

    /// The subscription id.
    pub fn subscription(&self) -> Option<&str> {
        self.segment_after("subscriptions")
    }

    /// The resource group's name.
    pub fn resource_group(&self) -> Option<&str> {
        self.segment_after("resourceGroups")
    }

    /// The id of the resource group that this is in.
    pub fn resource_group_id(&self) -> Option<Self> {
        let (subscription, group) = (self.subscription()?, self.resource_group()?);
        Some(Self::new(format!(
            "/subscriptions/{subscription}/resourceGroups/{group}"
        )))
    }

    /// Whether the id is of this type, e.g. `Microsoft.Network/natGateways`, compared without case. Child types are
    /// written in full: `Microsoft.Network/virtualNetworks/subnets`.
    pub fn is_type(&self, full_type: &str) -> bool {
        let mut segments = self
            .0
            .split('/')
            .skip_while(|s| !s.eq_ignore_ascii_case("providers"))
            .skip(1);
        let mut wanted = full_type.split('/');
        if !matches!((segments.next(), wanted.next()), (Some(a), Some(b)) if a.eq_ignore_ascii_case(b))
        {
            return false;
        }
        loop {
            match (segments.next(), wanted.next()) {
                (Some(a), Some(b)) if a.eq_ignore_ascii_case(b) => {
                    if segments.next().is_none() {
                        return false;
                    }
                }
                (None, None) => return true,
                _ => return false,
            }
        }
    }

    fn segment_after(&self, key: &str) -> Option<&str> {
        let mut segments = self.0.split('/');
        segments.by_ref().find(|s| s.eq_ignore_ascii_case(key))?;
        segments.next()
    }

    fn folded(&self) -> impl Iterator<Item = u8> + '_ {
        self.0.bytes().map(|b| b.to_ascii_lowercase())
    }

    /// What is left of both after a beginning that is the same to the letter, as that of most ids of one cluster is.
    fn apart<'a>(&'a self, other: &'a Self) -> (&'a [u8], &'a [u8]) {
        let (own, others) = (self.0.as_bytes(), other.0.as_bytes());
        let (blocks, _) = own.as_chunks::<16>();
        let (others_blocks, _) = others.as_chunks::<16>();
        let same = blocks.iter().zip(others_blocks);
        let same = same.take_while(|(a, b)| a == b).count() * 16;
        let rest = |bytes: &'a [u8]| bytes.get(same..).unwrap_or_default();
        (rest(own), rest(others))
    }
}

impl PartialEq for Id {
    fn eq(&self, other: &Self) -> bool {
        if self.0.len() != other.0.len() {
            return false;
        }
        let (own, others) = self.apart(other);
        own.eq_ignore_ascii_case(others)
    }
}

impl Eq for Id {}

impl PartialOrd for Id {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Id {
    fn cmp(&self, other: &Self) -> Ordering {
        let (own, others) = self.apart(other);
        let folded = own.iter().map(u8::to_ascii_lowercase);
        folded.cmp(others.iter().map(u8::to_ascii_lowercase))
    }
}

impl Hash for Id {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.folded().for_each(|b| state.write_u8(b));
        state.write_u8(0xff);
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUBNET: &str = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/v/subnets/n";

    #[test]
    fn ids_compare_without_case_and_keep_their_casing() {
        let a = Id::new(SUBNET);
        let b = Id::new(SUBNET.to_uppercase());
        assert_eq!(a, b);
        assert_eq!(a.cmp(&b), Ordering::Equal);
        assert_eq!(b.to_string(), SUBNET.to_uppercase());
    }

    #[test]
    fn ids_with_a_common_beginning_differ_by_what_follows() {
        let a = Id::new(SUBNET);
        let longer = Id::new(format!("{SUBNET}2"));
        assert_ne!(a, longer);
        assert!(a < longer);
        for place in 0..SUBNET.len() {
            let changed = |to: &str| {
                let mut text = SUBNET.to_owned();
                text.replace_range(place..=place, to);
                Id::new(text)
            };
            // `!` comes before every character of an id, `~` after.
            assert!(changed("!") < a && a < changed("~"), "{place}");
            assert!(changed("!") != a && a != changed("~"), "{place}");
        }
    }

    #[test]
    fn a_resource_beside_another_is_in_its_resource_group() {
        let group = "/subscriptions/s/resourceGroups/rg/PROVIDERS";
        let id = Id::new(format!(
            "{group}/Microsoft.Network/virtualNetworks/v/subnets/n"
        ));
        let beside = id.beside("Microsoft.Network/natGateways", "ng");
        assert_eq!(
            beside.as_str(),
            "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/natGateways/ng"
        );
    }

    #[test]
    fn parts_are_found_in_any_case() {
        let id = Id::new(
            "/SUBSCRIPTIONS/s/resourcegroups/RG/providers/microsoft.network/virtualNetworks/v/subnets/n",
        );
        assert_eq!(id.subscription(), Some("s"));
        assert_eq!(id.resource_group(), Some("RG"));
        assert_eq!(id.name(), "n");
        assert!(id.is_type("Microsoft.Network/virtualNetworks/subnets"));
        assert!(!id.is_type("Microsoft.Network/virtualNetworks"));
        let vnet = id.parent().unwrap();
        assert_eq!(vnet.name(), "v");
        assert!(vnet.is_type("Microsoft.Network/virtualNetworks"));
        assert_eq!(vnet.parent(), None);
    }
}
