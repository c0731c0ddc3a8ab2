//! Network security groups over classes of traffic (R4.1–R4.19).

mod admin;
mod evaluate;
mod flow;
mod rule;
mod shadow;

pub(crate) use admin::network_manager;
pub use evaluate::{LevelRules, Part, PathPart, evaluate_levels};
pub use flow::FlowClass;
pub use rule::{Level, MatchedTerms, Origin, RuleName, SecurityRules, matched_terms};
pub use shadow::{Shadowed, Shadows};
