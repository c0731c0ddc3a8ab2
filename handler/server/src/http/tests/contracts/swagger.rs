//! OpenAPI 2.0 for connectors of Logic Apps and Power Platform, from the same routes and the parts of OpenAPI 3.1.

use serde_json::{Value, json};

use super::{by_path, fields, object, openapi};
use crate::http::contract::{ANY_HOST, repoint};
use crate::http::routes::{Gives, ROUTES, Route, Takes};

pub(super) fn document(openapi: &Value) -> Value {
    let parts = openapi["components"]["schemas"].as_object().unwrap();
    json!({
        "swagger": "2.0",
        "info": {
            "title": openapi["info"]["title"],
            "description": openapi["info"]["description"],
            "version": openapi["info"]["version"],
        },
        "host": ANY_HOST,
        "basePath": "/api",
        "schemes": ["https"],
        "consumes": ["application/json"],
        "produces": ["application/json"],
        "securityDefinitions": {
            "functionKey": { "type": "apiKey", "in": "header", "name": "x-functions-key" },
        },
        "security": [{ "functionKey": [] }],
        "paths": by_path(ROUTES.iter().filter(|route| is_an_action(route)), path),
        "definitions": object(parts.iter().map(|(name, part)| (name.clone(), older(part)))),
    })
}

/// A connector's designer has no use for the interface's own files.
fn is_an_action(route: &Route) -> bool {
    !matches!(route.contract.gives, Gives::Document | Gives::Schema)
}

/// One operation per path, so that a designer shows each action once: with a body where there is one.
fn path(route: &Route) -> Value {
    let contract = &route.contract;
    let mut parameters: Vec<Value> = route
        .path_parameters()
        .iter()
        .map(|name| path_parameter(name))
        .collect();
    if matches!(
        contract.takes,
        Takes::Cluster(_) | Takes::Order | Takes::Body(_) | Takes::Alert
    ) {
        parameters.push(json!({
            "name": "body", "in": "body", "required": true, "schema": body(route),
            "x-ms-summary": if matches!(contract.takes, Takes::Alert) { "Alert" } else { "Question" }, "x-ms-visibility": "important",
        }));
    }
    if let Takes::Query(_) = contract.takes {
        parameters.extend(fields::of(route).into_iter().map(query_parameter));
    }

    if matches!(contract.takes, Takes::Alert) {
        for (name, schema) in fields::of(route) {
            parameters.push(json!({
                "name": name, "in": "query", "required": false, "type": schema["type"],
                "description": schema["description"],
                "x-ms-summary": title(name), "x-ms-visibility": "advanced",
            }));
        }
    }
    let mut operation = json!({
        "operationId": contract.id,
        "summary": contract.summary,
        "description": format!("{}.", contract.summary),
        "x-ms-visibility": if contract.id == "GetReport" { "important" } else { "advanced" },
        "parameters": parameters,
        "responses": {
            openapi::success(&contract.gives): {
                "description": contract.summary,
                "schema": older(&openapi::answer(&contract.gives)),
            },
            "default": {
                "description": "What is wrong.",
                "schema": { "$ref": "#/definitions/Problem" },
            },
        },
    });
    if matches!(contract.gives, Gives::Health) {
        operation["security"] = json!([]);
    }
    let method = route.methods().last().unwrap();
    json!({ *method: operation })
}

fn path_parameter(name: &str) -> Value {
    let newer = openapi::path_parameter(name);
    json!({
        "name": name, "in": "path", "required": true, "type": "string",
        "description": newer["description"],
        "x-ms-summary": title(name), "x-ms-visibility": fields::visibility(name), "x-ms-url-encoding": "single",
    })
}

fn query_parameter((name, schema): (&'static str, Value)) -> Value {
    let mut parameter = older(&schema);
    // An example has no place beside a parameter's type in 2.0.
    let members = parameter.as_object_mut().unwrap();
    members.remove("example");
    members.extend([
        ("name".to_owned(), json!(name)),
        ("in".to_owned(), json!("query")),
        ("required".to_owned(), json!(false)),
        ("x-ms-summary".to_owned(), json!(title(name))),
        (
            "x-ms-visibility".to_owned(),
            json!(fields::visibility(name)),
        ),
    ]);
    parameter
}

fn body(route: &Route) -> Value {
    let mut body = older(&openapi::body(route));
    for (name, member) in body["properties"].as_object_mut().unwrap() {
        member["x-ms-visibility"] = json!(fields::visibility(name));
    }
    body
}

/// A schema of OpenAPI 3.1 in the words of 2.0.
fn older(schema: &Value) -> Value {
    let mut schema = schema.clone();
    repoint(&mut schema, "#/definitions/");
    rewrite(&mut schema);
    schema
}

fn rewrite(schema: &mut Value) {
    let Value::Object(members) = schema else {
        return;
    };
    // Something or null.
    if let Some(Value::Array(choices)) = members.remove("oneOf") {
        let (null, some): (Vec<Value>, Vec<Value>) =
            choices.into_iter().partition(|c| c["type"] == "null");
        assert_eq!((null.len(), some.len()), (1, 1), "2.0 has no choices");
        members.extend(
            some.into_iter()
                .flat_map(|one| one.as_object().unwrap().clone()),
        );
        members.insert("x-nullable".to_owned(), json!(true));
    }
    if let Some(Value::Array(types)) = members.get("type").cloned() {
        let some: Vec<&Value> = types.iter().filter(|t| *t != "null").collect();
        assert_eq!(some.len(), 1, "2.0 has one type");
        members.insert("type".to_owned(), some[0].clone());
        members.insert("x-nullable".to_owned(), json!(true));
    }
    // A pair: 2.0 has no place for the types of its parts.
    if members.remove("prefixItems").is_some() {
        members.insert("items".to_owned(), json!({}));
    }
    if let Some(value) = members.remove("const") {
        members.insert("enum".to_owned(), json!([value]));
    }
    if let Some(Value::Object(properties)) = members.get_mut("properties") {
        for (name, member) in properties {
            rewrite(member);
            member["x-ms-summary"] = json!(title(name));
        }
    }
    if let Some(items) = members.get_mut("items") {
        rewrite(items);
    }
    if let Some(Value::Array(all)) = members.get_mut("allOf") {
        all.iter_mut().for_each(rewrite);
    }
}

/// `nodeResourceGroup` → `Node Resource Group`
fn title(name: &str) -> String {
    let mut spaced = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            spaced.push(' ');
        }
        spaced.push(c);
    }
    let words = spaced
        .split_whitespace()
        .map(|word| match word.to_ascii_lowercase().as_str() {
            upper @ ("id" | "ids" | "ip" | "ips" | "nat" | "snat" | "cpu" | "os" | "http"
            | "url" | "tcp") => {
                let (stem, plural) = upper
                    .strip_suffix('s')
                    .filter(|s| s.len() == 2)
                    .map_or((upper, ""), |s| (s, "s"));
                if upper == "os" {
                    "OS".to_owned()
                } else {
                    format!("{}{plural}", stem.to_ascii_uppercase())
                }
            }
            lower => {
                let mut chars = lower.chars();
                chars.next().map_or(String::new(), |first| {
                    format!("{}{}", first.to_ascii_uppercase(), chars.as_str())
                })
            }
        });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn titles_are_words() {
    assert_eq!(title("nodeResourceGroup"), "Node Resource Group");
    assert_eq!(title("clusterId"), "Cluster ID");
    assert_eq!(title("publicIps"), "Public IPs");
    assert_eq!(title("osDiskIopsPeakPercent"), "OS Disk Iops Peak Percent");
}
