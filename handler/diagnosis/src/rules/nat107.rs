//! NAT107: a zonal NAT gateway for nodes in other zones.

use super::nat_gateways::{Gateway, on_pool_subnets};
use super::nat101::subnet_update;
use super::snt_addresses::create_beside;
use super::{Docs, Outcome, Rule, Step};
use crate::context::Context;
use crate::facts::{AgentPool, Id, NatGateway, OutboundType};
use crate::order::Order as _;
use crate::report::{Finding, Remediation, Severity};

/// A zonal NAT gateway for nodes in other zones.
pub(super) const RULE: Rule = Rule {
    code: "NAT107",
    slug: "zone-mismatch",
    severity: Severity::Medium,
    step: Step::OutboundMethod,
    docs: Docs {
        what: "Whether a NAT gateway of SKU Standard that is pinned to a zone serves pools with nodes in other zones, or \
               pools that span several zones.",
        why: "When the gateway's zone fails, nodes in the healthy zones lose egress with it.",
        evidence: "The gateway's zone and each pool's zones.",
        fix: "Use a StandardV2 NAT gateway, which spans zones, or one zonal gateway and subnet per zone.",
        how_sure: "Certain about the zones. It is a risk, not a fault: traffic flows while the zone is well.",
        references: &[
            "https://learn.microsoft.com/azure/nat-gateway/nat-availability-zones",
            "https://learn.microsoft.com/azure/reliability/reliability-nat-gateway",
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
    let pools = match ctx.pools() {
        Ok(pools) => pools,
        Err(missing) => return Outcome::missing(missing),
    };
    for gateway in &gateways {
        match &gateway.body {
            Err(missing) => outcome.missing.push(missing.clone()),
            Ok(body) => outcome.findings.extend(judge(ctx, gateway, body, pools)),
        }
    }
    outcome
}

fn judge(
    ctx: &Context<'_>,
    gateway: &Gateway<'_, '_>,
    body: &NatGateway,
    pools: &[AgentPool],
) -> Option<Finding> {
    let zonal = !body.zones.is_empty()
        && !body
            .sku
            .as_deref()
            .is_some_and(|sku| sku.eq_ignore_ascii_case("StandardV2"));
    let behind = gateway.pools();
    let strays: Vec<&AgentPool> = pools
        .iter()
        .filter(|pool| behind.contains(&pool.name.as_str()))
        .filter(|pool| pool.zones.iter().any(|zone| !body.zones.contains(zone)))
        .collect();
    if !zonal || strays.is_empty() {
        return None;
    }
    let names: Vec<&str> = strays.iter().map(|pool| pool.name.as_str()).collect();
    let zones = body.zones.join(", ");
    let mut found = RULE
        .finding(format!(
            "NAT gateway {} is in zone {zones} only, {} in {}",
            gateway.id.name(),
            crate::context::pools_label(&names),
            spread(&strays)
        ))
        .explain("When the gateway's zone fails, nodes in the healthy zones lose egress with it.")
        .evidence("zones of the NAT gateway", Some(&body.id), Some(zones))
        .pools(names)
        .resource(&body.id);
    for pool in strays {
        let text = format!("zones of node pool {}", pool.name);
        found = found.evidence(text, None, Some(pool.zones.join(", ")));
    }
    Some(found.fix(fix(ctx, gateway, body)))
}

/// A StandardV2 gateway in place of this one: no gateway changes its SKU in place (R1.46). AKS moves its own.
fn fix(ctx: &Context<'_>, gateway: &Gateway<'_, '_>, body: &NatGateway) -> Remediation {
    let fix = |summary: &str| {
        Remediation::new(summary)
            .side_effect("The egress address changes: authorized IP ranges and allow-lists elsewhere must know the new one first")
            .side_effect("New connections leave by the new address at once; open ones may break")
            .side_effect("StandardV2 is not there in every region, and no way leads back to Standard but a new gateway")
    };
    let managed = ctx.outbound_type().is_some_and(|declared| {
        declared.is_nat_gateway() && *declared != OutboundType::UserAssignedNatGateway
    });
    if managed {
        let update = ctx
            .az_aks("update")
            .opt("--outbound-type", "managedNATGateway")
            .opt("--outbound-type-sku", "StandardV2");
        return fix("Let AKS replace its gateway by a StandardV2 one, which spans zones (Azure CLI 2.91 or newer)")
            .command(update.build());
    }
    let names = [
        format!("{}-v2-ip", body.id.name()),
        format!("{}-v2", body.id.name()),
    ];
    let [address, new] = &names;
    let create = |verb: &str, name: &str| {
        create_beside(ctx, verb, &body.id, name).opt("--sku", "StandardV2")
    };
    let new_id = body.id.beside("Microsoft.Network/natGateways", new);
    let mut subnets: Vec<&Id> = gateway.uses.iter().map(|(used, _)| used.id).collect();
    subnets.dedup();
    let mut fix = fix(
        "Replace it by a StandardV2 NAT gateway, which spans zones, with an address of its own",
    )
    .command(create("network public-ip create", address).build())
    .command(
        create("network nat gateway create", new)
            .opt("--public-ip-addresses", address)
            .build(),
    );
    for subnet in subnets {
        let put = |id: &Id| {
            subnet_update(subnet)
                .opt("--nat-gateway", id.as_str())
                .build()
        };
        fix = fix.command(put(&new_id)).undo(put(&body.id));
    }
    fix
}

/// The zones of these pools: `zones 2, 3`.
fn spread(pools: &[&AgentPool]) -> String {
    let mut zones: Vec<&str> = pools
        .iter()
        .flat_map(|pool| pool.zones.iter().map(String::as_str))
        .collect();
    zones.order();
    zones.dedup();
    let word = if zones.len() == 1 { "zone" } else { "zones" };
    format!("{word} {}", zones.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{
        codes, denied, nat_gateway, nat_id, nat_mut, network_mut, outcome, pools_mut,
    };

    fn zoned(gateway: &[&str], pool: &[&str]) -> crate::facts::Facts {
        let own = |zones: &[&str]| zones.iter().map(|z| (*z).to_owned()).collect::<Vec<_>>();
        let mut facts = nat_gateway();
        nat_mut(&mut facts, "ng1").zones = own(gateway);
        pools_mut(&mut facts)[0].zones = own(pool);
        facts
    }

    #[test]
    fn r2_51_fires() {
        for (gateway, pool) in [(&["1"][..], &["2"][..]), (&["1"], &["1", "2", "3"])] {
            let found = outcome(&RULE, &zoned(gateway, pool));
            assert_eq!(codes(&found), ["NAT107"]);
            assert_eq!(found.findings[0].severity, Severity::Medium);
        }
    }

    #[test]
    fn r1_46_a_gateway_of_ones_own_is_replaced_and_aks_replaces_its_own() {
        let mut facts = zoned(&["1"], &["2"]);
        let found = outcome(&RULE, &facts);
        let fix = &found.findings[0].remediation[0];
        assert!(
            fix.commands[0].ends_with("--name ng1-v2-ip --location westeurope --sku StandardV2")
        );
        assert!(fix.commands[1].ends_with("--sku StandardV2 --public-ip-addresses ng1-v2-ip"));
        assert!(fix.commands[2].ends_with("/natGateways/ng1-v2"), "{fix:?}");
        assert!(fix.undo[0].ends_with(nat_id("ng1").as_str()), "{fix:?}");
        network_mut(&mut facts).outbound_type = Some(OutboundType::ManagedNatGateway);
        let found = outcome(&RULE, &facts);
        let fix = &found.findings[0].remediation[0];
        assert_eq!(fix.commands.len(), 1);
        assert!(
            fix.commands[0]
                .ends_with("--outbound-type managedNATGateway --outbound-type-sku StandardV2"),
            "{fix:?}"
        );
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(outcome(&RULE, &zoned(&["1"], &["1"])), Outcome::passed());
        assert_eq!(outcome(&RULE, &zoned(&[], &["1", "2"])), Outcome::passed());
        assert_eq!(outcome(&RULE, &zoned(&["1"], &[])), Outcome::passed());
        let mut facts = zoned(&["1"], &["2"]);
        nat_mut(&mut facts, "ng1").sku = Some("standardv2".into());
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = zoned(&["1"], &["2"]);
        facts
            .nat_gateways
            .insert(nat_id("ng1"), denied("Microsoft.Network/natGateways/read"));
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty() && open.is_open());
    }
}
