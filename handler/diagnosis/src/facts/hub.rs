//! What a virtual hub does with the internet traffic of a network that is connected to it (R3.14).

use super::Id;

/// A hub, and a virtual network's connection to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubRouting {
    /// The virtual hub.
    pub hub: Id,
    /// `enableInternetSecurity` of the connection: whether the network takes a default route from the hub.
    pub internet_security: Option<bool>,
    /// Next hop of the routing intent's policy for `Internet`: a firewall or another appliance in the hub. `None`: the
    /// hub has no such policy, or the network takes no default route.
    pub internet: Option<Id>,
}
