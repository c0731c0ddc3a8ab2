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

/// The frontend that carries a public IP; AKS names both alike.
pub(super) fn frontend_id(plan: &Plan, public_ip: &str) -> String {
    format!(
        "{}/frontendIPConfigurations/{public_ip}",
        plan.load_balancer_id()
    )
}

/// The backend pools that node NICs are members of.
pub(super) fn backend_pool_ids(plan: &Plan) -> Vec<String> {
    let Some(balancer) = &plan.load_balancer else {
        return Vec::new();
    };
    let mut names = vec!["kubernetes"];
    if balancer.outbound_rule {
        names.push(OUTBOUND_POOL);
    }
    names
        .into_iter()
        .map(|name| format!("{}/backendAddressPools/{name}", plan.load_balancer_id()))
        .collect()
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
    // An address can only be deleted once no frontend uses it, and a rule needs a frontend.
    let ips: Vec<String> = balancer
        .ips
        .iter()
        .filter(|name| !plan.is_deleted("public_ips", name))
        .cloned()
        .collect();
    let outbound_rule = balancer.outbound_rule && !basic && !ips.is_empty();
    let outbound_rule_id = format!("{own}/outboundRules/aksOutboundRule");
    let ids = plan.references("load_balancer.ips", "public_ips", &ips)?;
    let mut frontends = Vec::new();
    for (name, ip) in ips.iter().zip(&ids) {
        let mut properties = json!({
            "privateIPAllocationMethod": "Dynamic",
            "publicIPAddress": { "id": ip },
        });
        if outbound_rule {
            properties["outboundRules"] = json!([{ "id": outbound_rule_id }]);
        }
        frontends.push(child(
            &own,
            "frontendIPConfigurations",
            KIND,
            name,
            properties,
        ));
    }
    frontends.extend(by_hand(plan, balancer, &own)?);
    let frontend_ids: Vec<String> = ips.iter().map(|name| frontend_id(plan, name)).collect();
    let members = refs(&super::compute::all_ip_configurations(plan));
    let pools: Vec<Value> = backend_pool_ids(plan)
        .iter()
        .filter_map(|id| id.rsplit('/').next())
        .map(|name| {
            let mut properties =
                json!({ "backendIPConfigurations": members, "loadBalancerBackendAddresses": [] });
            if outbound_rule && name == OUTBOUND_POOL {
                properties["outboundRules"] = json!([{ "id": outbound_rule_id }]);
            }
            child(&own, "backendAddressPools", KIND, name, properties)
        })
        .collect();
    let foreign = balancer.outbound_rules.iter().map(|rule| {
        let frontends: Vec<String> = rule
            .ips
            .iter()
            .map(|name| frontend_id(plan, name))
            .collect();
        outbound_rule_body(&own, &rule.name, rule.ports, 30, &frontends)
    });
    let outbound_rules: Vec<Value> = outbound_rule
        .then(|| {
            let (ports, idle) = (balancer.ports, balancer.idle_minutes);
            outbound_rule_body(&own, "aksOutboundRule", ports, idle, &frontend_ids)
        })
        .into_iter()
        .chain(foreign)
        .collect();
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

fn outbound_rule_body(
    own: &str,
    name: &str,
    ports: u32,
    idle_minutes: u32,
    frontend_ids: &[String],
) -> Value {
    child(
        own,
        "outboundRules",
        KIND,
        name,
        json!({
            "allocatedOutboundPorts": ports,
            "allocationPolicy": { "onDemandAllocation": "Disabled", "portReuse": "Disabled" },
            "protocol": "All",
            "enableTcpReset": true,
            "idleTimeoutInMinutes": idle_minutes,
            "backendAddressPool": { "id": format!("{own}/backendAddressPools/{OUTBOUND_POOL}") },
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
