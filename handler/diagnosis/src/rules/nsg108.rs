use super::nsg_fix::{Admit, denied, fixes, place, rule_label};
use super::nsg_hits::{Hit, Hits, note, unread_space};
use super::{Docs, Outcome, Rule, Step};
use crate::context::{Context, pools_label};
use crate::endpoints::{Requirement, Transport, View, network_rules};
use crate::facts::{Datum, Direction};
use crate::gaps::ENDPOINT_LIST;
use crate::network::Protocol;
use crate::report::{Finding, Severity};
use crate::security::{self, Guard, Service, Standing};

pub(super) const RULE: Rule = Rule {
    code: "NSG108",
    slug: "time-or-tunnel-denied",
    severity: Severity::High,
    step: Step::NetworkSecurityGroups,
    docs: Docs {
        what: "Whether a rule denies time (UDP 123) or the classic tunnel to the control plane (TCP 9000, UDP 1194) \
               where this cluster needs them (R1.3, R1.4, R4.30 P2, P5).",
        why: "Where the classic tunnel is in use, logs, exec and webhooks go through it. Clusters of the public cloud \
              run konnectivity and take the time from their host: they need neither.",
        evidence: "The denying rule, its priority, level and security group, and the ports.",
        fix: "Allow the ports above the rule, or remove the rule.",
        how_sure: "Certain about the rule. High when Azure lists the classic tunnel for this cluster, medium where only \
                   the documentation of the cloud asks for it. In a cloud that cannot be told, the check stays open.",
        references: &["https://learn.microsoft.com/azure/aks/outbound-rules-control-egress"],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    let Some(needed) = network_rules(&View::of(ctx.facts, &ctx.facts.features)) else {
        let writes_rules = Guard::all(ctx)
            .iter()
            .any(|guard| guard.nsgs().any(|(_, nsg)| !nsg.rules.is_empty()));
        let mut outcome = Outcome::passed();
        outcome.missing = security::missing(ctx);
        if writes_rules {
            let why = "the cluster's cloud is not known, and with it which ports it needs";
            outcome.undecided.push(why.to_owned());
        }
        return outcome;
    };
    let mut outcome = Outcome::passed();
    outcome.missing = security::missing(ctx);
    let classic = lists_classic_tunnel(ctx);
    let location = ctx.cluster().location.as_deref();
    let mut hits = Hits::default();
    for guard in Guard::all(ctx) {
        for rule in &needed {
            let tunnel = matches!(rule.port, 9000 | 1194);
            let wanted = tunnel || rule.port == 123;
            if !wanted || rule.requirement == Requirement::Waived {
                continue;
            }
            let protocol = match rule.transport {
                Transport::Tcp => Protocol::Tcp,
                Transport::Udp => Protocol::Udp,
            };
            let service = if tunnel {
                Service::ApiServer
            } else {
                Service::Time
            };
            let severity = if tunnel && classic {
                Severity::High
            } else {
                Severity::Medium
            };
            match guard.standing(service, (protocol, rule.port), location) {
                Standing::Allowed => {}
                // Only ARM's list says whether this cluster still needs it.
                Standing::Denied(_) if rule.requirement == Requirement::Conditional => {
                    needs_list(ctx, &mut outcome);
                }
                Standing::Denied(blocks) => {
                    for block in blocks {
                        let what = format!("{protocol:?} {}", rule.port).to_uppercase();
                        hits.add(&guard, block.rule, severity, block.sure, what);
                    }
                }
                Standing::Unknown(why) => note(&mut outcome.undecided, why),
            }
        }
    }
    unread_space(ctx, &mut outcome);
    outcome.findings = hits.0.iter().map(|hit| finding(ctx, hit)).collect();
    outcome
}

fn needs_list(ctx: &Context<'_>, outcome: &mut Outcome) {
    let list = ctx.facts.egress_endpoints.known(ENDPOINT_LIST);
    if let Err(missing) = list
        && !outcome.missing.contains(&missing)
    {
        outcome.missing.push(missing);
    }
}

fn lists_classic_tunnel(ctx: &Context<'_>) -> bool {
    matches!(&ctx.facts.egress_endpoints, Datum::Known(list)
        if list.iter().any(|e| e.category.trim().eq_ignore_ascii_case("tunnel-classic")))
}

fn finding(ctx: &Context<'_>, hit: &Hit) -> Finding {
    let what = hit.what.join(", ");
    let title = format!(
        "{} of {} denies {what}, which {} needs",
        super::out106::capital(&rule_label(&hit.rule)),
        place(&hit.rule),
        pools_label(&hit.pools()),
    );
    let (time, tunnel): (Vec<_>, Vec<_>) = hit.what.iter().partition(|what| what.ends_with(" 123"));
    let mut losses = Vec::new();
    if !tunnel.is_empty() {
        losses.push("without the tunnel, logs, exec and webhooks hang");
    }
    if !time.is_empty() {
        losses.push("without time, certificates and tokens fail once clocks drift");
    }
    let found = denied(ctx, &RULE, title, hit)
        .severity(hit.severity)
        .explain(format!(
            "This cluster still needs {what}: {}.",
            losses.join("; ")
        ));
    let destinations = ["Internet".to_owned()];
    let ports: Vec<String> = hit
        .what
        .iter()
        .filter_map(|what| what.split(' ').nth(1).map(str::to_owned))
        .collect();
    let admit = Admit {
        name: "AllowAksTimeAndTunnel",
        direction: Direction::Outbound,
        protocol: "*",
        sources: &[],
        destinations: &destinations,
        ports: &ports,
    };
    fixes(ctx, &hit.rule, &[admit])
        .into_iter()
        .fold(found, Finding::fix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Access::Deny;
    use crate::facts::Facts;
    use crate::testing::{codes, denied, load_balancer, outcome, security_rule, subnet_nsg};

    fn with(fqdn: Option<&str>) -> Facts {
        let mut facts = load_balancer();
        facts.cluster.api_server.fqdn = fqdn.map(str::to_owned);
        let rules = vec![security_rule("no-udp", 200, Deny, "Udp", "Internet", "*")];
        subnet_nsg(&mut facts, "nodes", rules);
        facts
    }

    const PUBLIC: Option<&str> = Some("shop.hcp.westeurope.azmk8s.io");
    const GOVERNMENT: Option<&str> =
        Some("shop.hcp.usgovvirginia.cx.aks.containerservice.azure.us");

    #[test]
    fn r1_3_fires_where_the_clouds_table_asks_for_it() {
        let found = outcome(&RULE, &with(GOVERNMENT));
        assert_eq!(codes(&found), ["NSG108"]);
        let finding = &found.findings[0];
        assert_eq!(finding.severity, Severity::Medium);
        assert!(finding.title.contains("UDP 1194") && finding.title.contains("UDP 123"));
    }

    #[test]
    fn r1_4_fires_as_high_when_azure_lists_the_classic_tunnel() {
        let mut facts = with(PUBLIC);
        if let Datum::Known(list) = &mut facts.egress_endpoints {
            list[0].category = "tunnel-classic".to_owned();
        }
        let found = outcome(&RULE, &facts);
        assert_eq!(found.findings[0].severity, Severity::High);
        assert!(!found.findings[0].title.contains("UDP 123"));
    }

    #[test]
    fn r1_4_does_not_fire_for_konnectivity() {
        assert_eq!(outcome(&RULE, &with(PUBLIC)), Outcome::passed());
        assert_eq!(outcome(&RULE, &load_balancer()), Outcome::passed());
    }

    #[test]
    fn cannot_tell() {
        let open = outcome(&RULE, &with(None));
        assert!(open.findings.is_empty() && open.is_open());
    }

    #[test]
    fn r1_4_cannot_tell_without_azures_list() {
        let mut facts = with(PUBLIC);
        facts.egress_endpoints = denied("outboundNetworkDependenciesEndpoints/read");
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty());
        assert_eq!(open.missing.len(), 1, "{open:?}");
    }
}
