//! What the security groups between a pool and the internet do with the traffic that AKS needs (R4.30–R4.34).

mod guard;
mod needs;
mod probe;
mod service;
mod standing;

pub(crate) use guard::{Guard, missing, nsg, unread_tags};
pub(crate) use needs::{ApiServer, api_server, isolated};
pub(crate) use probe::Probe;
pub(crate) use service::Service;
pub use service::tags_of_services;
pub(crate) use standing::{Block, Standing, named, open_words, public};
