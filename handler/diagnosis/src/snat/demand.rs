//! How many nodes take ports: now, at the autoscaler's maximum, and during an upgrade (R6.30).

use crate::facts::{AgentPool, MaxSurge};

/// Node counts over all agent pools. A count that Azure did not give makes the sum unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demand {
    /// Nodes now.
    pub live: Option<u32>,
    /// Nodes at the autoscaler's maximum.
    pub max: Option<u32>,
    /// Extra nodes while every pool upgrades at once, as AKS counts them.
    pub surge: Option<u32>,
}

impl Demand {
    /// Sums over the pools. Every pool counts, whatever its mode (R6.39).
    pub fn of(pools: &[AgentPool]) -> Self {
        let sum = |count: fn(&AgentPool) -> Option<u32>| {
            pools
                .iter()
                .map(count)
                .try_fold(0_u32, |total, n| Some(total.saturating_add(n?)))
        };
        Self {
            live: sum(|pool| pool.count),
            max: sum(max_size),
            surge: sum(|pool| surge(max_size(pool)?, pool.max_surge.as_ref())),
        }
    }

    /// Nodes that AKS counts when it accepts or rejects a port allocation.
    pub fn counted(&self) -> Option<u32> {
        Some(self.max?.saturating_add(self.surge?))
    }
}

/// Largest size of one pool: the autoscaler's maximum when it is on, else the count. A pool that was scaled past its
/// maximum has the nodes that it has; bounds in reverse order say nothing.
fn max_size(pool: &AgentPool) -> Option<u32> {
    let count = pool.count?;
    if pool.auto_scaling != Some(true) {
        return Some(count);
    }
    let max = pool.max_count?;
    let reversed = pool.min_count.is_some_and(|min| min > max);
    (!reversed).then(|| max.max(count))
}

/// Extra nodes of a pool of `size` during an upgrade: one when nothing is set, percentages round up, never more than the
/// pool has (R6.30). `None` for a setting that this version cannot read.
pub fn surge(size: u32, setting: Option<&MaxSurge>) -> Option<u32> {
    let wanted = match setting {
        None => 1,
        Some(MaxSurge::Nodes(nodes)) => *nodes,
        Some(MaxSurge::Percent(percent)) => {
            let nodes = (u64::from(size) * u64::from(*percent)).div_ceil(100);
            u32::try_from(nodes).unwrap_or(u32::MAX)
        }
        Some(MaxSurge::Unreadable(_)) => return None,
    };
    Some(wanted.min(size))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::PoolMode;
    use crate::testing::pool;

    #[test]
    fn r6_30_surge() {
        assert_eq!(surge(3, None), Some(1));
        assert_eq!(surge(10, Some(&MaxSurge::Percent(33))), Some(4));
        assert_eq!(surge(10, Some(&MaxSurge::Nodes(2))), Some(2));
        assert_eq!(surge(2, Some(&MaxSurge::Nodes(5))), Some(2));
        assert_eq!(surge(0, None), Some(0));
        assert_eq!(surge(3, Some(&MaxSurge::Nodes(0))), Some(0));
        let unreadable = MaxSurge::Unreadable("many".into());
        assert_eq!(surge(3, Some(&unreadable)), None);
    }

    #[test]
    fn r6_30_three_nodes_count_four_and_twenty_two_in_three_pools_count_twenty_five() {
        assert_eq!(Demand::of(&[pool("a", 3)]).counted(), Some(4));
        let mut pools = [pool("a", 3), pool("b", 1), pool("c", 1)];
        for (pool, max) in pools.iter_mut().zip([3, 9, 10]) {
            pool.auto_scaling = Some(true);
            pool.max_count = Some(max);
        }
        let demand = Demand::of(&pools);
        assert_eq!((demand.live, demand.max), (Some(5), Some(22)));
        assert_eq!(demand.counted(), Some(25));
    }

    #[test]
    fn r6_30_bounds_in_reverse_order_are_unknown_and_surplus_nodes_count() {
        let mut pools = [pool("a", 3)];
        pools[0].auto_scaling = Some(true);
        (pools[0].min_count, pools[0].max_count) = (Some(9), Some(5));
        assert_eq!(Demand::of(&pools).max, None);
        (pools[0].min_count, pools[0].max_count) = (Some(1), Some(2));
        assert_eq!(Demand::of(&pools).max, Some(3));
        // Without the autoscaler its bounds do not matter.
        pools[0].auto_scaling = Some(false);
        assert_eq!(Demand::of(&pools).max, Some(3));
    }

    #[test]
    fn r6_39_every_mode_and_type_of_pool_counts() {
        let mut pools = [pool("a", 3), pool("gateway", 2), pool("machines", 4)];
        pools[1].mode = Some(PoolMode::Gateway);
        pools[2].pool_type = Some("VirtualMachines".to_owned());
        assert_eq!(Demand::of(&pools).counted(), Some(9 + 3));
    }

    #[test]
    fn zero_nodes_are_zero_not_unknown() {
        let demand = Demand::of(&[pool("a", 0)]);
        assert_eq!((demand.live, demand.counted()), (Some(0), Some(0)));
        assert_eq!(Demand::of(&[]).counted(), Some(0));
    }

    #[test]
    fn a_missing_count_is_unknown_not_zero() {
        let mut pools = [pool("a", 3), pool("b", 3)];
        pools[1].count = None;
        let demand = Demand::of(&pools);
        assert_eq!((demand.live, demand.counted()), (None, None));
    }
}
