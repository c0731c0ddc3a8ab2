//! The security admin rules of Azure Virtual Network Manager that apply to the pools' networks (R4.11).

use std::collections::BTreeMap;

use egress_arm::{model, operations};
use egress_diagnosis::facts::{Datum, Id, SecurityAdminRule};
use futures::future::join_all;
use serde_json::json;

use crate::convert;
use crate::outcome::{malformed, unknown};
use crate::reader::{Reader, keyed};

/// More pages than this are not read.
const MOST_PAGES: usize = 10;

/// Reads the rules of each network.
pub(crate) async fn read(
    reader: Reader<'_>,
    networks: impl IntoIterator<Item = Id>,
) -> BTreeMap<Id, Datum<Vec<SecurityAdminRule>>> {
    let each = networks.into_iter().map(|id| async move {
        let rules = of_network(reader, &id).await;
        (id, rules)
    });
    keyed(join_all(each).await)
}

/// Pages are asked for one by one with the token of the page before.
async fn of_network(reader: Reader<'_>, network: &Id) -> Datum<Vec<SecurityAdminRule>> {
    let mut rules = Vec::new();
    let mut question = json!({});
    for _ in 0..MOST_PAGES {
        let operation = &operations::SECURITY_ADMIN_RULES_LIST;
        let answer: Datum<model::SecurityAdminRules> =
            reader.query(operation, network, &question).await;
        let page = match answer {
            Datum::Known(page) => page,
            other => return unknown(&other),
        };
        match convert::all(&page.value, convert::security_admin_rule) {
            Some(new) => rules.extend(new),
            None => return malformed(),
        }
        match page.skip_token.as_deref().filter(|token| !token.is_empty()) {
            Some(token) => question = json!({ "skipToken": token }),
            None => return Datum::Known(rules),
        }
    }
    Datum::not_asked("it has more pages than are read")
}
