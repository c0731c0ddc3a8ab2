//! Tells the configured webhook of a stored result. A webhook that does not answer costs a try of the queue, never the result.

use egress_arm::Webhook;
use serde_json::json;

use crate::http::{App, Format};
use crate::problem::{Code, Problem};
use crate::settings::{NotifyFormat, Settings};

use super::messages::{self, Notification};
use super::stored::Stored;
use super::work::{Done, Given};

/// Who is told, and how.
#[derive(Debug)]
pub(crate) struct Notify {
    webhook: Webhook,
    format: NotifyFormat,
}

impl Notify {
    /// What the settings say; `None` when nobody is to be told.
    pub(crate) fn of(settings: &Settings) -> Option<Self> {
        let notify = settings.notify.as_ref()?;
        Some(Self {
            webhook: Webhook::parse(notify.url.secret(), settings.trust.clone())?,
            format: notify.format,
        })
    }

    /// The message for a stored result.
    fn message(&self, text: &str, stored: &Stored) -> Result<String, Problem> {
        if self.format == NotifyFormat::Json {
            return Ok(text.to_owned());
        }
        let card = match stored.outcome() {
            Ok(written) => serde_json::from_str(written.get(Format::AdaptiveCard)),
            Err(problem) => Ok(json!({
                "type": "AdaptiveCard", "version": "1.5",
                "body": [
                    { "type": "TextBlock", "weight": "bolder", "size": "large", "wrap": true, "text": "No report" },
                    { "type": "TextBlock", "wrap": true, "text": plain(stored.cluster_id()) },
                    { "type": "TextBlock", "wrap": true, "text": plain(problem.detail()) },
                ],
            })),
        };
        let card: serde_json::Value = card.map_err(|_| Problem::unreadable_result())?;
        let attachment = json!({
            "contentType": Format::AdaptiveCard.content_type(), "contentUrl": null, "content": card,
        });
        Ok(json!({ "type": "message", "attachments": [attachment] }).to_string())
    }
}

/// Cards read Markdown: an id or a text must not become a link or a list.
fn plain(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars().filter(|c| !c.is_control()) {
        if "\\`*_{}[]()<>#+-!|~".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// Posts the stored result that the message names.
///
/// # Errors
/// When the webhook did not take it: the queue delivers the message again.
pub(crate) async fn notify(app: &App, given: &Given) -> Result<Done, Problem> {
    let Some(notify) = &app.jobs()?.notify else {
        return Ok(Done::default());
    };
    let message: Notification = messages::read(&given.message, "the name of a stored result")?;
    let Some((text, stored)) = given
        .previous
        .as_deref()
        .and_then(|text| Some((text, Stored::read(text)?)))
    else {
        tracing::warn!(id = %message.id, "the result to tell of is not there any more");
        return Ok(Done::default());
    };
    let body = notify.message(text, &stored)?;
    let sent = notify.webhook.post("application/json", body).await;
    sent.map_err(|error| {
        Problem::new(Code::InternalError, "the webhook did not take the result")
            .log(error.to_string())
    })?;
    tracing::info!(id = %message.id, "told the webhook");
    Ok(Done::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_is_read_as_markdown() {
        assert_eq!(
            plain("a\n[x](https://e.example)"),
            "a\\[x\\]\\(https://e.example\\)"
        );
    }
}
