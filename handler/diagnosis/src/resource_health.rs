//! What Resource Health says of the cluster and of the devices that carry its traffic.

use crate::context::Context;
use crate::facts::{Health, Id};
use crate::report::Outbound;

/// A time in which Azure says that a resource was not well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unwell {
    /// In words, with its times.
    pub(crate) text: String,
    /// How it lies in the window.
    pub(crate) when: When,
    /// Whether it lasts.
    pub(crate) now: bool,
}

/// How a time lies in the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// A device that carries traffic was unavailable through all of it.
    Throughout,
    /// It began or ended in it.
    Transition,
    /// Neither is known.
    Unclear,
}

/// What was not well in the window, of the cluster and of the devices that its traffic leaves through. Another resource's
/// health has no part in egress: a load balancer may only serve inbound traffic. `Unknown` is no signal, not a fault.
pub(crate) fn unwell(ctx: &Context<'_>, outbound: &Outbound) -> Vec<Unwell> {
    let devices = || {
        outbound
            .paths
            .iter()
            .filter_map(|path| path.device.as_ref())
    };
    let known = ctx.facts.pressure.health.iter();
    let known = known.filter_map(|(id, health)| Some((id, health.as_known()?)));
    known
        .filter_map(|(id, health)| {
            let carries = devices().any(|device| device.id == *id);
            let concerned = carries || *id == ctx.cluster().id;
            concerned.then(|| of(ctx, id, health, carries)).flatten()
        })
        .collect()
}

fn of(ctx: &Context<'_>, id: &Id, health: &Health, carries: bool) -> Option<Unwell> {
    let window = ctx.facts.window;
    let inside = |at| at > window.start && at <= window.end;
    let what = format!("Resource Health: {} {}", kind(id), id.name());
    let is = |state: &str| health.state.eq_ignore_ascii_case(state);
    if is("Unavailable") || is("Degraded") {
        let summary = health.summary.as_deref().map(str::trim);
        let summary = summary.filter(|summary| !summary.is_empty());
        let summary = summary.map_or(String::new(), |summary| format!(": {summary}"));
        let since = health
            .since
            .map_or(String::new(), |at| format!(" since {at}"));
        let when = match health.since {
            Some(at) if inside(at) => When::Transition,
            Some(at) if at <= window.start && carries && is("Unavailable") => When::Throughout,
            _ => When::Unclear,
        };
        return Some(Unwell {
            text: format!("{what} is {}{since}{summary}", health.state),
            when,
            now: true,
        });
    }
    let (from, until) = health.resolved?;
    (from <= until && (inside(from) || inside(until))).then(|| Unwell {
        text: format!("{what} was unavailable from {from} until {until}"),
        when: When::Transition,
        now: false,
    })
}

fn kind(id: &Id) -> &'static str {
    let kinds = [
        ("Microsoft.ContainerService/managedClusters", "cluster"),
        ("Microsoft.Network/loadBalancers", "load balancer"),
        ("Microsoft.Network/natGateways", "NAT gateway"),
        ("Microsoft.Network/azureFirewalls", "Azure Firewall"),
    ];
    let kind = kinds.iter().find(|(kind, _)| id.is_type(kind));
    kind.map_or("resource", |(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose;
    use crate::facts::{Datum, Facts};
    use crate::report::{Pattern, Status, Verdict};
    use crate::testing::*;
    use jiff::SignedDuration;

    /// A state since so many hours after the window's start.
    fn state(facts: &Facts, state: &str, hours: i64) -> Health {
        Health {
            state: state.to_owned(),
            title: None,
            summary: Some("The data path is down.".to_owned()),
            since: Some(facts.window.start + SignedDuration::from_hours(hours)),
            reason: None,
            resolved: None,
        }
    }

    fn verdict(id: &Id, change: impl FnOnce(&Facts) -> Health) -> Verdict {
        let mut facts = load_balancer();
        let health = change(&facts);
        let all = &mut facts.pressure.health;
        all.insert(id.clone(), Datum::Known(health));
        diagnose(&facts).verdict
    }

    #[test]
    fn a_device_that_became_unavailable_in_the_window_is_intermittent() {
        for word in ["Unavailable", "degraded"] {
            let verdict = verdict(&lb_id(), |facts| state(facts, word, 5));
            assert_eq!(verdict.pattern, Pattern::Intermittent);
            let told = &verdict.pattern_evidence;
            assert_eq!(told.len(), 1);
            let begins = format!("Resource Health: load balancer kubernetes is {word} since ");
            assert!(told[0].starts_with(&begins), "{told:?}");
            assert!(told[0].ends_with("Z: The data path is down."), "{told:?}");
        }
    }

    #[test]
    fn a_device_that_was_unavailable_throughout_is_persistent() {
        let throughout = verdict(&lb_id(), |facts| state(facts, "Unavailable", -1));
        assert_eq!(throughout.pattern, Pattern::Persistent);
        // Degraded is not down: some of it worked.
        let degraded = verdict(&lb_id(), |facts| state(facts, "Degraded", -1));
        assert_eq!(degraded.pattern, Pattern::Unknown);
    }

    #[test]
    fn a_device_that_recovered_in_the_window_is_intermittent_but_well_now() {
        let recovered = |from: i64, until: i64| {
            verdict(&lb_id(), |facts| {
                let at = |hours| facts.window.start + SignedDuration::from_hours(hours);
                Health {
                    resolved: Some((at(from), at(until))),
                    ..state(facts, "Available", until)
                }
            })
        };
        let within = recovered(2, 3);
        assert_eq!(within.pattern, Pattern::Intermittent);
        assert_eq!(within.status, Status::Healthy);
        let told = &within.pattern_evidence[0];
        assert!(told.contains(" was unavailable from "), "{told}");
        assert_eq!(recovered(-3, -2).pattern, Pattern::None);
        assert_eq!(recovered(3, 2).pattern, Pattern::None);
    }

    #[test]
    fn what_azure_says_is_down_is_never_healthy() {
        for hours in [-1, 5] {
            let verdict = verdict(&lb_id(), |facts| state(facts, "Unavailable", hours));
            assert_eq!(verdict.status, Status::Unknown);
            assert!(
                verdict.headline.contains("Resource Health: load balancer"),
                "{}",
                verdict.headline
            );
        }
    }

    #[test]
    fn no_signal_and_what_carries_nothing_say_nothing() {
        let silent = verdict(&lb_id(), |facts| state(facts, "Unknown", 5));
        assert_eq!(
            (silent.pattern, silent.status),
            (Pattern::None, Status::Healthy)
        );
        let other = lb_id().beside("Microsoft.Network/natGateways", "of-others");
        let other = verdict(&other, |facts| state(facts, "Unavailable", 5));
        assert_eq!(
            (other.pattern, other.status),
            (Pattern::None, Status::Healthy)
        );
    }

    #[test]
    fn the_clusters_own_health_counts_where_it_changed() {
        let cluster = load_balancer().cluster.id;
        let changed = verdict(&cluster, |facts| state(facts, "Degraded", 5));
        assert_eq!(changed.pattern, Pattern::Intermittent);
        // Its control plane may be down while its traffic leaves.
        let throughout = verdict(&cluster, |facts| state(facts, "Unavailable", -1));
        assert_eq!(throughout.pattern, Pattern::Unknown);
    }
}
