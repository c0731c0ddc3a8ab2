//! From a scenario to the ARM resources it stands for.

mod advice;
mod appliance;
mod changes;
mod cluster;
mod compute;
mod edit;
mod endpoints;
mod firewall;
mod hub;
mod load_balancer;
mod managed;
mod names;
mod network;
mod plan;
mod public_ip;
mod series;

use serde_json::{Value, json};

pub(crate) use advice::availability;
pub(crate) use changes::Event;
pub(crate) use compute::INSTANCE_IP;
pub(crate) use names::{SUBSCRIPTION, TENANT, guid};
pub(crate) use series::{Series, Shape};

use crate::{
    Error,
    scenario::{Fault, Scenario},
};
use plan::Plan;

/// One ARM resource, addressable by its id.
#[derive(Debug, Clone)]
pub(crate) struct Resource {
    /// ARM id with Azure's usual casing.
    pub(crate) id: String,
    /// Full type, e.g. `Microsoft.Network/virtualNetworks/subnets`.
    pub(crate) kind: String,
    /// The body of a GET.
    pub(crate) body: Value,
    /// Its metric series.
    pub(crate) series: Vec<Series>,
}

/// One scenario, expanded.
#[derive(Debug)]
pub(crate) struct Expanded {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) expect: Option<String>,
    pub(crate) findings: Vec<String>,
    pub(crate) near_misses: Vec<String>,
    pub(crate) cannot_tell: Vec<String>,
    pub(crate) pressure: bool,
    pub(crate) health: Vec<(String, Value)>,
    pub(crate) advice: Vec<(String, Value)>,
    pub(crate) cluster_id: String,
    pub(crate) node_group: String,
    /// Name and body.
    pub(crate) groups: Vec<(String, Value)>,
    pub(crate) resources: Vec<Resource>,
    /// Answers that are no resources: path and body.
    pub(crate) documents: Vec<(String, Value)>,
    pub(crate) faults: Vec<Fault>,
    /// Entries of the activity log.
    pub(crate) events: Vec<Event>,
}

/// Expands one scenario. `file` is its file name without the extension and names the scenario.
pub(crate) fn expand(file: &str, scenario: Scenario) -> Result<Expanded, Error> {
    let plan = Plan::new(file, scenario)?;
    let mut resources = Vec::new();
    network::expand(&plan, &mut resources)?;
    public_ip::expand(&plan, &mut resources);
    firewall::expand(&plan, &mut resources)?;
    hub::expand(&plan, &mut resources)?;
    let views = appliance::expand(&plan, &mut resources)?;
    load_balancer::expand(&plan, &mut resources)?;
    compute::expand(&plan, &mut resources)?;
    let mut documents = cluster::expand(&plan, &mut resources)?;
    documents.extend(views);
    documents.extend(network::admin_rules(&plan));
    series::attach(&plan, &mut resources)?;
    for edit in &plan.scenario.edits {
        edit::apply(file, edit, &mut resources)?;
    }
    let events = changes::expand(file, &plan.scenario, &resources)?;
    for gone in plan.deleted_ids()? {
        resources.retain(|resource| !resource.id.eq_ignore_ascii_case(&gone));
    }
    let groups = plan
        .groups()
        .into_iter()
        .map(|name| {
            let body = group_body(&plan, &name);
            (name, body)
        })
        .collect();
    Ok(Expanded {
        name: plan.file.clone(),
        description: plan.scenario.description.clone(),
        expect: plan.scenario.expect.clone(),
        findings: plan.scenario.findings.clone(),
        near_misses: plan.scenario.near_misses.clone(),
        cannot_tell: plan.scenario.cannot_tell.clone(),
        pressure: plan.scenario.pressure,
        health: advice::health(&plan)?,
        advice: advice::advice(&plan)?,
        cluster_id: plan.cluster_id(),
        node_group: plan.node_group.clone(),
        groups,
        resources,
        documents,
        faults: plan.scenario.faults.clone(),
        events,
    })
}

fn group_body(plan: &Plan, name: &str) -> Value {
    let mut body = json!({
        "id": format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/{name}"),
        "name": name,
        "type": "Microsoft.Resources/resourceGroups",
        "location": plan.scenario.cluster.region,
        "properties": { "provisioningState": "Succeeded" },
    });
    if name == plan.node_group {
        body["managedBy"] = json!(plan.cluster_id());
        body["tags"] = json!({
            "aks-managed-cluster-name": plan.name,
            "aks-managed-cluster-rg": plan.group,
        });
    }
    body
}
