//! `Microsoft.Insights/eventtypes/management/values`: the activity log, newest first, in pages.
//!
//! Its time is that of the question: entries lie so many minutes before the end of what is asked for.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::answer::Answer;
use crate::{
    cloud::Cloud,
    expand::{Event, guid},
};

const PAGE: usize = 200;
const KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);
/// What may be selected.
const SELECTABLE: [&str; 17] = [
    "authorization",
    "claims",
    "correlationId",
    "description",
    "eventDataId",
    "eventName",
    "eventTimestamp",
    "httpRequest",
    "level",
    "operationId",
    "operationName",
    "properties",
    "resourceGroupName",
    "resourceId",
    "status",
    "submissionTimestamp",
    "subStatus",
];

/// The resource group that a filter names.
pub(super) fn group(query: &BTreeMap<String, String>) -> Option<String> {
    let filter = Filter::parse(query.get("$filter")?).ok()?;
    let (key, value) = filter.condition?;
    (key == "resourcegroupname").then_some(value)
}

/// One page, or the 400 of a filter that Azure does not take.
pub(super) fn answer(
    cloud: &Cloud,
    url: &str,
    query: &BTreeMap<String, String>,
) -> Result<Value, String> {
    let text = query
        .get("$filter")
        .ok_or("The filter expression is required.")?;
    let filter = Filter::parse(text)?;
    if filter.until.duration_since(filter.since) > KEPT {
        return Err("The start time cannot be more than 90 days in the past.".to_owned());
    }
    let select = select(query.get("$select").map(String::as_str))?;
    let skip: usize = query
        .get("$skiptoken")
        .and_then(|token| token.parse().ok())
        .unwrap_or_default();
    let mut entries: Vec<(Timestamp, &Event, &str)> = cloud
        .events()
        .iter()
        .flat_map(|event| stages(event, filter.until))
        .filter(|(at, event, _)| *at >= filter.since && filter.admits(&event.resource))
        .collect();
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.0));
    let more = entries.len() > skip + PAGE;
    let value: Vec<Value> = entries
        .into_iter()
        .skip(skip)
        .take(PAGE)
        .map(|(at, event, status)| entry(at, event, status, select.as_deref()))
        .collect();
    let mut page = json!({ "value": value });
    if more {
        let mut link = url::form_urlencoded::Serializer::new(format!("{url}?"));
        for (name, value) in query.iter().filter(|(name, _)| *name != "$skiptoken") {
            link.append_pair(name, value);
        }
        link.append_pair("$skipToken", &(skip + PAGE).to_string());
        page["nextLink"] = json!(link.finish());
    }
    Ok(page)
}

/// Each write begins and, a few seconds later, ends.
fn stages(event: &Event, until: Timestamp) -> impl Iterator<Item = (Timestamp, &Event, &str)> {
    (0..event.times).flat_map(move |nth| {
        let ended = until
            .saturating_sub(SignedDuration::from_mins(event.ago + nth))
            .unwrap_or(Timestamp::MIN);
        let began = ended
            .saturating_sub(SignedDuration::from_secs(5))
            .unwrap_or(Timestamp::MIN);
        [
            (ended, event, event.status.as_str()),
            (began, event, "Started"),
        ]
    })
}

/// `eventTimestamp ge '…' and eventTimestamp le '…' and resourceGroupName eq '…'`
struct Filter {
    since: Timestamp,
    until: Timestamp,
    /// Lower-case name and value.
    condition: Option<(String, String)>,
}

impl Filter {
    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("The filter '{text}' is not supported.");
        let (mut since, mut until, mut condition) = (None, None, None);
        for clause in text.split(" and ") {
            let words: Vec<&str> = clause.split_whitespace().collect();
            let [name, operator, value] = words.as_slice() else {
                return Err(wrong());
            };
            let value = value.trim_matches('\'');
            let time = || value.parse::<Timestamp>().map_err(|_| wrong());
            match (name.to_ascii_lowercase().as_str(), *operator) {
                ("eventtimestamp", "ge") if since.is_none() => since = Some(time()?),
                ("eventtimestamp", "le") if until.is_none() => until = Some(time()?),
                (
                    name @ ("resourcegroupname" | "resourceuri" | "resourceprovider"
                    | "correlationid"),
                    "eq",
                ) if condition.is_none() => condition = Some((name.to_owned(), value.to_owned())),
                _ => return Err(wrong()),
            }
        }
        Ok(Self {
            since: since.ok_or_else(wrong)?,
            until: until.ok_or_else(wrong)?,
            condition,
        })
    }

    fn admits(&self, resource: &str) -> bool {
        let Some((name, value)) = &self.condition else {
            return true;
        };
        let segment = |index| resource.split('/').nth(index).unwrap_or_default();
        match name.as_str() {
            "resourcegroupname" => segment(4).eq_ignore_ascii_case(value),
            "resourceprovider" => segment(6).eq_ignore_ascii_case(value),
            "resourceuri" => resource.eq_ignore_ascii_case(value),
            _ => false,
        }
    }
}

/// The selected properties; `None` = all.
fn select(text: Option<&str>) -> Result<Option<Vec<String>>, String> {
    let Some(text) = text else { return Ok(None) };
    let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
    let known = |name: &String| {
        SELECTABLE
            .iter()
            .any(|known| known.eq_ignore_ascii_case(name))
    };
    match names.iter().find(|name| !known(name)) {
        Some(name) => Err(format!("'{name}' cannot be selected.")),
        None => Ok(Some(names)),
    }
}

fn entry(at: Timestamp, event: &Event, status: &str, select: Option<&[String]>) -> Value {
    let named = |value: &str| json!({ "value": value, "localizedValue": value });
    let correlation = guid(&format!("{} {at}", event.resource));
    let group = event.resource.split('/').nth(4).unwrap_or_default();
    let provider = event.resource.split('/').nth(6).unwrap_or_default();
    let whole = json!({
        "id": format!("{}/events/{correlation}/ticks/{}", event.resource, at.as_second()),
        "eventTimestamp": at.to_string(),
        "submissionTimestamp": at.to_string(),
        "level": "Informational",
        "operationName": named(&event.operation),
        "status": named(status),
        "subStatus": named(""),
        "category": named("Administrative"),
        "resourceId": event.resource,
        "resourceGroupName": group,
        "resourceProviderName": named(provider),
        "correlationId": correlation,
        "operationId": correlation,
        "caller": "somebody@sandbox.example",
        "claims": { "name": "Somebody", "ipaddr": "203.0.113.77" },
        "httpRequest": { "clientIpAddress": "203.0.113.77", "method": "PUT" },
        "authorization": { "action": event.operation, "scope": event.resource },
        "properties": {},
    });
    let Some(select) = select else { return whole };
    let selected: Map<String, Value> = select
        .iter()
        .filter_map(|name| Some((name.clone(), whole.get(name)?.clone())))
        .collect();
    Value::Object(selected)
}

impl From<Result<Value, String>> for Answer {
    fn from(result: Result<Value, String>) -> Self {
        result.map_or_else(Self::flat_bad_request, Self::ok)
    }
}
