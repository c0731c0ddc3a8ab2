//! `handler findings`: what can be found.

use std::fmt::Write;

use egress_diagnosis::rules::{RULES, find, page};

use crate::exit::Exit;
use crate::output;

/// Lists all findings, or explains one.
pub(crate) fn findings(code: Option<&str>) -> Exit {
    let Some(code) = code else {
        return output::result(&list(), Exit::Success);
    };
    match find(code) {
        Some(rule) => output::result(&page(rule), Exit::Success),
        None => output::failure(
            &format!("there is no finding {code}; `handler findings` lists all"),
            Exit::NoInput,
        ),
    }
}

fn list() -> String {
    RULES.iter().fold(String::new(), |mut list, rule| {
        // Writing into a string cannot fail.
        let _ = writeln!(
            list,
            "{}  {:<10} {}",
            rule.code,
            format!("{:?}", rule.severity).to_lowercase(),
            rule.slug
        );
        list
    })
}
