//! The network engine: the rules' own test vectors, random comparison with packet-by-packet oracles, bad input.

#![expect(
    clippy::cast_possible_truncation,
    reason = "the oracles work on plain numbers that are known to fit"
)]

#[cfg(test)]
mod address_sets;
#[cfg(test)]
mod build;
#[cfg(test)]
mod firewall;
#[cfg(test)]
mod firewall_oracle;
#[cfg(test)]
mod nsg;
#[cfg(test)]
mod nsg_oracle;
#[cfg(test)]
mod random;
#[cfg(test)]
mod routes;
#[cfg(test)]
mod routes_oracle;

/// A run compares at least a million packets.
#[cfg(test)]
const _: () = assert!(nsg_oracle::ALL + firewall_oracle::ALL + routes_oracle::ALL >= 1_000_000);
