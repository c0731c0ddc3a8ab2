//! NAT101: a pool subnet without NAT gateway although the outbound type promises one.

use super::routing::{NAT_GATEWAY, only_for};
use super::snt_addresses::create_beside;
use super::{Docs, Outcome, Rule, Step};
use crate::commands::Az;
use crate::context::{Context, SubnetUse, pools_label};
use crate::facts::{Id, OutboundType, Subnet};
use crate::path::Carrier;
use crate::report::{Confidence, Finding, Method, Remediation, Scope, Severity};

/// A pool subnet without NAT gateway although the outbound type promises one.
pub(super) const RULE: Rule = Rule {
    code: "NAT101",
    slug: "subnet-not-associated",
    severity: Severity::Critical,
    step: Step::OutboundMethod,
    docs: Docs {
        what: "For the NAT gateway outbound types: whether each node subnet has a NAT gateway. A pod subnet whose node \
               subnet lacks one too is reported here; one whose node subnet has it is NAT105.",
        why: "AKS prepares nothing else for these types: no outbound rule, no node addresses. Pools in a subnet without \
              the gateway have no way out.",
        evidence: "The subnet, whose `natGateway` is empty, and what carries its packets instead, if anything.",
        fix: "Associate the NAT gateway that the other subnets use, or create one, with `az network vnet subnet update`. \
              The managed type is put right by AKS itself with `az aks update`.",
        how_sure: "Certain about the missing association. Critical when nothing else carries the packets; high when \
                   another method does, or when a route table with routes of its own may lead them elsewhere.",
        references: &[
            "https://learn.microsoft.com/azure/aks/nat-gateway",
            "https://learn.microsoft.com/azure/nat-gateway/troubleshoot-nat-connectivity",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    if let Some(outcome) = only_for(
        ctx,
        &NAT_GATEWAY,
        "the outbound type promises no NAT gateway",
    ) {
        return outcome;
    }
    let mut outcome = Outcome::passed();
    outcome.missing.extend(ctx.subnets.missing());
    for (used, carrier) in ctx.carried() {
        let Ok(subnet) = &used.subnet else { continue };
        if subnet.nat_gateway_id.is_some() || node_subnet_has_gateway(ctx, used) {
            continue;
        }
        outcome.missing.extend(carrier.missing.clone());
        outcome.findings.push(finding(ctx, used, subnet, carrier));
    }
    outcome
}

/// For a pod subnet: whether a node subnet of its pools has a gateway, which makes it NAT105's business.
fn node_subnet_has_gateway(ctx: &Context<'_>, used: &SubnetUse<'_>) -> bool {
    used.scope == Scope::Pod
        && ctx.subnets.readable().any(|(other, subnet)| {
            other.scope == Scope::Node
                && subnet.nat_gateway_id.is_some()
                && other.pools.iter().any(|pool| used.pools.contains(pool))
        })
}

fn finding(ctx: &Context<'_>, used: &SubnetUse<'_>, subnet: &Subnet, carrier: &Carrier) -> Finding {
    let label = used.label();
    let (severity, confidence, instead) = judge(carrier);
    let title = match severity {
        Severity::Critical => format!(
            "{} cannot reach the internet: {label} has no NAT gateway",
            super::out106::capital(&used.pools_label())
        ),
        _ => format!(
            "{} has no NAT gateway; {instead}",
            super::out106::capital(&label)
        ),
    };
    let declared = ctx.outbound_type().map_or("", OutboundType::as_str);
    let mut found = RULE
        .finding(title)
        .severity(severity)
        .confidence(confidence)
        .explain(format!(
            "Outbound type {declared} promises a NAT gateway on every pool subnet. The one of {} has none: {instead}.",
            pools_label(&used.pools)
        ))
        .evidence("natGateway of the subnet", Some(&subnet.id), Some("none".to_owned()))
        .pools(used.pools.iter().copied())
        .resource(&subnet.id);
    for fix in fixes(ctx, subnet) {
        found = found.fix(fix);
    }
    found
}

/// Severity, confidence, and what becomes of the packets.
fn judge(carrier: &Carrier) -> (Severity, Confidence, String) {
    match carrier.method {
        Method::InstancePublicIp => (
            Severity::High,
            Confidence::Certain,
            "its nodes leave by public addresses of their own".to_owned(),
        ),
        Method::LoadBalancer => (
            Severity::High,
            Confidence::Certain,
            "its packets leave by the load balancer's outbound rule".to_owned(),
        ),
        Method::DefaultOutboundAccess => (
            Severity::High,
            Confidence::Certain,
            "its packets leave by Azure's default outbound access, which is unsupported and changes its address".to_owned(),
        ),
        Method::None => (
            Severity::Critical,
            Confidence::Certain,
            "nothing else carries its packets".to_owned(),
        ),
        Method::VirtualAppliance | Method::AzureFirewall | Method::VirtualNetworkGateway => (
            Severity::High,
            Confidence::Certain,
            format!("{}, which carries its packets", carrier.why),
        ),
        Method::Unknown if carrier.missing.is_none() => (
            Severity::High,
            Confidence::Likely,
            format!("what carries its packets is not known: {}", carrier.why),
        ),
        Method::NatGateway | Method::Unknown => (
            Severity::Critical,
            Confidence::Likely,
            "whether anything else carries its packets could not be read".to_owned(),
        ),
    }
}

/// Ways to give a subnet its NAT gateway.
pub(super) fn fixes(ctx: &Context<'_>, subnet: &Subnet) -> Vec<Remediation> {
    let managed = ctx.outbound_type() != Some(&OutboundType::UserAssignedNatGateway);
    let mut fixes = Vec::new();
    if managed {
        fixes.push(
            Remediation::new("Let AKS put its managed NAT gateway back")
                .command(ctx.az_aks("update").build())
                .side_effect("AKS applies its own settings again; edits made by hand in the node resource group are lost"),
        );
    }
    if !managed || sibling(ctx, subnet).is_some() {
        fixes.push(give_gateway(ctx, subnet));
    }
    fixes
}

/// The NAT gateway of another pool subnet of the same network.
fn sibling<'f>(ctx: &Context<'f>, subnet: &Subnet) -> Option<&'f Id> {
    let network = subnet.id.parent();
    ctx.subnets
        .readable()
        .filter(|(used, _)| used.id.parent() == network)
        .find_map(|(_, other)| other.nat_gateway_id.as_ref())
}

/// Gives a subnet the NAT gateway of another pool subnet of the network, else a new one.
pub(super) fn give_gateway(ctx: &Context<'_>, subnet: &Subnet) -> Remediation {
    let base = |summary: &str| {
        Remediation::new(summary)
            .side_effect(
                "New connections leave by the NAT gateway's address at once; open ones keep theirs",
            )
            .side_effect(
                "Authorized IP ranges and allow-lists elsewhere must know that address first",
            )
            .undo(format!(
                "{} --remove natGateway",
                subnet_update(&subnet.id).build()
            ))
    };
    match sibling(ctx, subnet) {
        Some(gateway) => base(&format!(
            "Associate NAT gateway {} with the subnet",
            gateway.name()
        ))
        .command(
            subnet_update(&subnet.id)
                .opt("--nat-gateway", gateway.as_str())
                .build(),
        ),
        None => create(ctx, subnet, base("Create a NAT gateway and associate it")),
    }
}

fn create(ctx: &Context<'_>, subnet: &Subnet, fix: Remediation) -> Remediation {
    let cluster = ctx.cluster();
    let (ip, gateway) = (
        format!("{}-egress-ip", cluster.name),
        format!("{}-egress", cluster.name),
    );
    let az = |verb: &str, name: &str| create_beside(ctx, verb, &subnet.id, name);
    fix.command(
        az("network public-ip create", &ip)
            .opt("--sku", "Standard")
            .build(),
    )
    .command(
        az("network nat gateway create", &gateway)
            .opt("--public-ip-addresses", &ip)
            .build(),
    )
    .command(
        subnet_update(&subnet.id)
            .opt("--nat-gateway", &gateway)
            .build(),
    )
}

/// `az network vnet subnet update` on this subnet.
pub(super) fn subnet_update(id: &Id) -> Az {
    Az::new("network vnet subnet update").opt("--ids", id.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{
        codes, denied, load_balancer, nat_gateway, outcome, subnet_id, subnet_mut,
    };

    fn without_gateway(private: bool) -> crate::facts::Facts {
        let mut facts = nat_gateway();
        let subnet = subnet_mut(&mut facts, "user");
        subnet.nat_gateway_id = None;
        subnet.default_outbound_access = Some(!private);
        facts
    }

    #[test]
    fn r2_27_fires() {
        let found = outcome(&RULE, &without_gateway(true));
        assert_eq!(codes(&found), ["NAT101"]);
        let finding = &found.findings[0];
        assert_eq!(finding.severity, Severity::Critical);
        assert!(finding.blocks_egress);
        assert_eq!(finding.affected.node_pools, ["user"]);
        assert_eq!(
            finding.remediation[0].commands[0],
            format!(
                "az network vnet subnet update --ids {} --nat-gateway {}",
                subnet_id("user"),
                crate::testing::nat_id("ng1")
            )
        );
    }

    #[test]
    fn r2_27_is_high_when_another_method_carries_it() {
        let found = outcome(&RULE, &without_gateway(false));
        assert_eq!(found.findings[0].severity, Severity::High);
        assert!(found.findings[0].title.contains("default outbound access"));
        assert!(!found.findings[0].blocks_egress);
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(outcome(&RULE, &nat_gateway()), Outcome::passed());
        assert!(outcome(&RULE, &load_balancer()).not_applicable.is_some());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = nat_gateway();
        facts.subnets.insert(
            subnet_id("user"),
            denied("Microsoft.Network/virtualNetworks/subnets/read"),
        );
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty());
        assert_eq!(open.missing.len(), 1);
    }
}
