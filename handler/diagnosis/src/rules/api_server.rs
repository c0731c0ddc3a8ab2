//! The API server as a destination behind a firewall.

use crate::context::Context;
use crate::network::firewall::{FlowProtocol, Target};

/// The public API server.
pub(super) struct ApiServer<'f> {
    pub(super) fqdn: &'f str,
    region: Option<&'f str>,
}

impl<'f> ApiServer<'f> {
    /// `None` where the nodes reach the API server inside the network.
    pub(super) fn of(ctx: &Context<'f>) -> Option<Self> {
        let cluster = ctx.cluster();
        let access = &cluster.api_server;
        if access.private_cluster == Some(true) || access.vnet_integration == Some(true) {
            return None;
        }
        let region = cluster.location.as_deref();
        Some(Self {
            fqdn: access.fqdn.as_deref()?,
            region: region.filter(|region| !region.trim().is_empty()),
        })
    }

    /// The service tag that holds its address: AKS's documentation names the region's `AzureCloud` as an alternative to
    /// the address itself (R1.1).
    pub(super) fn tag(&self) -> String {
        match self.region {
            Some(region) => format!("AzureCloud.{}", region.trim().to_ascii_lowercase()),
            None => "AzureCloud".to_owned(),
        }
    }

    /// It as a destination on port 443. ARM does not tell its address.
    pub(super) fn target(&self, protocol: FlowProtocol) -> Target {
        Target::host(self.fqdn, 443, protocol).in_tags(["AzureCloud", &self.tag()])
    }
}
