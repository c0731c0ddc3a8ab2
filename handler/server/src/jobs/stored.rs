//! What is stored of a diagnosis that was made later: the answer in every format, or why there is none.

use egress_diagnosis::report::Status;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::http::{Format, Parameters};
use crate::problem::{KeptProblem, Problem};

use super::messages::{Job, Origin};

/// One stored result. Exactly one of `report` and `failure` is there.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Stored {
    id: String,
    origin: Option<Origin>,
    asked_at: Option<Timestamp>,
    finished_at: Timestamp,
    /// The fields of the request.
    #[serde(default)]
    request: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    report: Option<Written>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<KeptProblem>,
}

/// A report in every format: written while its facts are still there, so that no reader needs to understand it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Written {
    json: Box<RawValue>,
    text: String,
    markdown: String,
    adaptive_card: Box<RawValue>,
}

impl Written {
    /// Writes each format.
    pub(crate) fn by(write: impl Fn(Format) -> String) -> serde_json::Result<Self> {
        Ok(Self {
            json: RawValue::from_string(write(Format::Json))?,
            text: write(Format::Text),
            markdown: write(Format::Markdown),
            adaptive_card: RawValue::from_string(write(Format::AdaptiveCard))?,
        })
    }

    /// The verdict's status, and when the diagnosis was made; `None` in a report of another version.
    pub(crate) fn verdict(&self) -> Option<(Status, Timestamp)> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Report {
            generated_at: Timestamp,
            verdict: Verdict,
        }
        #[derive(Deserialize)]
        struct Verdict {
            status: Status,
        }
        let report: Report = serde_json::from_str(self.json.get()).ok()?;
        Some((report.verdict.status, report.generated_at))
    }

    pub(crate) fn get(&self, format: Format) -> &str {
        match format {
            Format::Json => self.json.get(),
            Format::Text => &self.text,
            Format::Markdown => &self.markdown,
            Format::AdaptiveCard => self.adaptive_card.get(),
        }
    }
}

impl Stored {
    /// The result of a diagnosis.
    pub(crate) fn of(job: &Job, now: Timestamp, outcome: Result<Written, &Problem>) -> Self {
        let (report, failure) = match outcome {
            Ok(written) => (Some(written), None),
            Err(problem) => (None, Some(problem.keep())),
        };
        Self {
            id: job.id.as_str().to_owned(),
            origin: Some(job.origin),
            asked_at: Some(job.asked_at),
            finished_at: now,
            request: job.request.clone(),
            report,
            failure,
        }
    }

    /// What is stored of a message that could not be worked on, under the name it has in the queue.
    pub(crate) fn given_up(id: &str, job: Option<&Job>, now: Timestamp, problem: &Problem) -> Self {
        Self {
            id: id.to_owned(),
            origin: job.map(|job| job.origin),
            asked_at: job.map(|job| job.asked_at),
            finished_at: now,
            request: job.map(|job| job.request.clone()).unwrap_or_default(),
            report: None,
            failure: Some(problem.keep()),
        }
    }

    /// What was stored; `None` for anything else.
    pub(crate) fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// As it is stored: a JSON object.
    pub(crate) fn write(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    /// The report, or why there is none.
    pub(crate) fn outcome(&self) -> Result<&Written, Problem> {
        match (&self.report, &self.failure) {
            (Some(written), _) => Ok(written),
            (None, Some(failure)) => Err(Problem::kept(failure)),
            (None, None) => Err(Problem::unreadable_result()),
        }
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Who asked; `None` where that could not be read.
    pub(crate) fn origin(&self) -> Option<Origin> {
        self.origin
    }

    pub(crate) fn finished_at(&self) -> Timestamp {
        self.finished_at
    }

    /// ARM id of the cluster that was asked about; nothing where that could not be read.
    pub(crate) fn cluster_id(&self) -> &str {
        let id = self.request.get("clusterId").and_then(Value::as_str);
        id.unwrap_or_default()
    }

    /// The report, when it answers this request too: the same question, at most this many seconds ago.
    pub(crate) fn answers(
        &self,
        asked: &Parameters,
        now: Timestamp,
        seconds: u64,
    ) -> Option<&Written> {
        // Of a clock that is ahead nothing is known.
        let age = now.duration_since(self.finished_at).as_secs();
        let is_young = u64::try_from(age).is_ok_and(|age| age < seconds);
        let same = || Parameters::of_map(&self.request).is_ok_and(|own| own.asks_the_same(asked));
        self.report.as_ref().filter(|_| is_young && same())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, CLUSTER};

    #[test]
    fn a_stored_report_still_says_its_status() {
        let report = testing::report(CLUSTER);
        let written = |json: &str| {
            let of = |format| match format {
                Format::Json => json.to_owned(),
                _ => "{}".to_owned(),
            };
            Written::by(of).unwrap()
        };
        let json = crate::http::write(Format::Json, &report, None);
        assert_eq!(
            written(&json).verdict(),
            Some((Status::Blocked, report.generated_at))
        );
        assert_eq!(written("{}").verdict(), None);
    }
}
