//! The custom role grants what the table of operations needs: nothing is missing, nothing is left over.

use std::collections::BTreeSet;

use egress_arm::operations::{ALL, Method};

const ROLE: &str = include_str!("../../infra/role-actions.json");
const ROLE_TEMPLATES: [&str; 2] = [
    include_str!("../../infra/modules/roles-on-subscription.bicep"),
    include_str!("../../infra/management-group.bicep"),
];

fn granted() -> Vec<String> {
    serde_json::from_str(ROLE).expect("the role's actions are a JSON list of strings")
}

#[test]
fn the_role_equals_the_table_of_operations() {
    let used: BTreeSet<&str> = ALL.iter().map(|operation| operation.action).collect();
    let granted = granted();
    let as_set: BTreeSet<&str> = granted.iter().map(String::as_str).collect();
    assert_eq!(as_set, used);
    assert_eq!(granted.len(), as_set.len(), "an action is listed twice");
}

#[test]
fn the_role_only_reads() {
    // Some reads are asked as a POST, and their actions named so.
    let queries = ALL.iter().filter(|it| it.method == Method::Query);
    let queries: BTreeSet<&str> = queries.map(|it| it.action).collect();
    for action in granted() {
        let reads = action.to_lowercase().ends_with("/read") || queries.contains(&*action);
        assert!(reads, "{action}");
        assert!(!action.contains('*'), "{action}");
    }
}

/// The Bicep files replace one action by a wildcard on request: the text they look for must be in the list.
#[test]
fn the_wildcard_replaces_an_action_that_is_granted() {
    for template in ROLE_TEMPLATES {
        let line = template
            .lines()
            .find_map(|line| line.strip_prefix("var endpointsRead = '"))
            .expect("the template names the action");
        let action = line.trim_end_matches('\'');
        assert!(
            granted().iter().any(|granted| granted == action),
            "{action}"
        );
    }
}
