//! SNT110: nodes have other ports than configured.

use super::{Docs, Outcome, Rule, Step};
use crate::context::{Context, Device};
use crate::report::{Confidence, Finding, Remediation, Severity};
use crate::snat::capacity::automatic_ports;
use crate::snat::metric::Reading;
use crate::snat::usage::{BackendPorts, Ports};

/// Nodes have other ports than configured.
pub(super) const RULE: Rule = Rule {
    code: "SNT110",
    slug: "allocation-drift",
    severity: Severity::Medium,
    step: Step::SnatPorts,
    docs: Docs {
        what: "Whether the ports that Azure Monitor saw on each node at the end of the window (`AllocatedSnatPorts`) are the \
               ones that the outbound rule or the cluster's profile gives: the fixed number, or the number for the size of \
               the pool.",
        why: "Sizing and alerts go by the configured number. A node that has fewer runs out earlier than anybody expects, \
              often after scaling or an edit in the portal.",
        evidence: "The configured number and the nodes that have another.",
        fix: "Let AKS apply its own settings again. Where the outbound rule itself has other ports than the profile, OUT107 \
              is the finding.",
        how_sure: "Likely for a fixed number, possible for automatic allocation: Azure does not document whether several \
                   addresses multiply a node's ports, so every multiple up to their number passes.",
        references: &[
            "https://learn.microsoft.com/azure/load-balancer/load-balancer-standard-diagnostics",
            "https://learn.microsoft.com/azure/aks/configure-load-balancer-standard",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    if ctx.stopped() {
        return Outcome::not_applicable("the cluster is not running");
    }
    // A rule that was changed by hand is the cause of whatever it hands out.
    let handed_out = ctx.configured_ports();
    if ctx
        .profile_ports()
        .zip(handed_out)
        .is_some_and(|(wanted, is)| wanted != is)
    {
        return Outcome::not_applicable(
            "the outbound rule has other ports than the cluster's settings, which OUT107 tells",
        );
    }
    let mut outcome = Outcome::passed();
    outcome.missing.extend(ctx.snat.missing.iter().cloned());
    let mut balancers = 0;
    for device in &ctx.snat.devices {
        let Some(ports) = device.ports() else {
            continue;
        };
        balancers += 1;
        outcome.absorb(match ports {
            Reading::Missing(missing) => Outcome::missing(missing.clone()),
            Reading::Unclear(reason) => Outcome::undecided(reason.clone()),
            Reading::NoData => Outcome::undecided(format!(
                "{} has no port data points in the window",
                device.label()
            )),
            Reading::Known(ports) => of_one(ctx, device, ports),
        });
    }
    if balancers == 0 && !outcome.is_open() {
        return Outcome::not_applicable("no load balancer hands out ports per node");
    }
    outcome
}

fn of_one(ctx: &Context<'_>, device: &Device, ports: &Ports) -> Outcome {
    let Some(configured) = ctx.configured_ports() else {
        return Outcome::undecided("how ports are handed out is not known");
    };
    let expected = if configured > 0 {
        vec![configured]
    } else {
        by_size(ctx)
    };
    let Some(first) = expected.first().copied() else {
        return Outcome::undecided("the number of nodes is not known");
    };
    let frontends = match ctx.balancer_ips() {
        Ok(ips) => ips,
        Err(missing) => return Outcome::missing(missing),
    };
    let allowed = |allocated: u32| {
        expected.iter().any(|base| {
            allocated.is_multiple_of(*base) && u64::from(allocated / base) <= frontends.max(1)
        })
    };
    let settled = || ports.nodes.iter().filter(|n| n.settled);
    let drifted: Vec<&BackendPorts> = settled()
        .filter(|n| n.allocated.is_some_and(|a| a == 0 || !allowed(a)))
        .collect();
    if !drifted.is_empty() {
        return Outcome::found(finding(ctx, device, configured, first, &drifted));
    }
    if settled().next().is_none() {
        return Outcome::undecided(
            "the allocated ports of no node stood still at the end of the window",
        );
    }
    if ports.truncated {
        return Outcome::undecided("Azure returned the ports of some nodes only");
    }
    Outcome::passed()
}

/// What automatic allocation gives to the nodes that the pools count, and to those behind the load balancer: while the
/// cluster scales, the two differ for some minutes.
fn by_size(ctx: &Context<'_>) -> Vec<u32> {
    let live = ctx.demand().live.map(u64::from);
    let behind = ctx.balancer.get().ok().flatten().and_then(|lb| {
        let members = lb.backend_pools.iter().map(|pool| pool.members).max()?;
        u64::try_from(members).ok()
    });
    let mut expected: Vec<u32> = [live, behind]
        .into_iter()
        .flatten()
        .filter_map(automatic_ports)
        .collect();
    expected.dedup();
    expected
}

fn finding(
    ctx: &Context<'_>,
    device: &Device,
    configured: u32,
    expected: u32,
    drifted: &[&BackendPorts],
) -> Finding {
    let (confidence, by) = if configured > 0 {
        (Confidence::Likely, "configured")
    } else {
        (Confidence::Possible, "for the number of nodes")
    };
    let worst = drifted.iter().filter_map(|n| n.allocated).min();
    let has = worst.map_or("another number".to_owned(), |n| n.to_string());
    let whose = match drifted {
        [one] => format!("Node {} has", ctx.nodes.label(&one.address)),
        many => format!("{} nodes have", many.len()),
    };
    let mut found = RULE
        .finding(format!("{whose} {has} SNAT ports in place of {expected} ({by})"))
        .confidence(confidence)
        .explain("What the load balancer hands out is not what the cluster's settings say. The next update, upgrade or scale of the cluster sets it back.")
        .evidence(format!("ports per node, {by}"), Some(device.id()), Some(expected.to_string()));
    for node in drifted.iter().take(5) {
        let allocated = node.allocated.map_or("?".to_owned(), |n| n.to_string());
        found = found.evidence(
            format!("allocated ports of node {}", ctx.nodes.label(&node.address)),
            Some(device.id()),
            Some(allocated),
        );
    }
    found.resource(device.id()).fix(
        Remediation::new("Let AKS apply its settings to the load balancer again")
            .command(ctx.az_aks("update").build())
            .side_effect("Edits of the load balancer made in the portal are lost, and ports are handed out anew: open outbound connections can drop"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Facts;
    use crate::snat::usage::LB_ALLOCATED;
    use crate::testing::{
        NODE_1, codes, denied, lb_id, lb_mut, load_balancer, nat_gateway, network_mut, outcome,
        pools_mut, port_series, set_metric,
    };

    fn allocated(values: &[f64]) -> Facts {
        let mut facts = load_balancer();
        set_metric(
            &mut facts,
            &lb_id(),
            LB_ALLOCATED,
            port_series(&[(NODE_1, values)]),
        );
        facts
    }

    fn fix(facts: &mut Facts, ports: u32) {
        lb_mut(facts).outbound_rules[0].allocated_outbound_ports = Some(ports);
        let profile = network_mut(facts).load_balancer_profile.as_mut();
        profile.unwrap().allocated_outbound_ports = Some(ports);
    }

    #[test]
    fn r1_28_a_rule_with_other_ports_than_the_profile_is_told_by_out107() {
        let mut facts = allocated(&[1024.0, 1024.0]);
        lb_mut(&mut facts).outbound_rules[0].allocated_outbound_ports = Some(2000);
        let found = outcome(&RULE, &facts);
        assert_eq!(codes(&found), Vec::<&str>::new());
        assert!(
            found
                .not_applicable
                .is_some_and(|why| why.contains("OUT107"))
        );
    }

    #[test]
    fn r6_2_fires_for_a_fixed_number() {
        let mut facts = allocated(&[1024.0, 1024.0]);
        fix(&mut facts, 2000);
        let found = outcome(&RULE, &facts);
        assert_eq!(codes(&found), ["SNT110"]);
        assert_eq!(found.findings[0].confidence, Confidence::Likely);
        assert!(
            found.findings[0]
                .title
                .contains("1024 SNAT ports in place of 2000")
        );
        assert!(found.findings[0].remediation[0].commands[0].ends_with("--name shop"));
    }

    #[test]
    fn r1_23_fires_for_the_band_of_another_size() {
        let found = outcome(&RULE, &allocated(&[512.0, 512.0]));
        assert_eq!(found.findings[0].confidence, Confidence::Possible);
    }

    #[test]
    fn r1_23_does_not_fire() {
        assert_eq!(outcome(&RULE, &load_balancer()), Outcome::passed());
        // The pools count 60 nodes already, the load balancer has 5 yet.
        let mut facts = allocated(&[512.0, 512.0]);
        pools_mut(&mut facts)[0].count = Some(57);
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
        let mut facts = allocated(&[1024.0, 1024.0]);
        pools_mut(&mut facts)[0].count = Some(57);
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
        assert!(outcome(&RULE, &nat_gateway()).not_applicable.is_some());
    }

    #[test]
    fn cannot_tell() {
        // Two different last values: the allocation is changing.
        assert!(outcome(&RULE, &allocated(&[1024.0, 512.0])).is_open());
        let mut facts = load_balancer();
        let hidden = denied("Microsoft.Insights/metrics/read");
        set_metric(&mut facts, &lb_id(), LB_ALLOCATED, hidden);
        assert!(outcome(&RULE, &facts).is_open());
        let mut facts = load_balancer();
        lb_mut(&mut facts).outbound_rules[0].allocated_outbound_ports = None;
        network_mut(&mut facts).load_balancer_profile = None;
        assert!(outcome(&RULE, &facts).is_open());
    }
}
