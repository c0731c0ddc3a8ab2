//! An emulator of the Azure Functions host for custom handlers: loads `host.json` and the function folders, starts and
//! supervises the handler process, forwards HTTP triggers as the real host does, and calls all other functions with its JSON
//! envelope, over queues and blobs in memory.

mod app;
mod binding;
mod envelope;
mod forward;
mod invoke;
mod outputs;
mod process;
mod route;
mod storage;

use std::time::Duration;

pub use app::{App, AuthLevel, Function, HttpTrigger, LoadError};
pub use binding::{Binding, BindingData, Direction};
pub use forward::{Answer, Call};
pub use invoke::Delivery;
pub use process::{Event, HostStopped, Process};
pub use storage::{Message, Storage};

/// Version that the emulator reports in `Azure-Functions-Host/…`.
pub const HOST_VERSION: &str = "4.1052.200";

/// The function key that the emulated host accepts.
pub const FUNCTION_KEY: &str = "emulated-function-key";

/// A running host: the application, its handler process and an HTTP client to it.
pub struct Host {
    app: App,
    process: Process,
    client: reqwest::Client,
    settings: Vec<(String, String)>,
    storage: Storage,
}

/// Loads the application at `root` and starts it with no settings at all.
///
/// # Panics
/// When the application does not load or its handler does not become ready.
pub async fn start(root: &std::path::Path) -> Host {
    let app = App::load(root).expect("the application loads");
    Host::start(app, Vec::new())
        .await
        .expect("the handler becomes ready")
}

impl Host {
    /// Loads the application at `app.root`, starts its handler with `settings` on top of an otherwise empty
    /// environment, and waits until it is ready.
    ///
    /// # Errors
    /// [`HostStopped`] when the handler did not become ready or crashed three times.
    pub async fn start(app: App, settings: Vec<(String, String)>) -> Result<Self, HostStopped> {
        // Never used, the handler speaks plain HTTP; reqwest insists on one all the same. Installed already: as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .no_gzip()
            .timeout(app.function_timeout + Duration::from_mins(1))
            .build()
            .expect("a plain HTTP client");
        let process = Process::start(&app, settings.clone(), client.clone()).await?;
        Ok(Self {
            app,
            process,
            client,
            settings,
            storage: Storage::default(),
        })
    }

    /// Sends one HTTP call through routing, key check and forwarding.
    pub async fn call(&self, call: Call) -> Answer {
        let Some(matched) = route::find(&self.app, &call.method, &call.path) else {
            return Answer::of_host(404);
        };
        if matched.http().auth_level != AuthLevel::Anonymous && !call.has_key(FUNCTION_KEY) {
            return Answer::of_host(401);
        }
        if self.process.ready().await.is_err() {
            return Answer::of_host(503);
        }
        if !matched.forwarded || !self.app.forwarding {
            return self.call_in_envelope(matched, &call).await;
        }
        forward::forward(&self.client, self.process.port(), call).await
    }

    /// What functions wrote.
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    /// The handler process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// The loaded application.
    pub fn app(&self) -> &App {
        &self.app
    }
}
