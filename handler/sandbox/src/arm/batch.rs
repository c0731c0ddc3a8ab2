//! The metrics data plane: one query over several resources.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{answer::Answer, faults::denies_metrics};
use crate::{
    cloud::Cloud,
    expand::{Resource, SUBSCRIPTION},
    identity::Tokens,
    metrics,
};

const VERSIONS: [&str; 2] = ["2023-10-01", "2024-02-01"];
const MOST_RESOURCES: usize = 50;

/// The resource group of the first resource that a body names.
pub(super) fn group(body: &[u8]) -> Option<String> {
    let first = named(body)?.into_iter().next()?;
    first.split('/').nth(4).map(str::to_owned)
}

fn named(body: &[u8]) -> Option<Vec<String>> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let ids = body["resourceids"].as_array()?.iter();
    ids.map(|id| id.as_str().map(str::to_owned)).collect()
}

/// Answers for all resources, or refuses for all.
pub(super) fn answer(cloud: &Cloud, query: &BTreeMap<String, String>, body: &[u8]) -> Answer {
    let resources = match resources(cloud, query, body) {
        Ok(resources) => resources,
        Err(answer) => return answer,
    };
    if let Some(hidden) = resources
        .iter()
        .find(|resource| denies_metrics(cloud, &resource.id, query))
    {
        let action = "Microsoft.Insights/metrics/read";
        return Answer::forbidden(&Tokens::object_id(), action, &hidden.id);
    }
    let asked = match as_of_one(query) {
        Ok(asked) => asked,
        Err(message) => return wrong(message),
    };
    let now = Timestamp::now();
    let values: Result<Vec<Value>, String> = resources
        .iter()
        .map(|resource| of_one(resource, &asked, now))
        .collect();
    values.map_or_else(wrong, |values| Answer::ok(json!({ "values": values })))
}

fn wrong(message: impl Into<String>) -> Answer {
    Answer::error(400, "BadRequest", message)
}

/// The resources, if they are of one kind, region and subscription.
fn resources<'a>(
    cloud: &'a Cloud,
    query: &BTreeMap<String, String>,
    body: &[u8],
) -> Result<Vec<&'a Resource>, Answer> {
    let version = query.get("api-version").map_or("", String::as_str);
    if !VERSIONS.contains(&version) {
        let message = format!("Unsupported api-version '{version}'.");
        return Err(Answer::error(400, "UnsupportedApiVersion", message));
    }
    let ids = named(body).ok_or_else(|| wrong("The body must be {\"resourceids\": [...]}."))?;
    if ids.is_empty() || ids.len() > MOST_RESOURCES {
        return Err(wrong(format!(
            "{} resource ids; between 1 and {MOST_RESOURCES} are allowed.",
            ids.len()
        )));
    }
    let elsewhere = |id: &&String| {
        let subscription = id.split('/').nth(2).unwrap_or_default();
        !subscription.eq_ignore_ascii_case(SUBSCRIPTION)
    };
    if let Some(id) = ids.iter().find(elsewhere) {
        return Err(wrong(format!("'{id}' is of another subscription.")));
    }
    let mut found = Vec::new();
    for id in &ids {
        let resource = cloud.resource(id);
        found.push(resource.ok_or_else(|| {
            let group = id.split('/').nth(4).unwrap_or_default();
            Answer::resource_not_found(id, group)
        })?);
    }
    let namespace = query.get("metricnamespace").map_or("", String::as_str);
    let other_kind = |resource: &&&Resource| !resource.kind.eq_ignore_ascii_case(namespace);
    if let Some(resource) = found.iter().find(other_kind) {
        return Err(wrong(format!(
            "'{}' is not of the metric namespace '{namespace}'.",
            resource.id
        )));
    }
    let region = found.first().map(|first| &first.body["location"]);
    if found
        .iter()
        .any(|resource| Some(&resource.body["location"]) != region)
    {
        return Err(wrong("The resources are not of one region."));
    }
    Ok(found)
}

/// The parameters as Resource Manager names them for one resource.
fn as_of_one(query: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>, String> {
    let mut asked = query.clone();
    for foreign in ["$filter", "timespan"] {
        if asked.remove(foreign).is_some() {
            return Err(format!("Unknown query parameter '{foreign}'."));
        }
    }
    if let Some(filter) = asked.remove("filter") {
        asked.insert("$filter".to_owned(), filter);
    }
    match (asked.remove("starttime"), asked.remove("endtime")) {
        (Some(start), Some(end)) => {
            asked.insert("timespan".to_owned(), format!("{start}/{end}"));
        }
        (None, None) => {}
        _ => return Err("'starttime' and 'endtime' are given together.".to_owned()),
    }
    Ok(asked)
}

fn of_one(
    resource: &Resource,
    asked: &BTreeMap<String, String>,
    now: Timestamp,
) -> Result<Value, String> {
    let mut of_one = metrics::answer(resource, asked, now)?;
    let span = of_one["timespan"].as_str().unwrap_or_default().to_owned();
    let (start, end) = span.split_once('/').unwrap_or_default();
    if let Some(fields) = of_one.as_object_mut() {
        fields.remove("timespan");
        fields.remove("cost");
    }
    of_one["starttime"] = json!(start);
    of_one["endtime"] = json!(end);
    of_one["resourceid"] = json!(resource.id.to_ascii_lowercase());
    Ok(of_one)
}
