//! What Azure Advisor and Resource Health say of a scenario's resources.

use serde_json::{Value, json};

use super::{names::guid, plan::Plan};
use crate::Error;

/// Recommendations, each with the id of the resource it is about.
pub(super) fn advice(plan: &Plan) -> Result<Vec<(String, Value)>, Error> {
    let entries = plan.scenario.advice.iter().enumerate();
    entries
        .map(|(index, entry)| {
            let id = plan.reference(&format!("advice[{index}].of"), &entry.of)?;
            // Advisor writes ids in lower case.
            let lower = id.to_lowercase();
            let name = guid(&format!("{id}/{}", entry.problem));
            let suppressed: Vec<String> =
                entry.suppressed.then(|| guid(&name)).into_iter().collect();
            let body = json!({
                "id": format!("{lower}/providers/Microsoft.Advisor/recommendations/{name}"),
                "name": name,
                "type": "Microsoft.Advisor/recommendations",
                "properties": {
                    "category": entry.category,
                    "impact": entry.impact,
                    "impactedField": "Microsoft.Compute/virtualMachineScaleSets",
                    "impactedValue": lower.rsplit('/').next(),
                    "lastUpdated": "2026-10-31T08:00:00.1234567Z",
                    "recommendationTypeId": guid(&entry.problem),
                    "shortDescription": { "problem": entry.problem, "solution": entry.solution },
                    "extendedProperties": {},
                    "resourceMetadata": { "resourceId": lower },
                    "suppressionIds": suppressed,
                },
            });
            Ok((id, body))
        })
        .collect()
}

/// What Resource Health says, by the resource's id.
pub(super) fn health(plan: &Plan) -> Result<Vec<(String, Value)>, Error> {
    let entries = plan.scenario.health.iter().enumerate();
    entries
        .map(|(index, entry)| {
            let id = plan.reference(&format!("health[{index}].of"), &entry.of)?;
            let mut body = availability(&id, &entry.state, &entry.summary, &entry.since);
            if let Some(from) = &entry.unavailable_from {
                body["properties"]["recentlyResolved"] = json!({
                    "unavailableOccuredTime": from,
                    "resolvedTime": entry.since,
                    "unavailableSummary": entry.summary,
                });
            }
            Ok((id, body))
        })
        .collect()
}

/// An availability status.
pub(crate) fn availability(id: &str, state: &str, summary: &str, since: &str) -> Value {
    json!({
        "id": format!("{id}/providers/Microsoft.ResourceHealth/availabilityStatuses/current"),
        "name": "current",
        "type": "Microsoft.ResourceHealth/AvailabilityStatuses",
        "properties": {
            "availabilityState": state,
            "title": state,
            "summary": summary,
            "reasonType": if state == "Available" { "" } else { "Unplanned" },
            "reasonChronicity": "Persistent",
            "category": "Unplanned",
            "occuredTime": since,
            "reportedTime": since,
        },
    })
}
