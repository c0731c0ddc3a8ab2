//! What to change about a NAT gateway, and how to move to one (R6.37, R9.3–R9.6).

use super::snt_addresses::{create_beside, create_ip};
use super::snt_change::Change;
use super::snt_fix::addresses;
use crate::commands::{Az, quote};
use crate::context::{Context, Device};
use crate::facts::{Id, NatGateway, OutboundType, lookup};
use crate::report::Remediation;
use crate::snat::recommend::{MAX_GATEWAY_IPS, gateway_ips};

/// Changes for a NAT gateway whose addresses do not do; none while it or its addresses cannot be read.
pub(crate) fn changes(ctx: &Context<'_>, device: &Device) -> Vec<Change> {
    let Device::NatGateway {
        id,
        failures,
        connections,
        ..
    } = device
    else {
        return Vec::new();
    };
    let Some(gateway) = lookup(&ctx.facts.nat_gateways, id).as_known() else {
        return Vec::new();
    };
    let Ok(now) = ctx.gateway_ips(gateway) else {
        return Vec::new();
    };
    let peak = connections.known().map(|c| c.peak);
    let failing = failures.known().is_some_and(|f| f.total > 0);
    let needed = peak.map_or(1, gateway_ips);
    // Failures say that the addresses do not do, whatever the count says.
    let wanted = needed.max(if failing { now.saturating_add(1) } else { now });
    if wanted == now {
        return Vec::new();
    }
    let why = match peak {
        Some(peak) if needed > now => format!(
            "At {peak} open connections {} do: 64,512 ports each, and 50,000 connections each to one destination; how many go to one destination is not measured, so this takes all of them",
            addresses(needed)
        ),
        _ => "Each address adds 64,512 ports that all nodes share, and 50,000 connections to one destination".to_owned(),
    };
    vec![grow(ctx, gateway, now, wanted, why)]
}

fn grow(ctx: &Context<'_>, gateway: &NatGateway, now: u64, wanted: u64, why: String) -> Change {
    let name = gateway.id.name();
    let mut change = Change {
        summary: format!("Give NAT gateway {name} {} in place of {now}", addresses(wanted)),
        ports: None,
        ips: Some(wanted),
        nat_gateway: true,
        why,
        trade_off: "No port is handed out anew; the egress set grows".to_owned(),
        commands: Vec::new(),
        side_effects: vec![
            "The new addresses join the egress set: authorized IP ranges and allow-lists elsewhere must know them first".to_owned(),
        ],
        undo: Vec::new(),
    };
    if wanted > MAX_GATEWAY_IPS {
        change.summary = format!(
            "Split the subnets over several NAT gateways: {name} takes {MAX_GATEWAY_IPS} addresses at most, and {wanted} are needed"
        );
        change.ips = Some(wanted);
        return change;
    }
    if ctx.outbound_type() != Some(&OutboundType::UserAssignedNatGateway) {
        let count = |n| {
            ctx.az_aks("update")
                .number("--nat-gateway-managed-outbound-ip-count", n)
                .build()
        };
        change.commands.push(count(wanted));
        change.undo.push(count(now));
        return change;
    }
    let sku = gateway.sku.as_deref().unwrap_or("Standard");
    let mut created = Vec::new();
    for number in now.saturating_add(1)..=wanted {
        let new = format!("{name}-ip-{number}");
        let command =
            create_beside(ctx, "network public-ip create", &gateway.id, &new).opt("--sku", sku);
        let zones = gateway.zones.iter().map(String::as_str);
        change.commands.push(command.opts("--zone", zones).build());
        created.push(new);
    }
    let update = |extra: &[String]| {
        let start = in_group(gateway, "network nat gateway update", name).build();
        let ips = gateway.public_ips.iter().map(Id::as_str);
        let list: Vec<String> = ips
            .chain(extra.iter().map(String::as_str))
            .map(quote)
            .collect();
        format!("{start} --public-ip-addresses {}", list.join(" "))
    };
    change.commands.push(update(&created));
    if !gateway.public_ips.is_empty() {
        change.undo.push(update(&[]));
    }
    change
}

fn in_group(gateway: &NatGateway, verb: &str, name: &str) -> Az {
    Az::beside(verb, &gateway.id).opt("--name", name)
}

/// A shorter TCP idle timeout, where it is above 4 minutes (R9.3).
pub(super) fn shorter_idle_timeout(ctx: &Context<'_>, device: &Device) -> Option<Remediation> {
    let gateway = lookup(&ctx.facts.nat_gateways, device.id()).as_known()?;
    let minutes = gateway
        .idle_timeout_minutes
        .filter(|minutes| *minutes > 4)?;
    let update = |minutes: u32| {
        if ctx.outbound_type() == Some(&OutboundType::UserAssignedNatGateway) {
            in_group(gateway, "network nat gateway update", gateway.id.name())
                .number("--idle-timeout", u64::from(minutes))
                .build()
        } else {
            ctx.az_aks("update")
                .number("--nat-gateway-idle-timeout", u64::from(minutes))
                .build()
        }
    };
    Some(
        Remediation::new(format!("Shorten the idle timeout from {minutes} to 4 minutes, so that ports of dead connections return sooner"))
            .command(update(4))
            .side_effect("Connections that are idle for 4 minutes are reset: use keep-alives on those")
            .undo(update(minutes)),
    )
}

/// A NAT gateway in place of the load balancer, sized for what the nodes used together.
pub(super) fn move_there(ctx: &Context<'_>, device: &Device) -> Change {
    let ports = device.ports().and_then(|ports| ports.known());
    let together = ports.map(|p| p.nodes.iter().map(|n| u64::from(n.used_peak)).sum());
    move_to_one(ctx, together)
}

/// A NAT gateway in place of the load balancer for so many connections at a time (R9.5, R9.6). A cluster in a network that
/// AKS manages can only have a managed one, a cluster in its own network only its own (R1.70–R1.72).
pub(super) fn move_to_one(ctx: &Context<'_>, connections: Option<u64>) -> Change {
    let ips = connections.map_or(1, gateway_ips).min(MAX_GATEWAY_IPS);
    let mut change = Change {
        summary: "Move to a NAT gateway, which hands its ports out on demand to whichever node needs them".to_owned(),
        ports: None,
        ips: Some(ips),
        nat_gateway: true,
        why: String::new(),
        trade_off: "Ends port allocation per node for good; every egress address changes".to_owned(),
        commands: Vec::new(),
        side_effects: vec![
            "Open outbound connections break and the egress addresses change: authorized IP ranges and allow-lists elsewhere must know the new ones first".to_owned(),
        ],
        undo: Vec::new(),
    };
    let own_network = match ctx.pools() {
        Ok(pools) => pools.iter().any(|pool| pool.vnet_subnet_id.is_some()),
        Err(_) => return change,
    };
    if !own_network {
        change.commands.push(
            ctx.az_aks("update")
                .opt("--outbound-type", "managedNATGateway")
                .number("--nat-gateway-managed-outbound-ip-count", ips)
                .build(),
        );
        change.side_effects.push(
            "Azure's documents disagree on whether the way back to the load balancer is open"
                .to_owned(),
        );
        return change;
    }
    let cluster = ctx.cluster();
    let gateway = cluster.id.beside(
        "Microsoft.Network/natGateways",
        &format!("{}-nat", cluster.name),
    );
    let created: Vec<Id> = (1..=ips)
        .map(|n| {
            let name = format!("{}-nat-{n}", cluster.name);
            cluster
                .id
                .beside("Microsoft.Network/publicIPAddresses", &name)
        })
        .collect();
    change
        .commands
        .extend(created.iter().map(|id| create_ip(ctx, id)));
    change.commands.push(
        create_beside(ctx, "network nat gateway create", &gateway, gateway.name())
            .opts("--public-ip-addresses", created.iter().map(Id::name))
            .number("--idle-timeout", 4)
            .build(),
    );
    let subnet = |id: &Id| Az::new("network vnet subnet update").opt("--ids", id.as_str());
    let subnets = || ctx.subnets.uses.iter().map(|used| used.id);
    change
        .commands
        .extend(subnets().map(|id| subnet(id).opt("--nat-gateway", gateway.as_str()).build()));
    let outbound = |word: &str| ctx.az_aks("update").opt("--outbound-type", word).build();
    change.commands.push(outbound("userAssignedNATGateway"));
    change
        .undo
        .extend(subnets().map(|id| format!("{} --remove natGateway", subnet(id).build())));
    change.undo.push(outbound("loadBalancer"));
    change
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::MetricAggregation::Total;
    use crate::snat::gateway::NAT_TOTAL;
    use crate::testing::{load_balancer, nat_gateway, nat_id, nat_mut, pools_mut, set_metric};
    use crate::testing::{metric, series};

    fn at(peak: f64) -> Vec<Change> {
        let mut facts = nat_gateway();
        let points = vec![series(&[], &[peak])];
        set_metric(&mut facts, &nat_id("ng1"), NAT_TOTAL, metric(Total, points));
        let ctx = Context::new(&facts);
        changes(&ctx, &ctx.snat.devices[0])
    }

    #[test]
    fn r6_37_the_gateway_grows_to_what_the_peak_needs() {
        assert_eq!(at(50_000.0), []);
        let three = at(120_000.0);
        assert_eq!(three[0].ips, Some(3));
        // Two addresses are created, then all three are named.
        assert_eq!(three[0].commands.len(), 3);
        assert!(three[0].commands[2].ends_with("/nat-1 ng1-ip-2 ng1-ip-3"));
        assert!(three[0].undo[0].ends_with("/nat-1"));
        let split = &at(900_000.0)[0];
        assert!(split.summary.starts_with("Split the subnets"));
        assert!(split.commands.is_empty());
    }

    #[test]
    fn r9_4_a_managed_gateway_takes_a_count() {
        let mut facts = nat_gateway();
        crate::testing::network_mut(&mut facts).outbound_type =
            Some(OutboundType::ManagedNatGateway);
        let points = vec![series(&[], &[120_000.0])];
        set_metric(&mut facts, &nat_id("ng1"), NAT_TOTAL, metric(Total, points));
        let ctx = Context::new(&facts);
        let found = changes(&ctx, &ctx.snat.devices[0]);
        assert!(found[0].commands[0].ends_with("--nat-gateway-managed-outbound-ip-count 3"));
        assert!(found[0].undo[0].ends_with("--nat-gateway-managed-outbound-ip-count 1"));
    }

    #[test]
    fn r1_45_a_zonal_gateway_gets_addresses_of_its_zone() {
        let mut facts = nat_gateway();
        nat_mut(&mut facts, "ng1").zones = vec!["2".into()];
        let points = vec![series(&[], &[60_000.0])];
        set_metric(&mut facts, &nat_id("ng1"), NAT_TOTAL, metric(Total, points));
        let ctx = Context::new(&facts);
        assert!(changes(&ctx, &ctx.snat.devices[0])[0].commands[0].ends_with("--zone 2"));
    }

    #[test]
    fn r1_72_a_cluster_moves_to_the_kind_of_gateway_that_its_network_allows() {
        let mut facts = load_balancer();
        let own = move_to_one(&Context::new(&facts), Some(70_000));
        assert!(
            own.commands
                .last()
                .unwrap()
                .ends_with("--outbound-type userAssignedNATGateway")
        );
        // Two addresses, the gateway, the one subnet, the cluster.
        assert_eq!(own.commands.len(), 5);
        assert!(own.commands[3].contains("subnet update"));
        for pool in pools_mut(&mut facts) {
            pool.vnet_subnet_id = None;
        }
        let managed = move_to_one(&Context::new(&facts), Some(70_000));
        assert!(managed.commands[0].ends_with(
            "--outbound-type managedNATGateway --nat-gateway-managed-outbound-ip-count 2"
        ));
    }
}
