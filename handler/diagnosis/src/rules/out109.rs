//! OUT109: an outbound public address that the profile names does not exist.

use std::collections::BTreeSet;

use super::routing::only_for;
use super::{Docs, Outcome, Rule, Step};
use crate::context::{Address, Context};
use crate::facts::{Id, LoadBalancerProfile, OutboundType};
use crate::report::{Finding, Remediation, Severity};

/// An outbound public address that the profile names does not exist.
pub(super) const RULE: Rule = Rule {
    code: "OUT109",
    slug: "outbound-ip-missing",
    severity: Severity::Critical,
    step: Step::OutboundMethod,
    docs: Docs {
        what: "For outbound type `loadBalancer`: whether each public IP address and prefix that `loadBalancerProfile` \
               names, as wanted or as in effect, exists.",
        why: "An address that is gone takes its SNAT ports with it, and AKS refuses every further operation on the \
              cluster (`LoadBalancerProfileOutboundIPNotExist`): no scaling, no upgrade, no repair.",
        evidence: "The id of each address that Azure answers 404 for.",
        fix: "Create the address again under the same name, or name a full new list of outbound addresses.",
        how_sure: "Certain: Azure says that the address does not exist. Addresses that may not be read leave the check open.",
        references: &["https://learn.microsoft.com/azure/aks/load-balancer-standard"],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    if let Some(outcome) = only_for(
        ctx,
        &[OutboundType::LoadBalancer],
        "the outbound type is not loadBalancer",
    ) {
        return outcome;
    }
    if super::out106::is_basic(ctx) {
        return Outcome::not_applicable(
            "a Basic load balancer has no outbound addresses of its own",
        );
    }
    let Some(profile) = ctx.network().and_then(|n| n.load_balancer_profile.as_ref()) else {
        return Outcome::undecided("the cluster's body has no readable load balancer profile");
    };
    let ips = profile
        .outbound_ips
        .iter()
        .chain(&profile.effective_outbound_ips);
    let addresses: BTreeSet<&Id> = ips.collect();
    let prefixes: BTreeSet<&Id> = profile.outbound_ip_prefixes.iter().collect();
    let states = addresses
        .into_iter()
        .map(|id| ctx.balancer.either(id))
        .chain(prefixes.into_iter().map(|id| ctx.balancer.prefix(id)));
    let mut outcome = Outcome::passed();
    let mut gone = Vec::new();
    for state in states {
        match state {
            Address::Alive { .. } => {}
            Address::Gone(id) => gone.push(id),
            Address::Unread(missing) => outcome.missing.push(missing),
        }
    }
    if !gone.is_empty() {
        outcome.findings.push(finding(ctx, profile, &gone));
    }
    outcome
}

fn finding(ctx: &Context<'_>, profile: &LoadBalancerProfile, gone: &[Id]) -> Finding {
    let names: Vec<&str> = gone.iter().map(Id::name).collect();
    let (what, verb) = if gone.len() == 1 {
        ("Outbound public address", "does not exist")
    } else {
        ("Outbound public addresses", "do not exist")
    };
    let mut found = RULE
        .finding(format!("{what} {} {verb}", names.join(", ")))
        .explain("Its SNAT ports are lost, and AKS refuses further operations on the cluster with LoadBalancerProfileOutboundIPNotExist until the list names only addresses that exist.");
    for id in gone {
        found = found
            .evidence(
                "named by loadBalancerProfile; Azure answers 404",
                Some(id),
                None,
            )
            .resource(id);
    }
    found.fix(fix(ctx, profile, gone))
}

/// What gives the outbound addresses back, when Azure says that some of the profile's own do not exist.
pub(super) fn recreate(ctx: &Context<'_>) -> Option<Remediation> {
    let profile = ctx.network()?.load_balancer_profile.as_ref()?;
    let named = profile
        .outbound_ips
        .iter()
        .chain(&profile.outbound_ip_prefixes);
    let gone: Vec<Id> = named
        .filter(|id| matches!(ctx.balancer.either(id), Address::Gone(_)))
        .cloned()
        .collect();
    (!gone.is_empty()).then(|| fix(ctx, profile, &gone))
}

fn fix(ctx: &Context<'_>, profile: &LoadBalancerProfile, gone: &[Id]) -> Remediation {
    let own = !profile.outbound_ips.is_empty() || !profile.outbound_ip_prefixes.is_empty();
    if !own {
        return Remediation::new("Let AKS create its managed outbound addresses again")
            .command(ctx.az_aks("update").build())
            .side_effect("The egress address changes: authorized IP ranges and allow-lists elsewhere must follow");
    }
    let mut fix = Remediation::new(
        "Create the address again under its old id, then let AKS take it up",
    )
    .side_effect(
        "Azure gives a new address: authorized IP ranges and allow-lists elsewhere must follow",
    );
    for id in gone
        .iter()
        .filter(|id| id.is_type("Microsoft.Network/publicIPAddresses"))
    {
        fix = fix.command(create(ctx, id));
    }
    let list: Vec<&str> = profile.outbound_ips.iter().map(Id::as_str).collect();
    let update = ctx.az_aks("update");
    let update = if list.is_empty() {
        update
    } else {
        update.opt("--load-balancer-outbound-ips", &list.join(","))
    };
    fix.command(update.build())
}

fn create(ctx: &Context<'_>, id: &Id) -> String {
    let cluster = ctx.cluster();
    let az = crate::commands::Az::new("network public-ip create")
        .opt(
            "--subscription",
            id.subscription().unwrap_or(&cluster.subscription_id),
        )
        .opt(
            "--resource-group",
            id.resource_group().unwrap_or(&cluster.resource_group),
        )
        .opt("--name", id.name())
        .opt("--sku", "Standard")
        .opt("--allocation-method", "Static");
    match &cluster.location {
        Some(location) => az.opt("--location", location).build(),
        None => az.build(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Datum;
    use crate::testing::{
        codes, denied, load_balancer, nat_gateway, network_mut, outcome, public_ip_id,
    };

    #[test]
    fn r1_30_fires() {
        let mut facts = load_balancer();
        facts.public_ips.insert(public_ip_id("lb-1"), Datum::Absent);
        let found = outcome(&RULE, &facts);
        assert_eq!(codes(&found), ["OUT109"]);
        assert_eq!(found.findings[0].severity, Severity::Critical);
        assert!(!found.findings[0].blocks_egress);
        assert_eq!(
            found.findings[0].affected.resource_ids,
            [public_ip_id("lb-1")]
        );
    }

    #[test]
    fn own_addresses_are_created_again_by_name() {
        let mut facts = load_balancer();
        facts.public_ips.insert(public_ip_id("lb-1"), Datum::Absent);
        let profile = network_mut(&mut facts)
            .load_balancer_profile
            .as_mut()
            .unwrap();
        profile.outbound_ips = vec![public_ip_id("LB-1")];
        let found = outcome(&RULE, &facts);
        assert_eq!(found.findings.len(), 1);
        let commands = &found.findings[0].remediation[0].commands;
        assert!(commands[0].starts_with("az network public-ip create"));
        assert!(commands[1].contains("--load-balancer-outbound-ips"));
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(outcome(&RULE, &load_balancer()), Outcome::passed());
        assert!(outcome(&RULE, &nat_gateway()).not_applicable.is_some());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = load_balancer();
        let unreadable = denied("Microsoft.Network/publicIPAddresses/read");
        facts.public_ips.insert(public_ip_id("lb-1"), unreadable);
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty());
        assert_eq!(open.missing[0].what, "public IP address lb-1");
    }
}
