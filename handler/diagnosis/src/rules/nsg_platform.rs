//! Denials of the platform's own addresses, which only their tags reach (R4.10).

use std::net::{IpAddr, Ipv4Addr};

use super::nsg_fix::{Admit, denied, fixes, place, rule_label};
use super::nsg_hits::{Hit, Hits, note};
use super::{Outcome, Rule};
use crate::context::{Context, pools_label};
use crate::facts::{Direction, OutboundType};
use crate::network::nsg::{FlowClass, RuleName};
use crate::network::{AddressSet, PortSet, ProtocolSet};
use crate::report::{Finding, Severity};
use crate::security::{self, Guard};

/// A platform address and what its loss means.
pub(super) struct Platform {
    pub(super) rule: &'static Rule,
    pub(super) tag: &'static str,
    pub(super) address: Ipv4Addr,
    pub(super) port: u16,
    /// Name of the rule that the fix makes.
    pub(super) allow: &'static str,
    /// The consequence, in the title.
    pub(super) effect: &'static str,
    pub(super) why: &'static str,
    /// How bad it is on this way.
    pub(super) severity: fn(&Guard<'_, '_>) -> Severity,
}

/// One finding per denying rule.
pub(super) fn check(ctx: &Context<'_>, platform: &Platform) -> Outcome {
    let mut outcome = Outcome::passed();
    outcome.missing = security::missing(ctx);
    let mut hits = Hits::default();
    for guard in Guard::all(ctx) {
        let class = FlowClass::new(
            guard.sources(),
            AddressSet::from(IpAddr::V4(platform.address)),
            ProtocolSet::WITH_PORTS,
            PortSet::one(platform.port),
        );
        let result = guard.addressed(Direction::Outbound, &class);
        for (rule, _) in result.by_custom_rule() {
            if !expected(ctx, &rule) {
                hits.add(
                    &guard,
                    rule,
                    (platform.severity)(&guard),
                    true,
                    platform.tag,
                );
            }
        }
        note(&mut outcome.undecided, result.open);
    }
    let finding = |hit: &Hit| finding(ctx, platform, hit);
    outcome.findings = hits.0.iter().map(finding).collect();
    outcome
}

/// With outbound type `block`, AKS writes denies into its own group (R4.34).
fn expected(ctx: &Context<'_>, rule: &RuleName) -> bool {
    let own = rule
        .nsg
        .as_ref()
        .and_then(|id| security::nsg(ctx, id))
        .is_some_and(|nsg| nsg.aks_managed);
    own && ctx.outbound_type() == Some(&OutboundType::Block)
}

fn finding(ctx: &Context<'_>, platform: &Platform, hit: &Hit) -> Finding {
    let title = format!(
        "{} of {} denies {} for {}: {}",
        super::out106::capital(&rule_label(&hit.rule)),
        place(&hit.rule),
        platform.tag,
        pools_label(&hit.pools()),
        platform.effect,
    );
    let found = denied(ctx, platform.rule, title, hit)
        .severity(hit.severity)
        .explain(platform.why);
    let admit = Admit {
        name: platform.allow,
        direction: Direction::Outbound,
        protocol: "*",
        sources: &[],
        destinations: &[platform.tag.to_owned()],
        ports: &["*".to_owned()],
    };
    fixes(ctx, &hit.rule, &[admit])
        .into_iter()
        .fold(found, Finding::fix)
}
