//! Tells the configured webhook of a stored result. A webhook that does not answer costs a try of the queue, never the result.
//!
//! Told is at least once: a webhook that took a message and then did not say so gets it again.

use std::sync::Arc;
use std::time::Duration;

use egress_arm::{Webhook, WebhookError};
use moka::future::Cache;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::alerts::outcome::Outcome;
use crate::http::{App, Format};
use crate::problem::{Code, Problem};
use crate::settings::{NotifyFormat, Settings};

use super::messages::{self, Notification};
use super::stored::Stored;
use super::work::{Done, Given};

/// How much this process remembers of what it told; the rest is stored.
const REMEMBERED: u64 = 1024;
/// For how long.
const REMEMBER: Duration = Duration::from_hours(1);

/// Who is told, and how.
#[derive(Debug)]
pub(crate) struct Notify {
    webhook: Webhook,
    format: NotifyFormat,
    /// About what, and a line further down what. Messages about the same that come at the same time wait for one another.
    told: Cache<String, Arc<str>>,
}

/// What was told last about something, as it is stored.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    what: String,
}

impl Notify {
    /// What the settings say; `None` when nobody is to be told.
    pub(crate) fn of(settings: &Settings) -> Option<Self> {
        let notify = settings.notify.as_ref()?;
        let webhook = Webhook::parse(notify.url.secret(), settings.trust.clone())?;
        Some(Self::new(webhook, notify.format))
    }

    pub(crate) fn new(webhook: Webhook, format: NotifyFormat) -> Self {
        Self {
            webhook,
            format,
            told: Cache::builder()
                .max_capacity(REMEMBERED)
                .time_to_live(REMEMBER)
                .build(),
        }
    }

    /// The message for what is stored; `None` for what this version cannot read.
    fn message(&self, text: &str) -> Option<String> {
        // In this order: of an outcome, a result's fields would be read too.
        let card = match Outcome::read(text) {
            Some(outcome) => outcome_card(&outcome),
            None => result_card(&Stored::read(text)?)?,
        };
        if self.format == NotifyFormat::Json {
            return Some(text.to_owned());
        }
        let attachment = json!({
            "contentType": Format::AdaptiveCard.content_type(), "contentUrl": null, "content": card,
        });
        Some(json!({ "type": "message", "attachments": [attachment] }).to_string())
    }

    async fn post(&self, notification: &Notification, body: String) -> Result<(), WebhookError> {
        let key = format!("{}\n{}", notification.about, notification.what);
        let post = async {
            self.webhook.post("application/json", body).await?;
            Ok(Arc::from(notification.what.as_str()))
        };
        let posted = self.told.try_get_with(key, post).await;
        posted
            .map(drop)
            .map_err(|error| WebhookError::clone(&error))
    }
}

fn result_card(stored: &Stored) -> Option<Value> {
    match stored.outcome() {
        Ok(written) => serde_json::from_str(written.get(Format::AdaptiveCard)).ok(),
        Err(problem) => Some(card(
            "No report",
            [stored.cluster_id(), problem.detail()].into_iter(),
        )),
    }
}

fn outcome_card(outcome: &Outcome) -> Value {
    let rule = outcome.rule().map(|rule| format!("Alert rule: {rule}"));
    let lines = rule.as_deref().into_iter();
    card(
        "An alert led to no cluster",
        lines.chain(outcome.reasons().iter().map(String::as_str)),
    )
}

/// A title and lines of text.
fn card<'a>(title: &str, lines: impl Iterator<Item = &'a str>) -> Value {
    let title = json!({ "type": "TextBlock", "weight": "bolder", "size": "large", "wrap": true, "text": title });
    let lines = lines.filter(|line| !line.is_empty());
    let lines = lines.map(|line| json!({ "type": "TextBlock", "wrap": true, "text": plain(line) }));
    let body: Vec<Value> = std::iter::once(title).chain(lines).collect();
    json!({ "type": "AdaptiveCard", "version": "1.5", "body": body })
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
    let latest = given.latest.as_deref();
    let told: Option<Told> = latest.and_then(|text| serde_json::from_str(text).ok());
    if told.is_some_and(|told| told.what == message.what) {
        tracing::info!(id = %message.id, "the webhook was told already");
        return Ok(Done::default());
    }
    let Some(text) = &given.previous else {
        tracing::warn!(id = %message.id, "the result to tell of is not there any more");
        return Ok(Done::default());
    };
    let body = notify
        .message(text)
        .ok_or_else(Problem::unreadable_result)?;
    notify.post(&message, body).await.map_err(|error| {
        Problem::new(Code::InternalError, "the webhook did not take the result")
            .log(error.to_string())
    })?;
    tracing::info!(id = %message.id, "told the webhook");
    let told = Told { what: message.what };
    let told = serde_json::to_string(&told).map_err(|error| {
        Problem::new(Code::InternalError, "what was told could not be written")
            .log(error.to_string())
    })?;
    Ok(Done {
        blobs: vec![("marker", told)],
        posts: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names in it are an alert's: anybody's who may write alert rules, and its texts Azure's.
    #[test]
    fn a_card_shows_an_alerts_words_as_words() {
        let outcome = json!({
            "id": "0".repeat(56), "receivedAt": "2026-08-20T10:05:00Z", "finishedAt": "2026-08-20T10:05:00Z",
            "alert": {"kind": "metric", "condition": "fired", "alertId": null, "severity": null, "firedAt": null,
                      "rule": "[pay](https://evil.example) <script>alert(1)</script> **now**"},
            "diagnoses": [], "leftOut": 0, "reasons": ["| `x` |\n# Title", "<at>everybody</at>"],
        });
        let webhook =
            Webhook::parse("https://localhost:9/hook", egress_arm::Trust::System).unwrap();
        let text = Notify::new(webhook, NotifyFormat::AdaptiveCard).message(&outcome.to_string());
        let message: Value = serde_json::from_str(&text.unwrap()).unwrap();
        let lines = message["attachments"][0]["content"]["body"]
            .as_array()
            .unwrap();
        assert_eq!(lines.len(), 4);
        for line in &lines[1..] {
            let shown = line["text"].as_str().unwrap();
            let mut before = ' ';
            for c in shown.chars() {
                let opens = "[]()<>`*#|".contains(c) && before != '\\';
                assert!(!opens && !c.is_control(), "{shown}");
                before = c;
            }
        }
    }

    #[test]
    fn nothing_in_a_text_is_read_as_markdown() {
        assert_eq!(
            plain("a\n[x](https://e.example)"),
            "a\\[x\\]\\(https://e.example\\)"
        );
    }
}
