//! What the security groups between a pool and the internet do with the traffic that AKS needs (R4.30–R4.34).

mod guard;
mod needs;
mod probe;
mod service;
mod standing;
mod whereabouts;

pub(crate) use guard::{Guard, missing, missing_space, nsg, unread_tags};
pub(crate) use needs::{ApiServer, api_server, isolated};
pub(crate) use probe::Probe;
pub(crate) use service::Service;
pub use service::tags_of_services;
pub(crate) use standing::{Block, Standing, about_space, named, open_words, public};
pub(crate) use whereabouts::lies_in;
