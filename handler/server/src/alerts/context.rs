//! What the kinds of alerts say beside their targets: dimensions, labels, rows, the scope of a write.

use serde_json::Value;

use super::body::{at, items, member, texts};
use super::candidates::Collector;

/// Rows of a search result that are looked at.
const MOST_ROWS: usize = 50;
/// Tables of a search result that are looked at.
const MOST_TABLES: usize = 4;

/// Custom properties: the cluster that somebody chose, or its name.
pub(super) fn custom(collector: &mut Collector, properties: &Value) {
    for name in ["clusterResourceId", "clusterId"] {
        if let Value::String(text) = member(properties, name) {
            collector.choose(&format!("the custom property {name}"), text);
        }
    }
    if let Value::Object(members) = properties {
        named(collector, &pairs_of(members));
    }
}

/// Everything that the context of an alert may name.
pub(super) fn read(collector: &mut Collector, context: &Value) {
    for path in [
        &["authorization", "scope"] as &[&str],
        &["resourceId"],
        &["properties", "entity"],
    ] {
        texts(at(context, path)).for_each(|text| {
            collector.mention(text);
        });
    }
    for criterion in items(at(context, &["condition", "allOf"])) {
        dimensions(collector, member(criterion, "dimensions"));
    }
    dimensions(collector, member(context, "dimensions"));
    if let Value::Object(labels) = member(context, "labels") {
        pairs(collector, &pairs_of(labels));
    }
    if let Some(group) = member(context, "ruleGroup").as_str() {
        // The rule's own place; only its subscription says where the cluster may be.
        let mut segments = group.split('/').skip(2);
        collector.subscription(segments.next().unwrap_or_default());
    }
    for item in texts(member(context, "AffectedConfigurationItems")) {
        collector.mention(item);
    }
    for name in ["SearchResults", "SearchResult"] {
        rows(collector, member(context, name));
    }
}

/// A list of name and value, or an object of them.
fn dimensions(collector: &mut Collector, dimensions: &Value) {
    if let Value::Object(members) = dimensions
        && member(dimensions, "name").is_null()
    {
        return pairs(collector, &pairs_of(members));
    }
    let listed = items(dimensions).iter().filter_map(|dimension| {
        let name = member(dimension, "name").as_str()?;
        Some((name, member(dimension, "value").as_str()?))
    });
    let listed: Vec<(&str, &str)> = listed.collect();
    pairs(collector, &listed);
}

/// The rows of a search, by the names of their columns.
fn rows(collector: &mut Collector, results: &Value) {
    for table in items(member(results, "tables")).iter().take(MOST_TABLES) {
        let columns: Vec<&str> = items(member(table, "columns"))
            .iter()
            .map(|column| member(column, "name").as_str().unwrap_or_default())
            .collect();
        for row in items(member(table, "rows")).iter().take(MOST_ROWS) {
            let cells = columns.iter().zip(items(row));
            let cells = cells.filter_map(|(name, cell)| Some((*name, cell.as_str()?)));
            let cells: Vec<(&str, &str)> = cells.collect();
            pairs(collector, &cells);
        }
    }
}

fn pairs_of(members: &serde_json::Map<String, Value>) -> Vec<(&str, &str)> {
    let members = members.iter();
    let texts = members.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)));
    texts.collect()
}

/// Names with values: ids wherever they stand, and a cluster's name with what says where it is.
fn pairs(collector: &mut Collector, pairs: &[(&str, &str)]) {
    for (_, value) in pairs {
        collector.mention(value);
    }
    named(collector, pairs);
}

fn named(collector: &mut Collector, pairs: &[(&str, &str)]) {
    let value = |wanted: &[&str]| {
        let mut pairs = pairs.iter();
        pairs.find_map(|(name, value)| wanted.contains(&plain(name).as_str()).then_some(*value))
    };
    if let Some(subscription) = value(&["subscriptionid", "microsoftsubscriptionid"]) {
        collector.subscription(subscription);
    }
    if let Some(cluster) = value(&["clustername", "cluster", "managedcluster", "aksclustername"]) {
        let group = value(&[
            "clusterresourcegroup",
            "resourcegroup",
            "resourcegroupname",
            "microsoftresourcegroupname",
        ]);
        collector.name(cluster, group);
    }
}

/// `_ResourceId`, `Cluster Name` and `microsoft.resourcegroupname` without what only separates words.
fn plain(name: &str) -> String {
    let letters = name.chars().filter(char::is_ascii_alphanumeric).take(40);
    letters.map(|c| c.to_ascii_lowercase()).collect()
}
