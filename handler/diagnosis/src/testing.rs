//! Small healthy clusters as facts, and the knobs that break them. For tests only.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::context::Context;
use crate::facts::*;
use crate::pressure::{CONDITION, CPU, DISK_METRICS, DISK_SPACE, MEMORY, OS_DISK_QUEUE};
use crate::rules::{Outcome, Rule};
use crate::snat::firewall::{HEALTH, UTILIZATION};
use crate::snat::gateway::{NAT_DATAPATH, NAT_DROPS, NAT_TOTAL};
use crate::snat::usage::{LB_ALLOCATED, LB_CONNECTIONS, LB_USED, NAT_CONNECTIONS};

/// Address of the first node.
pub const NODE_1: &str = "10.0.0.4";
const SUBSCRIPTION: &str = "00000000-0000-0000-0000-000000000001";
const START: Timestamp = Timestamp::constant(1_780_000_200, 0);
const NODE_GROUP: &str = "MC_rg_shop_westeurope";

fn id(group: &str, tail: &str) -> Id {
    Id::new(format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}/providers/{tail}"
    ))
}

/// Azure's list of service tags with these.
pub fn service_tags(tags: &[(&str, &str)]) -> Datum<ServiceTagList> {
    let tags = tags
        .iter()
        .map(|(name, prefix)| ((*name).to_owned(), vec![(*prefix).to_owned()]))
        .collect();
    Datum::Known(ServiceTagList {
        cloud: Some("Public".to_owned()),
        change_number: Some("91".to_owned()),
        tags,
    })
}

/// Id of the test network.
pub fn vnet_id() -> Id {
    id("rg-net", "Microsoft.Network/virtualNetworks/vnet")
}

/// Id of a subnet of the test network.
pub fn subnet_id(name: &str) -> Id {
    Id::new(format!("{}/subnets/{name}", vnet_id()))
}

/// Id of a public IP address.
pub fn public_ip_id(name: &str) -> Id {
    id(
        NODE_GROUP,
        &format!("Microsoft.Network/publicIPAddresses/{name}"),
    )
}

/// Id of a NAT gateway.
pub fn nat_id(name: &str) -> Id {
    id("rg-net", &format!("Microsoft.Network/natGateways/{name}"))
}

/// Id of the AKS load balancer.
pub fn lb_id() -> Id {
    id(NODE_GROUP, "Microsoft.Network/loadBalancers/kubernetes")
}

/// A 403 for this action.
pub fn denied<T>(action: &str) -> Datum<T> {
    Datum::Denied {
        action: Some(action.to_owned()),
        scope: Some(format!("/subscriptions/{SUBSCRIPTION}")),
    }
}

/// An agent pool of `count` nodes.
pub fn pool(name: &str, count: u32) -> AgentPool {
    AgentPool {
        name: name.to_owned(),
        mode: Some(if name == "system" {
            PoolMode::System
        } else {
            PoolMode::User
        }),
        count: Some(count),
        auto_scaling: Some(false),
        min_count: None,
        max_count: None,
        max_surge: None,
        vm_size: Some("Standard_D4s_v5".to_owned()),
        os_type: Some("Linux".to_owned()),
        pool_type: Some("VirtualMachineScaleSets".to_owned()),
        vnet_subnet_id: None,
        pod_subnet_id: None,
        node_public_ip: Some(false),
        zones: Vec::new(),
        os_disk_type: Some("Managed".to_owned()),
        os_disk_size_gb: Some(128),
        provisioning_state: Some("Succeeded".to_owned()),
        provisioning_error: None,
        power_state: Some(PowerState::Running),
    }
}

fn cluster(outbound: OutboundType) -> Cluster {
    Cluster {
        id: id("rg", "Microsoft.ContainerService/managedClusters/shop"),
        name: "shop".to_owned(),
        resource_group: "rg".to_owned(),
        subscription_id: SUBSCRIPTION.to_owned(),
        location: Some("westeurope".to_owned()),
        kubernetes_version: Some("1.34.2".to_owned()),
        node_resource_group: Some(NODE_GROUP.to_owned()),
        provisioning_state: Some("Succeeded".to_owned()),
        provisioning_error: None,
        power_state: Some(PowerState::Running),
        network: Some(NetworkProfile {
            outbound_type: Some(outbound),
            plugin: Some(NetworkPlugin::Azure),
            plugin_mode: Some("overlay".to_owned()),
            dataplane: Some("azure".to_owned()),
            policy: None,
            pod_cidrs: vec!["10.244.0.0/16".to_owned()],
            service_cidrs: vec!["10.200.0.0/16".to_owned()],
            ip_families: vec!["IPv4".to_owned()],
            load_balancer_sku: Some("standard".to_owned()),
            load_balancer_profile: None,
            nat_gateway_profile: None,
        }),
        api_server: ApiServerAccess::default(),
        artifact_source: Some("Direct".to_owned()),
        http_proxy: false,
        enabled_addons: Vec::new(),
    }
}

fn subnet(name: &str, prefix: &str) -> Subnet {
    Subnet {
        id: subnet_id(name),
        address_prefixes: vec![prefix.to_owned()],
        nsg_id: None,
        route_table_id: None,
        nat_gateway_id: None,
        service_endpoints: Vec::new(),
        default_outbound_access: Some(false),
        delegations: Vec::new(),
    }
}

fn base(outbound: OutboundType, pools: &[(&str, &str)]) -> Facts {
    let mut facts = Facts {
        asked_at: START,
        window: Window {
            start: START,
            end: START,
        },
        cluster: cluster(outbound),
        agent_pools: Datum::Known(
            pools
                .iter()
                .map(|(name, subnet)| AgentPool {
                    vnet_subnet_id: Some(subnet_id(subnet)),
                    ..pool(name, if *name == "system" { 2 } else { 3 })
                })
                .collect(),
        ),
        egress_endpoints: Datum::Known(vec![
            endpoint("images", "mcr.microsoft.com"),
            endpoint("ubuntu-optional", "azure.archive.ubuntu.com"),
        ]),
        pool_subnets: BTreeMap::new(),
        virtual_networks: BTreeMap::new(),
        subnets: BTreeMap::new(),
        route_tables: BTreeMap::new(),
        nsgs: BTreeMap::new(),
        admin_rules: BTreeMap::new(),
        nat_gateways: BTreeMap::new(),
        public_ips: BTreeMap::new(),
        public_ip_prefixes: BTreeMap::new(),
        load_balancer: Datum::Absent,
        scale_sets: Datum::Known(
            pools
                .iter()
                .map(|(name, used)| scale_set(name, used))
                .collect(),
        ),
        scale_set_nics: BTreeMap::new(),
        scale_set_public_ips: BTreeMap::new(),
        machine_nics: Datum::not_asked("no pool is of type VirtualMachines"),
        hub_routing: BTreeMap::new(),
        metrics: BTreeMap::new(),
        firewalls: BTreeMap::new(),
        firewall_policies: BTreeMap::new(),
        rule_collection_groups: BTreeMap::new(),
        ip_groups: BTreeMap::new(),
        hops: BTreeMap::new(),
        service_tags: Datum::not_asked("no rule names a service tag"),
        activity_logs: BTreeMap::new(),
        features: Features::default(),
        pressure: Pressure::not_taken(),
    };
    facts.window.start = START
        .saturating_sub(SignedDuration::from_hours(6))
        .unwrap_or(START);
    for (name, used) in pools {
        facts.pool_subnets.insert(
            (*name).to_owned(),
            PoolSubnets {
                node: Datum::Known(subnet_id(used)),
                pod: None,
            },
        );
        let index = facts.subnets.len();
        facts
            .subnets
            .entry(subnet_id(used))
            .or_insert_with(|| Datum::Known(subnet(used, &format!("10.0.{index}.0/24"))));
    }
    let network = VirtualNetwork {
        id: vnet_id(),
        location: Some("westeurope".to_owned()),
        address_prefixes: vec!["10.0.0.0/16".to_owned()],
        dns_servers: Vec::new(),
        peerings: Vec::new(),
        subnet_ids: facts.subnets.keys().cloned().collect(),
    };
    facts
        .virtual_networks
        .insert(vnet_id(), Datum::Known(network));
    let first = format!("aks-{}-vmss000000", pools.first().map_or("", |pool| pool.0));
    for name in [CPU, MEMORY, DISK_SPACE] {
        node_percent(&mut facts, name, &[(&first, "system", 20.0)]);
    }
    let cluster = facts.cluster.id.clone();
    let not_asked = Datum::not_asked(NO_CLOSER_LOOK);
    set_metric(&mut facts, &cluster, CONDITION, not_asked);
    facts
}

/// Id of a pool's scale set.
pub fn scale_set_id(pool: &str) -> Id {
    id(
        NODE_GROUP,
        &format!("Microsoft.Compute/virtualMachineScaleSets/aks-{pool}-vmss"),
    )
}

/// A percentage of the cluster's nodes (name, pool, value), the same for ten minutes.
pub fn node_percent(facts: &mut Facts, name: &str, nodes: &[(&str, &str, f64)]) {
    let split = nodes
        .iter()
        .map(|(node, pool, value)| series(&[("node", node), ("nodepool", pool)], &[*value; 10]))
        .collect();
    let mut metric = metric(MetricAggregation::Average, split);
    known(&mut metric).unit = String::from("Percent");
    let id = facts.cluster.id.clone();
    set_metric(facts, &id, name, metric);
}

/// A disk metric of the first node of a pool, the same for ten minutes.
pub fn disk_percent(facts: &mut Facts, pool: &str, name: &str, value: f64) {
    disk_metric(facts, pool, name, "Percent", value);
}

/// Requests that wait at the OS disk of the first node of a pool, the same for ten minutes.
pub fn disk_queue(facts: &mut Facts, pool: &str, depth: f64) {
    disk_metric(facts, pool, OS_DISK_QUEUE, "Count", depth);
}

fn disk_metric(facts: &mut Facts, pool: &str, name: &str, unit: &str, value: f64) {
    let vm = format!("aks-{pool}-vmss_0");
    let split = vec![series(&[("vmname", &vm)], &[value; 10])];
    let mut metric = metric(MetricAggregation::Average, split);
    known(&mut metric).unit = String::from(unit);
    set_metric(facts, &scale_set_id(pool), name, metric);
}

/// Takes the closer look at the nodes: everything is quiet.
pub fn closer_look(facts: &mut Facts) {
    facts.pressure = Pressure {
        look: CloserLook::Asked,
        machines: Datum::Known(Vec::new()),
        vm_sizes: Datum::Known(BTreeMap::new()),
        advisor: Datum::Known(Vec::new()),
        health: BTreeMap::new(),
    };
    let ready = [
        ("node", "aks-user-vmss000000"),
        ("condition", "Ready"),
        ("status", "true"),
    ];
    let cluster = facts.cluster.id.clone();
    let ready = metric(MetricAggregation::Average, vec![series(&ready, &[1.0; 10])]);
    set_metric(facts, &cluster, CONDITION, ready);
    let pools: Vec<String> = known(&mut facts.scale_sets)
        .iter()
        .filter_map(|set| set.pool_name.clone())
        .collect();
    for pool in pools {
        for (name, _) in DISK_METRICS {
            if name == OS_DISK_QUEUE {
                disk_queue(facts, &pool, 0.1);
            } else {
                disk_percent(facts, &pool, name, 5.0);
            }
        }
    }
}

fn scale_set(pool: &str, used: &str) -> ScaleSet {
    ScaleSet {
        id: scale_set_id(pool),
        pool_name: Some(pool.to_owned()),
        capacity: Some(2),
        nsg_ids: Vec::new(),
        subnet_ids: vec![subnet_id(used)],
        instance_public_ip: false,
    }
}

fn endpoint(category: &str, domain: &str) -> EgressEndpoint {
    EgressEndpoint {
        category: category.to_owned(),
        domain_name: domain.to_owned(),
        port: Some(443),
        protocol: Some("Https".to_owned()),
        description: None,
    }
}

fn public_ip(facts: &mut Facts, name: &str, address: &str) {
    let ip = PublicIp {
        id: public_ip_id(name),
        address: Some(address.to_owned()),
        version: Some("IPv4".to_owned()),
        sku: Some("Standard".to_owned()),
        zones: Vec::new(),
    };
    facts
        .public_ips
        .insert(public_ip_id(name), Datum::Known(ip));
}

/// Healthy: type loadBalancer, CNI overlay, pools `system` (2 nodes) and `user` (3) in one subnet `nodes`.
pub fn load_balancer() -> Facts {
    let mut facts = base(
        OutboundType::LoadBalancer,
        &[("system", "nodes"), ("user", "nodes")],
    );
    public_ip(&mut facts, "lb-1", "20.1.2.3");
    network_mut(&mut facts).load_balancer_profile = Some(LoadBalancerProfile {
        managed_outbound_ip_count: Some(1),
        effective_outbound_ips: vec![public_ip_id("lb-1")],
        allocated_outbound_ports: Some(0),
        idle_timeout_minutes: Some(30),
        ..LoadBalancerProfile::default()
    });
    let frontend = Id::new(format!("{}/frontendIPConfigurations/f1", lb_id()));
    let backend = Id::new(format!(
        "{}/backendAddressPools/aksOutboundBackendPool",
        lb_id()
    ));
    facts.load_balancer = Datum::Known(LoadBalancer {
        id: lb_id(),
        sku: Some("Standard".to_owned()),
        provisioning_state: Some("Succeeded".to_owned()),
        frontends: vec![Frontend {
            id: frontend.clone(),
            public_ip: Some(public_ip_id("lb-1")),
            public_ip_prefix: None,
            private_ip: None,
        }],
        outbound_rules: vec![OutboundRule {
            name: "aksOutboundRule".to_owned(),
            allocated_outbound_ports: Some(0),
            idle_timeout_minutes: Some(30),
            tcp_reset: Some(true),
            protocol: Some("All".to_owned()),
            frontends: vec![frontend.clone()],
            backend_pool: Some(backend.clone()),
        }],
        backend_pools: vec![BackendPool {
            id: backend.clone(),
            members: 5,
        }],
        rules: vec![LoadBalancingRule {
            name: "web".to_owned(),
            frontend: Some(frontend),
            backend_pool: Some(backend),
            protocol: Some("Tcp".to_owned()),
            frontend_port: Some(443),
            disable_outbound_snat: Some(true),
        }],
    });
    set_metric(
        &mut facts,
        &lb_id(),
        LB_CONNECTIONS,
        connections("Successful", &[50.0, 60.0]),
    );
    set_metric(
        &mut facts,
        &lb_id(),
        LB_USED,
        port_series(&[(NODE_1, &[40.0, 80.0]), ("10.0.0.5", &[10.0, 12.0])]),
    );
    let full: &[f64] = &[1024.0; 8];
    set_metric(
        &mut facts,
        &lb_id(),
        LB_ALLOCATED,
        port_series(&[(NODE_1, full), ("10.0.0.5", full)]),
    );
    facts
}

/// Healthy: type userAssignedNATGateway, pools `system` and `user` in subnets of the same names, gateway `ng1`.
pub fn nat_gateway() -> Facts {
    let mut facts = base(
        OutboundType::UserAssignedNatGateway,
        &[("system", "system"), ("user", "user")],
    );
    public_ip(&mut facts, "nat-1", "20.9.8.7");
    for name in ["system", "user"] {
        subnet_mut(&mut facts, name).nat_gateway_id = Some(nat_id("ng1"));
    }
    let gateway = NatGateway {
        id: nat_id("ng1"),
        sku: Some("Standard".to_owned()),
        provisioning_state: Some("Succeeded".to_owned()),
        zones: Vec::new(),
        idle_timeout_minutes: Some(4),
        public_ips: vec![public_ip_id("nat-1")],
        public_ip_prefixes: Vec::new(),
        subnet_ids: vec![subnet_id("system"), subnet_id("user")],
    };
    facts
        .nat_gateways
        .insert(nat_id("ng1"), Datum::Known(gateway));
    set_metric(
        &mut facts,
        &nat_id("ng1"),
        NAT_CONNECTIONS,
        connections("Attempted", &[50.0, 60.0]),
    );
    set_metric(
        &mut facts,
        &nat_id("ng1"),
        NAT_TOTAL,
        metric(MetricAggregation::Total, vec![series(&[], &[500.0, 700.0])]),
    );
    let quiet = |aggregation, value| metric(aggregation, vec![series(&[], &[value; 20])]);
    set_metric(
        &mut facts,
        &nat_id("ng1"),
        NAT_DROPS,
        quiet(MetricAggregation::Total, 0.0),
    );
    set_metric(
        &mut facts,
        &nat_id("ng1"),
        NAT_DATAPATH,
        quiet(MetricAggregation::Average, 100.0),
    );
    facts
}

/// A percentage of the test firewall, the same in every minute of a quarter of an hour.
pub fn firewall_percent(value: f64) -> Datum<Metric> {
    firewall_percents(&[value; 15])
}

/// A percentage of the test firewall, minute by minute.
pub fn firewall_percents(values: &[f64]) -> Datum<Metric> {
    let split = series(&[("protocol", "TCP")], values);
    let mut metric = metric(MetricAggregation::Average, vec![split]);
    known(&mut metric).unit = String::from("Percent");
    metric
}

/// Gives a pool's scale set these instances, each with one address.
pub fn node_nics(facts: &mut Facts, pool: &str, instances: &[(&str, &str)]) {
    let set = known(&mut facts.scale_sets)
        .iter()
        .find(|set| set.pool_name.as_deref() == Some(pool))
        .expect("every pool has a scale set")
        .id
        .clone();
    let nic = |(number, address): &(&str, &str)| ScaleSetNic {
        instance_id: Some(Id::new(format!("{set}/virtualMachines/{number}"))),
        private_ips: vec![(*address).to_owned()],
        subnet_ids: Vec::new(),
        nsg_id: None,
        ip_forwarding: Some(false),
    };
    let nics = instances.iter().map(nic).collect();
    facts.scale_set_nics.insert(set.clone(), Datum::Known(nics));
}

/// Gives the nodes of a pool public addresses of their own; `None`: they could not be read.
pub fn node_public_ips(facts: &mut Facts, pool: &str, addresses: Option<&[&str]>) {
    let body = known(&mut facts.agent_pools);
    let body = body.iter_mut().find(|body| body.name == pool);
    body.expect("the pool is one of the cluster's")
        .node_public_ip = Some(true);
    let ip = |address: &&str| PublicIp {
        id: public_ip_id(address),
        address: Some((*address).to_owned()),
        version: None,
        sku: None,
        zones: Vec::new(),
    };
    let ips = addresses.map_or_else(
        || denied("Microsoft.Compute/virtualMachineScaleSets/publicIPAddresses/read"),
        |addresses| Datum::Known(addresses.iter().map(ip).collect()),
    );
    facts.scale_set_public_ips.insert(scale_set_id(pool), ips);
}

/// Makes a pool one of type `VirtualMachines`, without a scale set, whose machines have these addresses and NIC groups.
pub fn machine_pool(facts: &mut Facts, pool: &str, machines: &[(&str, Option<Id>)]) {
    let body = known(&mut facts.agent_pools);
    let body = body.iter_mut().find(|body| body.name == pool);
    body.expect("the pool is one of the cluster's").pool_type = Some("VirtualMachines".to_owned());
    known(&mut facts.scale_sets).retain(|set| set.pool_name.as_deref() != Some(pool));
    let nic = |(index, (address, nsg)): (usize, &(&str, Option<Id>))| {
        let machine = format!("aks-{pool}-12345678-vms{index}");
        MachineNic {
            id: id(
                NODE_GROUP,
                &format!("Microsoft.Network/networkInterfaces/{machine}-nic"),
            ),
            machine_id: Some(id(
                NODE_GROUP,
                &format!("Microsoft.Compute/virtualMachines/{machine}"),
            )),
            pool_name: Some(pool.to_owned()),
            private_ips: vec![(*address).to_owned()],
            public_ip_ids: Vec::new(),
            subnet_ids: Vec::new(),
            nsg_id: nsg.clone(),
        }
    };
    facts.machine_nics = Datum::Known(machines.iter().enumerate().map(nic).collect());
}

/// Type userDefinedRouting with a default route to a firewall.
pub fn firewall_routing() -> Facts {
    let mut facts = base(
        OutboundType::UserDefinedRouting,
        &[("system", "nodes"), ("user", "nodes")],
    );
    facts.load_balancer = Datum::Absent;
    vnet_mut(&mut facts).peerings.push(Peering {
        name: "hub".to_owned(),
        state: Some("Connected".to_owned()),
        remote: Some(id("rg-hub", "Microsoft.Network/virtualNetworks/hub")),
        remote_address_prefixes: vec!["10.1.0.0/16".to_owned()],
        allow_forwarded_traffic: Some(true),
        allow_gateway_transit: Some(false),
        use_remote_gateways: Some(false),
    });
    with_firewall_route(facts)
}

/// Gives subnet `user` a route table of its own whose default leads to this appliance.
pub fn second_route_table(mut facts: Facts, ip: &str) -> Facts {
    let table = id("rg-net", "Microsoft.Network/routeTables/rt-user");
    subnet_mut(&mut facts, "user").route_table_id = Some(table.clone());
    let default = route(
        "default",
        "0.0.0.0/0",
        NextHopType::VirtualAppliance,
        Some(ip),
    );
    let body = RouteTable {
        id: table.clone(),
        routes: vec![default],
        subnet_ids: vec![subnet_id("user")],
        disable_bgp_route_propagation: Some(false),
        aks_managed: false,
    };
    facts.route_tables.insert(table, Datum::Known(body));
    facts
}

/// Healthy kubenet cluster of type loadBalancer: its route table has pod routes only.
pub fn kubenet() -> Facts {
    let mut facts = load_balancer();
    network_mut(&mut facts).plugin = Some(NetworkPlugin::Kubenet);
    network_mut(&mut facts).plugin_mode = None;
    let routes = vec![route(
        "pod-node-1",
        "10.244.0.0/24",
        NextHopType::VirtualAppliance,
        Some(NODE_1),
    )];
    route_table(&mut facts, routes);
    facts
}

/// Isolated: type none with a bootstrap cache and a private subnet.
pub fn isolated() -> Facts {
    let mut facts = base(OutboundType::None, &[("system", "nodes")]);
    facts.cluster.artifact_source = Some("Cache".to_owned());
    facts
}

/// Id of the test firewall.
pub fn firewall_id() -> Id {
    id("rg-hub", "Microsoft.Network/azureFirewalls/fw")
}

/// Id of the subnet that the test firewall is in.
pub fn firewall_subnet_id() -> Id {
    id(
        "rg-hub",
        "Microsoft.Network/virtualNetworks/hub/subnets/AzureFirewallSubnet",
    )
}

/// Id of the test firewall's policy.
pub fn policy_id() -> Id {
    id("rg-hub", "Microsoft.Network/firewallPolicies/fw-policy")
}

/// Type userDefinedRouting with a default route whose hop has this owner.
pub fn with_hop(owner: Datum<HopOwner>) -> Facts {
    let mut facts = firewall_routing();
    let hop = "10.1.0.4".parse().expect("an address");
    facts.hops.insert(hop, owner);
    facts
}

/// The network interface of a virtual machine.
pub fn hop_nic(ip_forwarding: Option<bool>, power: &str) -> HopNic {
    HopNic {
        id: id("rg-hub", "Microsoft.Network/networkInterfaces/nva-nic"),
        ip_forwarding,
        vm_id: Some(id("rg-hub", "Microsoft.Compute/virtualMachines/nva")),
        power: Datum::Known(power.to_owned()),
    }
}

/// Address of the test load balancer at the next hop.
pub const HOP_BALANCER: &str = "10.1.0.4";

/// Id of the internal load balancer at the next hop.
pub fn hop_balancer_id() -> Id {
    id("rg-hub", "Microsoft.Network/loadBalancers/ilb")
}

/// Type userDefinedRouting through an internal load balancer with an HA-ports rule and one backend that answers.
pub fn balanced() -> Facts {
    let part = |kind: &str, name: &str| Id::new(format!("{}/{kind}/{name}", hop_balancer_id()));
    let front = part("frontendIPConfigurations", "front");
    let pool = part("backendAddressPools", "nvas");
    let body = LoadBalancer {
        id: hop_balancer_id(),
        sku: Some("Standard".to_owned()),
        provisioning_state: Some("Succeeded".to_owned()),
        frontends: vec![Frontend {
            id: front.clone(),
            public_ip: None,
            public_ip_prefix: None,
            private_ip: Some(HOP_BALANCER.to_owned()),
        }],
        outbound_rules: Vec::new(),
        backend_pools: vec![BackendPool {
            id: pool.clone(),
            members: 1,
        }],
        rules: vec![LoadBalancingRule {
            name: "forward".to_owned(),
            frontend: Some(front),
            backend_pool: Some(pool),
            protocol: Some("All".to_owned()),
            frontend_port: Some(0),
            disable_outbound_snat: None,
        }],
    };
    let mut facts = with_hop(Datum::Known(HopOwner::InternalLoadBalancer(Box::new(body))));
    let health = series(
        &[
            ("backendipaddress", "10.1.1.4"),
            ("frontendipaddress", HOP_BALANCER),
        ],
        &[100.0; 60],
    );
    set_metric(
        &mut facts,
        &hop_balancer_id(),
        "DipAvailability",
        metric(MetricAggregation::Average, vec![health]),
    );
    facts
}

/// The internal load balancer at the next hop.
pub fn balancer_mut(facts: &mut Facts) -> &mut LoadBalancer {
    match facts.hops.values_mut().next() {
        Some(Datum::Known(HopOwner::InternalLoadBalancer(body))) => body,
        other => panic!("{other:?}"),
    }
}

/// Healthy: type userDefinedRouting through Azure Firewall `fw`, whose policy admits the tag AzureKubernetesService.
pub fn firewalled() -> Facts {
    let mut facts = with_hop(Datum::Known(HopOwner::AzureFirewall(firewall_id())));
    facts.cluster.api_server.fqdn = Some("shop-1.hcp.westeurope.azmk8s.io".to_owned());
    let firewall = AzureFirewall {
        id: firewall_id(),
        sku: Some("AZFW_VNet".to_owned()),
        tier: Some("Standard".to_owned()),
        provisioning_state: Some("Succeeded".to_owned()),
        private_ips: vec!["10.1.0.4".to_owned()],
        public_ip_ids: vec![public_ip_id("fw-1")],
        hub_public_ips: Vec::new(),
        subnet_id: Some(firewall_subnet_id()),
        virtual_hub_id: None,
        policy_id: Some(policy_id()),
        classic_collections: Vec::new(),
        threat_intel: None,
        private_ranges: Vec::new(),
        dns_proxy: None,
    };
    public_ip(&mut facts, "fw-1", "20.5.5.5");
    facts
        .firewalls
        .insert(firewall_id(), Datum::Known(firewall));
    let subnet = Subnet {
        id: firewall_subnet_id(),
        address_prefixes: vec!["10.1.0.0/26".to_owned()],
        route_table_id: None,
        nsg_id: None,
        ..subnet_mut(&mut facts, "nodes").clone()
    };
    facts
        .subnets
        .insert(firewall_subnet_id(), Datum::Known(subnet));
    let policy = FirewallPolicy {
        id: policy_id(),
        base_policy_id: None,
        threat_intel: Some(ThreatIntelMode::Alert),
        threat_intel_allowed_fqdns: Vec::new(),
        dns_proxy: Some(true),
        private_ranges: Vec::new(),
        tls_inspection: false,
    };
    facts
        .firewall_policies
        .insert(policy_id(), Datum::Known(policy));
    let rule = ApplicationRule {
        name: "aks".to_owned(),
        protocols: vec![
            ("Http".to_owned(), Some(80)),
            ("Https".to_owned(), Some(443)),
        ],
        sources: vec!["*".to_owned()],
        targets: vec![ApplicationTarget::FqdnTag(
            "AzureKubernetesService".to_owned(),
        )],
        ..ApplicationRule::default()
    };
    let rules = RuleCollectionRules {
        application: vec![rule],
        ..RuleCollectionRules::default()
    };
    firewall_rules(&mut facts, RuleAction::Allow, rules);
    set_metric(
        &mut facts,
        &firewall_id(),
        UTILIZATION,
        firewall_percent(4.0),
    );
    set_metric(&mut facts, &firewall_id(), HEALTH, firewall_percent(100.0));
    facts
}

/// An application rule `some` for these hosts and one source.
pub fn admits(hosts: &[&str], source: &str) -> RuleCollectionRules {
    let targets = hosts.iter();
    let rule = ApplicationRule {
        name: "some".to_owned(),
        protocols: vec![
            ("Https".to_owned(), Some(443)),
            ("Http".to_owned(), Some(80)),
        ],
        sources: vec![source.to_owned()],
        targets: targets
            .map(|host| ApplicationTarget::Fqdn((*host).to_owned()))
            .collect(),
        ..ApplicationRule::default()
    };
    RuleCollectionRules {
        application: vec![rule],
        ..RuleCollectionRules::default()
    }
}

/// A network rule `some` from everywhere to these destinations.
pub fn network_rule(destinations: &[&str], protocol: &str, ports: &str) -> RuleCollectionRules {
    let destinations = destinations.iter();
    let rule = NetworkRule {
        name: "some".to_owned(),
        protocols: vec![protocol.to_owned()],
        sources: vec!["*".to_owned()],
        destinations: destinations.map(|text| (*text).to_owned()).collect(),
        destination_ports: vec![ports.to_owned()],
        ..NetworkRule::default()
    };
    RuleCollectionRules {
        network: vec![rule],
        ..RuleCollectionRules::default()
    }
}

/// The policy of the test firewall.
pub fn policy_mut(facts: &mut Facts) -> &mut FirewallPolicy {
    let policy = facts.firewall_policies.get_mut(&policy_id());
    known(policy.expect("the test firewall has a policy"))
}

/// Gives the test firewall's policy this collection alone.
pub fn firewall_rules(facts: &mut Facts, action: RuleAction, rules: RuleCollectionRules) {
    let group = RuleCollectionGroup {
        id: Id::new(format!("{}/ruleCollectionGroups/egress", policy_id())),
        priority: Some(200),
        collections: vec![RuleCollection {
            name: "egress-rules".to_owned(),
            priority: Some(300),
            action: Some(action),
            rules,
        }],
    };
    facts
        .rule_collection_groups
        .insert(policy_id(), Datum::Known(vec![group]));
}

/// The test firewall.
pub fn firewall_mut(facts: &mut Facts) -> &mut AzureFirewall {
    known(
        facts
            .firewalls
            .get_mut(&firewall_id())
            .expect("the test cluster has a firewall"),
    )
}

/// The same cluster with a route table on every subnet whose default leads to a firewall.
pub fn with_firewall_route(mut facts: Facts) -> Facts {
    let routes = vec![route(
        "default",
        "0.0.0.0/0",
        NextHopType::VirtualAppliance,
        Some("10.1.0.4"),
    )];
    route_table(&mut facts, routes);
    facts
}

/// Gives the network a gateway subnet, so that routes may be learned.
pub fn with_gateway(facts: &mut Facts) {
    vnet_mut(facts).subnet_ids.push(subnet_id("GatewaySubnet"));
}

/// Connects the network to virtual hub `hub`, whose routing intent sends internet traffic to the hub's Azure Firewall.
pub fn with_hub(facts: &mut Facts) {
    let hub = id("rg-hub", "Microsoft.Network/virtualHubs/hub");
    let firewall = id("rg-hub", "Microsoft.Network/azureFirewalls/fw-hub");
    vnet_mut(facts).peerings.push(Peering {
        name: "RemoteVnetToHubPeering_1".to_owned(),
        state: Some("Connected".to_owned()),
        remote: Some(id("RG_hub_1", "Microsoft.Network/virtualNetworks/HV_hub_1")),
        remote_address_prefixes: vec!["10.9.0.0/23".to_owned()],
        allow_forwarded_traffic: Some(true),
        allow_gateway_transit: Some(false),
        use_remote_gateways: Some(true),
    });
    let routing = HubRouting {
        hub: hub.clone(),
        internet_security: Some(true),
        internet: Some(firewall.clone()),
    };
    facts.hub_routing.insert(vnet_id(), Datum::Known(routing));
    let body = AzureFirewall {
        id: firewall.clone(),
        sku: Some("AZFW_Hub".to_owned()),
        tier: Some("Standard".to_owned()),
        provisioning_state: Some("Succeeded".to_owned()),
        private_ips: vec!["10.9.0.4".to_owned()],
        public_ip_ids: Vec::new(),
        hub_public_ips: vec!["20.9.9.9".to_owned()],
        subnet_id: None,
        virtual_hub_id: Some(hub),
        policy_id: None,
        classic_collections: Vec::new(),
        threat_intel: None,
        private_ranges: Vec::new(),
        dns_proxy: None,
    };
    facts.firewalls.insert(firewall.clone(), Datum::Known(body));
    let owner = Datum::Known(HopOwner::AzureFirewall(firewall));
    facts
        .hops
        .insert(std::net::Ipv4Addr::new(10, 9, 0, 4).into(), owner);
}

/// What the hub does with the network's internet traffic.
pub fn hub_routing(facts: &mut Facts) -> &mut HubRouting {
    known(
        facts
            .hub_routing
            .get_mut(&vnet_id())
            .expect("the network is connected to a hub"),
    )
}

/// The virtual network.
pub fn vnet_mut(facts: &mut Facts) -> &mut VirtualNetwork {
    known(
        facts
            .virtual_networks
            .get_mut(&vnet_id())
            .expect("every test cluster has one"),
    )
}

/// Id of the test route table.
pub fn route_table_id() -> Id {
    id("rg-net", "Microsoft.Network/routeTables/rt-egress")
}

/// The route table.
pub fn route_table_mut(facts: &mut Facts) -> &mut RouteTable {
    known(
        facts
            .route_tables
            .get_mut(&route_table_id())
            .expect("the test cluster has a route table"),
    )
}

/// Moves pool `user` to a subnet `user` of its own, otherwise like `nodes`.
pub fn split_pools(mut facts: Facts) -> Facts {
    let body = Subnet {
        id: subnet_id("user"),
        address_prefixes: vec!["10.0.50.0/24".to_owned()],
        ..subnet_mut(&mut facts, "nodes").clone()
    };
    facts.subnets.insert(subnet_id("user"), Datum::Known(body));
    if let Some(subnets) = facts.pool_subnets.get_mut("user") {
        subnets.node = Datum::Known(subnet_id("user"));
    }
    facts
}

/// Id of a network security group.
pub fn nsg_id(name: &str) -> Id {
    id(
        "rg-net",
        &format!("Microsoft.Network/networkSecurityGroups/{name}"),
    )
}

/// Puts a group `nsg` on a subnet whose rule `no-internet` denies this port to the internet.
pub fn deny_internet(facts: &mut Facts, name: &str, port: &str) {
    subnet_mut(facts, name).nsg_id = Some(nsg_id("nsg"));
    let rule = SecurityRule {
        name: "no-internet".to_owned(),
        priority: 200,
        direction: Some(Direction::Outbound),
        access: Some(Access::Deny),
        protocol: "*".to_owned(),
        sources: vec!["*".to_owned()],
        source_asgs: Vec::new(),
        source_ports: vec!["*".to_owned()],
        destinations: vec!["Internet".to_owned()],
        destination_asgs: Vec::new(),
        destination_ports: vec![port.to_owned()],
    };
    let body = Nsg {
        id: nsg_id("nsg"),
        rules: vec![rule],
        default_rules: Vec::new(),
        aks_managed: false,
    };
    facts.nsgs.insert(nsg_id("nsg"), Datum::Known(body));
}

/// A route.
pub fn route(name: &str, prefix: &str, hop: NextHopType, ip: Option<&str>) -> Route {
    Route {
        name: name.to_owned(),
        address_prefix: prefix.to_owned(),
        next_hop_type: hop,
        next_hop_ip: ip.map(str::to_owned),
    }
}

/// Puts a route table with these routes on every subnet but the firewall's own.
pub fn route_table(facts: &mut Facts, routes: Vec<Route>) {
    let table = route_table_id();
    for datum in facts.subnets.values_mut() {
        if let Datum::Known(subnet) = datum
            && subnet.id != firewall_subnet_id()
        {
            subnet.route_table_id = Some(table.clone());
        }
    }
    let body = RouteTable {
        id: table.clone(),
        routes,
        subnet_ids: facts.subnets.keys().cloned().collect(),
        disable_bgp_route_propagation: Some(false),
        aks_managed: false,
    };
    facts.route_tables.insert(table, Datum::Known(body));
}

/// Gives a pool a pod subnet with the same NAT gateway as its node subnet.
pub fn pod_subnet(facts: &mut Facts, pool: &str, name: &str) {
    let mut body = subnet(name, "10.0.100.0/24");
    body.nat_gateway_id = Some(nat_id("ng1"));
    facts.subnets.insert(subnet_id(name), Datum::Known(body));
    if let Some(subnets) = facts.pool_subnets.get_mut(pool) {
        subnets.pod = Some(subnet_id(name));
    }
}

/// A metric series without backend, in the given connection state; no values = no data points.
pub fn connections(state: &str, values: &[f64]) -> Datum<Metric> {
    let series = if values.is_empty() {
        Vec::new()
    } else {
        vec![series(&[("connectionstate", state)], values)]
    };
    metric(MetricAggregation::Total, series)
}

/// Port series by backend address.
pub fn port_series(nodes: &[(&str, &[f64])]) -> Datum<Metric> {
    let series = nodes
        .iter()
        .map(|(node, values)| {
            series(
                &[
                    ("backendipaddress", node),
                    ("frontendipaddress", "20.1.2.3"),
                    ("protocoltype", "TCP"),
                ],
                values,
            )
        })
        .collect();
    metric(MetricAggregation::Average, series)
}

/// One point per minute from the start of the window.
pub fn series(dimensions: &[(&str, &str)], values: &[f64]) -> Series {
    Series {
        dimensions: dimensions
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect(),
        points: values
            .iter()
            .zip(0_i64..)
            .map(|(value, minute)| Point {
                at: START
                    .saturating_add(SignedDuration::from_mins(minute))
                    .unwrap_or(START),
                value: *value,
            })
            .collect(),
    }
}

/// A metric with a grain of one minute.
pub fn metric(aggregation: MetricAggregation, series: Vec<Series>) -> Datum<Metric> {
    Datum::Known(Metric {
        unit: "Count".to_owned(),
        aggregation,
        grain: SignedDuration::from_mins(1),
        series,
        truncated: false,
    })
}

/// Sets a metric of a resource.
pub fn set_metric(facts: &mut Facts, resource: &Id, name: &str, metric: Datum<Metric>) {
    facts
        .metrics
        .entry(resource.clone())
        .or_default()
        .insert(name.to_owned(), metric);
}

fn known<T>(datum: &mut Datum<T>) -> &mut T {
    match datum {
        Datum::Known(value) => value,
        _ => panic!("this test cluster does not have it"),
    }
}

/// The network profile.
pub fn network_mut(facts: &mut Facts) -> &mut NetworkProfile {
    facts
        .cluster
        .network
        .as_mut()
        .expect("every test cluster has one")
}

/// The agent pools.
pub fn pools_mut(facts: &mut Facts) -> &mut Vec<AgentPool> {
    known(&mut facts.agent_pools)
}

/// The load balancer.
pub fn lb_mut(facts: &mut Facts) -> &mut LoadBalancer {
    known(&mut facts.load_balancer)
}

/// A subnet.
pub fn subnet_mut<'f>(facts: &'f mut Facts, name: &str) -> &'f mut Subnet {
    known(
        facts
            .subnets
            .get_mut(&subnet_id(name))
            .expect("the test cluster has this subnet"),
    )
}

/// A NAT gateway.
pub fn nat_mut<'f>(facts: &'f mut Facts, name: &str) -> &'f mut NatGateway {
    known(
        facts
            .nat_gateways
            .get_mut(&nat_id(name))
            .expect("the test cluster has this gateway"),
    )
}

/// Outcome of one rule.
pub fn outcome(rule: &Rule, facts: &Facts) -> Outcome {
    (rule.check)(&Context::new(facts))
}

/// Codes of an outcome's findings.
pub fn codes(outcome: &Outcome) -> Vec<&str> {
    outcome.findings.iter().map(|f| f.code.as_str()).collect()
}

/// An outbound rule from anywhere.
pub fn security_rule(
    name: &str,
    priority: u32,
    access: Access,
    protocol: &str,
    destination: &str,
    ports: &str,
) -> SecurityRule {
    SecurityRule {
        name: name.to_owned(),
        priority,
        direction: Some(Direction::Outbound),
        access: Some(access),
        protocol: protocol.to_owned(),
        sources: vec!["*".to_owned()],
        source_asgs: Vec::new(),
        source_ports: vec!["*".to_owned()],
        destinations: vec![destination.to_owned()],
        destination_asgs: Vec::new(),
        destination_ports: vec![ports.to_owned()],
    }
}

/// A security admin rule of network manager `hub-manager`.
pub fn admin_rule(rule: SecurityRule, always: bool) -> SecurityAdminRule {
    let name = &rule.name;
    SecurityAdminRule {
        id: id(
            "rg-net",
            &format!(
                "Microsoft.Network/networkManagers/hub-manager/securityAdminConfigurations/c/ruleCollections/rc/rules/{name}"
            ),
        ),
        rule,
        always,
    }
}

/// Gives the test network these security admin rules.
pub fn admin_rules(facts: &mut Facts, rules: Vec<SecurityAdminRule>) {
    facts.admin_rules.insert(vnet_id(), Datum::Known(rules));
}

/// Adds a group; its id.
pub fn nsg(facts: &mut Facts, name: &str, rules: Vec<SecurityRule>, aks_managed: bool) -> Id {
    let body = Nsg {
        id: nsg_id(name),
        rules,
        default_rules: Vec::new(),
        aks_managed,
    };
    facts.nsgs.insert(nsg_id(name), Datum::Known(body));
    nsg_id(name)
}

/// Puts a group `nsg-{subnet}` with these rules on a subnet.
pub fn subnet_nsg(facts: &mut Facts, subnet: &str, rules: Vec<SecurityRule>) {
    let id = nsg(facts, &format!("nsg-{subnet}"), rules, false);
    subnet_mut(facts, subnet).nsg_id = Some(id);
}

/// Puts a group of AKS's own, `aks-agentpool-{pool}-nsg`, with these rules on the NICs of a pool.
pub fn nic_nsg(facts: &mut Facts, pool: &str, rules: Vec<SecurityRule>) {
    let id = nsg(facts, &format!("aks-agentpool-{pool}-nsg"), rules, true);
    let set = known(&mut facts.scale_sets)
        .iter_mut()
        .find(|set| set.pool_name.as_deref() == Some(pool))
        .expect("every pool has a scale set");
    set.nsg_ids = vec![id];
}

/// Adds a subnet that no pool uses.
pub fn add_subnet(facts: &mut Facts, name: &str, prefix: &str) {
    facts
        .subnets
        .insert(subnet_id(name), Datum::Known(subnet(name, prefix)));
}
