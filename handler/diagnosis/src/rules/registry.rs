//! The table of all rules, in packet order within their family.

use super::{
    Rule, api101, api102, cls101, cls102, cls103, cls104, dns101, dns102, fwl101, fwl102, fwl103,
    fwl104, fwl105, fwl108, nat101, nat102, nat103, nat104, nat105, nat106, nat107, nsg101, nsg102,
    nsg103, nsg104, nsg105, nsg106, nsg107, nsg108, nsg111, out101, out102, out103, out104, out105,
    out106, out109, out110, out111, out112, out113, out114, out115, snt101, snt102, snt103, snt108,
    udr101, udr102, udr103, udr104, udr105, udr106, udr109, udr110, udr112,
};

/// Every rule.
pub const RULES: &[Rule] = &[
    cls101::RULE,
    cls102::RULE,
    cls103::RULE,
    cls104::RULE,
    dns101::RULE,
    dns102::RULE,
    nsg101::RULE,
    nsg102::RULE,
    nsg103::RULE,
    nsg104::RULE,
    nsg105::RULE,
    nsg106::RULE,
    nsg107::RULE,
    nsg108::RULE,
    nsg111::RULE,
    out101::RULE,
    out102::RULE,
    out103::RULE,
    out104::RULE,
    out105::RULE,
    out106::RULE,
    out109::RULE,
    udr101::RULE,
    udr102::RULE,
    udr103::RULE,
    udr104::RULE,
    udr105::RULE,
    udr106::RULE,
    udr109::RULE,
    udr110::RULE,
    udr112::RULE,
    fwl101::RULE,
    fwl102::RULE,
    fwl103::RULE,
    fwl104::RULE,
    fwl105::RULE,
    fwl108::RULE,
    nat101::RULE,
    nat102::RULE,
    nat103::RULE,
    nat104::RULE,
    nat105::RULE,
    nat106::RULE,
    nat107::RULE,
    out110::RULE,
    // What follows from a method that lacks comes after what says which.
    out111::RULE,
    out112::RULE,
    out113::RULE,
    out114::RULE,
    out115::RULE,
    snt101::RULE,
    snt102::RULE,
    snt103::RULE,
    snt108::RULE,
    api101::RULE,
    api102::RULE,
];

/// The rule with this code, in any case.
pub fn find(code: &str) -> Option<&'static Rule> {
    RULES
        .iter()
        .find(|rule| rule.code.eq_ignore_ascii_case(code))
}
