use super::*;

fn seen(exit: Option<u8>, status: Option<u16>) -> Observation {
    Observation {
        curl_exit: exit,
        http_status: status,
        destination: Some("mcr.microsoft.com".to_owned()),
        port: None,
        text: None,
        pattern: Pattern::Unknown,
        node_pool: None,
        tcp_connects: None,
    }
}

fn curl(code: u8) -> Observation {
    seen(Some(code), None)
}

fn http(status: u16) -> Observation {
    seen(None, Some(status))
}

fn finding(code: &str) -> KnownFinding {
    KnownFinding {
        code: code.to_owned(),
        title: format!("title of {code}"),
        confidence: Confidence::Certain,
        node_pools: vec![],
    }
}

fn path(pool: &str, verdict: TrafficVerdict, code: Option<&str>) -> PoolPath {
    PoolPath {
        node_pools: vec![pool.to_owned()],
        verdict,
        blocked_by: code.map(finding),
        dropped_by: None,
    }
}

fn blocked_by(code: &str) -> Analysis {
    Analysis {
        paths: vec![path("user", TrafficVerdict::Blocked, Some(code))],
        findings: vec![finding(code)],
        ..no_devices()
    }
}

fn allowed() -> Analysis {
    Analysis {
        paths: vec![path("user", TrafficVerdict::Allowed, None)],
        ..no_devices()
    }
}

fn no_devices() -> Analysis {
    Analysis {
        http_proxy: Some(false),
        azure_firewall: Some(false),
        other_appliance: Some(false),
        ..Analysis::default()
    }
}

fn kinds(reading: &Reading) -> Vec<CauseKind> {
    reading.causes.iter().map(|c| c.kind).collect()
}

fn reading(observation: &Observation, analysis: &Analysis) -> Reading {
    read(observation, analysis).unwrap()
}

#[test]
fn section_8_1_every_exit_code_has_its_causes() {
    use CauseKind as K;
    let table: &[(u8, &[CauseKind])] = &[
        (0, &[]),
        (5, &[K::Proxy]),
        (6, &[K::PrivateDnsZone, K::CustomDns, K::Nsg, K::Dns]),
        (7, &[K::RemoteServer, K::Appliance]),
        (22, &[K::Request, K::BlockPage]),
        (
            28,
            &[
                K::Nsg,
                K::Route,
                K::Appliance,
                K::AuthorizedRanges,
                K::SnatExhaustion,
                K::NodePressure,
                K::RemoteServer,
            ],
        ),
        (
            35,
            &[
                K::FirewallApplicationRule,
                K::TlsInspection,
                K::AlpnRewriting,
                K::RemoteServer,
            ],
        ),
        (52, &[K::Middlebox, K::RemoteServer]),
        (55, &[K::IdleTimeout, K::Appliance, K::RemoteServer]),
        (56, &[K::IdleTimeout, K::Appliance, K::RemoteServer]),
        (60, &[K::TlsInspection, K::RemoteServer]),
        (77, &[K::Image]),
        (97, &[K::Proxy]),
    ];
    for (code, causes) in table {
        let reading = reading(&curl(*code), &Analysis::default());
        assert!(reading.known, "{code}");
        assert_eq!(kinds(&reading), *causes, "{code}");
        assert_eq!(reading.observed, format!("curl {code}"));
        assert_eq!(reading.agreement, Agreement::Undecided);
        // Without anything known, nothing is more than possible.
        assert!(
            reading
                .causes
                .iter()
                .all(|c| c.confidence == Confidence::Possible)
        );
    }
}

#[test]
fn section_8_2_every_status_has_its_reading() {
    use CauseKind as K;
    let table: &[(&[u16], &[CauseKind])] = &[
        (&[200, 204], &[]),
        (&[301, 302, 307], &[K::Proxy]),
        (&[400, 404, 405], &[K::Request]),
        (&[401], &[K::Credentials]),
        (&[403], &[K::RemoteAccessList, K::BlockPage, K::Credentials]),
        (&[407], &[K::Proxy]),
        (&[408, 429], &[K::RemoteThrottling]),
        (&[451], &[K::Policy]),
        (&[470], &[K::FirewallApplicationRule]),
        (&[500, 501], &[K::RemoteServer]),
        (&[502, 503, 504], &[K::Upstream, K::Proxy]),
    ];
    for (statuses, causes) in table {
        for status in *statuses {
            let reading = reading(&http(*status), &Analysis::default());
            assert!(reading.known, "{status}");
            assert_eq!(kinds(&reading), *causes, "{status}");
        }
    }
}

#[test]
fn r8_5_unlisted_statuses_fall_back_to_their_class() {
    let r = reading(&http(418), &Analysis::default());
    assert_eq!(kinds(&r), [CauseKind::Request, CauseKind::BlockPage]);
    let r = reading(&http(599), &Analysis::default());
    assert_eq!(kinds(&r), [CauseKind::RemoteServer]);
}

#[test]
fn r8_6_what_an_answer_proves() {
    let proves = |o: &Observation| reading(o, &no_devices()).proves.join(" ");
    for status in [200, 400, 401, 404, 405, 408, 429, 500, 501, 505] {
        let text = proves(&http(status));
        assert!(
            text.contains("SNAT worked") && !text.contains("unless"),
            "{status}"
        );
    }
    for status in [302, 403, 451, 502, 503, 504] {
        assert!(proves(&http(status)).contains("unless"), "{status}");
    }
    for status in [407, 470] {
        assert!(!proves(&http(status)).contains("worked"), "{status}");
    }
    for code in [5, 6, 28, 77, 3] {
        assert_eq!(proves(&curl(code)), "", "{code}");
    }
    // The block page of Azure Firewall forges another status.
    let page = Observation {
        text: Some("Action: Deny. Reason: No rule matched.".to_owned()),
        ..http(403)
    };
    let r = reading(&page, &no_devices());
    assert!(!r.proves.join(" ").contains("worked"));
}

#[test]
fn section_8_1_28_is_what_the_nsg_rule_does() {
    let r = reading(&curl(28), &blocked_by("NSG101"));
    assert_eq!(r.agreement, Agreement::Agrees);
    let first = &r.causes[0];
    assert_eq!(first.confidence, Confidence::Certain);
    assert_eq!(first.kind, CauseKind::Nsg);
    assert_eq!(first.finding.as_deref(), Some("NSG101"));
    assert_eq!(first.summary, "title of NSG101");
    assert_eq!(
        r.comparisons[0].why,
        "curl 28 from pool user is what this does: NSG101: title of NSG101"
    );
    // Told once.
    assert_eq!(
        kinds(&r).iter().filter(|k| **k == CauseKind::Nsg).count(),
        1
    );
}

#[test]
fn r8_6_an_answer_contradicts_a_block_and_agrees_with_an_open_path() {
    for o in [http(200), http(404), curl(0)] {
        let r = reading(&o, &blocked_by("NSG101"));
        assert_eq!(r.agreement, Agreement::Contradicts);
        assert!(r.causes.iter().all(|c| c.finding.is_none()));
        assert_eq!(reading(&o, &allowed()).agreement, Agreement::Agrees);
    }
}

#[test]
fn r1_86_an_answer_through_the_proxy_says_nothing_about_the_direct_path() {
    for analysis in [blocked_by("NSG101"), allowed()] {
        let analysis = Analysis {
            http_proxy: Some(true),
            ..analysis
        };
        let r = reading(&http(200), &analysis);
        assert_eq!(r.agreement, Agreement::Undecided);
        assert!(r.proves.iter().any(|p| p.contains("proxy")));
    }
}

#[test]
fn a_cause_is_never_surer_than_its_finding() {
    for confidence in [
        Confidence::Certain,
        Confidence::Likely,
        Confidence::Possible,
    ] {
        let blocker = KnownFinding {
            confidence,
            ..finding("NSG101")
        };
        let analysis = Analysis {
            paths: vec![PoolPath {
                blocked_by: Some(blocker),
                ..path("user", TrafficVerdict::Blocked, None)
            }],
            ..no_devices()
        };
        let r = reading(&curl(28), &analysis);
        let cause = r.causes.iter().find(|c| c.finding.is_some()).unwrap();
        assert_eq!(cause.confidence, confidence);
    }
}

#[test]
fn r5_17_a_connection_behind_a_device_refutes_nothing() {
    for code in [7, 35, 52, 56, 60] {
        let r = reading(&curl(code), &blocked_by("UDR104"));
        assert_eq!(r.agreement, Agreement::Contradicts, "{code}");
        let behind = Analysis {
            azure_firewall: Some(true),
            ..blocked_by("UDR104")
        };
        assert_eq!(
            reading(&curl(code), &behind).agreement,
            Agreement::Undecided,
            "{code}"
        );
        let unknown = Analysis {
            azure_firewall: None,
            ..blocked_by("UDR104")
        };
        assert_eq!(
            reading(&curl(code), &unknown).agreement,
            Agreement::Undecided
        );
    }
}

#[test]
fn r5_18_35_and_470_are_what_a_firewall_denial_looks_like() {
    let denied = Analysis {
        azure_firewall: Some(true),
        ..blocked_by("FWL108")
    };
    for o in [curl(35), http(470), curl(28)] {
        let r = reading(&o, &denied);
        assert_eq!(r.agreement, Agreement::Agrees, "{}", r.observed);
        assert_eq!(r.causes[0].finding.as_deref(), Some("FWL108"));
    }
}

#[test]
fn r1_11_a_denial_that_was_seen_outranks_what_the_list_allows() {
    let open = Analysis {
        azure_firewall: Some(true),
        ..allowed()
    };
    let denied = reading(&http(470), &open);
    assert_eq!(denied.agreement, Agreement::Contradicts);
    assert!(denied.comparisons[0].why.contains("outrank"));
    assert_eq!(denied.causes[0].kind, CauseKind::FirewallApplicationRule);
    assert_eq!(reading(&http(407), &open).agreement, Agreement::Undecided);
}

#[test]
fn r4_35_where_routes_and_groups_are_clean_network_policies_are_looked_at() {
    let r = reading(&curl(28), &allowed());
    let policies = r
        .causes
        .iter()
        .find(|c| c.summary.contains("network policy"));
    let next = &policies.expect("a network policy").next;
    assert!(
        next.contains(&"kubectl get networkpolicy --all-namespaces".to_owned()),
        "{next:?}"
    );
}

#[test]
fn r5_8_a_session_that_breaks_may_be_a_rule_that_changed() {
    let behind = Analysis {
        azure_firewall: Some(true),
        ..allowed()
    };
    for code in [55, 56] {
        let r = reading(&curl(code), &behind);
        let cause = r.causes.iter().find(|c| c.kind == CauseKind::Appliance);
        let cause = cause.expect("the firewall");
        assert!(cause.summary.contains("a rule changed"), "{code}");
        // Without a firewall on the way it is none.
        let r = reading(&curl(code), &allowed());
        assert!(!kinds(&r).contains(&CauseKind::Appliance), "{code}");
    }
}

#[test]
fn r5_20_a_connection_that_was_idle_may_be_cut_by_the_firewall_too() {
    for code in [55, 56] {
        let r = reading(&curl(code), &Analysis::default());
        let idle = r.causes.iter().find(|c| c.kind == CauseKind::IdleTimeout);
        assert!(idle.expect("an idle timeout").summary.contains("firewall"));
    }
}

#[test]
fn r8_1_the_pattern_tells_blockers_from_pressure() {
    let analysis = Analysis {
        snat_failing: Some(true),
        findings: vec![finding("NSG107"), finding("SNT101")],
        ..no_devices()
    };
    let with = |pattern| {
        let observation = Observation {
            pattern,
            ..curl(28)
        };
        reading(&observation, &analysis)
    };
    let persistent = with(Pattern::Persistent);
    assert_eq!(persistent.causes[0].kind, CauseKind::Nsg);
    assert_eq!(persistent.causes[0].confidence, Confidence::Likely);
    assert!(!kinds(&persistent).contains(&CauseKind::SnatExhaustion));
    assert!(persistent.ruled_out.iter().any(|r| r.contains("SNAT")));
    let intermittent = with(Pattern::Intermittent);
    assert_eq!(intermittent.causes[0].kind, CauseKind::SnatExhaustion);
    assert_eq!(intermittent.causes[0].finding.as_deref(), Some("SNT101"));
    let nsg = intermittent
        .causes
        .iter()
        .find(|c| c.kind == CauseKind::Nsg);
    assert_eq!(nsg.unwrap().confidence, Confidence::Possible);
}

#[test]
fn r8_1_a_timeout_on_an_open_path_contradicts_only_when_persistent() {
    let with = |pattern| {
        let observation = Observation {
            pattern,
            ..curl(28)
        };
        reading(&observation, &allowed()).agreement
    };
    assert_eq!(with(Pattern::Persistent), Agreement::Contradicts);
    assert_eq!(with(Pattern::Intermittent), Agreement::Undecided);
    assert_eq!(with(Pattern::Unknown), Agreement::Undecided);
    let observation = Observation {
        pattern: Pattern::Intermittent,
        ..curl(28)
    };
    let r = reading(&observation, &blocked_by("NSG101"));
    assert_eq!(r.agreement, Agreement::Undecided);
}

#[test]
fn r8_2_tcp_works_and_tls_does_not() {
    let observation = Observation {
        tcp_connects: Some(true),
        ..curl(60)
    };
    let r = reading(&observation, &Analysis::default());
    assert_eq!(r.causes[0].kind, CauseKind::TlsInspection);
    assert_eq!(r.causes[0].confidence, Confidence::Likely);
    assert!(r.notes.iter().any(|n| n.contains("R8.2")));
    let observation = Observation {
        tcp_connects: Some(false),
        ..curl(28)
    };
    let r = reading(&observation, &Analysis::default());
    assert!(r.notes.iter().any(|n| n.contains("layer 3 or 4")));
    // TCP success with a timeout is no proof behind Azure Firewall.
    let observation = Observation {
        tcp_connects: Some(true),
        ..curl(28)
    };
    let r = reading(&observation, &Analysis::default());
    assert!(r.notes.iter().any(|n| n.contains("R5.17")));
}

#[test]
fn r8_3_no_route_in_the_text_is_routing() {
    let observation = Observation {
        text: Some("curl: (7) Failed to connect: No route to host".to_owned()),
        ..curl(7)
    };
    let r = reading(&observation, &Analysis::default());
    assert_eq!(kinds(&r), [CauseKind::Route, CauseKind::Route]);
    let r = reading(&observation, &blocked_by("UDR102"));
    assert_eq!(r.agreement, Agreement::Agrees);
    let r = reading(&observation, &blocked_by("NSG101"));
    assert_eq!(r.agreement, Agreement::Undecided);
    assert_eq!(
        reading(&observation, &allowed()).agreement,
        Agreement::Contradicts
    );
}

#[test]
fn r8_4_numbers_of_node_provisioning_are_pointed_out() {
    for (code, word) in [
        (50, "mcr.microsoft.com/v2/"),
        (51, "API server"),
        (52, "name"),
    ] {
        let r = reading(&curl(code), &Analysis::default());
        let note = r.notes.iter().find(|n| n.contains("node provisioning"));
        assert!(note.unwrap().contains(word), "{code}");
    }
    assert!(!reading(&curl(50), &Analysis::default()).known);
    let r = reading(&curl(28), &Analysis::default());
    assert!(!r.notes.iter().any(|n| n.contains("node provisioning")));
}

#[test]
fn r8_7_private_api_server_with_custom_dns() {
    let observation = Observation {
        destination: Some("C.PRIVATELINK.westeurope.azmk8s.io".to_owned()),
        ..curl(6)
    };
    let analysis = Analysis {
        private_cluster: Some(true),
        custom_dns: Some(true),
        api_server_names: vec!["c.privatelink.westeurope.azmk8s.io".to_owned()],
        ..Analysis::default()
    };
    let r = reading(&observation, &analysis);
    assert_eq!(r.causes[0].kind, CauseKind::PrivateDnsZone);
    assert_eq!(r.causes[0].confidence, Confidence::Likely);
    assert!(
        r.causes[0]
            .next
            .contains(&"nslookup C.PRIVATELINK.westeurope.azmk8s.io 168.63.129.16".to_owned())
    );
    // Another host: not that.
    let r = reading(&curl(6), &analysis);
    assert_eq!(r.causes[0].kind, CauseKind::CustomDns);
    assert!(r.ruled_out.iter().any(|o| o.contains("private zone")));
}

#[test]
fn r0_10_without_custom_dns_it_is_ruled_out() {
    let analysis = Analysis {
        custom_dns: Some(false),
        ..Analysis::default()
    };
    let r = reading(&curl(6), &analysis);
    assert_eq!(kinds(&r), [CauseKind::Nsg, CauseKind::Dns]);
    let blocked = blocked_by("NSG104");
    assert_eq!(reading(&curl(6), &blocked).agreement, Agreement::Agrees);
    assert_eq!(
        reading(&curl(6), &allowed()).agreement,
        Agreement::Undecided
    );
}

#[test]
fn a_resolving_timeout_is_dns_although_curl_says_28() {
    let observation = Observation {
        text: Some("curl: (28) Resolving timed out after 5000 milliseconds".to_owned()),
        ..curl(28)
    };
    let r = reading(&observation, &blocked_by("NSG101"));
    assert!(kinds(&r).contains(&CauseKind::CustomDns));
    assert_eq!(r.agreement, Agreement::Undecided);
}

#[test]
fn only_the_observing_pool_counts_when_it_is_named() {
    let analysis = Analysis {
        paths: vec![
            path("system", TrafficVerdict::Allowed, None),
            path("user", TrafficVerdict::Blocked, Some("NSG101")),
        ],
        ..no_devices()
    };
    let from = |pool: Option<&str>, observation: Observation| {
        let observation = Observation {
            node_pool: pool.map(str::to_owned),
            ..observation
        };
        reading(&observation, &analysis)
    };
    let ok = || http(200);
    assert_eq!(from(Some("system"), ok()).agreement, Agreement::Agrees);
    assert_eq!(from(Some("user"), ok()).agreement, Agreement::Contradicts);
    assert_eq!(from(None, ok()).agreement, Agreement::Agrees);
    assert_eq!(
        from(Some("user"), curl(28)).causes[0].confidence,
        Confidence::Certain
    );
    // It may have come from the pool that is not blocked.
    let unnamed = from(None, curl(28));
    assert_eq!(unnamed.causes[0].confidence, Confidence::Likely);
    assert!(
        unnamed
            .notes
            .iter()
            .any(|n| n.contains("differs between pools"))
    );
    let nowhere = from(Some("gone"), curl(28));
    assert_eq!(nowhere.agreement, Agreement::Undecided);
    assert!(nowhere.notes.iter().any(|n| n.contains("gone")));
}

#[test]
fn a_partial_or_unknown_verdict_is_never_confirmed() {
    for verdict in [TrafficVerdict::Partial, TrafficVerdict::Unknown] {
        let analysis = Analysis {
            paths: vec![path("user", verdict, Some("NSG101"))],
            ..no_devices()
        };
        for o in [curl(28), http(200)] {
            let r = reading(&o, &analysis);
            assert_eq!(r.agreement, Agreement::Undecided);
            assert!(r.causes.iter().all(|c| c.confidence != Confidence::Certain));
        }
    }
}

#[test]
fn unknown_codes_are_said_to_be_unknown() {
    for o in [
        curl(3),
        curl(200),
        curl(255),
        http(101),
        http(600),
        http(999),
    ] {
        let r = reading(&o, &blocked_by("NSG101"));
        assert!(!r.known);
        assert!(r.causes.is_empty() && r.proves.is_empty());
        assert_eq!(r.agreement, Agreement::Undecided);
    }
}

#[test]
fn contradictory_values_are_refused() {
    for (exit, status) in [
        (28, 200),
        (6, 404),
        (35, 470),
        (22, 200),
        (7, 407),
        (56, 200),
        (0, 0),
    ] {
        assert_eq!(
            read(&seen(Some(exit), Some(status)), &Analysis::default()),
            Err(ObservationError::Contradictory { exit, status })
        );
    }
    assert_eq!(
        read(&seen(None, None), &Analysis::default()),
        Err(ObservationError::Nothing)
    );
    assert_eq!(
        read(&http(0), &Analysis::default()),
        Err(ObservationError::Nothing)
    );
    for status in [1, 99, 1000, u16::MAX] {
        assert_eq!(
            read(&http(status), &Analysis::default()),
            Err(ObservationError::NotAStatus(status))
        );
    }
}

#[test]
fn values_that_go_together_are_read_as_one() {
    let observed =
        |exit, status| reading(&seen(Some(exit), Some(status)), &Analysis::default()).observed;
    assert_eq!(observed(0, 404), "HTTP 404");
    assert_eq!(observed(22, 503), "HTTP 503");
    assert_eq!(observed(28, 0), "curl 28");
    assert_eq!(observed(56, 407), "HTTP 407 of a proxy");
    let refused = reading(&seen(Some(56), Some(407)), &allowed());
    assert_eq!(refused.agreement, Agreement::Undecided);
    assert_eq!(
        kinds(&reading(&seen(Some(56), Some(407)), &Analysis::default())),
        [CauseKind::Proxy]
    );
}

#[test]
fn a_hostile_destination_never_enters_a_command() {
    for host in [
        "x; rm -rf /",
        "$(id)",
        "-oops",
        "",
        "a b",
        "näme",
        &"a".repeat(300),
    ] {
        let observation = Observation {
            destination: Some((*host).to_owned()),
            ..curl(28)
        };
        let r = reading(&observation, &Analysis::default());
        for command in r.causes.iter().flat_map(|c| &c.next) {
            assert!(host.is_empty() || !command.contains(host), "{command}");
        }
        assert!(
            r.causes
                .iter()
                .flat_map(|c| &c.next)
                .any(|c| c.contains("<host>"))
        );
    }
}

#[test]
fn r1_6_one_finding_may_speak_for_two_causes_and_a_doubtful_one_makes_none_likely() {
    let with = |confidence| {
        let inspection = KnownFinding {
            confidence,
            ..finding("FWL113")
        };
        let analysis = Analysis {
            findings: vec![inspection],
            ..Analysis::default()
        };
        let causes = reading(&curl(35), &analysis).causes;
        let of = |kind| causes.iter().find(|c| c.kind == kind).unwrap().confidence;
        (of(CauseKind::TlsInspection), of(CauseKind::AlpnRewriting))
    };
    let (likely, possible) = (Confidence::Likely, Confidence::Possible);
    assert_eq!(with(Confidence::Certain), (likely, likely));
    assert_eq!(with(Confidence::Possible), (possible, possible));
}

#[test]
fn a_finding_of_another_pool_is_no_evidence() {
    let snat = KnownFinding {
        node_pools: vec!["other".to_owned()],
        ..finding("SNT101")
    };
    let analysis = Analysis {
        findings: vec![snat],
        ..Analysis::default()
    };
    let observation = Observation {
        node_pool: Some("user".to_owned()),
        ..curl(28)
    };
    let r = reading(&observation, &analysis);
    assert!(r.causes.iter().all(|c| c.evidence.is_empty()));
}

#[test]
fn the_reading_is_written_in_camel_case() {
    let json = serde_json::to_value(reading(&curl(28), &blocked_by("NSG101"))).unwrap();
    assert_eq!(json["agreement"], "agrees");
    assert_eq!(json["comparisons"][0]["nodePools"][0], "user");
    assert_eq!(json["causes"][0]["confidence"], "certain");
    assert!(json["ruledOut"].is_array());
}
