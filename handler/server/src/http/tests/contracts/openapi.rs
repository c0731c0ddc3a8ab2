//! OpenAPI 3.1 from the routes and types.

use egress_diagnosis::answers::{BypassAnswer, OutcomeAnswer, PathsAnswer, PressureAnswer};
use egress_diagnosis::report::{Report, Severity};
use egress_diagnosis::trace::Trace;
use serde_json::{Map, Value, json};
use utoipa::{PartialSchema, ToSchema};

use super::{by_path, fields, object, reference};
use crate::alerts::outcome::Told;
use crate::fleet::overview::Fleet;
use crate::http::Health;
use crate::http::alerts::Taken;
use crate::http::catalogue::{Catalogue, Entry};
use crate::http::contract::schema_names;
use crate::http::diagnoses::Accepted;
use crate::http::fleet::SweepAccepted;
use crate::http::formats::Format;
use crate::http::parameters::KNOWN;
use crate::http::routes::{Gives, ROUTES, Route, Takes};
use crate::http::sections::Section;
use crate::problem::{Code, PROBLEM_JSON, ProblemBody};

pub(super) fn document() -> Value {
    let schemas = schemas();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "AKS Egress Diagnostics",
            "description": "Finds out why an AKS cluster's outbound traffic does not get out. It only reads.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "MIT", "identifier": "MIT" },
        },
        "servers": [{ "url": "/api" }],
        "security": [{ "functionKey": [] }],
        "paths": by_path(ROUTES.iter(), path),
        "components": {
            "schemas": schemas.clone(),
            "parameters": object(shared_fields()),
            "responses": object(Code::ALL.map(|code| (code.status().as_str().to_owned(), problem(code)))),
            "headers": {
                "X-Request-Id": {
                    "description": "Finds the request in the app's log.", "schema": { "type": "string" },
                },
            },
            "securitySchemes": {
                "functionKey": { "type": "apiKey", "in": "header", "name": "x-functions-key" },
            },
        },
    })
}

/// The parts of all answers, each once.
fn schemas() -> Map<String, Value> {
    let mut parts = Map::new();
    add::<Report>(&mut parts);
    add::<PathsAnswer>(&mut parts);
    add::<OutcomeAnswer>(&mut parts);
    add::<PressureAnswer>(&mut parts);
    add::<BypassAnswer>(&mut parts);
    add::<Fleet>(&mut parts);
    add::<SweepAccepted>(&mut parts);
    add::<Trace>(&mut parts);
    add::<Severity>(&mut parts);
    add::<Catalogue>(&mut parts);
    add::<Entry>(&mut parts);
    add::<Health>(&mut parts);
    add::<Accepted<'_>>(&mut parts);
    add::<Taken<'_>>(&mut parts);
    add::<Told<'_>>(&mut parts);
    add::<ProblemBody<'_>>(&mut parts);
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.name()).collect();
    parts["Problem"]["properties"]["code"]["enum"] = json!(codes);
    for route in &ROUTES {
        if let Gives::Section(of) = route.contract.gives {
            let schema = section(of, &parts);
            parts.insert(section_name(of).1.to_owned(), schema);
        }
    }
    parts
}

fn add<T: ToSchema>(parts: &mut Map<String, Value>) {
    let mut found = Vec::new();
    T::schemas(&mut found);
    found.push((T::name().into_owned(), <T as PartialSchema>::schema()));
    for (name, part) in found {
        let part = serde_json::to_value(part).unwrap();
        let known = parts.insert(name.clone(), part.clone());
        assert!(
            known.is_none_or(|known| known == part),
            "two parts are called {name}"
        );
    }
}

fn path(route: &Route) -> Value {
    object(
        route
            .methods()
            .iter()
            .map(|method| ((*method).to_owned(), operation(route, method))),
    )
}

fn operation(route: &Route, method: &str) -> Value {
    let contract = &route.contract;
    let with_body = method == "post";
    let id = if with_body && route.methods().len() > 1 {
        format!("{}WithBody", contract.id)
    } else {
        contract.id.to_owned()
    };
    let mut operation = json!({
        "operationId": id,
        "summary": contract.summary,
        "responses": responses(route),
    });
    let mut parameters: Vec<Value> = route
        .path_parameters()
        .iter()
        .map(|name| path_parameter(name))
        .collect();
    if with_body {
        operation["requestBody"] = json!({
            "required": true, "content": { "application/json": { "schema": body(route) } },
        });
    }
    // The body of an alert is its sender's.
    if !with_body || matches!(contract.takes, Takes::Alert) {
        parameters.extend(
            fields::of(route)
                .into_iter()
                .map(|(name, schema)| query_parameter(name, schema, route)),
        );
    }
    if !parameters.is_empty() {
        operation["parameters"] = json!(parameters);
    }
    if is_anonymous(&contract.gives) {
        operation["security"] = json!([]);
    }
    operation
}

/// The one answer that needs no key, as the function folder says too.
fn is_anonymous(gives: &Gives) -> bool {
    matches!(gives, Gives::Health)
}

pub(super) fn path_parameter(name: &str) -> Value {
    let schema = match name {
        "code" => {
            json!({ "type": "string", "minLength": 1, "description": "Code of a finding, in any case.", "example": "NAT101" })
        }
        "file" => {
            let files: Vec<String> = schema_names().map(|name| format!("{name}.json")).collect();
            json!({ "type": "string", "minLength": 1, "description": format!("One of {}.", files.join(", ")), "example": "report.json" })
        }
        "id" => {
            json!({ "type": "string", "minLength": 1, "description": "Id of the diagnosis, from the answer to the order." })
        }
        other => panic!("parameter {other} is not described"),
    };
    parameter(name, "path", true, schema)
}

/// The fields that every question about a cluster has, and that mean the same on each route.
fn shared_fields() -> Vec<(String, Value)> {
    let cluster = ROUTES
        .iter()
        .find(|route| matches!(route.contract.takes, Takes::Cluster(_)))
        .unwrap();
    let fields = fields::of(cluster).into_iter();
    fields
        .filter(|(name, _)| is_shared(name))
        .map(|(name, schema)| {
            (
                name.to_owned(),
                parameter(name, "query", fields::is_required(name, cluster), schema),
            )
        })
        .collect()
}

fn is_shared(name: &str) -> bool {
    KNOWN.contains(&name) && name != "format"
}

fn query_parameter(name: &str, schema: Value, route: &Route) -> Value {
    if is_shared(name) && !matches!(route.contract.takes, Takes::Alert) {
        return json!({ "$ref": format!("#/components/parameters/{name}") });
    }
    parameter(name, "query", fields::is_required(name, route), schema)
}

fn parameter(name: &str, place: &str, required: bool, mut schema: Value) -> Value {
    let description = schema.as_object_mut().unwrap().remove("description");
    json!({ "name": name, "in": place, "required": required, "description": description, "schema": schema })
}

/// The fields as members of a JSON object.
pub(super) fn body(route: &Route) -> Value {
    if matches!(route.contract.takes, Takes::Alert) {
        return json!({
            "type": "object", "properties": {},
            "description": "An alert as Azure Monitor sends it: the common alert schema, or an older body.",
        });
    }
    let known = fields::of(route);
    let required: Vec<&str> = known
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| fields::is_required(name, route))
        .collect();
    let mut body = json!({
        "type": "object",
        "properties": object(known.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone()))),
        "additionalProperties": false,
    });
    if let Takes::Body(_) = route.contract.takes {
        body["minProperties"] = json!(1);
        body["maxProperties"] = json!(1);
    } else {
        body["required"] = json!(required);
    }
    body
}

/// Every code that a route can fail with.
fn codes(route: &Route) -> Vec<Code> {
    let always = [Code::MethodNotAllowed, Code::InternalError];
    let more: &[Code] = match (&route.contract.takes, &route.contract.gives) {
        (Takes::Cluster(_), _) => &[
            Code::InvalidRequest,
            Code::AzureForbidden,
            Code::ClusterNotFound,
            Code::NotAcceptable,
            Code::PayloadTooLarge,
            Code::UnsupportedMediaType,
            Code::AzureUnreachable,
            Code::Busy,
        ],
        (Takes::Query(_), _) => &[
            Code::InvalidRequest,
            Code::ScopeNotAllowed,
            Code::NotAcceptable,
            Code::AzureUnreachable,
        ],
        (Takes::Body(_), _) => &[
            Code::InvalidRequest,
            Code::ScopeNotAllowed,
            Code::PayloadTooLarge,
            Code::UnsupportedMediaType,
            Code::AzureUnreachable,
            Code::Busy,
        ],
        (Takes::Order, _) => &[
            Code::InvalidRequest,
            Code::ScopeNotAllowed,
            Code::PayloadTooLarge,
            Code::UnsupportedMediaType,
            Code::Busy,
        ],
        (Takes::Alert, _) => &[Code::InvalidRequest, Code::PayloadTooLarge, Code::Busy],
        // What the report's route would have answered.
        (Takes::Result, _) => &[
            Code::InvalidRequest,
            Code::AzureForbidden,
            Code::NotFound,
            Code::NotAcceptable,
            Code::DiagnosisFailed,
        ],
        (Takes::Path, Gives::Finding | Gives::Schema) => &[Code::InvalidRequest, Code::NotFound],
        (Takes::Path, _) => &[],
    };
    always.iter().chain(more).copied().collect()
}

fn responses(route: &Route) -> Value {
    let failed = codes(route).into_iter().map(|code| {
        let status = code.status().as_str().to_owned();
        let reference = json!({ "$ref": format!("#/components/responses/{status}") });
        (status, reference)
    });
    let mut responses = object(failed);
    let gives = &route.contract.gives;
    responses[success(gives)] = json!({
        "description": route.contract.summary,
        "headers": request_id(),
        "content": content(gives),
    });
    if matches!(gives, Gives::AlertTaken) {
        responses["202"]["headers"]["Location"] = json!({ "description": "Where it will be what the alert led to; not there when it was ignored.", "schema": { "type": "string" } });
    }
    if matches!(gives, Gives::Accepted | Gives::Result) {
        let mut headers = request_id();
        headers["Location"] =
            json!({ "description": "Where the result will be.", "schema": { "type": "string" } });
        headers["Retry-After"] = json!({ "description": "Seconds after which it is worth asking.", "schema": { "type": "integer" } });
        responses["202"] = json!({
            "description": "The diagnosis is being made.",
            "headers": headers,
            "content": content(&Gives::Accepted),
        });
    }
    if !is_anonymous(&route.contract.gives) {
        responses["401"] =
            json!({ "description": "The function key is missing; the Functions host answers." });
    }
    responses
}

fn request_id() -> Value {
    json!({ "X-Request-Id": { "$ref": "#/components/headers/X-Request-Id" } })
}

fn content(gives: &Gives) -> Value {
    let formats = match gives.formats() {
        [] => &[Format::Json],
        some => some,
    };
    object(formats.iter().map(|format| {
        let schema = match format {
            Format::Json => match gives {
                // Of an alert, what it led to.
                Gives::Result => json!({ "anyOf": [answer(gives), reference("AlertOutcome")] }),
                _ => answer(gives),
            },
            Format::AdaptiveCard => json!({
                "type": "object", "required": ["type", "version", "body"],
                "properties": { "type": { "const": "AdaptiveCard" } },
            }),
            Format::Text | Format::Markdown => json!({ "type": "string" }),
        };
        let kind = match gives {
            Gives::Schema => "application/schema+json",
            _ => format.content_type(),
        };
        (kind.to_owned(), json!({ "schema": schema }))
    }))
}

/// The status of an answer that gives what was asked for.
pub(super) fn success(gives: &Gives) -> &'static str {
    match gives {
        Gives::Accepted | Gives::SweepAccepted | Gives::AlertTaken => "202",
        _ => "200",
    }
}

/// The JSON of an answer.
pub(super) fn answer(gives: &Gives) -> Value {
    match gives {
        Gives::Accepted => reference("DiagnosisAccepted"),
        Gives::AlertTaken => reference("AlertTaken"),
        Gives::Report | Gives::Result => json!({ "allOf": [reference("Report"), traces()] }),
        Gives::Section(section) => reference(section_name(*section).1),
        Gives::Paths => reference("PathsAnswer"),
        Gives::Outcome => reference("OutcomeAnswer"),
        Gives::Pressure => reference("PressureAnswer"),
        Gives::BypassPlan => reference("BypassAnswer"),
        Gives::Fleet => reference("Fleet"),
        Gives::SweepAccepted => reference("SweepAccepted"),
        Gives::Catalogue => reference("Catalogue"),
        Gives::Finding => {
            json!({ "allOf": [reference("Entry"), { "type": "object", "required": ["documentation"] }] })
        }
        Gives::Schema | Gives::Document => json!({ "type": "object" }),
        Gives::Health => reference("Health"),
    }
}

/// The path of the destination, where one was asked for.
fn traces() -> Value {
    json!({
        "type": "object",
        "properties": {
            "traces": {
                "type": "array", "items": reference("Trace"),
                "description": "The path of the destination that was asked for.",
            },
        },
    })
}

/// The report's member that a section is about, and what the contract calls the answer.
fn section_name(section: Section) -> (&'static str, &'static str) {
    match section {
        Section::OutboundType => ("outbound", "OutboundTypeAnswer"),
        Section::Endpoints => ("egressEndpoints", "EndpointsAnswer"),
        Section::NatGateway => ("natGateway", "NatGatewayAnswer"),
        Section::Snat => ("snat", "SnatAnswer"),
    }
}

/// Members of the report, taken over as they are.
fn section(section: Section, schemas: &Map<String, Value>) -> Value {
    let (part, _) = section_name(section);
    let names = [
        "schemaVersion",
        "generatedAt",
        "window",
        "cluster",
        "verdict",
        part,
        "findings",
        "gaps",
        "stats",
    ];
    let members = names.map(|name| {
        (
            name.to_owned(),
            schemas["Report"]["properties"][name].clone(),
        )
    });
    let mut schema = traces();
    schema["required"] = json!(names);
    schema["properties"]
        .as_object_mut()
        .unwrap()
        .extend(members);
    schema
}

fn problem(code: Code) -> Value {
    let status = code.status();
    let named: Vec<String> = Code::ALL
        .iter()
        .filter(|c| c.status() == status)
        .map(|c| format!("`{}`", c.name()))
        .collect();
    let mut problem = json!({
        "description": format!("{}: {}.", status.canonical_reason().unwrap(), named.join(", ")),
        "headers": request_id(),
        "content": { PROBLEM_JSON: { "schema": reference("Problem") } },
    });
    if matches!(
        code,
        Code::Busy | Code::AzureUnreachable | Code::IdentityFailed
    ) {
        problem["headers"]["Retry-After"] = json!({
            "description": "Seconds after which another try is worth it; not always there.",
            "schema": { "type": "integer" },
        });
    }
    problem
}
