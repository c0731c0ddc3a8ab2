//! NAT102: a NAT gateway without public address.

use super::nat_gateways::{Gateway, on_pool_subnets};
use super::snt_addresses::create_beside;
use super::{Docs, Outcome, Rule, Step};
use crate::commands::Az;
use crate::context::{Address, Context, pools_label};
use crate::facts::{NatGateway, OutboundType};
use crate::report::{Finding, Method, Remediation, Severity};

/// A NAT gateway without public address.
pub(super) const RULE: Rule = Rule {
    code: "NAT102",
    slug: "no-outbound-address",
    severity: Severity::Critical,
    step: Step::OutboundMethod,
    docs: Docs {
        what: "Whether each NAT gateway on a pool subnet has at least one public IP address or prefix that exists.",
        why: "A NAT gateway on a subnet takes all of its packets to the internet, even when it has no address to send \
              them from. They are lost.",
        evidence: "The gateway, its list of addresses and prefixes, and those that Azure answers 404 for.",
        fix: "Give the gateway an address: `az aks update` for a managed one, `az network nat gateway update` otherwise.",
        how_sure: "Certain when the subnet's default route is Azure's own. Left open when a route table decides whether \
                   the gateway is used at all.",
        references: &[
            "https://learn.microsoft.com/azure/nat-gateway/nat-gateway-resource",
            "https://learn.microsoft.com/azure/nat-gateway/troubleshoot-nat",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    let gateways = on_pool_subnets(ctx);
    let mut outcome = Outcome::passed();
    outcome.missing.extend(ctx.subnets.missing());
    if gateways.is_empty() && !outcome.is_open() {
        return Outcome::not_applicable("no pool subnet has a NAT gateway");
    }
    for gateway in &gateways {
        match &gateway.body {
            Err(missing) => outcome.missing.push(missing.clone()),
            Ok(body) => outcome.absorb(judge(ctx, gateway, body)),
        }
    }
    outcome
}

fn judge(ctx: &Context<'_>, gateway: &Gateway<'_, '_>, body: &NatGateway) -> Outcome {
    let addresses = ctx.balancer.of_gateway(body);
    if addresses.iter().any(Address::carries_ipv4) {
        return Outcome::passed();
    }
    let unread = addresses.iter().find_map(|a| match a {
        Address::Unread(missing) => Some(missing.clone()),
        _ => None,
    });
    if let Some(missing) = unread {
        return Outcome::missing(missing);
    }
    if gateway
        .uses
        .iter()
        .any(|(_, carrier)| carrier.method == Method::NatGateway)
    {
        return Outcome::found(finding(ctx, gateway, body, &addresses));
    }
    Outcome::undecided(format!(
        "NAT gateway {} has no public address, and it is not known whether the subnet's packets reach it",
        gateway.id.name()
    ))
}

fn finding(
    ctx: &Context<'_>,
    gateway: &Gateway<'_, '_>,
    body: &NatGateway,
    addresses: &[Address],
) -> Finding {
    let pools = gateway.pools();
    let alive = |address: &Address| matches!(address, Address::Alive { .. });
    let what = if addresses.iter().any(alive) {
        "IPv4 address"
    } else {
        "address"
    };
    let mut found = RULE
        .finding(format!("NAT gateway {} has no public {what}: {} cannot reach the internet", gateway.id.name(), pools_label(&pools)))
        .explain("The gateway takes the subnet's packets to the internet and has no address to send them from.")
        .evidence(format!("public {what}es and prefixes that exist"), Some(&body.id), Some("0".to_owned()))
        .pools(pools.iter().copied())
        .resource(&body.id);
    for address in addresses {
        if let Address::Gone(id) = address {
            found = found.evidence("named by the gateway; Azure answers 404", Some(id), None);
        }
    }
    found.fix(fix(ctx, body))
}

fn fix(ctx: &Context<'_>, body: &NatGateway) -> Remediation {
    let managed = ctx
        .outbound_type()
        .is_some_and(|t| t.is_nat_gateway() && *t != OutboundType::UserAssignedNatGateway);
    if managed {
        return Remediation::new("Let AKS give its managed NAT gateway an address")
            .command(ctx.az_aks("update").number("--nat-gateway-managed-outbound-ip-count", 1).build())
            .side_effect("The egress address is new: authorized IP ranges and allow-lists elsewhere must follow");
    }
    let name = format!("{}-ip", body.id.name());
    let sku = body.sku.as_deref().unwrap_or("Standard");
    Remediation::new("Create a public IP address and give it to the gateway")
        .command(
            create_beside(ctx, "network public-ip create", &body.id, &name)
                .opt("--sku", sku)
                .build(),
        )
        .command(
            Az::beside("network nat gateway update", &body.id)
                .opt("--name", body.id.name())
                .opt("--public-ip-addresses", &name)
                .build(),
        )
        .side_effect(
            "The egress address is new: authorized IP ranges and allow-lists elsewhere must follow",
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Datum;
    use crate::testing::{
        codes, denied, load_balancer, nat_gateway, nat_id, nat_mut, outcome, public_ip_id,
        with_firewall_route,
    };

    #[test]
    fn r2_28_fires() {
        let mut facts = nat_gateway();
        nat_mut(&mut facts, "ng1").public_ips.clear();
        let found = outcome(&RULE, &facts);
        assert_eq!(codes(&found), ["NAT102"]);
        assert!(found.findings[0].blocks_egress);
        assert_eq!(found.findings[0].affected.node_pools, ["system", "user"]);
    }

    #[test]
    fn fires_when_the_only_address_is_gone() {
        let mut facts = nat_gateway();
        facts
            .public_ips
            .insert(public_ip_id("nat-1"), Datum::Absent);
        assert_eq!(codes(&outcome(&RULE, &facts)), ["NAT102"]);
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(outcome(&RULE, &nat_gateway()), Outcome::passed());
        assert!(outcome(&RULE, &load_balancer()).not_applicable.is_some());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = nat_gateway();
        facts
            .nat_gateways
            .insert(nat_id("ng1"), denied("Microsoft.Network/natGateways/read"));
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty());
        assert_eq!(open.missing[0].what, "NAT gateway ng1");
        let mut facts = with_firewall_route(nat_gateway());
        nat_mut(&mut facts, "ng1").public_ips.clear();
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty() && open.is_open());
    }

    #[test]
    fn r2_28_fires_when_the_only_address_is_of_ipv6() {
        let mut facts = nat_gateway();
        let id = public_ip_id("nat-1");
        if let Some(Datum::Known(ip)) = facts.public_ips.get_mut(&id) {
            ip.version = Some("IPv6".to_owned());
        }
        let found = outcome(&RULE, &facts);
        assert_eq!(codes(&found), ["NAT102"]);
        assert!(found.findings[0].title.contains("IPv4 address"));
    }
}
