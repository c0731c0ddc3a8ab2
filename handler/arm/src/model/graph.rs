//! What is asked across subscriptions: Resource Graph, and the subscriptions themselves.

use crate::read::tolerant::arm_objects;
use crate::read::{Field, List};

arm_objects! {
    /// A page of a query's answer. `data` is `None` unless it is a list of objects.
    GraphPage {
        total_records: Field<u32>,
        data: Field<List<GraphRow>>,
        #[serde(rename = "$skipToken")]
        skip_token: Field<String>,
    }

    /// A row of a query that asks for ids alone.
    GraphRow {
        id: Field<String>,
    }

    /// A subscription, as the list of all of them names it.
    SubscriptionItem {
        subscription_id: Field<String>,
    }
}
