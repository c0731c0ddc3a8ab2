//! NSG109: a rule denies endpoints that the cluster can do without.

use super::nsg_fix::{Admit, denied, fixes, place, rule_label};
use super::nsg_hits::{Hit, Hits, note, unread_space};
use super::{Docs, Outcome, Rule, Step};
use crate::context::{Context, pools_label};
use crate::endpoints::{self, View, required};
use crate::facts::{Direction, Features};
use crate::network;
use crate::network::nsg::{Origin, RuleName};
use crate::order::Order as _;
use crate::report::{Confidence, Finding, Need, Severity};
use crate::security::{self, ApiServer, Guard, Probe, Service, Standing};

/// A rule denies endpoints that the cluster can do without.
pub(super) const RULE: Rule = Rule {
    code: "NSG109",
    slug: "optional-egress-denied",
    severity: Severity::Info,
    step: Step::NetworkSecurityGroups,
    docs: Docs {
        what: "Every network security group on the way out against the optional endpoints of the cluster, which are the \
               hosts of operating system updates on TCP 80 and 443 (R4.30 P6): whether a rule that somebody wrote denies \
               them while it lets what AKS requires pass.",
        why: "Nothing breaks. Nodes then get updates of their operating system with node image or cluster upgrades only.",
        evidence: "The denying rule as Azure has it, and the hosts that it hits.",
        fix: "Leave it if that is wanted. Else allow the ports above the rule with `az network nsg rule create`.",
        how_sure: "Certain where the rule covers every public address, likely where other rules admit some addresses by \
                   number. A rule that also denies something required is NSG101's or NSG107's. A tag whose contents decide leaves the \
                   check open.",
        references: &[
            "https://learn.microsoft.com/azure/aks/outbound-rules-control-egress",
            "https://learn.microsoft.com/azure/virtual-network/network-security-groups-overview",
        ],
    },
    check,
};

/// An optional endpoint: host, protocol, port.
struct Optional {
    host: String,
    flow: (network::Protocol, u16),
}

fn check(ctx: &Context<'_>) -> Outcome {
    if security::isolated(ctx) {
        return Outcome::not_applicable("the outbound type wants no egress");
    }
    let optional = optional(ctx);
    if optional.is_empty() {
        return Outcome::not_applicable("the cluster has no optional endpoints");
    }
    let mut flows: Vec<(network::Protocol, u16)> = optional.iter().map(|o| o.flow).collect();
    flows.order_by_key(|(_, port)| *port);
    flows.dedup();
    let location = ctx.cluster().location.as_deref();
    let mut outcome = Outcome::passed();
    outcome.missing = security::missing(ctx);
    let mut hits = Hits::default();
    for guard in Guard::all(ctx) {
        let required = denying_required(ctx, &guard);
        for flow in &flows {
            match guard.standing(Service::Updates, *flow, location) {
                Standing::Allowed => {}
                Standing::Unknown(why) => note(&mut outcome.undecided, why),
                Standing::Denied(blocks) => {
                    let written = blocks.into_iter().filter(|block| {
                        block.rule.origin == Origin::Custom && !required.contains(&block.rule)
                    });
                    for block in written {
                        for hit in optional.iter().filter(|o| o.flow == *flow) {
                            let what = format!("{} on {} {}", hit.host, word(flow.0), flow.1);
                            let rule = block.rule.clone();
                            hits.add(&guard, rule, RULE.severity, block.sure, what);
                        }
                    }
                }
            }
        }
    }
    unread_space(ctx, &mut outcome);
    outcome.findings = hits
        .0
        .iter()
        .map(|hit| finding(ctx, hit, &optional))
        .collect();
    outcome
}

/// The hosts of operating system updates, as ARM's list or the documentation names them.
fn optional(ctx: &Context<'_>) -> Vec<Optional> {
    required(&View::of(ctx.facts, &Features::default()))
        .endpoints
        .into_iter()
        .filter(|endpoint| endpoint.need == Need::Optional)
        .filter(|endpoint| {
            endpoint
                .category
                .to_ascii_lowercase()
                .ends_with("-optional")
        })
        .filter_map(|endpoint| {
            let protocol = match endpoint.protocol? {
                endpoints::Protocol::Udp => network::Protocol::Udp,
                _ => network::Protocol::Tcp,
            };
            Some(Optional {
                host: endpoint.domain_name,
                flow: (protocol, endpoint.port?),
            })
        })
        .collect()
}

fn word(protocol: network::Protocol) -> &'static str {
    match protocol {
        network::Protocol::Udp => "UDP",
        _ => "TCP",
    }
}

/// The rules that deny something required, or what that depends on: NSG101 and NSG107 tell.
fn denying_required(ctx: &Context<'_>, guard: &Guard<'_, '_>) -> Vec<RuleName> {
    let location = ctx.cluster().location.as_deref();
    Service::REQUIRED
        .into_iter()
        .chain([Service::FrontDoor])
        .filter(|service| {
            *service != Service::ApiServer || security::api_server(ctx) == ApiServer::Public
        })
        .filter_map(
            |service| match guard.standing(service, Probe::HTTPS, location) {
                Standing::Denied(blocks) => Some(blocks),
                _ => None,
            },
        )
        .flatten()
        .map(|block| block.rule)
        .collect()
}

fn finding(ctx: &Context<'_>, hit: &Hit, optional: &[Optional]) -> Finding {
    let title = format!(
        "{} of {} denies only optional endpoints of {}: {}",
        super::out106::capital(&rule_label(&hit.rule)),
        place(&hit.rule),
        pools_label(&hit.pools()),
        hit.what.join(", ")
    );
    let mut ports: Vec<String> = optional
        .iter()
        .filter(|o| {
            let name = format!("{} on {} {}", o.host, word(o.flow.0), o.flow.1);
            hit.what.contains(&name)
        })
        .map(|o| o.flow.1.to_string())
        .collect();
    ports.order();
    ports.dedup();
    let found = denied(ctx, &RULE, title, hit)
        .confidence(if hit.sure {
            Confidence::Certain
        } else {
            Confidence::Likely
        })
        .explain(
            "These hosts serve updates of the nodes' operating system. Without them nodes are updated with node image and \
             cluster upgrades only; nothing else depends on them.",
        );
    let admits = [Admit {
        name: "AllowOsUpdates",
        direction: Direction::Outbound,
        protocol: "Tcp",
        sources: &[],
        destinations: &["Internet".to_owned()],
        ports: &ports,
    }];
    // Taking a lock-down away is no advice for what is optional.
    fixes(ctx, &hit.rule, &admits)
        .into_iter()
        .take(1)
        .fold(found, Finding::fix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Access::{Allow, Deny};
    use crate::facts::{Datum, EgressEndpoint, Facts, SecurityRule};
    use crate::testing::{
        codes, denied as forbidden, isolated, load_balancer, nsg_id, outcome, security_rule,
        subnet_nsg,
    };

    /// Behind a load balancer, with ARM's update host on port 80.
    fn with(rules: Vec<SecurityRule>) -> Facts {
        let mut facts = load_balancer();
        let Datum::Known(list) = &mut facts.egress_endpoints else {
            panic!("the test cluster has a list")
        };
        list.push(EgressEndpoint {
            category: "ubuntu-optional".to_owned(),
            domain_name: "security.ubuntu.com".to_owned(),
            port: Some(80),
            protocol: Some("Http".to_owned()),
            description: None,
        });
        subnet_nsg(&mut facts, "nodes", rules);
        facts
    }

    fn deny(ports: &str) -> SecurityRule {
        security_rule("deny-http", 200, Deny, "*", "Internet", ports)
    }

    #[test]
    fn r4_30_p6_fires() {
        let found = outcome(&RULE, &with(vec![deny("80")]));
        assert_eq!(codes(&found), ["NSG109"]);
        let finding = &found.findings[0];
        assert_eq!(finding.severity, Severity::Info);
        assert!(
            finding.title.contains("security.ubuntu.com on TCP 80"),
            "{}",
            finding.title
        );
        assert!(!finding.title.contains("443"), "{}", finding.title);
        assert_eq!(finding.affected.node_pools, ["system", "user"]);
        assert_eq!(finding.remediation.len(), 1);
        let command = &finding.remediation[0].commands[0];
        assert!(command.contains("--priority 199"), "{command}");
        assert!(
            command.contains("--destination-port-ranges 80"),
            "{command}"
        );
    }

    #[test]
    fn r4_33_fires_behind_an_allow_list_of_everything_required() {
        let tags = [
            "MicrosoftContainerRegistry",
            "AzureFrontDoor.FirstParty",
            "AzureResourceManager",
            "AzureActiveDirectory",
            "AzureCloud.westeurope",
        ];
        let mut rules: Vec<SecurityRule> = tags
            .into_iter()
            .zip(100..)
            .map(|(tag, priority)| security_rule(tag, priority, Allow, "Tcp", tag, "443"))
            .collect();
        rules.push(deny("*"));
        let found = outcome(&RULE, &with(rules));
        assert_eq!(codes(&found), ["NSG109"]);
        assert!(found.findings[0].title.contains("on TCP 80"));
    }

    #[test]
    fn does_not_fire() {
        assert_eq!(outcome(&RULE, &load_balancer()), Outcome::passed());
        assert!(outcome(&RULE, &isolated()).not_applicable.is_some());
        // NSG101 tells about a rule that denies what is required as well.
        assert_eq!(outcome(&RULE, &with(vec![deny("*")])), Outcome::passed());
        let allow = security_rule("allow-http", 150, Allow, "Tcp", "Internet", "80");
        assert_eq!(
            outcome(&RULE, &with(vec![allow, deny("80")])),
            Outcome::passed()
        );
    }

    #[test]
    fn cannot_tell() {
        let mut facts = with(vec![deny("80")]);
        facts.nsgs.insert(nsg_id("nsg-nodes"), forbidden("x"));
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty() && !open.missing.is_empty());
        // R4.15: the mirror in Azure may be in the tag.
        let allow = security_rule("allow", 150, Allow, "Tcp", "AzureCloud", "80");
        let open = outcome(&RULE, &with(vec![allow, deny("80")]));
        assert!(open.findings.is_empty() && open.is_open());
    }
}
