//! `egressEndpoints`: what this cluster needs (R1.9), and what becomes of its packets on the way.

mod by_firewall;

use std::borrow::Cow;

use by_firewall::{ByFirewall, Gate};

use crate::context::Context;
use crate::endpoints::{Protocol, RequiredEndpoint};
use crate::facts::{Direction, NextHopType, Route};
use crate::network::nsg::{FlowClass, RuleName};
use crate::network::routes::Hop;
use crate::network::{self, AddressSet, PortSet};
use crate::order::Order as _;
use crate::path::{Carrier, DefaultRoute, Path, Reach, Via, translated};
use crate::report::{
    DecidedBy, EgressEndpointItem, EgressEndpoints, EndpointSource, Finding, Method, PoolVerdict,
    RouteSource, TrafficVerdict,
};
use crate::rules::dead_hop;
use crate::rules::inspection::Inspection;
use crate::security::{self, ApiServer, Guard, Service, Standing};

/// The endpoints with a verdict for each pool.
pub(crate) fn endpoints(ctx: &Context<'_>, findings: &[Finding]) -> EgressEndpoints {
    let needed = &ctx.needed.endpoints;
    let listed = ctx.facts.egress_endpoints.as_known().is_some();
    let source = if listed {
        Some(EndpointSource::Arm)
    } else {
        (!needed.is_empty()).then_some(EndpointSource::Catalogue)
    };
    let asked: Vec<Option<Question>> = needed.iter().map(Question::of).collect();
    let mut questions: Vec<Question> = Vec::new();
    for question in asked.iter().flatten() {
        if !questions.contains(question) {
            questions.push(*question);
        }
    }
    let guards = Guard::all(ctx).into_iter();
    let ways: Vec<Way<'_, '_>> = guards
        .map(|guard| Way::of(ctx, guard, findings, &questions))
        .collect();
    let complete = ctx.subnets.unresolved.is_empty() && ctx.subnets.missing().next().is_none();
    let items = needed.iter().zip(asked).enumerate();
    EgressEndpoints {
        source,
        notes: ctx.needed.open.clone(),
        items: items
            .map(|(place, (endpoint, question))| {
                let question = questions.iter().position(|it| Some(*it) == question);
                let judge = |way| Way::judge(way, ctx, (place, endpoint), question);
                let by_pool = by_pool(ways.iter().map(|way| (&way.guard, judge(way))));
                item(endpoint, by_pool, complete)
            })
            .collect(),
    }
}

/// Pools about which the same is decided stand together.
fn by_pool<'w>(
    judged: impl Iterator<Item = (&'w Guard<'w, 'w>, Judgement<'w>)>,
) -> Vec<PoolVerdict> {
    let mut alike: Vec<(Judgement<'w>, Vec<&str>)> = Vec::new();
    for (guard, new) in judged {
        match alike.iter_mut().find(|(old, _)| *old == new) {
            Some((_, pools)) => pools.extend(guard.pools()),
            None => alike.push((new, guard.pools().collect())),
        }
    }
    let verdicts = alike.into_iter().map(|(judgement, mut pools)| {
        pools.order();
        pools.dedup();
        let decided = judgement.decided();
        PoolVerdict {
            node_pools: pools.into_iter().map(str::to_owned).collect(),
            verdict: decided.verdict,
            decided_by: decided.by,
            why: decided.why,
        }
    });
    verdicts.collect()
}

fn item(
    endpoint: &RequiredEndpoint,
    by_pool: Vec<PoolVerdict>,
    complete: bool,
) -> EgressEndpointItem {
    EgressEndpointItem {
        category: endpoint.category.clone(),
        domain_name: endpoint.domain_name.clone(),
        port: endpoint.port,
        protocol: endpoint.protocol.map(|p| p.as_str().to_owned()),
        source: endpoint.source,
        need: endpoint.need,
        verdict: overall(&by_pool, complete),
        by_pool,
    }
}

/// Over all pools: known only when every pool's is, or when some pass and some do not.
fn overall(by_pool: &[PoolVerdict], complete: bool) -> TrafficVerdict {
    let any = |wanted| by_pool.iter().any(|pool| pool.verdict == wanted);
    if any(TrafficVerdict::Allowed) && any(TrafficVerdict::Blocked) {
        return TrafficVerdict::Partial;
    }
    match by_pool.first() {
        Some(first) if complete && by_pool.iter().all(|p| p.verdict == first.verdict) => {
            first.verdict
        }
        _ => TrafficVerdict::Unknown,
    }
}

/// What decided about one endpoint on one way.
#[derive(Clone, PartialEq)]
struct Decided {
    verdict: TrafficVerdict,
    by: Option<DecidedBy>,
    why: String,
}

fn unknown(why: impl Into<String>) -> Decided {
    Decided {
        verdict: TrafficVerdict::Unknown,
        by: None,
        why: why.into(),
    }
}

/// What security groups are asked about an endpoint. Many endpoints ask the same.
#[derive(Clone, Copy, PartialEq)]
struct Question {
    /// The services behind the host, as far as a service tag stands for them.
    services: &'static [Service],
    flow: (network::Protocol, u16),
}

impl Question {
    /// `None` when the port or protocol is not known.
    fn of(endpoint: &RequiredEndpoint) -> Option<Self> {
        let protocol = match endpoint.protocol? {
            Protocol::Udp => network::Protocol::Udp,
            Protocol::Https | Protocol::Http | Protocol::Tcp => network::Protocol::Tcp,
        };
        Some(Self {
            services: Service::of_host(&endpoint.category, &endpoint.domain_name),
            flow: (protocol, endpoint.port?),
        })
    }
}

/// The way out of some pools.
struct Way<'w, 'f> {
    guard: Guard<'w, 'f>,
    /// What the security groups answer to each question; `None`: they let it pass.
    rules: Vec<Option<Decided>>,
    /// Routes beside the default.
    aside: Vec<&'f Route>,
    onward: Onward<'w>,
}

/// What the default route and what carries the packets make of a packet.
enum Onward<'w> {
    /// The same of every packet.
    Decided(Decided),
    /// A firewall decides by its rules.
    Gate(Gate<'w>),
}

/// What is decided about one endpoint on one way.
#[derive(PartialEq)]
enum Judgement<'w> {
    Said(Cow<'w, Decided>),
    ByFirewall(ByFirewall<'w>),
}

impl Judgement<'_> {
    /// In words.
    fn decided(self) -> Decided {
        match self {
            Self::Said(decided) => decided.into_owned(),
            Self::ByFirewall(decision) => decision.decided(),
        }
    }
}

impl<'w, 'f> Way<'w, 'f> {
    fn of(
        ctx: &'w Context<'f>,
        guard: Guard<'w, 'f>,
        findings: &[Finding],
        questions: &[Question],
    ) -> Self {
        let questions = questions.iter();
        Self {
            rules: questions.map(|it| by_rules(ctx, &guard, *it)).collect(),
            aside: super::outbound::diversions(ctx, guard.path),
            onward: onward(ctx, guard.path, findings),
            guard,
        }
    }

    /// Security groups first, then the route and what carries the packet.
    fn judge(
        &'w self,
        ctx: &Context<'_>,
        (place, endpoint): (usize, &RequiredEndpoint),
        question: Option<usize>,
    ) -> Judgement<'w> {
        let said = |decided| Judgement::Said(Cow::Owned(decided));
        let Some(question) = question else {
            return said(unknown("its port or protocol is not known"));
        };
        if let Some(Some(decided)) = self.rules.get(question) {
            return Judgement::Said(Cow::Borrowed(decided));
        }
        if let Some(decided) = diverted(ctx, self.guard.path, &self.aside, endpoint) {
            return said(decided);
        }
        let gate = match &self.onward {
            Onward::Decided(decided) => return Judgement::Said(Cow::Borrowed(decided)),
            Onward::Gate(gate) => gate,
        };
        match gate.parts(place) {
            None => said(unknown(RULES_OF_ITS_OWN)),
            Some(parts) => match ByFirewall::of(gate, parts) {
                None => said(unknown("the addresses that send are not known")),
                Some(decision) => Judgement::ByFirewall(decision),
            },
        }
    }
}

/// What the security groups decide; `None` when they let it pass.
fn by_rules(ctx: &Context<'_>, guard: &Guard<'_, '_>, question: Question) -> Option<Decided> {
    let Question { services, flow } = question;
    if services == [Service::ApiServer] && security::api_server(ctx) != ApiServer::Public {
        return Some(inside(guard, flow));
    }
    if services.is_empty() {
        return anywhere(guard, flow);
    }
    let location = ctx.cluster().location.as_deref();
    let mut open: Option<Decided> = None;
    for service in services {
        match guard.standing(*service, flow, location) {
            Standing::Allowed => {}
            Standing::Denied(blocks) => {
                if let Some(sure) = blocks.iter().find(|block| block.sure) {
                    return Some(denied(&sure.rule));
                }
                // Unlikely to get through, but other rules admit some addresses, and the host's are not known (R1.12).
                let first = blocks.into_iter().next()?;
                let denied = denied(&first.rule);
                open = open.or_else(|| {
                    Some(Decided {
                        verdict: TrafficVerdict::Unknown,
                        why: format!(
                            "{}, unless the host has one of the addresses that other rules admit",
                            denied.why
                        ),
                        ..denied
                    })
                });
            }
            Standing::Unknown(why) => {
                open = open.or_else(|| Some(unknown(reason(guard, &why))));
            }
        }
    }
    open
}

/// An API server inside the network: its address there is not read, so the whole network has to be treated alike.
fn inside(guard: &Guard<'_, '_>, (protocol, port): (network::Protocol, u16)) -> Decided {
    let network = guard.network();
    // The network's own route wins over a shorter one only.
    let diverts = |to: &AddressSet| {
        to.intersects(&network) && (!to.contains_all(&network) || network.contains_all(to))
    };
    let diverted = match &guard.path.routes.table {
        Err(_) => true,
        Ok(table) => table.iter().flat_map(|table| &table.routes).any(|route| {
            AddressSet::parse_all([route.address_prefix.as_str()]).is_ok_and(|to| diverts(&to))
        }),
    };
    let class = FlowClass::new(
        guard.sources(),
        network.clone(),
        protocol,
        PortSet::one(port),
    );
    let result = guard.addressed(Direction::Outbound, &class);
    if network.is_empty() || diverted || !result.open.is_empty() || !result.denied.is_empty() {
        return unknown(
            "the API server is reached inside the network, where rules or routes treat addresses differently",
        );
    }
    Decided {
        verdict: TrafficVerdict::Allowed,
        by: None,
        why: "the API server is reached inside the network, where no security group denies it"
            .to_owned(),
    }
}

/// A host that no service tag stands for: decided only when the rules treat every public address alike.
fn anywhere(guard: &Guard<'_, '_>, flow: (network::Protocol, u16)) -> Option<Decided> {
    let public = security::public();
    let (protocol, port) = flow;
    let class = FlowClass::new(
        guard.sources(),
        public.clone(),
        protocol,
        PortSet::one(port),
    );
    let mut open: Option<Decided> = None;
    for parts in guard.evaluate(Direction::Outbound, &class) {
        let hit = |wanted: network::Outcome| {
            let parts = parts.iter().filter(move |p| p.decision.outcome == wanted);
            parts.fold(AddressSet::empty(), |set, p| {
                set.union(&p.class.destinations)
            })
        };
        let (dropped, undecided) = (
            hit(network::Outcome::Denied),
            hit(network::Outcome::Undecidable),
        );
        if dropped.contains_all(&public) {
            return parts.first().map(|first| denied(&first.decision.by));
        }
        if !undecided.is_empty() {
            open = Some(unknown(reason(guard, &[])));
        } else if !dropped.is_empty() {
            open = Some(unknown(
                "rules deny part of the internet, and the host's addresses are not known",
            ));
        }
    }
    open
}

const UNSETTLED: &str = "whether a rule of a security group matches it is not known";

fn reason(guard: &Guard<'_, '_>, why: &[String]) -> String {
    why.first()
        .cloned()
        .or_else(|| unread_group(guard))
        .unwrap_or_else(|| UNSETTLED.to_owned())
}

/// The security group that could not be read, if one could not.
fn unread_group(guard: &Guard<'_, '_>) -> Option<String> {
    let mut groups = guard
        .levels()
        .filter_map(|(_, group)| group.nsg.as_ref().err());
    let missing = groups.next()?;
    Some(format!("{} could not be read", missing.what))
}

fn denied(rule: &RuleName) -> Decided {
    Decided {
        verdict: TrafficVerdict::Blocked,
        why: format!("rule {} of {} denies it", rule.rule, rule.holder()),
        by: Some(DecidedBy {
            resource_id: rule.nsg.clone(),
            rule: Some(rule.rule.clone()),
            priority: rule.priority,
        }),
    }
}

const RULES_OF_ITS_OWN: &str = "the next hop decides by rules of its own; the checks of the egress appliance say what is known of them";

/// What the default route and the outbound method make of a packet that the security groups let pass.
fn onward<'w>(ctx: &'w Context<'_>, path: &'w Path<'_>, findings: &[Finding]) -> Onward<'w> {
    let handed_on = matches!(
        path.carrier.method,
        Method::VirtualAppliance | Method::AzureFirewall | Method::VirtualNetworkGateway
    );
    if handed_on
        && dead_hop(path, findings).is_none()
        && let Some((inspection, place)) = Inspection::of_path(ctx, path)
    {
        return Onward::Gate(Gate::new(ctx, findings, inspection, place));
    }
    Onward::Decided(by_path(path, findings))
}

/// The same where it does not depend on the host.
fn by_path(path: &Path<'_>, findings: &[Finding]) -> Decided {
    if let Some(via) = path.routes.default.via()
        && via.hop == Hop::None
    {
        return Decided {
            verdict: TrafficVerdict::Blocked,
            why: format!("{} drops it", via.label()),
            by: via.table.as_ref().map(|table| DecidedBy {
                resource_id: Some(table.clone()),
                rule: via.name.clone(),
                priority: None,
            }),
        };
    }
    let carrier = &path.carrier;
    let by = carrier.device.as_ref().map(|device| DecidedBy {
        resource_id: Some(device.clone()),
        rule: None,
        priority: None,
    });
    let allowed = |why: &str| Decided {
        verdict: TrafficVerdict::Allowed,
        by: None,
        why: format!("security groups and routes let it pass; {why}"),
    };
    match carrier.method {
        Method::Unknown => unknown(carrier.why.clone()),
        Method::None => Decided {
            verdict: TrafficVerdict::Blocked,
            by,
            why: carrier.why.clone(),
        },
        Method::VirtualAppliance | Method::AzureFirewall | Method::VirtualNetworkGateway => {
            if let Some(dead) = dead_hop(path, findings) {
                return Decided {
                    verdict: TrafficVerdict::Blocked,
                    by: None,
                    why: format!("its packets end at the next hop ({})", dead.code),
                };
            }
            unknown(RULES_OF_ITS_OWN)
        }
        Method::NatGateway => match path.internet.reach {
            Reach::NoMethod => Decided {
                verdict: TrafficVerdict::Blocked,
                by,
                why: "the NAT gateway has no public IPv4 address".to_owned(),
            },
            Reach::Delivered => allowed(&carrier.why),
            _ => unknown("whether the NAT gateway carries it is not known"),
        },
        Method::LoadBalancer | Method::InstancePublicIp | Method::DefaultOutboundAccess => {
            allowed(&carrier.why)
        }
    }
}

/// What becomes of a host that a route beside the default takes another way, or may take.
fn diverted(
    ctx: &Context<'_>,
    path: &Path<'_>,
    aside: &[&Route],
    endpoint: &RequiredEndpoint,
) -> Option<Decided> {
    let host = endpoint.domain_name.as_str();
    let lies =
        |route: &Route| security::lies_in(ctx, &endpoint.category, host, &route.address_prefix);
    let mut routes = aside.to_vec();
    routes.retain(|route| lies(route) != Some(false));
    let [route] = routes.as_slice() else {
        return routes.first().map(|route| elsewhere(route));
    };
    // A more specific route may take it back.
    let others = path.routes.table.as_ref().ok().copied().flatten();
    let mut others = others.iter().flat_map(|table| &table.routes);
    let alone =
        others.all(|other| other == *route || is_default(other) || lies(other) == Some(false));
    if lies(route) != Some(true) || !alone {
        return Some(elsewhere(route));
    }
    Some(match route.next_hop_type {
        NextHopType::None => Decided {
            verdict: TrafficVerdict::Blocked,
            by: None,
            why: format!("route {} for {} drops it", route.name, route.address_prefix),
        },
        NextHopType::Internet => by_internet(ctx, path, route),
        _ => elsewhere(route),
    })
}

fn is_default(route: &Route) -> bool {
    route.address_prefix.trim().ends_with("/0")
}

fn elsewhere(route: &Route) -> Decided {
    unknown(format!(
        "route {} leads {} elsewhere, and whether the host lies there, or what becomes of it, is not known",
        route.name, route.address_prefix
    ))
}

/// What carries packets that a route of the table leads to Internet.
fn by_internet(ctx: &Context<'_>, path: &Path<'_>, route: &Route) -> Decided {
    let via = Via {
        hop: Hop::Internet,
        source: RouteSource::User,
        table: path
            .used
            .subnet
            .as_ref()
            .ok()
            .and_then(|s| s.route_table_id.clone()),
        name: Some(route.name.clone()),
    };
    let default = DefaultRoute::Decided { via, split: false };
    let carrier = Carrier::of(ctx.facts, ctx.balancer, &path.used, &default);
    let way = format!(
        "route {} for {} leads it to Internet",
        route.name, route.address_prefix
    );
    let (verdict, why) = match translated(ctx.facts, ctx.balancer, &carrier) {
        Reach::Delivered => (TrafficVerdict::Allowed, format!("{way}; {}", carrier.why)),
        Reach::NoMethod => (
            TrafficVerdict::Blocked,
            format!("{way}, where nothing gives it a public IPv4 address"),
        ),
        _ => return unknown(format!("{way}; {}", carrier.why)),
    };
    Decided {
        verdict,
        by: None,
        why,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Access::{Allow, Deny};
    use crate::facts::{Facts, NextHopType};
    use crate::report::Need;
    use crate::testing::{
        denied as forbidden, firewall_routing, load_balancer, nic_nsg, nsg_id, route, route_table,
        security_rule, subnet_nsg,
    };

    fn of(facts: &Facts) -> EgressEndpoints {
        endpoints(&Context::new(facts), &[])
    }

    fn registry(facts: &Facts) -> EgressEndpointItem {
        of(facts)
            .items
            .into_iter()
            .find(|item| item.domain_name == "mcr.microsoft.com")
            .unwrap()
    }

    fn deny() -> crate::facts::SecurityRule {
        security_rule("deny", 200, Deny, "*", "Internet", "*")
    }

    #[test]
    fn r3_1_a_route_beside_a_default_that_drops_leaves_the_host_open() {
        let mut facts = load_balancer();
        let drop = || route("drop", "0.0.0.0/0", NextHopType::None, None);
        let some = || route("some", "20.0.0.0/8", NextHopType::Internet, None);
        route_table(&mut facts, vec![drop()]);
        assert_eq!(registry(&facts).verdict, TrafficVerdict::Blocked);
        route_table(&mut facts, vec![drop(), some()]);
        assert_eq!(registry(&facts).verdict, TrafficVerdict::Unknown);
    }

    #[test]
    fn r1_9_arms_list_comes_first_and_the_table_completes_it() {
        let mut facts = load_balancer();
        facts.cluster.api_server.fqdn = Some("shop.hcp.westeurope.azmk8s.io".to_owned());
        let section = of(&facts);
        assert_eq!(section.source, Some(EndpointSource::Arm));
        let names: Vec<_> = section
            .items
            .iter()
            .map(|i| i.domain_name.as_str())
            .collect();
        assert_eq!(names[0], "mcr.microsoft.com");
        assert!(names.contains(&"login.microsoftonline.com"));
        assert!(names.contains(&"shop.hcp.westeurope.azmk8s.io"));
        facts.egress_endpoints = forbidden("x");
        assert_eq!(of(&facts).source, Some(EndpointSource::Catalogue));
        facts.cluster.api_server.fqdn = None;
        assert_eq!(of(&facts).source, None);
    }

    #[test]
    fn allowed_behind_a_load_balancer() {
        for item in of(&load_balancer()).items {
            assert_eq!(
                item.verdict,
                TrafficVerdict::Allowed,
                "{}",
                item.domain_name
            );
            assert_eq!(item.by_pool.len(), 1);
            assert_eq!(item.by_pool[0].node_pools, ["system", "user"]);
        }
    }

    #[test]
    fn blocked_by_the_rule_that_is_named() {
        let mut facts = load_balancer();
        subnet_nsg(&mut facts, "nodes", vec![deny()]);
        let item = registry(&facts);
        assert_eq!(item.need, Need::Required);
        assert_eq!(item.verdict, TrafficVerdict::Blocked);
        let by = item.by_pool[0].decided_by.clone().unwrap();
        assert_eq!(by.resource_id, Some(nsg_id("nsg-nodes")));
        assert_eq!((by.rule.as_deref(), by.priority), (Some("deny"), Some(200)));
    }

    #[test]
    fn r4_30_p8_an_api_server_inside_the_network_is_judged_there() {
        let verdict = |rules: Vec<crate::facts::SecurityRule>| {
            let mut facts = load_balancer();
            facts.cluster.api_server.fqdn = Some("shop.hcp.westeurope.azmk8s.io".to_owned());
            facts.cluster.api_server.vnet_integration = Some(true);
            subnet_nsg(&mut facts, "nodes", rules);
            let mut items = of(&facts).items.into_iter();
            let item = items.find(|item| item.domain_name.starts_with("shop."));
            item.unwrap().verdict
        };
        assert_eq!(verdict(vec![]), TrafficVerdict::Allowed);
        // What is denied to the internet is not denied inside.
        assert_eq!(verdict(vec![deny()]), TrafficVerdict::Allowed);
        let part = security_rule("part", 100, Deny, "*", "10.0.9.0/28", "*");
        assert_eq!(verdict(vec![part]), TrafficVerdict::Unknown);
    }

    #[test]
    fn one_pool_of_two_is_partial() {
        let mut facts = load_balancer();
        nic_nsg(&mut facts, "user", vec![deny()]);
        let item = registry(&facts);
        assert_eq!(item.verdict, TrafficVerdict::Partial);
        assert_eq!(item.by_pool.len(), 2);
    }

    #[test]
    fn r4_16_the_registry_needs_its_front_door() {
        let mut facts = load_balancer();
        let tag = "MicrosoftContainerRegistry";
        let rules = vec![security_rule("mcr", 100, Allow, "Tcp", tag, "443"), deny()];
        subnet_nsg(&mut facts, "nodes", rules);
        assert_eq!(registry(&facts).verdict, TrafficVerdict::Blocked);
        // A host without a tag of its own: nobody knows what the allowed tag holds.
        let other = of(&facts).items.pop().unwrap();
        assert_eq!(other.verdict, TrafficVerdict::Unknown);
    }

    #[test]
    fn unknown_behind_an_appliance_or_an_unread_group() {
        assert_eq!(
            registry(&firewall_routing()).verdict,
            TrafficVerdict::Unknown
        );
        let mut facts = load_balancer();
        subnet_nsg(&mut facts, "nodes", vec![]);
        facts.nsgs.insert(nsg_id("nsg-nodes"), forbidden("x"));
        let item = registry(&facts);
        assert_eq!(item.verdict, TrafficVerdict::Unknown);
        assert!(!item.by_pool[0].why.is_empty());
        facts.agent_pools = forbidden("x");
        facts.pool_subnets.clear();
        assert_eq!(registry(&facts).verdict, TrafficVerdict::Unknown);
    }
}
