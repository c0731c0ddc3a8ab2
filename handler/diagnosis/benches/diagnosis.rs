//! The whole diagnosis, facts to report, of clusters with ten pools. Run with `--features testing`.

#![allow(clippy::print_stdout, reason = "figures are what a bench is for")]
#![allow(
    missing_docs,
    reason = "criterion's macros make an undocumented public function"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use egress_diagnosis::diagnose;
use egress_diagnosis::facts::{
    Access, AgentPool, ApplicationRule, ApplicationTarget, Datum, EgressEndpoint, Facts,
    NetworkRule, PoolSubnets, RuleAction, RuleCollectionRules, Subnet,
};
use egress_diagnosis::testing;

const LIMIT: Duration = Duration::from_millis(2);

/// Ten pools of three nodes, each in a subnet of its own like `nodes`, with ten security rules each.
fn ten_pools(mut facts: Facts) -> Facts {
    let model = testing::subnet_mut(&mut facts, "nodes").clone();
    let sets = facts.scale_sets.as_known().cloned().unwrap_or_default();
    let mut pools: Vec<AgentPool> = Vec::new();
    let mut scale_sets = Vec::new();
    facts.pool_subnets.clear();
    for n in 0..10 {
        let name = if n == 0 {
            "system".to_owned()
        } else {
            format!("pool{n}")
        };
        let subnet = Subnet {
            id: testing::subnet_id(&name),
            address_prefixes: vec![format!("10.0.{}.0/24", 100 + n)],
            ..model.clone()
        };
        let used = PoolSubnets {
            node: Datum::Known(subnet.id.clone()),
            pod: None,
        };
        facts.pool_subnets.insert(name.clone(), used);
        pools.push(AgentPool {
            vnet_subnet_id: Some(subnet.id.clone()),
            ..testing::pool(&name, 3)
        });
        scale_sets.extend(sets.first().cloned().map(|mut set| {
            set.pool_name = Some(name.clone());
            set.subnet_ids = vec![subnet.id.clone()];
            set
        }));
        facts
            .subnets
            .insert(subnet.id.clone(), Datum::Known(subnet));
        let rule = |n: u32| {
            let destination = format!("10.{n}.0.0/16");
            let access = if n.is_multiple_of(2) {
                Access::Allow
            } else {
                Access::Deny
            };
            testing::security_rule(
                &format!("r{n}"),
                100 + n,
                access,
                "Tcp",
                &destination,
                "443",
            )
        };
        testing::subnet_nsg(&mut facts, &name, (20..30).map(rule).collect());
    }
    facts.agent_pools = Datum::Known(pools);
    facts.scale_sets = Datum::Known(scale_sets);
    facts
}

/// Type loadBalancer, with six hours of SNAT port figures of thirty nodes.
fn load_balancer() -> Facts {
    let mut facts = ten_pools(testing::load_balancer());
    let nodes: Vec<String> = (0..30)
        .map(|n| format!("10.0.{}.{}", 100 + n / 3, 4 + n % 3))
        .collect();
    let used: Vec<f64> = (0..360).map(|minute| f64::from(minute % 90)).collect();
    let full = vec![1024.0; 360];
    for (name, values) in [("UsedSnatPorts", &used), ("AllocatedSnatPorts", &full)] {
        let nodes: Vec<(&str, &[f64])> = nodes
            .iter()
            .map(|node| (node.as_str(), values.as_slice()))
            .collect();
        let metric = testing::port_series(&nodes);
        testing::set_metric(&mut facts, &testing::lb_id(), name, metric);
    }
    facts
}

/// Type userDefinedRouting through a firewall with a hundred rules, and thirty required endpoints.
fn firewalled() -> Facts {
    let mut facts = ten_pools(testing::firewalled());
    let endpoint = |n: u32| EgressEndpoint {
        category: "images".to_owned(),
        domain_name: format!("host{n}.example"),
        port: Some(443),
        protocol: Some("Https".to_owned()),
        description: None,
    };
    facts.egress_endpoints = Datum::Known((0..30).map(endpoint).collect());
    let network = |n: u32| NetworkRule {
        name: format!("n{n}"),
        protocols: vec!["TCP".to_owned()],
        sources: vec!["10.0.0.0/8".to_owned()],
        destinations: vec![format!("20.{n}.0.0/16")],
        destination_ports: vec!["443".to_owned()],
        ..NetworkRule::default()
    };
    let application = |n: u32| ApplicationRule {
        name: format!("a{n}"),
        protocols: vec![("Https".to_owned(), Some(443))],
        sources: vec!["10.0.0.0/8".to_owned()],
        targets: vec![ApplicationTarget::Fqdn(format!("host{n}.example"))],
        ..ApplicationRule::default()
    };
    let tag = ApplicationRule {
        name: "aks".to_owned(),
        protocols: vec![("Https".to_owned(), Some(443))],
        sources: vec!["*".to_owned()],
        targets: vec![ApplicationTarget::FqdnTag(
            "AzureKubernetesService".to_owned(),
        )],
        ..ApplicationRule::default()
    };
    let rules = RuleCollectionRules {
        network: (0..50).map(network).collect(),
        application: (0..49).map(application).chain([tag]).collect(),
        ..RuleCollectionRules::default()
    };
    testing::firewall_rules(&mut facts, RuleAction::Allow, rules);
    facts
}

/// The fastest of many runs: what the work costs when nothing else takes the processor.
fn fastest(facts: &Facts) -> Duration {
    (0..200)
        .map(|_| {
            let start = Instant::now();
            black_box(diagnose(black_box(facts)));
            start.elapsed()
        })
        .min()
        .unwrap_or(Duration::MAX)
}

fn diagnosis(c: &mut Criterion) {
    let mut group = c.benchmark_group("ten pools");
    group.sample_size(20);
    let mut taken = Vec::new();
    for (name, facts) in [
        ("load balancer", load_balancer()),
        ("firewall", firewalled()),
    ] {
        group.bench_function(name, |b| b.iter(|| black_box(diagnose(black_box(&facts)))));
        taken.push((name, fastest(&facts)));
    }
    group.finish();
    for (name, taken) in taken {
        println!("ten pools/{name}: fastest {taken:?}");
        assert!(taken < LIMIT, "{name}: {taken:?} is not under {LIMIT:?}");
    }
}

criterion_group!(benches, diagnosis);
criterion_main!(benches);
