//! What a person does next, in the troubleshooting guide's order (R0.1–R0.8).

use crate::order::Order as _;
use crate::report::{
    Check, CheckStatus, Finding, Gap, GapCause, Method, Pattern, Report, Severity, Status,
};
use crate::rules::place;

const COMPARE: &str =
    "Compare `kubectl top pods` and `kubectl top nodes` with the times of the failures.";
const TEST: &str = "If a destination still fails, test it from a pod: name first (`nslookup`), then port (`nc -zv`), then `curl -Iv`.";
const TEST_MEANWHILE: &str = "Meanwhile test from a pod: `nslookup mcr.microsoft.com`, then `curl -Iv https://mcr.microsoft.com`.";
const OUTCOME: &str = "Give curl's exit code or the HTTP status to `outcome`: it reads them in the light of this report.";

/// How the step about the cluster's own policies begins.
const POLICIES: &str = "If pods fail where their nodes do not";

/// What no read of Azure shows: policies inside the cluster that drop egress look the same from outside (R4.35).
pub(crate) fn look_at_policies(network_policy: Option<&str>) -> Option<String> {
    let engine = network_policy.filter(|engine| !engine.eq_ignore_ascii_case("none"))?;
    let kinds = if engine.eq_ignore_ascii_case("cilium") {
        "networkpolicy,ciliumnetworkpolicy,ciliumclusterwidenetworkpolicy"
    } else {
        "networkpolicy"
    };
    Some(format!(
        "{POLICIES}, look at the cluster's own egress policies ({engine}), which Azure does not show: `kubectl get {kinds} --all-namespaces`."
    ))
}

/// Whether nothing on the path explains failures that are there each time.
fn path_is_clean(report: &Report) -> bool {
    let on_the_path = ["OUT", "UDR", "NSG", "FWL", "NAT", "API", "DNS"];
    let mut findings = report.findings.iter();
    !findings.any(|found| {
        found.severity > Severity::Info && on_the_path.iter().any(|it| found.code.starts_with(it))
    })
}

/// Puts first what fits somebody who has seen the fault each time, or now and then, among the findings and the next steps;
/// nothing is left out (R0.1, R8.1). The verdict stays as Azure's answers give it.
pub fn rank_for(report: &mut Report, told: Pattern) {
    report.findings.order_by_key(|f| place(&f.code, told));
    let mut said = report.next_steps.iter();
    let policies = said.find(|step| step.starts_with(POLICIES)).cloned();
    report.next_steps = steps(report, Some(told), policies);
}

/// The steps for the report's own pattern. `policies`: what to do about policies inside the cluster.
pub(crate) fn next_steps(report: &Report, policies: Option<String>) -> Vec<String> {
    steps(report, None, policies.filter(|_| path_is_clean(report)))
}

/// Mend what was found in the order of the pattern, test, then close the gaps. Whatever is said for one pattern is said for
/// the other too, in another place.
fn steps(report: &Report, told: Option<Pattern>, policies: Option<String>) -> Vec<String> {
    let own = report.verdict.pattern;
    let pattern = told.unwrap_or(own);
    let mut steps = mends(report, pattern);
    // The guide looks at the nodes before anything else when a fault comes and goes (R0.8).
    if pattern == Pattern::Intermittent {
        steps.insert(0, COMPARE.to_owned());
    } else if own == Pattern::Intermittent {
        steps.push(COMPARE.to_owned());
    }
    if [pattern, own].contains(&Pattern::Persistent) {
        steps.extend(persistent(report));
    }
    steps.extend(asides(&report.checks));
    steps.extend(rights(&report.gaps));
    steps.extend(asking(&report.gaps));
    match report.verdict.status {
        Status::Unknown => steps.push(TEST_MEANWHILE.to_owned()),
        Status::Healthy if !steps.iter().any(|step| step == TEST) => steps.push(TEST.to_owned()),
        _ => {}
    }
    steps.extend(policies);
    steps
}

/// The first remedy of each finding, equal ones once. Under pressure reusing connections comes first; the change with its
/// numbers follows it (R0.8, R9.19).
fn mends(report: &Report, pattern: Pattern) -> Vec<String> {
    let mut findings: Vec<&Finding> = report
        .findings
        .iter()
        .filter(|f| f.severity > Severity::Info)
        .collect();
    findings.order_by_key(|f| place(&f.code, pattern));
    let mut mends: Vec<(&str, Vec<&str>)> = Vec::new();
    let change = report.snat.recommendation.as_ref();
    let mut change = change.map(|change| change.summary.as_str());
    for finding in findings {
        let Some(first) = finding.remediation.first() else {
            continue;
        };
        let known = mends
            .iter_mut()
            .find(|(summary, _)| *summary == first.summary);
        match known {
            Some((_, codes)) => codes.push(&finding.code),
            None => mends.push((&first.summary, vec![&finding.code])),
        }
        let sized = |summary: &&str| {
            let mut remedies = finding.remediation.iter();
            remedies.any(|remedy| remedy.summary.starts_with(summary))
        };
        if let Some(summary) = change.take_if(|summary| sized(summary))
            && !first.summary.starts_with(summary)
        {
            mends.push((summary, vec![&finding.code]));
        }
    }
    let with_codes = |(summary, mut codes): (&str, Vec<&str>)| {
        codes.dedup();
        format!("{}: {summary}.", codes.join(", "))
    };
    mends.into_iter().map(with_codes).collect()
}

/// What settles whether a route beside the default takes a host: its address.
fn asides(checks: &[Check]) -> Option<String> {
    let mut checks = checks.iter();
    let open =
        checks.any(|check| check.id == "path-routes" && check.status == CheckStatus::Unknown);
    open.then(|| {
        "Look a host up from a pod (`nslookup`), then ask `paths` with its address as `destination`: it follows the routes for that one address.".to_owned()
    })
}

/// The guide's order for a fault that is always there: reachability, what the outcome says, the appliance bypassed (R0.2).
fn persistent(report: &Report) -> Vec<String> {
    let mut steps = vec![TEST.to_owned(), OUTCOME.to_owned()];
    let appliance = |method| matches!(method, Method::AzureFirewall | Method::VirtualAppliance);
    let paths = report.outbound.paths.iter();
    let through: Vec<_> = paths.filter(|path| appliance(path.method)).collect();
    if let Some(first) = through.first() {
        let name = first.device.as_ref().map_or("the appliance", |d| &d.name);
        steps.push(format!(
            "If that does not settle it, take {name} out of the path for a test: `bypass-plan` gives preconditions, commands and undo, and executes nothing."
        ));
    }
    steps
}

/// The rights that would close gaps, each once.
fn rights(gaps: &[Gap]) -> Vec<String> {
    let mut steps = Vec::new();
    let needed = gaps
        .iter()
        .filter_map(|gap| Some((gap, gap.needs.as_ref()?)));
    for (gap, needs) in needed {
        let scope = needs.scope.as_deref().unwrap_or(&gap.what);
        let step = format!(
            "Grant the identity {} on {scope}, then ask again.",
            needs.action
        );
        if !steps.contains(&step) {
            steps.push(step);
        }
    }
    steps
}

/// What may get an answer where none was had. What Azure was too busy for is one step.
fn asking(gaps: &[Gap]) -> Vec<String> {
    let mut steps = Vec::new();
    let mut busy: Vec<&str> = Vec::new();
    for gap in gaps {
        let what = gap.what.as_str();
        if gap.http_status == Some(401) {
            steps.push(format!(
                "Ask with an identity of the tenant that holds it: Azure does not accept this one's token for {what}."
            ));
            continue;
        }
        match gap.cause {
            GapCause::Throttled | GapCause::TimedOut | GapCause::Unreachable => busy.push(what),
            GapCause::NotFound => steps.push(format!(
                "Look whether it still exists and whether the identity sees its subscription: Azure knows nothing of {what}."
            )),
            _ => {}
        }
    }
    if let Some((first, others)) = busy.split_first() {
        let more = match others.len() {
            0 => String::new(),
            1 => " and 1 more datum".to_owned(),
            n => format!(" and {n} more data"),
        };
        steps.push(format!(
            "Ask again later: Azure gave no answer for {first}{more}."
        ));
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose;
    use crate::facts::Facts;
    use crate::pressure::CPU;
    use crate::testing::*;

    /// A cluster that both blocks and runs out of ports.
    fn blocked_and_failing() -> Facts {
        let mut facts = load_balancer();
        deny_internet(&mut facts, "nodes", "443");
        let failed = connections("Failed", &[42.0, 0.0, 7.0]);
        set_metric(&mut facts, &lb_id(), "SnatConnectionCount", failed);
        facts
    }

    fn ranked(facts: &Facts, told: Pattern) -> Report {
        let mut report = diagnose(facts);
        rank_for(&mut report, told);
        report
    }

    fn position(steps: &[String], start: &str) -> usize {
        let found = steps.iter().position(|step| step.starts_with(start));
        found.unwrap_or_else(|| panic!("no {start} in {steps:#?}"))
    }

    #[test]
    fn r0_1_what_the_caller_has_seen_ranks_and_never_hides() {
        let facts = blocked_and_failing();
        let plain = diagnose(&facts);
        let persistent = ranked(&facts, Pattern::Persistent);
        let intermittent = ranked(&facts, Pattern::Intermittent);
        assert!(persistent.next_steps[0].starts_with("NSG"));
        assert_eq!(intermittent.next_steps[0], COMPARE);
        assert!(intermittent.next_steps[1].starts_with("SNT"));
        assert!(persistent.findings[0].code.starts_with("NSG"));
        assert!(intermittent.findings[0].code.starts_with("SNT"));
        for report in [&persistent, &intermittent] {
            assert_eq!(report.findings.len(), plain.findings.len());
            assert_eq!(report.verdict, plain.verdict);
            for step in &plain.next_steps {
                assert!(report.next_steps.contains(step), "{step}");
            }
        }
    }

    #[test]
    fn r9_19_the_number_follows_reusing_connections() {
        let mut facts = load_balancer();
        let failed = connections("Failed", &[42.0, 0.0, 7.0]);
        set_metric(&mut facts, &lb_id(), "SnatConnectionCount", failed);
        let used = port_series(&[(NODE_1, &[1024.0, 1024.0, 1024.0])]);
        set_metric(&mut facts, &lb_id(), "UsedSnatPorts", used);
        let report = diagnose(&facts);
        let steps = &report.next_steps;
        let change = report.snat.recommendation.unwrap().summary;
        assert_eq!(steps[0], COMPARE);
        let reuse = position(steps, "SNT101, SNT102: Reuse connections");
        assert_eq!(reuse, 1);
        assert_eq!(steps[2], format!("SNT101: {change}."));
    }

    #[test]
    fn r0_2_a_fault_that_is_always_there_is_tested_then_read_then_the_appliance_bypassed() {
        let mut facts = firewalled();
        let steps = ranked(&facts, Pattern::Persistent).next_steps;
        let (test, outcome) = (position(&steps, TEST), position(&steps, OUTCOME));
        assert!(test < outcome);
        assert!(outcome < position(&steps, "If that does not settle it, take fw"));
        // Nobody has seen a fault and none was found.
        facts = load_balancer();
        assert_eq!(diagnose(&facts).next_steps, [TEST]);
        let told = ranked(&facts, Pattern::Persistent).next_steps;
        assert_eq!(told, [TEST, OUTCOME], "no appliance is on the way");
    }

    #[test]
    fn r7_11_the_pods_of_a_busy_node_are_looked_at_with_kubectl_top() {
        let mut facts = load_balancer();
        node_percent(&mut facts, CPU, &[("aks-user-vmss000000", "user", 95.0)]);
        let report = diagnose(&facts);
        assert_eq!(report.verdict.pattern, Pattern::Intermittent);
        assert!(report.next_steps[0].contains("`kubectl top pods` and `kubectl top nodes`"));
        assert!(report.findings[0].remediation[0].commands[0].contains("kubectl top pods"));
    }

    #[test]
    fn a_right_is_asked_for_on_the_resource_or_on_what_is_known_of_it() {
        let gap = |scope: Option<&str>| Gap {
            what: "the virtual hub that virtual network spoke is connected to".to_owned(),
            cause: GapCause::Forbidden,
            http_status: Some(403),
            error_code: None,
            needs: Some(crate::report::Needs {
                action: "Microsoft.Network/virtualHubs/read".to_owned(),
                scope: scope.map(str::to_owned),
            }),
            checks: Vec::new(),
        };
        let asks = |scope| rights(&[gap(scope)]).remove(0);
        assert!(asks(Some("/hub")).contains(" on /hub, "));
        assert!(asks(None).contains(" on the virtual hub that virtual network spoke "));
    }

    #[test]
    fn r4_35_policies_inside_the_cluster_are_looked_at_where_the_path_is_clean() {
        let mut facts = load_balancer();
        network_mut(&mut facts).policy = Some("none".to_owned());
        assert_eq!(diagnose(&facts).next_steps, [TEST]);
        network_mut(&mut facts).policy = Some("cilium".to_owned());
        let steps = diagnose(&facts).next_steps;
        assert_eq!(steps.len(), 2);
        assert!(steps[1].starts_with(POLICIES) && steps[1].contains("ciliumnetworkpolicy"));
        let told = ranked(&facts, Pattern::Persistent).next_steps;
        assert_eq!(told.last(), steps.last());
        deny_internet(&mut facts, "nodes", "443");
        let blocked = diagnose(&facts).next_steps;
        assert!(!blocked.iter().any(|step| step.starts_with(POLICIES)));
    }

    #[test]
    fn r0_8_the_nodes_are_looked_at_first_when_a_fault_comes_and_goes() {
        let steps = ranked(&load_balancer(), Pattern::Intermittent).next_steps;
        assert_eq!(steps, [COMPARE, TEST]);
    }
}
