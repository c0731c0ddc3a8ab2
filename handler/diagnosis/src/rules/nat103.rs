//! NAT103: a NAT gateway whose last operation did not succeed.

use super::nat_gateways::{Gateway, on_pool_subnets};
use super::{Docs, Outcome, Rule, Step};
use crate::commands::Az;
use crate::context::Context;
use crate::facts::NatGateway;
use crate::report::{Confidence, Method, Remediation, Severity};

/// A NAT gateway whose last operation did not succeed.
pub(super) const RULE: Rule = Rule {
    code: "NAT103",
    slug: "gateway-not-succeeded",
    severity: Severity::Critical,
    step: Step::OutboundMethod,
    docs: Docs {
        what: "Whether `provisioningState` of each NAT gateway on a pool subnet has settled on anything but `Succeeded`.",
        why: "Azure's guidance is that a NAT gateway in a failed state does not carry traffic. Its subnets have no other \
              way to the internet while it is associated.",
        evidence: "The gateway and its provisioning state.",
        fix: "Update the gateway without changing anything; that repeats the failed operation.",
        how_sure: "Certain about the state, likely about the effect: some failed operations leave the data path intact. A \
                   state that is still changing leaves the check open.",
        references: &["https://learn.microsoft.com/azure/nat-gateway/troubleshoot-nat"],
    },
    check,
};

/// States that Azure leaves by itself.
const CHANGING: [&str; 5] = ["accepted", "creating", "deleting", "updating", "upgrading"];

fn check(ctx: &Context<'_>) -> Outcome {
    let gateways = on_pool_subnets(ctx);
    let mut outcome = Outcome::passed();
    outcome.missing.extend(ctx.subnets.missing());
    if gateways.is_empty() && !outcome.is_open() {
        return Outcome::not_applicable("no pool subnet has a NAT gateway");
    }
    for gateway in &gateways {
        match &gateway.body {
            Err(missing) => outcome.missing.push(missing.clone()),
            Ok(body) => outcome.absorb(judge(gateway, body)),
        }
    }
    outcome
}

fn judge(gateway: &Gateway<'_, '_>, body: &NatGateway) -> Outcome {
    let name = gateway.id.name();
    let Some(state) = &body.provisioning_state else {
        return Outcome::undecided(format!("NAT gateway {name} has no provisioning state"));
    };
    if state.eq_ignore_ascii_case("Succeeded") {
        return Outcome::passed();
    }
    if CHANGING.iter().any(|word| state.eq_ignore_ascii_case(word)) {
        return Outcome::undecided(format!("NAT gateway {name} is {}", state.to_lowercase()));
    }
    if !gateway
        .uses
        .iter()
        .any(|(_, carrier)| carrier.method == Method::NatGateway)
    {
        return Outcome::undecided(format!(
            "NAT gateway {name} is {state}, and it is not known whether the subnet's packets reach it"
        ));
    }
    let repeat = Az::new("network nat gateway update").opt("--ids", body.id.as_str());
    Outcome::found(
        RULE.finding(format!(
            "NAT gateway {name}, which should carry the egress of {}, is in state {state}",
            crate::context::pools_label(&gateway.pools())
        ))
            .confidence(Confidence::Likely)
            .explain("A NAT gateway that did not settle on Succeeded may carry nothing, and its subnets have no other way out.")
            .evidence("provisioningState", Some(&body.id), Some(state.clone()))
            .pools(gateway.pools())
            .resource(&body.id)
            .fix(
                Remediation::new("Repeat the failed operation")
                    .command(repeat.build())
                    .side_effect("The gateway's settings stay as they are; the activity log names the error that keeps it in this state"),
            ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{codes, denied, nat_gateway, nat_id, nat_mut, outcome};

    #[test]
    fn r2_28_fires() {
        for state in ["Failed", "failed", "Canceled"] {
            let mut facts = nat_gateway();
            nat_mut(&mut facts, "ng1").provisioning_state = Some(state.into());
            let found = outcome(&RULE, &facts);
            assert_eq!(codes(&found), ["NAT103"], "{state}");
            assert!(found.findings[0].blocks_egress);
        }
    }

    #[test]
    fn does_not_fire() {
        let mut facts = nat_gateway();
        nat_mut(&mut facts, "ng1").provisioning_state = Some("succeeded".into());
        assert_eq!(outcome(&RULE, &facts), Outcome::passed());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = nat_gateway();
        nat_mut(&mut facts, "ng1").provisioning_state = Some("Updating".into());
        assert!(outcome(&RULE, &facts).is_open());
        facts
            .nat_gateways
            .insert(nat_id("ng1"), denied("Microsoft.Network/natGateways/read"));
        assert_eq!(outcome(&RULE, &facts).missing.len(), 1);
    }
}
