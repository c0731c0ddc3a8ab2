//! The client against servers on loopback.

#[cfg(test)]
mod answers;
#[cfg(test)]
mod blobs;
#[cfg(test)]
mod developer;
#[cfg(test)]
mod lists;
#[cfg(test)]
mod long_running;
#[cfg(test)]
mod managed_identity;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod recordings;
#[cfg(test)]
mod second_self;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod service_principal;
#[cfg(test)]
mod support;
