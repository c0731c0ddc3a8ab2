//! The smallest axum server there is: what the handler's start-up is measured against.

use axum::Router;
use axum::routing::get;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let port = std::env::args()
        .nth(1)
        .and_then(|port| port.parse().ok())
        .expect("a port as the argument");
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    let hello = Router::new().route("/", get(|| async { "hello" }));
    axum::serve(listener, hello).await
}
