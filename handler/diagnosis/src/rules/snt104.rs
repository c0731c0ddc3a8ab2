//! SNT104: growing takes ports away from every node.

use super::snt_change::Change;
use super::snt_fix::before_the_cliff;
use super::{Docs, Outcome, Rule, Step};
use crate::context::Context;
use crate::report::{Finding, Remediation, Severity};
use crate::snat::capacity::{automatic_ports, band_end};

/// Growing takes ports away from every node.
pub(super) const RULE: Rule = Rule {
    code: "SNT104",
    slug: "port-cliff",
    severity: Severity::Medium,
    step: Step::SnatPorts,
    docs: Docs {
        what: "Whether the load balancer hands out ports by the size of the node pool (automatic allocation), and the \
               number of nodes can cross a boundary of Azure's table between now and the autoscaler's maximum plus the \
               surge of an upgrade.",
        why: "At 51, 101, 201, 401 and 801 nodes Azure halves the ports of every node, the running ones included. \
              Connections drop in that moment, and each node lives with half of its ports from then on.",
        evidence: "Nodes now, at the autoscaler's maximum and during an upgrade, with the ports per node of each.",
        fix: "Fix the ports per node before the boundary: on the addresses of today where the observed peak allows it, \
              else with one address more.",
        how_sure: "Certain about the table and the counts. That the cluster will grow that far is not said.",
        references: &[
            "https://learn.microsoft.com/azure/load-balancer/load-balancer-outbound-connections",
            "https://learn.microsoft.com/azure/aks/configure-load-balancer-standard",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    if !ctx.snat.devices.iter().any(|d| d.ports().is_some()) {
        if ctx.snat.missing.is_empty() {
            return Outcome::not_applicable("no load balancer hands out ports per node");
        }
        let mut outcome = Outcome::passed();
        outcome.missing.clone_from(&ctx.snat.missing);
        return outcome;
    }
    match ctx.configured_ports() {
        None => return Outcome::undecided("how ports are handed out is not known"),
        Some(0) => {}
        Some(ports) => {
            return Outcome::not_applicable(format!("every node has {ports} ports, fixed"));
        }
    }
    let pools = match ctx.pools() {
        Ok(_) => ctx.demand(),
        Err(missing) => return Outcome::missing(missing),
    };
    let (Some(live), Some(max), Some(counted)) = (pools.live, pools.max, pools.counted()) else {
        return Outcome::undecided(
            "node counts, autoscaler bounds or upgrade settings are not all readable",
        );
    };
    // What the first node gets is what a cluster without nodes has to lose.
    let live = live.max(1);
    let Some(end) = band_end(u64::from(live)) else {
        return Outcome::undecided(format!("Azure documents no ports for {live} nodes"));
    };
    if u64::from(counted) <= end {
        return Outcome::passed();
    }
    Outcome::found(finding(ctx, live, max, counted, end))
}

fn finding(ctx: &Context<'_>, live: u32, max: u32, counted: u32, end: u64) -> Finding {
    let ports = |nodes: u32| match automatic_ports(u64::from(nodes)) {
        Some(ports) => format!("{nodes} nodes, {ports} ports each"),
        None => format!("{nodes} nodes, beyond Azure's table"),
    };
    let now = automatic_ports(u64::from(live)).map_or(0, |ports| ports);
    let then = automatic_ports(end.saturating_add(1));
    let then = then.map_or("no documented number".to_owned(), |n| n.to_string());
    let upgrade = if u64::from(max) <= end {
        " during an upgrade"
    } else {
        ""
    };
    let mut found = RULE
        .finding(format!(
            "The node after the {end}th takes every node from {now} to {then} SNAT ports, and the cluster can grow to {counted}{upgrade}"
        ))
        .explain("Ports are handed out by the number of nodes. When the cluster grows past the boundary Azure takes ports away from running nodes, and their open connections can drop.")
        .evidence("nodes now", None, Some(ports(live)))
        .evidence("at the autoscaler's maximum", None, Some(ports(max)))
        .evidence("with the surge of an upgrade", None, Some(ports(counted)));
    for device in ctx.snat.devices.iter().filter(|d| d.ports().is_some()) {
        found = found.resource(device.id());
    }
    match before_the_cliff(ctx) {
        Ok(changes) => changes
            .iter()
            .map(Change::remediation)
            .fold(found, Finding::fix),
        Err(lacks) => found.fix(Remediation::new(format!(
            "Fix the ports per node; how many cannot be said: {lacks}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose;
    use crate::facts::Facts;
    use crate::snat::usage::LB_ALLOCATED;
    use crate::testing::{
        NODE_1, codes, denied, lb_id, lb_mut, load_balancer, nat_gateway, outcome, pools_mut,
        port_series, set_metric,
    };

    /// 48 nodes; the pools' surge adds two.
    fn growing(max: Option<u32>) -> Facts {
        let mut facts = load_balancer();
        let pools = pools_mut(&mut facts);
        pools[0].count = Some(2);
        pools[1].count = Some(46);
        pools[1].auto_scaling = Some(true);
        pools[1].max_count = max;
        facts
    }

    #[test]
    fn r1_24_fires_for_48_to_52_nodes() {
        let found = outcome(&RULE, &growing(Some(50)));
        assert_eq!(codes(&found), ["SNT104"]);
        let found = &found.findings[0];
        assert!(found.title.contains("50th") && found.title.contains("1024 to 512"));
        assert_eq!(
            found.evidence[1].value.as_deref(),
            Some("52 nodes, 512 ports each")
        );
        // 54 counted nodes: 64,000 / 54 = 1,185, more than 1,024 now: nothing smaller is needed than to fix those.
        let fix = &found.remediation[0];
        assert!(fix.commands[0].ends_with(
            "--load-balancer-managed-outbound-ip-count 1 --load-balancer-outbound-ports 1024"
        ));
        assert!(fix.undo[0].ends_with("--load-balancer-outbound-ports 0"));
    }

    #[test]
    fn r1_24_fires_for_the_surge_alone_and_prefers_no_new_address() {
        // 49 at most, 51 during an upgrade.
        let found = outcome(&RULE, &growing(Some(47)));
        assert!(found.findings[0].title.ends_with("51 during an upgrade"));
        // 80 at most, 82 counted: 64,000 / 82 = 780, enough for a peak of 80; or 1,024 on two addresses.
        let found = outcome(&RULE, &growing(Some(78)));
        let fixes = &found.findings[0].remediation;
        assert!(fixes[0].commands[0].contains("count 1 --load-balancer-outbound-ports 776"));
        assert!(fixes[1].commands[0].contains("count 2 --load-balancer-outbound-ports 1024"));
    }

    #[test]
    fn r1_24_does_not_fire() {
        // 48 at most and 50 with the surge: the last of the band.
        assert_eq!(outcome(&RULE, &growing(Some(46))), Outcome::passed());
        let mut fixed = growing(Some(50));
        lb_mut(&mut fixed).outbound_rules[0].allocated_outbound_ports = Some(1024);
        assert!(outcome(&RULE, &fixed).not_applicable.is_some());
        assert!(outcome(&RULE, &nat_gateway()).not_applicable.is_some());
    }

    #[test]
    fn r1_24_a_cluster_without_nodes_has_the_ports_of_the_first() {
        let mut facts = growing(Some(40));
        for pool in pools_mut(&mut facts) {
            pool.count = Some(0);
        }
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
        pools_mut(&mut facts)[1].max_count = Some(60);
        assert_eq!(codes(&outcome(&RULE, &facts)), ["SNT104"]);
    }

    #[test]
    fn r6_35_every_way_to_a_fixed_number_says_that_it_wants_to_be_looked_at_again() {
        for max in [50, 78] {
            let found = outcome(&RULE, &growing(Some(max)));
            for fix in &found.findings[0].remediation {
                let caveat = "check it again before raising the autoscaler's maximum";
                let said = fix.side_effects.iter().any(|text| text.contains(caveat));
                assert!(said, "{fix:?}");
            }
        }
    }

    #[test]
    fn r6_35_ports_per_node_are_the_bands_unless_azure_shows_others() {
        let mut facts = load_balancer();
        set_metric(&mut facts, &lb_id(), LB_ALLOCATED, denied("x"));
        assert_eq!(diagnose(&facts).snat.allocated_per_node, Some(1024));
        let shown = port_series(&[(NODE_1, &[2048.0, 2048.0])]);
        set_metric(&mut facts, &lb_id(), LB_ALLOCATED, shown);
        assert_eq!(diagnose(&facts).snat.allocated_per_node, Some(2048));
    }

    #[test]
    fn cannot_tell() {
        assert!(outcome(&RULE, &growing(None)).is_open());
        let mut facts = growing(Some(50));
        facts.agent_pools = denied("Microsoft.ContainerService/managedClusters/agentPools/read");
        assert!(outcome(&RULE, &facts).is_open());
        let mut facts = growing(Some(50));
        lb_mut(&mut facts).outbound_rules[0].allocated_outbound_ports = None;
        crate::testing::network_mut(&mut facts).load_balancer_profile = None;
        assert!(outcome(&RULE, &facts).is_open());
    }
}
