//! Virtual hubs, the networks connected to them, and where they send traffic.

use egress_arm::model;
use egress_diagnosis::facts::Id;

use super::{all, id, texts};

/// A virtual hub, as far as it says whose default route it gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hub {
    pub(crate) id: Id,
    /// `addressPrefix`.
    pub(crate) prefix: Option<String>,
    /// `azureFirewall.id`.
    pub(crate) firewall: Option<Id>,
}

/// A virtual network's connection to a hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Connection {
    /// `remoteVirtualNetwork.id`.
    pub(crate) network: Id,
    /// `enableInternetSecurity`.
    pub(crate) internet_security: Option<bool>,
}

/// A virtual hub.
pub(crate) fn virtual_hub(answer: &model::VirtualHub) -> Option<Hub> {
    let p = answer.properties.as_ref()?;
    Some(Hub {
        id: id(&answer.id)?,
        prefix: p.address_prefix.0.clone(),
        firewall: id(&p.azure_firewall.id),
    })
}

/// A connection; of no use without the network that it connects.
pub(crate) fn hub_connection(answer: &model::HubConnection) -> Option<Connection> {
    let p = answer.properties.as_ref()?;
    Some(Connection {
        network: id(&p.remote_virtual_network.id)?,
        internet_security: *p.enable_internet_security,
    })
}

/// The next hops of a routing intent's policies for `Internet`.
pub(crate) fn internet_next_hops(answer: &model::RoutingIntent) -> Option<Vec<Id>> {
    let p = answer.properties.as_ref()?;
    let policies = all(&p.routing_policies, |policy| {
        let destinations = texts(&policy.destinations)?;
        let internet = destinations
            .iter()
            .any(|to| to.eq_ignore_ascii_case("Internet"));
        Some((internet, id(&policy.next_hop)))
    })?;
    let internet = policies.into_iter().filter(|(internet, _)| *internet);
    internet.map(|(_, next_hop)| next_hop).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intent(policies: &str) -> Option<Vec<Id>> {
        let body = format!(r#"{{"properties":{{"routingPolicies":{policies}}}}}"#);
        internet_next_hops(&serde_json::from_str(&body).unwrap())
    }

    #[test]
    fn r3_14_a_routing_intent_names_the_next_hop_of_internet_traffic() {
        let both = r#"[{"name":"private","destinations":["PrivateTraffic"],"nextHop":"/nva"},
            {"name":"public","destinations":["internet"],"nextHop":"/fw"}]"#;
        assert_eq!(intent(both), Some(vec![Id::new("/fw")]));
        assert_eq!(intent("[]"), Some(Vec::new()));
        assert_eq!(intent("null"), Some(Vec::new()));
        for spoilt in [
            r#"[{"destinations":["Internet"]}]"#,
            r#"[{"destinations":[null],"nextHop":"/fw"}]"#,
            "[null]",
            r#""?""#,
        ] {
            assert_eq!(intent(spoilt), None, "{spoilt}");
        }
    }

    #[test]
    fn a_connection_says_whether_it_takes_the_default_route() {
        let connection = |properties: &str| {
            let body = format!(r#"{{"properties":{properties}}}"#);
            hub_connection(&serde_json::from_str(&body).unwrap())
        };
        let read =
            connection(r#"{"remoteVirtualNetwork":{"id":"/v"},"enableInternetSecurity":"True"}"#);
        assert_eq!(read.unwrap().internet_security, Some(true));
        let silent = connection(r#"{"remoteVirtualNetwork":{"id":"/v"}}"#);
        assert_eq!(silent.unwrap().internet_security, None);
        assert_eq!(connection(r#"{"enableInternetSecurity":true}"#), None);
    }
}
