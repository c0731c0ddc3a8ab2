//! Which fault of a scenario meets a request.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use super::path::Target;
use crate::{cloud::Cloud, scenario::Fault};

/// How often each fault has struck, by group, place in the file and path.
#[derive(Debug, Default)]
pub(super) struct Struck(Mutex<BTreeMap<(String, usize, String), u32>>);

impl Struck {
    /// The first fault that applies to a request, counted as struck.
    pub(super) fn fault<'a>(
        &self,
        cloud: &'a Cloud,
        target: &Target,
        path: &str,
        query: &BTreeMap<String, String>,
    ) -> Option<&'a Fault> {
        let (group, faults) = match group_of(target) {
            Some(group) => (
                group.to_ascii_lowercase(),
                cloud.group(group)?.faults.as_slice(),
            ),
            None => (String::new(), cloud.subscription_faults()),
        };
        let path = path.to_ascii_lowercase();
        let mut struck = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        faults.iter().enumerate().find_map(|(index, fault)| {
            let applies = applies(fault, &path, query);
            let once = fault.retry_after.map(|_| 1);
            let count = struck
                .entry((group.clone(), index, path.clone()))
                .or_default();
            let left = fault.times.or(once).is_none_or(|times| *count < times);
            (applies && left).then(|| {
                *count += 1;
                fault
            })
        })
    }

    pub(super) fn reset(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

/// Whether a fault is about this request; the path is in lower case.
fn applies(fault: &Fault, path: &str, query: &BTreeMap<String, String>) -> bool {
    let path_has = |part: &String| path.contains(&part.to_ascii_lowercase());
    let path_ends = |end: &String| path.ends_with(&end.to_ascii_lowercase());
    let query_has = |part: &String| {
        let part = part.to_ascii_lowercase();
        let mut values = query.values();
        values.any(|value| value.to_ascii_lowercase().contains(&part))
    };
    fault.path.as_ref().is_none_or(path_has)
        && fault.ends.as_ref().is_none_or(path_ends)
        && fault.query.as_ref().is_none_or(query_has)
}

/// Whether the identity may not read a resource's metrics.
pub(super) fn denies_metrics(
    cloud: &Cloud,
    resource: &str,
    query: &BTreeMap<String, String>,
) -> bool {
    let group = resource.split('/').nth(4).unwrap_or_default();
    let path = format!("{resource}/providers/Microsoft.Insights/metrics").to_ascii_lowercase();
    let group = cloud.group(group);
    let mut faults = group.into_iter().flat_map(|group| &group.faults);
    faults.any(|fault| fault.deny && applies(fault, &path, query))
}

/// Whether every read in a group is denied: then lists of the subscription leave its resources out.
pub(super) fn hidden(cloud: &Cloud, group: &str) -> bool {
    cloud.group(group).is_some_and(|group| {
        group
            .faults
            .iter()
            .any(|fault| fault.deny && fault.path.is_none() && fault.ends.is_none())
    })
}

fn group_of(target: &Target) -> Option<&str> {
    match target {
        Target::Group(group) => Some(group),
        Target::Resources { group } | Target::ActivityLog(group) | Target::MetricsBatch(group) => {
            group.as_deref()
        }
        Target::Typed(typed) => typed.group.as_deref(),
        _ => None,
    }
}
