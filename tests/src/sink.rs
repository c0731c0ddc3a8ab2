//! A webhook over real HTTPS that keeps what it gets.

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::{Response, StatusCode};
use serde_json::Value;

use crate::https::Https;

/// A running webhook.
pub struct Sink {
    https: Https,
    status: Arc<AtomicU16>,
    received: Arc<Mutex<Vec<Value>>>,
}

impl Sink {
    /// Starts it on any port; it answers 202.
    pub async fn start() -> Self {
        let status = Arc::new(AtomicU16::new(202));
        let received: Arc<Mutex<Vec<Value>>> = Arc::default();
        let (kept, answer) = (Arc::clone(&received), Arc::clone(&status));
        let https = Https::start(move |request| {
            let body = serde_json::from_slice(request.body()).expect("JSON");
            kept.lock().expect("received").push(body);
            let mut response = Response::new(Body::empty());
            *response.status_mut() =
                StatusCode::from_u16(answer.load(Ordering::SeqCst)).expect("a status");
            response
        });
        Self {
            https: https.await,
            status,
            received,
        }
    }

    /// Its address, with a key in it.
    pub fn url(&self) -> String {
        format!("{}/hook?sig=s3cr3t", self.https.endpoint())
    }

    /// The certificate to trust, PEM.
    pub fn certificate(&self) -> &str {
        self.https.certificate()
    }

    /// What it answers from now on.
    pub fn answer(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    /// What it got, in order.
    pub fn received(&self) -> Vec<Value> {
        self.received.lock().expect("received").clone()
    }
}
