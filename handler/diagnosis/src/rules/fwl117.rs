//! FWL117: few public addresses on the firewall and no NAT gateway on its subnet (R5.30).

use super::appliance::{Appliance, own_subnet};
use super::inspection::Inspection;
use super::{Docs, Outcome, Rule, Step};
use crate::commands::Az;
use crate::context::Context;
use crate::facts::{AzureFirewall, Id, lookup};
use crate::report::{Finding, Remediation, Severity};
use crate::snat::firewall::UTILIZATION;

/// The rule.
pub(super) const RULE: Rule = Rule {
    code: "FWL117",
    slug: "few-firewall-addresses",
    severity: Severity::Medium,
    step: Step::SnatPorts,
    docs: Docs {
        what: "Whether the Azure Firewall has at least 20 public addresses, or a NAT gateway on AzureFirewallSubnet.",
        why: "Each public address gives a firewall instance 2,496 SNAT ports for all clusters behind it. AKS's documentation \
              asks for at least 20 addresses in production; a NAT gateway on the subnet gives 64,512 ports per address \
              instead.",
        evidence: "The number of public addresses, and that the firewall's subnet has no NAT gateway.",
        fix: "Put a NAT gateway on AzureFirewallSubnet with `az network vnet subnet update --nat-gateway`, or add public \
              addresses to the firewall. Allow-lists elsewhere have to hold all of a firewall's addresses: by which one a \
              connection leaves is not promised (R5.31).",
        how_sure: "Certain about the numbers. Low while there is no pressure: medium only where the metric \
                   `SNATPortUtilization` was above 80 % for five minutes.",
        references: &[
            "https://learn.microsoft.com/azure/aks/limit-egress-traffic",
            "https://learn.microsoft.com/azure/firewall/integrate-with-nat-gateway",
        ],
    },
    check,
};

/// What AKS's documentation asks for in production.
const ENOUGH: usize = 20;
/// SNAT ports of one address and firewall instance (R5.30).
const PORTS: usize = 2_496;
/// Above this on average over five minutes there is pressure (R5.33).
const PRESSURE: f64 = 80.0;

fn check(ctx: &Context<'_>) -> Outcome {
    Inspection::check(ctx, |appliance, inspection| {
        let firewall = inspection.firewall;
        let addresses = firewall.public_ip_ids.len() + firewall.hub_public_ips.len();
        if addresses >= ENOUGH {
            return Outcome::passed();
        }
        // A secured hub has no subnet that a NAT gateway could be on.
        let subnet = match &firewall.subnet_id {
            None if firewall.virtual_hub_id.is_some() => None,
            None => {
                return Outcome::undecided(format!(
                    "Azure Firewall {} does not say which subnet it is in",
                    firewall.id.name()
                ));
            }
            Some(id) => match own_subnet(ctx, id) {
                Err(missing) => return Outcome::missing(missing),
                Ok(subnet) if subnet.nat_gateway_id.is_some() => return Outcome::passed(),
                Ok(_) => Some(id),
            },
        };
        Outcome::found(finding(ctx, appliance, firewall, addresses, subnet))
    })
}

fn finding(
    ctx: &Context<'_>,
    appliance: &Appliance<'_, '_>,
    firewall: &AzureFirewall,
    addresses: usize,
    subnet: Option<&Id>,
) -> Finding {
    let name = firewall.id.name();
    let mut firewalls = ctx.snat.firewalls.iter();
    let used = firewalls
        .find(|it| it.id == firewall.id)
        .and_then(|it| it.utilization.known()?.highest())
        .map(|(_, used)| used);
    let pressed = used.filter(|used| *used > PRESSURE);
    let number = match addresses {
        1 => "one public address".to_owned(),
        n => format!("{n} public addresses"),
    };
    let mut found = RULE
        .finding(format!("Azure Firewall {name} has {number} and no NAT gateway"))
        .severity(if pressed.is_some() { Severity::Medium } else { Severity::Low })
        .explain(format!(
            "Everything behind the firewall shares {} SNAT ports per firewall instance to one destination. Fewer than {ENOUGH} \
             addresses run short as clusters grow.",
            addresses * PORTS
        ))
        .evidence("public addresses", Some(&firewall.id), Some(addresses.to_string()))
        .pools(appliance.pools())
        .resource(&firewall.id);
    if let Some(used) = pressed {
        found = found.evidence(
            format!("{UTILIZATION}, highest mean over five minutes"),
            Some(&firewall.id),
            Some(format!("{used:.0} %")),
        );
    }
    let Some(subnet) = subnet else {
        let count = |count: usize| {
            Az::beside("network firewall update", &firewall.id)
                .opt("--name", name)
                .opt("--public-ip-count", &count.to_string())
                .build()
        };
        return found.fix(
            Remediation::new("Give the hub's firewall more public addresses")
                .command(count(ENOUGH))
                .side_effect("Allow-lists of destinations need every new address")
                .undo(count(addresses)),
        );
    };
    found = found.evidence(
        "NAT gateway of the subnet",
        Some(subnet),
        Some("none".to_owned()),
    );
    let networks = &ctx.facts.virtual_networks;
    let network = subnet.parent();
    let network = network.and_then(|id| lookup(networks, &id).as_known());
    // Without --location the commands would take the resource group's, which may be another one than the network's.
    let location = network.and_then(|network| network.location.as_deref());
    let create = |verb: &str, name: &str| {
        Az::beside(verb, subnet)
            .opt("--name", name)
            .opts("--location", location)
    };
    let gateway = format!("{name}-nat");
    let address = format!("{name}-nat-pip");
    found.fix(
        Remediation::new("Put a NAT gateway on the firewall's subnet")
            .command(
                create("network public-ip create", &address)
                    .opt("--sku", "Standard")
                    .build(),
            )
            .command(
                create("network nat gateway create", &gateway)
                    .opt("--public-ip-addresses", &address)
                    .build(),
            )
            .command(
                Az::new("network vnet subnet update")
                    .opt("--ids", subnet.as_str())
                    .opt("--nat-gateway", &gateway)
                    .build(),
            )
            .side_effect("Egress leaves with the NAT gateway's address from then on: allow-lists of destinations, and authorized IP ranges of API servers, need it first")
            .side_effect("A Standard NAT gateway is in one zone or in none: it has to match the firewall's zones")
            .undo(
                Az::new("network vnet subnet update")
                    .opt("--ids", subnet.as_str())
                    .opt("--remove", "natGateway")
                    .build(),
            ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Datum, Facts, MetricAggregation, VirtualNetwork};
    use crate::testing::{
        codes, denied, firewall_id, firewall_mut, firewall_subnet_id, firewalled, load_balancer,
        metric as answer, nat_id, outcome, public_ip_id, series, set_metric,
    };

    /// The firewalled cluster with so many addresses.
    fn with(addresses: usize, gateway: bool) -> Facts {
        let mut facts = firewalled();
        let subnet = facts.subnets.get_mut(&firewall_subnet_id());
        if let Some(Datum::Known(subnet)) = subnet {
            subnet.nat_gateway_id = gateway.then(|| nat_id("fw"));
        }
        firewall_mut(&mut facts).public_ip_ids = (0..addresses)
            .map(|n| public_ip_id(&format!("fw-{n}")))
            .collect();
        facts
    }

    #[test]
    fn r5_30_fires() {
        let found = outcome(&RULE, &with(19, false));
        assert_eq!(codes(&found), ["FWL117"]);
        let finding = &found.findings[0];
        assert_eq!(finding.severity, Severity::Low);
        assert!(
            finding.explanation.contains("47424 SNAT ports"),
            "{}",
            finding.explanation
        );
        let commands = &finding.remediation[0].commands;
        assert!(
            commands[2].ends_with("/subnets/AzureFirewallSubnet --nat-gateway fw-nat"),
            "{commands:?}"
        );
    }

    #[test]
    fn r5_30_what_is_created_lies_in_the_firewalls_region() {
        let mut facts = with(1, false);
        let hub = firewall_subnet_id().parent().unwrap();
        let network = VirtualNetwork {
            id: hub.clone(),
            location: Some("northeurope".to_owned()),
            address_prefixes: vec!["10.1.0.0/16".to_owned()],
            dns_servers: Vec::new(),
            peerings: Vec::new(),
            subnet_ids: vec![firewall_subnet_id()],
        };
        facts.virtual_networks.insert(hub, Datum::Known(network));
        let found = outcome(&RULE, &facts);
        for command in &found.findings[0].remediation[0].commands[..2] {
            assert!(command.contains(" --location northeurope"), "{command}");
        }
    }

    #[test]
    fn r5_33_fires_as_medium_under_pressure() {
        let used = |values: &[f64]| {
            let mut facts = with(1, false);
            let mut answer = answer(MetricAggregation::Average, vec![series(&[], values)]);
            if let Datum::Known(metric) = &mut answer {
                metric.unit = "Percent".to_owned();
            }
            set_metric(&mut facts, &firewall_id(), UTILIZATION, answer);
            outcome(&RULE, &facts).findings[0].severity
        };
        assert_eq!(used(&[85.0; 20]), Severity::Medium);
        // Azure's alert looks at the mean over five minutes.
        let mut short = [10.0; 20];
        short[9] = 95.0;
        assert_eq!(used(&short), Severity::Low);
        assert_eq!(used(&[80.0; 20]), Severity::Low);
    }

    #[test]
    fn r5_30_fires_for_a_hub() {
        let mut facts = with(0, false);
        let firewall = firewall_mut(&mut facts);
        firewall.subnet_id = None;
        firewall.virtual_hub_id = Some(Id::new("/hub"));
        firewall.hub_public_ips = vec!["20.5.5.5".to_owned()];
        let found = outcome(&RULE, &facts);
        let fix = &found.findings[0].remediation[0];
        assert!(fix.commands[0].ends_with("--public-ip-count 20"), "{fix:?}");
        assert!(fix.undo[0].ends_with("--public-ip-count 1"), "{fix:?}");
    }

    #[test]
    fn r5_30_does_not_fire() {
        assert_eq!(outcome(&RULE, &with(20, false)), Outcome::passed());
        assert_eq!(outcome(&RULE, &with(1, true)), Outcome::passed());
        assert!(outcome(&RULE, &load_balancer()).not_applicable.is_some());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = with(1, false);
        let refused = denied("Microsoft.Network/virtualNetworks/read");
        facts.subnets.insert(firewall_subnet_id(), refused);
        let open = outcome(&RULE, &facts);
        assert!(open.findings.is_empty());
        assert_eq!(open.missing.len(), 1);
        // A network that may not be read leaves its subnets unread.
        facts.subnets.remove(&firewall_subnet_id());
        let network = firewall_subnet_id().parent().expect("a network");
        let refused = denied("Microsoft.Network/virtualNetworks/read");
        facts.virtual_networks.insert(network, refused);
        let open = outcome(&RULE, &facts);
        assert!(open.missing[0].what.starts_with("virtual network "));
        assert!(matches!(open.missing[0].how, Datum::Denied { .. }));
        firewall_mut(&mut facts).subnet_id = None;
        assert!(outcome(&RULE, &facts).is_open());
    }
}
