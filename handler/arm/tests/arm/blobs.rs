//! Reading blobs.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use egress_arm::{ArmError, BlobEndpoint, Blobs, Failure};
use http::StatusCode;

use crate::support::{Seen, Server, TOKEN, soon};

fn blobs(server: &Server) -> Blobs {
    server
        .client()
        .blobs(BlobEndpoint::at(&server.origin).unwrap())
}

fn page(names: &[&str], next: &str) -> Response {
    let blobs: Vec<String> = names
        .iter()
        .map(|name| format!("<Blob><Name>{name}</Name></Blob>"))
        .collect();
    let blobs = blobs.concat();
    format!("<EnumerationResults><Blobs>{blobs}</Blobs><NextMarker>{next}</NextMarker></EnumerationResults>")
        .into_response()
}

fn refusal(status: u16, code: Option<&'static str>) -> Response {
    let mut response = Response::new(Body::from("<Error><Message>secret words</Message></Error>"));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    if let Some(code) = code {
        response
            .headers_mut()
            .insert("x-ms-error-code", code.parse().unwrap());
    }
    response
}

async fn names(server: &Server, most: usize) -> Result<(Vec<String>, bool), ArmError> {
    let listed = blobs(server).list("egress-fleet", most, soon()).await?;
    let names = listed.blobs.into_iter().map(|blob| blob.name).collect();
    Ok((names, listed.more))
}

#[tokio::test]
async fn a_list_is_read_page_by_page_with_token_and_version() {
    let server = Server::start(|seen: &Seen| match seen.nth {
        0 => page(&["a", "b"], "2!next/&amp;page"),
        _ => page(&["c"], ""),
    })
    .await;
    let (all, more) = names(&server, 10).await.unwrap();
    assert_eq!((all.concat().as_str(), more), ("abc", false));
    let seen = server.seen();
    let first = "/egress-fleet?restype=container&comp=list&maxresults=1000";
    assert_eq!(seen[0].path, first);
    assert_eq!(seen[1].path, format!("{first}&marker=2%21next%2F%26page"));
    for seen in seen {
        assert_eq!(
            seen.header("authorization"),
            Some(&*format!("Bearer {TOKEN}"))
        );
        assert_eq!(seen.header("x-ms-version"), Some("2023-11-03"));
        assert!(seen.header("x-ms-date").unwrap().ends_with(" GMT"));
    }
}

#[tokio::test]
async fn a_list_stops_where_enough_is_known() {
    let server = Server::start(|seen: &Seen| page(&["a", "b"], &seen.nth.to_string())).await;
    let (all, more) = names(&server, 3).await.unwrap();
    assert_eq!((all.len(), more), (3, true));
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn a_list_that_does_not_move_on_is_given_up() {
    let empty = Server::start(|seen: &Seen| page(&[], &seen.nth.to_string())).await;
    let same = Server::start(|_: &Seen| page(&["a"], "same")).await;
    for server in [empty, same] {
        let error = names(&server, 1_000_000).await.unwrap_err();
        assert_eq!(*error.failure(), Failure::Malformed);
        assert!(server.seen().len() <= 200);
    }
}

#[tokio::test]
async fn refusals_keep_their_meaning_and_not_their_words() {
    let not_found = |code: &str| Failure::NotFound {
        code: Some(code.to_owned()),
    };
    let forbidden = Failure::Forbidden {
        action: Some(
            "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read".to_owned(),
        ),
        scope: None,
    };
    let cases = [
        (403, Some("AuthorizationPermissionMismatch"), forbidden),
        (
            404,
            Some("ContainerNotFound"),
            not_found("ContainerNotFound"),
        ),
        (404, None, Failure::Malformed),
        (302, None, Failure::Malformed),
    ];
    for (status, code, expected) in cases {
        let server = Server::start(move |_: &Seen| refusal(status, code)).await;
        let error = names(&server, 10).await.unwrap_err();
        assert_eq!(*error.failure(), expected);
        assert!(!error.detail().contains("secret"), "{}", error.detail());
        assert_eq!(error.http_status(), Some(status));
    }
}

#[tokio::test]
async fn of_a_large_blob_only_the_beginning_is_asked_for_and_kept() {
    let server = Server::start(|_: &Seen| "0123456789".into_response()).await;
    let name = "a/../b c?d.json";
    let body = blobs(&server)
        .get("egress-fleet", name, 4, soon())
        .await
        .unwrap();
    assert_eq!(&body[..], b"0123");
    let seen = &server.seen()[0];
    assert_eq!(seen.path, "/egress-fleet/a%2F..%2Fb%20c%3Fd.json");
    assert_eq!(seen.header("x-ms-range"), Some("bytes=0-3"));
}

#[tokio::test]
async fn a_blob_without_bytes_is_empty() {
    let server = Server::start(|_: &Seen| refusal(416, Some("InvalidRange"))).await;
    let body = blobs(&server).get("c", "a", 4, soon()).await.unwrap();
    assert!(body.is_empty());
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = Server::start(|_: &Seen| page(&["x"], "")).await;
    let target = elsewhere.origin.clone();
    let server = Server::start(move |_: &Seen| {
        let mut response = refusal(307, None);
        response
            .headers_mut()
            .insert("location", target.parse().unwrap());
        response
    })
    .await;
    assert_eq!(
        *names(&server, 1).await.unwrap_err().failure(),
        Failure::Malformed
    );
    assert_eq!(elsewhere.connections(), 0);
}
