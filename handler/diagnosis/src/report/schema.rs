//! The report's JSON Schema, generated from its types.

use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::Report;
use crate::order::Order as _;

/// JSON Schema (2020-12) of [`Report`], with its parts in `$defs`.
pub fn schema() -> Value {
    schema_of::<Report>("AKS egress report")
}

/// JSON Schema (2020-12) of an answer, with its parts in `$defs`.
pub(crate) fn schema_of<T: ToSchema>(title: &str) -> Value {
    let mut parts = Vec::new();
    T::schemas(&mut parts);
    // Parts are sorted and each is there once, so that the schema is the same on every run.
    let mut defs: Vec<(String, Value)> = parts
        .into_iter()
        .map(|(name, part)| (name, serde_json::to_value(part).unwrap_or(Value::Null)))
        .collect();
    defs.order_by(|a, b| a.0.cmp(&b.0));
    let mut root = Map::new();
    root.insert(
        "$schema".to_owned(),
        json!("https://json-schema.org/draft/2020-12/schema"),
    );
    root.insert("title".to_owned(), json!(title));
    if let Value::Object(report) = serde_json::to_value(T::schema()).unwrap_or(Value::Null) {
        root.extend(report);
    }
    root.insert(
        "$defs".to_owned(),
        Value::Object(defs.into_iter().collect()),
    );
    let mut schema = Value::Object(root);
    rewrite(&mut schema);
    schema
}

/// Points references at `$defs`, where OpenAPI has them under its components.
fn rewrite(value: &mut Value) {
    match value {
        Value::Object(object) => {
            if let Some(Value::String(target)) = object.get_mut("$ref")
                && let Some(name) = target.strip_prefix("#/components/schemas/")
            {
                *target = format!("#/$defs/{name}");
            }
            object.values_mut().for_each(rewrite);
        }
        Value::Array(items) => items.iter_mut().for_each(rewrite),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn validator() -> jsonschema::Validator {
        jsonschema::draft202012::new(&schema()).unwrap()
    }

    #[test]
    fn the_schema_is_valid_and_self_contained() {
        assert!(jsonschema::draft202012::meta::is_valid(&schema()));
        let text = schema().to_string();
        assert!(!text.contains("#/components/"));
        for reference in text.split("\"$ref\":\"#/$defs/").skip(1) {
            let name = reference.split('"').next().unwrap();
            assert!(
                schema()["$defs"].get(name).is_some(),
                "{name} is not defined"
            );
        }
        assert_eq!(text, schema().to_string());
    }

    #[test]
    fn diagnosed_reports_validate() {
        let mut broken = testing::nat_gateway();
        testing::subnet_mut(&mut broken, "user").nat_gateway_id = None;
        let mut denied = testing::load_balancer();
        denied.load_balancer = testing::denied("Microsoft.Network/loadBalancers/read");
        for facts in [
            testing::load_balancer(),
            testing::firewall_routing(),
            broken,
            denied,
        ] {
            let report = serde_json::to_value(crate::diagnose(&facts)).unwrap();
            let errors: Vec<String> = validator()
                .iter_errors(&report)
                .map(|e| format!("{}: {e}", e.instance_path()))
                .collect();
            assert_eq!(errors, [""; 0]);
        }
    }

    /// Each key of a report is declared, each declared key is there.
    fn same_keys(value: &Value, schema: &Value, root: &Value, at: &str) {
        let target = schema
            .get("$ref")
            .or_else(|| {
                schema["oneOf"]
                    .as_array()
                    .and_then(|any| any.iter().find_map(|s| s.get("$ref")))
            })
            .and_then(Value::as_str)
            .map_or(schema, |name| {
                &root["$defs"][name.trim_start_matches("#/$defs/")]
            });
        match value {
            Value::Object(object) => {
                let declared: std::collections::BTreeSet<_> =
                    target["properties"].as_object().unwrap().keys().collect();
                assert_eq!(
                    object.keys().collect::<std::collections::BTreeSet<_>>(),
                    declared,
                    "{at}"
                );
                for (key, value) in object {
                    same_keys(
                        value,
                        &target["properties"][key],
                        root,
                        &format!("{at}/{key}"),
                    );
                }
            }
            Value::Array(items) if target.get("items").is_some() => {
                for item in items {
                    same_keys(item, &target["items"], root, at);
                }
            }
            _ => {}
        }
    }

    #[test]
    fn reports_and_schema_have_the_same_keys() {
        let mut facts = testing::nat_gateway();
        testing::subnet_mut(&mut facts, "user").nat_gateway_id = None;
        let schema = schema();
        same_keys(
            &serde_json::to_value(crate::diagnose(&facts)).unwrap(),
            &schema,
            &schema,
            "",
        );
    }

    #[test]
    fn a_wrong_report_does_not_validate() {
        let mut report = serde_json::to_value(crate::diagnose(&testing::load_balancer())).unwrap();
        report["verdict"]["status"] = json!("fine");
        assert!(!validator().is_valid(&report));
        report["verdict"] = json!(null);
        assert!(!validator().is_valid(&report));
    }
}
