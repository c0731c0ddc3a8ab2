//! Where a way ends: what carries the packet after its route.

use std::net::IpAddr;

use super::cause::{Blame, concerns, mentions};
use super::report::{TraceStep, TraceStepKind};
use super::route::{Way, hop_label};
use super::walk::undetermined;
use super::{Destination, Tracer, firewall};
use crate::context::Context;
use crate::facts::{AzureFirewall, Datum, HopOwner, Id, lookup};
use crate::network::routes::Hop;
use crate::network::{AddressSet, Family, Outcome};
use crate::path::{Carrier, DefaultRoute, Path, Reach, translated};
use crate::report::{Confidence, DecidedBy, Device, FinalState, Finding, Method, NextHop};
use crate::rules::appliance::{own_routes, serves};
use crate::sections;
use crate::security::Guard;

/// Findings about an appliance that does not carry what it is handed.
const APPLIANCE: [&str; 9] = [
    "UDR104", "UDR105", "FWL101", "FWL102", "FWL103", "FWL104", "FWL105", "FWL106", "FWL107",
];

const UNREADABLE: &str =
    "what an appliance allows, and the address it leaves with, cannot be read from Azure";

/// What becomes of packets that take a way, security groups left out.
#[derive(Debug, Clone)]
pub(super) struct End {
    pub(super) state: FinalState,
    pub(super) why: String,
    pub(super) by: Option<DecidedBy>,
    pub(super) blame: Blame,
    pub(super) steps: Vec<TraceStep>,
    pub(super) notes: Vec<String>,
    pub(super) next_hop: NextHop,
    pub(super) method: Method,
    pub(super) device: Option<Device>,
    pub(super) public_ips: Option<Vec<String>>,
}

impl End {
    fn new(way: &Way, state: FinalState, why: impl Into<String>) -> Self {
        Self {
            state,
            why: why.into(),
            by: None,
            blame: Blame::Nothing,
            steps: Vec::new(),
            notes: Vec::new(),
            next_hop: sections::next_hop(&decided(way)),
            method: Method::Unknown,
            device: None,
            public_ips: None,
        }
    }
}

fn decided(way: &Way) -> DefaultRoute {
    DefaultRoute::Decided {
        via: way.via.clone(),
        split: false,
    }
}

fn step(
    kind: TraceStepKind,
    resource: Option<&Id>,
    decision: impl Into<String>,
    why: impl Into<String>,
) -> TraceStep {
    TraceStep {
        kind,
        resource_id: resource.cloned(),
        decision: decision.into(),
        why: why.into(),
    }
}

impl<'f> Tracer<'_, 'f> {
    /// The end of one way.
    pub(super) fn end(
        &self,
        guard: &Guard<'_, 'f>,
        destination: &Destination,
        addresses: &AddressSet,
        way: &Way,
    ) -> End {
        let public = AddressSet::public().contains_all(addresses);
        match &way.via.hop {
            Hop::None => dropped_by_route(way, guard.path),
            Hop::Internet if !public => End::new(
                way,
                FinalState::Dropped,
                "the internet does not route private addresses",
            ),
            Hop::Internet => self.to_internet(guard, destination, way),
            Hop::VirtualNetwork => End::new(
                way,
                FinalState::Forwarded,
                "it stays in the virtual network; the security groups and the state of whatever has the address are not looked at",
            ),
            Hop::Peering(_) => End::new(
                way,
                FinalState::Forwarded,
                "it goes to a peered virtual network, whose security groups and routes are not looked at",
            ),
            Hop::ServiceEndpoint(service) => End::new(
                way,
                FinalState::Delivered,
                format!(
                    "the service endpoint takes it straight to {service}, past any appliance (R3.4)"
                ),
            ),
            Hop::VirtualNetworkGateway => End {
                method: Method::VirtualNetworkGateway,
                steps: vec![step(
                    TraceStepKind::Hop,
                    None,
                    "VirtualNetworkGateway",
                    "what lies behind the gateway cannot be read from Azure",
                )],
                ..End::new(
                    way,
                    FinalState::Forwarded,
                    "the gateway and the network behind it decide what follows",
                )
            },
            Hop::VirtualAppliance(None) => End {
                method: Method::VirtualAppliance,
                ..End::new(
                    way,
                    FinalState::Undetermined,
                    "the route names no readable address of an appliance",
                )
            },
            Hop::VirtualAppliance(Some(ip)) => {
                self.to_appliance(guard, destination, way, *ip, public)
            }
            Hop::Other(word) => End::new(
                way,
                FinalState::Undetermined,
                format!("this version does not know next hop {word}"),
            ),
        }
    }

    /// Next hop Internet: by the subnet's method (R2.1).
    fn to_internet(&self, guard: &Guard<'_, 'f>, destination: &Destination, way: &Way) -> End {
        let ctx = self.ctx;
        if matches!(destination.address(), Some(IpAddr::V6(_))) {
            return End::new(
                way,
                FinalState::Undetermined,
                "what carries IPv6 packets to the internet is not evaluated by this version",
            );
        }
        let carrier = Carrier::of(ctx.facts, ctx.balancer, &guard.path.used, &decided(way));
        let reach = translated(ctx.facts, ctx.balancer, &carrier);
        let device = carrier.device.as_ref();
        let public_ips = sections::carrier_ips(ctx, &guard.path.used, &carrier);
        let address = match &public_ips {
            Some(ips) if !ips.is_empty() => format!("; it leaves as {}", ips.join(", ")),
            _ => String::new(),
        };
        let snat = step(
            TraceStepKind::Snat,
            device,
            sections::method_word(carrier.method),
            format!("{}{address}", carrier.why),
        );
        let by = device.map(|id| DecidedBy {
            resource_id: Some(id.clone()),
            rule: None,
            priority: None,
        });
        let (state, why, blame) = match reach {
            Reach::Delivered => (
                FinalState::Delivered,
                if carrier.method == Method::DefaultOutboundAccess {
                    "nothing on the path drops it while Azure still gives default outbound access"
                } else {
                    "nothing on the path drops it"
                }
                .to_owned(),
                Blame::Nothing,
            ),
            Reach::NoMethod if is_storage(destination) => (
                FinalState::Undetermined,
                format!(
                    "{}; but Azure Storage of the same region stays reachable without one (R2.6)",
                    carrier.why
                ),
                Blame::Nothing,
            ),
            Reach::NoMethod => (
                FinalState::Dropped,
                match carrier.method {
                    Method::None => carrier.why.clone(),
                    _ => "the device has no public address to leave with".to_owned(),
                },
                Blame::Codes(&[
                    "OUT106", "OUT112", "NAT101", "NAT102", "UDR101", "UDR102", "UDR109", "UDR112",
                ]),
            ),
            _ => (
                FinalState::Undetermined,
                carrier.why.clone(),
                Blame::Nothing,
            ),
        };
        let mut notes = Vec::new();
        if state == FinalState::Dropped && destination.address().is_some() {
            notes.push(
                "an address of Azure Storage in the same region would stay reachable (R2.6)"
                    .to_owned(),
            );
        }
        End {
            by: by.filter(|_| state != FinalState::Undetermined),
            blame,
            steps: vec![snat],
            notes,
            method: carrier.method,
            device: device.map(|id| sections::device(id, carrier.method)),
            public_ips,
            ..End::new(way, state, why)
        }
    }

    /// Next hop VirtualAppliance: who has the address, and what it lets through.
    fn to_appliance(
        &self,
        guard: &Guard<'_, 'f>,
        destination: &Destination,
        way: &Way,
        ip: IpAddr,
        public: bool,
    ) -> End {
        let hop = |resource: Option<&Id>, why: &str| {
            step(TraceStepKind::Hop, resource, hop_label(&way.via), why)
        };
        let end = |state, why: &str, resource: Option<&Id>, at: &str| End {
            method: Method::VirtualAppliance,
            steps: vec![hop(resource, at)],
            ..End::new(way, state, why)
        };
        if let Some(finding) = self.broken(guard, way, ip) {
            let state = match finding.confidence {
                Confidence::Certain | Confidence::Likely => FinalState::Dropped,
                Confidence::Possible => FinalState::Undetermined,
            };
            let resource = finding.affected.resource_ids.first();
            return End {
                by: resource.map(|id| DecidedBy {
                    resource_id: Some(id.clone()),
                    rule: None,
                    priority: None,
                }),
                blame: Blame::Finding(finding.code.clone()),
                ..end(state, &finding.title, None, &finding.title)
            };
        }
        match owner(self.ctx, ip) {
            Owner::Firewall(firewall) => {
                self.to_firewall(guard, destination, way, firewall, public)
            }
            Owner::UnreadFirewall(id) => End {
                method: Method::AzureFirewall,
                device: Some(sections::device(id, Method::AzureFirewall)),
                ..end(
                    FinalState::Forwarded,
                    "the firewall's rules could not be read",
                    Some(id),
                    "an Azure Firewall has this address",
                )
            },
            Owner::Nic(id) => end(
                FinalState::Forwarded,
                UNREADABLE,
                Some(id),
                "a virtual machine's network interface has this address",
            ),
            Owner::Balancer(id) => end(
                FinalState::Forwarded,
                UNREADABLE,
                Some(id),
                "an internal load balancer has this address",
            ),
            Owner::Nobody => end(
                FinalState::Undetermined,
                "nothing that could be read has the next hop's address",
                None,
                "nothing that could be read has this address",
            ),
            Owner::Unknown => end(
                FinalState::Forwarded,
                UNREADABLE,
                None,
                "who has this address is not known",
            ),
        }
    }

    /// A finding that says that the appliance at this address does not carry what it is handed.
    fn broken(&self, guard: &Guard<'_, '_>, way: &Way, ip: IpAddr) -> Option<&Finding> {
        let pools: Vec<String> = guard.pools().map(str::to_owned).collect();
        let path = guard.path;
        let default = path.routes.default.via().map(|via| &via.hop);
        let text = ip.to_string();
        self.findings.iter().find(|finding| {
            APPLIANCE.contains(&finding.code.as_str())
                && finding.blocks_egress
                && concerns(finding, &pools)
                && (default == Some(&way.via.hop) || mentions(finding, &text))
        })
    }

    /// Whether it was found that nothing answers what this firewall does not translate.
    fn unanswered(&self, firewall: &AzureFirewall) -> bool {
        self.findings.iter().any(|finding| {
            finding.code == "FWL111" && finding.affected.resource_ids.contains(&firewall.id)
        })
    }

    fn to_firewall(
        &self,
        guard: &Guard<'_, 'f>,
        destination: &Destination,
        way: &Way,
        firewall: &AzureFirewall,
        public: bool,
    ) -> End {
        let name = firewall.id.name();
        let ips = sections::firewall_ips(self.ctx, firewall);
        let mut end = End {
            method: Method::AzureFirewall,
            device: Some(sections::device(&firewall.id, Method::AzureFirewall)),
            public_ips: ips.clone(),
            steps: vec![step(
                TraceStepKind::Hop,
                Some(&firewall.id),
                hop_label(&way.via),
                format!("Azure Firewall {name} has this address"),
            )],
            ..End::new(way, FinalState::Undetermined, "")
        };
        let sources = guard.path.security.sources.of(Family::V4);
        let rules = self.firewalls.get(&firewall.id);
        let (Some(rules), false) = (rules, matches!(destination.address(), Some(IpAddr::V6(_))))
        else {
            "whether the firewall takes IPv6 packets is not evaluated by this version"
                .clone_into(&mut end.why);
            return end;
        };
        let answer = firewall::answer(firewall, rules, &sources, destination);
        end.steps.push(answer.step.clone());
        end.notes.extend(answer.notes);
        end.by = Some(answer.by);
        match answer.outcome {
            Outcome::Denied => {
                end.state = FinalState::Dropped;
                end.why = format!("Azure Firewall {name} denies it: {}", answer.step.why);
                end.blame = answer.blame;
                return end;
            }
            Outcome::Undecidable => {
                end.why = format!(
                    "whether Azure Firewall {name} allows it is not known: {}",
                    answer.step.why
                );
                end.by = None;
                return end;
            }
            Outcome::Allowed => {}
        }
        let leaves = match &ips {
            Some(ips) if !ips.is_empty() => format!("it leaves as {}", ips.join(", ")),
            _ => "the address it leaves with is not known".to_owned(),
        };
        let never_snats = match rules.never_snats() {
            Some(true) if public && self.unanswered(firewall) && !answer.proxied => {
                end.blame = Blame::Finding("FWL111".to_owned());
                end.state = FinalState::Dropped;
                end.why = format!(
                    "Azure Firewall {name} allows it by a network rule and translates no address: no answer comes back (R5.19)"
                );
                return end;
            }
            // What application rules allow is proxied, whatever the private ranges say.
            _ if answer.proxied => Some(false),
            other => other,
        };
        let own = after_firewall(self.ctx, firewall, never_snats, public);
        end.steps.push(step(
            TraceStepKind::Snat,
            Some(&firewall.id),
            if public { "azureFirewall" } else { "none" },
            match own {
                Ok(()) => leaves,
                Err((_, why)) => why.to_owned(),
            },
        ));
        (end.state, end.why) = match own {
            Ok(()) => (
                FinalState::Delivered,
                format!("Azure Firewall {name} allows it and nothing on the path drops it"),
            ),
            Err((state, why)) => (state, format!("Azure Firewall {name} allows it; {why}")),
        };
        end
    }

    /// Paths of which nothing can be said, with the reason.
    pub(super) fn unknown(&self, why: &str) -> Vec<super::TracedPath> {
        self.guards
            .iter()
            .map(|guard| undetermined(guard, why))
            .collect()
    }
}

/// Whether what a firewall allows reaches the internet; else what becomes of it.
fn after_firewall(
    ctx: &Context<'_>,
    firewall: &AzureFirewall,
    never_snats: Option<bool>,
    public: bool,
) -> Result<(), (FinalState, &'static str)> {
    if !public {
        return Err((
            FinalState::Forwarded,
            "to a private address: the firewall's own network decides what follows",
        ));
    }
    if !serves(firewall) {
        return Err((
            FinalState::Undetermined,
            "but the firewall is in a failed state",
        ));
    }
    match never_snats {
        Some(true) => {
            return Err((
                FinalState::Undetermined,
                "but it translates no address, its private ranges hold 0.0.0.0/0 (R5.19)",
            ));
        }
        None => {
            return Err((
                FinalState::Forwarded,
                "but whether it translates addresses could not be read",
            ));
        }
        Some(false) => {}
    }
    if firewall.subnet_id.is_none() {
        return Err((
            FinalState::Forwarded,
            "its virtual hub decides what follows",
        ));
    }
    match own_routes(ctx, firewall) {
        Ok(None) => Ok(()),
        Ok(Some(_)) => Err((
            FinalState::Forwarded,
            "the route table on the firewall's own subnet decides what follows",
        )),
        Err(_) => Err((
            FinalState::Forwarded,
            "what its own subnet does with it could not be read",
        )),
    }
}

fn dropped_by_route(way: &Way, path: &Path<'_>) -> End {
    let is_default = path.routes.default.via().is_some_and(|via| *via == way.via);
    End {
        by: way.via.table.as_ref().map(|table| DecidedBy {
            resource_id: Some(table.clone()),
            rule: way.via.name.clone(),
            priority: None,
        }),
        blame: match &way.via.name {
            _ if is_default => Blame::Codes(&["OUT101"]),
            Some(name) => Blame::Part {
                families: &["UDR", "OUT"],
                resource: way.via.table.clone(),
                name: name.clone(),
            },
            None => Blame::Nothing,
        },
        method: Method::None,
        public_ips: Some(Vec::new()),
        ..End::new(way, FinalState::Dropped, format!("{} drops it", way.label))
    }
}

/// Who has a next hop's address.
enum Owner<'f> {
    Firewall(&'f AzureFirewall),
    UnreadFirewall(&'f Id),
    Nic(&'f Id),
    Balancer(&'f Id),
    Nobody,
    Unknown,
}

fn owner<'f>(ctx: &Context<'f>, ip: IpAddr) -> Owner<'f> {
    let owner = ctx.facts.hops.get(&ip).and_then(Datum::as_known);
    match owner {
        Some(HopOwner::AzureFirewall(id)) => lookup(&ctx.facts.firewalls, id)
            .as_known()
            .map_or(Owner::UnreadFirewall(id), Owner::Firewall),
        Some(HopOwner::VirtualMachineNic(nic)) => Owner::Nic(&nic.id),
        Some(HopOwner::InternalLoadBalancer(lb)) => Owner::Balancer(&lb.id),
        Some(HopOwner::Nobody { .. }) => Owner::Nobody,
        // Only the default routes' hops are looked up; another route may still lead to a firewall that was read.
        None => {
            let text = ip.to_string();
            let mut firewalls = ctx.facts.firewalls.values().filter_map(Datum::as_known);
            firewalls
                .find(|firewall| firewall.private_ips.contains(&text))
                .map_or(Owner::Unknown, Owner::Firewall)
        }
    }
}

fn is_storage(destination: &Destination) -> bool {
    destination
        .host()
        .is_some_and(|host| host.contains(".core.") || host.ends_with(".storage.azure.net"))
}
