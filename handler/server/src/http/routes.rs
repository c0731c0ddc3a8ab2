//! Every route, in one table: the router and the contract files are made from it, and the function folders are held
//! against those.

use std::sync::Arc;

use axum::routing::{MethodRouter, get, post};

use super::formats::Format;
use super::sections::Section;
use super::{
    App, alerts, answers, catalogue, contract, diagnoses, fleet, health, observation, report,
};

/// One path below `/api`.
pub(super) struct Route {
    /// As axum writes it.
    pub(super) path: &'static str,
    /// What answers.
    pub(super) serve: fn() -> MethodRouter<Arc<App>>,
    /// What the contract files say of it.
    pub(super) contract: Contract,
}

/// What callers are told of a route.
pub(super) struct Contract {
    /// Name of the operation.
    pub(super) id: &'static str,
    /// One line, as a person picks it from a list.
    pub(super) summary: &'static str,
    pub(super) takes: Takes,
    pub(super) gives: Gives,
}

/// What a route takes, and with it its methods.
pub(super) enum Takes {
    /// GET, and nothing but the path.
    Path,
    /// GET with a query or POST with a JSON body: the fields of every question about a cluster, and these.
    Cluster(&'static [&'static str]),
    /// GET with a query: these fields.
    Query(&'static [&'static str]),
    /// POST with a JSON body: exactly one of these fields.
    Body(&'static [&'static str]),
    /// POST with the fields of every question about a cluster but the format: an order for a diagnosis.
    Order,
    /// POST with the body of a webhook of Azure Monitor, and perhaps the cluster in the query.
    Alert,
    /// GET, the path, and the format of the answer.
    Result,
}

/// What a route answers with.
pub(super) enum Gives {
    Report,
    /// What is said of a diagnosis that is not there yet.
    Accepted,
    /// What is said of an alert that came.
    AlertTaken,
    /// What is said while there is none, the report, or what an alert led to.
    Result,
    Section(Section),
    Paths,
    Outcome,
    Pressure,
    BypassPlan,
    Fleet,
    SweepAccepted,
    Catalogue,
    Finding,
    Schema,
    Document,
    Health,
}

impl Gives {
    /// The formats offered, best first; empty where there is nothing to choose.
    pub(super) const fn formats(&self) -> &'static [Format] {
        match self {
            Self::Report => &report::FORMATS,
            Self::Result => &diagnoses::FORMATS,
            Self::Paths | Self::Outcome | Self::Pressure | Self::BypassPlan => &answers::FORMATS,
            Self::Fleet => &fleet::FORMATS,
            Self::Section(_) => &report::SECTION_FORMATS,
            Self::Accepted
            | Self::SweepAccepted
            | Self::AlertTaken
            | Self::Catalogue
            | Self::Finding
            | Self::Schema
            | Self::Document
            | Self::Health => &[],
        }
    }
}

const fn route(
    path: &'static str,
    serve: fn() -> MethodRouter<Arc<App>>,
    id: &'static str,
    summary: &'static str,
    takes: Takes,
    gives: Gives,
) -> Route {
    Route {
        path,
        serve,
        contract: Contract {
            id,
            summary,
            takes,
            gives,
        },
    }
}

/// All routes. A new one needs its line here and its function folder; `./task docs` writes the contract files.
pub(super) const ROUTES: [Route; 20] = [
    route(
        "/egress/report",
        || get(report::whole).post(report::whole),
        "GetReport",
        "Diagnose the egress of a cluster",
        Takes::Cluster(&[]),
        Gives::Report,
    ),
    route(
        "/egress/outbound-type",
        || section(Section::OutboundType),
        "GetOutboundType",
        "Get what carries the egress of a cluster",
        Takes::Cluster(&[]),
        Gives::Section(Section::OutboundType),
    ),
    route(
        "/egress/endpoints",
        || section(Section::Endpoints),
        "GetEndpoints",
        "Get the endpoints a cluster needs, and whether they are allowed",
        Takes::Cluster(&[]),
        Gives::Section(Section::Endpoints),
    ),
    route(
        "/egress/nat-gateway",
        || section(Section::NatGateway),
        "GetNatGateway",
        "Get the NAT gateways of a cluster",
        Takes::Cluster(&[]),
        Gives::Section(Section::NatGateway),
    ),
    route(
        "/egress/snat",
        || section(Section::Snat),
        "GetSnat",
        "Get the use of SNAT ports of a cluster",
        Takes::Cluster(&[]),
        Gives::Section(Section::Snat),
    ),
    route(
        "/egress/paths",
        || get(answers::paths).post(answers::paths),
        "GetPaths",
        "Get the path to a destination, or to each required endpoint",
        Takes::Cluster(&[]),
        Gives::Paths,
    ),
    route(
        "/egress/outcome",
        || get(answers::outcome).post(answers::outcome),
        "ReadOutcome",
        "Read a curl exit code or HTTP status in the light of the analysis",
        Takes::Cluster(&observation::FIELDS),
        Gives::Outcome,
    ),
    route(
        "/egress/pressure",
        || get(answers::pressure).post(answers::pressure),
        "GetPressure",
        "Get how much the nodes of a cluster and their disks have to do",
        Takes::Cluster(&[]),
        Gives::Pressure,
    ),
    route(
        "/egress/bypass-plan",
        || get(answers::bypass_plan).post(answers::bypass_plan),
        "PlanBypass",
        "Plan how to go past the egress appliance, and back",
        Takes::Cluster(&[]),
        Gives::BypassPlan,
    ),
    route(
        "/fleet",
        || get(fleet::overview),
        "ListFleet",
        "List clusters by their last diagnosis, worst first",
        Takes::Query(&fleet::FIELDS),
        Gives::Fleet,
    ),
    route(
        "/fleet",
        || post(fleet::order),
        "OrderFleet",
        "Order a diagnosis of each cluster of subscriptions or of a list",
        Takes::Body(&fleet::ORDER_FIELDS),
        Gives::SweepAccepted,
    ),
    route(
        "/diagnoses",
        || post(diagnoses::ask),
        "OrderDiagnosis",
        "Order a diagnosis and fetch it later",
        Takes::Order,
        Gives::Accepted,
    ),
    route(
        "/diagnoses/{id}",
        || get(diagnoses::fetch),
        "GetDiagnosis",
        "Get a diagnosis that was ordered",
        Takes::Result,
        Gives::Result,
    ),
    route(
        "/alerts",
        || post(alerts::take),
        "TakeAlert",
        "Have the clusters diagnosed that an alert is about",
        Takes::Alert,
        Gives::AlertTaken,
    ),
    route(
        "/findings",
        || get(catalogue::list),
        "ListFindings",
        "List what can be found",
        Takes::Path,
        Gives::Catalogue,
    ),
    route(
        "/findings/{code}",
        || get(catalogue::page),
        "GetFinding",
        "Get the page of a finding",
        Takes::Path,
        Gives::Finding,
    ),
    route(
        "/schemas/{file}",
        || get(contract::schema_file),
        "GetSchema",
        "Get the JSON Schema of an answer",
        Takes::Path,
        Gives::Schema,
    ),
    route(
        "/openapi.json",
        || get(contract::openapi),
        "GetOpenApi",
        "Get this interface as OpenAPI 3.1",
        Takes::Path,
        Gives::Document,
    ),
    route(
        "/swagger.json",
        || get(contract::swagger),
        "GetSwagger",
        "Get this interface as OpenAPI 2.0, for a connector",
        Takes::Path,
        Gives::Document,
    ),
    route(
        "/health",
        || get(health),
        "GetHealth",
        "Get the version and whether an identity is configured",
        Takes::Path,
        Gives::Health,
    ),
];

fn section(section: Section) -> MethodRouter<Arc<App>> {
    let handler = move |state, request| report::section(section, state, request);
    get(handler).post(handler)
}
