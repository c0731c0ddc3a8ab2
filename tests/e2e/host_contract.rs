//! The function folders and the contract say the same.

use std::collections::BTreeSet;

use egress_tests::host::{App, AuthLevel};
use serde_json::{Value, json};

use super::{app_root, repository};

/// The paths that a route template stands for: one more without its optional parameter. Constraints are the host's alone.
fn paths_of(template: &str) -> Vec<String> {
    let template = &without_constraints(template);
    let whole = format!("/{}", template.replace('?', ""));
    match template
        .strip_suffix("?}")
        .and_then(|t| t.rsplit_once("/{"))
    {
        Some((without, _)) => vec![whole, format!("/{without}")],
        None => vec![whole],
    }
}

pub(super) fn without_constraints(template: &str) -> String {
    let name = |segment: &str| match segment.split_once(':') {
        Some((name, _)) => format!("{name}}}"),
        None => segment.to_owned(),
    };
    let segments: Vec<String> = template.split('/').map(name).collect();
    segments.join("/")
}

/// Path, method, and whether it needs no key, of each operation in the handler's own OpenAPI.
fn operations() -> BTreeSet<(String, String, bool)> {
    let document: Option<Value> = std::fs::read(repository().join("docs/contracts/openapi.json"))
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok());
    let members = |value: Option<&Value>| value.and_then(|v| v.as_object().cloned());
    let paths = members(document.as_ref().and_then(|d| d.get("paths")));
    let mut operations = BTreeSet::new();
    for (path, methods) in paths.into_iter().flatten() {
        for (method, operation) in members(Some(&methods)).into_iter().flatten() {
            let anonymous = operation.get("security") == Some(&json!([]));
            operations.insert((path.clone(), method, anonymous));
        }
    }
    operations
}

#[test]
fn every_operation_of_the_contract_has_its_function() {
    let app = App::load(&app_root("loads")).unwrap();
    assert!(app.forwarding);
    assert_eq!(app.not_loaded, []);
    assert_eq!(app.route_prefix, "api");
    // What a function's folder says of its route, over all folders.
    let mut folders = BTreeSet::new();
    let http = app.functions.iter().filter_map(|f| f.http.as_ref());
    for function in http {
        for path in paths_of(&function.route) {
            for method in &function.methods {
                folders.insert((
                    path.clone(),
                    method.clone(),
                    function.auth_level == AuthLevel::Anonymous,
                ));
            }
        }
    }
    assert_eq!(folders, operations());
    // What has further bindings cannot be forwarded.
    for function in app.functions.iter().filter(|f| f.http.is_some()) {
        assert_eq!(
            function.forwarded,
            function.bindings.len() == 2,
            "{}",
            function.name
        );
    }
}
