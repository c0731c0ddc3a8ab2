//! Virtual machines that forward packets, and internal load balancers before them.

use serde_json::{Value, json};

use super::{
    Resource,
    names::{guid, id},
    network::{child, refs, resource},
    plan::Plan,
};
use crate::{
    Error,
    scenario::{Appliance, InternalLoadBalancer},
};

const NIC: &str = "Microsoft.Network/networkInterfaces";
const MACHINE: &str = "Microsoft.Compute/virtualMachines";
const BALANCER: &str = "Microsoft.Network/loadBalancers";

fn nic_id(plan: &Plan, name: &str, appliance: &Appliance) -> String {
    let group = plan.group_of(appliance.resource_group.as_ref());
    id(group, NIC, &format!("{name}-nic"))
}

/// The id of an internal load balancer.
pub(super) fn balancer_id(plan: &Plan, name: &str, balancer: &InternalLoadBalancer) -> String {
    id(
        plan.group_of(balancer.resource_group.as_ref()),
        BALANCER,
        name,
    )
}

/// The IP configurations of appliances and the frontends of load balancers in `<network>/<subnet>`.
pub(super) fn ip_configurations_in(plan: &Plan, subnet: &str) -> Vec<String> {
    let appliances = plan.scenario.appliances.iter();
    let appliances = appliances
        .filter(|(_, it)| it.subnet == subnet)
        .map(|(name, it)| format!("{}/ipConfigurations/ipconfig1", nic_id(plan, name, it)));
    let balancers = plan.scenario.internal_load_balancers.iter();
    let balancers = balancers
        .filter(|(_, it)| it.subnet == subnet)
        .map(|(name, it)| {
            let own = balancer_id(plan, name, it);
            format!("{own}/frontendIPConfigurations/internal")
        });
    appliances.chain(balancers).collect()
}

/// The resources, and the instance views of the machines.
pub(super) fn expand(plan: &Plan, out: &mut Vec<Resource>) -> Result<Vec<(String, Value)>, Error> {
    let mut views = Vec::new();
    for (name, appliance) in &plan.scenario.appliances {
        let group = plan.group_of(appliance.resource_group.as_ref());
        let subnet = plan.subnet_id(&format!("appliances.{name}.subnet"), &appliance.subnet)?;
        let machine = id(group, MACHINE, name);
        let own = nic_id(plan, name, appliance);
        let configuration = child(
            &own,
            "ipConfigurations",
            NIC,
            "ipconfig1",
            json!({
                "privateIPAddress": appliance.private_ip,
                "privateIPAllocationMethod": "Static",
                "privateIPAddressVersion": "IPv4",
                "primary": true,
                "subnet": { "id": subnet },
            }),
        );
        out.push(resource(
            plan,
            group,
            NIC,
            &format!("{name}-nic"),
            json!({
                "ipConfigurations": [configuration],
                "enableIPForwarding": appliance.forwarding,
                "enableAcceleratedNetworking": false,
                "primary": true,
                "virtualMachine": { "id": machine },
            }),
        ));
        out.push(Resource {
            body: json!({
                "name": name,
                "id": machine,
                "type": MACHINE,
                "location": plan.scenario.cluster.region,
                "properties": {
                    "vmId": guid(&machine),
                    "hardwareProfile": { "vmSize": "Standard_D2s_v5" },
                    "provisioningState": "Succeeded",
                    "networkProfile": { "networkInterfaces": refs(&[own]) },
                },
            }),
            kind: MACHINE.into(),
            id: machine.clone(),
            series: Vec::new(),
        });
        views.push((
            format!("{machine}/instanceView"),
            json!({
                "vmAgent": null,
                "statuses": [
                    { "code": "ProvisioningState/succeeded", "level": "Info" },
                    { "code": format!("PowerState/{}", appliance.power_state), "level": "Info" },
                ],
            }),
        ));
    }
    for (name, balancer) in &plan.scenario.internal_load_balancers {
        expand_balancer(plan, name, balancer, out)?;
    }
    Ok(views)
}

fn expand_balancer(
    plan: &Plan,
    name: &str,
    balancer: &InternalLoadBalancer,
    out: &mut Vec<Resource>,
) -> Result<(), Error> {
    let key = format!("internal_load_balancers.{name}");
    let group = plan.group_of(balancer.resource_group.as_ref());
    let subnet = plan.subnet_id(&format!("{key}.subnet"), &balancer.subnet)?;
    let own = balancer_id(plan, name, balancer);
    let mut members = Vec::new();
    for backend in &balancer.backends {
        let Some(appliance) = plan.scenario.appliances.get(backend) else {
            return Err(plan.error(format!(
                "`{key}.backends`: there is no `{backend}`; add `[appliances.{backend}]` or correct it"
            )));
        };
        let nic = nic_id(plan, backend, appliance);
        members.push(format!("{nic}/ipConfigurations/ipconfig1"));
    }
    let frontend = format!("{own}/frontendIPConfigurations/internal");
    let pool = format!("{own}/backendAddressPools/appliances");
    let (protocol, port) = if balancer.ha_ports {
        ("All", 0)
    } else {
        ("Tcp", 443)
    };
    let mut body = resource(
        plan,
        group,
        BALANCER,
        name,
        json!({
            "frontendIPConfigurations": [child(&own, "frontendIPConfigurations", BALANCER, "internal", json!({
                "privateIPAddress": balancer.private_ip,
                "privateIPAllocationMethod": "Static",
                "subnet": { "id": subnet },
            }))],
            "backendAddressPools": [child(&own, "backendAddressPools", BALANCER, "appliances", json!({
                "backendIPConfigurations": refs(&members),
            }))],
            "loadBalancingRules": [child(&own, "loadBalancingRules", BALANCER, "forward", json!({
                "frontendIPConfiguration": { "id": frontend },
                "backendAddressPool": { "id": pool },
                "protocol": protocol,
                "frontendPort": port,
                "backendPort": port,
            }))],
            "probes": [],
            "inboundNatRules": [],
            "outboundRules": [],
        }),
    );
    body.body["sku"] = json!({ "name": "Standard", "tier": "Regional" });
    out.push(body);
    Ok(())
}
