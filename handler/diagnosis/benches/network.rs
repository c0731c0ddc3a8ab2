//! 200 endpoints × a policy of 10,000 rules × 10 subnets, plus 1,000 security rules; and the same at a tenth of the
//! rules, to see the growth.

#![allow(
    missing_docs,
    reason = "criterion's macros make an undocumented public function"
)]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use egress_diagnosis::facts::{
    Access, ApplicationRule, ApplicationTarget, AzureFirewall, Datum, Direction, FirewallPolicy,
    Id, NetworkRule, Nsg, RuleAction, RuleCollection, RuleCollectionGroup, RuleCollectionRules,
    SecurityRule,
};
use egress_diagnosis::network::firewall::{FirewallRules, FirewallView, FlowProtocol, Target};
use egress_diagnosis::network::nsg::{FlowClass, Level, SecurityRules};
use egress_diagnosis::network::{
    AddressSet, Family, OnPremises, PortSet, Protocol, ServiceTags, TagContext, VirtualNetworkSpace,
};

/// For all questions together.
const LIMIT: Duration = Duration::from_millis(50);

fn texts(text: &str) -> Vec<String> {
    vec![text.to_owned()]
}

fn address(n: usize) -> String {
    format!("20.{}.{}.0/24", n / 250 % 250, n % 250)
}

fn network_rule(n: usize) -> NetworkRule {
    NetworkRule {
        name: format!("n{n}"),
        protocols: texts("TCP"),
        sources: texts("10.0.0.0/8"),
        destinations: texts(&address(n)),
        // One in ten is for 443 and so must be looked at closely.
        destination_ports: texts(&if n.is_multiple_of(10) { 443 } else { 1000 + n }.to_string()),
        ..NetworkRule::default()
    }
}

fn application_rule(n: usize) -> ApplicationRule {
    let host = if n.is_multiple_of(5) {
        format!("*.zone{n}.example")
    } else {
        format!("host{n}.example")
    };
    ApplicationRule {
        name: format!("a{n}"),
        protocols: vec![("Https".to_owned(), Some(443))],
        sources: texts("10.0.0.0/8"),
        targets: vec![ApplicationTarget::Fqdn(host)],
        ..ApplicationRule::default()
    }
}

struct World {
    firewall: AzureFirewall,
    policies: BTreeMap<Id, Datum<FirewallPolicy>>,
    groups: BTreeMap<Id, Datum<Vec<RuleCollectionGroup>>>,
}

fn world(rules: usize) -> World {
    let id = Id::new("/policy");
    let collections = vec![RuleCollection {
        name: "c".to_owned(),
        priority: Some(100),
        action: Some(RuleAction::Allow),
        rules: RuleCollectionRules {
            network: (0..rules / 2).map(network_rule).collect(),
            application: (0..rules / 2).map(application_rule).collect(),
            ..RuleCollectionRules::default()
        },
    }];
    let group = RuleCollectionGroup {
        id: Id::new("/group"),
        priority: Some(100),
        collections,
    };
    let policy = FirewallPolicy {
        id: id.clone(),
        base_policy_id: None,
        threat_intel: None,
        threat_intel_allowed_fqdns: Vec::new(),
        dns_proxy: None,
        private_ranges: Vec::new(),
        tls_inspection: false,
    };
    World {
        firewall: AzureFirewall {
            id: Id::new("/firewall"),
            sku: None,
            tier: None,
            provisioning_state: None,
            private_ips: Vec::new(),
            public_ip_ids: Vec::new(),
            hub_public_ips: Vec::new(),
            subnet_id: None,
            virtual_hub_id: None,
            policy_id: Some(id.clone()),
            classic_collections: Vec::new(),
            threat_intel: None,
            private_ranges: Vec::new(),
            dns_proxy: None,
        },
        policies: BTreeMap::from([(id.clone(), Datum::Known(policy))]),
        groups: BTreeMap::from([(id, Datum::Known(vec![group]))]),
    }
}

fn nsg(rules: usize) -> Nsg {
    let rule = |n: usize| SecurityRule {
        name: format!("r{n}"),
        priority: u32::try_from(100 + n).unwrap_or(u32::MAX),
        direction: Some(Direction::Outbound),
        access: Some(if n.is_multiple_of(2) {
            Access::Allow
        } else {
            Access::Deny
        }),
        protocol: "Tcp".to_owned(),
        sources: texts("*"),
        source_asgs: Vec::new(),
        source_ports: texts("*"),
        destinations: texts(&address(n)),
        destination_asgs: Vec::new(),
        destination_ports: texts(&if n.is_multiple_of(10) { 443 } else { 1000 + n }.to_string()),
    };
    Nsg {
        id: Id::new("/nsg"),
        rules: (0..rules).map(rule).collect(),
        default_rules: Vec::new(),
        aks_managed: false,
    }
}

fn parsed(text: &str) -> AddressSet {
    AddressSet::parse_all([text]).unwrap_or_default()
}

fn firewall_part(world: &World, subnets: &[AddressSet], targets: &[Target]) -> usize {
    let none = BTreeMap::new();
    let no_tags = BTreeMap::new();
    let rules = FirewallRules::new(&FirewallView {
        firewall: &world.firewall,
        policies: &world.policies,
        groups: &world.groups,
        ip_groups: &none,
        tags: &ServiceTags::unknown(),
        fqdn_tags: &no_tags,
    });
    targets
        .iter()
        .map(|target| {
            let question = rules.ask(target);
            let parts = subnets.iter().map(|subnet| question.answer(subnet).len());
            parts.sum::<usize>()
        })
        .sum()
}

fn nsg_part(nsg: &Nsg, subnets: &[AddressSet], tags: &TagContext) -> usize {
    let rules = SecurityRules::new(nsg, Level::Subnet, Direction::Outbound, tags);
    subnets
        .iter()
        .map(|subnet| {
            let everywhere = AddressSet::public().of(Family::V4);
            let class =
                FlowClass::new(subnet.clone(), everywhere, Protocol::Tcp, PortSet::one(443));
            rules.evaluate(class).len()
        })
        .sum()
}

/// The fastest of some runs: what the work costs when nothing else takes the processor.
fn fastest<T>(work: impl Fn() -> T) -> Duration {
    (0..20)
        .map(|_| {
            let start = Instant::now();
            black_box(work());
            start.elapsed()
        })
        .min()
        .unwrap_or(Duration::MAX)
}

fn network(c: &mut Criterion) {
    let subnets: Vec<AddressSet> = (0..10).map(|n| parsed(&format!("10.{n}.0.0/16"))).collect();
    let targets: Vec<Target> = (0..200)
        .map(|n| {
            Target::host(
                &format!("host{}.example", n * 17 + 1),
                443,
                FlowProtocol::Https,
            )
        })
        .collect();
    let tags = TagContext {
        service_tags: ServiceTags::unknown(),
        space: VirtualNetworkSpace {
            own: parsed("10.0.0.0/8"),
            peered: AddressSet::empty(),
            routed: AddressSet::empty(),
            default_routes: Vec::new(),
            on_premises: OnPremises::Known(AddressSet::empty()),
            incomplete: false,
        },
        application_groups: BTreeMap::new(),
    };
    let mut group = c.benchmark_group("200 endpoints × 10 subnets");
    group.sample_size(10);
    let taken = [1_000, 10_000].map(|rules| {
        let world = world(rules);
        let nsg = nsg(rules / 10);
        group.bench_function(BenchmarkId::new("firewall", rules), |b| {
            b.iter(|| black_box(firewall_part(&world, &subnets, &targets)));
        });
        group.bench_function(BenchmarkId::new("security group", rules / 10), |b| {
            b.iter(|| black_box(nsg_part(&nsg, &subnets, &tags)));
        });
        fastest(|| firewall_part(&world, &subnets, &targets))
            + fastest(|| nsg_part(&nsg, &subnets, &tags))
    });
    group.finish();
    let [small, large] = taken;
    assert!(large < LIMIT, "{large:?} is not under {LIMIT:?}");
    // Close to linear in the rules.
    assert!(
        large < small * 12,
        "{small:?} grows to {large:?} at ten times the rules"
    );
}

criterion_group!(benches, network);
criterion_main!(benches);
