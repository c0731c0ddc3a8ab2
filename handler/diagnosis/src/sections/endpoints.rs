//! `egressEndpoints`: what this cluster needs, as ARM lists it (R1.9).

use crate::context::Context;
use crate::report::{EgressEndpointItem, EgressEndpoints, EndpointSource, Need, TrafficVerdict};

/// The endpoints with their need. Whether traffic to them passes is not evaluated by this version.
pub(crate) fn endpoints(ctx: &Context<'_>) -> EgressEndpoints {
    let Some(listed) = ctx.facts.egress_endpoints.as_known() else {
        return EgressEndpoints {
            source: None,
            items: Vec::new(),
        };
    };
    EgressEndpoints {
        source: Some(EndpointSource::Arm),
        items: listed
            .iter()
            .map(|endpoint| EgressEndpointItem {
                category: endpoint.category.clone(),
                domain_name: endpoint.domain_name.clone(),
                port: endpoint.port,
                protocol: endpoint.protocol.clone(),
                need: need(&endpoint.category),
                verdict: TrafficVerdict::Unknown,
                by_pool: Vec::new(),
            })
            .collect(),
    }
}

/// ARM's categories that only some nodes need are features; anything it calls optional is optional (R1.9).
fn need(category: &str) -> Need {
    let category = category.to_ascii_lowercase();
    if category.contains("optional") {
        Need::Optional
    } else if matches!(category.as_str(), "gpu" | "windows") {
        Need::Feature
    } else {
        Need::Required
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r1_9_need_follows_the_category() {
        for (category, expected) in [
            ("images", Need::Required),
            ("ubuntu-optional", Need::Optional),
            ("gpu", Need::Feature),
            ("Windows", Need::Feature),
            ("apiserver", Need::Required),
        ] {
            assert_eq!(need(category), expected, "{category}");
        }
    }
}
