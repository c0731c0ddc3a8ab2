//! The activity log of the resource groups that hold what was found: read last, and only when there is something to explain,
//! so that a healthy cluster costs no call more. Where the plan has no wave left for it (a firewall's rules that are read in
//! the last one), it is read beside that one, of the groups along the path, before anybody knows whether it will be needed.
//!
//! One call per group: the log takes one filter beside the time, and a whole subscription's log may be very long. Only what
//! the facts keep is asked for: who wrote, from where and with which claims stays in Azure.

use std::collections::BTreeMap;

use egress_arm::{model, operations};
use egress_diagnosis::facts::{ActivityLog, Datum, Facts, Id};
use egress_diagnosis::groups_to_explain;
use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};

use crate::convert;
use crate::metrics::seconds;
use crate::outcome::converted;
use crate::reader::{Reader, keyed};

/// So long before the window is looked for changes, too.
const BEFORE: SignedDuration = SignedDuration::from_hours(24);
/// Azure keeps entries for 90 days and refuses a start before that; an hour for clocks that differ.
const KEPT: SignedDuration = SignedDuration::from_hours(90 * 24 - 1);
/// Pages of one group's log; the newest come first.
const PAGES: usize = 5;
/// Groups whose log is read.
const GROUPS: usize = 5;

/// All that the facts keep of an entry.
const SELECT: &str = "eventTimestamp,operationName,status,resourceId";

/// The logs that may explain what these facts show, by resource group: of those that were read ahead, and the others read
/// now.
pub(crate) async fn read(reader: Reader<'_>, facts: &Facts) -> BTreeMap<Id, Datum<ActivityLog>> {
    let groups = groups_to_explain(facts).into_iter().enumerate();
    let each = groups.map(|(place, group)| async move {
        let log = if let Some(ahead) = facts.activity_logs.get(&group) {
            ahead.clone()
        } else if place < GROUPS {
            of_group(reader, &group).await
        } else {
            Datum::not_asked("the logs of five resource groups were read")
        };
        (group, log)
    });
    keyed(join_all(each).await)
}

/// The logs of the resource groups that hold these resources, the first ones' first.
pub(crate) async fn ahead(
    reader: Reader<'_>,
    resources: &[Id],
) -> BTreeMap<Id, Datum<ActivityLog>> {
    let mut groups: Vec<Id> = Vec::new();
    for group in resources.iter().filter_map(Id::resource_group_id) {
        if groups.len() < GROUPS && !groups.contains(&group) {
            groups.push(group);
        }
    }
    let each = groups.into_iter().map(|group| async move {
        let log = of_group(reader, &group).await;
        (group, log)
    });
    keyed(join_all(each).await)
}

async fn of_group(reader: Reader<'_>, group: &Id) -> Datum<ActivityLog> {
    let range = range(reader.window().start, reader.asked_at());
    let Some(subscription) = group.subscription() else {
        return Datum::not_asked("the resource group's id names no subscription");
    };
    let subscription = Id::new(format!("/subscriptions/{subscription}"));
    let filter = filter(range, group.name());
    let query = [("$filter", filter.as_str()), ("$select", SELECT)];
    let operation = &operations::ACTIVITY_LOG_LIST;
    let answer = reader
        .list_begin::<model::LogEvent>(operation, &subscription, &query, PAGES)
        .await;
    let (start, end) = range;
    converted(answer, |(entries, cut)| {
        // An entry that cannot be read may hide an explanation; nothing is ever said of changes that are not there.
        let entries = entries.iter().filter_map(|entry| entry.as_ref());
        let writes = entries.filter_map(convert::resource_write);
        Some(ActivityLog {
            writes: writes
                .filter(|write| (start..=end).contains(&write.at))
                .collect(),
            cut: *cut,
        })
    })
}

/// The window and the day before it, as far as Azure keeps it.
fn range(window_start: Timestamp, asked_at: Timestamp) -> (Timestamp, Timestamp) {
    let earlier = |time: Timestamp, by| time.saturating_sub(by).unwrap_or(Timestamp::MIN);
    let start = earlier(window_start, BEFORE).max(earlier(asked_at, KEPT));
    (start, asked_at)
}

/// The time comes first; one condition more is allowed.
fn filter((start, end): (Timestamp, Timestamp), group: &str) -> String {
    // A quote is written twice inside quotes.
    let group = group.replace('\'', "''");
    format!(
        "eventTimestamp ge '{}' and eventTimestamp le '{}' and resourceGroupName eq '{group}'",
        seconds(start),
        seconds(end)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_day_before_the_window_is_looked_at_but_nothing_that_azure_no_longer_has() {
        let end = time("2026-06-30T12:00:00Z");
        let from = |start: &str| range(time(start), end).0.to_string();
        assert_eq!(from("2026-06-30T06:00:00Z"), "2026-06-29T06:00:00Z");
        assert_eq!(from("2025-01-01T00:00:00Z"), "2026-04-01T13:00:00Z");
    }

    #[test]
    fn the_filter_is_time_and_one_condition() {
        let range = (time("2026-06-29T06:00:00Z"), time("2026-06-30T12:00:00Z"));
        assert_eq!(
            filter(range, "rg-net"),
            "eventTimestamp ge '2026-06-29T06:00:00Z' and eventTimestamp le '2026-06-30T12:00:00Z' and resourceGroupName eq 'rg-net'"
        );
        assert!(filter(range, "a' or b").ends_with("eq 'a'' or b'"));
    }
}
