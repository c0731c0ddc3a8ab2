//! A handler that does what it is told, for tests of the emulated Functions host itself.
//!
//! Arguments: its port, how it behaves at its start, and whatever else; started without a port it ends at once.
//! A message or body that is a JSON object says what to answer: `status`, `type`, `body` (a JSON value, or raw text as `text`),
//! or to `exit` with a code, or to `hang`. Everything else is echoed as it came, in JSON.

use std::process::ExitCode;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::Response;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Arc<[String]> = std::env::args().skip(1).collect();
    let port = arguments.first().and_then(|port| port.parse::<u16>().ok());
    let Some(port) = port else {
        return ExitCode::FAILURE;
    };
    match arguments.get(1).map(String::as_str) {
        Some("never-listen") => std::future::pending().await,
        Some("exit-0") => return ExitCode::SUCCESS,
        Some("exit-7") => return ExitCode::from(7),
        _ => {}
    }
    let Ok(listener) = TcpListener::bind(("127.0.0.1", port)).await else {
        return ExitCode::FAILURE;
    };
    if arguments.get(1).is_some_and(|how| how == "never-answer") {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            println!("held");
            held.push(stream);
        }
    }
    let (exit, mut exits) = mpsc::channel(1);
    let router = Router::new().fallback(move |request| answer(request, exit.clone(), arguments));
    tokio::select! {
        _ = axum::serve(listener, router) => ExitCode::FAILURE,
        code = exits.recv() => ExitCode::from(code.unwrap_or(1)),
    }
}

async fn answer(
    request: Request,
    exit: mpsc::Sender<u8>,
    arguments: Arc<[String]>,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    if parts.uri.path() == "/" {
        return respond(404, "text/plain", "nothing here".into());
    }
    let headers: Map<String, Value> = parts
        .headers
        .iter()
        .map(|(name, value)| {
            (
                name.to_string(),
                String::from_utf8_lossy(value.as_bytes()).into(),
            )
        })
        .collect();
    let told = told(&body);
    let member = |name: &str| told.as_ref().and_then(|told| told.get(name));
    if let Some(code) = member("exit").and_then(Value::as_u64) {
        let _ = exit.send(u8::try_from(code).unwrap_or(1)).await;
        std::future::pending::<()>().await;
    }
    if member("hang").is_some() {
        std::future::pending::<()>().await;
    }
    if let Some(status) = member("status").and_then(Value::as_u64) {
        let kind = member("type")
            .and_then(Value::as_str)
            .unwrap_or("application/json");
        let text = member("text").and_then(Value::as_str).map(str::to_owned);
        let body = text.or_else(|| member("body").map(Value::to_string));
        let status = u16::try_from(status).unwrap_or(500);
        let mut response = respond(status, kind, body.unwrap_or_default().into());
        let location = member("location").and_then(Value::as_str);
        if let Some(location) = location.and_then(|location| location.parse().ok()) {
            response.headers_mut().insert("location", location);
        }
        return response;
    }
    let seen = json!({
        "method": parts.method.as_str(), "target": parts.uri.to_string(), "headers": headers,
        "body": String::from_utf8_lossy(&body), "arguments": *arguments,
    });
    // As JSON of the envelope's form when it was called with one.
    let is_envelope =
        serde_json::from_slice::<Value>(&body).is_ok_and(|b| b.get("Metadata").is_some());
    let echo = if is_envelope {
        json!({ "Outputs": { "seen": seen.to_string(), "res": { "body": seen.to_string() } } })
    } else {
        seen
    };
    respond(200, "application/json", echo.to_string().into())
}

/// What the message or the caller's body in an envelope, or else the body itself, says.
fn told(body: &[u8]) -> Option<Value> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let Some(data) = body.get("Data") else {
        return Some(body);
    };
    let message = data.get("job").and_then(Value::as_str);
    let text: Option<String> = match message {
        Some(message) => serde_json::from_str(message).ok(),
        None => data
            .pointer("/req/Body")
            .and_then(Value::as_str)
            .map(str::to_owned),
    };
    serde_json::from_str(&text?).ok()
}

fn respond(status: u16, kind: &str, body: Body) -> Response<Body> {
    let response = Response::builder().status(status);
    let response = match kind {
        "" => response,
        kind => response.header("content-type", kind),
    };
    response.body(body).unwrap_or_default()
}
