//! Ids, and values that Azure makes up (GUIDs, suffixes, addresses), derived from names so that every start gives
//! the same cloud.

/// The only subscription of the sandbox.
pub(crate) const SUBSCRIPTION: &str = "00000000-0000-4000-8000-0000000005ab";
/// The tenant it belongs to.
pub(crate) const TENANT: &str = "00000000-0000-4000-8000-00000000007e";

/// FNV-1a: small, and stable between Rust versions, which `DefaultHasher` is not.
pub(super) fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |state, byte| {
        (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// A GUID that belongs to `text`.
pub(crate) fn guid(text: &str) -> String {
    let (high, low) = (hash(text), hash(&format!("{text}/low")));
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        (low >> 48) & 0xfff,
        low & 0xffff_ffff_ffff
    )
}

/// The eight digits AKS puts into the names of what it makes.
pub(super) fn suffix(cluster: &str) -> String {
    format!("{:08}", 10_000_000 + hash(cluster) % 80_000_000)
}

/// A public address that belongs to `text`, out of a range of Azure's.
pub(super) fn address(text: &str) -> String {
    let value = hash(text);
    format!(
        "20.{}.{}.{}",
        50 + value % 150,
        (value >> 16) % 256,
        1 + (value >> 32) % 254
    )
}

/// A public IPv6 address that belongs to `text`.
pub(super) fn address_v6(text: &str) -> String {
    let value = hash(text);
    format!(
        "2603:1020:206:{:x}::{:x}",
        value % 0xffff,
        1 + (value >> 32) % 0xfffe
    )
}

/// The id of a top-level resource. `kind` is provider and type.
pub(super) fn id(group: &str, kind: &str, name: &str) -> String {
    format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}/providers/{kind}/{name}")
}
