//! Public IP addresses and prefixes: by list where a whole group is of interest, else by id.

use std::collections::{BTreeMap, BTreeSet};

use egress_arm::operations;
use egress_diagnosis::facts::{
    Cluster, Datum, Id, LoadBalancer, NatGateway, PublicIp, PublicIpPrefix,
};
use futures::future::join_all;

use crate::convert;
use crate::outcome::{Listing, converted};
use crate::reader::{Reader, keyed};

const ADDRESS: &str = "Microsoft.Network/publicIPAddresses";
const PREFIX: &str = "Microsoft.Network/publicIPPrefixes";

/// Public IP addresses and prefixes by id.
#[derive(Debug, Clone, Default)]
pub(crate) struct Addresses {
    pub(crate) ips: BTreeMap<Id, Datum<PublicIp>>,
    pub(crate) prefixes: BTreeMap<Id, Datum<PublicIpPrefix>>,
}

impl Addresses {
    pub(crate) fn extend(&mut self, other: Self) {
        self.ips.extend(other.ips);
        self.prefixes.extend(other.prefixes);
    }

    fn holds(&self, id: &Id) -> bool {
        self.ips.contains_key(id) || self.prefixes.contains_key(id)
    }
}

/// The addresses and prefixes that the cluster's profiles name.
pub(crate) fn named_by_profiles(cluster: &Cluster) -> BTreeSet<Id> {
    let network = cluster.network.as_ref();
    let lb = network.and_then(|n| n.load_balancer_profile.as_ref());
    let nat = network.and_then(|n| n.nat_gateway_profile.as_ref());
    let of_lb = lb.into_iter().flat_map(|p| {
        [
            &p.outbound_ips,
            &p.outbound_ip_prefixes,
            &p.effective_outbound_ips,
        ]
    });
    let of_nat = nat.into_iter().map(|p| &p.effective_outbound_ips);
    of_lb.chain(of_nat).flatten().cloned().collect()
}

/// The addresses and prefixes of the load balancer's frontends.
pub(crate) fn named_by_frontends(lb: &Datum<LoadBalancer>) -> BTreeSet<Id> {
    lb.as_known()
        .into_iter()
        .flat_map(|lb| &lb.frontends)
        .flat_map(|frontend| [&frontend.public_ip, &frontend.public_ip_prefix])
        .flatten()
        .cloned()
        .collect()
}

/// The addresses and prefixes of NAT gateways.
pub(crate) fn named_by_gateways<'a>(
    gateways: impl IntoIterator<Item = &'a Datum<NatGateway>>,
) -> BTreeSet<Id> {
    gateways
        .into_iter()
        .filter_map(Datum::as_known)
        .flat_map(|gateway| gateway.public_ips.iter().chain(&gateway.public_ip_prefixes))
        .cloned()
        .collect()
}

/// Whether the id is an address in this group, so that the list of the group's addresses speaks of it.
pub(crate) fn is_listed_in(id: &Id, group: Option<&Id>) -> bool {
    group.is_some_and(|group| id.is_type(ADDRESS) && id.resource_group_id().as_ref() == Some(group))
}

/// The id of a resource group.
pub(crate) fn group_id(subscription: &str, group: &str) -> Id {
    Id::new(format!(
        "/subscriptions/{subscription}/resourceGroups/{group}"
    ))
}

/// Reads addresses and prefixes one by one.
pub(crate) async fn by_id(reader: Reader<'_>, ids: impl IntoIterator<Item = Id>) -> Addresses {
    let (prefixes, ips): (Vec<Id>, Vec<Id>) = ids.into_iter().partition(|id| id.is_type(PREFIX));
    let ips = ips.into_iter().map(|id| async move {
        let answer = reader.get(&operations::PUBLIC_IP_GET, &id, &[]).await;
        (id, converted(answer, convert::public_ip))
    });
    let prefixes = prefixes.into_iter().map(|id| async move {
        let answer = reader
            .get(&operations::PUBLIC_IP_PREFIX_GET, &id, &[])
            .await;
        (id, converted(answer, convert::public_ip_prefix))
    });
    let (ips, prefixes) = futures::join!(join_all(ips), join_all(prefixes));
    Addresses {
        ips: keyed(ips),
        prefixes: keyed(prefixes),
    }
}

/// Addresses by the lists of their resource groups: a firewall may have hundreds.
pub(crate) async fn by_group(reader: Reader<'_>, ids: &BTreeSet<Id>) -> Addresses {
    let groups: BTreeSet<Id> = ids.iter().filter_map(Id::resource_group_id).collect();
    let each = groups.iter().map(|group| async move {
        let list = ips_of_group(reader, group).await;
        let named = ids
            .iter()
            .filter(|id| id.resource_group_id().as_ref() == Some(group));
        let named: Vec<(Id, Datum<PublicIp>)> = named.map(|id| (id.clone(), list.of(id))).collect();
        named
    });
    Addresses {
        ips: keyed(join_all(each).await.into_iter().flatten()),
        prefixes: BTreeMap::new(),
    }
}

/// The addresses of a resource group.
pub(crate) async fn ips_of_group(reader: Reader<'_>, group: &Id) -> Listing<PublicIp> {
    let answer = reader.list(&operations::PUBLIC_IPS_LIST, group).await;
    Listing::new(answer, convert::public_ip)
}

/// All listed addresses, and what the list says about the `named` ones: one that it should hold and does not is absent, or
/// as unknown as the list is.
pub(crate) fn of_list<'a>(
    list: &Listing<PublicIp>,
    named: impl IntoIterator<Item = &'a Id>,
) -> Addresses {
    let mut ips = list.items.clone();
    for id in named {
        ips.insert(id.clone(), list.of(id));
    }
    Addresses {
        ips,
        prefixes: BTreeMap::new(),
    }
}

/// The addresses and prefixes of some resource groups.
#[derive(Debug, Default)]
pub(crate) struct Groups(BTreeMap<Id, (Listing<PublicIp>, Listing<PublicIpPrefix>)>);

/// Reads the addresses and prefixes of each group: two calls that wait for nothing, where asking by id would have to wait
/// for the NAT gateway that names them.
pub(crate) async fn of_groups(reader: Reader<'_>, groups: BTreeSet<Id>) -> Groups {
    let each = groups.into_iter().map(|group| async move {
        let prefixes = reader.list(&operations::PUBLIC_IP_PREFIXES_LIST, &group);
        let (ips, prefixes) = futures::join!(ips_of_group(reader, &group), prefixes);
        let prefixes = Listing::new(prefixes, convert::public_ip_prefix);
        (group, (ips, prefixes))
    });
    Groups(keyed(join_all(each).await))
}

impl Groups {
    /// What the groups' lists say about `ids`; those in other groups are given back.
    fn pick(&self, ids: BTreeSet<Id>) -> (Addresses, Vec<Id>) {
        let mut found = Addresses::default();
        let mut elsewhere = Vec::new();
        for id in ids {
            match id.resource_group_id().and_then(|group| self.0.get(&group)) {
                Some((_, prefixes)) if id.is_type(PREFIX) => {
                    found.prefixes.insert(id.clone(), prefixes.of(&id));
                }
                Some((ips, _)) if id.is_type(ADDRESS) => {
                    found.ips.insert(id.clone(), ips.of(&id));
                }
                _ => elsewhere.push(id),
            }
        }
        (found, elsewhere)
    }
}

/// The addresses that NAT gateways name: from the lists of the gateways' groups, else from what is read already, else by
/// id, which takes one more wave.
pub(crate) async fn of_gateways(
    reader: Reader<'_>,
    wanted: BTreeSet<Id>,
    groups: &Groups,
    read_already: &Addresses,
) -> Addresses {
    let (mut found, elsewhere) = groups.pick(wanted);
    let missing = elsewhere.into_iter().filter(|id| !read_already.holds(id));
    found.extend(by_id(reader, missing).await);
    found
}

#[cfg(test)]
mod tests {
    use egress_arm::model;
    use egress_arm::read::Field;

    use super::*;

    const GROUP: &str = "/subscriptions/s/resourceGroups/g";

    fn ip(group: &str, name: &str) -> Id {
        Id::new(format!(
            "{group}/providers/Microsoft.Network/publicIPAddresses/{name}"
        ))
    }

    #[test]
    fn groups_are_compared_without_case() {
        let group = Id::new(GROUP);
        assert!(is_listed_in(
            &ip("/subscriptions/S/resourcegroups/G", "a"),
            Some(&group)
        ));
        assert!(!is_listed_in(
            &ip("/subscriptions/s/resourceGroups/other", "a"),
            Some(&group)
        ));
        assert!(!is_listed_in(
            &Id::new(format!(
                "{GROUP}/providers/Microsoft.Network/publicIPPrefixes/p"
            )),
            Some(&group)
        ));
        assert!(!is_listed_in(&ip(GROUP, "a"), None));
        // What is no address is not found missing from a list of addresses.
        let other = Id::new(format!(
            "{GROUP}/providers/Microsoft.Network/loadBalancers/l"
        ));
        assert!(!is_listed_in(&other, Some(&group)));
    }

    #[test]
    fn a_groups_lists_answer_for_its_own_and_for_nothing_else() {
        let items: Vec<Field<model::PublicIpAddress>> = serde_json::from_str(&format!(
            r#"[{{"id":"{}","properties":{{"ipAddress":"20.0.0.1"}}}}]"#,
            ip(GROUP, "a")
        ))
        .unwrap();
        let denied: Datum<Vec<Field<model::PublicIpPrefix>>> = Datum::Denied {
            action: None,
            scope: None,
        };
        let groups = Groups(BTreeMap::from([(
            Id::new(GROUP),
            (
                Listing::new(Datum::Known(items), convert::public_ip),
                Listing::new(denied, convert::public_ip_prefix),
            ),
        )]));
        let prefix = Id::new(format!(
            "{GROUP}/providers/Microsoft.Network/publicIPPrefixes/p"
        ));
        let foreign = ip("/subscriptions/s/resourceGroups/other", "z");
        let wanted = [
            ip(GROUP, "a"),
            ip(GROUP, "gone"),
            prefix.clone(),
            foreign.clone(),
        ];
        let (found, elsewhere) = groups.pick(wanted.into_iter().collect());
        assert!(found.ips[&ip(GROUP, "a")].as_known().is_some());
        assert_eq!(found.ips[&ip(GROUP, "gone")], Datum::Absent);
        assert!(matches!(found.prefixes[&prefix], Datum::Denied { .. }));
        assert_eq!(elsewhere, [foreign]);
    }
}
