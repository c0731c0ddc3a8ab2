//! Azure's list of service tags: read only for tags whose addresses decide something, and only these are kept.

use std::collections::{BTreeMap, BTreeSet};

use egress_arm::{model, operations};
use egress_diagnosis::facts::{Cluster, Datum, Id, Nsg, RouteTable, ServiceTagList};
use egress_diagnosis::network::{tags_of_nsg, tags_of_route_table};
use egress_diagnosis::tags_of_services;

use crate::outcome::converted;
use crate::reader::Reader;

/// The tags that decide something in security groups and route tables.
pub(crate) fn named(
    nsgs: &BTreeMap<Id, Datum<Nsg>>,
    tables: &BTreeMap<Id, Datum<RouteTable>>,
) -> BTreeSet<String> {
    let of_nsgs = nsgs
        .values()
        .filter_map(Datum::as_known)
        .flat_map(tags_of_nsg);
    let tables = tables.values().filter_map(Datum::as_known);
    of_nsgs
        .chain(tables.flat_map(tags_of_route_table))
        .collect()
}

/// Reads the tags that rules name, and beside them those of the services that every cluster needs.
pub(crate) async fn read(
    reader: Reader<'_>,
    cluster: &Cluster,
    named: BTreeSet<String>,
) -> Datum<ServiceTagList> {
    if named.is_empty() {
        return Datum::not_asked("no rule names a service tag whose addresses decide something");
    }
    // The region only says whom to ask: the list is the whole cloud's.
    let region = cluster.location.as_deref().unwrap_or_default();
    let region: String = region.split_whitespace().collect::<String>().to_lowercase();
    if region.is_empty() {
        return Datum::not_asked(
            "the cluster names no region whose service tags could be asked for",
        );
    }
    let id = Id::new(format!(
        "/subscriptions/{}/providers/Microsoft.Network/locations/{region}",
        cluster.subscription_id
    ));
    let services = tags_of_services(Some(&region));
    let wanted: BTreeSet<String> = named
        .into_iter()
        .chain(services)
        .map(|name| name.to_ascii_lowercase())
        .collect();
    let answer = reader
        .get_part(&operations::SERVICE_TAGS_LIST, &id, &[], move |body| {
            model::ServiceTags::read(body, &wanted)
        })
        .await;
    converted(answer, |list| Some(service_tags(list)))
}

/// Tags whose prefixes were not all readable are left out: they stay unknown.
fn service_tags(list: &model::ServiceTags) -> ServiceTagList {
    let mut tags: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for tag in &list.tags {
        if let Some(prefixes) = tag.prefixes.whole() {
            let all = tags.entry(tag.name.clone()).or_default();
            all.extend_from_slice(prefixes);
        }
    }
    ServiceTagList {
        cloud: list.cloud.0.clone(),
        change_number: list.change_number.0.clone(),
        tags,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r4_18_a_damaged_tag_stays_unknown() {
        let body = br#"{"cloud":"Public","changeNumber":91,"values":[
            {"name":"Sql","properties":{"addressPrefixes":["1.2.3.0/24",null]}},
            {"name":"Storage","properties":{"addressPrefixes":["20.60.0.0/16"]}}]}"#;
        let wanted = ["sql".to_owned(), "storage".to_owned()].into();
        let list = service_tags(&model::ServiceTags::read(body, &wanted).unwrap());
        assert_eq!(list.change_number.as_deref(), Some("91"));
        let names: Vec<&String> = list.tags.keys().collect();
        assert_eq!(names, ["Storage"]);
    }
}
