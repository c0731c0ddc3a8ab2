//! The contract files: written from the routes and types, and held against them.
//!
//! `WRITE_CONTRACTS=1` writes the files; without it a stale one fails.

mod fields;
mod openapi;
mod swagger;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use axum::body::Body;
use http::Method;
use serde_json::{Map, Value, json};

use super::{get, request, router, send};
use crate::http::contract::{self, ANY_HOST, SCHEMAS};
use crate::http::routes::{Gives, ROUTES, Route, Takes};
use crate::testing::FakeEngine;

impl Route {
    /// Methods in lower case, as OpenAPI names them.
    fn methods(&self) -> &'static [&'static str] {
        match self.contract.takes {
            Takes::Path | Takes::Query(_) | Takes::Result => &["get"],
            Takes::Order | Takes::Body(_) | Takes::Alert => &["post"],
            Takes::Cluster(_) => &["get", "post"],
        }
    }

    /// Names in braces.
    fn path_parameters(&self) -> Vec<&'static str> {
        self.path
            .split('/')
            .filter_map(|s| s.strip_prefix('{')?.strip_suffix('}'))
            .collect()
    }
}

/// Compact JSON with a line for each member of the outer `depth` levels: small in the binary, readable in a diff.
fn written(value: &Value, depth: usize) -> String {
    fn write(out: &mut String, value: &Value, depth: usize, indent: usize) {
        match value {
            Value::Object(members) if depth > 0 && !members.is_empty() => {
                out.push_str("{\n");
                for (index, (name, member)) in members.iter().enumerate() {
                    let pad = " ".repeat(indent + 1);
                    write!(out, "{pad}{}:", Value::from(name.as_str())).unwrap();
                    write(out, member, depth - 1, indent + 1);
                    out.push_str(if index + 1 < members.len() {
                        ",\n"
                    } else {
                        "\n"
                    });
                }
                write!(out, "{}}}", " ".repeat(indent)).unwrap();
            }
            other => write!(out, "{other}").unwrap(),
        }
    }
    let mut out = String::new();
    write(&mut out, value, depth, 0);
    out.push('\n');
    out
}

fn fresh(file: &str, text: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/contracts");
    if crate::settings::environment("WRITE_CONTRACTS").is_some() {
        std::fs::write(folder.join(file), text).unwrap();
    }
    let kept = std::fs::read_to_string(folder.join(file)).unwrap();
    assert!(
        kept == text,
        "docs/contracts/{file} is stale: `./task docs` writes it"
    );
}

#[test]
fn the_contract_files_are_fresh() {
    let openapi = openapi::document();
    fresh("openapi.json", &written(&openapi, 3));
    fresh("swagger.json", &written(&swagger::document(&openapi), 2));
    let report = egress_diagnosis::report::schema();
    fresh("report.schema.json", &written(&report, 2));
}

#[test]
fn schemas_taken_from_the_contract_are_those_of_the_types() {
    use egress_diagnosis::{answers, report};
    let of_types = [
        ("report", report::schema()),
        ("paths", answers::paths_schema()),
        ("outcome", answers::outcome_schema()),
        ("pressure", answers::pressure_schema()),
        ("bypass-plan", answers::bypass_schema()),
    ];
    assert_eq!(
        SCHEMAS.map(|(name, ..)| name),
        of_types.each_ref().map(|(name, _)| *name)
    );
    for (name, expected) in of_types {
        // Not `assert_eq!`: two pages of JSON say less than the name.
        assert!(contract::schema(name) == Some(expected), "{name}");
    }
}

#[tokio::test]
async fn each_route_has_the_methods_of_its_contract() {
    let router = router(FakeEngine::healthy());
    for route in &ROUTES {
        let uri = format!("/api{}", route.path.replace(['{', '}'], ""));
        let answer = send(&router, request(Method::DELETE, &uri, Body::empty())).await;
        answer.problem(405, "methodNotAllowed");
        let allowed: BTreeSet<String> = answer
            .header("allow")
            .to_lowercase()
            .split(',')
            .map(str::to_owned)
            .collect();
        // GET always brings HEAD with it.
        let same_path = ROUTES.iter().filter(|other| other.path == route.path);
        let mut expected: BTreeSet<String> = same_path
            .flat_map(Route::methods)
            .map(ToString::to_string)
            .collect();
        if expected.contains("get") {
            expected.insert("head".to_owned());
        }
        assert_eq!(allowed, expected, "{}", route.path);
    }
}

#[tokio::test]
async fn answers_have_the_keys_of_their_schema_and_no_others() {
    let router = router(FakeEngine::of_facts(egress_diagnosis::testing::firewalled()));
    let document: Value = serde_json::from_str(&contract::OPENAPI.text().unwrap()).unwrap();
    let cluster = crate::testing::query(&[("clusterId", crate::testing::CLUSTER)]);
    for route in &ROUTES {
        let path = route
            .path
            .replace("{code}", "NAT101")
            .replace("{file}", "report.json");
        let more = match route.contract.gives {
            Gives::Schema
            | Gives::Document
            | Gives::Accepted
            | Gives::Result
            | Gives::AlertTaken => {
                continue;
            }
            Gives::Outcome => "&curlExitCode=28",
            _ => "",
        };
        let uri = match route.contract.takes {
            Takes::Path | Takes::Query(_) => format!("/api{path}"),
            Takes::Order | Takes::Body(_) | Takes::Result | Takes::Alert => continue,
            Takes::Cluster(_) => format!("/api{path}?{cluster}{more}"),
        };
        let answer = get(&router, &uri).await;
        assert_eq!(answer.status, 200, "{uri}");
        let operation = &document["paths"][route.path]["get"];
        let schema = &operation["responses"]["200"]["content"]["application/json"]["schema"];
        let keys: BTreeSet<String> = answer.json().as_object().unwrap().keys().cloned().collect();
        let (required, declared) = members(schema, &document);
        let missing: Vec<_> = required.difference(&keys).collect();
        let undeclared: Vec<_> = keys.difference(&declared).collect();
        assert!(
            missing.is_empty() && undeclared.is_empty(),
            "{}: {missing:?} {undeclared:?}",
            route.path
        );
    }
}

/// The members that a schema demands, and those that it knows.
fn members(schema: &Value, document: &Value) -> (BTreeSet<String>, BTreeSet<String>) {
    if let Some(target) = schema["$ref"].as_str() {
        let part = document.pointer(target.trim_start_matches('#'));
        return members(part.unwrap(), document);
    }
    let own = schema["required"].as_array().into_iter().flatten();
    let mut required: BTreeSet<String> =
        own.map(|name| name.as_str().unwrap().to_owned()).collect();
    let own = schema["properties"].as_object().into_iter().flatten();
    let mut declared: BTreeSet<String> = own.map(|(name, _)| name.clone()).collect();
    for part in schema["allOf"].as_array().into_iter().flatten() {
        let (more_required, more_declared) = members(part, document);
        required.extend(more_required);
        declared.extend(more_declared);
    }
    (required, declared)
}

#[tokio::test]
async fn the_files_are_served_and_the_connectors_has_the_callers_host() {
    let router = router(FakeEngine::healthy());
    let openapi = get(&router, "/api/openapi.json").await;
    assert_eq!(openapi.header("content-type"), "application/json");
    assert_eq!(openapi.json()["openapi"], "3.1.0");
    for (name, value, expected) in [
        (
            "x-forwarded-host",
            "egress.example.net",
            "egress.example.net",
        ),
        ("host", "127.0.0.1:8080", "127.0.0.1:8080"),
        ("x-forwarded-host", "a\",\"x\":\"", ANY_HOST),
        ("x-forwarded-host", "", ANY_HOST),
    ] {
        let mut request = request(Method::GET, "/api/swagger.json", Body::empty());
        request.headers_mut().insert(name, value.parse().unwrap());
        let answer = send(&router, request).await.json();
        assert_eq!(answer["swagger"], "2.0");
        assert_eq!(answer["host"], expected, "{value}");
    }
}

/// The routes by path, each with what `describe` says of its methods; two routes may share a path.
fn by_path(
    routes: impl Iterator<Item = &'static Route>,
    describe: impl Fn(&Route) -> Value,
) -> Value {
    let mut paths = Map::new();
    for route in routes {
        let methods = paths.entry(route.path).or_insert_with(|| json!({}));
        let more = describe(route).as_object().unwrap().clone();
        methods.as_object_mut().unwrap().extend(more);
    }
    Value::Object(paths)
}

/// An object with these members.
fn object(members: impl IntoIterator<Item = (String, Value)>) -> Value {
    Value::Object(members.into_iter().collect::<Map<_, _>>())
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("{}{name}", contract::COMPONENTS) })
}
