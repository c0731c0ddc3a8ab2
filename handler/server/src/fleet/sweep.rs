//! Diagnoses of many clusters at once: of named ones, of subscriptions, of all that may be looked into.

use std::collections::BTreeSet;

use egress_collect::Located;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use crate::cluster_id::ClusterId;
use crate::http::App;
use crate::jobs::ids::cluster_key;
use crate::jobs::messages::{Job, Origin, Post};
use crate::jobs::work::Done;
use crate::problem::{Code, Problem};

/// Clusters of one sweep: a message of some 500 bytes each, in one answer to the host.
pub(crate) const MOST_CLUSTERS: usize = 2_000;

/// Lists all clusters that may be looked into, and orders a diagnosis of each. A timer that fires twice for the same slot
/// gives the same ids, and so the same results.
///
/// # Errors
/// The clusters could not be listed.
pub(crate) async fn on_timer(app: &App, timer: Option<&Value>) -> Result<Done, Problem> {
    let reports = app.reports()?;
    if !app.jobs.sweep {
        tracing::info!("EGRESS_SWEEP is off; nothing is ordered");
        return Ok(Done::default());
    }
    let now = Timestamp::now();
    let slot = slot(timer, now);
    let located = reports.list_clusters(BTreeSet::new(), MOST_CLUSTERS).await;
    check(&located)?;
    let ids = &app.jobs()?.ids;
    let posts = located.clusters.iter().map(|cluster| {
        let id = ids.derived(slot, &["sweep", &cluster_key(cluster)]);
        Post::diagnosis(&Job::new(id, cluster, Origin::Sweep, now, Map::new()))
    });
    tracing::info!(
        clusters = located.clusters.len(),
        left_out = located.left_out,
        reasons = ?located.reasons,
        "sweep of {slot}"
    );
    Ok(Done {
        blobs: Vec::new(),
        posts: posts.collect(),
    })
}

/// A list that is empty because Azure did not answer is no list.
///
/// # Errors
/// 502 with what stood in the way in the log.
pub(crate) fn check(located: &Located) -> Result<(), Problem> {
    if !located.clusters.is_empty() || !located.passing {
        return Ok(());
    }
    let text = "the clusters could not be listed; Azure did not give a usable answer in time";
    Err(Problem::new(Code::AzureUnreachable, text)
        .retry_after(30)
        .log(located.reasons.join("; ")))
}

/// The point of the schedule that a call of the timer is for: the occurrence that the host expected, when it is about now;
/// else the minute. Called by hand, the host names a later occurrence, which is not to be used up.
fn slot(timer: Option<&Value>, now: Timestamp) -> Timestamp {
    let expected = timer
        .and_then(|timer| timer.pointer("/ScheduleStatus/Next")?.as_str())
        .and_then(|text| text.parse::<Timestamp>().ok());
    let minute = now.as_second() - now.as_second().rem_euclid(60);
    let minute = Timestamp::from_second(minute).unwrap_or(now);
    let is_now = |at: &Timestamp| {
        let late = now.duration_since(*at);
        late > -SignedDuration::from_secs(5) && late < SignedDuration::from_mins(50)
    };
    expected.filter(is_now).unwrap_or(minute)
}

/// The orders for clusters that a caller named, each with an id of its own.
pub(crate) fn ordered(app: &App, clusters: &[ClusterId]) -> Result<Vec<Job>, Problem> {
    let ids = &app.jobs()?.ids;
    let now = Timestamp::now();
    let fresh: Map<String, Value> = [("fresh".to_owned(), Value::Bool(true))]
        .into_iter()
        .collect();
    let job =
        |cluster: &ClusterId| Job::new(ids.issue(now), cluster, Origin::Sweep, now, fresh.clone());
    Ok(clusters.iter().map(job).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_slot_is_the_occurrence_that_was_expected_about_now() {
        let slot_of = |next: &str, now: &str| {
            let timer = json!({"ScheduleStatus": {"Next": next}});
            slot(Some(&timer), at(now)).to_string()
        };
        let ten = "2026-08-08T10:17:00+00:00";
        for now in [
            "2026-08-08T10:17:00.03Z",
            "2026-08-08T10:17:59Z",
            "2026-08-08T10:40:00Z",
            "2026-08-08T10:16:59Z",
        ] {
            assert_eq!(slot_of(ten, now), "2026-08-08T10:17:00Z", "{now}");
        }
        // By hand, before its time; and a status that the host no longer keeps.
        assert_eq!(slot_of(ten, "2026-08-08T09:30:59Z"), "2026-08-08T09:30:00Z");
        assert_eq!(slot_of(ten, "2026-08-09T10:17:05Z"), "2026-08-09T10:17:00Z");
        assert_eq!(
            slot_of("soon", "2026-08-09T10:17:05Z"),
            "2026-08-09T10:17:00Z"
        );
        for timer in [
            None,
            Some(&json!({"ScheduleStatus": null})),
            Some(&json!([])),
        ] {
            assert_eq!(
                slot(timer, at("2026-08-09T10:17:05Z")),
                at("2026-08-09T10:17:00Z")
            );
        }
    }
}
