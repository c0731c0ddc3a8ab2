//! Long-running operations: 202 with `Azure-AsyncOperation` (a status to poll) and/or `Location` (202 until the result).

use std::time::Duration;

use azure_core::http::Url;
use azure_core::http::headers::{HeaderName, Headers};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::error::{ArmError, Failure};
use crate::id::ResourceId;
use crate::operations::Operation;
use crate::policy;
use crate::session::{Answer, Session};

const LOCATION: HeaderName = HeaderName::from_static("location");
const ASYNC_OPERATION: HeaderName = HeaderName::from_static("azure-asyncoperation");
const POLL_INTERVAL: Duration = Duration::from_secs(2);
/// An answer that says `Retry-After: 0` is not taken at its word.
const MIN_POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Where an operation stands, as its status resource says.
enum Status {
    Running,
    Succeeded(Value),
    Failed,
}

/// Waits for the result of what `answer` started.
pub(crate) async fn finish<T: DeserializeOwned>(
    session: &Session,
    operation: &Operation,
    id: &ResourceId,
    mut answer: Answer,
) -> Result<T, ArmError> {
    if answer.status != 202 {
        return answer.read(operation);
    }
    let mut result_at = link(session, operation, &answer.headers, &LOCATION)?;
    if let Some(status_at) = link(session, operation, &answer.headers, &ASYNC_OPERATION)? {
        let (last, body) = wait_for_status(session, operation, id, answer, status_at).await?;
        let Some(location) = result_at else {
            return output(operation, body);
        };
        // The result is ready; the first poll of its location needs no wait.
        answer = session.follow(operation, id, location).await?;
        result_at = link(session, operation, &answer.headers, &LOCATION)?.or(link(
            session,
            operation,
            &last.headers,
            &LOCATION,
        )?);
        if answer.status != 202 {
            return answer.read(operation);
        }
    }
    loop {
        let location = result_at
            .clone()
            .ok_or_else(|| ArmError::malformed(operation, "202 without a place to poll"))?;
        pause(session, operation, &answer.headers).await?;
        answer = session.follow(operation, id, location).await?;
        if answer.status != 202 {
            return answer.read(operation);
        }
        // A poll may name a new place; its body, often the literal null, says nothing.
        result_at = link(session, operation, &answer.headers, &LOCATION)?.or(result_at);
    }
}

/// Polls the status resource until it is final.
async fn wait_for_status(
    session: &Session,
    operation: &Operation,
    id: &ResourceId,
    started: Answer,
    mut status_at: Url,
) -> Result<(Answer, Value), ArmError> {
    let mut answer = started;
    loop {
        pause(session, operation, &answer.headers).await?;
        answer = session.follow(operation, id, status_at.clone()).await?;
        match status(operation, &answer)? {
            Status::Running => {}
            Status::Succeeded(body) => return Ok((answer, body)),
            Status::Failed => {
                return Err(ArmError::of_failed_operation(
                    operation,
                    &answer.headers,
                    &answer.body,
                ));
            }
        }
        status_at =
            link(session, operation, &answer.headers, &ASYNC_OPERATION)?.unwrap_or(status_at);
    }
}

fn status(operation: &Operation, answer: &Answer) -> Result<Status, ArmError> {
    let body: Value = answer.read(operation)?;
    let Some(text) = body.get("status").and_then(Value::as_str) else {
        return if answer.status == 202 {
            Ok(Status::Running)
        } else {
            Err(ArmError::malformed(
                operation,
                "an operation's status without a status",
            ))
        };
    };
    Ok(match text.to_ascii_lowercase().as_str() {
        "succeeded" => Status::Succeeded(body),
        "failed" | "canceled" | "cancelled" => Status::Failed,
        _ => Status::Running,
    })
}

/// The result inside a status body: `properties.output`.
fn output<T: DeserializeOwned>(operation: &Operation, mut body: Value) -> Result<T, ArmError> {
    let output = body
        .pointer_mut("/properties/output")
        .map(Value::take)
        .ok_or_else(|| {
            ArmError::malformed(operation, "the operation succeeded without a result")
        })?;
    serde_json::from_value(output)
        .map_err(|_| ArmError::malformed(operation, "the result is not as documented"))
}

/// A link out of a header, checked: it gets the token, so it must be Resource Manager's own or a region's of it.
fn link(
    session: &Session,
    operation: &Operation,
    headers: &Headers,
    name: &HeaderName,
) -> Result<Option<Url>, ArmError> {
    let Some(text) = headers.get_optional_str(name) else {
        return Ok(None);
    };
    let url = Url::parse(text).map_err(|_| {
        ArmError::malformed(
            operation,
            format_args!("{} is not an absolute URL", name.as_str()),
        )
    })?;
    if session.client().endpoints().is_arm_or_regional(&url) {
        Ok(Some(url))
    } else {
        Err(ArmError::malformed(
            operation,
            format_args!(
                "{} points to another host and was not followed",
                name.as_str()
            ),
        ))
    }
}

async fn pause(
    session: &Session,
    operation: &Operation,
    headers: &Headers,
) -> Result<(), ArmError> {
    let wait = policy::retry_after(headers)
        .unwrap_or(POLL_INTERVAL)
        .max(MIN_POLL_INTERVAL);
    let in_time = Instant::now()
        .checked_add(wait)
        .is_some_and(|at| at < session.deadline());
    if !in_time {
        return Err(ArmError::new(
            Failure::TimedOut,
            format!("{}: not finished before the deadline", operation.name),
        ));
    }
    sleep(wait).await;
    Ok(())
}
