//! All scenarios together: the resources by id, the groups, and who owns them.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    Error,
    expand::{Event, Expanded, Resource, SUBSCRIPTION, availability, expand},
    parse::parse,
    scenario::Fault,
};

/// A cluster that the sandbox serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// The scenario's name: its file name without `.toml`.
    pub scenario: String,
    /// ARM id of the managed cluster.
    pub id: String,
    /// One line: what is the case here.
    pub description: String,
    /// The verdict status that a correct diagnosis gives, when the scenario settles it.
    pub expected_status: Option<String>,
    /// Codes of the findings that a correct diagnosis raises, as far as the scenario names them.
    pub expected_findings: Vec<String>,
    /// Codes of findings that a correct diagnosis leaves out although little is missing for them.
    pub near_misses: Vec<String>,
    /// Codes of findings of which a correct diagnosis says that it cannot tell.
    pub cannot_tell: Vec<String>,
    /// Whether the diagnosis is asked to look at the nodes closely.
    pub pressure: bool,
}

/// A resource group with the faults that lie on it.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) body: Value,
    pub(crate) faults: Vec<Fault>,
}

#[derive(Debug, Default)]
pub(crate) struct Cloud {
    /// By lower-case id.
    resources: BTreeMap<String, Resource>,
    /// By lower-case name.
    groups: BTreeMap<String, Group>,
    /// By lower-case path.
    documents: BTreeMap<String, Value>,
    /// What Resource Health says, by lower-case id; else `Available`.
    health: BTreeMap<String, Value>,
    /// What Advisor recommends: the resource's id and the body.
    advice: Vec<(String, Value)>,
    clusters: Vec<Cluster>,
    /// Faults of reads outside any resource group, of all scenarios.
    subscription_faults: Vec<Fault>,
    /// The activity log of all scenarios.
    events: Vec<Event>,
}

impl Cloud {
    /// Builds from (name, text) pairs. Two scenarios may not share a resource group.
    pub(crate) fn build<'a>(
        scenarios: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Error> {
        let mut cloud = Self::default();
        for (name, text) in scenarios {
            cloud.add(expand(name, parse(name, text)?)?)?;
        }
        Ok(cloud)
    }

    fn add(&mut self, expanded: Expanded) -> Result<(), Error> {
        let of_subscription = |fault: &&Fault| fault.group.as_deref() == Some("subscription");
        let faults = expanded.faults.iter().filter(of_subscription).cloned();
        self.subscription_faults.extend(faults);
        for (name, body) in expanded.groups {
            let faults = expanded
                .faults
                .iter()
                .filter(|fault| match fault.group.as_deref() {
                    None => true,
                    Some("node") => name == expanded.node_group,
                    Some(group) => name.eq_ignore_ascii_case(group),
                });
            let group = Group {
                faults: faults.cloned().collect(),
                body,
            };
            if self
                .groups
                .insert(name.to_ascii_lowercase(), group)
                .is_some()
            {
                return Err(Error::Scenario {
                    file: expanded.name,
                    message: format!(
                        "resource group `{name}` belongs to another scenario too; choose another name"
                    ),
                });
            }
        }
        self.resources.extend(
            expanded
                .resources
                .into_iter()
                .map(|resource| (resource.id.to_ascii_lowercase(), resource)),
        );
        self.documents.extend(
            expanded
                .documents
                .into_iter()
                .map(|(path, body)| (path.to_ascii_lowercase(), body)),
        );
        self.events.extend(expanded.events);
        self.health.extend(
            expanded
                .health
                .into_iter()
                .map(|(id, body)| (id.to_ascii_lowercase(), body)),
        );
        self.advice.extend(expanded.advice);
        self.clusters.push(Cluster {
            scenario: expanded.name,
            id: expanded.cluster_id,
            description: expanded.description,
            expected_status: expanded.expect,
            expected_findings: expanded.findings,
            near_misses: expanded.near_misses,
            cannot_tell: expanded.cannot_tell,
            pressure: expanded.pressure,
        });
        Ok(())
    }

    pub(crate) fn clusters(&self) -> &[Cluster] {
        &self.clusters
    }

    pub(crate) fn resource(&self, id: &str) -> Option<&Resource> {
        self.resources.get(&id.to_ascii_lowercase())
    }

    pub(crate) fn document(&self, path: &str) -> Option<&Value> {
        self.documents.get(&path.to_ascii_lowercase())
    }

    /// What Resource Health says of a resource.
    pub(crate) fn health(&self, id: &str) -> Value {
        let known = self.health.get(&id.to_ascii_lowercase()).cloned();
        known.unwrap_or_else(|| {
            availability(
                id,
                "Available",
                "There aren't any known Azure platform problems affecting this resource.",
                "2026-01-01T00:00:00Z",
            )
        })
    }

    /// What Advisor recommends, with the id of the resource.
    pub(crate) fn advice(&self) -> impl Iterator<Item = &(String, Value)> {
        self.advice.iter()
    }

    pub(crate) fn group(&self, name: &str) -> Option<&Group> {
        self.groups.get(&name.to_ascii_lowercase())
    }

    pub(crate) fn subscription_faults(&self) -> &[Fault] {
        &self.subscription_faults
    }

    pub(crate) fn events(&self) -> &[Event] {
        &self.events
    }

    pub(crate) fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.values()
    }

    /// The resources below `scope` (a path), in id order.
    pub(crate) fn below<'a>(&'a self, scope: &str) -> impl Iterator<Item = &'a Resource> + use<'a> {
        let prefix = format!("{}/", scope.to_ascii_lowercase());
        self.resources
            .range(prefix.clone()..)
            .take_while(move |(id, _)| id.starts_with(&prefix))
            .map(|(_, resource)| resource)
    }

    pub(crate) fn subscription_path() -> String {
        format!("/subscriptions/{SUBSCRIPTION}")
    }
}
