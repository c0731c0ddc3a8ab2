//! What the rules about an Azure Firewall's metrics share.

use super::Outcome;
use super::appliance::Appliance;
use super::snt_addresses::create_ip;
use super::snt_change::Change;
use crate::commands::Az;
use crate::context::{Context, FirewallUse};
use crate::facts::{AzureFirewall, Id, Missing, lookup};
use crate::snat::metric::whole;
use crate::snat::recommend::{firewall_ips, firewall_ports};

/// Runs `judge` on every Azure Firewall that a default route leads to.
pub(super) fn each(ctx: &Context<'_>, judge: impl Fn(&FirewallUse) -> Outcome) -> Outcome {
    if ctx.stopped() {
        return Outcome::not_applicable("the cluster is not running");
    }
    let mut outcome = Outcome::passed();
    // An owner that could not be read may be a firewall.
    for appliance in Appliance::all(ctx) {
        outcome.missing.extend(appliance.owner.err());
    }
    outcome.missing.extend(ctx.subnets.missing());
    if ctx.snat.firewalls.is_empty() && !outcome.is_open() {
        return Outcome::not_applicable("no default route leads to an Azure Firewall");
    }
    for firewall in &ctx.snat.firewalls {
        outcome.absorb(judge(firewall));
    }
    outcome
}

/// Pools whose traffic goes through the firewall.
pub(super) fn pools<'f>(ctx: &Context<'f>, firewall: &Id) -> Vec<&'f str> {
    ctx.paths
        .iter()
        .filter(|path| crate::context::owning_firewall(ctx.facts, path) == Some(firewall))
        .flat_map(|path| path.used.pools.iter().copied())
        .collect()
}

/// Addresses of a firewall; the error says what is missing to count them.
pub(super) fn addresses_of(ctx: &Context<'_>, id: &Id) -> Result<(u64, bool), Missing> {
    let body =
        lookup(&ctx.facts.firewalls, id).known(|| format!("Azure Firewall {}", id.name()))?;
    let count = body.public_ip_ids.len().max(body.hub_public_ips.len());
    Ok((
        u64::try_from(count).unwrap_or(u64::MAX),
        body.virtual_hub_id.is_some(),
    ))
}

/// More addresses for a firewall whose SNAT ports run out at this utilisation (R5.33, R6.38, R9.12).
pub(crate) fn more_addresses(ctx: &Context<'_>, id: &Id, percent: f64) -> Option<Change> {
    let body = lookup(&ctx.facts.firewalls, id).as_known()?;
    let (now, in_hub) = addresses_of(ctx, id).ok()?;
    let name = id.name();
    let mut change = Change {
        summary: String::new(),
        ports: None,
        ips: None,
        nat_gateway: false,
        why: String::new(),
        trade_off: "The egress set grows; a NAT gateway on AzureFirewallSubnet gives 64,512 ports per address in place of 2,496 per address and instance".to_owned(),
        commands: Vec::new(),
        side_effects: vec![
            "The new addresses join the egress set: authorized IP ranges and allow-lists elsewhere must know all of them first".to_owned(),
        ],
        undo: Vec::new(),
    };
    let Some(wanted) = firewall_ips(now, whole(percent.ceil())) else {
        change.summary = format!(
            "Put a NAT gateway on AzureFirewallSubnet of {name}: it has nearly all the addresses that a firewall takes"
        );
        change.nat_gateway = true;
        return Some(change);
    };
    change.summary =
        format!("Give Azure Firewall {name} {wanted} public addresses in place of {now}");
    change.ips = Some(wanted);
    change.why = format!(
        "{percent:.0} % of the ports of {now} are at most three quarters of those of {}; Azure advises 5 more at least. With the two instances that a firewall always has, {wanted} give {} ports to one destination",
        now.saturating_mul(whole(percent.ceil())).div_ceil(75),
        firewall_ports(wanted, 2)
    );
    if in_hub {
        let count = |n| {
            Az::new("network firewall update")
                .opt("--ids", id.as_str())
                .number("--public-ip-count", n)
                .build()
        };
        change.commands.push(count(wanted));
        change.undo.push(count(now));
    } else {
        of_network(ctx, body, now, wanted, &mut change);
    }
    Some(change)
}

/// Each address of a firewall in a virtual network is created, then put on the firewall.
fn of_network(ctx: &Context<'_>, body: &AzureFirewall, now: u64, wanted: u64, change: &mut Change) {
    let id = &body.id;
    let more = wanted.saturating_sub(now);
    if more > 8 {
        change.side_effects.push(format!(
            "Create {more} addresses and put each on the firewall with `az network firewall ip-config create`"
        ));
        return;
    }
    let group = |verb: &str| Az::beside(verb, id).opt("--firewall-name", id.name());
    for number in now.saturating_add(1)..=wanted {
        let name = format!("{}-ip-{number}", id.name());
        let address = id.beside("Microsoft.Network/publicIPAddresses", &name);
        change.commands.push(create_ip(ctx, &address));
        change.commands.push(
            group("network firewall ip-config create")
                .opt("--name", &name)
                .opt("--public-ip-address", address.as_str())
                .build(),
        );
        change.undo.push(
            group("network firewall ip-config delete")
                .opt("--name", &name)
                .build(),
        );
    }
}
