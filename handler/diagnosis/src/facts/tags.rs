//! Service tags as Azure lists them (`Microsoft.Network/locations/serviceTags`).

use std::collections::BTreeMap;

/// The service tags that rules of this cluster name, as far as Azure's list holds them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceTagList {
    /// `cloud`, e.g. `Public`: tags differ between clouds (R4.18).
    pub cloud: Option<String>,
    /// `changeNumber` of the list, which changes every week (R4.18).
    pub change_number: Option<String>,
    /// Tag name as Azure spells it (`Storage.WestEurope`) → its prefixes. A tag that is not here is not known: regional
    /// forms exist for some tags only (R4.17).
    pub tags: BTreeMap<String, Vec<String>>,
}
