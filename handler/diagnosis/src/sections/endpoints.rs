//! `egressEndpoints`: what this cluster needs (R1.9), and what becomes of its packets on the way.

use crate::context::Context;
use crate::endpoints::{Protocol, RequiredEndpoint, View, required};
use crate::facts::{Direction, Features};
use crate::network::nsg::{FlowClass, RuleName};
use crate::network::routes::Hop;
use crate::network::{self, AddressSet, PortSet};
use crate::path::Path;
use crate::report::{
    DecidedBy, EgressEndpointItem, EgressEndpoints, EndpointSource, Method, PoolVerdict,
    TrafficVerdict,
};
use crate::security::{self, ApiServer, Guard, Service, Standing};

/// The endpoints with a verdict for each pool.
pub(crate) fn endpoints(ctx: &Context<'_>) -> EgressEndpoints {
    let needed = required(&View::of(ctx.facts, &Features::default())).endpoints;
    let listed = ctx.facts.egress_endpoints.as_known().is_some();
    let source = if listed {
        Some(EndpointSource::Arm)
    } else {
        (!needed.is_empty()).then_some(EndpointSource::Catalogue)
    };
    let guards = Guard::all(ctx);
    EgressEndpoints {
        source,
        items: needed
            .into_iter()
            .map(|endpoint| item(ctx, &guards, endpoint))
            .collect(),
    }
}

fn item(
    ctx: &Context<'_>,
    guards: &[Guard<'_, '_>],
    endpoint: RequiredEndpoint,
) -> EgressEndpointItem {
    let mut by_pool: Vec<PoolVerdict> = Vec::new();
    for guard in guards {
        let new = judge(ctx, guard, &endpoint);
        let same = by_pool.iter_mut().find(|old| {
            (old.verdict, &old.decided_by, &old.why) == (new.verdict, &new.decided_by, &new.why)
        });
        match same {
            Some(old) => {
                old.node_pools.extend(new.node_pools);
                old.node_pools.sort();
                old.node_pools.dedup();
            }
            None => by_pool.push(new),
        }
    }
    let complete = ctx.subnets.unresolved.is_empty() && ctx.subnets.missing().next().is_none();
    EgressEndpointItem {
        category: endpoint.category,
        domain_name: endpoint.domain_name,
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

/// Security groups first, then the route and what carries the packet.
fn judge(ctx: &Context<'_>, guard: &Guard<'_, '_>, endpoint: &RequiredEndpoint) -> PoolVerdict {
    let decided = match (endpoint.port, endpoint.protocol) {
        (Some(port), Some(protocol)) => {
            let protocol = match protocol {
                Protocol::Udp => network::Protocol::Udp,
                Protocol::Https | Protocol::Http | Protocol::Tcp => network::Protocol::Tcp,
            };
            by_rules(ctx, guard, endpoint, (protocol, port)).unwrap_or_else(|| by_path(guard.path))
        }
        _ => unknown("its port or protocol is not known"),
    };
    PoolVerdict {
        node_pools: guard.pools().map(str::to_owned).collect(),
        verdict: decided.verdict,
        decided_by: decided.by,
        why: decided.why,
    }
}

/// What the security groups decide; `None` when they let it pass.
fn by_rules(
    ctx: &Context<'_>,
    guard: &Guard<'_, '_>,
    endpoint: &RequiredEndpoint,
    flow: (network::Protocol, u16),
) -> Option<Decided> {
    let services = services(&endpoint.category, &endpoint.domain_name);
    if services == [Service::ApiServer] && security::api_server(ctx) != ApiServer::Public {
        return Some(unknown(
            "the API server is reached inside the network, not over the internet",
        ));
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
                let first = blocks.into_iter().next()?;
                return Some(denied(&first.rule));
            }
            Standing::Unknown(why) => open = open.or_else(|| Some(unknown(reason(&why)))),
        }
    }
    open
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
            open = Some(unknown(
                "a rule decides whose contents are not known, or a security group could not be read",
            ));
        } else if !dropped.is_empty() {
            open = Some(unknown(
                "rules deny part of the internet, and the host's addresses are not known",
            ));
        }
    }
    open
}

fn reason(why: &[String]) -> String {
    why.first().map_or_else(
        || "a security group could not be read".to_owned(),
        Clone::clone,
    )
}

fn denied(rule: &RuleName) -> Decided {
    let group = rule.nsg.as_ref().map_or("", |id| id.name());
    Decided {
        verdict: TrafficVerdict::Blocked,
        why: format!(
            "rule {} of network security group {group} denies it",
            rule.rule
        ),
        by: Some(DecidedBy {
            resource_id: rule.nsg.clone(),
            rule: Some(rule.rule.clone()),
            priority: rule.priority,
        }),
    }
}

/// The services behind a host, as far as a service tag stands for them (R4.33).
pub(crate) fn services(category: &str, host: &str) -> &'static [Service] {
    let is = |name: &str| category.eq_ignore_ascii_case(name);
    if is("apiserver") || is("tunnel-classic") {
        return &[Service::ApiServer];
    }
    match host {
        "mcr.microsoft.com" | "*.data.mcr.microsoft.com" => {
            &[Service::Registry, Service::FrontDoor]
        }
        "management.azure.com" | "management.chinacloudapi.cn" | "management.usgovcloudapi.net" => {
            &[Service::ResourceManager]
        }
        "login.microsoftonline.com" | "login.chinacloudapi.cn" | "login.microsoftonline.us" => {
            &[Service::Identity]
        }
        _ => &[],
    }
}

/// What the route and the outbound method make of a packet that the security groups let pass.
fn by_path(path: &Path<'_>) -> Decided {
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
    if let Some(route) = path.routes.diversions().first() {
        return unknown(format!(
            "route {} leads {} elsewhere, and the host's addresses are not known",
            route.name, route.address_prefix
        ));
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
            unknown("the next hop has rules of its own, which are not evaluated here")
        }
        Method::NatGateway => match path.internet.reach {
            crate::path::Reach::NoMethod => Decided {
                verdict: TrafficVerdict::Blocked,
                by,
                why: "the NAT gateway has no public address".to_owned(),
            },
            crate::path::Reach::Delivered => allowed(&carrier.why),
            _ => unknown("whether the NAT gateway carries it is not known"),
        },
        Method::LoadBalancer | Method::InstancePublicIp | Method::DefaultOutboundAccess => {
            allowed(&carrier.why)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Access::{Allow, Deny};
    use crate::facts::Facts;
    use crate::report::Need;
    use crate::testing::{
        denied as forbidden, firewall_routing, load_balancer, nic_nsg, nsg_id, security_rule,
        subnet_nsg,
    };

    fn of(facts: &Facts) -> EgressEndpoints {
        endpoints(&Context::new(facts))
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
