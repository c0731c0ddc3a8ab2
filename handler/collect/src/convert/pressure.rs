//! Machines, VM sizes, Advisor's recommendations and Resource Health.

use std::collections::BTreeMap;

use egress_arm::model;
use egress_diagnosis::facts::{Health, Id, Machine, Recommendation, VmSize};
use jiff::Timestamp;

use super::compute::pool_tag;
use super::id;
use super::scrub::scrub;

/// A virtual machine; `None` for one of which nothing says what it is.
pub(crate) fn machine(answer: &model::VirtualMachine) -> Option<Machine> {
    Some(Machine {
        id: id(&answer.id)?,
        pool_name: pool_tag(answer),
    })
}

/// VM sizes by their name in lower case. A region may list a size more than once, for parts of it: they say the same.
pub(crate) fn vm_sizes(list: &model::VmSizes) -> BTreeMap<String, VmSize> {
    list.sizes
        .iter()
        .filter_map(|item| Some((item.name.as_deref()?.to_ascii_lowercase(), vm_size(item))))
        .collect()
}

fn vm_size(item: &model::SkuItem) -> VmSize {
    let value = |wanted: &str| {
        item.capabilities
            .iter()
            .find(|known| {
                let name = known.name.as_deref();
                name.is_some_and(|name| name.eq_ignore_ascii_case(wanted))
            })
            .and_then(|known| known.value.as_deref())
    };
    let number = |wanted| value(wanted)?.trim().parse().ok();
    VmSize {
        ephemeral_os_disk: value("EphemeralOSDiskSupported")
            .and_then(|text| text.trim().to_ascii_lowercase().parse().ok()),
        placements: value("SupportedEphemeralOSDiskPlacements")
            .into_iter()
            .flat_map(|text| text.split(','))
            .map(|placement| placement.trim().to_owned())
            .filter(|placement| !placement.is_empty())
            .collect(),
        cache_bytes: number("CachedDiskBytes"),
        temporary_disk_mb: number("MaxResourceVolumeMB"),
        nvme_disk_mib: number("NvmeDiskSizeInMiB"),
    }
}

/// An open recommendation and what it is about; `None` for one that cannot be used. One that somebody put aside is
/// `Some(None)`.
#[expect(
    clippy::option_option,
    reason = "unusable and put aside are different outcomes"
)]
pub(crate) fn recommendation(answer: &model::Recommendation) -> Option<Option<Recommendation>> {
    let p = answer.properties.as_ref()?;
    if !p.suppression_ids.is_empty() {
        return Some(None);
    }
    let resource = id(&p.resource_metadata.resource_id).or_else(|| {
        // Its own id lies under the resource that it is about.
        let own = answer.id.as_deref()?;
        let lower = own.to_ascii_lowercase();
        let at = lower.find("/providers/microsoft.advisor/")?;
        own.get(..at).map(Id::new)
    })?;
    let words = &p.short_description;
    Some(Some(Recommendation {
        resource,
        category: p.category.0.clone(),
        impact: p.impact.0.clone(),
        problem: words.problem.as_deref().map(scrub),
        solution: words.solution.as_deref().map(scrub),
        last_updated: *p.last_updated,
    }))
}

/// What Resource Health says.
pub(crate) fn health(answer: &model::AvailabilityStatus) -> Option<Health> {
    let p = answer.properties.as_ref()?;
    Some(Health {
        state: p.availability_state.0.clone()?,
        title: p.title.as_deref().map(scrub),
        summary: p.summary.as_deref().map(scrub),
        since: *p.occured_time,
        reason: p.reason_type.0.clone(),
        resolved: resolved(&p.recently_resolved),
    })
}

/// From when until when it was unavailable; nothing where one of both is not said.
fn resolved(of: &model::RecentlyResolved) -> Option<(Timestamp, Timestamp)> {
    (*of.unavailable_occured_time).zip(*of.resolved_time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r7_8_capabilities_in_any_case_and_type() {
        let item: model::SkuItem = serde_json::from_str(
            r#"{"name":"Standard_E4bds_v5","capabilities":[{"name":"ephemeralosdisksupported","value":"True"},
                {"name":"CachedDiskBytes","value":107374182400},{"name":"MaxResourceVolumeMB","value":"153600"},
                {"name":"SupportedEphemeralOSDiskPlacements","value":"ResourceDisk, CacheDisk"},{"name":"NvmeDiskSizeInMiB","value":"?"}]}"#,
        )
        .unwrap();
        let sizes = vm_sizes(&model::VmSizes {
            sizes: vec![item],
            ..model::VmSizes::default()
        });
        let size = &sizes["standard_e4bds_v5"];
        assert_eq!(size.ephemeral_os_disk, Some(true));
        assert_eq!(size.cache_bytes, Some(100 << 30));
        assert_eq!(size.temporary_disk_mb, Some(150 << 10));
        assert_eq!(size.placements, ["ResourceDisk", "CacheDisk"]);
        assert_eq!(size.nvme_disk_mib, None);
    }

    #[test]
    fn r7_12_a_recommendation_is_about_the_resource_that_it_lies_under() {
        let of = |body: &str| recommendation(&serde_json::from_str(body).unwrap());
        let body = r#"{"id":"/subscriptions/s/vmss/x/providers/Microsoft.Advisor/recommendations/r","properties":{"impact":"High","shortDescription":{"problem":"p"}}}"#;
        let known = of(body).flatten().unwrap();
        assert_eq!(known.resource, Id::new("/subscriptions/s/vmss/x"));
        assert_eq!(known.problem.as_deref(), Some("p"));
        // Put aside by somebody.
        let aside = r#"{"id":"/x/providers/Microsoft.Advisor/recommendations/r","properties":{"suppressionIds":["1"]}}"#;
        assert_eq!(of(aside), Some(None));
        assert_eq!(of(r#"{"properties":{}}"#), None);
        assert_eq!(of("{}"), None);
    }

    #[test]
    fn a_state_is_what_counts() {
        let of = |body: &str| health(&serde_json::from_str(body).unwrap());
        let known = of(
            r#"{"properties":{"availabilityState":"Degraded","occuredTime":"2026-01-01T00:00:00Z","reasonType":"Unplanned"}}"#,
        )
        .unwrap();
        assert_eq!(known.state, "Degraded");
        assert!(known.since.is_some());
        assert_eq!(of(r#"{"properties":{"title":"t"}}"#), None);
        let resolved = |times: &str| {
            let body = format!(
                r#"{{"properties":{{"availabilityState":"Available","recentlyResolved":{times}}}}}"#
            );
            of(&body).unwrap().resolved
        };
        let both = r#"{"unavailableOccuredTime":"2026-01-01T00:00:00Z","resolvedTime":"2026-01-01T00:10:00Z"}"#;
        assert!(resolved(both).is_some());
        for less in [
            "null",
            "{}",
            r#"{"resolvedTime":"2026-01-01T00:10:00Z"}"#,
            "7",
        ] {
            assert_eq!(resolved(less), None, "{less}");
        }
    }
}
