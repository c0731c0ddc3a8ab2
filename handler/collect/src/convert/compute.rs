//! The scale sets and machines of the node resource group.

use egress_arm::model;
use egress_arm::read::List;
use egress_diagnosis::facts::{Datum, HopNic, Id, MachineNic, ScaleSet, ScaleSetNic};

use super::{all, id};

/// A scale set.
pub(crate) fn scale_set(answer: &model::ScaleSet) -> Option<ScaleSet> {
    let p = answer.properties.as_ref()?;
    let nics = p
        .virtual_machine_profile
        .network_profile
        .network_interface_configurations
        .whole()?;
    let mut nsg_ids = Vec::new();
    let mut subnet_ids = Vec::new();
    let mut instance_public_ip = false;
    for nic in nics {
        let nic = nic.properties.as_ref()?;
        push_new(&mut nsg_ids, id(&nic.network_security_group.id));
        for ip in nic.ip_configurations.whole()? {
            let ip = ip.properties.as_ref()?;
            push_new(&mut subnet_ids, id(&ip.subnet.id));
            instance_public_ip |= ip.public_ip_address_configuration.is_some();
        }
    }
    Some(ScaleSet {
        id: id(&answer.id)?,
        pool_name: pool_tag(answer),
        capacity: *answer.sku.capacity,
        nsg_ids,
        subnet_ids,
        instance_public_ip,
    })
}

/// The agent pool that a resource in the node resource group belongs to.
pub(super) fn pool_tag<P>(answer: &model::Resource<P>) -> Option<String> {
    let mut tags = answer.tags.iter().flatten();
    let tag = tags.find(|(key, _)| key.eq_ignore_ascii_case("aks-managed-poolName"));
    tag.map(|(_, pool)| pool.clone())
}

/// The agent pool that a machine's name begins with: `aks-{pool}-…`. Names of pools have no hyphens.
fn pool_of_machine(machine: &Id) -> Option<String> {
    let mut parts = machine.name().split('-');
    let aks = parts.next()?.eq_ignore_ascii_case("aks");
    let pool = parts.next().filter(|pool| !pool.is_empty())?;
    (aks && parts.next().is_some()).then(|| pool.to_owned())
}

/// A NIC of a virtual machine in the node resource group.
pub(crate) fn machine_nic(answer: &model::NetworkInterface) -> Option<MachineNic> {
    let p = answer.properties.as_ref()?;
    let (private_ips, subnet_ids) = addresses(&p.ip_configurations)?;
    let public_ips = all(&p.ip_configurations, |ip| {
        let ip = ip.properties.as_ref()?;
        Some(id(&ip.public_ip_address.id))
    })?;
    let machine_id = id(&p.virtual_machine.id);
    Some(MachineNic {
        id: id(&answer.id)?,
        pool_name: pool_tag(answer).or_else(|| pool_of_machine(machine_id.as_ref()?)),
        machine_id,
        private_ips,
        public_ip_ids: public_ips.into_iter().flatten().collect(),
        subnet_ids,
        nsg_id: id(&p.network_security_group.id),
    })
}

/// Private addresses and subnets of a NIC.
fn addresses(configurations: &List<model::NicIpConfiguration>) -> Option<(Vec<String>, Vec<Id>)> {
    let ips = all(configurations, |ip| ip.properties.0.clone())?;
    let mut subnets = Vec::new();
    for ip in &ips {
        push_new(&mut subnets, id(&ip.subnet.id));
    }
    let private = ips.iter().filter_map(|ip| ip.private_ip_address.0.clone());
    Some((private.collect(), subnets))
}

/// A NIC of a scale set instance.
pub(crate) fn scale_set_nic(answer: &model::ScaleSetNic) -> Option<ScaleSetNic> {
    let p = answer.properties.as_ref()?;
    let (private_ips, subnet_ids) = addresses(&p.ip_configurations)?;
    Some(ScaleSetNic {
        instance_id: id(&p.virtual_machine.id),
        private_ips,
        subnet_ids,
        nsg_id: id(&p.network_security_group.id),
        ip_forwarding: *p.enable_ip_forwarding,
    })
}

/// A NIC of a virtual machine with the addresses it holds.
pub(crate) fn hop_nic(answer: &model::NetworkInterface) -> Option<(HopNic, Vec<String>)> {
    let p = answer.properties.as_ref()?;
    let (addresses, _) = addresses(&p.ip_configurations)?;
    let nic = HopNic {
        id: id(&answer.id)?,
        ip_forwarding: *p.enable_ip_forwarding,
        vm_id: id(&p.virtual_machine.id),
        power: Datum::not_asked("the interface belongs to no virtual machine"),
    };
    Some((nic, addresses))
}

/// The word behind `PowerState/` in a virtual machine's instance view, in lower case; `None` without one.
pub(crate) fn power_state(answer: &model::InstanceView) -> Option<String> {
    let codes = all(&answer.statuses, |status| status.code.0.clone())?;
    codes.iter().find_map(|code| {
        let (kind, state) = code.split_once('/')?;
        kind.eq_ignore_ascii_case("PowerState")
            .then(|| state.to_ascii_lowercase())
    })
}

fn push_new(ids: &mut Vec<Id>, id: Option<Id>) {
    if let Some(id) = id.filter(|id| !ids.contains(id)) {
        ids.push(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_set_names_its_pool_its_subnets_and_its_groups() {
        let set = scale_set(
            &serde_json::from_str(
                r#"{"id":"/vmss","tags":{"AKS-managed-poolname":"p1"},"sku":{"capacity":3},"properties":{"virtualMachineProfile":{
                    "networkProfile":{"networkInterfaceConfigurations":[{"properties":{"networkSecurityGroup":{"id":"/nsg"},
                    "ipConfigurations":[{"properties":{"subnet":{"id":"/s1"}}},{"properties":{"subnet":{"id":"/S1"},"publicIPAddressConfiguration":{"name":"p"}}}]}}]}}}}"#,
            )
            .unwrap(),
        )
        .unwrap();
        assert_eq!(set.pool_name.as_deref(), Some("p1"));
        assert_eq!(set.capacity, Some(3));
        assert_eq!(set.nsg_ids, [Id::new("/nsg")]);
        assert_eq!(set.subnet_ids, [Id::new("/s1")]);
        assert!(set.instance_public_ip);
    }

    #[test]
    fn r2_38_a_machines_nic_and_power_state() {
        let (nic, addresses) = hop_nic(
            &serde_json::from_str(
                r#"{"id":"/nic","properties":{"virtualMachine":{"id":"/vm"},"enableIPForwarding":"False","ipConfigurations":[
                    {"properties":{"privateIPAddress":"10.1.1.4"}}]}}"#,
            )
            .unwrap(),
        )
        .unwrap();
        assert_eq!(nic.ip_forwarding, Some(false));
        assert_eq!(nic.vm_id, Some(Id::new("/vm")));
        assert_eq!(addresses, ["10.1.1.4"]);
        let power = |codes: &str| {
            power_state(&serde_json::from_str(&format!(r#"{{"statuses":{codes}}}"#)).unwrap())
        };
        let running = r#"[{"code":"ProvisioningState/succeeded"},{"code":"powerstate/Running"}]"#;
        assert_eq!(power(running).as_deref(), Some("running"));
        assert_eq!(power(r#"[{"code":"ProvisioningState/succeeded"}]"#), None);
        assert_eq!(power("7"), None);
    }

    #[test]
    fn a_machines_nic_belongs_to_the_pool_of_its_tag_or_of_the_machines_name() {
        let nic = |tags: &str, machine: &str| {
            let body = format!(
                r#"{{"id":"/nic","tags":{tags},"properties":{{"virtualMachine":{machine},"networkSecurityGroup":{{"id":"/nsg"}},
                    "ipConfigurations":[{{"properties":{{"privateIPAddress":"10.0.0.4","subnet":{{"id":"/s"}},"publicIPAddress":{{"id":"/pip"}}}}}}]}}}}"#
            );
            machine_nic(&serde_json::from_str(&body).unwrap()).unwrap()
        };
        let machine = |name: &str| {
            format!(r#"{{"id":"/g/providers/Microsoft.Compute/virtualMachines/{name}"}}"#)
        };
        let named = nic("null", &machine("aks-apps-machinetest-25959878-vm"));
        assert_eq!(named.pool_name.as_deref(), Some("apps"));
        assert_eq!(named.private_ips, ["10.0.0.4"]);
        assert_eq!(named.public_ip_ids, [Id::new("/pip")]);
        assert_eq!(named.subnet_ids, [Id::new("/s")]);
        assert_eq!(named.nsg_id, Some(Id::new("/nsg")));
        let tagged = nic(
            r#"{"AKS-managed-poolname":"web"}"#,
            &machine("aks-apps-1-vms0"),
        );
        assert_eq!(tagged.pool_name.as_deref(), Some("web"));
        for other in ["jumpbox", "aks-apps", "aks--1-vm", "k8s-apps-1-vm"] {
            assert_eq!(nic("null", &machine(other)).pool_name, None, "{other}");
        }
        let endpoint = nic("null", "null");
        assert_eq!((endpoint.machine_id, endpoint.pool_name), (None, None));
        // Addresses that cannot be read spoil the NIC.
        let body = r#"{"id":"/nic","properties":{"ipConfigurations":[{}]}}"#;
        assert_eq!(machine_nic(&serde_json::from_str(body).unwrap()), None);
    }

    #[test]
    fn a_nic_maps_addresses_to_its_instance() {
        let nic = scale_set_nic(
            &serde_json::from_str(
                r#"{"properties":{"virtualMachine":{"id":"/vmss/virtualMachines/0"},"enableIPForwarding":true,"ipConfigurations":[
                    {"properties":{"privateIPAddress":"10.0.0.4","subnet":{"id":"/s"}}},{"properties":{"privateIPAddress":"10.0.0.5"}}]}}"#,
            )
            .unwrap(),
        )
        .unwrap();
        assert_eq!(nic.instance_id, Some(Id::new("/vmss/virtualMachines/0")));
        assert_eq!(nic.private_ips, ["10.0.0.4", "10.0.0.5"]);
        assert_eq!(nic.ip_forwarding, Some(true));
    }
}
