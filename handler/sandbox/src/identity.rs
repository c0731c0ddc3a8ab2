//! The managed identity endpoint as a Functions host gives it to its workers, and the tokens it hands out.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::expand::{TENANT, guid};

/// How long a token is valid.
const LIFETIME_SECONDS: i64 = 24 * 3600;
/// The only `api-version` of the endpoint on Functions and App Service.
const API_VERSION: &str = "2019-08-01";

/// Makes and checks tokens. They are unsigned JWTs; the last part says which generation they belong to.
#[derive(Debug)]
pub(crate) struct Tokens {
    generation: AtomicU64,
    secret: String,
    /// Audiences that ARM accepts.
    audiences: Vec<String>,
}

/// For whom tokens to the metrics data plane are.
pub(crate) const METRICS_AUDIENCE: &str = "https://metrics.monitor.azure.com";

/// What checks a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    Arm,
    Metrics,
}

/// Why ARM refuses a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    Missing,
    Invalid,
    Expired,
    Audience,
}

impl Tokens {
    pub(crate) fn new(secret: String, arm_endpoint: &str) -> Self {
        let own = [
            arm_endpoint.to_owned(),
            arm_endpoint.replace("localhost", "127.0.0.1"),
        ];
        let azure = [
            "https://management.azure.com",
            "https://management.core.windows.net",
        ];
        Self {
            generation: AtomicU64::new(0),
            secret,
            audiences: own.into_iter().chain(azure.map(str::to_owned)).collect(),
        }
    }

    /// Tokens made until now are expired from now on.
    pub(crate) fn expire(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn client_id() -> String {
        guid("sandbox identity client")
    }

    pub(crate) fn object_id() -> String {
        guid("sandbox identity object")
    }

    /// A bearer token for an audience, and when it expires.
    pub(crate) fn issue(&self, audience: &str) -> (String, i64) {
        self.issue_for(&json!(audience))
    }

    /// A bearer token that all of these accept, as Azure gives none: for a client with one fixed token.
    pub(crate) fn issue_for_all(&self, audiences: &[&str]) -> String {
        self.issue_for(&json!(audiences)).0
    }

    fn issue_for(&self, audience: &Value) -> (String, i64) {
        let now = Timestamp::now().as_second();
        let expires = now + LIFETIME_SECONDS;
        let claims = json!({
            "aud": audience,
            "iss": format!("https://sts.windows.net/{TENANT}/"),
            "iat": now,
            "nbf": now,
            "exp": expires,
            "appid": Self::client_id(),
            "appidacr": "2",
            "idtyp": "app",
            "oid": Self::object_id(),
            "sub": Self::object_id(),
            "tid": TENANT,
            "ver": "1.0",
            "xms_mirid": format!(
                "/subscriptions/{}/resourcegroups/rg-diagnostics/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-egress-diagnostics",
                crate::expand::SUBSCRIPTION
            ),
        });
        let header = json!({ "typ": "JWT", "alg": "none" });
        let generation = self.generation.load(Ordering::SeqCst);
        let parts = [
            header.to_string(),
            claims.to_string(),
            format!("{}.{generation}", self.secret),
        ];
        (
            parts.map(|part| URL_SAFE_NO_PAD.encode(part)).join("."),
            expires,
        )
    }

    pub(crate) fn check(&self, headers: &HeaderMap, by: Service) -> Result<(), Refusal> {
        let header = headers.get("authorization").ok_or(Refusal::Missing)?;
        let header = header.to_str().map_err(|_| Refusal::Invalid)?;
        let (scheme, token) = header.split_once(' ').ok_or(Refusal::Invalid)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Refusal::Invalid);
        }
        let mut parts = token
            .split('.')
            .map(|part| URL_SAFE_NO_PAD.decode(part).ok());
        let (Some(Some(_)), Some(Some(claims)), Some(Some(seal)), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Refusal::Invalid);
        };
        let seal = String::from_utf8(seal).map_err(|_| Refusal::Invalid)?;
        let (secret, generation) = seal.split_once('.').ok_or(Refusal::Invalid)?;
        let claims: Value = serde_json::from_slice(&claims).map_err(|_| Refusal::Invalid)?;
        if secret != self.secret {
            return Err(Refusal::Invalid);
        }
        let current = self.generation.load(Ordering::SeqCst).to_string();
        if generation != current
            || claims["exp"]
                .as_i64()
                .is_none_or(|exp| exp <= Timestamp::now().as_second())
        {
            return Err(Refusal::Expired);
        }
        let is_for = |audience: &Value| {
            let audience = audience.as_str().map(|aud| aud.trim_end_matches('/'));
            audience.is_some_and(|aud| match by {
                Service::Arm => self.audiences.iter().any(|known| known == aud),
                Service::Metrics => aud == METRICS_AUDIENCE,
            })
        };
        let accepted = match &claims["aud"] {
            Value::Array(audiences) => audiences.iter().any(is_for),
            audience => is_for(audience),
        };
        if accepted {
            Ok(())
        } else {
            Err(Refusal::Audience)
        }
    }
}

/// What the endpoint's handler needs.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) header: String,
    pub(crate) log: Arc<crate::log::Log>,
}

/// `GET IDENTITY_ENDPOINT?resource=…&api-version=2019-08-01` with header `X-IDENTITY-HEADER`.
pub(crate) async fn token(
    State(endpoint): State<Endpoint>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let query: BTreeMap<String, String> =
        url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
            .into_owned()
            .collect();
    endpoint.log.token_request();
    let refuse = |status: StatusCode, message: &str| {
        (
            status,
            Json(json!({ "statusCode": status.as_u16(), "message": message })),
        )
            .into_response()
    };
    match headers
        .get("x-identity-header")
        .map(|value| value.to_str().ok())
    {
        None => {
            return refuse(
                StatusCode::BAD_REQUEST,
                "Required header 'X-IDENTITY-HEADER' is missing.",
            );
        }
        Some(Some(value)) if value == endpoint.header => {}
        Some(_) => {
            return refuse(
                StatusCode::UNAUTHORIZED,
                "Header 'X-IDENTITY-HEADER' is wrong.",
            );
        }
    }
    if query.get("api-version").map(String::as_str) != Some(API_VERSION) {
        return refuse(
            StatusCode::BAD_REQUEST,
            "Parameter 'api-version' must be 2019-08-01.",
        );
    }
    let Some(resource) = query
        .get("resource")
        .filter(|resource| !resource.is_empty())
    else {
        return refuse(StatusCode::BAD_REQUEST, "Parameter 'resource' is missing.");
    };
    let named = query.get("client_id").or_else(|| query.get("clientid"));
    if named.is_some_and(|id| *id != Tokens::client_id()) {
        return refuse(
            StatusCode::BAD_REQUEST,
            "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId.",
        );
    }
    let (access_token, expires) = endpoint.tokens.issue(resource);
    Json(json!({
        "access_token": access_token,
        "expires_on": expires.to_string(),
        "resource": resource,
        "token_type": "Bearer",
        "client_id": Tokens::client_id(),
    }))
    .into_response()
}
