//! Text of whole reports.

use egress_diagnosis::diagnose;
use egress_diagnosis::facts::Facts;
use egress_diagnosis::testing::*;
use egress_render::{TextOptions, text};

fn plain(facts: &Facts) -> String {
    text(&diagnose(facts), &TextOptions::default())
}

fn exhausted() -> Facts {
    let mut facts = load_balancer();
    let id = lb_id();
    set_metric(
        &mut facts,
        &id,
        "SnatConnectionCount",
        connections("Failed", &[42.0, 0.0, 0.0, 0.0, 0.0, 7.0]),
    );
    let full = [900.0, 1024.0, 1024.0];
    set_metric(
        &mut facts,
        &id,
        "UsedSnatPorts",
        port_series(&[(NODE_1, &full), ("10.0.0.5", &[100.0, 200.0])]),
    );
    facts
}

fn no_gateway() -> Facts {
    let mut facts = nat_gateway();
    subnet_mut(&mut facts, "user").nat_gateway_id = None;
    facts
}

fn no_rights() -> Facts {
    let mut facts = load_balancer();
    facts.load_balancer = denied("Microsoft.Network/loadBalancers/read");
    facts.scale_sets = denied("Microsoft.Compute/virtualMachineScaleSets/read");
    facts.metrics.clear();
    facts
}

#[test]
fn healthy_load_balancer() {
    insta::assert_snapshot!(plain(&load_balancer()));
}

#[test]
fn nat_gateway_missing_on_one_subnet() {
    insta::assert_snapshot!(plain(&no_gateway()));
}

#[test]
fn snat_exhausted_on_one_node() {
    insta::assert_snapshot!(plain(&exhausted()));
}

#[test]
fn no_rights_on_the_node_resource_group() {
    insta::assert_snapshot!(plain(&no_rights()));
}

#[test]
fn routing_through_a_firewall() {
    insta::assert_snapshot!(plain(&firewall_routing()));
}

#[test]
fn colour_is_only_there_when_asked_for_and_changes_nothing_else() {
    for facts in [load_balancer(), exhausted(), no_rights()] {
        let report = diagnose(&facts);
        let plain = text(&report, &TextOptions::default());
        assert!(!plain.contains('\u{1b}'));
        let colored = text(
            &report,
            &TextOptions {
                color: true,
                width: 100,
            },
        );
        assert!(colored.contains("\u{1b}[1;"));
        let stripped: String = colored
            .split('\u{1b}')
            .enumerate()
            .map(|(index, part)| {
                if index == 0 {
                    part
                } else {
                    part.split_once('m').unwrap().1
                }
            })
            .collect();
        assert_eq!(stripped, plain);
    }
}

#[test]
fn lines_keep_to_the_width_but_commands_stay_whole() {
    for width in [70, 80, 100, 140] {
        for facts in [
            load_balancer(),
            exhausted(),
            no_rights(),
            firewall_routing(),
            no_gateway(),
        ] {
            let out = text(
                &diagnose(&facts),
                &TextOptions {
                    color: false,
                    width,
                },
            );
            for line in out.lines() {
                let unbreakable = line.contains("$ ")
                    || line.contains("undo: ")
                    || line.contains("see https")
                    || line.contains("/subscriptions/");
                assert!(
                    unbreakable || line.chars().count() <= width,
                    "{width}: {line}"
                );
            }
        }
    }
}

#[test]
fn names_from_azure_cannot_drive_the_terminal() {
    let mut facts = exhausted();
    facts.cluster.name = "shop\u{1b}]0;owned\u{7}\u{1b}[2J\nHEALTHY".to_owned();
    facts.cluster.resource_group = "rg; rm -rf ~".to_owned();
    let out = plain(&facts);
    assert!(!out.contains('\u{1b}') && !out.contains('\u{7}'));
    assert!(!out.lines().any(|line| line.starts_with("HEALTHY")));
    assert!(out.contains("--resource-group 'rg; rm -rf ~'"));
}

#[test]
fn a_narrow_terminal_does_not_panic() {
    let report = diagnose(&exhausted());
    for width in [0, 1, 20] {
        assert!(!text(&report, &TextOptions { color: true, width }).is_empty());
    }
}

fn destination(text: &str) -> Option<egress_diagnosis::trace::Destination> {
    text.parse().ok()
}

fn paths_of(facts: &Facts, to: Option<&str>) -> String {
    let to = to.and_then(destination);
    let answer = egress_diagnosis::answers::PathsAnswer::of(facts, &diagnose(facts), to.as_ref());
    egress_render::paths(&answer, &TextOptions::default())
}

fn plan_of(facts: &Facts, to: Option<&str>) -> String {
    let to = to.and_then(destination);
    let answer = egress_diagnosis::answers::BypassAnswer::of(facts, &diagnose(facts), to.as_ref());
    egress_render::bypass_plan(&answer, &TextOptions::default())
}

#[test]
fn paths_to_a_host_behind_a_firewall() {
    insta::assert_snapshot!(paths_of(&firewalled(), Some("example.com")));
}

#[test]
fn paths_to_an_address_from_two_subnets() {
    insta::assert_snapshot!(paths_of(&no_gateway(), Some("20.1.2.3:8443")));
}

#[test]
fn paths_to_the_required_endpoints() {
    insta::assert_snapshot!(paths_of(&firewalled(), None));
}

#[test]
fn bypass_plan_for_everything() {
    insta::assert_snapshot!(plan_of(&firewalled(), None));
}

#[test]
fn bypass_plan_for_a_host() {
    insta::assert_snapshot!(plan_of(&firewalled(), Some("example.com")));
}

#[test]
fn bypass_plan_where_nothing_is_in_the_way() {
    insta::assert_snapshot!(plan_of(&load_balancer(), None));
}

#[test]
fn outcome_of_a_timeout_behind_a_denying_group() {
    let mut facts = load_balancer();
    deny_internet(&mut facts, "nodes", "443");
    let seen = egress_diagnosis::outcome::Observation {
        curl_exit: Some(28),
        http_status: None,
        destination: None,
        port: None,
        text: None,
        pattern: egress_diagnosis::report::Pattern::Unknown,
        node_pool: None,
        tcp_connects: None,
    };
    let to = destination("mcr.microsoft.com");
    let report = diagnose(&facts);
    let answer = egress_diagnosis::answers::OutcomeAnswer::of(&facts, &report, seen, to.as_ref())
        .expect("a reading");
    insta::assert_snapshot!(egress_render::outcome(&answer, &TextOptions::default()));
}
