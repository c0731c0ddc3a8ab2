//! The documented endpoints, one file per cloud (R1.2). Placeholders: `{location}` is the cluster's region.

mod china;
mod public;
mod usgov;

pub(super) use china::CHINA;
pub(super) use public::PUBLIC;
pub(super) use usgov::USGOV;

use super::Protocol;
use super::catalogue::{Endpoint, NetworkAlternative, Role};
use crate::report::Need;

const SOURCE: &str = "https://learn.microsoft.com/azure/aks/outbound-rules-control-egress";
const DATED: &str = "2026-06-18";

const fn https(domain_name: &'static str) -> Endpoint {
    Endpoint {
        domain_name,
        port: 443,
        protocol: Protocol::Https,
        need: Need::Required,
        role: Role::Plain,
        alternative: None,
    }
}

const fn http(domain_name: &'static str) -> Endpoint {
    Endpoint {
        port: 80,
        protocol: Protocol::Http,
        ..https(domain_name)
    }
}

/// The same endpoint, nice to have.
const fn optional(endpoint: Endpoint) -> Endpoint {
    Endpoint {
        need: Need::Optional,
        ..endpoint
    }
}

/// The API server, by a wildcard for all names it may have.
const fn api_server(domain_name: &'static str) -> Endpoint {
    Endpoint {
        role: Role::ApiServer,
        alternative: Some(NetworkAlternative::ApiServerAddress),
        ..https(domain_name)
    }
}

/// The tunnel to the API server under its own name (21Vianet only).
const fn tunnel(domain_name: &'static str) -> Endpoint {
    Endpoint {
        role: Role::ApiServerTunnel,
        ..api_server(domain_name)
    }
}

/// Azure Monitor: the service tag may be allowed instead of the name.
const fn monitor(domain_name: &'static str) -> Endpoint {
    Endpoint {
        alternative: Some(NetworkAlternative::ServiceTag("AzureMonitor")),
        ..https(domain_name)
    }
}
