//! Paging, with the traps that Azure's lists have.

use crate::support::{GROUP, Seen, Server, group, json_answer, ok};
use axum::response::Response;
use egress_arm::operations::PUBLIC_IPS_LIST;
use egress_arm::{ArmError, Failure};
use serde_json::{Value, json};

async fn list(server: &Server) -> Result<Vec<Value>, ArmError> {
    server.session().list(&PUBLIC_IPS_LIST, &group(), &[]).await
}

/// Answers the nth request with the nth of `pages`, the last for all that follow; `{origin}` is filled in.
async fn pages(pages: &'static [&'static str]) -> Server {
    Server::start(move |seen: &Seen| -> Response {
        let page = pages.get(seen.nth).or(pages.last()).unwrap();
        let page = page.replace("{origin}", &seen.origin);
        ok(&serde_json::from_str(&page).unwrap())
    })
    .await
}

#[tokio::test]
async fn links_are_followed_verbatim_over_empty_pages() {
    let server = pages(&[
        r#"{"value":[1],"nextLink":"{origin}/a?%24skipToken=35&api-version=x&skipToken=35"}"#,
        r#"{"value":[],"nextLink":"{origin}/b?t=a%2Fb"}"#,
        r#"{"value":[2],"nextLink":"{origin}/c"}"#,
        r#"{"value":[]}"#,
    ])
    .await;
    assert_eq!(list(&server).await.unwrap(), [json!(1), json!(2)]);
    let paths: Vec<_> = server.seen().into_iter().map(|seen| seen.path).collect();
    assert_eq!(
        paths,
        [
            &*format!(
                "{GROUP}/providers/Microsoft.Network/publicIPAddresses?api-version=2026-03-01"
            ),
            "/a?%24skipToken=35&api-version=x&skipToken=35",
            "/b?t=a%2Fb",
            "/c",
        ]
    );
}

#[tokio::test]
async fn an_empty_or_null_link_ends_the_list() {
    for page in [
        r#"{"value":[1],"nextLink":null}"#,
        r#"{"value":[1],"nextLink":""}"#,
    ] {
        let server = Server::start(move |_| ok(&serde_json::from_str(page).unwrap())).await;
        assert_eq!(list(&server).await.unwrap(), [json!(1)]);
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn a_circle_of_links_ends_in_an_error_not_in_half_a_list() {
    let server = pages(&[
        r#"{"value":[1],"nextLink":"{origin}/a"}"#,
        r#"{"value":[2],"nextLink":"{origin}/b"}"#,
        r#"{"value":[3],"nextLink":"{origin}/a"}"#,
    ])
    .await;
    assert_eq!(
        *list(&server).await.unwrap_err().failure(),
        Failure::Malformed
    );
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn a_list_that_never_ends_is_given_up() {
    let server = Server::start(|seen| {
        ok(&json!({"value": [], "nextLink": format!("{}/{}", seen.origin, seen.nth)}))
    })
    .await;
    assert_eq!(
        *list(&server).await.unwrap_err().failure(),
        Failure::Malformed
    );
    assert_eq!(server.seen().len(), 200);
}

#[tokio::test]
async fn a_link_to_another_host_gets_no_request_and_no_token() {
    let elsewhere = Server::start(|_| ok(&json!({"value": []}))).await;
    let host = elsewhere.origin.trim_start_matches("https://").to_owned();
    for link in [
        format!("https://{host}/a"),
        format!("http://{host}/a"),
        format!("//{host}/a"),
        "/relative".to_owned(),
        "https://management.azure.com/a".to_owned(),
        "https://management.azure.com.example/a".to_owned(),
        "file:///etc/passwd".to_owned(),
    ] {
        let server = Server::start(move |_| ok(&json!({"value": [1], "nextLink": link}))).await;
        let error = list(&server).await.unwrap_err();
        assert_eq!(*error.failure(), Failure::Malformed);
        assert!(error.detail().contains("nextLink"), "{}", error.detail());
        assert_eq!(server.seen().len(), 1);
    }
    assert!(elsewhere.seen().is_empty());
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn user_names_in_links_do_not_replace_the_token() {
    let server = Server::start(|seen| {
        let link = seen.origin.replace("https://", "https://user:word@");
        ok(&json!({"value": [1], "nextLink": format!("{link}/a")}))
    })
    .await;
    assert_eq!(
        *list(&server).await.unwrap_err().failure(),
        Failure::Malformed
    );
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_page_without_values_is_malformed() {
    for page in [
        r#"{"nextLink":null}"#,
        r#"{"value":null}"#,
        r#"{"value":{}}"#,
        "[]",
        "null",
    ] {
        let server = Server::start(move |_| ok(&serde_json::from_str(page).unwrap())).await;
        assert_eq!(
            *list(&server).await.unwrap_err().failure(),
            Failure::Malformed,
            "{page}"
        );
    }
}

#[tokio::test]
async fn a_failing_page_fails_the_list() {
    let server = Server::start(|seen| match seen.nth {
        0 => ok(&json!({"value": [1], "nextLink": format!("{}/a", seen.origin)})),
        _ => json_answer(
            403,
            &[],
            &json!({"error": {"code": "AuthorizationFailed", "message": ""}}),
        ),
    })
    .await;
    let error = list(&server).await.unwrap_err();
    assert!(
        matches!(error.failure(), Failure::Forbidden { .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_list_may_be_left_after_its_first_pages() {
    let server = pages(&[
        r#"{"value":[1],"nextLink":"{origin}/a"}"#,
        r#"{"value":[2],"nextLink":"{origin}/b"}"#,
        r#"{"value":[3]}"#,
    ])
    .await;
    let begin = async |pages| {
        let session = server.session();
        session
            .list_begin::<Value>(&PUBLIC_IPS_LIST, &group(), &[], pages)
            .await
            .unwrap()
    };
    assert_eq!(begin(2).await, (vec![json!(1), json!(2)], true));
    assert_eq!(server.seen().len(), 2, "the third page was not asked for");
}
