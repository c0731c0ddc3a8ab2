//! The plan against a server on loopback.

#[cfg(test)]
mod plan;
#[cfg(test)]
#[path = "../../../arm/tests/arm/support.rs"]
#[expect(
    dead_code,
    reason = "shared with the client's own tests, which use all of it"
)]
mod support;
