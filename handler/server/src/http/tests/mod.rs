//! The routes, driven without a socket in front of an engine that never leaves the process.

mod answers;
mod bad_input;
mod contracts;
mod errors;
mod formats;
mod routes;
mod sharing;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use crate::testing::{self, CLUSTER, FakeEngine, query};

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }

    /// Asserts the shape that every error has, and gives its `detail`.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) -> String {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        let body = self.json();
        assert_eq!(body["code"], code, "{self:?}");
        assert_eq!(body["status"], status);
        assert_eq!(body["requestId"], self.header("x-request-id"));
        assert!(body["type"].as_str().unwrap().ends_with(code));
        assert!(!body["title"].as_str().unwrap().is_empty());
        body["detail"].as_str().unwrap().to_owned()
    }

    fn field(&self) -> String {
        self.json()["field"].as_str().unwrap_or_default().to_owned()
    }
}

pub(crate) async fn send(router: &Router, request: Request<Body>) -> Answer {
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: String::from_utf8(bytes.to_vec()).unwrap(),
    }
}

pub(crate) async fn get(router: &Router, uri: &str) -> Answer {
    send(router, request(Method::GET, uri, Body::empty())).await
}

pub(crate) async fn post_json(router: &Router, uri: &str, body: &str) -> Answer {
    let mut request = request(Method::POST, uri, Body::from(body.to_owned()));
    request
        .headers_mut()
        .insert("content-type", "application/json".parse().unwrap());
    send(router, request).await
}

pub(crate) fn request(method: Method, uri: &str, body: Body) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(uri)
        .body(body)
        .unwrap()
}

fn router(engine: Arc<FakeEngine>) -> Router {
    testing::app(engine, testing::policy()).router()
}

/// The report's address with these query parameters beside the cluster.
fn report_uri(more: &[(&str, &str)]) -> String {
    let mut pairs = vec![("clusterId", CLUSTER)];
    pairs.extend_from_slice(more);
    format!("/api/egress/report?{}", query(&pairs))
}
