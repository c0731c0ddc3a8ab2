//! A storage account's blobs over real HTTPS, as far as a client that only reads them goes.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Request, Response, StatusCode};
use ring::digest::{SHA256, digest};
use serde_json::json;

use crate::https::Https;

/// A running storage account.
pub struct Storage {
    https: Https,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// Container, name: body and version.
    blobs: BTreeMap<(String, String), (Vec<u8>, u64)>,
    writes: u64,
    page: usize,
    refusal: Option<(u16, &'static str)>,
    list: Option<String>,
    asked: Vec<String>,
}

impl Storage {
    /// Starts an empty account that lists `page` blobs at a time.
    ///
    /// # Panics
    /// When no loopback socket or certificate can be made.
    pub async fn start(page: usize) -> Self {
        let state = Arc::new(Mutex::new(State {
            page,
            ..State::default()
        }));
        let served = Arc::clone(&state);
        let https =
            Https::start(move |request| served.lock().expect("the state").answer(request)).await;
        Self { https, state }
    }

    /// The endpoint, without a slash at the end.
    pub fn endpoint(&self) -> &str {
        self.https.endpoint()
    }

    /// The certificate to trust, PEM.
    pub fn certificate(&self) -> &str {
        self.https.certificate()
    }

    /// Writes a blob.
    pub fn put(&self, container: &str, name: &str, body: &str) {
        let mut state = self.state.lock().expect("the state");
        state.writes += 1;
        let version = state.writes;
        let key = (container.to_owned(), name.to_owned());
        state.blobs.insert(key, (body.as_bytes().to_vec(), version));
    }

    /// Writes the rows of so many clusters, as diagnoses made later leave them.
    pub fn put_fleet(&self, clusters: usize) {
        for index in 0..clusters {
            let id = format!(
                "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg-{index}/providers/Microsoft.ContainerService/managedClusters/aks-{index}"
            );
            let row = json!({
                "clusterId": id, "name": "", "resourceGroup": "", "subscriptionId": "", "location": "westeurope",
                "status": (["healthy", "atRisk", "blocked"][index % 3]), "pattern": "persistent", "complete": true,
                "headline": "Node pool apps cannot reach the internet: subnet vnet-shop/snet-apps has no NAT gateway.",
                "worstFinding": { "code": "NAT101", "severity": "critical", "title": "No NAT gateway" },
                "snatUtilizationPeak": 0.5, "generatedAt": "2026-11-01T12:00:00Z",
                "resultId": "0".repeat(56), "failure": null,
            });
            let hash = digest(&SHA256, id.to_ascii_lowercase().as_bytes());
            let bytes = hash.as_ref().iter().take(16);
            let name: Vec<String> = bytes.map(|byte| format!("{byte:02x}")).collect();
            let name = format!("{}.json", name.concat());
            self.put("egress-fleet", &name, &row.to_string());
        }
    }

    /// From now on, answers each read of a blob (not the lists) so.
    pub fn refuse(&self, status: u16, code: &'static str) {
        self.state.lock().expect("the state").refusal = Some((status, code));
    }

    /// From now on, answers each list with this body.
    pub fn list_as(&self, body: &str) {
        self.state.lock().expect("the state").list = Some(body.to_owned());
    }

    /// The paths and queries that were asked for since the last time.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().expect("the state").asked)
    }
}

impl State {
    fn answer(&mut self, request: &Request<Bytes>) -> Response<Body> {
        let uri = request.uri();
        let path = uri.path_and_query().map_or("", |path| path.as_str());
        self.asked.push(path.to_owned());
        let header = |name: &str| request.headers().get(name)?.to_str().ok();
        if !header("authorization").is_some_and(|token| token.starts_with("Bearer ")) {
            return refusal(401, "NoAuthenticationInformation");
        }
        if header("x-ms-version").is_none() {
            return refusal(400, "MissingRequiredHeader");
        }
        let mut segments = uri.path().trim_start_matches('/').splitn(2, '/');
        let container = segments.next().unwrap_or_default();
        let Some(name) = segments.next() else {
            return self.list(container, uri.query().unwrap_or_default());
        };
        if let Some((status, code)) = self.refusal {
            return refusal(status, code);
        }
        let Some((body, _)) = self.blobs.get(&(container.to_owned(), name.to_owned())) else {
            return refusal(404, "BlobNotFound");
        };
        let last = header("x-ms-range").and_then(|range| range.strip_prefix("bytes=0-"));
        let most = last.map_or(usize::MAX, |last| {
            last.parse().map_or(0, |last: usize| last + 1)
        });
        let mut response = Response::new(Body::from(body[..most.min(body.len())].to_vec()));
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        response
    }

    fn list(&self, container: &str, query: &str) -> Response<Body> {
        if let Some(list) = &self.list {
            return Response::new(Body::from(list.clone()));
        }
        let all: Vec<_> = self
            .blobs
            .iter()
            .filter(|((of, _), _)| of == container)
            .collect();
        if all.is_empty() {
            return refusal(404, "ContainerNotFound");
        }
        let marker = query
            .split('&')
            .find_map(|pair| pair.strip_prefix("marker="));
        let start: usize = marker.map_or(0, |at| at.parse().expect("our own marker"));
        let mut text = "\u{feff}<?xml version=\"1.0\"?><EnumerationResults><Blobs>".to_owned();
        for ((_, name), (body, version)) in all.iter().skip(start).take(self.page) {
            write!(
                text,
                "<Blob><Name>{name}</Name><Properties><Content-Length>{}</Content-Length>\
                 <Etag>0x{version:X}</Etag></Properties></Blob>",
                body.len()
            )
            .expect("text");
        }
        text.push_str("</Blobs>");
        let end = start + self.page;
        if end < all.len() {
            write!(text, "<NextMarker>{end}</NextMarker>").expect("text");
        }
        text.push_str("</EnumerationResults>");
        Response::new(Body::from(text))
    }
}

fn refusal(status: u16, code: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(format!("<Error><Code>{code}</Code></Error>")));
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    let headers = response.headers_mut();
    headers.insert("x-ms-error-code", HeaderValue::from_static(code));
    response
}
