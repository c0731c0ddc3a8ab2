//! Many clusters over HTTP: the overview, and orders for diagnoses of them all.

mod order;
mod overview;

use std::collections::BTreeSet;

use egress_arm::ResourceId;

use crate::problem::{Code, Problem};

use super::parameters::shown;

pub(super) use self::order::{ORDER_FIELDS, order};
pub(super) use self::overview::{FIELDS, FORMATS, overview};
#[cfg(test)]
pub(super) use self::{
    order::{MOST_ORDERED, SweepAccepted},
    overview::{DEFAULT_TOP, MOST_TOP},
};

/// Subscriptions that one request may name.
const MOST_SUBSCRIPTIONS: usize = 200;

fn subscription(field: &str, text: &str) -> Result<String, Problem> {
    if ResourceId::of_subscription(text).is_err() {
        let text = format!("{} is not a subscription id, which is a GUID", shown(text));
        return Err(Problem::field(field, text));
    }
    Ok(text.to_ascii_lowercase())
}

fn check_allowed(allowed: &BTreeSet<String>, subscription: &str) -> Result<(), Problem> {
    if allowed.is_empty() || allowed.contains(subscription) {
        return Ok(());
    }
    let text = format!("subscription {subscription} is not one this app may look into");
    Err(Problem::new(Code::ScopeNotAllowed, text))
}
