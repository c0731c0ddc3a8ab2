//! Building a finding step by step, so that checks read like what they say.

use jiff::Timestamp;

use super::{Rule, blocks_egress};
use crate::facts::Id;
use crate::order::Order as _;
use crate::report::{Affected, Confidence, Evidence, Finding, Remediation, Severity};

impl Rule {
    /// A finding of this rule with its worst severity, certain, without evidence yet.
    pub(crate) fn finding(&self, title: impl Into<String>) -> Finding {
        Finding {
            code: self.code.to_owned(),
            slug: self.slug.to_owned(),
            severity: self.severity,
            confidence: Confidence::Certain,
            title: title.into(),
            explanation: String::new(),
            seen_at: None,
            evidence: Vec::new(),
            affected: Affected::default(),
            remediation: Vec::new(),
            docs: self
                .docs
                .references
                .iter()
                .map(|url| (*url).to_owned())
                .collect(),
            blocks_egress: blocks_egress(self.code, self.severity),
        }
    }
}

impl Finding {
    pub(crate) fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self.blocks_egress = blocks_egress(&self.code, severity);
        self
    }

    pub(crate) fn confidence(mut self, confidence: Confidence) -> Self {
        self.confidence = confidence;
        self
    }

    pub(crate) fn explain(mut self, explanation: impl Into<String>) -> Self {
        self.explanation = explanation.into();
        self
    }

    pub(crate) fn seen(mut self, at: Timestamp) -> Self {
        self.seen_at = Some(at);
        self
    }

    pub(crate) fn evidence(
        mut self,
        text: impl Into<String>,
        resource: Option<&Id>,
        value: Option<String>,
    ) -> Self {
        self.evidence.push(Evidence {
            text: text.into(),
            resource_id: resource.cloned(),
            value,
        });
        self
    }

    pub(crate) fn pools<'p>(mut self, pools: impl IntoIterator<Item = &'p str>) -> Self {
        self.affected
            .node_pools
            .extend(pools.into_iter().map(str::to_owned));
        self.affected.node_pools.order();
        self.affected.node_pools.dedup();
        self
    }

    pub(crate) fn resource(mut self, id: &Id) -> Self {
        if !self.affected.resource_ids.contains(id) {
            self.affected.resource_ids.push(id.clone());
        }
        self
    }

    pub(crate) fn fix(mut self, remediation: Remediation) -> Self {
        self.remediation.push(remediation);
        self
    }
}

impl Remediation {
    pub(crate) fn new(summary: impl Into<String>) -> Self {
        Self {
            summary: summary.into(),
            commands: Vec::new(),
            side_effects: Vec::new(),
            undo: Vec::new(),
        }
    }

    pub(crate) fn command(mut self, command: String) -> Self {
        self.commands.push(command);
        self
    }

    pub(crate) fn side_effect(mut self, text: impl Into<String>) -> Self {
        self.side_effects.push(text.into());
        self
    }

    pub(crate) fn undo(mut self, command: impl Into<String>) -> Self {
        self.undo.push(command.into());
        self
    }
}
