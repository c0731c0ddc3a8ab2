//! SNT105: Azure will refuse the next scale-out or upgrade.

use super::snt_capacity::{Declared, declared};
use super::snt_change::Change;
use super::snt_fix::{addresses, more_room};
use super::{Docs, Outcome, Rule, Step};
use crate::context::Context;
use crate::report::{Confidence, Finding, Remediation, Severity};
use crate::snat::capacity::max_nodes;
use crate::snat::rejection::{CODE, Rejection};

/// Azure will refuse the next scale-out or upgrade.
pub(super) const RULE: Rule = Rule {
    code: "SNT105",
    slug: "scale-out-will-be-rejected",
    severity: Severity::High,
    step: Step::SnatPorts,
    docs: Docs {
        what: "Whether the fixed ports per node, times the nodes that AKS counts (the autoscaler's maximum of every pool \
               plus the surge of its upgrade), are more than 64,000 ports per outbound address.",
        why: "AKS then refuses every update of the cluster with \
              `InvalidLoadBalancerProfileAllocatedOutboundPorts`: scaling, upgrades and changes to node pools stop.",
        evidence: "The numbers in the words of Azure's own message, and the message itself where the cluster already has it.",
        fix: "More addresses keep every node's ports. Fewer ports per node need no new address, where the observed peak \
              allows them.",
        how_sure: "Certain when the autoscaler's maximum alone does not fit. Likely when only the surge makes it too much: \
                   Azure counts the surge, but documents no formula for several pools.",
        references: &[
            "https://learn.microsoft.com/troubleshoot/azure/azure-kubernetes/error-codes/invalidloadbalancerprofileallocatedoutboundports-error",
            "https://learn.microsoft.com/azure/aks/configure-load-balancer-standard",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    let declared = match declared(ctx) {
        Ok(declared) => declared,
        Err(outcome) => return outcome,
    };
    match Rejection::of(declared.counted, declared.ports, declared.ips) {
        None => Outcome::passed(),
        Some(rejection) => Outcome::found(finding(ctx, &declared, rejection)),
    }
}

fn finding(ctx: &Context<'_>, declared: &Declared, rejection: Rejection) -> Finding {
    let Declared {
        ports, max, ips, ..
    } = *declared;
    let said = refusals(ctx).find(|(_, said)| *said == rejection);
    let certain = said.is_some() || Rejection::of(max, ports, ips).is_some();
    let fit = max_nodes(ports, ips).unwrap_or(0);
    let mut found = RULE
        .finding(format!(
            "Azure refuses to grow: {} nodes with {ports} ports each need {} ports, and there are {} on {}",
            rejection.nodes,
            rejection.required,
            rejection.available,
            addresses(ips)
        ))
        .confidence(if certain {
            Confidence::Certain
        } else {
            Confidence::Likely
        })
        .explain(format!(
            "The ports per node are fixed, so only {fit} nodes fit on {}. AKS counts the autoscaler's maximum and the surge of an upgrade beforehand and refuses the whole update.",
            addresses(ips)
        ))
        .resource(&ctx.cluster().id)
        .evidence(
            CODE,
            Some(&ctx.cluster().id),
            Some(rejection.to_string()),
        )
        .evidence(
            "nodes now, at the autoscaler's maximum, and extra during upgrades",
            Some(&ctx.cluster().id),
            Some(declared.counts()),
        );
    if let Some((whose, said)) = refusals(ctx).next() {
        found = found.evidence(
            format!("Azure has refused already ({whose})"),
            Some(&ctx.cluster().id),
            Some(said.to_string()),
        );
    }
    match more_room(ctx) {
        Ok(changes) => changes
            .iter()
            .map(Change::remediation)
            .fold(found, Finding::fix),
        Err(lacks) => found.fix(Remediation::new(format!(
            "Lower the autoscaler's maximum or the ports per node: {lacks}"
        ))),
    }
}

/// Refusals that the cluster and its pools carry in their provisioning errors.
fn refusals<'c>(ctx: &'c Context<'_>) -> impl Iterator<Item = (String, Rejection)> + 'c {
    let cluster = ctx.cluster();
    let own = cluster
        .provisioning_error
        .iter()
        .map(|text| ("the cluster".to_owned(), text));
    let pools = ctx.pools().unwrap_or_default();
    let of_pools = pools.iter().filter_map(|pool| {
        let text = pool.provisioning_error.as_ref()?;
        Some((format!("node pool {}", pool.name), text))
    });
    own.chain(of_pools)
        .filter_map(|(whose, text)| Some((whose, Rejection::parse(text)?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Facts, MaxSurge};
    use crate::testing::{
        codes, denied, load_balancer, nat_gateway, network_mut, outcome, pools_mut, public_ip_id,
    };

    /// 5 nodes and a surge of 2, with these fixed ports on one address.
    fn fixed(ports: u32) -> Facts {
        let mut facts = load_balancer();
        let profile = network_mut(&mut facts).load_balancer_profile.as_mut();
        profile.unwrap().allocated_outbound_ports = Some(ports);
        facts
    }

    #[test]
    fn r6_31_fires_with_the_numbers_that_azure_prints() {
        // 7 nodes and 2 surge with 8,000 ports on one address.
        let mut facts = fixed(8000);
        pools_mut(&mut facts)[0].count = Some(4);
        let found = outcome(&RULE, &facts);
        assert_eq!(codes(&found), ["SNT105"]);
        let found = &found.findings[0];
        assert_eq!(found.severity, Severity::High);
        assert_eq!(
            found.evidence[0].text,
            "InvalidLoadBalancerProfileAllocatedOutboundPorts"
        );
        assert_eq!(
            found.evidence[0].value.as_deref(),
            Some(
                "Total node count 9 requires 72000 ports but only 64000 ports are available given 1 outbound public IPs"
            )
        );
        // Without the surge 56,000 fit.
        assert_eq!(found.confidence, Confidence::Likely);
        assert_eq!(found.affected.resource_ids, [facts.cluster.id.clone()]);
        // First one more address, then fewer ports: 64,000 / 9 = 7,111.
        let fixes = &found.remediation;
        assert!(fixes[0].commands[0].ends_with("ip-count 2 --load-balancer-outbound-ports 8000"));
        assert!(fixes[1].commands[0].ends_with("ip-count 1 --load-balancer-outbound-ports 7104"));
        assert!(fixes[0].undo[0].ends_with("ip-count 1 --load-balancer-outbound-ports 8000"));
    }

    #[test]
    fn r6_31_fires_certain_when_azure_has_said_so() {
        let mut facts = fixed(16_000);
        facts.cluster.provisioning_error = Some("InvalidLoadBalancerProfileAllocatedOutboundPorts: … Total node count 7 requires 112000 ports but only 64000 ports are available given 1 outbound public IPs.".into());
        let found = outcome(&RULE, &facts);
        assert_eq!(found.findings[0].confidence, Confidence::Certain);
        assert_eq!(found.findings[0].evidence.len(), 3);
    }

    #[test]
    fn r6_31_does_not_fire() {
        // 7 × 9,136 = 63,952.
        assert_eq!(outcome(&RULE, &fixed(9136)), Outcome::passed());
        assert!(outcome(&RULE, &fixed(0)).not_applicable.is_some());
        assert!(outcome(&RULE, &nat_gateway()).not_applicable.is_some());
    }

    #[test]
    fn r6_30_every_form_of_surge_counts() {
        // 5 nodes and 9,144 ports: 6 fit, 7 do not (64,008).
        for (surge, fires) in [
            (None, true),
            (Some(MaxSurge::Nodes(0)), false),
            (Some(MaxSurge::Percent(0)), false),
            (Some(MaxSurge::Percent(1)), true),
            (Some(MaxSurge::Nodes(1)), true),
        ] {
            let mut facts = fixed(9144);
            pools_mut(&mut facts)[1].max_surge.clone_from(&surge);
            assert_eq!(
                !codes(&outcome(&RULE, &facts)).is_empty(),
                fires,
                "{surge:?}"
            );
        }
        let mut facts = fixed(9144);
        pools_mut(&mut facts)[1].max_surge = Some(MaxSurge::Unreadable("lots".into()));
        assert!(outcome(&RULE, &facts).is_open());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = fixed(8000);
        facts.public_ips.insert(
            public_ip_id("lb-1"),
            denied("Microsoft.Network/publicIPAddresses/read"),
        );
        assert_eq!(outcome(&RULE, &facts).missing.len(), 1);
        let mut facts = fixed(8000);
        pools_mut(&mut facts)[0].count = None;
        assert!(outcome(&RULE, &facts).is_open());
        let mut facts = fixed(8000);
        let pools = pools_mut(&mut facts);
        pools[0].auto_scaling = Some(true);
        (pools[0].min_count, pools[0].max_count) = (Some(9), Some(3));
        assert!(outcome(&RULE, &facts).is_open());
    }
}
