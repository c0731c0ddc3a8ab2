//! The table of all rules, in packet order within their family.

use super::{
    Rule, cls101, cls102, cls103, cls104, fwl101, fwl102, fwl103, fwl104, fwl105, fwl108, nat101,
    nat102, nat103, nat104, nat105, nat106, nat107, out101, out102, out103, out104, out105, out106,
    out109, out111, out112, snt101, snt102, snt103, snt108, udr101, udr102, udr103, udr109,
};

/// Every rule.
pub const RULES: &[Rule] = &[
    cls101::RULE,
    cls102::RULE,
    cls103::RULE,
    cls104::RULE,
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
    udr109::RULE,
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
    // What follows from a method that lacks comes after what says which.
    out111::RULE,
    out112::RULE,
    snt101::RULE,
    snt102::RULE,
    snt103::RULE,
    snt108::RULE,
];

/// The rule with this code, in any case.
pub fn find(code: &str) -> Option<&'static Rule> {
    RULES
        .iter()
        .find(|rule| rule.code.eq_ignore_ascii_case(code))
}
