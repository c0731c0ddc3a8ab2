//! FWL111: the Azure Firewall never translates to its public address (R5.19).

use ipnet::IpNet;

use super::appliance::{Appliance, own_routes};
use super::firewall_fix;
use super::inspection::Inspection;
use super::{Docs, Outcome, Rule, Step};
use crate::context::Context;
use crate::facts::{AzureFirewall, lookup};
use crate::network::firewall::Stage;
use crate::network::{AddressSet, Outcome as Fate};
use crate::report::{Confidence, Finding, Need, Remediation, Severity};

/// The rule.
pub(super) const RULE: Rule = Rule {
    code: "FWL111",
    slug: "firewall-never-snats",
    severity: Severity::Critical,
    step: Step::Appliance,
    docs: Docs {
        what: "Whether the private ranges of the Azure Firewall, to which it does not translate addresses, hold every address \
               (`0.0.0.0/0`).",
        why: "The firewall then hands packets that its network rules allow to the internet with the nodes' private source \
              addresses. No answer comes back. What application rules allow is proxied and still translated, so that web \
              traffic may work while the rest does not.",
        evidence: "The private ranges in the SNAT settings of the firewall or its policy.",
        fix: "Set the private ranges to those of the private networks (`--private-ranges IANAPrivateRanges`).",
        how_sure: "Certain when a network rule carries a required endpoint, likely otherwise. Where the firewall's subnet has a \
                   route table of its own, a device behind it may translate, and the check stays open.",
        references: &[
            "https://learn.microsoft.com/azure/firewall/snat-private-range",
            "https://learn.microsoft.com/azure/aks/limit-egress-traffic",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    Inspection::check(ctx, |appliance, inspection| {
        let firewall = inspection.firewall;
        let name = firewall.id.name();
        match inspection.rules.never_snats() {
            Some(false) if holds_much(ranges(ctx, firewall)) => Outcome::undecided(format!(
                "Azure Firewall {name} takes large parts of the internet for private; whether endpoints that network \
                 rules allow are among them is not known"
            )),
            Some(false) => Outcome::passed(),
            None => match policy_missing(ctx, firewall) {
                Some(missing) => Outcome::missing(missing),
                None => Outcome::undecided(format!(
                    "the private ranges of Azure Firewall {name} are not all addresses or prefixes"
                )),
            },
            // Its own routes may lead to a device that translates.
            Some(true) => match own_routes(ctx, firewall) {
                Ok(None) => Outcome::found(finding(ctx, appliance, inspection)),
                Ok(Some(_)) => Outcome::undecided(format!(
                    "Azure Firewall {name} translates no address; whether something behind the route table of its subnet \
                     does is not known"
                )),
                Err(missing) => Outcome::missing(missing),
            },
        }
    })
}

fn policy_missing(ctx: &Context<'_>, firewall: &AzureFirewall) -> Option<crate::facts::Missing> {
    let id = firewall.policy_id.as_ref()?;
    let policy = lookup(&ctx.facts.firewall_policies, id);
    policy
        .known(|| format!("firewall policy {}", id.name()))
        .err()
}

/// Whether ranges hold more of the internet than a company owns.
fn holds_much(ranges: &[String]) -> bool {
    let public = AddressSet::public();
    let mut prefixes = ranges
        .iter()
        .filter_map(|text| text.trim().parse::<IpNet>().ok());
    prefixes.any(|prefix| prefix.prefix_len() < 8 && public.intersects(&prefix.into()))
}

/// The private ranges of the policy, or of the firewall without one.
fn ranges<'f>(ctx: &Context<'f>, firewall: &'f AzureFirewall) -> &'f [String] {
    let policy = firewall.policy_id.as_ref();
    let policy = policy.and_then(|id| lookup(&ctx.facts.firewall_policies, id).as_known());
    policy.map_or(&firewall.private_ranges, |policy| &policy.private_ranges)
}

fn finding(
    ctx: &Context<'_>,
    appliance: &Appliance<'_, '_>,
    inspection: &Inspection<'_>,
) -> Finding {
    let firewall = inspection.firewall;
    let name = firewall.id.name();
    let at = firewall.policy_id.as_ref().unwrap_or(&firewall.id);
    let required = inspection.endpoints.iter();
    let required = required.filter(|judged| judged.endpoint.need == Need::Required);
    let mut parts = required
        .filter_map(|judged| judged.parts.as_ref())
        .flatten();
    let by_network_rule = parts.any(|part| {
        part.fate == Fate::Allowed && matches!(part.answer.by.stage, Stage::Network | Stage::Nat)
    });
    let ranges: Vec<&str> = ranges(ctx, firewall).iter().map(String::as_str).collect();
    let update = |ranges: &[&str]| {
        firewall_fix::update(firewall)
            .opts("--private-ranges", ranges.iter().copied())
            .build()
    };
    RULE.finding(format!(
        "Azure Firewall {name} never translates what its network rules allow: what they allow {} gets no answer",
        appliance.pools_label()
    ))
    .confidence(if by_network_rule {
        Confidence::Certain
    } else {
        Confidence::Likely
    })
    .explain(format!(
        "{} leads to {}, the private address of Azure Firewall {name}. Its private ranges hold every address, so packets that \
         network rules allow leave with private source addresses. Only what application rules allow is still translated.",
        super::out106::capital(&appliance.via.label()),
        appliance.address
    ))
    .evidence("private ranges without SNAT", Some(at), Some(ranges.join(", ")))
    .pools(appliance.pools())
    .resource(at)
    .resource(&firewall.id)
    .fix(
        Remediation::new("Let the firewall translate everything but private networks")
            .command(update(&["IANAPrivateRanges"]))
            .side_effect("Existing connections through the firewall break")
            .side_effect("Networks with public addresses of your own behind a gateway must be listed beside IANAPrivateRanges")
            .undo(update(&ranges)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Datum, Facts, RuleAction};
    use crate::report::TrafficVerdict;
    use crate::testing::{
        codes, denied, firewall_mut, firewall_rules, firewall_subnet_id, firewalled, load_balancer,
        network_rule, outcome, policy_id, policy_mut,
    };

    /// The firewalled cluster with these private ranges.
    fn ranges(ranges: &[&str]) -> Facts {
        let mut facts = firewalled();
        policy_mut(&mut facts).private_ranges = ranges.iter().map(|r| (*r).to_owned()).collect();
        facts
    }

    #[test]
    fn r5_19_fires() {
        for all in [
            &["0.0.0.0/0"][..],
            &["128.0.0.0/1", "IANAPrivateRanges", "0.0.0.0/1"],
        ] {
            let found = outcome(&RULE, &ranges(all));
            assert_eq!(codes(&found), ["FWL111"]);
            let finding = &found.findings[0];
            assert!(finding.blocks_egress);
            assert_eq!(
                finding.confidence,
                Confidence::Likely,
                "application rules carry it all"
            );
            let fix = &finding.remediation[0];
            assert!(
                fix.commands[0].ends_with("--name fw-policy --private-ranges IANAPrivateRanges"),
                "{}",
                fix.commands[0]
            );
        }
        let mut by_network = ranges(&["0.0.0.0/0"]);
        let rules = network_rule(&["*"], "TCP", "443");
        firewall_rules(&mut by_network, RuleAction::Allow, rules);
        let found = outcome(&RULE, &by_network);
        assert_eq!(found.findings[0].confidence, Confidence::Certain);
    }

    #[test]
    fn r5_19_application_rules_always_translate_and_network_rules_never() {
        let verdicts = |facts: &Facts| {
            let report = crate::diagnose(facts);
            let items = report.egress_endpoints.items.into_iter();
            let required = items.filter(|item| item.need == Need::Required);
            let mut verdicts: Vec<_> = required.map(|item| item.verdict).collect();
            verdicts.dedup();
            verdicts
        };
        let mut facts = ranges(&["0.0.0.0/0"]);
        assert_eq!(verdicts(&facts), [TrafficVerdict::Allowed]);
        let rules = network_rule(&["*"], "TCP", "443");
        firewall_rules(&mut facts, RuleAction::Allow, rules);
        assert_eq!(verdicts(&facts), [TrafficVerdict::Blocked]);
        // Something behind the firewall's own route table may translate.
        let subnet = facts.subnets.get_mut(&firewall_subnet_id()).unwrap();
        if let Datum::Known(subnet) = subnet {
            subnet.route_table_id = Some(crate::testing::route_table_id());
        }
        assert_eq!(verdicts(&facts), [TrafficVerdict::Unknown]);
        // So may what a firewall that translates allows go elsewhere than to the internet.
        policy_mut(&mut facts).private_ranges.clear();
        assert_eq!(verdicts(&facts), [TrafficVerdict::Unknown]);
    }

    #[test]
    fn r5_19_does_not_fire() {
        for some in [
            &[][..],
            &["IANAPrivateRanges"],
            &["10.0.0.0/8", "20.30.0.0/16"],
            &["255.255.255.255/32"],
        ] {
            assert_eq!(outcome(&RULE, &ranges(some)), Outcome::passed(), "{some:?}");
        }
        assert!(outcome(&RULE, &load_balancer()).not_applicable.is_some());
        let mut failed = ranges(&["0.0.0.0/0"]);
        firewall_mut(&mut failed).provisioning_state = Some("Failed".to_owned());
        assert!(outcome(&RULE, &failed).not_applicable.is_some());
    }

    #[test]
    fn cannot_tell() {
        for unclear in ["everything", "0.0.0.0/1"] {
            assert!(outcome(&RULE, &ranges(&[unclear])).is_open(), "{unclear}");
        }
        let mut unread = ranges(&[]);
        let refused = denied("Microsoft.Network/firewallPolicies/read");
        unread.firewall_policies.insert(policy_id(), refused);
        assert_eq!(outcome(&RULE, &unread).missing.len(), 1);
        // A forced tunnel: what is behind it may translate.
        let mut tunnel = ranges(&["0.0.0.0/0"]);
        let subnet = tunnel.subnets.get_mut(&firewall_subnet_id()).unwrap();
        if let Datum::Known(subnet) = subnet {
            subnet.route_table_id = Some(crate::testing::route_table_id());
        }
        let open = outcome(&RULE, &tunnel);
        assert!(open.findings.is_empty() && open.is_open());
        let mut no_subnet = ranges(&["0.0.0.0/0"]);
        no_subnet.subnets.remove(&firewall_subnet_id());
        assert_eq!(outcome(&RULE, &no_subnet).missing.len(), 1);
    }
}
