//! What a check found, and what it could not find out.

use crate::facts::Missing;
use crate::report::{CheckStatus, Finding, Severity};

/// The outcome of one check. Findings and open questions stand side by side: what could not be read is never "no".
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// Data that the check needed and that could not be read.
    pub missing: Vec<Missing>,
    /// Questions that the data leaves open, in words for the report.
    pub undecided: Vec<String>,
    /// Why the check has no meaning for this cluster.
    pub not_applicable: Option<String>,
    /// What is wrong and told by another check's finding already.
    pub told_elsewhere: Option<String>,
}

impl Outcome {
    /// Looked and found nothing.
    pub fn passed() -> Self {
        Self::default()
    }

    /// Has no meaning for this cluster.
    pub fn not_applicable(reason: impl Into<String>) -> Self {
        Self {
            not_applicable: Some(reason.into()),
            ..Self::default()
        }
    }

    /// Could not be answered for want of a datum.
    pub fn missing(missing: Missing) -> Self {
        Self {
            missing: vec![missing],
            ..Self::default()
        }
    }

    /// Could not be answered from what was read.
    pub fn undecided(reason: impl Into<String>) -> Self {
        Self {
            undecided: vec![reason.into()],
            ..Self::default()
        }
    }

    /// One finding.
    pub fn found(finding: Finding) -> Self {
        Self {
            findings: vec![finding],
            ..Self::default()
        }
    }

    /// Adds another outcome's findings, open questions and what is told elsewhere.
    pub fn absorb(&mut self, other: Self) {
        self.told_elsewhere = self.told_elsewhere.take().or(other.told_elsewhere);
        self.findings.extend(other.findings);
        self.missing.extend(other.missing);
        self.undecided.extend(other.undecided);
    }

    /// Whether something that the check needed stayed open.
    pub fn is_open(&self) -> bool {
        !self.missing.is_empty() || !self.undecided.is_empty()
    }

    /// The status that a report shows.
    pub fn status(&self) -> CheckStatus {
        let worst = self.findings.iter().map(|f| f.severity).max();
        match worst {
            Some(severity) if severity >= Severity::High => CheckStatus::Failed,
            None if self.told_elsewhere.is_some() => CheckStatus::Failed,
            Some(severity) if severity > Severity::Info || !self.is_open() => CheckStatus::Warning,
            _ if self.is_open() => CheckStatus::Unknown,
            _ if self.not_applicable.is_some() => CheckStatus::NotApplicable,
            _ => CheckStatus::Passed,
        }
    }

    /// Why the status is what it is; nothing for a check that passed. What was found beside an open question says
    /// nothing about why the check is open.
    pub fn reason(&self) -> Option<String> {
        let open = self
            .missing
            .iter()
            .map(|m| format!("{} could not be read", m.what))
            .chain(self.undecided.iter().cloned());
        let unknown = self.status() == CheckStatus::Unknown;
        let titles = self.findings.iter().filter(|_| !unknown);
        let all = titles
            .map(|f| f.title.clone())
            .chain(self.told_elsewhere.clone())
            .chain(open)
            .chain(self.not_applicable.clone());
        let mut parts: Vec<String> = Vec::new();
        for part in all {
            if !parts.contains(&part) {
                parts.push(part);
            }
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

impl From<Result<Self, Missing>> for Outcome {
    fn from(result: Result<Self, Missing>) -> Self {
        result.unwrap_or_else(Self::missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::RULES;

    #[test]
    fn an_open_check_says_what_is_open_and_not_what_else_was_found() {
        let title = "worth knowing".to_owned();
        let mut outcome = Outcome::found(RULES[0].finding(title.clone()).severity(Severity::Info));
        assert_eq!(outcome.status(), CheckStatus::Warning);
        assert_eq!(outcome.reason(), Some(title.clone()));
        outcome.undecided.push("a tag is not known".to_owned());
        assert_eq!(outcome.status(), CheckStatus::Unknown);
        assert_eq!(outcome.reason().as_deref(), Some("a tag is not known"));
        // A fault that was found is the reason of a check that failed, whatever else is open.
        outcome.findings[0].severity = Severity::High;
        assert_eq!(outcome.status(), CheckStatus::Failed);
        assert_eq!(
            outcome.reason(),
            Some(format!("{title}; a tag is not known"))
        );
    }
}
