//! Azure Resource Graph, as far as a list of the resources of one type goes.

use serde_json::{Map, Value, json};

use super::answer::Answer;
use crate::expand::{Resource, SUBSCRIPTION};

/// Rows of a page, whatever more was asked for: Azure too gives fewer than `$top` when rows are large.
const PAGE_ROWS: usize = 20;

/// Answers `resources | where type =~ '…' | project … | order by id asc`.
pub(super) fn answer<'a>(resources: impl Iterator<Item = &'a Resource>, body: &[u8]) -> Answer {
    let Ok(asked) = serde_json::from_slice::<Value>(body) else {
        return wrong("InvalidRequestBody", "The request body is not JSON.");
    };
    let Some((kind, columns)) = asked["query"].as_str().and_then(understood) else {
        return wrong(
            "InvalidQuery",
            "Query is invalid. Please refer to the documentation for the Azure Resource Graph service and fix the error before retrying.",
        );
    };
    let options = &asked["options"];
    if options["resultFormat"] != "objectArray" {
        return wrong(
            "InvalidOptions",
            "The sandbox answers with resultFormat objectArray only.",
        );
    }
    let start = match &options["$skipToken"] {
        Value::Null => Some(0),
        token => token
            .as_str()
            .and_then(|token| token.strip_prefix("row-")?.parse().ok()),
    };
    let Some(start) = start else {
        return wrong("InvalidSkipToken", "The skip token is invalid.");
    };
    let ours = asked["subscriptions"].as_array().is_none_or(|named| {
        let mut named = named.iter().filter_map(Value::as_str);
        named.any(|id| id.eq_ignore_ascii_case(SUBSCRIPTION))
    });
    let rows: Vec<Value> = resources
        .filter(|resource| ours && resource.kind.eq_ignore_ascii_case(&kind))
        .map(|resource| row(resource, &columns))
        .collect();
    let top = options["$top"].as_u64().and_then(|top| top.try_into().ok());
    let length = PAGE_ROWS.min(top.unwrap_or(usize::MAX));
    let page: Vec<&Value> = rows.iter().skip(start).take(length).collect();
    let end = start + page.len();
    let mut answer = json!({
        "totalRecords": rows.len(), "count": page.len(), "data": page, "facets": [],
        "resultTruncated": "false",
    });
    // The next page is known only by the id it begins with.
    if end < rows.len() && columns.iter().any(|column| column == "id") {
        answer["$skipToken"] = json!(format!("row-{end}"));
    }
    Answer::ok(answer)
}

/// The type asked for, and the columns.
fn understood(query: &str) -> Option<(String, Vec<String>)> {
    let mut stages = query.split('|').map(str::trim);
    let mut next = || stages.next();
    if !next()?.eq_ignore_ascii_case("resources") {
        return None;
    }
    let kind = next()?
        .strip_prefix("where type =~ '")?
        .strip_suffix('\'')?;
    let columns = next()?.strip_prefix("project ")?.split(',');
    let columns = columns.map(|column| column.trim().to_owned()).collect();
    let ordered = next()? == "order by id asc" && next().is_none();
    ordered.then(|| (kind.to_owned(), columns))
}

fn row(resource: &Resource, columns: &[String]) -> Value {
    let column = |name: &String| {
        let value = match name.as_str() {
            "type" => json!(resource.kind.to_ascii_lowercase()),
            "subscriptionId" => json!(SUBSCRIPTION),
            name => resource.body[name].clone(),
        };
        (name.clone(), value)
    };
    Value::Object(columns.iter().map(column).collect::<Map<_, _>>())
}

fn wrong(code: &str, message: &str) -> Answer {
    let mut answer = Answer::error(
        400,
        "BadRequest",
        "Please provide below info when asking for support: timestamp and correlationId.",
    );
    answer.body["error"]["details"] = json!([{ "code": code, "message": message }]);
    answer
}
