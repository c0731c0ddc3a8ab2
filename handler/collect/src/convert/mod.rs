//! ARM's answers to facts, one file per kind of resource.
//!
//! A conversion gives `None` when the answer is not fit to reason with: without `properties`, or with a part missing
//! from a list that decides (a route, a security rule). That becomes *malformed*, never a shorter list.

mod activity;
mod cluster;
mod compute;
mod firewall;
mod hub;
mod load_balancer;
mod metrics;
mod network;
mod pressure;
#[cfg(test)]
mod recordings;
mod scrub;

use egress_arm::model::Reference;
use egress_arm::read::{Field, List};
use egress_diagnosis::facts::Id;

pub(crate) use activity::resource_write;
pub(crate) use cluster::{agent_pool, agent_pool_profiles, cluster, egress_endpoints};
pub(crate) use compute::{hop_nic, machine_nic, power_state, scale_set, scale_set_nic};
pub(crate) use firewall::{azure_firewall, firewall_policy, ip_group, rule_collection_group};
pub(crate) use hub::{Connection, Hub, hub_connection, internet_next_hops, virtual_hub};
pub(crate) use load_balancer::load_balancer;
pub(crate) use metrics::{Asked, metrics};
pub(crate) use network::{
    nat_gateway, nsg, public_ip, public_ip_prefix, route_table, security_admin_rule, subnet,
    virtual_network,
};
pub(crate) use pressure::{health, machine, recommendation, vm_sizes};

/// An id in a body.
pub(crate) fn id(text: &Field<String>) -> Option<Id> {
    text.as_deref().map(Id::new)
}

/// Every item converted, or `None` when one of them is unusable.
pub(crate) fn all<T, U>(list: &List<T>, convert: impl FnMut(&T) -> Option<U>) -> Option<Vec<U>> {
    list.whole()?.iter().map(convert).collect()
}

/// All references of a list.
fn ids(list: &List<Reference>) -> Option<Vec<Id>> {
    all(list, |reference| id(&reference.id))
}

/// All strings of a list.
fn texts(list: &List<String>) -> Option<Vec<String>> {
    all(list, |text| Some(text.clone()))
}

/// The plural form of a field, else its singular one.
fn plural_or_singular(plural: &List<String>, singular: &Field<String>) -> Option<Vec<String>> {
    let texts = texts(plural)?;
    Some(if texts.is_empty() {
        singular.iter().cloned().collect()
    } else {
        texts
    })
}
