//! Entries of the activity log that a scenario describes.

use super::Resource;
use crate::{
    Error,
    scenario::{Change, Scenario},
};

/// Writes to one resource, each with an entry for its beginning and one for its end.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) resource: String,
    /// e.g. `Microsoft.Network/routeTables/routes/write`.
    pub(crate) operation: String,
    /// How it ended.
    pub(crate) status: String,
    /// Minutes before the end of the time that is asked for.
    pub(crate) ago: i64,
    /// So often, each time a minute earlier.
    pub(crate) times: i64,
}

/// One event for every resource that an entry names; one that names none is an error of the file.
pub(super) fn expand(
    file: &str,
    scenario: &Scenario,
    resources: &[Resource],
) -> Result<Vec<Event>, Error> {
    let mut events = Vec::new();
    for change in &scenario.changes {
        let end = format!("/{}", change.resource.to_ascii_lowercase());
        let named: Vec<&Resource> = resources
            .iter()
            .filter(|resource| resource.id.to_ascii_lowercase().ends_with(&end))
            .collect();
        if named.is_empty() {
            return Err(Error::Scenario {
                file: file.to_owned(),
                message: format!("`changes`: no resource's id ends in `{}`", change.resource),
            });
        }
        events.extend(named.into_iter().map(|resource| event(change, resource)));
    }
    Ok(events)
}

fn event(change: &Change, resource: &Resource) -> Event {
    let (id, kind) = match &change.part {
        None => (resource.id.clone(), resource.kind.clone()),
        Some(part) => {
            let kind = part.split('/').next().unwrap_or_default();
            (
                format!("{}/{part}", resource.id),
                format!("{}/{kind}", resource.kind),
            )
        }
    };
    Event {
        resource: id,
        operation: format!("{kind}/{}", change.operation),
        status: change.status.clone(),
        ago: change.ago,
        times: change.times,
    }
}
