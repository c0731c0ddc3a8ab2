use super::nsg_fix::{body, describe, rule_label};
use super::nsg_hits::note;
use super::{Docs, Outcome, Rule, Step};
use crate::commands::Az;
use crate::context::Context;
use crate::facts::Direction;
use crate::network::nsg::{FlowClass, RuleName};
use crate::network::{Doubt, Outcome as Decided, PortSet, Protocol};
use crate::report::{Finding, Remediation, Severity};
use crate::security::{self, Guard};

pub(super) const RULE: Rule = Rule {
    code: "NSG111",
    slug: "undecidable-rule",
    severity: Severity::Info,
    step: Step::NetworkSecurityGroups,
    docs: Docs {
        what: "Whether a rule with a service tag or an application security group decides about TCP 443 to the internet \
               and its contents are not known: Azure's list of service tags could not be read or does not hold the \
               tag (R4.18, R4.19).",
        why: "What a tag holds differs between clouds and changes every week. A rule about one is never guessed to \
              allow: for a given address it stays open.",
        evidence: "The rules, their security groups and the tags.",
        fix: "Nothing is wrong. To decide about an address, compare it with the tag's prefixes, or read the effective \
              rules of a node's network interface.",
        how_sure: "Certain that these rules decide. Services that have a tag of their own are judged by its name all \
                   the same.",
        references: &["https://learn.microsoft.com/azure/virtual-network/service-tags-overview"],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    let mut outcome = Outcome::passed();
    outcome.missing = security::missing(ctx);
    let mut rules: Vec<(RuleName, Vec<String>)> = Vec::new();
    let mut pools: Vec<&str> = Vec::new();
    let guards = Guard::all(ctx);
    for guard in &guards {
        let class = FlowClass::new(
            guard.sources(),
            security::public(),
            Protocol::Tcp,
            PortSet::one(443),
        );
        let levels: Vec<_> = guard.evaluate(Direction::Outbound, &class).collect();
        for part in levels.iter().flat_map(|parts| parts.iter()) {
            if part.decision.outcome != Decided::Undecidable {
                continue;
            }
            for open in &part.decision.open {
                let names: Vec<String> = open.doubts.iter().filter_map(unresolved).collect();
                if names.is_empty() {
                    continue;
                }
                pools.extend(guard.pools());
                match rules.iter_mut().find(|(rule, _)| *rule == open.rule) {
                    Some((_, known)) => note(known, names),
                    None => rules.push((open.rule.clone(), names)),
                }
            }
        }
    }
    if rules
        .iter()
        .any(|(_, names)| names.iter().any(|name| name.starts_with(TAG)))
    {
        outcome.missing.extend(security::unread_tags(ctx));
    }
    outcome
        .findings
        .extend((!rules.is_empty()).then(|| finding(ctx, &rules, pools)));
    outcome
}

/// What the name of a service tag is preceded by.
const TAG: &str = "service tag ";
/// What the name of an application security group is preceded by.
const GROUP: &str = "application security group ";

/// `service tags A and B and application security group c`: what the names are of is said once.
fn grouped(names: &[String]) -> String {
    let of = |kind: &str| {
        let own: Vec<String> = names
            .iter()
            .filter_map(|name| name.strip_prefix(kind).map(str::to_owned))
            .collect();
        let plural = if own.len() == 1 { "" } else { "s" };
        (!own.is_empty()).then(|| {
            let list = crate::context::listed(&own);
            format!("{}{plural} {list}", kind.trim_end())
        })
    };
    let kinds = [of(TAG), of(GROUP)];
    kinds
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" and ")
}

fn unresolved(doubt: &Doubt) -> Option<String> {
    match doubt {
        Doubt::UnresolvedTag(tag) => Some(format!("{TAG}{tag}")),
        Doubt::UnresolvedApplicationGroup(id) => Some(format!("{GROUP}{}", id.name())),
        _ => None,
    }
}

fn finding(ctx: &Context<'_>, rules: &[(RuleName, Vec<String>)], pools: Vec<&str>) -> Finding {
    let mut names: Vec<String> = Vec::new();
    for (_, known) in rules {
        note(&mut names, known.iter().cloned());
    }
    let names = grouped(&names);
    let mut found = RULE
        .finding(format!(
            "What is allowed on TCP 443 depends on the contents of {names}"
        ))
        .explain(
            "These rules come before the one that decides otherwise, and whether they match a given address is not \
             known here.",
        )
        .pools(pools);
    for (rule, names) in rules {
        found = found.evidence(
            format!(
                "{} of {} is about {}",
                rule_label(rule),
                rule.holder(),
                grouped(names)
            ),
            rule.nsg.as_ref(),
            body(ctx, rule).map(|(_, rule)| describe(rule)),
        );
    }
    let mut tags =
        Az::new("network list-service-tags").opt("--subscription", &ctx.cluster().subscription_id);
    if let Some(location) = &ctx.cluster().location {
        tags = tags.opt("--location", location);
    }
    found.fix(Remediation::new("List what the tags hold").command(tags.build()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Access::{Allow, Deny};
    use crate::testing::{
        codes, denied, load_balancer, nsg_id, outcome, security_rule, service_tags, subnet_nsg,
    };

    fn with(access: crate::facts::Access, tag: &str) -> crate::facts::Facts {
        let mut facts = load_balancer();
        let rules = vec![
            security_rule("tagged", 100, access, "Tcp", tag, "443"),
            security_rule("deny", 200, Deny, "Tcp", "20.0.0.0/8", "443"),
        ];
        subnet_nsg(&mut facts, "nodes", rules);
        facts
    }

    #[test]
    fn r4_18_fires() {
        let found = outcome(&RULE, &with(Deny, "Storage.WestEurope"));
        assert_eq!(codes(&found), ["NSG111"]);
        let finding = &found.findings[0];
        assert_eq!(finding.severity, Severity::Info);
        assert!(finding.title.contains("Storage.WestEurope"));
        assert_eq!(finding.evidence.len(), 1);
    }

    #[test]
    fn the_names_of_several_tags_follow_one_word() {
        let names = [
            "service tag A",
            "service tag B",
            "application security group c",
        ];
        let names = names.map(str::to_owned);
        assert_eq!(
            grouped(&names),
            "service tags A and B and application security group c"
        );
        assert_eq!(grouped(&names[..1]), "service tag A");
        assert_eq!(grouped(&names[2..]), "application security group c");
    }

    #[test]
    fn r4_19_fires_for_an_application_security_group() {
        let mut facts = with(Deny, "Internet");
        let nsg = facts.nsgs.get_mut(&nsg_id("nsg-nodes")).unwrap();
        let crate::facts::Datum::Known(nsg) = nsg else {
            panic!()
        };
        nsg.rules[0].sources.clear();
        nsg.rules[0].source_asgs = vec![crate::facts::Id::new("/asgs/web")];
        let found = outcome(&RULE, &facts);
        assert!(
            found.findings[0]
                .title
                .contains("application security group web")
        );
    }

    #[test]
    fn r4_18_does_not_fire_when_the_tags_addresses_are_known() {
        let mut facts = with(Deny, "Storage.WestEurope");
        facts.service_tags = service_tags(&[("storage.westeurope", "20.60.0.0/16")]);
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
        // The list was read and does not hold this one.
        facts.service_tags = service_tags(&[("Storage", "20.60.0.0/14")]);
        let found = outcome(&RULE, &facts);
        assert_eq!(codes(&found), ["NSG111"]);
        assert!(found.missing.is_empty());
    }

    #[test]
    fn r4_18_names_what_is_missing_to_read_the_list() {
        let mut facts = with(Deny, "Storage.WestEurope");
        facts.service_tags = denied("Microsoft.Network/locations/serviceTags/read");
        let found = outcome(&RULE, &facts);
        assert_eq!(codes(&found), ["NSG111"]);
        assert_eq!(found.missing.len(), 1);
        // A rule about something else does not miss the list.
        let mut facts = with(Deny, "Internet");
        facts.service_tags = denied("Microsoft.Network/locations/serviceTags/read");
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
    }

    #[test]
    fn does_not_fire() {
        for facts in [
            load_balancer(),
            with(Deny, "Internet"),
            with(Allow, "VirtualNetwork"),
        ] {
            assert_eq!(outcome(&RULE, &facts), Outcome::passed());
        }
    }

    #[test]
    fn cannot_tell() {
        let mut facts = with(Deny, "Storage");
        let action = "Microsoft.Network/networkSecurityGroups/read";
        facts.nsgs.insert(nsg_id("nsg-nodes"), denied(action));
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty() && open.is_open());
    }
}
