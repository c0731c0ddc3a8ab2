//! Talks to Azure Resource Manager: identity, request pipeline, paging, long-running operations. Beside it, reads blobs.
//!
//! Azure's answers are hostile input here: a link may point elsewhere, a body may be huge, empty or something else than
//! documented. The bearer token goes to the configured Resource Manager endpoint and nowhere else; another one, for storage, to the storage account only.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use egress_arm::{Client, ClientSettings, Cloud, Endpoints, Identity, ResourceId, Trust, operations};
//! use std::time::Duration;
//!
//! let client = Client::new(ClientSettings {
//!     endpoints: Endpoints::of(Cloud::Public),
//!     identity: Identity::DeveloperCli,
//!     trust: Trust::System,
//! });
//! let session = client.session(tokio::time::Instant::now() + Duration::from_secs(100));
//! let id = ResourceId::parse_type("/subscriptions/…", "Microsoft.ContainerService/managedClusters")?;
//! let cluster: serde_json::Value = session.get(&operations::CLUSTER_GET, &id, &[]).await?;
//! # Ok(())
//! # }
//! ```

mod blobs;
mod client;
mod cloud;
mod credential;
mod error;
mod error_body;
mod id;
mod identity;
mod long_running;
mod metrics_plane;
pub mod model;
pub mod operations;
mod paging;
mod policy;
pub mod read;
mod session;
mod transport;
mod webhook;

pub use blobs::{BlobEndpoint, BlobItem, Blobs, Listed};
pub use client::{Client, ClientSettings};
pub use cloud::{Cloud, EndpointError, Endpoints, UnknownCloud};
pub use error::{ArmError, Failure};
pub use id::{IdError, ResourceId};
pub use identity::{Identity, IdentitySettings, Secret};
pub use metrics_plane::MetricsPlane;
pub use operations::Operation;
pub use session::{Session, Stats};
pub use transport::Trust;
pub use webhook::{Webhook, WebhookError};
