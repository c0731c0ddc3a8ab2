//! NAT110: a NAT gateway has too few addresses for its connections.

use super::nat_pressure::{Short, each, short_of_addresses};
use super::snt_change::Change;
use super::snt_fix::addresses;
use super::snt_gateway::changes;
use super::{Docs, Outcome, Rule, Step};
use crate::context::{Context, Device};
use crate::facts::lookup;
use crate::report::{Confidence, Finding, Severity};
use crate::snat::capacity::NAT_GATEWAY_PORTS_PER_IP;
use crate::snat::gateway::{Connections, NAT_TOTAL};
use crate::snat::metric::Reading;

/// A NAT gateway has too few addresses for its connections.
pub(super) const RULE: Rule = Rule {
    code: "NAT110",
    slug: "gateway-undersized",
    severity: Severity::Medium,
    step: Step::SnatPorts,
    docs: Docs {
        what: "Whether a NAT gateway had more than 50,000 connections open at a time (`TotalConnectionCount`) for each of its \
               addresses.",
        why: "One address holds 50,000 connections to one destination, and 64,512 ports in all. Past that, new connections \
              to a busy destination fail although the gateway itself is well.",
        evidence: "The most connections at a time, when, and the addresses that the gateway has.",
        fix: "Give it the number of addresses that the peak needs.",
        how_sure: "Possible up to 64,512 connections per address: it depends on how many go to one destination, which Azure \
                   does not measure. Likely above. In windows of more than six hours the figure is a mean over 5 minutes or \
                   more, so the true peak is higher.",
        references: &[
            "https://learn.microsoft.com/azure/nat-gateway/nat-gateway-snat",
            "https://learn.microsoft.com/azure/nat-gateway/nat-gateway-resource",
        ],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    each(ctx, "open connections", connections, |device, peak| {
        judge(ctx, device, peak)
    })
}

fn connections(device: &Device) -> Option<&Reading<Connections>> {
    match device {
        Device::NatGateway { connections, .. } => Some(connections),
        Device::LoadBalancer { .. } => None,
    }
}

fn judge(ctx: &Context<'_>, device: &Device, peak: &Connections) -> Outcome {
    let body = lookup(&ctx.facts.nat_gateways, device.id()).known(|| device.label());
    if let Err(missing) = body.and_then(|gateway| ctx.gateway_ips(gateway)) {
        return Outcome::missing(missing);
    }
    match short_of_addresses(ctx, device) {
        None => Outcome::passed(),
        Some(short) => Outcome::found(finding(ctx, device, peak, &short)),
    }
}

fn finding(ctx: &Context<'_>, device: &Device, peak: &Connections, short: &Short) -> Finding {
    let ports = short
        .now
        .saturating_mul(u64::from(NAT_GATEWAY_PORTS_PER_IP));
    // Rounded to the nearest.
    let percent = short.peak.saturating_mul(100).saturating_add(ports / 2) / ports.max(1);
    let confidence = if short.peak > ports {
        Confidence::Likely
    } else {
        Confidence::Possible
    };
    let found = RULE
        .finding(format!(
            "NAT gateway {} had {} connections open at a time, {percent} % of the ports of {}",
            device.id().name(),
            short.peak,
            addresses(short.now)
        ))
        .confidence(confidence)
        .seen(peak.at)
        .explain("Each address holds 50,000 connections to one destination at most. If most of these go to one place, new ones to it fail.")
        .evidence(
            format!("{NAT_TOTAL}, most at a time, at {}", peak.at),
            Some(device.id()),
            Some(short.peak.to_string()),
        )
        .evidence(
            "outbound addresses that the gateway has, and that the peak needs",
            Some(device.id()),
            Some(format!("{} of {}", short.now, short.needed)),
        )
        .resource(device.id());
    changes(ctx, device)
        .iter()
        .map(Change::remediation)
        .fold(found, Finding::fix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::MetricAggregation::Total;
    use crate::facts::{Datum, Facts};
    use crate::testing::{
        codes, denied, load_balancer, metric, nat_gateway, nat_id, outcome, public_ip_id, series,
        set_metric,
    };

    fn open(peak: f64) -> Facts {
        let mut facts = nat_gateway();
        let points = vec![series(&[], &[100.0, peak])];
        set_metric(&mut facts, &nat_id("ng1"), NAT_TOTAL, metric(Total, points));
        facts
    }

    #[test]
    fn r6_37_fires_at_95_percent_of_an_address() {
        let found = outcome(&RULE, &open(61_286.0));
        assert_eq!(codes(&found), ["NAT110"]);
        let found = &found.findings[0];
        assert!(
            found
                .title
                .ends_with("95 % of the ports of 1 outbound address"),
            "{}",
            found.title
        );
        assert_eq!(found.confidence, Confidence::Possible);
        assert!(
            found.remediation[0]
                .summary
                .contains("2 outbound addresses in place of 1")
        );
    }

    #[test]
    fn r1_40_fires_likely_beyond_all_ports() {
        let found = outcome(&RULE, &open(64_513.0));
        assert_eq!(found.findings[0].confidence, Confidence::Likely);
    }

    #[test]
    fn r1_42_does_not_fire() {
        assert_eq!(outcome(&RULE, &open(50_000.0)), Outcome::passed());
        assert_eq!(codes(&outcome(&RULE, &open(50_001.0))), ["NAT110"]);
        assert!(outcome(&RULE, &load_balancer()).not_applicable.is_some());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = open(61_286.0);
        let no = || denied("Microsoft.Network/publicIPAddresses/read");
        facts.public_ips.insert(public_ip_id("nat-1"), no());
        assert_eq!(outcome(&RULE, &facts).missing.len(), 1);
        let mut facts = nat_gateway();
        let empty: Datum<_> = metric(Total, Vec::new());
        set_metric(&mut facts, &nat_id("ng1"), NAT_TOTAL, empty);
        assert!(outcome(&RULE, &facts).is_open());
    }
}
