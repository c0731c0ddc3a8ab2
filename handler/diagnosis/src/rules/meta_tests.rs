//! Tests about the rules themselves.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::{RULES, find, index, page};
use crate::report::Severity::{self, Critical, High, Info, Low, Medium};

/// The catalogue's word on every implemented code: slug and worst severity.
const CATALOGUE: &[(&str, &str, Severity)] = &[
    ("CLS101", "cluster-not-running", High),
    ("CLS102", "cluster-not-succeeded", Medium),
    ("CLS103", "unknown-outbound-type", Info),
    ("CLS104", "basic-load-balancer", High),
    ("DNS101", "custom-dns", Info),
    ("DNS102", "custom-dns-unroutable", High),
    ("NSG101", "required-egress-denied", Critical),
    ("NSG102", "platform-dns-denied", Critical),
    ("NSG103", "instance-metadata-denied", High),
    ("NSG104", "custom-dns-denied", Critical),
    ("NSG105", "intra-cluster-denied", Critical),
    ("NSG106", "pod-cidr-denied", High),
    ("NSG107", "allow-list-missing-dependency", High),
    ("NSG108", "time-or-tunnel-denied", High),
    ("NSG109", "optional-egress-denied", Info),
    ("NSG110", "shadowed-allow", Low),
    ("NSG111", "undecidable-rule", Info),
    ("OUT101", "default-route-blackhole", Critical),
    ("OUT102", "load-balancer-bypassed", High),
    ("OUT103", "forced-tunnel", High),
    ("OUT104", "nat-overrides-load-balancer", Medium),
    ("OUT105", "mixed-egress", Medium),
    ("OUT106", "outbound-rule-missing", Critical),
    ("OUT107", "outbound-rule-drift", Medium),
    ("OUT108", "foreign-outbound-rule", Medium),
    ("OUT109", "outbound-ip-missing", Critical),
    ("UDR101", "no-route-table", Critical),
    ("UDR102", "no-default-route", Critical),
    ("UDR103", "default-route-to-internet", High),
    ("UDR104", "next-hop-unreachable", Critical),
    ("UDR105", "next-hop-in-node-subnet", High),
    ("UDR106", "pools-route-differently", High),
    ("UDR107", "asymmetric-ingress", High),
    ("UDR108", "nat-unused-behind-appliance", Info),
    ("UDR109", "gateway-routes-suppressed", Critical),
    ("UDR110", "split-default-route", Medium),
    ("UDR111", "no-ipv6-default-route", Medium),
    ("UDR112", "kubenet-route-table-altered", Critical),
    ("UDR113", "kubenet-route-table-shared", Critical),
    ("FWL101", "appliance-forwarding-off", Critical),
    ("FWL102", "appliance-not-running", Critical),
    ("FWL103", "firewall-not-serving", Critical),
    ("FWL104", "next-hop-not-the-firewall", Critical),
    ("FWL105", "next-hop-owner-unknown", Medium),
    ("FWL106", "internal-load-balancer-down", Critical),
    ("FWL107", "internal-load-balancer-no-ha-ports", High),
    ("FWL108", "required-endpoint-denied", Critical),
    ("FWL109", "firewall-source-gap", High),
    ("FWL110", "fqdn-network-rule-without-dns-proxy", High),
    ("FWL111", "firewall-never-snats", Critical),
    ("FWL112", "api-server-address-not-allowed", Medium),
    ("FWL113", "tls-inspection-on-api-server", High),
    ("FWL114", "retired-mirror-only", High),
    ("FWL116", "firewall-unhealthy", High),
    ("NAT101", "subnet-not-associated", Critical),
    ("NAT102", "no-outbound-address", Critical),
    ("NAT103", "gateway-not-succeeded", Critical),
    ("NAT104", "gateway-bypassed", High),
    ("NAT105", "pod-subnet-not-associated", High),
    ("NAT106", "managed-gateway-in-own-vnet", High),
    ("NAT107", "zone-mismatch", Medium),
    ("OUT110", "node-public-ip-egress", Info),
    ("OUT111", "default-outbound-access", High),
    ("OUT112", "no-egress-method", Critical),
    ("OUT113", "isolation-hole", High),
    ("OUT114", "isolated-without-cache", Critical),
    ("OUT115", "block-in-own-vnet", High),
    ("OUT116", "internet-routes-on-private-subnet", High),
    ("OUT117", "static-egress-gateway", Info),
    ("SNT101", "connections-failing", Critical),
    ("SNT102", "ports-exhausted", High),
    ("SNT103", "ports-nearly-exhausted", Medium),
    ("NAT108", "datapath-degraded", High),
    ("NAT109", "packets-dropped", Medium),
    ("NAT110", "gateway-undersized", Medium),
    ("FWL115", "firewall-snat-pressure", Critical),
    ("FWL117", "few-firewall-addresses", Medium),
    ("SNT105", "scale-out-will-be-rejected", High),
    ("SNT104", "port-cliff", Medium),
    ("SNT106", "capacity-nearly-committed", Low),
    ("SNT107", "hot-node", Info),
    ("SNT108", "no-traffic-seen", Info),
    ("SNT109", "idle-timeout-risk", Low),
    ("SNT110", "allocation-drift", Medium),
    ("NOD107", "node-not-ready", High),
    ("NOD101", "node-cpu-pressure", Medium),
    ("NOD102", "node-memory-pressure", Medium),
    ("NOD103", "node-disk-space", Medium),
    ("NOD104", "os-disk-throttled", High),
    ("NOD105", "vm-disk-cap", Medium),
    ("NOD106", "small-managed-os-disk", Low),
    ("NOD108", "advisor-recommendation", Info),
    ("API101", "authorized-ranges-exclude-egress", Critical),
    ("API102", "http-proxy-configured", Info),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/rules")
}

/// Files named like a code, e.g. `nat101`.
fn rule_files() -> BTreeSet<String> {
    fs::read_dir(folder())
        .unwrap()
        .map(|entry| {
            entry
                .unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        })
        .filter(|stem| stem.len() == 6 && stem.bytes().skip(3).all(|b| b.is_ascii_digit()))
        .collect()
}

#[test]
fn every_rule_file_is_in_the_registry_and_every_rule_has_a_file() {
    let registered: BTreeSet<String> = RULES.iter().map(|r| r.code.to_lowercase()).collect();
    assert_eq!(registered, rule_files());
    assert_eq!(registered.len(), RULES.len(), "a code is registered twice");
}

#[test]
fn code_slug_and_severity_equal_the_catalogue() {
    let rules: Vec<_> = RULES.iter().map(|r| (r.code, r.slug, r.severity)).collect();
    assert_eq!(rules, CATALOGUE);
}

#[test]
fn every_rule_has_its_three_fixtures() {
    for stem in rule_files() {
        let source = fs::read_to_string(folder().join(format!("{stem}.rs"))).unwrap();
        let tests: Vec<&str> = source
            .lines()
            .filter_map(|line| line.trim().strip_prefix("fn "))
            .collect();
        for fixture in ["fires", "does_not_fire", "cannot_tell"] {
            assert!(
                tests.iter().any(|name| name.contains(fixture)),
                "{stem} lacks the fixture {fixture}"
            );
        }
    }
}

#[test]
fn documentation_is_complete() {
    for rule in RULES {
        let docs = &rule.docs;
        for text in [docs.what, docs.why, docs.evidence, docs.fix, docs.how_sure] {
            assert!(
                text.len() > 20 && text.ends_with('.'),
                "{}: {text:?}",
                rule.code
            );
        }
        assert!(
            !docs.references.is_empty(),
            "{} has no reference",
            rule.code
        );
        for url in docs.references {
            assert!(
                url.starts_with("https://learn.microsoft.com/"),
                "{}: {url}",
                rule.code
            );
        }
    }
}

#[test]
fn findings_read_well() {
    use crate::testing::{load_balancer, nat_gateway, subnet_mut};
    let mut stopped = load_balancer();
    stopped.cluster.power_state = Some(crate::facts::PowerState::Stopped);
    let mut stranded = nat_gateway();
    subnet_mut(&mut stranded, "user").nat_gateway_id = None;
    for facts in [stopped, stranded] {
        for finding in crate::diagnose(&facts).findings {
            assert!(!finding.title.ends_with('.'), "{}", finding.title);
            assert!(!finding.title.contains('\n'));
            assert!(
                finding.title.starts_with(char::is_uppercase),
                "{}",
                finding.title
            );
            assert!(!finding.evidence.is_empty() && !finding.remediation.is_empty());
            assert!(!finding.explanation.is_empty() && !finding.docs.is_empty());
        }
    }
}

#[test]
fn codes_are_found_in_any_case() {
    assert_eq!(find("nat101").map(|r| r.code), Some("NAT101"));
    assert!(find("NAT999").is_none());
}

#[test]
fn committed_pages_are_fresh() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/findings");
    let how = "stale: run `cargo run -p egress-diagnosis --example findings-docs`";
    let mut expected: BTreeSet<String> = BTreeSet::from(["README.md".to_owned()]);
    assert_eq!(
        fs::read_to_string(docs.join("README.md")).unwrap_or_default(),
        index(),
        "{how}"
    );
    for rule in RULES {
        let name = format!("{}.md", rule.code);
        let committed = fs::read_to_string(docs.join(&name)).unwrap_or_default();
        assert_eq!(committed, page(rule), "{name} is {how}");
        expected.insert(name);
    }
    let present: BTreeSet<String> = fs::read_dir(docs)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(present, expected, "pages of codes that do not exist");
}
