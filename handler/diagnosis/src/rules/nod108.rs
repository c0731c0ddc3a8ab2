//! NOD108: Azure Advisor recommends something about disks or outbound traffic.

use super::{Docs, Outcome, Rule, Step};
use crate::commands::Az;
use crate::context::Context;
use crate::facts::{Datum, Recommendation};
use crate::pressure::is_about_disk_or_outbound;
use crate::report::{Finding, Remediation, Severity};

/// Azure Advisor recommends something about disks or outbound traffic.
pub(super) const RULE: Rule = Rule {
    code: "NOD108",
    slug: "advisor-recommendation",
    severity: Severity::Info,
    step: Step::NodePressure,
    docs: Docs {
        what: "Whether Azure Advisor has an open recommendation about disks or outbound traffic for the cluster or for what is in its \
               node resource group. Looked at when pressure is asked for, or when the nodes' own metrics give a reason.",
        why: "Advisor looks at more days than a report does, and at Azure's own view of the disks.",
        evidence: "Each recommendation with the resource it is about, its category and impact.",
        fix: "Read the recommendation; its remedy is part of it.",
        how_sure: "Certain that Advisor says so. Its recommendations are up to a day old. Those about anything else are left out.",
        references: &["https://learn.microsoft.com/azure/advisor/advisor-overview"],
    },
    check,
};

fn check(ctx: &Context<'_>) -> Outcome {
    let all = match &ctx.facts.pressure.advisor {
        Datum::NotAsked { why } => return Outcome::not_applicable(why.clone()),
        other => match other.known(|| "Azure Advisor's recommendations".to_owned()) {
            Ok(all) => all,
            Err(missing) => return Outcome::missing(missing),
        },
    };
    let mut outcome = Outcome::passed();
    let about = all.iter().filter(|r| is_about_disk_or_outbound(r));
    outcome.findings.extend(about.map(|r| finding(ctx, r)));
    outcome
}

fn finding(ctx: &Context<'_>, recommendation: &Recommendation) -> Finding {
    let words = |text: &Option<String>| text.clone().unwrap_or_default();
    let resource = &recommendation.resource;
    let problem = recommendation
        .problem
        .as_ref()
        .or(recommendation.solution.as_ref());
    let mut finding = RULE
        .finding(format!(
            "Azure Advisor on {}: {}",
            resource.name(),
            problem.map_or("", |text| text.trim_end_matches('.'))
        ))
        .explain("Azure Advisor recommends this from its own, longer observation.")
        .evidence(
            format!(
                "Advisor recommendation, category {}",
                recommendation.category.as_deref().unwrap_or("unknown")
            ),
            Some(resource),
            recommendation
                .impact
                .as_ref()
                .map(|impact| format!("{impact} impact")),
        )
        .resource(resource);
    if let Some(at) = recommendation.last_updated {
        finding = finding.evidence("last updated", Some(resource), Some(at.to_string()));
    }
    let sets = ctx.facts.scale_sets.as_known().into_iter().flatten();
    let sets = sets.filter(|set| set.id == *resource);
    finding = finding.pools(sets.filter_map(|set| set.pool_name.as_deref()));
    let solution = words(&recommendation.solution);
    let summary = if solution.is_empty() {
        "Read the recommendation in Azure Advisor".to_owned()
    } else {
        solution.trim_end_matches('.').to_owned()
    };
    let mut list = Az::new("advisor recommendation list");
    if let Some(subscription) = resource.subscription() {
        list = list.opt("--subscription", subscription);
    }
    if let Some(group) = resource.resource_group() {
        list = list.opt("--resource-group", group);
    }
    finding.fix(
        Remediation::new(summary)
            .command(list.build())
            .side_effect("None: the command only reads"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Facts;
    use crate::testing::{closer_look, codes, denied, load_balancer, outcome, scale_set_id};

    fn advised(problem: &str) -> Facts {
        let mut facts = load_balancer();
        closer_look(&mut facts);
        facts.pressure.advisor = Datum::Known(vec![Recommendation {
            resource: scale_set_id("user"),
            category: Some("Performance".to_owned()),
            impact: Some("High".to_owned()),
            problem: Some(problem.to_owned()),
            solution: Some("Use ephemeral OS disks.".to_owned()),
            last_updated: None,
        }]);
        facts
    }

    #[test]
    fn r7_12_fires() {
        let found = outcome(&RULE, &advised("OS disks are throttled."));
        assert_eq!(codes(&found), ["NOD108"]);
        let found = &found.findings[0];
        assert_eq!(
            found.title,
            "Azure Advisor on aks-user-vmss: OS disks are throttled"
        );
        assert_eq!(found.severity, Severity::Info);
        assert_eq!(found.affected.node_pools, ["user"]);
    }

    #[test]
    fn r7_12_does_not_fire() {
        let mut other = advised("Use the newest Kubernetes version.");
        if let Datum::Known(all) = &mut other.pressure.advisor {
            all[0].solution = None;
        }
        assert_eq!(outcome(&RULE, &other), Outcome::passed());
        assert!(outcome(&RULE, &load_balancer()).not_applicable.is_some());
    }

    #[test]
    fn cannot_tell() {
        let mut facts = advised("x");
        facts.pressure.advisor = denied("Microsoft.Advisor/recommendations/read");
        assert_eq!(outcome(&RULE, &facts).missing.len(), 1);
    }
}
