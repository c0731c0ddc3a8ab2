use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

use crate::client::{API, cloud};

#[tokio::test]
async fn the_identity_endpoint_gives_a_token_that_arm_accepts() {
    let cloud = cloud().await;
    let url = format!(
        "{}?api-version=2019-08-01&resource=https%3A%2F%2Fmanagement.azure.com",
        cloud.sandbox.identity_endpoint()
    );
    let answer = cloud
        .client
        .get(url)
        .header("X-IDENTITY-HEADER", cloud.sandbox.identity_header())
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["resource"], "https://management.azure.com");
    let expires: i64 = body["expires_on"].as_str().unwrap().parse().unwrap();
    let token = body["access_token"].as_str().unwrap();
    let claims: Value = serde_json::from_slice(
        &URL_SAFE_NO_PAD
            .decode(token.split('.').nth(1).unwrap())
            .unwrap(),
    )
    .unwrap();
    assert_eq!(claims["exp"], expires);
    for claim in ["tid", "oid", "appid", "xms_mirid", "iss", "aud"] {
        assert!(claims[claim].is_string(), "{claim}");
    }
    let url = format!("{}/subscriptions?{API}", cloud.sandbox.arm_endpoint());
    assert_eq!(
        cloud
            .client
            .get(url)
            .bearer_auth(token)
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
    assert_eq!(cloud.sandbox.token_requests(), 1);
}

#[tokio::test]
async fn the_identity_endpoint_refuses_a_wrong_or_missing_header() {
    let cloud = cloud().await;
    let url = format!(
        "{}?api-version=2019-08-01&resource=x",
        cloud.sandbox.identity_endpoint()
    );
    assert_eq!(cloud.client.get(&url).send().await.unwrap().status(), 400);
    let wrong = cloud
        .client
        .get(&url)
        .header("X-IDENTITY-HEADER", "wrong")
        .send()
        .await
        .unwrap();
    assert_eq!(wrong.status(), 401);
}

#[tokio::test]
async fn arm_refuses_missing_foreign_expired_and_misdirected_tokens() {
    let cloud = cloud().await;
    let url = format!("{}/subscriptions?{API}", cloud.sandbox.arm_endpoint());
    let code = async |token: Option<&str>| {
        let request = cloud.client.get(&url);
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 401);
        assert!(response.headers().contains_key("www-authenticate"));
        let body: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
        body["error"]["code"].as_str().unwrap().to_owned()
    };
    assert_eq!(code(None).await, "AuthenticationFailed");
    assert_eq!(code(Some("nonsense")).await, "InvalidAuthenticationToken");
    let token = cloud.sandbox.token();
    let (body, _) = token.rsplit_once('.').unwrap();
    assert_eq!(
        code(Some(&format!("{body}.eC4w"))).await,
        "InvalidAuthenticationToken"
    );
    cloud.sandbox.expire_tokens();
    assert_eq!(code(Some(&token)).await, "ExpiredAuthenticationToken");
    let vault = format!(
        "{}?api-version=2019-08-01&resource=https://vault.azure.net",
        cloud.sandbox.identity_endpoint()
    );
    let other = cloud
        .client
        .get(vault)
        .header("X-IDENTITY-HEADER", cloud.sandbox.identity_header())
        .send()
        .await;
    let other: Value = serde_json::from_slice(&other.unwrap().bytes().await.unwrap()).unwrap();
    assert_eq!(
        code(other["access_token"].as_str()).await,
        "InvalidAuthenticationTokenAudience"
    );
}
