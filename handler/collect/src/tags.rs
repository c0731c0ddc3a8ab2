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

/// Which tags are wanted of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// These, and beside them those of the services that every cluster needs.
    Named(BTreeSet<String>),
    /// Everything: the list has to be asked for before it is known what rules name.
    Everything,
}

/// What a firewall's rules want of the list, and in which wave they can ask for it.
pub(crate) struct Announced<'a> {
    pub(crate) reader: Reader<'a>,
    pub(crate) wanted: Wanted,
}

const NONE_NAMED: &str = "no rule names a service tag whose addresses decide something";

/// Reads the list of service tags as far as it is wanted.
pub(crate) async fn read(
    reader: Reader<'_>,
    cluster: &Cluster,
    wanted: Wanted,
) -> Datum<ServiceTagList> {
    if wanted == Wanted::Named(BTreeSet::new()) {
        return Datum::not_asked(NONE_NAMED);
    }
    let Some(region) = cluster.location.as_deref().and_then(region_name) else {
        return Datum::not_asked(
            "the cluster names no region whose service tags could be asked for",
        );
    };
    let id = Id::new(format!(
        "/subscriptions/{}/providers/Microsoft.Network/locations/{region}",
        cluster.subscription_id
    ));
    let only = match wanted {
        Wanted::Named(named) => Some(with_services(named, &region)),
        Wanted::Everything => None,
    };
    let answer = reader
        .get_part(&operations::SERVICE_TAGS_LIST, &id, &[], move |body| {
            model::ServiceTags::read(body, |name| {
                only.as_ref().is_none_or(|only| only.contains(name))
            })
        })
        .await;
    converted(answer, |list| Some(service_tags(list)))
}

/// Of a list that was asked for before it was known what is wanted of it: what it would hold had that been known.
pub(crate) fn reduced(
    list: Datum<ServiceTagList>,
    cluster: &Cluster,
    nsgs: &BTreeMap<Id, Datum<Nsg>>,
    tables: &BTreeMap<Id, Datum<RouteTable>>,
    of_firewalls: BTreeSet<String>,
) -> Datum<ServiceTagList> {
    let mut named = named(nsgs, tables);
    named.extend(of_firewalls);
    if named.is_empty() {
        return Datum::not_asked(NONE_NAMED);
    }
    let Some(region) = cluster.location.as_deref().and_then(region_name) else {
        return list;
    };
    let wanted = with_services(named, &region);
    list.map(|mut list| {
        list.tags
            .retain(|name, _| wanted.contains(&name.to_ascii_lowercase()));
        list
    })
}

/// Names in lower case, with those of the services that every cluster needs.
fn with_services(named: BTreeSet<String>, region: &str) -> BTreeSet<String> {
    let all = named.into_iter().chain(tags_of_services(Some(region)));
    all.map(|name| name.to_ascii_lowercase()).collect()
}

/// A region as a path has it; `None` for a blank one. It only says whom to ask: the list is the whole cloud's.
fn region_name(location: &str) -> Option<String> {
    let name: String = location.split_whitespace().collect();
    (!name.is_empty()).then(|| name.to_lowercase())
}

/// Tags whose prefixes were missing or not all readable are left out: they stay unknown.
fn service_tags(list: &model::ServiceTags) -> ServiceTagList {
    let mut tags: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut unknown: BTreeSet<&str> = BTreeSet::new();
    for tag in &list.tags {
        if let Some(prefixes) = &tag.prefixes {
            let all = tags.entry(tag.name.clone()).or_default();
            all.extend_from_slice(prefixes);
        } else {
            unknown.insert(&tag.name);
        }
    }
    // A tag that is listed twice, once without its prefixes, is known in part only.
    tags.retain(|name, _| !unknown.contains(name.as_str()));
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
            {"name":"EventHub","properties":{"region":"westeurope"}},
            {"name":"AzureCloud","properties":{"addressPrefixes":["20.0.0.0/8"]}},{"name":"AzureCloud"},
            {"name":"Storage","properties":{"addressPrefixes":["20.60.0.0/16"]}}]}"#;
        let list = service_tags(&model::ServiceTags::read(body, |_| true).unwrap());
        assert_eq!(list.change_number.as_deref(), Some("91"));
        let names: Vec<&String> = list.tags.keys().collect();
        assert_eq!(names, ["Storage"]);
    }
    #[test]
    fn a_region_is_asked_for_in_the_form_of_paths() {
        assert_eq!(region_name("West Europe").as_deref(), Some("westeurope"));
        assert_eq!(region_name(" \t"), None);
    }
}
