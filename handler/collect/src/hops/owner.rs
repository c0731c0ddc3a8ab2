//! The owner of one next hop's address.

use std::collections::BTreeMap;
use std::net::IpAddr;

use egress_arm::{model, operations};
use egress_diagnosis::facts::{AzureFirewall, Datum, HopOwner, Id, LoadBalancer, ResourceMetrics};
use futures::future::join_all;

use super::segment::{Occupant, occupant};
use super::space::Space;
use crate::convert;
use crate::metrics::probe_health;
use crate::outcome::{converted, malformed, unknown};
use crate::reader::Reader;

/// A subnet with more interfaces or load balancers than this is not searched one by one.
const SEARCHED: usize = 64;

/// The owner, firewalls that had to be read for it, and the health of what is behind a load balancer.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) owner: Datum<HopOwner>,
    pub(super) firewalls: BTreeMap<Id, Datum<AzureFirewall>>,
    pub(super) metrics: ResourceMetrics,
}

impl From<Datum<HopOwner>> for Found {
    fn from(owner: Datum<HopOwner>) -> Self {
        Self {
            owner,
            firewalls: BTreeMap::new(),
            metrics: ResourceMetrics::new(),
        }
    }
}

/// Finds who has this address.
pub(super) async fn find(reader: Reader<'_>, space: &Space, hop: IpAddr) -> Found {
    if let Some(firewall) = space.firewall_at(hop) {
        return Datum::Known(HopOwner::AzureFirewall(firewall.id.clone())).into();
    }
    let Some(segment) = space.segment(hop) else {
        let nobody = Datum::Known(HopOwner::Nobody { subnet: None });
        return space.unread(hop).unwrap_or(nobody).into();
    };
    let Some(configurations) = &segment.occupants else {
        return malformed().into();
    };
    let mut occupants: Vec<Occupant> = configurations.iter().map(occupant).collect();
    occupants.dedup();
    let counted = occupants.iter().filter(|it| **it != Occupant::Other);
    if counted.count() > SEARCHED {
        let why = "too many interfaces in the next hop's subnet to ask each for its address";
        return Datum::not_asked(why).into();
    }
    let read = join_all(occupants.iter().map(|it| ask(reader, space, it, hop))).await;
    let mut firewalls = BTreeMap::new();
    let mut open = None;
    let mut owner = None;
    for answer in read {
        firewalls.extend(answer.firewall);
        match answer.owner {
            Datum::Known(Some(found)) => owner = owner.or(Some(found)),
            Datum::Known(None) => {}
            other => open = open.or(Some(unknown(&other))),
        }
    }
    let nobody = Datum::Known(HopOwner::Nobody {
        subnet: Some(segment.subnet.id.clone()),
    });
    Found {
        owner: owner.map(Datum::Known).or(open).unwrap_or(nobody),
        firewalls,
        metrics: ResourceMetrics::new(),
    }
}

impl Found {
    /// Whether more can be read once the owner is known.
    pub(super) fn leads_on(&self) -> bool {
        matches!(
            self.owner,
            Datum::Known(HopOwner::VirtualMachineNic(_) | HopOwner::InternalLoadBalancer(_))
        )
    }

    /// With what can be read once the owner is known: the machine's power state, the health behind the load balancer.
    pub(super) async fn followed(mut self, reader: Reader<'_>) -> Self {
        match &mut self.owner {
            Datum::Known(HopOwner::VirtualMachineNic(nic)) => {
                if let Some(vm) = &nic.vm_id {
                    nic.power = power(reader, vm).await;
                }
            }
            Datum::Known(HopOwner::InternalLoadBalancer(balancer)) => {
                self.metrics = probe_health(reader, balancer).await;
            }
            _ => {}
        }
        self
    }
}

/// What one occupant says: the owner if it is this one.
struct Answer {
    owner: Datum<Option<HopOwner>>,
    firewall: Option<(Id, Datum<AzureFirewall>)>,
}

async fn ask(reader: Reader<'_>, space: &Space, occupant: &Occupant, hop: IpAddr) -> Answer {
    let mut firewall = None;
    let owner = match occupant {
        Occupant::Firewall(id) => {
            let body = if let Some(listed) = space.firewall(id) {
                listed.clone()
            } else {
                let answer = reader.get(&operations::AZURE_FIREWALL_GET, id, &[]).await;
                converted(answer, convert::azure_firewall)
            };
            firewall = Some((id.clone(), body.clone()));
            body.map(|body| {
                is_among(hop, &body.private_ips).then(|| HopOwner::AzureFirewall(id.clone()))
            })
        }
        Occupant::Nic(id) => nic(reader, id, hop).await,
        Occupant::LoadBalancer(id) => load_balancer(reader, id, hop).await,
        Occupant::Other => Datum::not_asked(
            "the next hop's subnet holds resources whose addresses are not asked for",
        ),
    };
    Answer { owner, firewall }
}

async fn nic(reader: Reader<'_>, id: &Id, hop: IpAddr) -> Datum<Option<HopOwner>> {
    let answer = reader
        .get(&operations::NETWORK_INTERFACE_GET, id, &[])
        .await;
    match converted(answer, convert::hop_nic) {
        Datum::Known((nic, addresses)) if is_among(hop, &addresses) => {
            Datum::Known(Some(HopOwner::VirtualMachineNic(nic)))
        }
        Datum::Known(_) => Datum::Known(None),
        other => unknown(&other),
    }
}

async fn power(reader: Reader<'_>, vm: &Id) -> Datum<String> {
    let operation = &operations::VIRTUAL_MACHINE_INSTANCE_VIEW_GET;
    let answer: Datum<model::InstanceView> = reader.get(operation, vm, &[]).await;
    converted(answer, convert::power_state)
}

async fn load_balancer(reader: Reader<'_>, id: &Id, hop: IpAddr) -> Datum<Option<HopOwner>> {
    let answer = reader.get(&operations::LOAD_BALANCER_GET, id, &[]).await;
    let body: Datum<LoadBalancer> = converted(answer, convert::load_balancer);
    body.map(|balancer| {
        let private = balancer
            .frontends
            .iter()
            .filter_map(|f| f.private_ip.clone());
        let addresses: Vec<String> = private.collect();
        is_among(hop, &addresses).then(|| HopOwner::InternalLoadBalancer(Box::new(balancer)))
    })
}

fn is_among(hop: IpAddr, addresses: &[String]) -> bool {
    addresses.iter().any(|text| text.parse() == Ok(hop))
}
