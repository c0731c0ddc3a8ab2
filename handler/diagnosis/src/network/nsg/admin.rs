//! Security admin rules of Azure Virtual Network Manager: they come before every security group (R4.11).

use super::rule::{Level, Origin, Ready, RuleName, SecurityRules, ready};
use crate::facts::{Direction, Id, SecurityAdminRule};
use crate::network::{Doubt, Outcome, ProtocolSet, TagContext};
use crate::order::Order as _;

impl SecurityRules {
    /// Makes the security admin rules of a network ready, as a level of their own: what they allow, and what none of them
    /// matches, goes on to the security groups.
    pub fn of_network(
        rules: &[SecurityAdminRule],
        direction: Direction,
        tags: &TagContext,
    ) -> Self {
        let rules = ordered(rules, Level::Network, direction, tags).into_iter();
        Self {
            level: Level::Network,
            direction,
            rules: rules.map(|(_, ready)| ready).collect(),
        }
    }

    /// These rules behind the security admin rules of the network that allow whatever a security group says.
    #[must_use]
    pub fn behind(mut self, admin: &[SecurityAdminRule], tags: &TagContext) -> Self {
        let mut first: Vec<Ready> = Vec::new();
        let mut earlier: Vec<Ready> = Vec::new();
        for (rule, mut ready) in ordered(admin, Level::Network, self.direction, tags) {
            if !rule.always {
                earlier.push(ready);
                continue;
            }
            // What an earlier rule allows in the ordinary way, the groups decide. Its denials drop at their own level.
            let handed_on = earlier.iter().any(|before| {
                before.outcome != Outcome::Denied
                    && before.possible.intersection(&ready.possible).is_some()
            });
            if handed_on {
                ready.certain.protocols = ProtocolSet::EMPTY;
                ready.exact = false;
                ready.doubts.push(Doubt::AfterAllow);
            }
            first.push(ready);
        }
        first.append(&mut self.rules);
        self.rules = first;
        self
    }
}

/// The rules of one direction by priority. Which network manager's come first is not known, so where their rules contradict
/// each other none is certain.
fn ordered<'r>(
    rules: &'r [SecurityAdminRule],
    level: Level,
    direction: Direction,
    tags: &TagContext,
) -> Vec<(&'r SecurityAdminRule, Ready)> {
    let mut own: Vec<&SecurityAdminRule> = rules
        .iter()
        .filter(|it| it.rule.direction.is_none_or(|d| d == direction))
        .collect();
    own.order_by_key(|it| it.rule.priority);
    let action = |it: &SecurityAdminRule| (it.rule.access, it.always);
    let contradict = |one: &SecurityAdminRule, other: &SecurityAdminRule| {
        let unordered = one.rule.priority == other.rule.priority
            || network_manager(&one.id) != network_manager(&other.id);
        unordered && action(one) != action(other)
    };
    own.iter()
        .map(|it| {
            let name = RuleName {
                nsg: Some(it.id.clone()),
                rule: it.rule.name.clone(),
                priority: Some(it.rule.priority),
                level,
                origin: Origin::Custom,
            };
            let contradicted = own.iter().any(|other| contradict(it, other));
            (*it, ready(&it.rule, name, direction, tags, contradicted))
        })
        .collect()
}

/// The network manager that a security admin rule is of: rule, rule collection, configuration, manager.
pub(crate) fn network_manager(rule: &Id) -> Option<Id> {
    rule.parent()?.parent()?.parent()
}

#[cfg(test)]
mod tests {
    use crate::facts::Access::{Allow, Deny};
    use crate::facts::{Access, Facts};
    use crate::report::{Status, TrafficVerdict};
    use crate::testing::{
        admin_rule, admin_rules, denied, load_balancer, security_rule, subnet_nsg, vnet_id,
    };

    fn rule(name: &str, priority: u32, access: Access) -> crate::facts::SecurityRule {
        security_rule(name, priority, access, "Tcp", "Internet", "443")
    }

    /// What becomes of the registry, and the finding about it.
    fn registry(facts: &Facts) -> (TrafficVerdict, Vec<String>) {
        let report = crate::diagnose(facts);
        let mut items = report.egress_endpoints.items.iter();
        let item = items.find(|item| item.domain_name == "mcr.microsoft.com");
        let codes = report.findings.iter().map(|found| found.code.clone());
        (item.unwrap().verdict, codes.collect())
    }

    #[test]
    fn r4_11_a_denial_comes_before_the_security_groups() {
        let mut facts = load_balancer();
        subnet_nsg(&mut facts, "nodes", vec![rule("let", 100, Allow)]);
        admin_rules(
            &mut facts,
            vec![admin_rule(rule("shut", 4000, Deny), false)],
        );
        let (verdict, codes) = registry(&facts);
        assert_eq!(verdict, TrafficVerdict::Blocked);
        assert!(codes.contains(&"NSG101".to_owned()));
        let report = crate::diagnose(&facts);
        let finding = report.findings.iter().find(|f| f.code == "NSG101").unwrap();
        assert!(
            finding.title.contains("rule shut (priority 4000) of the security admin rules of network manager hub-manager"),
            "{}",
            finding.title
        );
        assert!(
            finding
                .remediation
                .iter()
                .all(|fix| fix.commands.is_empty())
        );
        let why = &report.egress_endpoints.items[0].by_pool[0].why;
        assert!(why.contains("network manager hub-manager"), "{why}");
        let steps = &report.outbound.paths[0].steps;
        assert!(
            steps
                .iter()
                .any(|step| step.why.contains("security admin rule shut"))
        );
    }

    #[test]
    fn r4_11_what_is_allowed_goes_on_to_the_security_groups() {
        let mut facts = load_balancer();
        let let_and_shut = vec![
            admin_rule(rule("let", 100, Allow), false),
            admin_rule(rule("shut", 200, Deny), false),
        ];
        admin_rules(&mut facts, let_and_shut);
        assert_eq!(registry(&facts).0, TrafficVerdict::Allowed);
        subnet_nsg(&mut facts, "nodes", vec![rule("no", 100, Deny)]);
        assert_eq!(registry(&facts).0, TrafficVerdict::Blocked);
    }

    #[test]
    fn r4_11_what_is_always_allowed_passes_every_security_group() {
        let mut facts = load_balancer();
        subnet_nsg(&mut facts, "nodes", vec![rule("no", 100, Deny)]);
        let always = || admin_rule(rule("always", 200, Allow), true);
        admin_rules(&mut facts, vec![always()]);
        assert_eq!(registry(&facts), (TrafficVerdict::Allowed, Vec::new()));
        // Not what an earlier rule denies, nor certainly what an earlier one hands on.
        let shut = admin_rule(rule("shut", 100, Deny), false);
        admin_rules(&mut facts, vec![always(), shut]);
        assert_eq!(registry(&facts).0, TrafficVerdict::Blocked);
        let hands_on = admin_rule(rule("let", 100, Allow), false);
        admin_rules(&mut facts, vec![always(), hands_on]);
        assert_eq!(registry(&facts).0, TrafficVerdict::Unknown);
    }

    #[test]
    fn r4_11_rules_of_two_managers_have_no_order() {
        let mut facts = load_balancer();
        let mut other = admin_rule(rule("let", 300, Allow), false);
        let text = other.id.to_string().replace("hub-manager", "other-manager");
        other.id = crate::facts::Id::new(text);
        let shut = admin_rule(rule("shut", 200, Deny), false);
        admin_rules(&mut facts, vec![shut, other]);
        assert_eq!(registry(&facts).0, TrafficVerdict::Unknown);
    }

    #[test]
    fn r4_11_rules_that_could_not_be_read_are_a_gap_and_no_more() {
        let mut facts = load_balancer();
        let action = "Microsoft.Network/virtualNetworks/listNetworkManagerEffectiveSecurityAdminRules/action";
        facts.admin_rules.insert(vnet_id(), denied(action));
        let report = crate::diagnose(&facts);
        assert_eq!(report.verdict.status, Status::Healthy);
        let gap = &report.gaps[0];
        assert!(gap.what.starts_with("security admin rules"), "{}", gap.what);
        assert_eq!(gap.needs.as_ref().unwrap().action, action);
    }
}
