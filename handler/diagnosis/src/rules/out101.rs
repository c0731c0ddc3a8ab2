//! OUT101: the default route drops every packet.

use super::routing::{by_default, delete, find, is_udr, isolated, to_appliance};
use super::{Docs, Outcome, Rule, Step};
use crate::context::Context;
use crate::network::routes::Hop;
use crate::report::Severity;

/// The default route drops every packet.
pub(super) const RULE: Rule = Rule {
    code: "OUT101",
    slug: "default-route-blackhole",
    severity: Severity::Critical,
    step: Step::Routes,
    docs: Docs {
        what: "Whether the default route of a pool's subnet (0.0.0.0/0, or one of the halves 0.0.0.0/1 and 128.0.0.0/1) \
               has next hop `None`.",
        why: "Azure drops every packet that such a route matches, whatever NAT gateway, load balancer or public address \
              the nodes have.",
        evidence: "The route, its route table, its next hop, and the subnets that use the table.",
        fix: "Delete the route, so that Azure's own default applies; with outbound type `userDefinedRouting`, send it to \
              the firewall instead.",
        how_sure: "Certain: routes with next hop None drop.",
        references: &[
            "https://learn.microsoft.com/azure/virtual-network/virtual-networks-udr-overview",
            "https://learn.microsoft.com/azure/aks/egress-udr",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    if isolated(ctx) {
        return Outcome::not_applicable("the outbound type wants no egress");
    }
    let mut outcome = Outcome::passed();
    for routed in by_default(ctx, &mut outcome, |via| via.hop == Hop::None) {
        let part = if routed.half { "half of " } else { "" };
        let mut found = RULE
            .finding(format!(
                "{} cannot reach {part}the internet: {} drops every packet",
                routed.who(),
                routed.via.label()
            ))
            .explain("The default route has next hop None. Azure drops what it matches, whatever method the subnet has to leave by.");
        found = routed.show(found);
        if let Some((table, route)) = find(ctx, routed.via) {
            found = found.fix(if is_udr(ctx) {
                to_appliance(ctx, table, route)
            } else {
                delete(
                    "Delete the route: Azure's own default route then applies",
                    table,
                    route,
                )
            });
        }
        outcome.findings.push(found);
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::NextHopType;
    use crate::testing::{
        codes, denied, load_balancer, nat_gateway, outcome, route, route_table, route_table_id,
        with_gateway,
    };

    #[test]
    fn r2_21_fires() {
        let mut facts = nat_gateway();
        route_table(
            &mut facts,
            vec![route("drop", "0.0.0.0/0", NextHopType::None, None)],
        );
        let found = outcome(&RULE, &facts);
        assert_eq!(codes(&found), ["OUT101"], "one table, one finding");
        let finding = &found.findings[0];
        assert!(finding.blocks_egress);
        assert_eq!(finding.affected.node_pools, ["system", "user"]);
        assert_eq!(
            finding.remediation[0].commands[0],
            "az network route-table route delete --subscription 00000000-0000-0000-0000-000000000001 --resource-group rg-net --route-table-name rt-egress --name drop"
        );
        assert!(
            finding.remediation[0].undo[0]
                .ends_with("--address-prefix 0.0.0.0/0 --next-hop-type None")
        );
    }

    #[test]
    fn r2_52_fires_for_half_of_the_addresses() {
        let mut facts = load_balancer();
        let halves = vec![
            route("low", "0.0.0.0/1", NextHopType::None, None),
            route("high", "128.0.0.0/1", NextHopType::Internet, None),
        ];
        route_table(&mut facts, halves);
        let found = outcome(&RULE, &facts);
        assert!(found.findings[0].title.contains("half of the internet"));
    }

    #[test]
    fn does_not_fire() {
        let mut facts = load_balancer();
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
        // Only a part of the private space.
        let drop = route("drop", "10.99.0.0/16", NextHopType::None, None);
        route_table(&mut facts, vec![drop]);
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = load_balancer();
        route_table(&mut facts, Vec::new());
        facts.route_tables.insert(
            route_table_id(),
            denied("Microsoft.Network/routeTables/read"),
        );
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty());
        assert_eq!(open.missing[0].what, "route table rt-egress");
        let mut facts = load_balancer();
        with_gateway(&mut facts);
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty() && open.undecided[0].contains("GatewaySubnet"));
    }
}
