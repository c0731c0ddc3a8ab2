use super::nsg_fix::{Admit, denied, fixes, place, rule_label};
use super::nsg_hits::{Hit, Hits, miss, note, unread_space};
use super::{Docs, Outcome, Rule, Step};
use crate::context::{Context, pools_label};
use crate::facts::{Direction, lookup};
use crate::network::{AddressSet, Family};
use crate::report::{Confidence, Finding, Severity};
use crate::security::{self, ApiServer, Guard, Probe, Service, Standing};

pub(super) const RULE: Rule = Rule {
    code: "NSG101",
    slug: "required-egress-denied",
    severity: Severity::Critical,
    step: Step::NetworkSecurityGroups,
    docs: Docs {
        what: "Every network security group on the way out, at the network interfaces and at the subnet, against what \
               AKS needs on TCP 443: the container registry, Azure Resource Manager, sign-in and the API server \
               (R4.30 P1, P3, P8, P9). A rule that somebody wrote and that denies one of them is quoted with its \
               priority and level (R4.31).",
        why: "All of AKS's dependencies are host names without fixed addresses, so denying the internet on 443 cuts \
              nodes off: images are not pulled, nodes do not join, kubectl misbehaves.",
        evidence: "The denying rule as Azure has it, its security group, and the services that it hits.",
        fix: "Allow TCP 443 above the rule with `az network nsg rule create` in a free priority, or remove the rule. A \
              group that AKS made itself gets no other rules, so there only removing is right.",
        how_sure: "Certain where the rule covers every public address. Likely where other rules admit some addresses \
                   by number: no list of addresses stands for a service. A service counts as admitted when a rule \
                   above the denial allows its service tag; for the package hosts no tag is documented, so an allow-list \
                   leaves the check open. A rule that covers only part of the internet, or a tag \
                   whose contents decide, leaves the check open.",
        references: &[
            "https://learn.microsoft.com/azure/aks/outbound-rules-control-egress",
            "https://learn.microsoft.com/azure/virtual-network/network-security-groups-overview",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    let mut outcome = Outcome::passed();
    outcome.missing = security::missing(ctx);
    let mut hits = Hits::default();
    let mut packages = None;
    for guard in Guard::all(ctx) {
        for service in services(ctx) {
            match guard.standing(service, Probe::HTTPS, ctx.cluster().location.as_deref()) {
                Standing::Allowed => {}
                Standing::Denied(blocks) => {
                    for block in blocks {
                        hits.add(
                            &guard,
                            block.rule,
                            RULE.severity,
                            block.sure,
                            service.label(),
                        );
                    }
                }
                Standing::Unknown(why) => note(&mut outcome.undecided, why),
            }
        }
        if !security::isolated(ctx) && doubted(ctx, &guard) {
            packages.get_or_insert_with(|| {
                format!(
                    "no service tag is documented to hold {}, so whether the security groups admit them is not known",
                    Service::Packages.label()
                )
            });
        }
        inside(ctx, &guard, &mut hits, &mut outcome);
    }
    // Beside a denial of what has a tag it would say nothing new.
    if hits.0.is_empty() {
        note(&mut outcome.undecided, packages);
    }
    unread_space(ctx, &mut outcome);
    outcome.findings = hits.0.iter().map(|hit| finding(ctx, hit)).collect();
    outcome
}

/// Whether the package hosts may be denied: no tag is documented for them, so an allow-list leaves them open (R4.33).
fn doubted(ctx: &Context<'_>, guard: &Guard<'_, '_>) -> bool {
    let location = ctx.cluster().location.as_deref();
    match guard.standing(Service::Packages, Probe::HTTPS, location) {
        Standing::Allowed => false,
        Standing::Denied(_) => true,
        Standing::Unknown(why) => !why.is_empty(),
    }
}

/// How the words for an API server inside the network begin.
const INSIDE: &str = "the API server's";

/// What the cluster needs of the internet.
fn services(ctx: &Context<'_>) -> Vec<Service> {
    let api = security::api_server(ctx);
    Service::REQUIRED
        .into_iter()
        .filter(|service| match service {
            Service::ApiServer => api == ApiServer::Public && !security::isolated(ctx),
            _ => !security::isolated(ctx),
        })
        .collect()
}

/// An API server inside the network: its private endpoint, or its own subnet.
fn inside(ctx: &Context<'_>, guard: &Guard<'_, '_>, hits: &mut Hits, outcome: &mut Outcome) {
    let mut exact = false;
    let (probe, destinations, what) = match security::api_server(ctx) {
        ApiServer::Public => return,
        // Where it is inside the network is then not known.
        _ if guard.path.routes.network.is_err() => {
            miss(outcome, guard.path.routes.network.as_ref().err().cloned());
            return;
        }
        ApiServer::PrivateEndpoint => (
            Probe::PRIVATE_ENDPOINT,
            guard.network(),
            format!("{INSIDE} private endpoint"),
        ),
        ApiServer::Subnet => {
            let subnet = api_subnet(ctx);
            exact = subnet.is_some();
            // AKS does not name a subnet that it made itself; it lies in the nodes' network (R1.85).
            let subnet = subnet.unwrap_or_else(|| guard.network());
            (Probe::API_SERVER_SUBNET, subnet, format!("{INSIDE} subnet"))
        }
    };
    for class in probe.classes(&guard.sources(), &destinations) {
        let result = guard.addressed(Direction::Outbound, &class);
        note(&mut outcome.undecided, result.open.clone());
        for (rule, parts) in result.by_custom_rule() {
            let hit = parts
                .iter()
                .fold(AddressSet::empty(), |all, p| all.union(&p.destinations));
            if exact || hit.contains_all(&destinations) {
                hits.add(guard, rule, RULE.severity, true, what.as_str());
            } else {
                let text = format!(
                    "{} of {} denies part of the network on TCP 443; whether {what} sits in it is not known",
                    rule_label(&rule),
                    place(&rule)
                );
                note(&mut outcome.undecided, [text]);
            }
        }
    }
}

fn api_subnet(ctx: &Context<'_>) -> Option<AddressSet> {
    let id = ctx.cluster().api_server.subnet_id.as_ref()?;
    let subnet = lookup(&ctx.facts.subnets, id).as_known()?;
    let set = AddressSet::parse_all(subnet.address_prefixes.iter().map(String::as_str)).ok()?;
    Some(set.of(Family::V4)).filter(|set| !set.is_empty())
}

fn finding(ctx: &Context<'_>, hit: &Hit) -> Finding {
    let inside = hit.what.iter().any(|what| what.starts_with(INSIDE));
    let all = !inside && services(ctx).len() == hit.what.len();
    let what = if all {
        "TCP 443 to the internet".to_owned()
    } else {
        format!("TCP 443 to {}", crate::context::listed(&hit.what))
    };
    let title = format!(
        "{} cannot reach what AKS needs: {} of {} denies {what}",
        super::out106::capital(&pools_label(&hit.pools())),
        rule_label(&hit.rule),
        place(&hit.rule),
    );
    let found = denied(ctx, &RULE, title, hit)
        .confidence(if hit.sure {
            Confidence::Certain
        } else {
            Confidence::Likely
        })
        .explain(format!(
            "The first rule that matches decides, and this one drops TCP 443 to {}. Such services have names and no \
             fixed addresses, so no rule further down and no list of addresses makes up for it.",
            crate::context::listed(&hit.what)
        ));
    let destinations = if inside {
        ["VirtualNetwork".to_owned()]
    } else {
        ["Internet".to_owned()]
    };
    let admits = [Admit {
        name: "AllowAksEgress443",
        direction: Direction::Outbound,
        protocol: "Tcp",
        sources: &[],
        destinations: &destinations,
        ports: &["443".to_owned()],
    }];
    fixes(ctx, &hit.rule, &admits)
        .into_iter()
        .fold(found, Finding::fix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Access::{Allow, Deny};
    use crate::facts::{Facts, Id, OutboundType};
    use crate::testing::{
        codes, denied as forbidden, firewall_routing, isolated, load_balancer, nic_nsg, nsg_id,
        outcome, security_rule, subnet_nsg,
    };

    fn deny_internet() -> crate::facts::SecurityRule {
        security_rule("deny-internet", 200, Deny, "*", "Internet", "*")
    }

    fn with(rules: Vec<crate::facts::SecurityRule>) -> Facts {
        let mut facts = load_balancer();
        subnet_nsg(&mut facts, "nodes", rules);
        facts
    }

    #[test]
    fn r4_31_fires_and_quotes_the_rule() {
        let found = outcome(&RULE, &with(vec![deny_internet()]));
        assert_eq!(codes(&found), ["NSG101"]);
        let finding = &found.findings[0];
        assert_eq!(finding.severity, Severity::Critical);
        assert_eq!(finding.confidence, Confidence::Certain);
        assert!(finding.blocks_egress);
        assert_eq!(finding.affected.node_pools, ["system", "user"]);
        for words in ["deny-internet", "200", "nsg-nodes", "on the subnet"] {
            assert!(finding.title.contains(words), "{}", finding.title);
        }
        assert_eq!(
            finding.evidence[0].value.as_deref(),
            Some("Deny Outbound * from * to Internet ports *")
        );
        assert_eq!(
            finding.remediation[0].commands,
            [
                "az network nsg rule create --subscription 00000000-0000-0000-0000-000000000001 --resource-group rg-net \
              --nsg-name nsg-nodes --name AllowAksEgress443 --direction Outbound --priority 199 --access Allow \
              --protocol Tcp --destination-address-prefixes Internet --destination-port-ranges 443"
            ]
        );
        assert_eq!(
            finding.remediation[0].undo,
            [
                "az network nsg rule delete --subscription 00000000-0000-0000-0000-000000000001 --resource-group rg-net \
              --nsg-name nsg-nodes --name AllowAksEgress443"
            ]
        );
        assert_eq!(found.undecided, Vec::<String>::new());
    }

    #[test]
    fn r4_4_fires_once_per_level() {
        let mut facts = with(vec![deny_internet()]);
        nic_nsg(&mut facts, "user", vec![deny_internet()]);
        let found = outcome(&RULE, &facts);
        let pools: Vec<_> = found
            .findings
            .iter()
            .map(|f| f.affected.node_pools.clone())
            .collect();
        assert_eq!(codes(&found), ["NSG101", "NSG101"]);
        assert!(pools.contains(&vec!["user".to_owned()]), "{pools:?}");
        let nic = found
            .findings
            .iter()
            .find(|f| f.affected.node_pools == ["user"])
            .unwrap();
        assert!(nic.title.contains("on the network interfaces"));
        // AKS's own group: only removing the rule is right, and the undo writes it again.
        assert_eq!(nic.remediation.len(), 1);
        assert!(nic.remediation[0].commands[0].contains("rule delete"));
        assert!(nic.remediation[0].undo[0].contains("--priority 200 --access Deny"));
    }

    #[test]
    fn r4_33_fires_for_the_service_that_the_allow_list_lacks() {
        let found = outcome(
            &RULE,
            &with(vec![
                security_rule(
                    "registry",
                    100,
                    Allow,
                    "Tcp",
                    "MicrosoftContainerRegistry",
                    "443",
                ),
                security_rule(
                    "front-door",
                    110,
                    Allow,
                    "Tcp",
                    "AzureFrontDoor.FirstParty",
                    "443",
                ),
                security_rule("arm", 120, Allow, "Tcp", "AzureResourceManager", "443"),
                security_rule("api", 130, Allow, "Tcp", "AzureCloud.westeurope", "9000"),
                deny_internet(),
            ]),
        );
        assert_eq!(codes(&found), ["NSG101"]);
        let title = &found.findings[0].title;
        assert!(
            title.contains("sign-in") && title.contains("the API server"),
            "{title}"
        );
        assert!(!title.contains("registry"), "{title}");
    }

    #[test]
    fn fires_as_likely_beside_pinned_addresses() {
        let found = outcome(
            &RULE,
            &with(vec![
                security_rule("partner", 100, Allow, "Tcp", "203.0.114.0/24", "443"),
                deny_internet(),
            ]),
        );
        assert_eq!(found.findings[0].confidence, Confidence::Likely);
    }

    #[test]
    fn no_priority_left_above_the_denial_leaves_removing_it() {
        let rule = security_rule("deny", 100, Deny, "*", "Internet", "*");
        let found = outcome(&RULE, &with(vec![rule]));
        assert_eq!(found.findings[0].remediation.len(), 1);
        assert!(found.findings[0].remediation[0].commands[0].contains("rule delete"));
    }

    #[test]
    fn r4_33_does_not_fire_when_every_class_is_admitted() {
        let facts = with(vec![
            security_rule(
                "registry",
                100,
                Allow,
                "Tcp",
                "MicrosoftContainerRegistry",
                "443",
            ),
            security_rule("arm", 120, Allow, "Tcp", "AzureResourceManager", "443"),
            security_rule("login", 130, Allow, "Tcp", "AzureActiveDirectory", "443"),
            security_rule("api", 140, Allow, "Tcp", "AzureCloud.westeurope", "443"),
            deny_internet(),
        ]);
        let found = outcome(&RULE, &facts);
        assert_eq!(codes(&found), Vec::<String>::new());
        // Every class but the package hosts, which have no tag of their own.
        assert_eq!(found.undecided.len(), 1, "{found:?}");
        assert!(found.undecided[0].contains("packages.aks.azure.com"));
    }

    #[test]
    fn r4_3_default_rules_let_public_addresses_through_whatever_the_network_holds() {
        let mut facts = with(vec![]);
        facts.virtual_networks.insert(
            crate::testing::vnet_id(),
            crate::testing::denied("Microsoft.Network/virtualNetworks/read"),
        );
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
        // A rule that is about the network's own tag rests on what was not read.
        let rule = security_rule("vnet", 100, Deny, "*", "VirtualNetwork", "*");
        subnet_nsg(&mut facts, "nodes", vec![rule]);
        let open = outcome(&RULE, &facts);
        assert!(!open.missing.is_empty());
        assert!(!open.undecided.iter().any(|why| security::about_space(why)));
    }

    #[test]
    fn does_not_fire() {
        for facts in [
            load_balancer(),
            with(vec![]),
            with(vec![
                security_rule("allow", 100, Allow, "Tcp", "Internet", "443"),
                deny_internet(),
            ]),
            with(vec![security_rule(
                "ssh", 100, Deny, "Tcp", "Internet", "22",
            )]),
            with(vec![security_rule(
                "udp", 100, Deny, "Udp", "Internet", "*",
            )]),
            firewall_routing(),
        ] {
            assert_eq!(outcome(&RULE, &facts), Outcome::passed());
        }
        // R4.34, R1.66: a network isolated cluster needs nothing of the internet.
        for outbound in [OutboundType::None, OutboundType::Block] {
            let mut facts = isolated();
            crate::testing::network_mut(&mut facts).outbound_type = Some(outbound);
            subnet_nsg(&mut facts, "nodes", vec![deny_internet()]);
            assert_eq!(outcome(&RULE, &facts), Outcome::passed());
        }
    }

    #[test]
    fn r4_18_cannot_tell_what_a_tag_holds() {
        let facts = with(vec![security_rule(
            "cloud",
            100,
            Deny,
            "*",
            "AzureCloud.westeurope",
            "*",
        )]);
        let found = outcome(&RULE, &facts);
        // The API server of this region is hit by name; the rest stays open.
        assert_eq!(codes(&found), ["NSG101"]);
        assert!(found.findings[0].title.contains("the API server"));
        assert!(
            found
                .undecided
                .iter()
                .any(|u| u.contains("AzureCloud.westeurope"))
        );
    }

    #[test]
    fn cannot_tell() {
        let mut facts = with(vec![deny_internet()]);
        facts.nsgs.insert(
            nsg_id("nsg-nodes"),
            forbidden("Microsoft.Network/networkSecurityGroups/read"),
        );
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty());
        assert_eq!(open.missing.len(), 1);
        let part = with(vec![security_rule(
            "range",
            100,
            Deny,
            "*",
            "20.0.0.0/8",
            "*",
        )]);
        let open = outcome(&RULE, &part);
        assert!(open.findings.is_empty() && !open.undecided.is_empty());
        // R4.13: VirtualNetwork may be everything under a default route.
        let mut facts = firewall_routing();
        subnet_nsg(
            &mut facts,
            "nodes",
            vec![security_rule("vnet", 100, Deny, "*", "VirtualNetwork", "*")],
        );
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty() && !open.undecided.is_empty());
    }

    #[test]
    fn r4_30_p8_fires_for_a_private_api_server() {
        let mut facts = with(vec![security_rule(
            "vnet",
            100,
            Deny,
            "*",
            "VirtualNetwork",
            "*",
        )]);
        facts.cluster.api_server.private_cluster = Some(true);
        let found = outcome(&RULE, &facts);
        assert_eq!(codes(&found), ["NSG101"]);
        assert!(found.findings[0].title.contains("private endpoint"));
    }

    #[test]
    fn r1_85_fires_for_an_api_server_subnet() {
        let mut facts = with(vec![security_rule(
            "api",
            100,
            Deny,
            "*",
            "10.0.9.0/28",
            "4443",
        )]);
        facts.cluster.api_server.vnet_integration = Some(true);
        facts.cluster.api_server.subnet_id = Some(crate::testing::subnet_id("api"));
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty() && !open.undecided.is_empty());
        crate::testing::add_subnet(&mut facts, "api", "10.0.9.0/28");
        assert_eq!(codes(&outcome(&RULE, &facts)), ["NSG101"]);
    }

    #[test]
    fn r1_85_an_api_server_subnet_that_aks_made_lies_in_the_nodes_network() {
        let api = |rule: crate::facts::SecurityRule| {
            let mut facts = with(vec![rule]);
            facts.cluster.api_server.vnet_integration = Some(true);
            outcome(&RULE, &facts)
        };
        let internet = security_rule("rest", 100, Deny, "*", "203.0.113.0/24", "*");
        let spares = api(internet);
        assert!(
            !spares
                .undecided
                .iter()
                .any(|why| why.contains("subnet sits"))
        );
        let part = api(security_rule("part", 100, Deny, "*", "10.0.9.0/28", "*"));
        assert!(part.findings.is_empty() && part.is_open());
        let all = api(security_rule("all", 100, Deny, "*", "VirtualNetwork", "*"));
        assert_eq!(codes(&all), ["NSG101"]);
    }

    #[test]
    fn hostile_names_stay_in_their_arguments() {
        let mut rule = deny_internet();
        rule.name = "x; rm -rf /".to_owned();
        let found = outcome(&RULE, &with(vec![rule]));
        let remove = &found.findings[0].remediation[1].commands[0];
        assert!(remove.ends_with("--name 'x; rm -rf /'"), "{remove}");
        assert_ne!(nsg_id("nsg-nodes"), Id::new("/x"));
    }
}
