//! The AKS load balancer `kubernetes`.

use serde_json::{Value, json};

use super::{
    Resource,
    names::guid,
    network::{child, refs, resource},
    plan::Plan,
};
use crate::{Error, scenario::LoadBalancer};

const KIND: &str = "Microsoft.Network/loadBalancers";
const OUTBOUND_POOL: &str = "aksOutboundBackendPool";
const OUTBOUND_RULE: &str = "aksOutboundRule";

/// The frontend that carries a public IP; AKS names both alike.
pub(super) fn frontend_id(plan: &Plan, public_ip: &str) -> String {
    format!(
        "{}/frontendIPConfigurations/{public_ip}",
        plan.load_balancer_id()
    )
}

/// The IP version of backend pools, outbound rules and members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    V4,
    V6,
}

impl Version {
    /// What AKS appends to the names of IPv6 parts.
    fn suffix(self) -> &'static str {
        match self {
            Self::V4 => "",
            Self::V6 => "-ipv6",
        }
    }

    /// The versions of a cluster.
    pub(super) fn of(plan: &Plan) -> &'static [Self] {
        if plan.dual_stack() {
            &[Self::V4, Self::V6]
        } else {
            &[Self::V4]
        }
    }
}

/// The backend pools that the node NICs' configurations of this version are members of.
pub(super) fn backend_pool_ids(plan: &Plan, version: Version) -> Vec<String> {
    let Some(balancer) = &plan.load_balancer else {
        return Vec::new();
    };
    let mut names = vec!["kubernetes"];
    if balancer.outbound_rule {
        names.push(OUTBOUND_POOL);
    }
    let own = plan.load_balancer_id();
    names
        .into_iter()
        .map(|name| format!("{own}/backendAddressPools/{name}{}", version.suffix()))
        .collect()
}

/// A public frontend of the load balancer.
struct Frontend<'p> {
    name: &'p str,
    /// `publicIPAddress` or `publicIPPrefix`.
    field: &'static str,
    address: String,
    version: Version,
}

/// The frontends of outbound rules. An address can only be deleted once no frontend uses it.
fn frontends<'p>(plan: &Plan, balancer: &'p LoadBalancer) -> Result<Vec<Frontend<'p>>, Error> {
    let mut all = Vec::new();
    let sections = [
        ("public_ips", "publicIPAddress", &balancer.ips),
        ("public_ip_prefixes", "publicIPPrefix", &balancer.prefixes),
    ];
    for (section, field, names) in sections {
        for name in names {
            if plan.is_deleted(section, name) {
                continue;
            }
            let ip = plan.scenario.public_ips.get(name);
            let version = if section == "public_ips" && ip.is_some_and(|ip| ip.ipv6) {
                Version::V6
            } else {
                Version::V4
            };
            let key = match section {
                "public_ips" => "load_balancer.ips",
                _ => "load_balancer.prefixes",
            };
            let address = plan.reference(key, &format!("{section}/{name}"))?;
            all.push(Frontend {
                name,
                field,
                address,
                version,
            });
        }
    }
    Ok(all)
}

pub(super) fn expand(plan: &Plan, out: &mut Vec<Resource>) -> Result<(), Error> {
    let Some(balancer) = &plan.load_balancer else {
        return Ok(());
    };
    let own = plan.load_balancer_id();
    let basic = plan
        .scenario
        .cluster
        .load_balancer_sku
        .eq_ignore_ascii_case("basic");
    let addressed = frontends(plan, balancer)?;
    let rule_id =
        |version: Version| format!("{own}/outboundRules/{OUTBOUND_RULE}{}", version.suffix());
    let of = |version: Version| -> Vec<String> {
        let own = addressed.iter().filter(|it| it.version == version);
        own.map(|it| frontend_id(plan, it.name)).collect()
    };
    // A rule needs a frontend.
    let has_rule = |version| balancer.outbound_rule && !basic && !of(version).is_empty();
    let mut frontends = Vec::new();
    for frontend in &addressed {
        let mut properties = json!({ "privateIPAllocationMethod": "Dynamic" });
        properties[frontend.field] = json!({ "id": frontend.address });
        if has_rule(frontend.version) {
            properties["outboundRules"] = json!([{ "id": rule_id(frontend.version) }]);
        }
        frontends.push(child(
            &own,
            "frontendIPConfigurations",
            KIND,
            frontend.name,
            properties,
        ));
    }
    frontends.extend(by_hand(plan, balancer, &own)?);
    let mut pools = Vec::new();
    let mut outbound_rules = Vec::new();
    for version in Version::of(plan) {
        let members = refs(&super::compute::all_ip_configurations(plan, *version));
        for id in backend_pool_ids(plan, *version) {
            let name = id.rsplit('/').next().unwrap_or_default();
            let mut properties =
                json!({ "backendIPConfigurations": members, "loadBalancerBackendAddresses": [] });
            if has_rule(*version) && name.starts_with(OUTBOUND_POOL) {
                properties["outboundRules"] = json!([{ "id": rule_id(*version) }]);
            }
            pools.push(child(&own, "backendAddressPools", KIND, name, properties));
        }
        if has_rule(*version) {
            let shape = OutboundRuleShape {
                name: &format!("{OUTBOUND_RULE}{}", version.suffix()),
                ports: balancer.ports,
                idle_minutes: balancer.idle_minutes,
                version: *version,
            };
            outbound_rules.push(outbound_rule_body(&own, &shape, &of(*version)));
        }
    }
    for rule in &balancer.outbound_rules {
        let frontends: Vec<String> = rule.ips.iter().map(|ip| frontend_id(plan, ip)).collect();
        let shape = OutboundRuleShape {
            name: &rule.name,
            ports: rule.ports,
            idle_minutes: 30,
            version: Version::V4,
        };
        outbound_rules.push(outbound_rule_body(&own, &shape, &frontends));
    }
    let frontend_ids = of(Version::V4);
    let rules: Vec<Value> = balancer
        .services
        .iter()
        .filter_map(|port| Some(service_rule(&own, *port, frontend_ids.first()?)))
        .collect();
    let mut balancer_resource = resource(
        plan,
        &plan.node_group,
        KIND,
        "kubernetes",
        json!({
            "frontendIPConfigurations": frontends,
            "backendAddressPools": pools,
            "loadBalancingRules": rules,
            "probes": [],
            "inboundNatRules": [],
            "outboundRules": outbound_rules,
            "inboundNatPools": [],
        }),
    );
    let sku = if basic { "Basic" } else { "Standard" };
    balancer_resource.body["sku"] = json!({ "name": sku, "tier": "Regional" });
    out.push(balancer_resource);
    Ok(())
}

/// Frontends of outbound rules that somebody made by hand.
fn by_hand(plan: &Plan, balancer: &LoadBalancer, own: &str) -> Result<Vec<Value>, Error> {
    let mut frontends = Vec::new();
    for rule in &balancer.outbound_rules {
        let ids = plan.references("load_balancer.outbound_rules", "public_ips", &rule.ips)?;
        for (name, ip) in rule.ips.iter().zip(&ids) {
            let properties = json!({
                "privateIPAllocationMethod": "Dynamic",
                "publicIPAddress": { "id": ip },
                "outboundRules": [{ "id": format!("{own}/outboundRules/{}", rule.name) }],
            });
            let kind = "frontendIPConfigurations";
            frontends.push(child(own, kind, KIND, name, properties));
        }
    }
    Ok(frontends)
}

/// An outbound rule's name, ports, idle minutes and IP version.
struct OutboundRuleShape<'r> {
    name: &'r str,
    ports: u32,
    idle_minutes: u32,
    version: Version,
}

fn outbound_rule_body(own: &str, rule: &OutboundRuleShape<'_>, frontend_ids: &[String]) -> Value {
    let suffix = rule.version.suffix();
    child(
        own,
        "outboundRules",
        KIND,
        rule.name,
        json!({
            "allocatedOutboundPorts": rule.ports,
            "allocationPolicy": { "onDemandAllocation": "Disabled", "portReuse": "Disabled" },
            "protocol": "All",
            "enableTcpReset": true,
            "idleTimeoutInMinutes": rule.idle_minutes,
            "backendAddressPool": { "id": format!("{own}/backendAddressPools/{OUTBOUND_POOL}{suffix}") },
            "frontendIPConfigurations": refs(frontend_ids),
        }),
    )
}

/// The rule of a public Service, as the cloud provider of Kubernetes writes it.
fn service_rule(own: &str, port: u16, frontend: &str) -> Value {
    let name = format!(
        "a{}-TCP-{port}",
        guid(&format!("{own}{port}")).replace('-', "")
    );
    child(
        own,
        "loadBalancingRules",
        KIND,
        &name,
        json!({
            "frontendIPConfiguration": { "id": frontend },
            "backendAddressPool": { "id": format!("{own}/backendAddressPools/kubernetes") },
            "protocol": "Tcp",
            "frontendPort": port,
            "backendPort": port,
            "enableFloatingIP": true,
            "idleTimeoutInMinutes": 4,
            "enableTcpReset": true,
            "disableOutboundSnat": true,
        }),
    )
}
