//! What Azure's network does to a packet: address sets, routes, security rules, firewall rules, egress method.
//!
//! Pure functions over [`crate::facts`] types. Everything works on *sets* of addresses, so that "all", "some" and
//! "none" are exact. What cannot be decided from the facts stays undecidable, with the reason as a [`Doubt`]; it never
//! turns into "allowed".

mod address;
mod bounds;
mod decision;
mod doubt;
pub mod firewall;
pub mod method;
pub mod nsg;
mod ports;
mod protocol;
mod ranges;
pub mod routes;
mod tag_use;
mod tags;

pub use address::{AddressSet, AddressTerm, Family, InvalidAddress};
pub use bounds::{AddressBounds, PortBounds};
pub use decision::{Decision, Open, Outcome};
pub use doubt::Doubt;
pub use ports::{InvalidPort, PortSet};
pub use protocol::{Protocol, ProtocolSet};
pub use tag_use::{tags_of_collection, tags_of_nsg, tags_of_route_table};
pub use tags::{OnPremises, ServiceTags, TagContext, VirtualNetworkSpace};
