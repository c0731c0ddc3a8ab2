//! One way to change what translates addresses: the numbers, the commands, what they disturb and how to undo them.

use crate::report::{Alternative, Recommendation, Remediation};

/// A change with its numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    /// What to do, as a title.
    pub(crate) summary: String,
    /// Ports per node.
    pub(crate) ports: Option<u32>,
    /// Outbound addresses.
    pub(crate) ips: Option<u64>,
    /// Whether it moves to a NAT gateway.
    pub(crate) nat_gateway: bool,
    /// Why these numbers.
    pub(crate) why: String,
    /// What it costs against the other changes; empty for nothing worth saying.
    pub(crate) trade_off: String,
    pub(crate) commands: Vec<String>,
    pub(crate) side_effects: Vec<String>,
    pub(crate) undo: Vec<String>,
}

impl Change {
    pub(crate) fn remediation(&self) -> Remediation {
        let summary = if self.why.is_empty() {
            self.summary.clone()
        } else {
            format!("{}. {}", self.summary, self.why.trim_end_matches('.'))
        };
        let trade_off = Some(&self.trade_off).filter(|text| !text.is_empty());
        Remediation {
            summary,
            commands: self.commands.clone(),
            side_effects: trade_off
                .into_iter()
                .chain(&self.side_effects)
                .cloned()
                .collect(),
            undo: self.undo.clone(),
        }
    }

    fn alternative(self) -> Alternative {
        Alternative {
            summary: self.summary,
            ports_per_node: self.ports,
            public_ips: self.ips.and_then(|n| u32::try_from(n).ok()),
            nat_gateway: self.nat_gateway,
            trade_off: self.trade_off,
            commands: self.commands,
            side_effects: self.side_effects,
            undo: self.undo,
        }
    }
}

/// The first change as the recommendation, the others beside it.
pub(crate) fn recommendation(changes: Vec<Change>) -> Option<Recommendation> {
    let mut changes = changes.into_iter();
    let first = changes.next()?;
    Some(Recommendation {
        summary: first.summary,
        ports_per_node: first.ports,
        public_ips: first.ips.and_then(|n| u32::try_from(n).ok()),
        nat_gateway: first.nat_gateway,
        why: first.why,
        commands: first.commands,
        side_effects: first.side_effects,
        undo: first.undo,
        alternatives: changes.map(Change::alternative).collect(),
    })
}
