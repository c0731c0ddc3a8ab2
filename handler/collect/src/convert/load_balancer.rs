//! The load balancer.

use egress_arm::model;
use egress_diagnosis::facts::{
    BackendPool, Frontend, LoadBalancer, LoadBalancingRule, OutboundRule,
};

use super::{all, id, ids};

/// A load balancer.
pub(crate) fn load_balancer(answer: &model::LoadBalancer) -> Option<LoadBalancer> {
    let p = answer.properties.as_ref()?;
    Some(LoadBalancer {
        id: id(&answer.id)?,
        sku: answer.sku.name.0.clone(),
        provisioning_state: p.provisioning_state.0.clone(),
        frontends: all(&p.frontends, frontend)?,
        outbound_rules: all(&p.outbound_rules, outbound_rule)?,
        backend_pools: all(&p.backend_address_pools, backend_pool)?,
        rules: all(&p.load_balancing_rules, load_balancing_rule)?,
    })
}

fn frontend(answer: &model::FrontendIpConfiguration) -> Option<Frontend> {
    let p = answer.properties.as_ref()?;
    Some(Frontend {
        id: id(&answer.id)?,
        public_ip: id(&p.public_ip_address.id),
        public_ip_prefix: id(&p.public_ip_prefix.id),
        private_ip: p.private_ip_address.0.clone(),
    })
}

fn outbound_rule(answer: &model::OutboundRule) -> Option<OutboundRule> {
    let p = answer.properties.as_ref()?;
    Some(OutboundRule {
        name: answer.name.clone().0?,
        allocated_outbound_ports: *p.allocated_outbound_ports,
        idle_timeout_minutes: *p.idle_timeout_in_minutes,
        tcp_reset: *p.enable_tcp_reset,
        protocol: p.protocol.0.clone(),
        frontends: ids(&p.frontends)?,
        backend_pool: id(&p.backend_address_pool.id),
    })
}

/// NIC-based pools list NIC configurations and, on newer api-versions, an address for each of them as well.
fn backend_pool(answer: &model::BackendPool) -> Option<BackendPool> {
    let p = answer.properties.as_ref()?;
    let by_nic = p.backend_ip_configurations.whole()?.len();
    let by_address = p.load_balancer_backend_addresses.whole()?.len();
    Some(BackendPool {
        id: id(&answer.id)?,
        members: by_nic.max(by_address),
    })
}

fn load_balancing_rule(answer: &model::LoadBalancingRule) -> Option<LoadBalancingRule> {
    let p = answer.properties.as_ref()?;
    Some(LoadBalancingRule {
        name: answer.name.clone().0?,
        frontend: id(&p.frontend.id),
        backend_pool: id(&p.backend_address_pool.id),
        protocol: p.protocol.0.clone(),
        frontend_port: *p.frontend_port,
        disable_outbound_snat: *p.disable_outbound_snat,
    })
}

#[cfg(test)]
mod tests {
    use egress_diagnosis::facts::Id;

    use super::*;

    #[test]
    fn a_load_balancer_with_its_outbound_rule() {
        let lb = load_balancer(
            &serde_json::from_str(
                r#"{"id":"/lb","sku":{"name":"Standard"},"properties":{
                    "frontendIPConfigurations":[{"id":"/lb/f1","properties":{"publicIPAddress":{"id":"/ip"}}}],
                    "outboundRules":[{"name":"aksOutboundRule","properties":{"allocatedOutboundPorts":0,"enableTcpReset":true,
                        "idleTimeoutInMinutes":30,"protocol":"All","frontendIPConfigurations":[{"id":"/lb/f1"}],"backendAddressPool":{"id":"/lb/b"}}}],
                    "backendAddressPools":[{"id":"/lb/b","properties":{"backendIPConfigurations":[{"id":"/1"},{"id":"/2"}],
                        "loadBalancerBackendAddresses":[{"name":"a"},{"name":"b"}]}}]}}"#,
            )
            .unwrap(),
        )
        .unwrap();
        assert_eq!(lb.frontends[0].public_ip, Some(Id::new("/ip")));
        let rule = &lb.outbound_rules[0];
        assert_eq!(rule.allocated_outbound_ports, Some(0));
        assert_eq!(rule.frontends, [Id::new("/lb/f1")]);
        assert_eq!(lb.backend_pools[0].members, 2);
        assert!(lb.rules.is_empty());
    }

    #[test]
    fn an_unreadable_outbound_rule_spoils_the_load_balancer() {
        let body = r#"{"id":"/lb","properties":{"outboundRules":["?"]}}"#;
        assert_eq!(load_balancer(&serde_json::from_str(body).unwrap()), None);
    }
}
