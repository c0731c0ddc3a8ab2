//! Commands that set a load balancer's outbound addresses and ports in one call (R9.1, R9.2).

use crate::commands::Az;
use crate::context::Context;
use crate::facts::{Id, LoadBalancerProfile};
use crate::snat::recommend::Proposal;

/// A list of commands longer than this is not for pasting.
const LISTED: u64 = 16;

/// Commands, what they disturb and how to undo them.
#[derive(Debug, Default)]
pub(super) struct Script {
    pub(super) commands: Vec<String>,
    pub(super) side_effects: Vec<String>,
    pub(super) undo: Vec<String>,
}

/// From `now` addresses to `wanted`; every call names the addresses too, because AKS takes the call as the whole wish.
pub(super) fn set(ctx: &Context<'_>, wanted: Proposal, now: u64, explicit_before: u32) -> Script {
    let more = wanted.ips.saturating_sub(now);
    let profile = ctx.network().and_then(|n| n.load_balancer_profile.as_ref());
    let mut script = Script::default();
    if wanted.ports != explicit_before {
        script
            .side_effects
            .push("Azure hands the ports out anew: open outbound connections can drop".to_owned());
    }
    if more > 0 {
        script.side_effects.push(
            "The new addresses join the egress set: authorized IP ranges and allow-lists elsewhere must know them first"
                .to_owned(),
        );
    }
    let own = profile.filter(|p| !p.outbound_ips.is_empty() || !p.outbound_ip_prefixes.is_empty());
    if let Some(own) = own {
        return of_own(ctx, wanted, more, explicit_before, own, script);
    }
    let update = |ips: u64, ports: u32| {
        with_ip_count(ctx, ctx.az_aks("update"), ips)
            .number("--load-balancer-outbound-ports", u64::from(ports))
            .build()
    };
    script.commands.push(update(wanted.ips, wanted.ports));
    script.undo.push(update(now, explicit_before));
    script
}

/// The caller's own addresses: new ones are created first, then the whole list is named (R9.1).
fn of_own(
    ctx: &Context<'_>,
    wanted: Proposal,
    more: u64,
    explicit_before: u32,
    own: &LoadBalancerProfile,
    mut script: Script,
) -> Script {
    let update = |ips: &[String], prefixes: &[String], ports: u32| {
        let command = ctx.az_aks("update");
        let command = list(command, "--load-balancer-outbound-ips", ips);
        list(command, "--load-balancer-outbound-ip-prefixes", prefixes)
            .number("--load-balancer-outbound-ports", u64::from(ports))
            .build()
    };
    let texts =
        |ids: &[Id]| -> Vec<String> { ids.iter().map(|id| id.as_str().to_owned()).collect() };
    let (mut ips, mut prefixes) = (texts(&own.outbound_ips), texts(&own.outbound_ip_prefixes));
    script.undo.push(update(&ips, &prefixes, explicit_before));
    if more > LISTED {
        script.side_effects.push(format!(
            "The outbound addresses are your own: create {more} more and name the full list in the same call"
        ));
        return script;
    }
    if let Some(model) = own.outbound_ips.first() {
        for number in 1..=more {
            let id = model.beside(
                "Microsoft.Network/publicIPAddresses",
                &format!("{}-snat-{number}", model.name()),
            );
            script.commands.push(create_ip(ctx, &id));
            ips.push(id.as_str().to_owned());
        }
    } else if let Some(model) = own.outbound_ip_prefixes.first()
        && more > 0
    {
        // A prefix holds 2 to 16 addresses.
        let length = 32 - more.next_power_of_two().max(2).ilog2();
        let id = model.beside(
            "Microsoft.Network/publicIPPrefixes",
            &format!("{}-snat", model.name()),
        );
        script.commands.push(
            placed(ctx, "network public-ip prefix create", &id)
                .number("--length", u64::from(length))
                .build(),
        );
        prefixes.push(id.as_str().to_owned());
    }
    script.commands.push(update(&ips, &prefixes, wanted.ports));
    script
}

fn list(command: Az, option: &str, values: &[String]) -> Az {
    if values.is_empty() {
        command
    } else {
        command.opt(option, &values.join(","))
    }
}

fn placed(ctx: &Context<'_>, verb: &str, id: &Id) -> Az {
    create_beside(ctx, verb, id, id.name())
}

/// A command that creates something for the cluster's nodes beside a resource: in the cluster's region, which is that of
/// its network. Without `--location` it would be created in the resource group's.
pub(super) fn create_beside(ctx: &Context<'_>, verb: &str, beside: &Id, name: &str) -> Az {
    Az::beside(verb, beside)
        .opt("--name", name)
        .opts("--location", ctx.cluster().location.as_deref())
}

/// `az network public-ip create` for a Standard address with this id.
pub(super) fn create_ip(ctx: &Context<'_>, id: &Id) -> String {
    placed(ctx, "network public-ip create", id)
        .opt("--sku", "Standard")
        .build()
}

/// The managed address count, with the IPv6 count that dual stack needs in the same call (R1.31).
fn with_ip_count(ctx: &Context<'_>, command: Az, ips: u64) -> Az {
    let command = command.number("--load-balancer-managed-outbound-ip-count", ips);
    let v6 = ctx
        .network()
        .and_then(|n| n.load_balancer_profile.as_ref())
        .and_then(|p| p.managed_outbound_ipv6_count)
        .filter(|count| *count > 0);
    match v6 {
        Some(count) => command.number(
            "--load-balancer-managed-outbound-ipv6-count",
            u64::from(count),
        ),
        None => command,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Facts;
    use crate::testing::{load_balancer, network_mut, public_ip_id};

    fn script(facts: &Facts, ips: u64) -> Script {
        let ctx = Context::new(facts);
        set(&ctx, Proposal { ports: 1368, ips }, 1, 0)
    }

    fn profile(facts: &mut Facts) -> &mut LoadBalancerProfile {
        network_mut(facts).load_balancer_profile.as_mut().unwrap()
    }

    #[test]
    fn r9_2_managed_addresses_and_ports_go_in_one_call() {
        let script = script(&load_balancer(), 2);
        assert_eq!(script.commands.len(), 1);
        assert!(script.commands[0].ends_with(
            "--load-balancer-managed-outbound-ip-count 2 --load-balancer-outbound-ports 1368"
        ));
        assert!(script.undo[0].ends_with(
            "--load-balancer-managed-outbound-ip-count 1 --load-balancer-outbound-ports 0"
        ));
        assert_eq!(script.side_effects.len(), 2);
    }

    #[test]
    fn r1_31_dual_stack_names_the_ipv6_count() {
        let mut facts = load_balancer();
        profile(&mut facts).managed_outbound_ipv6_count = Some(1);
        let script = script(&facts, 2);
        assert!(script.commands[0].contains("--load-balancer-managed-outbound-ipv6-count 1"));
    }

    #[test]
    fn r9_1_own_addresses_are_created_and_the_whole_list_is_named() {
        let mut facts = load_balancer();
        profile(&mut facts).outbound_ips = vec![public_ip_id("mine")];
        let same = script(&facts, 1);
        assert_eq!(same.commands.len(), 1);
        assert!(
            same.commands[0]
                .contains("/publicIPAddresses/mine --load-balancer-outbound-ports 1368")
        );
        let two = script(&facts, 3);
        assert_eq!(two.commands.len(), 3);
        assert!(two.commands[0].contains("public-ip create"));
        assert!(two.commands[0].contains("--name mine-snat-1"));
        let list = two.commands[2]
            .split("--load-balancer-outbound-ips ")
            .nth(1)
            .unwrap();
        let list = list.split(' ').next().unwrap();
        assert_eq!(list.split(',').count(), 3);
        assert!(two.undo[0].contains("/publicIPAddresses/mine --load-balancer-outbound-ports 0"));
    }

    #[test]
    fn r9_1_own_prefixes_grow_by_a_prefix() {
        let mut facts = load_balancer();
        profile(&mut facts).outbound_ip_prefixes = vec![public_ip_id("pre")];
        for (ips, length) in [(2, 31), (3, 31), (4, 30), (17, 28)] {
            let script = script(&facts, ips);
            assert!(
                script.commands[0].ends_with(&format!("--length {length}")),
                "{ips}"
            );
            assert!(script.commands[1].contains("--load-balancer-outbound-ip-prefixes "));
        }
    }
}
