//! The public addresses that nodes have of their own.

use super::balancer::Address;
use super::{Balancer, pools_label};
use crate::facts::{AgentPool, Datum, Missing, lookup};

impl Balancer<'_> {
    /// The public addresses of the nodes of these pools; missing as soon as one node's may be left out.
    pub(crate) fn of_nodes(self, pools: &[&str]) -> Result<Vec<Address>, Missing> {
        let bodies = self.facts.agent_pools.known(|| "agent pools".to_owned())?;
        let mut addresses = Vec::new();
        for name in pools {
            let body = bodies.iter().find(|body| body.name == *name);
            addresses.extend(match body {
                Some(pool) if pool.is_machines() => self.of_machines(pool)?,
                _ => self.of_scale_sets(name)?,
            });
        }
        Ok(addresses)
    }

    fn of_scale_sets(self, pool: &str) -> Result<Vec<Address>, Missing> {
        let sets = self
            .facts
            .scale_sets
            .known(|| "scale sets of the node resource group".to_owned())?;
        let is = |name: &str| name.eq_ignore_ascii_case(pool);
        let mut own = sets
            .iter()
            .filter(|set| set.pool_name.as_deref().is_some_and(is))
            .peekable();
        if own.peek().is_none() {
            return Err(unnamed(
                pool,
                "no scale set of the node resource group names the pool",
            ));
        }
        let mut addresses = Vec::new();
        for set in own {
            let ips = lookup(&self.facts.scale_set_public_ips, &set.id)
                .known(|| label(pool))?
                .iter();
            addresses.extend(ips.map(Address::of));
        }
        Ok(addresses)
    }

    fn of_machines(self, pool: &AgentPool) -> Result<Vec<Address>, Missing> {
        let nics = self
            .facts
            .machine_nics
            .known(|| "network interfaces of the node resource group".to_owned())?;
        let is = |name: &str| name.eq_ignore_ascii_case(&pool.name);
        let own: Vec<_> = nics
            .iter()
            .filter(|nic| nic.pool_name.as_deref().is_some_and(is))
            .collect();
        let nodes = pool.count.and_then(|count| usize::try_from(count).ok());
        let whole = nodes.is_some_and(|nodes| nodes <= own.len());
        if !whole || own.iter().any(|nic| nic.public_ip_ids.is_empty()) {
            return Err(unnamed(
                &pool.name,
                "not every machine of the pool has a network interface that names one",
            ));
        }
        let ids = own.iter().flat_map(|nic| &nic.public_ip_ids);
        Ok(ids.map(|id| self.public_ip(id)).collect())
    }
}

fn label(pool: &str) -> String {
    format!(
        "public IP addresses of the nodes of {}",
        pools_label(&[pool])
    )
}

fn unnamed(pool: &str, how: &'static str) -> Missing {
    Missing {
        what: label(pool),
        how: Datum::not_asked(how),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::texts;
    use crate::facts::{Facts, Id};
    use crate::testing::{load_balancer, machine_pool, node_public_ips, pools_mut, public_ip_id};

    fn addresses(facts: &Facts, pools: &[&str]) -> Result<Vec<String>, Missing> {
        texts(Balancer { facts }.of_nodes(pools)?)
    }

    #[test]
    fn r2_3_the_instances_addresses_of_every_pool_or_none() {
        let mut facts = load_balancer();
        node_public_ips(&mut facts, "user", Some(&["20.62.4.1", "20.62.4.2"]));
        assert_eq!(
            addresses(&facts, &["user"]).unwrap(),
            ["20.62.4.1", "20.62.4.2"]
        );
        // The other pool's were never asked for.
        assert!(addresses(&facts, &["system", "user"]).is_err());
        node_public_ips(&mut facts, "system", Some(&["20.62.4.3"]));
        assert_eq!(addresses(&facts, &["system", "user"]).unwrap().len(), 3);
        node_public_ips(&mut facts, "system", None);
        let missing = addresses(&facts, &["system", "user"]).unwrap_err();
        assert!(missing.what.contains("system"), "{}", missing.what);
    }

    #[test]
    fn r2_3_machines_name_their_addresses_themselves() {
        let mut facts = load_balancer();
        let machines = [("10.0.0.4", None), ("10.0.0.5", None), ("10.0.0.6", None)];
        machine_pool(&mut facts, "user", &machines);
        pools_mut(&mut facts)[1].count = Some(3);
        // Interfaces that name no address leave it open.
        assert!(addresses(&facts, &["user"]).is_err());
        let Datum::Known(nics) = &mut facts.machine_nics else {
            panic!("the interfaces are known")
        };
        for nic in nics.iter_mut() {
            nic.public_ip_ids = vec![public_ip_id("lb-1")];
        }
        assert_eq!(addresses(&facts, &["user"]).unwrap()[0], "20.1.2.3");
        // One machine more than interfaces.
        pools_mut(&mut facts)[1].count = Some(4);
        assert!(addresses(&facts, &["user"]).is_err());
        pools_mut(&mut facts)[1].count = Some(3);
        let Datum::Known(nics) = &mut facts.machine_nics else {
            panic!("the interfaces are known")
        };
        nics[0].public_ip_ids = vec![Id::new("/unread")];
        assert!(addresses(&facts, &["user"]).is_err());
    }
}
