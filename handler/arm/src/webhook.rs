//! The one address that is posted to unasked: configured by whoever runs the app, never by a caller.

use std::fmt;
use std::time::Duration;

use azure_core::http::Url;
use tokio::sync::OnceCell;

use crate::transport::{ReqwestTransport, Trust, is_on_this_machine};

/// A receiver that has not answered by then gets the message again later.
const TIMEOUT: Duration = Duration::from_secs(30);

/// An https address that takes messages. It holds a secret, so it is never shown.
pub struct Webhook {
    url: Url,
    trust: Trust,
    transport: OnceCell<ReqwestTransport>,
}

/// Why a message was not taken. Without the address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// No connection, or no answer in time.
    #[error("the webhook could not be reached")]
    Unreachable,
    /// It answered with another status than 2xx; redirects are not followed.
    #[error("the webhook answered {0}")]
    Status(u16),
}

impl Webhook {
    /// `None` unless the text is an https address without user name and password. Nothing is opened yet.
    pub fn parse(text: &str, trust: Trust) -> Option<Self> {
        let url = Url::parse(text.trim()).ok()?;
        let plain = url.username().is_empty() && url.password().is_none() && url.has_host();
        (url.scheme() == "https" && plain).then(|| Self {
            url,
            trust,
            transport: OnceCell::new(),
        })
    }

    /// Posts one message.
    ///
    /// # Errors
    /// [`WebhookError`]: it may be worth another try.
    pub async fn post(&self, content_type: &str, body: String) -> Result<(), WebhookError> {
        let direct = is_on_this_machine(&self.url);
        let transport = self
            .transport
            .get_or_try_init(|| async { ReqwestTransport::new(&self.trust, direct) })
            .await
            .map_err(|error| {
                tracing::error!("no HTTP client for the webhook: {error}");
                WebhookError::Unreachable
            })?;
        let response = transport
            .https()
            .post(self.url.clone())
            .header("content-type", content_type)
            .timeout(TIMEOUT)
            .body(body)
            .send()
            .await
            .map_err(|_| WebhookError::Unreachable)?;
        let status = response.status();
        if status.is_success() {
            Ok(())
        } else {
            Err(WebhookError::Status(status.as_u16()))
        }
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Webhook(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_https_addresses_are_taken_and_none_is_shown() {
        let of = |text: &str| Webhook::parse(text, Trust::System);
        let hook = of("https://example.net/hook?sig=s3cr3t").unwrap();
        assert!(!format!("{hook:?}").contains("s3cr3t"));
        for wrong in [
            "http://example.net/hook",
            "https://user:pw@example.net/",
            "https://user@example.net/",
            "file:///etc/passwd",
            "example.net",
            "",
        ] {
            assert!(of(wrong).is_none(), "{wrong}");
        }
    }
}
