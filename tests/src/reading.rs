//! Reading a cluster of the simulated Azure in this process.

use std::time::Duration;

use egress_arm::{Client, ClientSettings, Cloud, Endpoints, Identity, ResourceId, Secret, Trust};
use egress_collect::{Collected, Request, collect};
use egress_diagnosis::facts::Window;
use egress_sandbox::Sandbox;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// A client of this sandbox.
pub fn client(sandbox: &Sandbox) -> Client {
    Client::new(ClientSettings {
        endpoints: Endpoints::of(Cloud::Public)
            .with_arm_endpoint(sandbox.arm_endpoint())
            .and_then(|endpoints| endpoints.with_metrics_endpoint(sandbox.metrics_endpoint()))
            .expect("an https endpoint"),
        identity: Identity::Fixed(Secret::new(sandbox.token())),
        trust: Trust::Pem(sandbox.certificate_pem().as_bytes().to_vec()),
    })
}

/// Reads a cluster and the six hours before a fixed time, so that the same scenario always gives the same report.
pub async fn read(client: &Client, id: &str) -> Collected {
    ask(client, id, SignedDuration::from_hours(6), false).await
}

/// The same, with a close look at the nodes.
pub async fn read_closely(client: &Client, id: &str) -> Collected {
    ask(client, id, SignedDuration::from_hours(6), true).await
}

/// Reads a cluster and so much time before the same fixed time.
pub async fn read_window(client: &Client, id: &str, length: SignedDuration) -> Collected {
    ask(client, id, length, false).await
}

async fn ask(client: &Client, id: &str, length: SignedDuration, pressure: bool) -> Collected {
    let asked_at: Timestamp = "2026-11-01T12:00:00Z".parse().expect("a time");
    let window = Window {
        start: asked_at - length,
        end: asked_at,
    };
    let request = Request {
        cluster: ResourceId::parse(id).expect("an id"),
        window,
        asked_at,
        pressure,
        // Long enough that a busy machine cuts no answer off.
        deadline: Instant::now() + Duration::from_mins(5),
        progress: None,
    };
    collect(client, &request)
        .await
        .expect("the cluster is readable")
}
