//! Node names and pools behind addresses.

use std::collections::BTreeMap;

use crate::facts::{Facts, Id};

/// The node that has an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    /// The name that Kubernetes knows it by.
    pub(crate) name: String,
    /// Its agent pool, when the scale set or the machine says.
    pub(crate) pool: Option<String>,
}

/// Nodes by private address, from the network interfaces of scale sets and machines.
#[derive(Debug, Clone, Default)]
pub(crate) struct Nodes(BTreeMap<String, Node>);

impl Nodes {
    pub(crate) fn of(facts: &Facts) -> Self {
        let sets = facts.scale_sets.as_known();
        let pool = |set: &Id| {
            let body = sets?.iter().find(|body| body.id == *set)?;
            body.pool_name.clone()
        };
        let mut nodes = BTreeMap::new();
        for (set, nics) in &facts.scale_set_nics {
            let pool = pool(set);
            for nic in nics.as_known().into_iter().flatten() {
                let Some(instance) = &nic.instance_id else {
                    continue;
                };
                let node = Node {
                    name: node_name(set, instance),
                    pool: pool.clone(),
                };
                let addresses = nic.private_ips.iter();
                nodes.extend(addresses.map(|ip| (ip.to_ascii_lowercase(), node.clone())));
            }
        }
        for nic in facts.machine_nics.as_known().into_iter().flatten() {
            let (Some(machine), Some(_)) = (&nic.machine_id, &nic.pool_name) else {
                continue;
            };
            // A machine's computer is called like the machine.
            let node = Node {
                name: machine.name().to_lowercase(),
                pool: nic.pool_name.clone(),
            };
            let addresses = nic.private_ips.iter();
            nodes.extend(addresses.map(|ip| (ip.to_ascii_lowercase(), node.clone())));
        }
        Self(nodes)
    }

    pub(crate) fn at(&self, address: &str) -> Option<&Node> {
        self.0.get(&address.to_ascii_lowercase())
    }

    /// `aks-apps-1-vmss000001 (10.224.0.5)`, or the address alone.
    pub(crate) fn label(&self, address: &str) -> String {
        match self.at(address) {
            Some(node) => format!("{} ({address})", node.name),
            None => address.to_owned(),
        }
    }
}

/// A scale set names the computers of its instances after itself and the instance number in six digits of base 36; AKS
/// names nodes after computers. An instance without a number keeps its own name.
pub(crate) fn node_name(set: &Id, instance: &Id) -> String {
    match instance.name().parse::<u32>() {
        Ok(number) => format!("{}{:0>6}", set.name().to_lowercase(), base36(number)),
        Err(_) => instance.name().to_owned(),
    }
}

fn base36(mut number: u32) -> String {
    let mut digits = Vec::new();
    loop {
        digits.extend(char::from_digit(number % 36, 36));
        number /= 36;
        if number == 0 {
            break;
        }
    }
    digits.into_iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{load_balancer, machine_pool, node_nics};

    #[test]
    fn r6_11_addresses_lead_to_node_names_and_pools() {
        let mut facts = load_balancer();
        node_nics(
            &mut facts,
            "user",
            &[("3", "10.0.0.4"), ("46", "10.0.0.5"), ("vm-a", "fd00::A")],
        );
        let nodes = Nodes::of(&facts);
        let name = |address| nodes.at(address).map(|n| n.name.clone());
        assert_eq!(name("10.0.0.4").as_deref(), Some("aks-user-vmss000003"));
        assert_eq!(name("10.0.0.5").as_deref(), Some("aks-user-vmss00001a"));
        assert_eq!(name("fd00::a").as_deref(), Some("vm-a"));
        assert_eq!(name("10.0.0.9"), None);
        assert_eq!(nodes.at("10.0.0.4").unwrap().pool.as_deref(), Some("user"));
        assert_eq!(nodes.label("10.0.0.9"), "10.0.0.9");
    }

    #[test]
    fn r6_11_addresses_of_machines_lead_to_their_names() {
        let mut facts = load_balancer();
        machine_pool(
            &mut facts,
            "user",
            &[("10.0.0.7", None), ("10.0.0.8", None)],
        );
        let nodes = Nodes::of(&facts);
        let node = nodes.at("10.0.0.8").unwrap();
        assert_eq!(node.name, "aks-user-12345678-vms1");
        assert_eq!(node.pool.as_deref(), Some("user"));
    }

    #[test]
    fn instance_numbers_are_in_base_36() {
        for (number, text) in [
            (0, "0"),
            (9, "9"),
            (10, "a"),
            (35, "z"),
            (36, "10"),
            (999, "rr"),
        ] {
            assert_eq!(base36(number), text);
        }
    }
}
