//! One packet's walk: security groups, route, hop, translation, end.

use std::net::{IpAddr, Ipv4Addr};

use super::cause::{Blame, cause};
use super::hop::End;
use super::report::{TraceStep, TraceStepKind, TracedPath};
use super::route::{Routing, hop_label, routing};
use super::security::{Gate, gates};
use super::{Called, Destination, Tracer};
use crate::facts::Facts;
use crate::network::{AddressSet, Family, Outcome};
use crate::path::DefaultRoute;
use crate::report::{DecidedBy, FinalState, Method};
use crate::sections;
use crate::security::{self, ApiServer, Guard, Service};

/// Addresses that the node's own host answers: Azure DNS and the instance metadata service (R4.10).
const PLATFORM: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
];

const MAIL_NOTE: &str =
    "Azure itself may drop TCP 25 to the internet, whatever rules and routes say (R4.20)";

const HOST_NOTE: &str = "the host's addresses are not known: rules and routes about addresses count only where they treat every \
                         public IPv4 address alike, and a name that resolves to a private address takes another path; ask with \
                         the address for an exact answer";

impl<'f> Tracer<'_, 'f> {
    pub(super) fn walk(
        &self,
        guard: &Guard<'_, 'f>,
        destination: &Destination,
        category: Option<&str>,
    ) -> TracedPath {
        if let Some(why) = inside_cluster(self.ctx.facts, destination) {
            return undetermined(guard, why);
        }
        let services = match destination.host() {
            Some(host) => Service::of_host(category.unwrap_or_default(), host),
            None => &[],
        };
        if services == [Service::ApiServer] && security::api_server(self.ctx) != ApiServer::Public {
            let why = "the API server is reached inside the network, not over the internet";
            return undetermined(guard, why);
        }
        let addresses = addresses(guard, destination);
        let family = match destination.address() {
            Some(IpAddr::V6(_)) => Family::V6,
            _ => Family::V4,
        };
        let sources = guard.path.security.sources.of(family);
        if sources.is_empty() {
            let why = "the subnet has no IPv6 addresses, so nothing can be sent to one";
            return TracedPath {
                final_state: FinalState::Dropped,
                ..ended(guard, "dropped", why)
            };
        }
        let gates = gates(
            self.ctx,
            guard,
            destination,
            (&sources, &addresses),
            services,
        );
        let end = if destination
            .address()
            .is_some_and(|ip| PLATFORM.contains(&ip))
        {
            Tail::platform()
        } else {
            self.tail(guard, destination, &addresses)
        };
        self.joined(guard, destination, &gates, end)
    }

    /// What follows the security groups.
    fn tail(
        &self,
        guard: &Guard<'_, 'f>,
        destination: &Destination,
        addresses: &AddressSet,
    ) -> Tail {
        let routing = match routing(guard.path, addresses) {
            Ok(routing) => routing,
            Err(why) => return Tail::unread(&why),
        };
        let ends: Vec<End> = routing
            .ways
            .iter()
            .map(|way| self.end(guard, destination, addresses, way))
            .collect();
        Tail::of(&routing, ends)
    }

    fn joined(
        &self,
        guard: &Guard<'_, 'f>,
        destination: &Destination,
        gates: &[Gate],
        tail: Tail,
    ) -> TracedPath {
        let denied = gates.iter().find(|gate| gate.outcome == Outcome::Denied);
        let open = gates
            .iter()
            .find(|gate| gate.outcome == Outcome::Undecidable);
        let (state, why, by, blame) = match (denied, open) {
            (Some(gate), _) => (
                FinalState::Dropped,
                gate.step.why.clone(),
                gate.by.clone(),
                gate.blame.clone(),
            ),
            (None, Some(gate)) if tail.state != FinalState::Dropped => (
                FinalState::Undetermined,
                gate.step.why.clone(),
                None,
                Blame::Nothing,
            ),
            _ => (tail.state, tail.why, tail.by, tail.blame),
        };
        let mut path = ended(guard, state_word(state), &why);
        let last = path.steps.pop();
        path.steps
            .extend(gates.iter().map(|gate| gate.step.clone()));
        path.steps.extend(tail.steps);
        path.steps.extend(last);
        path.cause = if state == FinalState::Dropped {
            cause(self.findings, &path.node_pools, &blame)
        } else {
            None
        };
        path.notes = tail.notes;
        if matches!(destination.called, Called::Host(_)) {
            path.notes.push(HOST_NOTE.to_owned());
        }
        if destination.port == 25 {
            path.notes.push(MAIL_NOTE.to_owned());
        }
        TracedPath {
            final_state: state,
            decided_by: by,
            next_hop: tail.end.next_hop,
            method: tail.end.method,
            device: tail.end.device,
            public_ips: tail.end.public_ips,
            ..path
        }
    }
}

/// A path of which nothing can be said.
pub(super) fn undetermined(guard: &Guard<'_, '_>, why: &str) -> TracedPath {
    ended(guard, "undetermined", why)
}

/// Start and end alone.
fn ended(guard: &Guard<'_, '_>, decision: &str, why: &str) -> TracedPath {
    let used = &guard.path.used;
    let pools: Vec<String> = guard.pools().map(str::to_owned).collect();
    let start = TraceStep {
        kind: TraceStepKind::Start,
        resource_id: Some(used.id.clone()),
        decision: used.label(),
        why: format!(
            "{} {} from here",
            crate::context::pools_label(&pools.iter().map(String::as_str).collect::<Vec<_>>()),
            if pools.len() == 1 { "sends" } else { "send" },
        ),
    };
    let last = TraceStep {
        kind: TraceStepKind::Final,
        resource_id: None,
        decision: decision.to_owned(),
        why: why.to_owned(),
    };
    TracedPath {
        node_pools: pools,
        scope: used.scope,
        subnet_id: used.id.clone(),
        next_hop: sections::next_hop(&DefaultRoute::Open(String::new())),
        method: Method::Unknown,
        device: None,
        public_ips: None,
        steps: vec![start, last],
        final_state: FinalState::Undetermined,
        cause: None,
        decided_by: None,
        notes: Vec::new(),
    }
}

fn state_word(state: FinalState) -> &'static str {
    match state {
        FinalState::Delivered => "delivered",
        FinalState::Dropped => "dropped",
        FinalState::Forwarded => "forwarded",
        FinalState::Undetermined => "undetermined",
    }
}

/// The steps after the security groups, and how they end over all ways that may hold.
struct Tail {
    steps: Vec<TraceStep>,
    state: FinalState,
    why: String,
    by: Option<DecidedBy>,
    blame: Blame,
    notes: Vec<String>,
    end: Shown,
}

/// What a path shows of the way that holds as far as is known.
struct Shown {
    next_hop: crate::report::NextHop,
    method: Method,
    device: Option<crate::report::Device>,
    public_ips: Option<Vec<String>>,
}

impl Shown {
    fn nothing() -> Self {
        Self {
            next_hop: sections::next_hop(&DefaultRoute::Open(String::new())),
            method: Method::Unknown,
            device: None,
            public_ips: None,
        }
    }
}

impl Tail {
    fn plain(steps: Vec<TraceStep>, state: FinalState, why: &str) -> Self {
        Self {
            steps,
            state,
            why: why.to_owned(),
            by: None,
            blame: Blame::Nothing,
            notes: Vec::new(),
            end: Shown::nothing(),
        }
    }

    fn unread(why: &str) -> Self {
        let step = TraceStep {
            kind: TraceStepKind::Route,
            resource_id: None,
            decision: "unknown".to_owned(),
            why: why.to_owned(),
        };
        Self::plain(vec![step], FinalState::Undetermined, why)
    }

    fn platform() -> Self {
        let why =
            "the node's own host answers this address; route tables do not apply to it (R4.10)";
        let step = TraceStep {
            kind: TraceStepKind::Route,
            resource_id: None,
            decision: "host".to_owned(),
            why: why.to_owned(),
        };
        Self::plain(vec![step], FinalState::Delivered, why)
    }

    fn of(routing: &Routing, ends: Vec<End>) -> Self {
        let same = |end: &End| ends.first().is_some_and(|first| first.state == end.state);
        let agreed = ends.iter().all(same);
        let several = routing.ways.len() > 1;
        let ways: Vec<String> = routing
            .ways
            .iter()
            .zip(&ends)
            .map(|(way, end)| {
                format!(
                    "{} leads to {} ({})",
                    way.label,
                    hop_label(&way.via),
                    state_word(end.state)
                )
            })
            .collect();
        let doubts = routing.doubts.join("; ");
        let (Some(first), Some(way)) = (ends.into_iter().next(), routing.ways.first()) else {
            return Self::unread("no route is known");
        };
        let route = TraceStep {
            kind: TraceStepKind::Route,
            resource_id: way.via.table.clone(),
            decision: if agreed {
                hop_label(&way.via)
            } else {
                "unknown".to_owned()
            },
            why: if several {
                format!("{}; {doubts}", ways.join("; "))
            } else {
                way.label.clone()
            },
        };
        let mut steps = vec![route];
        if agreed {
            steps.extend(first.steps);
        }
        let mut notes = routing.notes.clone();
        notes.extend(first.notes);
        let (state, why, by, blame) = if agreed {
            let by = first.by.filter(|_| !several);
            (first.state, first.why, by, first.blame)
        } else {
            let why = format!("which route holds is not known: {doubts}");
            (FinalState::Undetermined, why, None, Blame::Nothing)
        };
        let end = if agreed {
            Shown {
                next_hop: first.next_hop,
                method: first.method,
                device: first.device,
                public_ips: first.public_ips.filter(|_| !several),
            }
        } else {
            Shown::nothing()
        };
        Self {
            steps,
            state,
            why,
            by,
            blame,
            notes,
            end,
        }
    }
}

/// The addresses that the packets may go to.
fn addresses(guard: &Guard<'_, '_>, destination: &Destination) -> AddressSet {
    match &destination.called {
        Called::Address(address) => (*address).into(),
        Called::Host(_) => {
            let space = &guard.path.security.tags.space;
            security::public()
                .difference(&space.own)
                .difference(&space.peered)
        }
    }
}

/// Why an address never leaves the cluster.
fn inside_cluster(facts: &Facts, destination: &Destination) -> Option<&'static str> {
    let address = destination.address()?;
    let network = facts.cluster.network.as_ref()?;
    let holds = |texts: &[String]| {
        texts
            .iter()
            .filter_map(|text| AddressSet::parse_all([text.as_str()]).ok())
            .any(|set| set.contains(address))
    };
    if holds(&network.pod_cidrs) {
        Some("it is an address of the cluster's own pods: such packets stay inside the cluster")
    } else if holds(&network.service_cidrs) {
        Some("it is an address of the cluster's own services: such packets stay inside the cluster")
    } else {
        None
    }
}
