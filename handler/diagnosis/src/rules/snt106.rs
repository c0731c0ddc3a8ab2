//! SNT106: nearly all ports of the addresses are promised.

use super::snt_capacity::declared;
use super::snt_change::Change;
use super::snt_fix::{addresses, more_room};
use super::{Docs, Outcome, Rule, Step};
use crate::context::Context;
use crate::report::{Finding, Remediation, Severity};
use crate::snat::capacity::{fits, max_nodes, required_ports, total_ports};

/// Nearly all ports of the addresses are promised.
pub(super) const RULE: Rule = Rule {
    code: "SNT106",
    slug: "capacity-nearly-committed",
    severity: Severity::Low,
    step: Step::SnatPorts,
    docs: Docs {
        what: "Whether the fixed ports per node, times the nodes that AKS counts, take more than 90 percent of the ports of \
               the outbound addresses.",
        why: "The next node pool, a higher maximum or a larger surge makes Azure refuse the update.",
        evidence: "Ports needed against ports there are, and how many nodes fit at most.",
        fix: "Add an outbound address before the cluster grows.",
        how_sure: "Certain about the arithmetic. What does not fit at all is SNT105 and not repeated here.",
        references: &["https://learn.microsoft.com/azure/aks/configure-load-balancer-standard"],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    let declared = match declared(ctx) {
        Ok(declared) => declared,
        Err(outcome) => return outcome,
    };
    let (nodes, ports, ips) = (declared.counted, declared.ports, declared.ips);
    let (required, total) = (required_ports(nodes, ports), total_ports(ips));
    if !fits(nodes, ports, ips) || required.saturating_mul(10) <= total.saturating_mul(9) {
        return Outcome::passed();
    }
    let most = max_nodes(ports, ips).unwrap_or(nodes);
    let spare = match most.saturating_sub(nodes) {
        0 => "no further node fits".to_owned(),
        1 => "1 further node fits".to_owned(),
        spare => format!("{spare} further nodes fit"),
    };
    let percent = required.saturating_mul(100) / total.max(1);
    let found = RULE
        .finding(format!(
            "{percent} % of the SNAT ports of {} are promised: {spare}",
            addresses(ips)
        ))
        .explain("The ports per node are fixed. Azure refuses whatever would promise more ports than the addresses have: a higher maximum, another node pool, a larger surge.")
        .resource(&ctx.cluster().id)
        .evidence(
            "ports needed at maximum and surge, of all",
            Some(&ctx.cluster().id),
            Some(format!("{nodes} nodes × {ports} = {required} of {total}")),
        )
        .evidence(
            "nodes now, at the autoscaler's maximum, and extra during upgrades",
            Some(&ctx.cluster().id),
            Some(declared.counts()),
        );
    Outcome::found(match more_room(ctx) {
        Ok(changes) => changes
            .iter()
            .take(1)
            .map(Change::remediation)
            .fold(found, Finding::fix),
        Err(lacks) => found.fix(Remediation::new(format!(
            "Keep the number of nodes as it is: {lacks}"
        ))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Facts;
    use crate::testing::{codes, load_balancer, nat_gateway, network_mut, outcome, pools_mut};

    /// 5 nodes and a surge of 2, with these fixed ports on one address.
    fn fixed(ports: u32) -> Facts {
        let mut facts = load_balancer();
        let profile = network_mut(&mut facts).load_balancer_profile.as_mut();
        profile.unwrap().allocated_outbound_ports = Some(ports);
        facts
    }

    #[test]
    fn r6_36_fires() {
        // 7 × 8,240 = 57,680 of 64,000: 90.1 %.
        let found = outcome(&RULE, &fixed(8240));
        assert_eq!(codes(&found), ["SNT106"]);
        assert!(
            found.findings[0]
                .title
                .starts_with("90 % of the SNAT ports")
        );
        assert!(found.findings[0].title.ends_with("no further node fits"));
        let affected = &found.findings[0].affected;
        assert_eq!(affected.resource_ids, [load_balancer().cluster.id]);
        let fix = &found.findings[0].remediation[0];
        assert!(fix.commands[0].ends_with("ip-count 2 --load-balancer-outbound-ports 8240"));
    }

    #[test]
    fn r6_36_fires_for_what_fits_exactly() {
        // 8 nodes with 8,000 ports take all 64,000.
        let mut facts = fixed(8000);
        pools_mut(&mut facts)[0].count = Some(3);
        let found = outcome(&RULE, &facts);
        assert!(
            found.findings[0]
                .title
                .starts_with("100 % of the SNAT ports")
        );
    }

    #[test]
    fn r6_36_does_not_fire() {
        // 9 × 6,400 = 57,600: exactly 90 %.
        let mut facts = fixed(6400);
        pools_mut(&mut facts)[0].count = Some(4);
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
        // Too much is SNT105.
        assert_eq!(outcome(&RULE, &fixed(16_000)), Outcome::passed());
        assert!(outcome(&RULE, &nat_gateway()).not_applicable.is_some());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = fixed(8240);
        pools_mut(&mut facts)[1].count = None;
        assert!(outcome(&RULE, &facts).is_open());
    }
}
