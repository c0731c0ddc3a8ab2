//! The table of all rules, in packet order within their family.

use super::{
    Rule, api101, api102, cls101, cls102, cls103, cls104, dns101, dns102, nat101, nat102, nat103,
    nat105, nat106, nat107, nsg101, nsg102, nsg103, nsg104, nsg105, nsg106, nsg107, nsg111, out106,
    out109, snt101, snt102, snt103, snt108,
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
    nsg111::RULE,
    out106::RULE,
    out109::RULE,
    nat101::RULE,
    nat102::RULE,
    nat103::RULE,
    nat105::RULE,
    nat106::RULE,
    nat107::RULE,
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
